"""The sandbox of another user than root, and what is left when rmeval itself is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import rmeval
from rmeval.doctor.scene import marked
from rmeval.sandbox import Sandbox

SOURCE = Path(rmeval.__file__).parent
USER = 12345

VERIFIES = """
from rmeval.sandbox import Program, Sandbox, TestSuite
sandbox = Sandbox(require=True)
tests = TestSuite("asserts", entry_point="f", code="assert f(1) == 2")
print(sandbox.verify("def f(x): return x + 1", tests).status, sandbox.verify("def f(x): return x", tests).status)
forks = "import os, time\\nfor n in range(100):\\n    if not os.fork(): time.sleep(9)\\n    print(n, flush=True)"
print(sandbox.run(Program("python", {"a.py": forks}, "a.py")).stdout.split()[-1])
"""


def reachable_python() -> str:
    for place in (sys.executable, "/usr/bin/python3"):
        call = [place, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            done = subprocess.run(call, user=USER, group=USER, extra_groups=[], check=False, env={}, cwd="/")
        except OSError:
            continue
        if done.returncode == 0:
            return place
    pytest.skip("there is no toolchain here for Python that other users than root can run")


@pytest.fixture
def readable() -> Iterator[Path]:
    """A folder that every user can read, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_user_without_privileges_needs_no_root(sandbox: Sandbox, readable: Path) -> None:
    if os.geteuid() != 0:
        return  # All other tests show it.
    python = reachable_python()
    package = readable / "rmeval"
    shutil.copytree(SOURCE / "sandbox", package / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__", "_version", "errors", "faces", "messages", "redaction"):
        shutil.copy(SOURCE / f"{name}.py", package)
    done = subprocess.run(
        [python, "-B", "-c", VERIFIES],
        user=USER,
        group=USER,
        extra_groups=[],
        env={"PYTHONPATH": str(readable), "PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.split()[:2] == ["pass", "fail"], done.stderr
    assert 20 < int(done.stdout.split()[2]) < 32


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_when_rmeval_is_killed(sandbox: Sandbox, number: int) -> None:
    marker = f"rmeval-{os.urandom(8).hex()}"
    code = (
        "import signal\n"
        "from rmeval.sandbox import Limits, Program, Sandbox\n"
        # A shell starts background processes without it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"program = Program('python', {{'{marker}.py': 'import time; time.sleep(60)'}}, '{marker}.py')\n"
        "Sandbox(Limits(wall=60)).run(program)"
    )
    started = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    # The first is the process that was started here.
    _wait(lambda: len(marked(f"{marker}.py")) > 1 and _runs(marker))
    started.send_signal(number)
    assert started.wait(30) != 0
    _wait(lambda: not marked(marker))


def _runs(marker: str) -> bool:
    """Whether Python has started in the sandbox."""
    return any(Path(f"/proc/{pid}/comm").read_text().startswith("python") for pid in marked(f"./{marker}.py"))


def _wait(done: object) -> None:
    assert callable(done)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if done():
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError("it takes too long")
