"""Tests that count how many assertions hold, instead of ending at the first that does not."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from rmeval.solutions.code_blocks import parsed_python

if TYPE_CHECKING:
    from rmeval.sandbox import TestSuite, Verdict

__all__ = ["counted", "share_held"]

_COUNTS = re.compile(r"(\d+) of (\d+) assertions hold")
_BEFORE = "_held, _tried = [], []"
_AFTER = "assert len(_held) == len(_tried), f'{len(_held)} of {len(_tried)} assertions hold'"


def counted(tests: TestSuite) -> TestSuite | None:
    """Tests with the same assertions whose verdict states how many hold; None if they have fewer than two."""
    if tests.kind not in ("asserts", "check") or (tree := parsed_python(tests.code)) is None:
        return None
    if sum(isinstance(node, ast.Assert) for node in ast.walk(tree)) < 2:
        return None
    changed = _Counting().visit(tree)
    body = changed.body
    if tests.kind == "check":
        own = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == "check"]
        if not own:
            return None
        body = own[-1].body
    body.extend(ast.parse(_AFTER).body)
    changed.body[:0] = ast.parse(_BEFORE).body
    return replace(tests, code=ast.unparse(ast.fix_missing_locations(changed)))


class _Counting(ast.NodeTransformer):
    """Puts each assertion into a `try`."""

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """Count an assertion, and go on if it does not hold."""
        found = ast.parse("_tried.append(1)\ntry:\n    pass\n    _held.append(1)\nexcept Exception:\n    pass").body
        attempt = found[1]
        assert isinstance(attempt, ast.Try)
        attempt.body[0] = node
        return ast.If(ast.Constant(True), found, [])


def share_held(verdict: Verdict) -> float:
    """The share of assertions that hold, as a verdict of `counted` states it; 0 if it does not."""
    found = _COUNTS.search(verdict.detail)
    return int(found[1]) / int(found[2]) if found is not None else 0.0
