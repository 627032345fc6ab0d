"""Compiles programs in a sandbox, and takes the results out of it."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass

from rmeval.errors import RmevalError
from rmeval.messages import chosen_from
from rmeval.sandbox.inherited import descriptors
from rmeval.sandbox.isolation import Isolated, Start
from rmeval.sandbox.languages import LANGUAGES, Toolchain, filled, toolchains
from rmeval.sandbox.programs import MB, Limits, Outcome, Program, Status
from rmeval.sandbox.watching import Ended, watch

__all__ = ["Built", "build", "outcome", "run_built"]

_BUILD_LIMITS = Limits(
    wall=60.0,
    cpu=60.0,
    memory=4096 * MB,
    output=128 * MB,
    processes=256,
    file_size=256 * MB,
    disk=1024 * MB,
    open_files=1024,
)
# Each file is a line with its size and name, and then its contents.
_SCRIPT = """
mkdir out && {{ {build}; }} 1>&2 && cd out && find . -type f | while read -r file; do
    printf '%s %s\\n' "$(wc -c < "$file")" "$file" && cat "$file" || exit 1
done
"""
_OUT_OF_MEMORY = re.compile(
    r"^MemoryError\b(?=[^\n]*\s*\Z)|std::bad_alloc|memory allocation of \d+ bytes failed|java\.lang\.OutOfMemoryError"
    r"|JavaScript heap out of memory|runtime: out of memory|cannot allocate memory",
    re.MULTILINE,
)
"""What programs write that end because they got no more memory: in Python, C++, Rust, Java, JavaScript and Go."""
_ARTIFACT = re.compile(rb"(\d{1,12}) \./([\w$.-]+(?:/[\w$.-]+)*)\n")


@dataclass(frozen=True, slots=True)
class Built:
    """A program that can be run.

    Attributes:
        toolchain: What it needs to run.
        files: Contents of its files, by path.
        main: The file to run.
    """

    toolchain: Toolchain
    files: Mapping[str, bytes]
    main: str


def build(isolated: Isolated, program: Program, flags: str = "") -> Built | Outcome:
    """Compile a program if its language needs it; return an outcome if it cannot be run.

    Args:
        isolated: Where to compile it.
        program: The program.
        flags: Further options of the compiler.

    Raises:
        RmevalError: If there is no such language.
    """
    if program.language not in LANGUAGES:
        raise RmevalError(f"there is no language {program.language!r}: {chosen_from(program.language, LANGUAGES)}")
    toolchain = toolchains().get(program.language)
    if toolchain is None:
        reason = f"there is no toolchain for {program.language} on this machine"
        return Outcome("unavailable", None, "", reason, 0.0, isolated.name)
    files = {name: text.encode("utf-8", "surrogatepass") for name, text in program.files.items()}
    if toolchain.build is None:
        return Built(toolchain, files, program.main)
    command = toolchain.build.format(main=shlex.quote(f"./{program.main}"), flags=flags)
    with descriptors() as own:
        script = ["/bin/sh", "-c", _SCRIPT.format(build=command)]
        started = Start(script, _BUILD_LIMITS, toolchain, own.data(b""), files, address_space=False)
        ended = _finished(isolated, started)
    if ended.excess is None and ended.code == 0:
        return Built(toolchain, _artifacts(ended.stdout), program.main)
    found = outcome(ended, isolated)
    if found.status in ("exit", "signal"):
        return Outcome("compile", ended.code, "", found.stderr, found.seconds, isolated.name)
    return Outcome(found.status, None, "", found.stderr, found.seconds, isolated.name)


def run_built(isolated: Isolated, limits: Limits, built: Built, stdin: str) -> Outcome:
    """Run a program on an input."""
    with descriptors() as own:
        ended = _finished(
            isolated,
            Start(
                filled(built.toolchain.run, built.main),
                limits,
                built.toolchain,
                own.data(stdin.encode("utf-8", "surrogatepass")),
                built.files,
                address_space=built.toolchain.address_space,
            ),
        )
    return outcome(ended, isolated)


def _finished(isolated: Isolated, start: Start) -> Ended:
    process = isolated.start(start)
    try:
        watch([process], start.limits.wall)
    finally:
        process.end()
    return process.end()


def outcome(ended: Ended, isolated: Isolated) -> Outcome:
    """What a program did, from how its process ended."""
    stdout, stderr = (part.decode("utf-8", "replace") for part in (ended.stdout, ended.stderr))

    def of(status: Status, code: int | None = None) -> Outcome:
        return Outcome(status, code, stdout, stderr, ended.seconds, isolated.name)

    if ended.excess is not None:
        return of(ended.excess)
    if ended.code is None:
        return of("unavailable")
    if ended.code == 128 + signal.SIGXCPU:
        return of("timeout")
    if ended.code and _OUT_OF_MEMORY.search(stderr):
        return of("memory")
    if 128 < ended.code <= 128 + signal.NSIG:
        return of("signal", ended.code)
    return of("exit", ended.code)


def _artifacts(data: bytes) -> dict[str, bytes]:
    """The files that a build wrote.

    Raises:
        RmevalError: If the output has another form.
    """
    found: dict[str, bytes] = {}
    place = 0
    while place < len(data):
        head = _ARTIFACT.match(data, place)
        if head is None:
            raise RmevalError("the output of a compiler cannot be read: check what it prints to standard output")
        place = head.end() + int(head[1])
        found[head[2].decode("ascii")] = data[head.end() : place]
    return found
