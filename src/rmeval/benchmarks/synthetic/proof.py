"""Checks of generated twins."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence

from rmeval.benchmarks.synthetic.twins import Texts, Twins
from rmeval.data.style import count_text
from rmeval.errors import DataError

__all__ = ["check_code", "check_form"]

SECONDS = 60
MEMORY = 1 << 30

_RUNNER = """
import json, sys
def limit(name, wanted):
    try:
        import resource
        hard = resource.getrlimit(getattr(resource, name))[1]
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(getattr(resource, name), (most, hard))
    except (ImportError, ValueError, OSError):
        pass  # Not every system has every limit; the time limit of the caller always applies.
limit("RLIMIT_CPU", {seconds})
limit("RLIMIT_AS", {memory})
limit("RLIMIT_FSIZE", 0)
def passes(source, name, tests):
    space = {{}}
    try:
        exec(source, space)
        return all(space[name](json.loads(json.dumps(given))) == wanted for given, wanted in tests)
    except Exception:
        return False
print(json.dumps([passes(*job) for job in json.load(sys.stdin)]))
"""

_EQUATION = re.compile(r"((?:\d+ [-+*/] )+\d+) = (\d+)")


def check_form(twins: Twins, worded: tuple[Texts, Texts]) -> None:
    """Check lengths and markdown of the styles, that twins differ, and that equations are true.

    Raises:
        DataError: If a style is not longer than the one before it, or has markdown although it must not; if twins are
            equal; or if an equation is false, since slips are never arithmetic errors.
    """
    if twins.prompts[0] == twins.prompts[1] or any(a == b for a, b in zip(*worded, strict=True)):
        raise DataError(f"a pair of {twins.kind} twins has equal prompts or responses: report {twins.prompts[0]!r}")
    for text in (worded[0][0], worded[1][0]):
        for left, right in _EQUATION.findall(text):
            # The pattern only matches numbers and operators.
            if twins.facts == ({}, {}) and eval(left) != int(right):
                raise DataError(f"a generated equation is false: report {left} = {right}")
    counts = [[count_text(text) for text in texts] for texts in worded]
    for one in counts:
        for other in counts:
            longer = one[0].characters < other[1].characters and one[1].characters < other[2].characters
            plain = one[0].markdown == other[1].markdown == 0 and one[2].markdown == other[2].markdown > 0
            if not (longer and plain):
                raise DataError(
                    f"the wordings of a {twins.kind} item violate the order of its styles (concise shorter than "
                    f"detailed, markdown only in the last): correct languages/*.toml near {worded[0][0]!r}"
                )


def check_code(twins: Sequence[Twins]) -> None:
    """Run both functions of each pair of twins against the tests of both, in a process with limits.

    Raises:
        DataError: If a function fails its own tests or passes its twin's.
    """
    jobs = [
        [content.code, fact["function"], fact["tests"]]
        for pair in twins
        for content in pair.contents
        for fact in pair.facts
    ]
    runner = _RUNNER.format(seconds=SECONDS, memory=MEMORY)
    command = [sys.executable, "-I", "-S", "-c", runner]
    try:
        done = subprocess.run(
            command, input=json.dumps(jobs), capture_output=True, text=True, timeout=10 * SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"the tests of generated code did not end within {10 * SECONDS} seconds: try again when the machine is idle"
        ) from error
    if done.returncode:
        why = " ".join(done.stderr.split())[-200:] or f"exit code {done.returncode}"
        raise DataError(
            f"the tests of generated code could not be run ({why}): check that {sys.executable} runs and may use "
            f"{MEMORY >> 30} GiB and {SECONDS} seconds"
        )
    passed = json.loads(done.stdout)
    for place, pair in enumerate(twins):
        if passed[4 * place : 4 * place + 4] != [True, False, False, True]:
            raise DataError(
                f"generated code of kind {pair.kind} passes the tests of its twin or fails its own: report "
                f"{pair.prompts[0]!r}"
            )
