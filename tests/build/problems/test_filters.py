"""Filters of problems: each leaves out what it names, and states why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rmeval.build import Record
from rmeval.build.problems.filters import language_of
from rmeval.errors import DataError
from tests.build.problems.samples import problems_of, reasons_of, run_stage, write_rows

ROWS = [
    {"id": "short", "prompt": "Why?", "level": 1},
    {"id": "long", "prompt": "Why does " + "the moon " * 40 + "shine?", "level": 2},
    {
        "id": "german",
        "prompt": "Warum scheint der Mond in der Nacht so hell, obwohl er selbst nicht leuchtet?",
        "level": 2,
    },
    {"id": "chinese", "prompt": "为什么月亮在晚上这么亮 尽管它自己不发光", "level": 2},
    {"id": "image", "prompt": "What does the figure above show about the brightness of the moon?", "level": 3},
    {"id": "blank", "prompt": "  \n", "level": 3},
    {"id": "good", "prompt": "Why does the moon shine at night although it has no light of its own?", "level": 3},
]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {}),
        ({"characters": {"min": 10}}, {"short": "too short"}),
        ({"words": {"max": 50}}, {"long": "too long"}),
        ({"words": {"min": 2, "max": 20}}, {"short": "too short", "long": "too long", "chinese": None}),
        ({"text_languages": ["en"]}, {"german": "another language", "chinese": "another language"}),
        ({"text_languages": ["en", "de", "zh"]}, {}),
        ({"exclude": [r"\bfigure\b"]}, {"image": "matches an excluded pattern"}),
        (
            {"include": ["[Ww]hy"]},
            dict.fromkeys(("german", "chinese", "image"), "lacks an included pattern"),
        ),
        (
            {"where": {"level": [3, "2"]}},
            {"short": "excluded by a column"},
        ),
    ],
)
def test_each_filter(tmp_path: Path, filters: dict[str, Any], expected: dict[str, str | None]) -> None:
    write_rows(tmp_path / "rows.jsonl", ROWS)
    found = run_stage(tmp_path, {"d": {"problems": {"file": "rows.jsonl"}, "filters": filters}})
    reasons = reasons_of(found)
    assert reasons.pop("blank") in ("empty prompt", "excluded by a column")
    assert {name: reason for name, reason in reasons.items() if expected.get(name, "") is not None} == {
        name: reason for name, reason in expected.items() if reason is not None
    }
    assert len(found) == len(ROWS)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Schreibe eine Funktion, die alle geraden Zahlen einer Liste zusammenzählt.", "de"),
        ("Écris une fonction qui calcule la somme des nombres pairs d'une liste.", "fr"),
        ("Напиши функцию, которая складывает все чётные числа списка.", "ru"),
        ("Write a function that adds up all even numbers of a list.", "en"),
    ],
)
def test_languages_are_recognised(text: str, language: str) -> None:
    found, probability = language_of(text)
    assert (found, probability >= 0.9) == (language, True)


def test_english_problems_are_not_taken_for_another_language(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "problems"
    files = [str(folder / name) for name in ("HumanEval.jsonl.gz", "mbpp.jsonl", "gsm8k_test.jsonl")]
    options = {"problems": {"file": files}, "filters": {"text_languages": ["en"], "near_duplicates": None}}
    assert "another language" not in reasons_of(run_stage(tmp_path, {"d": options})).values()


def test_a_limit_draws_by_the_seed(tmp_path: Path) -> None:
    rows = [{"id": f"r{n}", "prompt": f"What is {n} times {n}?"} for n in range(60)]

    def drawn(rows: list[dict[str, str]], seed: int = 0) -> set[str]:
        write_rows(tmp_path / "rows.jsonl", rows)
        problems = {"file": "rows.jsonl", "limit": 20}
        domains = {"d": {"problems": problems, "filters": {"near_duplicates": None}}}
        found = run_stage(tmp_path, domains, seed=seed)
        assert len(found) == len(rows)
        assert set(reasons_of(found).values()) == {"not drawn"}
        return {one.problem.id for one in found if isinstance(one, Record)}

    first = drawn(rows)
    assert len(first) == 20
    assert first != {f"r{n}" for n in range(20)}
    assert drawn(rows[::-1]) == first, "the order of rows does not matter"
    assert drawn(rows, seed=1) != first
    assert len(first - drawn([*rows, {"id": "new", "prompt": "What is new?"}])) <= 1, "a further row replaces one"


def test_a_domain_without_problems_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the domain d has no problem left \(1 too short\): change its filters"):
        problems_of(tmp_path, [{"prompt": "Why?"}], filters={"words": {"min": 5}})


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"words": {"min": 9, "max": 3}}, "`domains.d.filters.words` max must not be below min"),
        ({"include": ["("]}, "is no regular expression"),
        ({"where": {"size": [1]}}, "line 1: there is no column 'size', which `where` in `filters` names"),
        ({"near_duplicates": 2}, "`domains.d.filters.near_duplicates` is 2, and"),
        ({"text_languages": ["en", "klingon"]}, "there is no language 'klingon': choose one of ace, af"),
        ({"overlap": ["no-such-bench"]}, "no-such-bench"),
        ({"overlap": [{"benchmark": "pairs", "data": "none.jsonl"}]}, "correct `data` of the benchmark pairs"),
        ({"overlap": [{"name": "pairs"}]}, "there is no option `domains.d.filters.overlap.0.name`"),
    ],
)
def test_wrong_filters_are_one_sentence(tmp_path: Path, filters: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as error:
        problems_of(tmp_path, [{"prompt": "Why?"}], filters=filters)
    assert message in str(error.value)
