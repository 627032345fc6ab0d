"""Runs of judges behind a real server: orders, failures, chance levels, and everything else that reads their runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval import RunError
from rmeval.report import run_view, views_text
from rmeval.report.ranking import runs_views
from rmeval.report.wrong import wrong_view
from rmeval.results import Result
from rmeval.types import Record
from tests.http_server import Answer, Received, Script, json_answer, serve
from tests.judge_server import Known, judged_pairs, reply_of, scripted_judge

ITEMS = 120


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Known]]:
    file = tmp_path_factory.mktemp("judging") / "pairs.jsonl"
    return file, judged_pairs(ITEMS, file, seed=1)


@pytest.fixture(scope="module")
def run(pairs: tuple[Path, dict[str, Known]], tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run with a known accuracy of 0.8, position bias of 0.3, and failure rate of 0.05."""
    script = scripted_judge(pairs[1], accuracy=0.8, position_bias=0.3, failure_rate=0.05, seed=3)
    with serve(script) as server:
        return rmeval.evaluate(
            server.url, "pairs", pairs[0], protocol="five-way", out=tmp_path_factory.mktemp("runs"), store_text=False
        )


def test_planted_values_are_within_the_intervals(run: Result) -> None:
    assert run.judging is not None
    found = {(one.name, one.position): one for one in run.judging.orders}
    # Without failures: the order decides 0.3 of the pairs, and the first response wins one half of the rest.
    for key, planted in ((("flipped", None), 0.3), (("prefers", 1), 0.65), (("ties", None), 0.0)):
        ci = found[key].ci
        assert ci is not None
        assert ci[0] <= planted <= ci[1], key
    # With failures as losses.
    left, right = 0.95 * (0.3 + 0.7 * 0.8), 0.95 * 0.7 * 0.8
    for key, planted in ((("accuracy", 1), left), (("accuracy", 2), right)):
        ci = found[key].ci
        assert ci is not None
        assert ci[0] <= planted <= ci[1], key
    (failed,) = run.judging.failed
    assert (failed.status, failed.of) == ("unparsed", 2 * ITEMS)
    assert 0.02 < failed.share < 0.1


def test_the_headline_is_the_mean_of_both_positions(run: Result) -> None:
    assert run.judging is not None
    accuracy = {one.position: one.value for one in run.judging.orders if one.name == "accuracy"}
    assert run.records[0].variant == "orders/each"
    assert run.value("accuracy") == pytest.approx((accuracy[1] + accuracy[2]) / 2)


def test_both_rules_for_failures_and_the_chance_of_each_variant(run: Result) -> None:
    assert run.judging is not None
    lose, left_out = run.judging.rules
    assert (lose.rule, left_out.rule) == ("official@1", "left-out@1")
    assert lose.value == run.value("accuracy") < left_out.value
    assert rmeval.open_run(run.path, "left-out@1").value("accuracy") == left_out.value
    random = {variant: run.record("accuracy", variant=variant).null["random"] for variant in variants(run)}
    assert random == {"orders/each": 0.5, "orders/agree": 0.25, "orders/net": 0.25}


def variants(run: Result) -> list[str]:
    return list(dict.fromkeys(record.variant for record in run.records))


def test_above_two_percent_of_failures_nothing_is_publishable(run: Result) -> None:
    assert not run.publishable
    (note,) = [note for note in run.notes if "publishable" in note]
    assert note.startswith("not publishable: ")
    stored = json.loads((run.path / "metrics.json").read_text())
    assert stored["publishable"] is False
    assert [one["status"] for one in stored["judging"]["failed"]] == ["unparsed"]
    again = rmeval.open_run(run.path)
    assert again.judging == run.judging
    assert not again.publishable
    text = views_text([run_view(again)])
    for part in ("verdict depends on the order", "failures left out (left-out@1)", "unparsed", "random verdicts, all"):
        assert part in text


def test_few_failures_are_publishable(pairs: tuple[Path, dict[str, Known]], tmp_path: Path) -> None:
    with serve(scripted_judge(pairs[1])) as server:
        found = rmeval.evaluate(server.url, "pairs", pairs[0], protocol="five-way", n_items=20, out=tmp_path)
    assert found.publishable
    assert found.judging is not None
    assert (found.judging.failed, found.judging.rules) == ((), ())
    assert (found.value("accuracy"), [note for note in found.notes if "publishable" in note]) == (1.0, [])


def test_other_models_have_no_such_entries(pairs: tuple[Path, dict[str, Known]], tmp_path: Path) -> None:
    found = rmeval.evaluate("baseline:longest", "pairs", pairs[0], out=tmp_path)
    assert (found.judging, found.publishable) == (None, True)
    assert not {"publishable", "judging"} & json.loads((found.path / "metrics.json").read_text()).keys()


def test_statuses_stay_apart_and_uneven_ones_are_named(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"Question {n}?", "chosen": f"right {n}", "rejected": f"wrong {n}", "subset": "ab"[n >= 30]}
        for n in range(60)
    ]
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def script(request: Received) -> Answer:
        if request.path == "/v1/models":
            return json_answer({"data": [{"id": "m"}]})
        prompt = request.json["messages"][-1]["content"]
        number = int(prompt.partition("Question ")[2].partition("?")[0])
        if number < 10:
            return json_answer(reply_of("no idea"))
        if number == 11:
            return json_answer(reply_of("[[A>B]] [[B>A]]", finish="length"))
        return json_answer(reply_of("[[A>B]]" if prompt.index("right") < prompt.index("wrong") else "[[B>A]]"))

    with serve(script) as server:
        found = rmeval.evaluate(server.url, "pairs", file, protocol="five-way", out=tmp_path / "runs")
    assert found.judging is not None
    assert {(one.status, one.count, one.of) for one in found.judging.failed} == {
        ("unparsed", 20, 120),
        ("no_verdict", 2, 120),
    }
    unparsed = next(one for one in found.judging.failed if one.status == "unparsed")
    assert unparsed.subsets == {"a": (20, 60)}
    assert "failures are uneven: 33.3% of the outputs on a are unparsed, and 16.7% of all" in found.notes
    assert found.value("accuracy") == pytest.approx(49 / 60)
    assert rmeval.open_run(found.path, "left-out@1").value("accuracy") == 1.0


def rating_script(quality: dict[str, float]) -> Script:
    """A judge that rates a response by the number in it."""

    def script(request: Received) -> Answer:
        if request.path == "/v1/models":
            return json_answer({"data": [{"id": "rater"}]})
        prompt = request.json["messages"][-1]["content"]
        mark = next(name for name in quality if name in prompt)
        return json_answer(reply_of(f"Rating: [[{quality[mark]:g}]]"))

    return script


def reward_bench_2(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        subset = "Factuality" if number < count // 2 else "Ties"
        kinds = [("", 1)] if subset == "Factuality" else [("tied", 2), ("ref", 1)]
        for kind, right in kinds:
            name = f"{kind}{number}"
            yield {
                "id": f"{kind}:{number}" if kind else str(number),
                "prompt": f"Question {name}?",
                "chosen": [f"<{name} right {k}>" for k in range(right)],
                "rejected": [f"<{name} wrong {k}>" for k in range(3)],
                "subset": subset,
            }


def test_ratings_are_scores_of_best_of_four_and_ties(tmp_path: Path) -> None:
    rows = list(reward_bench_2(12))
    file = tmp_path / "rb2.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    random = np.random.default_rng(1)
    quality = {text: float(random.integers(1, 11)) for row in rows for text in (*row["chosen"], *row["rejected"])}
    with serve(rating_script(quality)) as server:
        judged = rmeval.evaluate(server.url, "reward-bench-2", file, protocol="rating", out=tmp_path / "runs")

    def score(conversations: list[Any]) -> list[float]:
        return [quality[conversation[-1]["content"]] for conversation in conversations]

    scored = rmeval.evaluate(score, "reward-bench-2", file, name="score", out=tmp_path / "runs")
    assert numbers(judged.records) == numbers(scored.records)
    assert {record.scope for record in judged.records} >= {"Factuality", "Ties"}
    assert judged.records[0].variant == "rating"
    (found,) = rmeval.compare([judged.path, scored.path])
    assert [entry.records[found.headline or ("accuracy", "Factuality")].value for entry in found.entries] == [
        judged.value(*(found.headline or ("accuracy", "Factuality")))
    ] * 2


def numbers(records: tuple[Record, ...]) -> dict[tuple[str, str], Any]:
    return {(one.metric, one.scope): (one.value, one.ci, one.ties, one.failures, one.null) for one in records}


def test_cells_of_the_matrix_by_judges(tmp_path: Path) -> None:
    calls: list[str] = []

    def script(request: Received) -> Answer:
        if request.path == "/v1/models":
            return json_answer({"data": [{"id": "m"}]})
        calls.append(request.path)
        prompt = request.json["messages"][-1]["content"]
        first, second = (part.partition("</response")[0] for part in prompt.split("<response ")[1:3])
        return json_answer(reply_of("[[A>B]]" if len(first) > len(second) else "[[B>A]]"))

    with serve(script) as server:

        def evaluated(*cells: str) -> Result:
            return rmeval.evaluate(
                server.url, "rm-bench-synthetic", protocol="five-way", n_items=8, out=tmp_path, cells=cells
            )

        part = evaluated("diagonal")
        # 8 items, 3 cells, 2 orders; further cells continue the run.
        assert len(calls) == 8 * 3 * 2
        whole = evaluated()
        assert len(calls) == 8 * 9 * 2
        assert part.path == whole.path
        again = evaluated("diagonal")
        assert len(calls) == 8 * 9 * 2
    assert {record.metric for record in part.records if ":" not in record.metric} == {"normal"}
    assert numbers(again.records) == numbers(part.records)
    # The folder keeps all cells.
    assert numbers(rmeval.open_run(whole.path).records) == numbers(whole.records)
    for record in part.records:
        assert record.value == whole.value(record.metric, record.scope, record.variant)
    assert any("3 of the nine cells are compared, which give Normal" in note for note in part.notes)
    assert "cells diagonal" in views_text([run_view(part)])


def test_models_on_different_cells_are_compared_on_the_shared_ones(tmp_path: Path) -> None:
    part = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", n_items=40, cells=["diagonal"], out=tmp_path / "a")
    whole = rmeval.evaluate("baseline:shortest", "rm-bench-synthetic", n_items=40, out=tmp_path / "b")
    for runs in ([part.path, whole.path], [whole.path, part.path]):
        (found,) = rmeval.compare(runs)
        values = {entry.name: entry.records[("normal", "all")].value for entry in found.entries}
        assert values == {
            "baseline:longest": part.value("normal"),
            "baseline:shortest": pytest.approx(whole.value("normal")),
        }
        assert any(note.startswith("compared on 3 cells of 9") for note in found.notes)
    with pytest.raises(RunError, match="are runs on different cells"):
        rmeval.wrong_examples(part.path, other=whole.path)
    with pytest.raises(RunError, match="are runs on different cells"):
        rmeval.estimate(whole.path, part.path)


def test_judges_are_compared_analysed_and_planned_like_other_models(
    run: Result, pairs: tuple[Path, dict[str, Known]], tmp_path: Path
) -> None:
    longest = rmeval.evaluate("baseline:longest", "pairs", pairs[0], out=tmp_path)
    (found,) = rmeval.compare([run.path, longest.path])
    by_name = {entry.name: entry.records[("accuracy", "all")].value for entry in found.entries}
    assert by_name["scripted"] == run.value("accuracy")
    # The difference pairs the credits of both orders with the other model's.
    assert found.headline == ("accuracy", "all")
    assert rmeval.analyze(run.path).headline is not None
    planned = rmeval.plan([run.path, longest.path], width=0.05)
    assert planned.requests_per_item == 2


def test_orders_and_votes_are_facets(pairs: tuple[Path, dict[str, Known]], tmp_path: Path) -> None:
    runs = []
    with serve(scripted_judge(pairs[1], accuracy=0.8, position_bias=0.3, instability=0.2, seed=5)) as server:
        for seed in (0, 1, 2):
            found = rmeval.evaluate(
                server.url,
                "pairs",
                pairs[0],
                protocol="five-way",
                order="seeded",
                order_seed=seed,
                temperature=1.0,
                n_items=60,
                out=tmp_path,
            )
            runs.append(found)
    assert len({one.path for one in runs}) == 3
    study = rmeval.variance([one.path for one in runs])
    assert study.n_items == 60


def test_a_judge_stops_at_the_wanted_width(pairs: tuple[Path, dict[str, Known]], tmp_path: Path) -> None:
    with serve(scripted_judge(pairs[1], accuracy=0.9, seed=5)) as server:
        found = rmeval.evaluate(server.url, "pairs", pairs[0], protocol="five-way", until=0.3, out=tmp_path)
    stopped = found.manifest["selection"]["stopped"]
    assert stopped["problems"] < ITEMS
    ci = found.record("accuracy").ci
    assert ci is not None
    assert ci[1] - ci[0] <= 0.35


def test_the_rule_of_reward_bench_for_generative_models(pairs: tuple[Path, dict[str, Known]], tmp_path: Path) -> None:
    """One drawn order; without a verdict, one half of a pair, as in the reference's `run_generative.py`."""
    seen: list[float] = []

    def script(request: Received) -> Answer:
        if request.path == "/v1/models":
            return json_answer({"data": [{"id": "m"}]})
        prompt = request.json["messages"][-1]["content"]
        shown = sorted(mark for mark in pairs[1] if mark in prompt)
        number = int(shown[0][4:9])
        if number % 5 == 0:
            seen.append(0.5)
            return json_answer(reply_of("neither is clear to me"))
        seen.append(float(prompt.index(shown[0]) < prompt.index(shown[1])))
        return json_answer(reply_of("[[A]]"))

    with serve(script) as server:
        options = {"protocol": "reward-bench/generative", "n_items": 40}
        found = rmeval.evaluate(server.url, "pairs", pairs[0], out=tmp_path, **options)  # type: ignore[arg-type]
    assert len(seen) == 40
    assert {record.rule for record in found.records} == {"half-failures@1"}
    assert found.value("accuracy") == pytest.approx(np.mean(seen))
    assert found.record("accuracy").null["random"] == pytest.approx(0.5)
    assert found.judging is not None
    assert [record.rule for record in found.judging.rules] == ["shared-ties@1", "half-ties@1"]
    # Another rule is a question to the same run.
    assert rmeval.open_run(found.path, "official@1").value("accuracy") < found.value("accuracy")


def test_commands_count_by_the_rule_that_the_protocols_of_all_runs_have(
    pairs: tuple[Path, dict[str, Known]], tmp_path: Path
) -> None:
    """So that a model has one number, in its run and beside others."""
    options: dict[str, Any] = {"protocol": "reward-bench/generative", "n_items": 60}
    runs = []
    for name, rate in (("one", 0.1), ("two", 0.5)):
        judge = scripted_judge(pairs[1], labels=("[[A]]", "none", "[[B]]"), failure_rate=rate, seed=5)
        with serve(judge) as server:
            runs.append(rmeval.evaluate(server.url, "pairs", pairs[0], out=tmp_path / name, **options))
            stopped = rmeval.evaluate(server.url, "pairs", pairs[0], out=tmp_path / "x", until=0.2, **options)
    (compared,) = rmeval.compare(one.path for one in runs)
    assert compared.rule == "half-failures@1"
    shown = {entry.path: entry.records["accuracy", "all"].value for entry in compared.entries}
    assert shown == {one.path: pytest.approx(one.value("accuracy")) for one in runs}
    # The bounds of a run that stops are those of its own number.
    (note,) = (note for note in stopped.notes if note.startswith("stopped after "))
    low, high = (float(bound) / 100 for bound in re.findall(r"between ([\d.]+) and ([\d.]+)", note)[0])
    assert low <= stopped.value("accuracy") <= high
    plain = rmeval.evaluate("baseline:longest", "pairs", pairs[0], out=tmp_path / "plain")
    (mixed,) = rmeval.compare([runs[0].path, plain.path])
    assert mixed.rule == "official@1"
    assert "the protocols of some have the rule half-failures@1: another `rule` changes that" in " ".join(mixed.notes)


def test_outputs_without_a_verdict_are_shown(pairs: tuple[Path, dict[str, Known]], tmp_path: Path) -> None:
    script = scripted_judge(pairs[1], failure_rate=0.05, seed=3)
    with serve(script) as server:
        results = [
            rmeval.evaluate(server.url, "pairs", pairs[0], protocol="five-way", out=tmp_path / name, store_text=stored)
            for name, stored in (("with", True), ("without", False))
        ]
    assert results[0].judging is not None
    count = results[0].judging.failed[0].count
    assert count > 2
    found = rmeval.wrong_examples(results[0].path, n=2)
    assert [(one.status, one.text) for one in found.unread] == [
        ("unparsed", "I cannot decide between the two of them.")
    ] * 2
    assert {one.order for one in rmeval.wrong_examples(results[0].path, n=99).unread} == {"1, 2", "2, 1"}
    assert len(rmeval.wrong_examples(results[0].path, n=99).unread) == count
    assert "outputs without a verdict: 2 shown" in views_text([wrong_view(found)])
    hidden = rmeval.wrong_examples(results[1].path)
    assert hidden.unread == ()
    (note,) = (note for note in hidden.notes if "without a verdict" in note)
    assert note.startswith(f"{count} outputs without a verdict: to read them here, run the judge with `store_text`")


def test_a_judge_without_any_verdict(pairs: tuple[Path, dict[str, Known]], tmp_path: Path) -> None:
    """The texts of such a run are shown too, since they explain why."""
    with serve(scripted_judge(pairs[1], labels=("first", "tie", "second"))) as server:
        message = r"none of 6 outputs states a verdict \(unparsed\): run the judge with `store_text`"
        with pytest.raises(RunError, match=message):
            rmeval.evaluate(server.url, "pairs", pairs[0], protocol="five-way", out=tmp_path, limit=3, store_text=True)
    (folder,) = (tmp_path / "pairs" / "scripted").iterdir()
    assert rmeval.open_run(folder).manifest["status"] == "complete"
    assert json.loads((folder / "metrics.json").read_text())["publishable"] is False
    shown = views_text([run_view(rmeval.open_run(folder))])
    assert "unfinished" not in shown
    assert "not publishable: 100.0% of the outputs have no verdict" in shown
    texts = [one.text for one in rmeval.wrong_examples(folder).unread]
    assert len(texts) == 6
    assert all(text.startswith("I compared both responses.") for text in texts)


def test_a_table_of_runs_states_the_chance_levels(run: Result) -> None:
    """Its column has numbers by several scores, which random verdicts do not reach equally."""
    (view,) = runs_views([run, run])
    assert any(
        note.startswith("random verdicts get 25.0 by orders/agree, 50.0 by orders/each, 25.0 by orders/net")
        for note in view.notes
    )
    assert any(note.startswith("not publishable, because too many outputs have no verdict: ") for note in view.notes)
