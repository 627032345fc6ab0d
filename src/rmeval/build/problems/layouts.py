"""Layouts of files of problems: the published ones, and rows of a prompt with what decides about its responses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from rmeval.build.problems.suites import check_tests, docstring_of, first_called, pack_tests, statements
from rmeval.build.prompt_files import PromptFiles
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.solutions.keys import boxed, final_line

__all__ = ["LAYOUTS", "Found", "Layout", "LeftOut", "answer_of", "find_layout"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a row contains.

    Attributes:
        text: The problem in the words of its source, which filters read.
        prompt: The user's turn, if it is not `text`.
        id: Its id, if the row has one.
        answer: The key.
        tests: The fields of a `TestSuite`.
        meta: Further fields.
    """

    text: str
    prompt: str | None = None
    id: str | None = None
    answer: str = ""
    tests: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why a row cannot be a problem, although nothing in it is wrong."""

    reason: str
    id: str | None = None
    detail: str = ""


Reader = Callable[[Row, PromptFiles], Found | LeftOut]


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout.

    Attributes:
        columns: Columns that each row has, by which `auto` recognises it.
        optional: Columns that are read where they exist.
        read: What reads a row.
    """

    columns: tuple[str, ...]
    optional: tuple[str, ...]
    read: Reader


def _rows(row: Row, prompts: PromptFiles) -> Found | LeftOut:
    name = row.optional_name("id")
    prompt = _only_turn(row)
    if isinstance(prompt, LeftOut):
        return prompt
    return Found(prompt, None, name, answer_of(row), check_tests(row))


def _preferences(row: Row, prompts: PromptFiles) -> Found | LeftOut:
    prompt = _only_turn(row)
    return prompt if isinstance(prompt, LeftOut) else Found(prompt, None, row.optional_name("id"))


def _only_turn(row: Row) -> str | LeftOut:
    """The prompt, which may be a list with one message."""
    if isinstance(row.get("prompt"), str):
        return row.text("prompt")
    turns = row.conversation("prompt")
    if [one.role for one in turns] == ["user"]:
        return turns[0].content
    roles = ", ".join(one.role for one in turns)
    return LeftOut("more than one turn", row.optional_name("id"), f"the turns are: {roles}")


def answer_of(row: Row) -> str:
    """The key in the column `answer`, as a text; empty without one.

    Raises:
        DataError: If it is neither a text nor a number.
    """
    value = row.fields.get("answer")
    if value is None or isinstance(value, str):
        return (value or "").strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise row.wrong("answer", "a string or a number", value)
    if not math.isfinite(value):
        raise DataError(f"{row.where}: column 'answer' is {value}, which is not a finite number: correct it")
    return str(value)


def _humaneval(row: Row, prompts: PromptFiles) -> Found:
    code = row.text("prompt")
    tests = {
        "kind": "check",
        "language": "python",
        "entry_point": row.name("entry_point"),
        "code": row.text("test"),
        "context": code,
    }
    text = docstring_of(code, tests["entry_point"]) or code
    return Found(text, _completing(code, "Python", prompts), row.name("task_id"), tests=tests)


def _completing(code: str, language: str, prompts: PromptFiles) -> str:
    values = {"code": code.rstrip(), "programming_language": language}
    return prompts.get("problems/humaneval").messages(values)[-1].content


def _humanevalpack(row: Row, prompts: PromptFiles) -> Found | LeftOut:
    name, code = row.name("task_id"), row.text("prompt")
    tests = pack_tests(row, name.partition("/")[0])
    if tests is None:
        language = name.partition("/")[0]
        return LeftOut("no tests that can be run", name, f"the tests of {language} need packages of that language")
    instruction = row.optional_text("instruction")
    prompt = instruction or _completing(code, _SPELT[tests["language"]], prompts)
    cluster = {"cluster": f"HumanEval/{name.partition('/')[2]}"}  # The same task occurs in several languages.
    return Found(row.optional_text("docstring") or code, prompt, name, tests=tests, meta=cluster)


_SPELT = {"python": "Python", "cpp": "C++", "java": "Java", "javascript": "JavaScript"}


def _mbpp(row: Row, prompts: PromptFiles) -> Found:
    text = row.text("text" if "text" in row.fields else "prompt").strip()
    asserts = row.texts("test_list")
    if not asserts:
        raise DataError(f"{row.where}: column 'test_list' is empty: give at least one assertion")
    setup = row.optional_text("test_setup_code") or "\n".join(
        row.texts("test_imports") if row.fields.get("test_imports") else ()
    )
    code = row.optional_text("code") or ""
    tests = {
        "kind": "asserts",
        "language": "python",
        "entry_point": first_called(asserts, code),
        "code": statements(setup, asserts),
    }
    values = {"text": text, "test": asserts[0].strip()}
    prompt = prompts.get("problems/mbpp").messages(values)[-1].content
    return Found(text, prompt, f"MBPP/{row.name('task_id')}", tests=tests)


def _gsm8k(row: Row, prompts: PromptFiles) -> Found:
    key = final_line(row.text("answer"))
    if key is None:
        raise DataError(f"{row.where}: column 'answer' has no last line '#### key': correct it")
    return Found(row.text("question").strip(), None, row.optional_name("id"), key)


def _math(row: Row, prompts: PromptFiles) -> Found | LeftOut:
    name = next((row.name(one) for one in ("unique_id", "id", "idx") if row.fields.get(one) is not None), None)
    name = None if name is None else f"MATH/{name}"
    key = answer_of(row) or boxed(row.text("solution"))
    if key is None:
        return LeftOut("no key", name, "the solution has no \\boxed{} with a final answer")
    return Found(row.text("problem").strip(), None, name, key, meta=row.meta("type", "subject", "level"))


_ANY = ("language", "licence", "license")
LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "humanevalpack": Layout(
            ("task_id", "prompt", "test", "declaration"), ("instruction", "docstring", "import"), _humanevalpack
        ),
        "humaneval": Layout(("task_id", "prompt", "entry_point", "test"), (), _humaneval),
        "mbpp": Layout(("task_id", "test_list"), ("text", "prompt", "code", "test_setup_code", "test_imports"), _mbpp),
        "gsm8k": Layout(("question", "answer"), ("id",), _gsm8k),
        "math": Layout(
            ("problem", "solution"), ("answer", "id", "unique_id", "idx", "type", "subject", "level"), _math
        ),
        "preferences": Layout(("prompt", "chosen"), ("id",), _preferences),
        "rows": Layout(("prompt",), ("id", "answer", "tests"), _rows),
    }
)
"""The layouts by name; `auto` takes the first whose columns a row has."""


def find_layout(name: str, columns: Mapping[str, str], first: Row) -> tuple[str, Layout]:
    """Return the layout of a file, by its name or its first row.

    Args:
        name: The name, or `auto`.
        columns: The file's names of columns, by the layout's.
        first: The first row, with the layout's names.

    Raises:
        DataError: If none fits, or the layout has no such column.
    """
    if name == "auto":
        name = next((one for one, own in LAYOUTS.items() if all(each in first.fields for each in own.columns)), "")
        if not name:
            raise DataError(
                f"{first.where}: the columns ({first.listed() or 'none'}) are those of no known layout: name the "
                "column of the prompt with `columns: {prompt: ...}`, or give the `layout`"
            )
    found = LAYOUTS[name]
    known = (*found.columns, *found.optional, *_ANY)
    if unknown := [one for one in columns if one not in known]:
        raise DataError(
            f"the layout {name} has no column {quoted(unknown[0])}: `columns` can give the file's names of "
            f"{', '.join(known)}"
        )
    return name, found
