"""Whole programs: what they did, their limits, and their verdicts."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rmeval.errors import RmevalError
from rmeval.sandbox import Limits, Program, Sandbox, TestSuite, toolchains


def python(code: str, stdin: str = "") -> Program:
    return Program("python", {"main.py": code}, "main.py", stdin)


@pytest.fixture(params=["bubblewrap", "process"])
def either(request: pytest.FixtureRequest) -> Sandbox:
    found: Sandbox = request.getfixturevalue("sandbox" if request.param == "bubblewrap" else "plain")
    return found


def test_a_program_runs_with_its_files_and_input(either: Sandbox) -> None:
    files = {"main.py": "from parts.one import f\nprint(f(input()))", "parts/one.py": "def f(x): return x * 2"}
    found = either.run(Program("python", files, "main.py", "ä\n"))
    assert (found.status, found.exit_code, found.stdout, found.stderr) == ("exit", 0, "ää\n", "")
    assert found.isolation == either.isolation
    assert 0 < found.seconds < 60


@pytest.mark.parametrize(
    ("code", "status", "exit_code"),
    [
        ("raise SystemExit(3)", "exit", 3),
        ("1 / 0", "exit", 1),
        ("import os\nos.kill(os.getpid(), 11)", "signal", 128 + 11),
        ("import sys\nwhile True: sys.stdout.write('x' * 1000)", "output", None),
        ("bytearray(1 << 30)", "memory", None),
        ("print(bytes([255]).decode('latin-1'))\nimport os\nos.write(1, b'\\xff')", "exit", 0),
    ],
)
def test_statuses(either: Sandbox, code: str, status: str, exit_code: int | None) -> None:
    found = either.run(python(code))
    assert (found.status, found.exit_code) == (status, exit_code), found
    assert len(found.stdout) <= 100_000


@pytest.mark.parametrize("code", ["while True: pass", "import time\ntime.sleep(100)"])
def test_the_end_of_time(sandbox: Sandbox, code: str) -> None:
    assert Sandbox(Limits(wall=0.5)).run(python(code)).status == "timeout"


def test_cpu_time_is_limited_apart(sandbox: Sandbox) -> None:
    assert Sandbox(Limits(wall=60, cpu=1)).run(python("while True: pass")).status == "timeout"


def test_the_memory_of_all_processes_together_is_limited(either: Sandbox) -> None:
    code = "import os, time\nfor _ in range(3): os.fork()\nkept = b'x' * (60 << 20)\ntime.sleep(20)"
    assert either.run(python(code)).status == "memory"


def test_nothing_but_its_folder_can_be_written(sandbox: Sandbox) -> None:
    code = """
import os
for place in ("/", "/dev", "/usr", "/proc", "/box"):
    try:
        open(place + "/x", "w").close()
        print(place)
    except OSError:
        pass
print(sorted(os.environ), os.getuid() == 0, os.getcwd(), sorted(os.listdir("/dev")))
"""
    lines = sandbox.run(python(code)).stdout.splitlines()
    assert lines[0] == "/box"
    names = ["HOME", "LANG", "PATH", "PWD", "PYTHONHASHSEED", "TMPDIR"]
    devices = ["fd", "full", "null", "random", "shm", "stderr", "stdin", "stdout", "urandom", "zero"]
    assert lines[1] == f"{names} False /box {devices}"


def test_readable_folders_are_read_only_and_importable(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("value = 5")
    tmp_path.chmod(0o755)
    code = f"import mine\nprint(mine.value)\nopen({str(tmp_path / 'new')!r}, 'w')"
    found = Sandbox(readable=[tmp_path]).run(python(code))
    assert found.stdout == "5\n"
    assert "Read-only file system" in found.stderr
    assert "No module named 'mine'" in sandbox.run(python(code)).stderr


def test_what_programs_could_not_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RmevalError, match=r"there is no file or folder .*: correct or remove it in `readable`"):
        Sandbox(readable=[tmp_path / "none"])
    if os.geteuid() == 0:
        tmp_path.chmod(0o700)
        with pytest.raises(RmevalError, match="is readable for its owner only"):
            Sandbox(readable=[tmp_path])


def test_no_descriptor_or_folder_is_left(either: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    either.run(python("print(1)"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for code in ("print(1)", "import os\nos._exit(1)", "while True: print(1)"):
        either.run(python(code))
        either.verify(code, TestSuite("asserts", code="assert f() == 1"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert list(tmp_path.iterdir()) == []


ECHO = "for line in open(0): print(sum(map(int, line.split())))"


@pytest.mark.parametrize(
    ("solution", "status", "detail"),
    [
        (ECHO, "pass", ""),
        (f"{ECHO}\nprint()", "pass", ""),
        ("print(3)", "fail", "case 2 of 2: expected 7, not 3"),
        ("print(float(sum(map(int, input().split()))))", "fail", "case 1 of 2: expected 3, not 3.0"),
        ("1 / 0", "fail", "case 1 of 2: exit code 1: ZeroDivisionError: division by zero"),
        ("print(3)\nraise SystemExit(1)", "fail", "case 1 of 2: exit code 1"),
        ("print('3' * 200_000)", "output", "case 1 of 2: the program exceeded the limit on output"),
        ("print(open('expected').read())", "fail", "case 1 of 2: exit code 1: FileNotFoundError"),
    ],
)
def test_output_is_compared_by_words(sandbox: Sandbox, solution: str, status: str, detail: str) -> None:
    found = sandbox.verify(solution, TestSuite("io", cases=(("1 2\n", "3\n"), ("3 4\n", " 7 \n\n"))))
    assert (found.status, found.detail[: len(detail)]) == (status, detail)


@pytest.mark.parametrize(
    ("solution", "status"),
    [
        ("import os\nos.kill(os.getpid(), 9)", "error"),
        ("import os\nos.kill(os.getpid(), 11)", "fail"),
        ("import sys\nsys.exit('MemoryError')", "memory"),
        ("import sys\nsys.exit('MemoryError is no reason\\nhere')", "fail"),
    ],
)
def test_a_killed_program_is_not_wrong(sandbox: Sandbox, solution: str, status: str) -> None:
    found = sandbox.verify(solution, TestSuite("io", cases=(("", "1"),)))
    assert found.status == status, found


def test_a_python_program_is_tested_by_calls(sandbox: Sandbox) -> None:
    tests = TestSuite("program", code="assert f(1) == 2")
    assert sandbox.verify("def f(x): return x + 1", tests).status == "pass"
    assert sandbox.verify("import os\nos._exit(0)", tests).status == "fail"


def test_many_are_verified_while_few_are_read_ahead(sandbox: Sandbox) -> None:
    tests = TestSuite("asserts", entry_point="f", code="assert f(2) == 4")
    read: list[int] = []

    def jobs() -> Iterator[tuple[int, str, TestSuite]]:
        for number in range(12):
            read.append(number)
            yield number, f"def f(x): return x + {number}", tests

    found = {}
    for key, verdict in sandbox.verify_many(jobs(), workers=2):
        found[key] = verdict.status
        assert len(read) - len(found) <= 4
    assert found == {number: "pass" if number == 2 else "fail" for number in range(12)}


def test_many_can_be_left_early(sandbox: Sandbox) -> None:
    endless = (("k", "def f(): return 1", TestSuite("asserts", code="assert f() == 1")) for _ in iter(int, 1))
    found = sandbox.verify_many(endless)
    assert next(found)[1].status == "pass"
    found.close()  # type: ignore[attr-defined]


def test_without_bubblewrap_there_is_a_warning_or_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert Sandbox().isolation == "process"
    assert "bubblewrap is not installed (apt-get install bubblewrap)" in caplog.text
    with pytest.raises(RmevalError, match="the sandbox needs bubblewrap: bubblewrap is not installed"):
        Sandbox(require=True)
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: no permissions' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(RmevalError, match="the sandbox needs bubblewrap: bubblewrap does not work here: "):
        Sandbox(require=True)


def test_a_language_without_a_toolchain_is_unavailable(sandbox: Sandbox) -> None:
    if "go" in toolchains():
        found = sandbox.verify("package main", TestSuite("program", language="go", code="package main"))
        assert found.status == "compile"
    else:
        found = sandbox.verify("package main", TestSuite("program", language="go", code="package main"))
        assert (found.status, found.detail) == ("unavailable", "there is no toolchain for go on this machine")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Limits(wall=0), "`wall` must be a positive number, not 0"),
        (lambda: Limits(memory=1 << 62), "`memory` must be a positive number"),
        (lambda: Program("python", {"../x": ""}, "../x"), "'../x' is not a relative path"),
        (lambda: Program("python", {"/x": ""}, "/x"), "'/x' is not a relative path"),
        (
            lambda: Program("python", {"a.py": ""}, "b.py"),
            "has no file 'b.py': `main` must be one of 'a.py'",
        ),
        (lambda: TestSuite("other", code="x"), "there is no kind of tests 'other'"),  # type: ignore[arg-type]
        (lambda: TestSuite("asserts", language="cpp", code="x"), "are for python, not cpp: use program or io"),
        (lambda: TestSuite("check", code="x"), "give `entry_point`"),
        (lambda: TestSuite("io"), "give `cases`"),
        (lambda: TestSuite("asserts", code=" "), "need `code`, which is empty"),
    ],
)
def test_what_cannot_be_is_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(RmevalError) as error:
        make()
    assert message in str(error.value)


def test_an_unknown_language_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(RmevalError, match="there is no language 'pyton': did you mean python"):
        sandbox.run(Program("pyton", {"a": ""}, "a"))
    with pytest.raises(RmevalError, match="there is no language 'perl'"):
        sandbox.verify("", TestSuite("program", language="perl", code="x"))


def test_output_after_the_end_of_time_does_not_delay_it(either: Sandbox) -> None:
    code = (
        "import os, time\nend = time.time() + 0.4\nwhile time.time() < end: pass\nwhile True: os.write(1, b'x' * 100)"
    )
    small = Sandbox(Limits(wall=0.5, output=1 << 40))
    small._isolated = either._isolated
    assert small.run(python(code)).status == "timeout"
