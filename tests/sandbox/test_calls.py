"""Verdicts on solutions in Python, right, wrong and deceitful."""

from __future__ import annotations

import pytest

from rmeval.sandbox import Sandbox, TestSuite

DOUBLE = TestSuite("asserts", entry_point="double", code="assert double(1) == 2\nassert double(-3) == -6, 'negative'")
RIGHT = "def double(x):\n    return 2 * x\n"


def verdict(sandbox: Sandbox, solution: str, tests: TestSuite = DOUBLE) -> tuple[str, str]:
    found = sandbox.verify(solution, tests)
    return found.status, found.detail


def test_a_right_solution_passes(sandbox: Sandbox) -> None:
    assert verdict(sandbox, RIGHT) == ("pass", "")


@pytest.mark.parametrize(
    ("solution", "detail"),
    [
        ("def double(x): return x", "assert double(1) == 2"),
        ("def double(x): return abs(2 * x)", "AssertionError: negative (at: assert double(-3) == -6, 'negative')"),
        ("def double(x): return x / 0", "ZeroDivisionError: division by zero (at: assert double(1) == 2)"),
        ("def triple(x): return 3 * x", "NameError: the solution does not define double"),
        ("def double(x): return", "assert double(1) == 2"),
        ("def double(x:", "SyntaxError: '(' was never closed (solution, line 1)"),
        ("raise ValueError('at once')", "ValueError: at once"),
    ],
)
def test_a_wrong_solution_fails_with_the_line(sandbox: Sandbox, solution: str, detail: str) -> None:
    assert verdict(sandbox, solution) == ("fail", detail)
