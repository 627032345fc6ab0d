"""Sizes of what one has to read at once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import rmeval
from rmeval.benchmarks import BUILTIN, find_benchmark

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


def names_of_benchmarks() -> set[str]:
    """The ids of the package's benchmarks and the names of their subsets that are no ordinary words."""
    names = set(BUILTIN) - {"pairs"}
    for found in map(find_benchmark, sorted(names)):
        card = found.made.card
        names |= {name for name in (*card.counts, *card.sections, card.title) if "-" in name}
    return names


def test_reports_name_no_benchmark() -> None:
    names = names_of_benchmarks()
    assert {"rm-bench", "safety-refuse", "RM-Bench"} <= names
    for path in (SOURCE / "report").rglob("*.py"):
        texts = [one.value for one in ast.walk(ast.parse(path.read_text())) if isinstance(one, ast.Constant)]
        found = {name for name in names for text in texts if isinstance(text, str) and name in text}
        assert not found, path
