"""A run's numbers beside the published ones of its model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.benchmarks.rm_bench import RMBench
from rmeval.published import beside_published, board_named
from rmeval.published.beside import data_note
from rmeval.results.result import Result
from tests.samples import rm_bench_rows

MODEL = "Skywork/Skywork-Reward-Llama-3.1-8B"
PUBLISHED = {("overall", "all"): 0.701, ("average", "chat"): 0.695, ("hard", "all"): 0.466}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run on as many made-up items of each domain as RM-Bench has."""
    folder = tmp_path_factory.mktemp("whole")
    for domain, count in RMBench.card.counts.items():
        (folder / f"{domain}_filtered.json").write_text(json.dumps(rm_bench_rows(domain, count)))
    return rmeval.evaluate("baseline:longest", "rm-bench", folder, out=tmp_path_factory.mktemp("runs"))


def with_numbers(result: Result, **more: Any) -> Result:
    """The run as if it were on the pinned data, with numbers near the published ones."""
    near = {("overall", "all"): (0.72, (0.70, 0.74)), ("average", "chat"): (0.75, (0.72, 0.78))}
    records = tuple(
        replace(one, value=near[one.metric, one.scope][0], ci=near[one.metric, one.scope][1])
        if (one.metric, one.scope) in near
        else one
        for one in result.records
    )
    benchmark = {**result.manifest["benchmark"], "data": None}
    return replace(result, records=records, manifest={**result.manifest, "benchmark": benchmark, **more})


def by_measure(result: Result, *names: str) -> Mapping[tuple[str, str], Any]:
    return {(one.record.metric, one.record.scope): one for one in beside_published(result, *names)}


def test_inside_and_outside_of_the_interval(whole: Result) -> None:
    found = by_measure(with_numbers(whole), MODEL)
    assert {measure: found[measure].published for measure in PUBLISHED} == PUBLISHED
    overall, chat = found["overall", "all"], found["average", "chat"]
    assert (overall.verdict, round(overall.difference, 9)) == ("confirmed", 0.019)
    assert (chat.verdict, round(chat.difference, 9)) == ("contradicted", 0.055)
    assert next(iter(found)) == ("overall", "all")
    assert overall.board == board_named("rm-bench")


def test_half_of_the_last_published_digit_is_inside(whole: Result) -> None:
    run = with_numbers(whole)
    for low, verdict in ((0.7014, "confirmed"), (0.7016, "contradicted")):
        records = tuple(replace(one, ci=(low, 0.8)) if one.metric == "overall" else one for one in run.records)
        assert by_measure(replace(run, records=records), MODEL)["overall", "all"].verdict == verdict


def test_a_model_of_the_hub_has_its_row_by_the_name_of_its_run(whole: Result) -> None:
    named = with_numbers(whole, model={"name": MODEL.replace("/", "__"), "kind": "classifier"})
    assert by_measure(named)["overall", "all"].published == 0.701


def test_another_board_is_taken_if_the_main_one_lacks_the_model(whole: Result) -> None:
    found = by_measure(with_numbers(whole), "allenai/tulu-2-dpo-13b")["overall", "all"]
    assert (found.board.id, found.published) == ("rm-bench-rm-r1", 0.638)


def test_without_a_published_number(whole: Result) -> None:
    (one,) = beside_published(with_numbers(whole), "nobody/knows-it")
    assert (one.verdict, one.published, one.difference) == ("no published number", None, None)


def test_what_is_not_comparable(whole: Result, tmp_path: Path) -> None:
    # The items are made up, so that their digests are not those of the published data.
    other = by_measure(whole, MODEL)["overall", "all"]
    assert (other.verdict, other.difference) == ("not comparable", None)
    assert other.reason == f"is on other data ({whole.manifest['benchmark']['data']})"
    some = with_numbers(whole, selection={"subsets": [], "n_items": 50, "seed": 0, "limit": None})
    assert by_measure(some, MODEL)["overall", "all"].reason == "is of 50 items at random (seed 0)"
    unfinished = with_numbers(whole, status="running")
    assert by_measure(unfinished, MODEL)["overall", "all"].verdict == "not comparable"
    generated = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=tmp_path, size=8)
    (one,) = beside_published(generated, MODEL)
    assert one.verdict == "no published number"


def test_the_published_data_are_recognised(shared: Path, tmp_path: Path) -> None:
    run = rmeval.evaluate("baseline:longest", "rm-bench", shared / "data" / "rm-bench", out=tmp_path)
    assert data_note(run) == f"data: {shared / 'data' / 'rm-bench'} (the published items)"
