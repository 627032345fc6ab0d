"""Near-duplicates and overlap, against exact indices."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.build.problems.near import NearIndex, Signed, jaccard
from rmeval.build.problems.words import sequences, words
from tests.build.problems.samples import problems_of, reasons_of, run_stage, write_rows

TEXTS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=30).map(" ".join)


def exact(one: str, other: str) -> float:
    return jaccard(*(sequences(words(text), 3) for text in (one, other)))


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=12, unique=True), TEXTS, st.sampled_from([0.3, 0.6, 0.8, 1.0]))
def test_what_is_found_reaches_the_threshold(texts: list[str], text: str, threshold: float) -> None:
    index = NearIndex(threshold)
    for one in texts:
        index.add(one, Signed.of(one))
    found = index.nearest(Signed.of(text))
    if found is not None:
        assert found[1] == exact(found[0], text) >= threshold
    if text in texts:
        assert found is not None
        assert found[1] == 1.0


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9])
def test_near_duplicates_are_seldom_missed(threshold: float) -> None:
    """Pairs whose exact index is at least the threshold; a band of their signatures agrees nearly always."""
    draw = random.Random(7)
    index = NearIndex(threshold)
    due = found = 0
    while due < 150:
        own = [f"w{draw.randrange(10_000)}" for _ in range(40)]
        other = [one if draw.random() < 0.97 else "other" for one in own]
        one, two = " ".join(own), " ".join(other)
        if one == two or exact(one, two) < threshold:
            continue
        due += 1
        index.add(f"{due}", Signed.of(one))
        found += index.nearest(Signed.of(two)) == (f"{due}", exact(one, two))
    assert found >= 0.97 * due


def test_words_of_languages_without_spaces() -> None:
    assert words("Zwei  Wörter, x_1") == ["zwei", "wörter", "x_1"]
    assert words("今日は ABC です") == ["今", "日", "は", "abc", "で", "す"]
    assert words("$2 - x/3$ is n't 2+x*3") == [
        "$",
        "2",
        "-",
        "x",
        "/",
        "3",
        "$",
        "is",
        "n",
        "t",
        "2",
        "+",
        "x",
        "*",
        "3",
    ]
    assert sequences(["a"], 3) == {"a"}
    assert sequences([], 3) == set()


def test_near_duplicates_of_any_domain_are_left_out(tmp_path: Path) -> None:
    text = "Find the smallest positive integer that is divisible by all integers from one to ten, and prove it."
    near = text.replace("prove it", "prove this")
    write_rows(tmp_path / "a.jsonl", [{"id": "1", "prompt": text}, {"id": "2", "prompt": "Something else."}])
    write_rows(
        tmp_path / "b.jsonl",
        [{"id": "3", "prompt": near}, {"id": "4", "prompt": "Something else."}, {"id": "5", "prompt": "A third one."}],
    )
    domains = {name: {"problems": {"file": f"{name}.jsonl"}} for name in "ab"}
    assert reasons_of(run_stage(tmp_path, domains)) == {"3": "near-duplicate", "4": "duplicate"}
    for own in domains.values():
        own["filters"] = {"near_duplicates": None}  # type: ignore[dict-item]
    assert reasons_of(run_stage(tmp_path, domains)) == {"4": "duplicate"}


PROMPTS = {
    "whole": "How many ways are there to seat five people around a round table with seven chairs?",
    "part": "A farmer owns nineteen goats and sells every third one of them at the market each spring.",
}


def test_overlap_with_a_named_benchmark(tmp_path: Path) -> None:
    rows = [{"prompt": f"{PROMPTS['part']} How many goats are left?"}, {"prompt": PROMPTS["whole"]}]
    pairs = [{"id": str(n), **row, "chosen": "a", "rejected": "b"} for n, row in enumerate(rows)]
    write_rows(tmp_path / "pairs.jsonl", pairs)
    own = [
        {"id": "same", "prompt": PROMPTS["whole"].upper()},
        {"id": "part", "prompt": f"{PROMPTS['part']} What does it earn with a price of ten for each goat it sells?"},
        {"id": "new", "prompt": "How many ways are there to colour the faces of a cube with two colours?"},
    ]
    write_rows(tmp_path / "own.jsonl", own)
    filters = {"overlap": [{"benchmark": "pairs", "data": "pairs.jsonl"}]}
    found = run_stage(tmp_path, {"d": {"problems": {"file": "own.jsonl"}, "filters": filters}})
    assert reasons_of(found) == dict.fromkeys(("same", "part"), "in a named benchmark")
    details = {one.key: one.detail for one in found if hasattr(one, "detail")}
    assert details["d/same"] == "pairs 1: Jaccard index 1.00"
    assert details["d/part"].startswith("pairs 0: contains ")


def test_humaneval_overlaps_rm_bench(shared: Path, tmp_path: Path) -> None:
    """RM-Bench took its code from HumanEval, whose first words its prompts contain."""
    bench = shared / "data" / "rm-bench"
    prompts = [" ".join(words(row["prompt"])) for row in json.loads((bench / "code_filtered.json").read_text())]
    filters = {"overlap": [{"benchmark": "rm-bench", "data": str(bench)}], "near_duplicates": None}
    problems = {"file": str(shared / "data" / "problems" / "HumanEval.jsonl.gz")}
    left_out = set(reasons_of(run_stage(tmp_path, {"d": {"problems": problems, "filters": filters}})))
    every = run_stage(tmp_path, {"d": {"problems": problems}})
    texts = {one.problem.id: one.problem.prompt.partition('"""')[2] for one in every if hasattr(one, "problem")}
    due = {name for name, text in texts.items() if text and any(" ".join(words(text)[:8]) in one for one in prompts)}
    assert len(due) > 80
    assert len(due - left_out) <= 2
    assert len(left_out) < 120


def test_a_text_of_no_words_is_no_duplicate_of_others(tmp_path: Path) -> None:
    assert len(problems_of(tmp_path, [{"prompt": "???"}, {"prompt": "1 + 1"}, {"prompt": "!"}])) == 3
