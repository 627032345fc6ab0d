"""rmeval's numbers are those of the reference implementations, on scores that come with the project.

`scripts/make_score_fixtures.py` writes the files; they hold no texts.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rmeval
from tests.command import command

SCORES = Path(__file__).resolve().parent / "data" / "scores"
CASES: list[dict[str, Any]] = json.loads((SCORES / "expected.json").read_text())


def arguments(case: dict[str, Any]) -> list[str]:
    return [str(SCORES / word) if (SCORES / word).is_file() else word for word in case["command"]]


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["command"][0] != "show"], ids=lambda case: case["name"]
)
def test_numbers_of_scores(case: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, *arguments(case), "-o", tmp_path)
    assert done.code == 0, done.err
    (run,) = tmp_path.rglob("run.json")
    result = rmeval.open_run(run.parent)
    for wanted in case["numbers"]:
        found = result.value(wanted["metric"], wanted["scope"], wanted["variant"])
        assert found == pytest.approx(wanted["value"], abs=case["tolerance"], rel=0), wanted


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["command"][0] == "show"], ids=lambda case: case["name"]
)
def test_numbers_of_published_subsets(case: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, *arguments(case))
    assert done.code == 0, done.err
    found = {(row["metric"], row["scope"]): row["value"] for row in json.loads(done.out)}
    for wanted in case["numbers"]:
        value = found[wanted["metric"], wanted["scope"]]
        assert value == pytest.approx(wanted["value"], abs=case["tolerance"], rel=0), wanted


def test_every_file_has_a_case() -> None:
    used = {word for case in CASES for word in case["command"]}
    assert {path.name for path in SCORES.iterdir()} - used == {"expected.json"}


def test_the_files_hold_no_texts() -> None:
    """A name, an id or a stand-in has few words; a stand-in for a length is one character many times."""
    for file in SCORES.iterdir():
        if file.name != "expected.json":
            content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            for text in strings(json.loads(content)):
                assert len(set(text)) == 1 or (len(text) <= 100 and text.count(" ") <= 5), (file.name, text)


def strings(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        yield from content
        for value in content.values():
            yield from strings(value)
    elif isinstance(content, list):
        for value in content:
            yield from strings(value)
