"""Sizes of what one has to read at once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import rmeval

SOURCE = Path(rmeval.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60


def long_functions(source: str) -> list[str]:
    return [
        f"{node.name}: {lines} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    ]


@pytest.mark.parametrize("number", [MOST_LINES_OF_A_FUNCTION, MOST_LINES_OF_A_FUNCTION + 1])
def test_a_long_function_is_found(number: int) -> None:
    source = "class A:\n    def f():\n" + "        pass\n" * (number - 1)
    assert len(long_functions(source)) == (number > MOST_LINES_OF_A_FUNCTION)


def test_no_file_is_long() -> None:
    lines = {str(path.relative_to(SOURCE)): len(path.read_text().splitlines()) for path in FILES}
    assert len(lines) > 100
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_no_function_is_long() -> None:
    found = {str(path.relative_to(SOURCE)): long_functions(path.read_text()) for path in FILES}
    assert {path: names for path, names in found.items() if names} == {}
