"""Final answers: how they are read, and which are equal to a key."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rmeval.solutions.algebra import Algebra
from rmeval.solutions.final_answers import compared, final_answers, last_answer, needs_algebra, normalised
from rmeval.solutions.keys import boxed
from tests.build.known import rows


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("so \\boxed{4}", ["4"]),
        ("so \\boxed{\\frac{1}{2}} and no more", ["\\frac{1}{2}"]),
        ("$\\boxed{ 4 }$, that is \\boxed{4.}", [" 4 ".strip()]),
        ("\\boxed{3} or \\boxed{4}", ["3", "4"]),
        ("\\boxed 7", ["7"]),
        ("\\fbox{7}", ["7"]),
        ("\\boxed{} it is", []),
        ("\\boxed{7", []),
        ("It is 7.", []),
        ("2 + 5 = 7\n#### 7", ["7"]),
        ("2 + 5 = 8\n#### 8\nNo: \\boxed{7}", ["7"]),
        ("\\boxed{\\left\\{ 1, 2 \\right\\}}", ["\\left\\{ 1, 2 \\right\\}"]),
    ],
)
def test_final_answers_are_read(text: str, found: list[str]) -> None:
    assert final_answers(text) == found


@pytest.mark.parametrize(
    ("key", "answer", "result"),
    [
        ("18", "18", "equal"),
        ("18", "18.0", "equal"),
        ("18", "x = 18", "equal"),
        ("18", "$18$", "equal"),
        ("18", "\\$18", "equal"),
        ("18", "18 \\text{ dollars}", "equal"),
        ("18 \\text{ dollars}", "18", "equal"),
        ("18", "\\dfrac{36}{2}", "equal"),
        ("1200", "1,200", "equal"),
        ("1200", "1{,}200", "equal"),
        ("1200", "1,\\!200", "equal"),
        ("\\frac{1}{2}", "0.5", "equal"),
        ("\\frac{1}{2}", "1/2", "equal"),
        ("\\frac12", "\\tfrac{1}{2}", "equal"),
        ("-\\frac{1}{2}", "-.5", "equal"),
        ("10\\%", "10", "equal"),
        ("60^\\circ", "60", "equal"),
        ("18", "19", "different"),
        ("18", "-18", "different"),
        ("18 \\text{ cm}", "19 \\text{ cm}", "different"),
        ("\\frac{1}{2}", "\\frac{2}{1}", "different"),
        ("1000", "1001", "different"),
        ("10\\%", "0.1", "unclear"),
        ("60 \\text{ minutes}", "1 \\text{ hour}", "unclear"),
        ("0.60", "60", "unclear"),
        ("\\frac{1}{3}", "0.33", "unclear"),
        ("60^\\circ", "60 \\text{ cm}", "unclear"),
        ("100,200", "200,100", "unclear"),
        ("\\text{Monday}", "Monday", "equal"),
        ("\\text{(B)}", "B", "equal"),
        ("\\text{Monday}", "\\text{Friday}", "different"),
        ("\\text{(B)}", "C", "different"),
        ("\\text{even}", "\\text{not even}", "unclear"),
        ("\\text{Friday}", "\\text{Fri}", "unclear"),
        ("\\text{ACF}", "A, C, F", "unclear"),
        ("\\text{(B)}", "\\text{circle}", "unclear"),
        ("\\text{even}", "2", "unclear"),
        ("2x", "2", None),
        ("2\\mathrm{i}", "2", None),
        ("2 \\text{ or } 3", "2", None),
        ("\\sqrt{2}", "2", None),
    ],
)
def test_answers_are_compared(key: str, answer: str, result: str | None) -> None:
    assert compared(normalised(key), normalised(answer)) == result


ALGEBRA = [
    ("3\\frac{1}{2}", "\\frac{7}{2}", "equal"),
    ("1,-2", "-2,1", "equal"),
    ("\\sqrt{8}", "2\\sqrt{2}", "equal"),
    ("x^2-1", "(x-1)(x+1)", "equal"),
    ("y=2x+3", "2x+3", "equal"),
    ("x \\in [1,2]", "[1,2]", "equal"),
    ("2x", "3x", "different"),
    ("\\sqrt{8}", "3\\sqrt{2}", "different"),
    ("x^2-1", "(x-1)(x+2)", "different"),
    ("(1,2)", "[1,2]", "different"),
    ("2+3i", "2-3i", "different"),
    ("2x", "2", "unclear"),
    ("2x", "2y", "unclear"),
    ("1,-2", "1", "unclear"),
    ("\\sqrt{2}", "1.41", "unclear"),
    ("\\pi", "3.14", "unclear"),
    ("\\frac{\\sqrt{3}}{2}", "\\sin 60^\\circ", "unclear"),
    ("2x", "\\text{nothing} at {all", "unclear"),
]


def test_a_comparison_ends_although_the_build_was_killed() -> None:
    command = [sys.executable, "-m", "rmeval.solutions.algebra_process", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b'["1", "9^{9^{9^{9}}}"]\n')
        process.stdin.flush()
        assert process.wait(60) == -signal.SIGPROF


def test_algebra_decides_the_rest() -> None:
    with Algebra() as algebra:
        found = {one.key: one.value for one in algebra.run((str(n), pair[:2]) for n, pair in enumerate(ALGEBRA))}
    assert [(*pair[:2], found[str(n)]) for n, pair in enumerate(ALGEBRA)] == ALGEBRA


def test_a_comparison_that_does_not_end_is_ended() -> None:
    with Algebra(seconds=3) as algebra:
        jobs = [("endless", ("9^{9^{9^9}}", "3")), ("next", ("\\sqrt{8}", "2\\sqrt{2}"))]
        assert {one.key: one.value for one in algebra.run(jobs)} == {"endless": "unclear", "next": "equal"}


@pytest.mark.slow
def test_each_key_of_math_is_equal_to_itself(shared: Path) -> None:
    keys = [boxed(row["solution"]) for row in rows(shared / "data" / "problems" / "MATH_test_5000.jsonl.gz")]
    assert len(keys) == 5000
    plain = [normalised(key or "") for key in keys]
    assert all(compared(key, key) == "equal" for key in plain)
    late = {key for key in plain if needs_algebra(key)}
    assert 500 < len(late) < 1000
    with Algebra() as algebra:
        jobs = [(f"{number} {key}", (key, f"{key} ")[:number]) for key in late for number in (1, 2)]
        found = {one.key: one.value for one in algebra.run(jobs)}
    assert {key: value for key, value in found.items() if value not in ("readable", "equal")} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\\boxed{3}. On second thought, \\boxed{4}", "4"),
        ("\\boxed{4}, no \\boxed{3}, no \\boxed{4}", "4"),
        ("2 + 5 = 7\n#### 7", "7"),
        ("The answer is 3. No, it is \\boxed{7}.", "7"),
        ("2 + 5 is 7. The answer is 7.", "7"),
        ("The final answer is: $\\frac{1}{2}$. I hope it is correct.", "$\\frac{1}{2}$"),
        ("**Answer:** 3.5", "3.5"),
        ("Answer: (B)", "(B)"),
        ("The answer is 3.\nWait. The answer is 5.", "5"),
        ("The answer is not known to me.", None),
        ("It is 7.", None),
        ("", None),
    ],
)
def test_the_answer_that_is_stated_last(text: str, found: str | None) -> None:
    assert last_answer(text) == found
