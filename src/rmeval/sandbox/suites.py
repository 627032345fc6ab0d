"""Tests of a solution, and their verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from rmeval.errors import RmevalError

__all__ = ["TestSuite", "Verdict", "VerdictStatus"]

VerdictStatus = Literal["pass", "fail", "timeout", "memory", "output", "error", "compile", "unavailable"]


@dataclass(frozen=True, slots=True)
class TestSuite:
    """Tests that decide whether a solution is right.

    Attributes:
        kind: `asserts` runs statements, as MBPP has them; `check` calls the function `check(candidate)`, as HumanEval
            does; `io` compares the output for each input; `program` compiles solution and tests into one program.
        language: Language of the solution; `asserts` and `check` test Python only.
        entry_point: Name of the function under test.
        code: The statements, the definition of `check`, or the test program.
        context: Trusted code that the tests may use, such as HumanEval's prompt with its helper functions.
        cases: Pairs of standard input and expected standard output, for `io`.
    """

    __test__: ClassVar[bool] = False  # Its name begins as that of a class that pytest collects.

    kind: Literal["asserts", "check", "io", "program"]
    language: str = "python"
    entry_point: str = ""
    code: str = ""
    context: str = ""
    cases: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ("asserts", "check", "io", "program"):
            raise RmevalError(f"there is no kind of tests {self.kind!r}: choose asserts, check, io or program")
        if self.kind in ("asserts", "check") and self.language != "python":
            raise RmevalError(f"tests of the kind {self.kind} are for python, not {self.language}: use program or io")
        if self.kind == "check" and not self.entry_point:
            raise RmevalError("tests of the kind check need the name of the function under test: give `entry_point`")
        if self.kind == "io" and not self.cases:
            raise RmevalError("tests of the kind io need inputs and expected outputs: give `cases`")
        if self.kind != "io" and not self.code.strip():
            raise RmevalError(f"tests of the kind {self.kind} need `code`, which is empty")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What tests found.

    Attributes:
        status: `pass`; `fail` if a test did not hold; `timeout`, `memory` or `output` if the solution exceeded this
            limit; `compile` if it did not compile; `error` if the tests themselves failed and `unavailable` if they
            could not be run here, which says nothing about the solution.
        detail: One line: which assertion, or which exception.
        seconds: Seconds that the verification took.
    """

    status: VerdictStatus
    detail: str
    seconds: float
