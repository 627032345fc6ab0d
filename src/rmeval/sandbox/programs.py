"""Programs to run, the limits on them, and what they did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from rmeval.errors import RmevalError
from rmeval.messages import quoted

__all__ = ["Isolation", "Limits", "Outcome", "Program", "Status"]

Isolation = Literal["bubblewrap", "process"]
Status = Literal["exit", "timeout", "memory", "output", "signal", "compile", "unavailable"]

MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on one run.

    Attributes:
        wall: Seconds from start to end.
        cpu: Seconds of CPU time of each process.
        memory: Bytes of each process, and of all processes of a run together.
        output: Bytes of standard output and standard error together.
        processes: Number of processes and threads.
        file_size: Bytes of one file that a program writes.
        disk: Bytes of all files that a program writes.
        open_files: Number of files that a process has open.
    """

    wall: float = 10.0
    cpu: float = 10.0
    memory: int = 1 << 30
    output: int = 1 * MB
    processes: int = 32
    file_size: int = 64 * MB
    disk: int = 64 * MB
    open_files: int = 64

    def __post_init__(self) -> None:
        for one in fields(self):
            if not 0 < getattr(self, one.name) < 1 << 62:
                raise RmevalError(f"`{one.name}` must be a positive number, not {getattr(self, one.name)}")


@dataclass(frozen=True, slots=True)
class Program:
    """A program in source code.

    Attributes:
        language: One of `LANGUAGES`.
        files: Text of each file, by its name or relative path.
        main: The file to run.
        stdin: Text on standard input.
    """

    language: str
    files: Mapping[str, str]
    main: str
    stdin: str = ""

    def __post_init__(self) -> None:
        for name in self.files:
            if not name.isprintable() or any(part in ("", ".", "..") for part in name.split("/")):
                raise RmevalError(f"{quoted(name)} is not a relative path: name a file of a program as in src/main.py")
        if self.main not in self.files:
            names = ", ".join(map(quoted, self.files))
            raise RmevalError(f"the program has no file {quoted(self.main)}: `main` must be one of {names}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program did.

    Attributes:
        status: `exit` if it ended by itself; `timeout`, `memory` or `output` if it exceeded this limit; `signal` if a
            signal ended it; `compile` if it did not compile; `unavailable` if it could not be run here.
        exit_code: Exit code for `exit` and `compile`, 128 and the number of the signal for `signal`, otherwise None.
        stdout: Standard output, up to the limit; bytes that are not UTF-8 are replaced.
        stderr: Standard error, in the same way; for `unavailable`, the reason.
        seconds: Seconds from start to end.
        isolation: How the program was isolated.
    """

    status: Status
    exit_code: int | None
    stdout: str
    stderr: str
    seconds: float
    isolation: Isolation
