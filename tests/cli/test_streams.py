"""The command line where its streams, its memory or its surroundings are not as usual: one sentence, or the numbers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

import rmeval
from tests.command import command, process, running
from tests.samples import pair_rows

NAME = "模型 Größe €"
SHELL = f"{sys.executable} -m rmeval"


def slow(*values: Any) -> Any:
    """Values of a test that differ little from others: each starts a process."""
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row | {"subset": NAME}) + "\n" for row in pair_rows(12)), encoding="utf-8")
    for name in ("longest", "shortest"):
        rmeval.evaluate(f"baseline:{name}", "pairs", str(data), out=folder / "runs")
    return folder / "runs"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a line of bash, in which $rmeval is the command."""
    env = os.environ | {"rmeval": SHELL} | environment
    return subprocess.run(["bash", "-c", line], capture_output=True, timeout=300, check=False, env=env)


@pytest.mark.parametrize("encoding", ["ascii", *map(slow, ("cp1252", "utf-8"))])
def test_names_are_shown_in_any_encoding(encoding: str, runs: Path) -> None:
    (run,) = (runs / "pairs").glob("*longest*/*")
    done = shell(f"$rmeval show {run}; $rmeval show {run} --json", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode(encoding)
    shown = NAME.encode(encoding, "backslashreplace").decode(encoding)
    header, row = (next(one for one in text.splitlines() if part in one) for part in ("accuracy  items", shown))
    assert cell_len(header) == cell_len(row)
    assert any(record["scope"] == NAME for record in json.loads(text[text.index("\n[") :]))


def test_help_and_errors_in_ascii() -> None:
    done = shell("$rmeval -h; $rmeval show 模型", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 2
    assert done.stdout.isascii()
    assert b"--version" in done.stdout
    assert done.stderr.isascii()
    assert (done.stderr.startswith(b"error: "), done.stderr.count(b"\n")) == (True, 1)


@pytest.mark.parametrize("unbuffered", ["", slow("1")])
@pytest.mark.parametrize("words", ["show", slow("show --json"), slow("-h"), "items rm-bench-synthetic --size 400"])
def test_a_reader_that_has_seen_enough_ends_it_quietly(words: str, unbuffered: str, runs: Path) -> None:
    words = words.replace("show", f"show {next((runs / 'pairs').glob('*longest*/*'))}")
    # Nobody ever reads.
    done = shell(f"$rmeval {words} | true; exit ${{PIPESTATUS[0]}}", PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("unbuffered", ["", slow("1")])
@pytest.mark.parametrize("words", ["show", "list --json"])
def test_a_full_device_is_one_sentence(words: str, unbuffered: str, runs: Path) -> None:
    done = shell(f"$rmeval {words.replace('show', f'show {runs}')} > /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: standard output")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("show RUNS >&-", 0),
        slow("show RUNS >&- 2>&-", 0),
        slow("show nowhere 2>&-", 2),
        ("show nowhere 2>/dev/full", 2),
    ],
)
def test_closed_streams(line: str, code: int, runs: Path) -> None:
    done = shell(f"$rmeval {line.replace('RUNS', str(runs))}")
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")


def test_no_file_gets_the_number_of_a_closed_stream(runs: Path, tmp_path: Path) -> None:
    """Or what a library prints to standard output would end in a file of the run."""
    plugin = tmp_path / "prints.py"
    plugin.write_text(
        "import os\n"
        "def f(conversations):\n"
        "    os.write(1, b'printed by a library')\n"
        "    return [float(len(one[-1]['content'])) for one in conversations]\n"
    )
    done = shell(f"$rmeval run {plugin}:f -b pairs --data {runs.parent}/data.jsonl -o {tmp_path}/runs >&- 2>&-")
    assert done.returncode == 0
    assert not any(b"printed by" in file.read_bytes() for file in (tmp_path / "runs").rglob("*") if file.is_file())


@pytest.mark.parametrize("width", ["0", "1", "10000", "999999999999", "²", "wide", ""])
def test_any_width_of_the_terminal(
    width: str, runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COLUMNS", "LINES"):
        monkeypatch.setenv(name, width)
    monkeypatch.setenv("FORCE_COLOR", "1")
    done = command(capsys, "compare", runs)
    assert (done.code, done.err) == (0, "")
    assert "accuracy" in done.out or width == "1"


def test_a_width_that_is_none_for_the_help() -> None:
    assert process("-m", "rmeval", "show", "-h", TERMINAL_WIDTH="wide").returncode == 0


@pytest.mark.parametrize(
    "line", ["show RUNS", "compare RUNS", "run rmeval/tiny -b pairs --data DATA", "run x/y -b pairs --data DATA"]
)
def test_a_deleted_folder_is_one_sentence(line: str, runs: Path, tmp_path: Path) -> None:
    line = line.replace("RUNS", str(runs)).replace("DATA", str(runs.parent / "data.jsonl"))
    done = shell(f"mkdir {tmp_path}/gone; cd {tmp_path}/gone; rmdir {tmp_path}/gone; $rmeval {line}")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"error: the current folder was deleted")
    assert done.stderr.count(b"\n") == 1


NOBODY = """
import os, pwd
for name in ("HOME", "XDG_CACHE_HOME"):
    os.environ.pop(name, None)

def unknown(number):
    raise KeyError(f"getpwuid(): uid not found: {number}")

pwd.getpwuid = unknown  # As the system answers for a user without an entry, which only root becomes.
from rmeval.cli import main
main()
"""


@pytest.mark.parametrize(
    ("words", "code"),
    [("show RUNS", 0), slow("compare RUNS", 0), slow("list", 0), ("run some/model -b pairs --data DATA", 2)],
)
def test_a_user_without_home_and_name(words: str, code: int, runs: Path) -> None:
    words = words.replace("RUNS", str(runs)).replace("DATA", str(runs.parent / "data.jsonl"))
    done = process("-c", NOBODY, *words.split())
    assert done.returncode == code, done.stderr
    if code:
        assert (done.stderr.startswith("error: "), done.stderr.count("\n")) == (True, 1), done.stderr
        assert "set HOME" in done.stderr


LITTLE = """
import resource, sys
import numpy, scipy.stats, pyarrow.parquet, rich.table
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 40_000_000, used + 40_000_000))
from rmeval.cli import main
main()
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of a process is not known here")
def test_too_little_memory_is_one_sentence(tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text(
        "".join(json.dumps({"prompt": f"{n}" * 20, "chosen": "aa", "rejected": "b"}) + "\n" for n in range(60_000))
    )
    done = process("-c", LITTLE, "run", "baseline:longest", "-b", "pairs", "--data", data, "-o", tmp_path / "runs")
    assert done.returncode == 2, done.stderr
    assert (done.stderr.startswith("error: not enough memory"), done.stderr.count("\n")) == (True, 1), done.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "not enough memory"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"),
            "not enough memory",
        ),
        (ImportError("libx.so: failed to map segment from shared object"), "not enough memory"),
        (RecursionError("maximum recursion depth exceeded"), "nested too deeply"),
        (OSError(24, "Too many open files", "f"), "f: Too many open files: raise"),
        (OSError(28, "No space left on device", "a\nb"), "a\\nb: No space left on device: free"),
        (OSError(122, "Disk quota exceeded"), "standard output or a temporary file: Disk quota exceeded: free"),
        (OSError(5, "Input/output error", "f"), "f: Input/output error; check the path and its permissions"),
        (RuntimeError("Could not determine home directory."), "set HOME"),
        (ValueError("embedded null byte"), "cannot be written to a file"),
        (RuntimeError("Symlink loop from x"), "a loop of symbolic links"),
    ],
)
def test_errors_of_the_system_are_sentences(
    error: BaseException, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises(path: Path) -> list[Path]:
        raise error

    monkeypatch.setattr("rmeval.store.manifest.find_runs", raises)
    done = command(capsys, "show", "x")
    assert (done.code, done.out, done.err.count("\n"), done.err.startswith("error: ")) == (2, "", 1, True), done.err
    assert said in done.err


RAISES = """
import sys
import rmeval.store.manifest
from rmeval.cli import main

def raises(path):
    raise {error}

rmeval.store.manifest.find_runs = raises
sys.argv = ["rmeval", "show", "x"]
main()
"""


def test_a_fault_of_rmeval_keeps_its_traceback_and_harms_no_terminal() -> None:
    done = process("-c", RAISES.format(error="KeyError('\\x1b]0;x\\x07 \\x9b31m \\u202e')"))
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(done.stderr)


WARNS = """
import logging, sys, warnings
from rmeval.cli import output
output.prepare()
logging.getLogger("transformers").warning("loading %s", "\\x1b[2J\\x9b\\u202e")
warnings.warn("of \\x1b[2J")
"""


def test_what_other_packages_log_is_safe() -> None:
    done = process("-c", WARNS)
    assert done.returncode == 0
    assert "loading \\x1b[2J\\x9b\\u202e\n" in done.stderr
    assert "UserWarning: of \\x1b[2J\n" in done.stderr


SLOW = """
import pathlib, threading
class Slow:
    def score(self, conversations):
        pathlib.Path(__file__).with_name('begun').touch()
        try:
            threading.Event().wait(60)
        finally:
            threading.Event().wait(0.3)  # Closing takes a moment.
"""


@pytest.mark.parametrize(
    ("numbers", "code"),
    [((signal.SIGINT,) * 3, 130), slow((signal.SIGTERM, signal.SIGINT), 143), slow((signal.SIGHUP,), 129)],
)
def test_more_signals_do_not_disturb_the_end(numbers: tuple[int, ...], code: int, runs: Path, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    data = runs.parent / "data.jsonl"
    words = ["run", f"{tmp_path}/slow.py:Slow", "-b", "pairs", "--data", str(data), "-o", str(tmp_path / "runs")]
    writing = running(*words)
    while not (tmp_path / "begun").exists() and writing.poll() is None:
        time.sleep(0.01)
    for number in numbers:
        writing.send_signal(number)
        time.sleep(0.02)
    _, errors = writing.communicate(timeout=60)
    assert (writing.returncode, errors) == (code, f"\nstopped: {KEPT}\n")
    assert not list((tmp_path / "runs").rglob("lock*"))


KEPT = "the run keeps what it has scored; run the same command again to continue"


def test_a_signal_counts_for_the_command_that_it_ended(runs: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from rmeval import cli\n"
        "from rmeval.cli import signals\n"
        "signals.catch()\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "except signals.Stopped:\n"
        "    signals.let_go()\n"
        f"sys.argv = ['rmeval', 'show', {str(runs / 'nothing')!r}]\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


def test_a_signal_that_the_caller_ignores_stays_ignored(runs: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "hangs.py"
    plugin.write_text(
        "import os, signal\n"
        "def f(conversations):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    return [float(len(one[-1]['content'])) for one in conversations]\n"
    )
    done = shell(f"trap '' HUP; $rmeval run {plugin}:f -b pairs --data {runs.parent}/data.jsonl -o {tmp_path}/runs")
    assert done.returncode == 0, done.stderr


USAGE = "--nothing|nothing|show|show --json=x y|list nothing|"
USAGE += "run x|run x -b pairs --limit 0|run x -b pairs --scale much|cite a b|"


@pytest.mark.parametrize("line", USAGE.split("|"))
def test_wrong_usage_is_one_sentence_and_code_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, *line.split())
    assert done.code == 2
    if line not in ("", "show"):
        assert (done.out, done.err.count("\n"), done.err.startswith("error: ")) == ("", 1, True), done.err
        assert re.search(r"; see .*rmeval( \w+)? -h\n$", done.err), done.err
    else:
        assert "Usage" in done.out + done.err
