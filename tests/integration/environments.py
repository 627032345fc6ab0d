"""Environments for packages that do not install beside rmeval's, such as vLLM: pinned, built once, cached.

`environments/NAME.txt` lists every package of an environment with its hash. rmeval itself is not in it: tests run it
from the source (`PYTHONPATH`), so that an environment outlives changes of rmeval.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path(__file__).parent / "environments"
MADE_FOR = ((3, 11), "Linux", "x86_64")


def home() -> Path:
    """The folder of what integration tests download and build; it may be deleted at any time."""
    return Path(os.environ.get("RMEVAL_TEST_MODELS") or Path.home() / ".cache" / "rmeval-tests")


def environment(name: str) -> Path:
    """The folder of programs of an environment, which is built if it is not there.

    Args:
        name: `vllm`, `ray` or `trackers`.
    """
    here = (sys.version_info[:2], platform.system(), platform.machine())
    if here != MADE_FOR:
        pytest.skip(f"the pinned environments are for CPython 3.11 on Linux x86_64, and this is {here}")
    requirements = REQUIREMENTS / f"{name}.txt"
    content = requirements.read_bytes() + platform.python_version().encode()
    folder = home() / "venvs" / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    with locked(folder.with_suffix(".lock")):
        if not (folder / "complete").exists():
            build(folder, requirements)
    return folder / "bin"


def build(folder: Path, requirements: Path) -> None:
    """Build an environment in a folder, whose earlier content, from a build that did not end, is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    options = ("-qq", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary", ":all:")
    install: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "install", *options, "-r", requirements]
    subprocess.run(install, check=True)
    (folder / "complete").touch()


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Let one process at a time in; another one waits."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def run_in(name: str, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run Python in an environment, with rmeval's source on its path.

    Args:
        name: The environment.
        arguments: Arguments of Python, such as `-m rmeval run ...`, or a script.
        more: Environment variables.
    """
    command: list[str | Path] = [environment(name) / "python", *arguments]
    return subprocess.run(command, env=variables(more), text=True, capture_output=True, check=False)


def variables(more: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of programs in an environment."""
    paths = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
    return {**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **more}
