"""Tests that count their assertions: from which tests they are made, and what their verdicts state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rmeval.build.recipes.counted_tests import counted, share_held
from rmeval.sandbox import Sandbox, TestSuite, Verdict

ASSERTS = TestSuite("asserts", entry_point="f", code="assert f(1) == 1\nfor n in (2, 3, 4):\n    assert f(n) == n * n")
CHECK = TestSuite("check", entry_point="f", code="def check(f):\n    assert f(1) == 1\n    assert f(2) == 4\n")
"""The form of HumanEval."""


@pytest.mark.parametrize(
    ("tests", "solution", "status", "held"),
    [
        (ASSERTS, "def f(x): return x * x", "pass", 0.0),
        (ASSERTS, "def f(x): return x + x", "fail", 0.25),
        (ASSERTS, "def f(x): return x * x if x < 4 else 1 / 0", "fail", 0.75),
        (CHECK, "def f(x): return x * x", "pass", 0.0),
        (CHECK, "def f(x): return 1", "fail", 0.5),
        (CHECK, "def f(x): return -1", "fail", 0.0),
    ],
)
def test_a_verdict_states_how_many_assertions_hold(tests: TestSuite, solution: str, status: str, held: float) -> None:
    changed = counted(tests)
    assert changed is not None
    assert replace(changed, code=tests.code) == tests
    verdict = Sandbox().verify(solution, changed)
    assert (verdict.status, share_held(verdict)) == (status, held), verdict


@pytest.mark.parametrize(
    "tests",
    [
        replace(ASSERTS, code="assert f(1) == 1"),
        replace(ASSERTS, code="assert f(1) =="),
        replace(CHECK, code="assert f(1) == 1\nassert f(2) == 4"),
        TestSuite("io", cases=(("1", "1"), ("2", "4"))),
    ],
    ids=["one assertion", "no Python", "no function check", "inputs and outputs"],
)
def test_tests_whose_assertions_cannot_be_counted(tests: TestSuite) -> None:
    assert counted(tests) is None


def test_other_verdicts_state_no_share() -> None:
    assert share_held(Verdict("timeout", "the tests exceeded the limit on time", 5.0)) == 0.0
