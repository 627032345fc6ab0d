"""Compilers and interpreters on this machine, and how each builds and runs a program."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

__all__ = ["BOX", "LANGUAGES", "PYTHON_OPTIONS", "Toolchain", "filled", "toolchains"]

LANGUAGES = ("python", "cpp", "java", "javascript", "rust", "go")
"""Names of the languages."""

BOX = "/box"
"""The working folder in a sandbox."""

PYTHON_OPTIONS = ("-S", "-s", "-B", "-X", "utf8")
"""No packages of the machine or the user, no files of byte code."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """How programs of a language are built and run.

    Attributes:
        language: Its name in `LANGUAGES`.
        executable: The compiler or interpreter.
        run: Command that runs a program; `{main}` is its main file, `{name}` that file's name without ending.
        build: Command of the shell that writes the files to run into the folder `out`, or None; `{flags}` stands for
            further options.
        readable: Folders that it needs besides those of the system.
        environment: Environment variables.
        address_space: Whether it works with limited address space; other languages reserve far more than they use.
    """

    language: str
    executable: Path
    run: tuple[str, ...]
    build: str | None = None
    readable: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    address_space: bool = True


@cache
def toolchains() -> Mapping[str, Toolchain]:
    """Return the toolchains of this machine by the language's name."""
    finders: Mapping[str, Callable[[], Toolchain | None]] = {
        "python": _python,
        "cpp": _cpp,
        "java": _java,
        "javascript": _javascript,
        "rust": _rust,
        "go": _go,
    }
    found = {language: find() for language, find in finders.items()}
    return {language: one for language, one in found.items() if one is not None}


def _python() -> Toolchain:
    """The interpreter that runs rmeval, without the packages that are installed for it."""
    executable = Path(sys.executable).resolve()
    run = (str(executable), *PYTHON_OPTIONS, "{main}")
    libraries = (path for name in ("lib", "lib64") if (path := Path(sys.base_prefix).resolve() / name).is_dir())
    # Sets of texts have the same order in each run.
    return Toolchain("python", executable, run, None, (executable, *libraries), {"PYTHONHASHSEED": "0"})


def _cpp() -> Toolchain | None:
    if (executable := _which("g++")) is None:
        return None
    build = f"{executable} -std=c++17 -O1 -o out/program $(find . -name '*.cpp') {{flags}}"
    return Toolchain("cpp", executable, ("./program",), build)


def _java() -> Toolchain | None:
    compiler = _which("javac")
    if compiler is None or not (java := compiler.with_name("java")).exists():
        return None
    # One thread each for compiling and collecting, because threads count as processes.
    options = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto")
    flags = " ".join(f"-J{one}" for one in options)
    build = f"{compiler} {flags} -nowarn -encoding UTF-8 -d out $(find . -name '*.java')"
    home = compiler.parent.parent
    settings = tuple(path for path in Path("/etc").glob("java-*") if path.is_dir())
    run = (str(java), *options, "-ea", "-cp", ".", "{name}")
    return Toolchain("java", compiler, run, build, (home, *settings), address_space=False)


def _javascript() -> Toolchain | None:
    if (executable := _which("node")) is None:
        return None
    # A syntax error is found before the program runs.
    copy = "find . -name out -prune -o -type f -exec cp --parents {{}} out ';'"
    run = (str(executable), "{main}")
    return Toolchain(
        "javascript", executable, run, f"{executable} --check {{main}} && {copy}", (executable,), address_space=False
    )


def _rust() -> Toolchain | None:
    root = _printed("rustc", "--print", "sysroot")
    if root is None or not (executable := Path(root) / "bin" / "rustc").exists() or _which("cc") is None:
        return None
    # rustup's own rustc only chooses a toolchain, and would look for it in the user's home.
    build = f"{executable} --edition 2021 -C opt-level=1 -C codegen-units=1 -o out/program {{main}}"
    return Toolchain("rust", executable, ("./program",), build, (Path(root),))


def _go() -> Toolchain | None:
    root = _printed("go", "env", "GOROOT")
    if root is None or not (executable := Path(root).resolve() / "bin" / "go").exists():
        return None
    build = f"{executable} build -o out/program *.go"
    environment = {"GOCACHE": f"{BOX}/.cache", "GOPATH": f"{BOX}/.go", "GOFLAGS": "-p=1", "GOMAXPROCS": "2"}
    readable = (Path(root).resolve(), *(path for path in (Path("/usr/share").glob("go-*"))))
    return Toolchain("go", executable, ("./program",), build, readable, environment, address_space=False)


def _which(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found).resolve() if found else None


def _printed(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def filled(command: Sequence[str], main: str) -> list[str]:
    """The command that runs a main file."""
    return [part.format(main=f"./{main}", name=Path(main).stem) for part in command]
