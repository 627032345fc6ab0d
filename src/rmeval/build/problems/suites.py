"""Tests in files of problems, as the fields of a `TestSuite`."""

from __future__ import annotations

import ast
import builtins
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from rmeval.data.rows import Row
from rmeval.errors import DataError, RmevalError, reason_of
from rmeval.messages import chosen_from, shortened

__all__ = ["check_tests", "docstring_of", "first_called", "pack_tests", "python_error", "statements"]


def statements(setup: str, asserts: Sequence[str]) -> str:
    """One Python program of a setup and assertions."""
    parts = [setup.strip(), *(one.strip() for one in asserts)]
    return "\n".join(part.replace("\r\n", "\n") for part in parts if part) + "\n"


def first_called(asserts: Sequence[str], solution: str) -> str:
    """The function under test: the first one that assertions call and the solution defines, or else that is no builtin.

    Args:
        asserts: The assertions.
        solution: A solution; may be empty.
    """
    called = [name for one in asserts for name in _called(one)]
    defined = {node.name for node in _nodes(solution) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    own = [name for name in called if name in defined] or [name for name in called if not hasattr(builtins, name)]
    return own[0] if own else ""


def docstring_of(code: str, name: str) -> str:
    """The docstring of a function whose body is missing; empty without one."""
    functions = [node for node in _nodes(f"{code}\n    pass\n") if isinstance(node, ast.FunctionDef)]
    return next((ast.get_docstring(one) or "" for one in functions if one.name == name), "")


def _called(code: str) -> Iterator[str]:
    for node in _nodes(code):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def _nodes(code: str) -> list[ast.AST]:
    try:
        return list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError):
        return []


_LANGUAGES = {"Python": "python", "CPP": "cpp", "Java": "java", "JavaScript": "javascript"}
"""Languages by the beginning of a task's id in HumanEvalPack; its tests in Go and Rust need packages."""
_ASSERT = """
console.assert = (holds, ...about) => {
    if (!holds) throw new Error(about.join(' ') || 'an assertion does not hold');
};
"""
"""Node only prints a failed `console.assert`."""


def pack_tests(row: Row, prefix: str) -> Mapping[str, Any] | None:
    """The tests of a row of HumanEvalPack; None if they cannot be run.

    Args:
        row: The row.
        prefix: The language, as the task's id begins.
    """
    code, language = row.text("test"), _LANGUAGES.get(prefix)
    entry = row.optional_text("entry_point") or ""
    if language is None:
        return None
    if language == "python":  # Its tests define `check` and call it.
        return {
            "kind": "asserts",
            "language": language,
            "entry_point": entry,
            "code": code,
            "context": row.text("prompt"),
        }
    code = f"{_ASSERT}{code}" if language == "javascript" else code
    return {"kind": "program", "language": language, "entry_point": entry, "code": code}


def python_error(tests: Mapping[str, Any]) -> str:
    """Why tests in Python do not compile, which no solution could pass; empty if they do, or are in another form."""
    if tests.get("kind") not in ("asserts", "check"):
        return ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Such as that of an unknown escape.
            compile(tests["code"], "tests", "exec", dont_inherit=True)
            compile(tests.get("context", ""), "context", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return reason_of(error)
    return ""


def check_tests(row: Row) -> Mapping[str, Any]:
    """The tests of a row: assertions in Python, or the fields of a `TestSuite`, also written as JSON.

    Raises:
        DataError: If they are something else.
    """
    value = row.fields.get("tests")
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise DataError(f"{row.where}: column 'tests' is broken JSON ({error}): correct it") from error
    if not value:
        return {}
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = {"kind": "asserts", "entry_point": first_called(value, ""), "code": statements("", value)}
    if not isinstance(value, dict):
        raise row.wrong("tests", "a string, a list of assertions, or an object with the fields of tests", value)
    return _suite(row, value)


def _suite(row: Row, value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of checked tests."""
    from pydantic import TypeAdapter, ValidationError

    from rmeval.sandbox import LANGUAGES, TestSuite

    where = f"{row.where}: column 'tests'"
    names = [one.name for one in fields(TestSuite)]
    if unknown := [name for name in value if name not in names]:
        raise DataError(f"{where} has no field {unknown[0]!r}: {chosen_from(unknown[0], names)}")
    try:
        found = asdict(TypeAdapter(TestSuite).validate_python(value))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{where} is wrong at {place} ({shortened(first['msg'], 80)}): correct it") from error
    except RmevalError as error:
        raise DataError(f"{where} is wrong ({error})") from error
    language = found["language"]
    if language not in LANGUAGES:
        raise DataError(f"{where}: there is no language {language!r}: {chosen_from(language, LANGUAGES)}")
    return {**found, "cases": [list(case) for case in found["cases"]]}  # As records are read again.
