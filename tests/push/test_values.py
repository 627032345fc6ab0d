from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from rmeval.push import logged_run, logged_values, metric_name, runs_to_share
from rmeval.results import open_run
from rmeval.types import Record

RECORD = Record(
    "rm-bench", "score", "official@1", "hard", "chat", 0.5, (0.4, 0.6), "m", 4, 4, 1.0, 0, 0, {}, "rm-bench/accuracy@1"
)


@pytest.mark.parametrize(
    ("benchmark", "metric", "scope", "name"),
    [
        ("rm-bench", "hard", "chat", "rm-bench/hard/chat"),
        ("reward-bench", "section", "Chat Hard", "reward-bench/section/Chat_Hard"),
        ("b", "cell:concise/detailed_plain", "all", "b/cell_concise_detailed_plain/all"),
        ("../b", "x", "<script>\x1b[31m", "..b/x/_script_31m".replace("..b", ".._b")),
        ("b", "x", "质量", "b/x/_"),
        ("b", "x", "", "b/x/_"),
    ],
)
def test_names_have_characters_that_every_tracker_accepts(benchmark: str, metric: str, scope: str, name: str) -> None:
    assert metric_name(replace(RECORD, benchmark=benchmark, metric=metric, scope=scope)) == name


def test_a_long_name_is_cut_to_the_length_that_mlflow_accepts() -> None:
    name = metric_name(replace(RECORD, scope="x" * 1000))
    assert len(name) == 250
    assert re.fullmatch(r"[A-Za-z0-9_./-]+", name)


def test_values_are_those_of_the_result(longest: Path) -> None:
    result = open_run(longest)
    values = logged_values(result)
    record = result.record("hard", "chat")
    assert record.ci is not None
    assert values["rm-bench-synthetic/hard/chat"] == record.value
    ends = values["rm-bench-synthetic/hard/chat/low"], values["rm-bench-synthetic/hard/chat/high"]
    assert ends == record.ci
    assert not [name for name in values if "cell" in name or "without_errata" in name]


def test_equal_names_get_numbers_and_numbers_that_are_none_are_left_out(longest: Path) -> None:
    scopes = ("a b", "a-b", "a?b", "a!b")
    records = [replace(RECORD, scope=scope, value=place / 10, ci=None) for place, scope in enumerate(scopes)]
    records += [replace(RECORD, scope="nan", value=math.nan), replace(RECORD, scope="open", ci=(math.nan, 1.0))]
    records += [replace(RECORD, scope="other", variant="second")]
    values = logged_values(replace(open_run(longest), records=tuple(records)))
    assert values == {
        "rm-bench/hard/a_b": 0.0,
        "rm-bench/hard/a-b": 0.1,
        "rm-bench/hard/a_b_2": 0.2,
        "rm-bench/hard/a_b_3": 0.3,
        "rm-bench/hard/open": 0.5,
    }


def test_facts_name_the_run_and_have_no_folder(scored: Path) -> None:
    (run,) = runs_to_share(scored)
    facts = logged_run(run).facts
    assert (facts["run"], facts["benchmark"], facts["source"]) == (scored.name, "rm-bench", "THU-KEG/RM-Bench")
    assert str(scored.parents[3]) not in "".join(facts.values())
