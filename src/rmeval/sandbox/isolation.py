"""Two ways of isolating a program: bubblewrap, and a process with limits where bubblewrap does not work."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

from rmeval.sandbox.inherited import descriptors
from rmeval.sandbox.languages import BOX, Toolchain, toolchains
from rmeval.sandbox.programs import Isolation, Limits
from rmeval.sandbox.reachable import Namespace, open_namespace
from rmeval.sandbox.system_calls import system_call_filter
from rmeval.sandbox.watching import Process, watch

__all__ = ["PATH", "Bubblewrap", "Isolated", "Start", "limited", "open_bubblewrap", "running_tasks"]

NOBODY = 65534
"""The user and group as which root starts programs; the limit on processes does not bind root."""
_USER = "1000"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SETTINGS = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
_DEVICES = ("null", "zero", "full", "random", "urandom")
PATH = "/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Start:
    """A program to start.

    Attributes:
        command: The command.
        limits: Its limits.
        toolchain: What it needs to run.
        files: Contents of the files in its folder, by path.
        stdin: Descriptor of its standard input.
        inherited: Other descriptors that it inherits, under the same numbers.
        address_space: Whether to limit the address space of a process to its memory.
    """

    command: Sequence[str]
    limits: Limits
    toolchain: Toolchain
    stdin: int
    files: Mapping[str, bytes] = field(default_factory=dict)
    inherited: Sequence[int] = ()
    address_space: bool = True


class Isolated(Protocol):
    """A way of isolating programs."""

    name: Isolation

    def start(self, given: Start) -> Process:
        """Start a program."""
        ...


def limited(given: Start, counted: int) -> list[str]:
    """The command with limits of the kernel.

    Args:
        given: The command and its limits.
        counted: How many other processes count towards its limit.
    """
    own = given.limits
    seconds = max(1, round(own.cpu))
    limits = [
        # The second number ends a program that ignores the signal of the first.
        f"--cpu={seconds}:{seconds + 1}",
        f"--nproc={own.processes + counted}",
        f"--fsize={own.file_size}",
        f"--nofile={own.open_files}",
        "--core=0",
        "--memlock=0",
        "--msgqueue=0",
        *([f"--as={own.memory}"] if given.address_space else []),
    ]
    return [_tool("prlimit"), *limits, "--", *given.command]


@cache
def _counted() -> int:
    """How many processes outside a sandbox count towards its limit: before 5.14 the kernel counts all of the user."""
    version = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
    if version >= (5, 14):
        return 0
    return running_tasks(os.geteuid() or NOBODY)


def running_tasks(user: int) -> int:
    """The number of processes and threads of a user."""
    count = 0
    for task in Path("/proc").glob("[0-9]*/task/*"):
        with suppress(OSError):
            count += task.stat().st_uid == user
    return count


@cache
def _tool(name: str) -> str:
    return shutil.which(name, path=f"{PATH}:/usr/sbin:/sbin") or f"/usr/bin/{name}"


class Bubblewrap:
    """Namespaces of the kernel: no network, no files but those named here, no other processes.

    Args:
        executable: The program bwrap.
        readable: Files and folders that programs may read.
    """

    name: Isolation = "bubblewrap"

    def __init__(self, executable: str, readable: Sequence[Path] = ()) -> None:
        self._executable = executable
        home = Path(os.path.expanduser("~"))  # noqa: PTH111  Path.home fails for users without one.
        # A toolchain that fills a home folder must not show it.
        own = [path for one in toolchains().values() for path in one.readable if not home.is_relative_to(path)]
        wanted = dict.fromkeys([*own, *(path.resolve() for path in readable)])
        self._given = tuple(path.resolve() for path in readable)
        self._paths = [path for path in wanted if not any(path.is_relative_to(one) for one in _SYSTEM)]
        self._namespace: Namespace | None = None
        if os.geteuid() == 0:
            self._namespace = open_namespace(self._paths)

    def start(self, given: Start) -> Process:
        """Start a program; what bubblewrap itself says goes to standard error."""
        with descriptors() as own:
            reports, status = os.pipe()
            own.adopt(status)
            rules: list[str] = []
            if (refused := system_call_filter()) is not None:
                rules = ["--seccomp", str(own.data(refused))]
            files = rules + self._files(given, {path: own.data(content) for path, content in given.files.items()})
            command = [
                *self._entered(),
                self._executable,
                *self._options(given, status),
                *files,
                "--",
                *limited(given, _counted()),
            ]
            started = subprocess.Popen(
                command,
                stdin=given.stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[*own.open, *given.inherited],
                # The first process of the sandbox keeps it, where a program can read it.
                env={},
                start_new_session=True,
            )
        return Process(started, given.limits, reports)

    def _entered(self) -> list[str]:
        """The command that enters the namespace of root and becomes another user."""
        if self._namespace is None:
            return []
        space = f"--mount=/proc/{os.getpid()}/fd/{self._namespace.descriptor}"
        return [_tool("nsenter"), space, f"--setgid={NOBODY}", f"--setuid={NOBODY}", "--"]

    def _options(self, given: Start, status: int) -> list[str]:
        size = str(given.limits.disk)
        environment = {"PATH": PATH, "HOME": BOX, "TMPDIR": BOX, "LANG": "C.UTF-8"} | dict(given.toolchain.environment)
        if given.toolchain.language == "python" and self._given:
            environment["PYTHONPATH"] = ":".join(map(str, self._given))
        return [
            *_fixed(),
            *self._bound(given.toolchain),
            *("--size", size, "--tmpfs", BOX, "--chdir", BOX),
            # Not where a folder in /tmp is shown.
            *([] if any(path.is_relative_to("/tmp") for path in self._given) else ["--symlink", BOX, "/tmp"]),
            *("--remount-ro", "/dev", "--remount-ro", "/"),
            *("--json-status-fd", str(status)),
            *(part for name, value in environment.items() for part in ("--setenv", name, value)),
        ]

    def _bound(self, toolchain: Toolchain) -> list[str]:
        wanted = [path for path in self._paths if path in toolchain.readable or path in self._given]
        places = self._namespace.places if self._namespace else {}
        return [part for path in wanted for part in ("--ro-bind", str(places.get(path, path)), str(path))]

    def _files(self, given: Start, opened: Mapping[str, int]) -> list[str]:
        folders = dict.fromkeys(str(one) for path in opened for one in reversed(Path(path).parents[:-1]))
        made = [part for folder in folders for part in ("--dir", f"{BOX}/{folder}")]
        return made + [
            part
            for path, descriptor in opened.items()
            for part in ("--perms", "0755", "--file", str(descriptor), f"{BOX}/{path}")
        ]


@cache
def _fixed() -> tuple[str, ...]:
    """The options that all programs have in common."""
    found = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--clearenv"]
    found += ["--cap-drop", "ALL", "--uid", _USER, "--gid", _USER, "--hostname", "sandbox"]
    for place in _SYSTEM:
        path = Path(place)
        if path.is_symlink():
            found += ["--symlink", str(path.readlink()), place]
        elif path.is_dir():
            found += ["--ro-bind", place, place]
    for place in _SETTINGS:
        found += ["--ro-bind-try", place, place]
    # The option --dev would add memory without a limit in /dev/shm.
    found += ["--proc", "/proc", "--size", "65536", "--tmpfs", "/dev"]
    for device in _DEVICES:
        found += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        found += ["--symlink", f"/proc/self/fd{target}", f"/dev/{name}"]
    return (*found, "--symlink", BOX, "/dev/shm")


def open_bubblewrap(readable: Sequence[Path] = ()) -> Bubblewrap | str:
    """Return bubblewrap if it works here, else the reason why it does not."""
    executable = shutil.which("bwrap")
    if executable is None:
        return "bubblewrap is not installed (apt-get install bubblewrap)"
    made = Bubblewrap(executable, readable)
    with descriptors() as own:
        process = made.start(Start(["/bin/true"], Limits(), toolchains()["python"], own.data(b"")))
        watch([process], 10.0)
        ended = process.end()
    if ended.code == 0:
        return made
    return f"bubblewrap does not work here: {ended.stderr.decode('utf-8', 'replace').strip() or 'it gave no reason'}"
