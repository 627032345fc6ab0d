"""Decides with tests in the sandbox whether responses contain right code."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from rmeval.build.recipes.counted_tests import counted, share_held
from rmeval.build.recipes.samples import SIDES, Finding
from rmeval.build.records import Problem
from rmeval.build.tools import Tools
from rmeval.solutions.code_blocks import Code, is_empty, is_nondeterministic, parsed_python, read_code

if TYPE_CHECKING:
    from rmeval.sandbox import TestSuite, Verdict

__all__ = ["CodeCheck", "Solution"]

_LIMITS = {"timeout": "time", "memory": "memory", "output": "output"}


@dataclass(frozen=True)
class Solution:
    """A response to a problem, as its tests see it.

    Attributes:
        problem: The problem, which has tests.
        response: The response, without reasoning.
    """

    problem: Problem
    response: str

    @cached_property
    def tests(self) -> TestSuite:
        """The tests."""
        from rmeval.sandbox import TestSuite

        fields = dict(self.problem.tests)
        return TestSuite(**fields | {"cases": tuple((given, expected) for given, expected in fields.get("cases", ()))})

    @cached_property
    def code(self) -> Code:
        """The code in the response."""
        return read_code(self.response, self.tests.language, self.tests.entry_point)

    @cached_property
    def given(self) -> list[ast.stmt]:
        """The statements that the problem gives before the function to write, such as imports and other functions."""
        tree = parsed_python(self.tests.context) if self.tests.language == "python" else None
        return [one for one in tree.body if _name(one) != self.tests.entry_point] if tree is not None else []

    def program(self, code: str) -> str:
        """Code as it runs: after what the problem gives."""
        own = parsed_python(code)
        if not self.given or own is None or any(_is_future(node) for node in own.body):
            return code
        return f"{ast.unparse(ast.Module(self.given, []))}\n\n{code}"

    def changed(self, tree: ast.Module) -> str | None:
        """The first function or class of the problem that a solution defines in another way."""
        given = {name: _plain(node) for node in self.given if (name := _name(node)) is not None}
        own = ((_name(node), node) for node in tree.body)
        return next((name for name, node in own if name in given and _plain(node) != given[name]), None)


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _name(node: ast.stmt) -> str | None:
    return node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else None


def _plain(node: ast.stmt) -> str:
    """A definition without its docstring."""
    body = node.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else []
    is_text = bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    return "\n".join(map(ast.unparse, body[1:] if is_text else body))


@dataclass(frozen=True)
class CodeCheck:
    """What decides on solutions.

    Attributes:
        tools: What runs code.
        timeouts: Whether code that exceeds a limit is wrong, or neither right nor wrong.
        syntax_errors: Whether code that does not compile is wrong, or neither.
        repeats: Further runs of a solution that must have the same verdict.
    """

    tools: Tools
    timeouts: Literal["skip", "wrong"]
    syntax_errors: Literal["skip", "wrong"]
    repeats: int

    def first(self, solutions: Sequence[Solution], what: str) -> list[Finding]:
        """Run the tests of each solution once.

        Code that fails alone, but not together with the response's other blocks, is neither right nor wrong.

        Raises:
            RmevalError: If code cannot be run at all.
        """
        early = [self._unrun(one) for one in solutions]
        run = [one for one, known in zip(solutions, early, strict=True) if known is None]
        alone = [self._finding(one) for one in self._verdicts([(one, one.code.text) for one in run], what)]
        several = [one.state == "wrong" and bool(own.code.joined) for one, own in zip(alone, run, strict=True)]
        jobs = [(one, one.code.joined) for one, again in zip(run, several, strict=True) if again]
        together = iter(self._verdicts(jobs, what))
        late = iter(
            _agreed(one, self._finding(next(together))) if again else one
            for one, again in zip(alone, several, strict=True)
        )
        return [next(late) if known is None else known for known in early]

    def again(self, solutions: Sequence[Solution], first: Sequence[Finding], what: str) -> list[Finding]:
        """Repeat the tests of solutions that are right or wrong; other verdicts than the first make them flaky.

        Raises:
            RmevalError: If code cannot be run at all.
        """
        found = list(first)
        decided = [number for number, one in enumerate(first) if one.state in SIDES.values()]
        for repeat in range(1, self.repeats + 1):
            jobs = [(solutions[number], solutions[number].code.text) for number in decided]
            for number, verdict in zip(decided, self._verdicts(jobs, what, repeat), strict=True):
                own = self._finding(verdict)
                if own.state != first[number].state:
                    found[number] = Finding("flaky", f"first {first[number].state}, then {own.state}")
        return found

    def shares(self, solutions: Sequence[Solution], what: str) -> list[float]:
        """The share of assertions that hold for each solution; 0 where it is not known.

        Raises:
            RmevalError: If code cannot be run at all.
        """
        suites = [(number, suite) for number, one in enumerate(solutions) if (suite := counted(one.tests)) is not None]
        jobs = [(solutions[number].program(solutions[number].code.text), suite) for number, suite in suites]
        found = [0.0] * len(solutions)
        for (number, _), verdict in zip(suites, self.tools.verify(jobs, what), strict=True):
            found[number] = share_held(verdict)
        return found

    def _verdicts(self, jobs: Sequence[tuple[Solution, str]], what: str, repeat: int = 0) -> list[Verdict]:
        return self.tools.verify([(one.program(code), one.tests) for one, code in jobs], what, repeat)

    def _unrun(self, solution: Solution) -> Finding | None:
        """What is found without running the code; None if it has to run."""
        if solution.code.problem:
            return Finding(solution.code.problem)
        if solution.tests.language != "python":
            return None
        tree = parsed_python(solution.code.text)
        if tree is None:
            return Finding("syntax error", "it is not Python") if self.syntax_errors == "skip" else None
        if is_empty(tree, solution.tests.entry_point):
            return Finding("empty function")
        if is_nondeterministic(tree):
            return Finding("flaky", "it depends on chance or the clock")
        # The tests use what the problem gives, so that they do not notice.
        changed = solution.changed(tree)
        return None if changed is None else Finding("unclear", f"it changes {changed}, which the problem gives")

    def _finding(self, verdict: Verdict) -> Finding:
        status, detail = verdict.status, verdict.detail
        if status == "pass":
            return Finding("right", "passes its tests")
        if status == "fail":
            return Finding("wrong", detail)
        if status == "compile":
            return Finding("wrong" if self.syntax_errors == "wrong" else "syntax error", detail)
        if status in _LIMITS:
            return Finding("wrong" if self.timeouts == "wrong" else f"over the limit of {_LIMITS[status]}", detail)
        return Finding("not verified", detail)


def _agreed(alone: Finding, together: Finding) -> Finding:
    return alone if together.state == "wrong" else Finding("unclear", "it fails, but not with the other blocks")
