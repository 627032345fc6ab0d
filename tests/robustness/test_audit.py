"""`rmeval audit`: planted biases are found again, in the process and behind a real server."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from scripts.simulations.audit import BIASED, FAIR, OWN, audited, simulated, truths

import rmeval
from rmeval.errors import RunError
from rmeval.robustness import Audit
from tests.command import command
from tests.http_server import serve
from tests.judge_server import judged_pairs, scripted_judge
from tests.results.test_compare import pairs_file

FIRST = ("position", "prefers the first response")


@pytest.fixture(scope="module")
def biased(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return audited(BIASED, 160, 1, tmp_path_factory.mktemp("audit"))


def test_planted_biases_are_found(biased: Audit) -> None:
    found = {(one.probe, one.name) for one in biased.found}
    assert found >= {
        FIRST,
        ("verbosity", "prefers the padded response"),
        ("self-preference", "prefers its own response"),
        ("wording", "changes beyond those of repetitions"),
    }
    for name, true in truths(BIASED).items():
        one = biased.effect(*name)
        low, high = one.ci or (math.nan, math.nan)
        # Several intervals at once: twice as wide.
        assert abs(one.value - true) < high - low, name
        assert one.problems <= 160
    assert not biased.left_out
    assert set(biased.runs) == {"pairs", "padded pairs", "own responses", "wording 1", "wording 2", "wording 3"}
    assert any("without a verdict" in note for note in biased.notes)


def test_a_judge_without_biases(tmp_path: Path) -> None:
    found = audited(FAIR, 100, 3, tmp_path)
    assert found.found == []
    first = found.effect(*FIRST)
    assert first.conclusion == "none"
    assert first.q >= first.p
    assert first.mde < 0.05
    few = audited(FAIR, 12, 3, tmp_path / "few")
    # Too few to find an effect of 5 points: that is not the same as none.
    assert few.effect(*FIRST).conclusion == "unknown"
    assert few.effect(*FIRST).problems_needed > 12


@pytest.mark.slow
def test_coverage_and_false_discoveries(tmp_path: Path) -> None:
    """The full simulation is `scripts.simulations.audit`."""
    tallies, false = simulated(FAIR, 30, 6, tmp_path)
    tested = [one for (probe, name), one in tallies.items() if (probe, name) in truths(FAIR)]
    covered, total = sum(one.covered for one in tested), sum(one.audits for one in tested)
    assert total == 6 * len(truths(FAIR))
    assert covered >= 0.85 * total
    assert false <= 1 / 6


def test_over_http_and_continued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = judged_pairs(60, tmp_path / "pairs.jsonl", seed=2)
    judge = scripted_judge(table, accuracy=0.9, position_bias=0.4, verbosity_bias=0.1, failure_rate=0.02, seed=1)
    with serve(judge) as server:
        dry = command(
            capsys,
            *("audit", server.url, "--protocol", "five-way", "-b", "pairs", "--data", tmp_path / "pairs.jsonl"),
            *("--runs", tmp_path / "a", "--wordings", 1, "--dry-run", "--format", "json"),
        )
        assert dry.code == 0, dry.err
        assert not server.received
        given = ("--protocol", "five-way", "-b", "pairs", "--data", tmp_path / "pairs.jsonl", "--runs", tmp_path / "a")
        done = command(capsys, "audit", server.url, *given, "--wordings", 1)
        assert done.code == 0, done.err
        calls = len(server.received)
        rows = json.loads(dry.out)[0]["rows"]
        assert [row["calls"] for row in rows] == [240, 240, 120, 600]
        # 2 orders: 2 repetitions, 2 paddings, 1 wording; and what finds the model.
        assert calls >= 60 * 2 * (2 + 2 + 1)
        again = command(capsys, "audit", server.url, *given, "--wordings", 1, "--json")
        assert len(server.received) - calls < 20
    for text in ("position: prefers", "MDE", "padding", "states no family: give --family", "without a verdict"):
        assert text in done.out
    effects = json.loads(again.out)["effects"]
    (first,) = (one for one in effects if one["name"] == FIRST[1])
    assert first["conclusion"] == "found"
    assert first["ci"][0] <= 0.5 + 0.4 / 2 <= first["ci"][1]
    changed = next(one for one in effects if one["name"] == "verdicts that the order changes")
    assert changed["ci"][0] <= 0.4 <= changed["ci"][1]


def test_a_judge_of_ratings_has_no_order(tmp_path: Path) -> None:
    table = judged_pairs(20, tmp_path / "pairs.jsonl", seed=2)
    given: dict[str, Any] = {"protocol": "rating", "probes": ["verbosity", "position"], "out": tmp_path / "runs"}
    with serve(scripted_judge(table)) as server:
        found = rmeval.audit(server.url, "pairs", tmp_path / "pairs.jsonl", **given)
    assert list(found.left_out) == ["position"]
    assert found.effect("verbosity").value == 0.5


def test_a_model_that_scores(tmp_path: Path) -> None:
    found = rmeval.audit(
        "baseline:longest", "pairs", pairs_file(tmp_path, 60), out=tmp_path / "runs", probes=["verbosity", "position"]
    )
    assert found.left_out == {"position": "the model scores single responses, or its protocol has one order only"}
    padded = found.effect("verbosity")
    assert (padded.value, padded.conclusion) == (1.0, "found")
    shift = found.effect("verbosity", "score of the padded minus the plain response")
    assert shift.unit == "deviations"
    assert shift.value > 1
    random = rmeval.audit("baseline:random", "pairs", pairs_file(tmp_path, 60), out=tmp_path / "runs")
    assert random.found == []
    assert set(random.left_out) == {"position", "self-preference", "wording", "repeats"}


def test_a_comparator_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text(
        "class First:\n    def compare(self, pairs):\n        return [0.9 for pair in pairs]\n"
    )
    found = rmeval.audit(f"{tmp_path}/first.py:First", "pairs", pairs_file(tmp_path, 40), out=tmp_path / "runs")
    assert found.effect(*FIRST).value == 1.0
    assert found.effect("position", "verdicts that the order changes").value == 1.0
    assert found.effect("verbosity").value == 0.5


def test_wrong_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def audit(**options: object) -> Audit:
        return rmeval.audit("baseline:longest", "pairs", pairs_file(tmp_path, 5), out=tmp_path, **options)  # type: ignore[arg-type]

    with pytest.raises(RunError, match="there is no probe 'positoin' in `probes`"):
        audit(probes=["positoin"])
    with pytest.raises(RunError, match="`probes` must be a list of names"):
        audit(probes="position")
    with pytest.raises(RunError, match="`probes` is empty"):
        audit(probes=[])
    with pytest.raises(RunError, match="`repeats` must be a whole number from 2"):
        audit(repeats=1)
    with pytest.raises(RunError, match="`wordings` must be a whole number from 1 to 3"):
        audit(wordings=9)
    with pytest.raises(RunError, match="`smallest` must be above 0"):
        audit(smallest=5)
    with pytest.raises(RunError, match="there is no effect x: the effects are"):
        audit().effect("x")
    done = command(
        capsys, "audit", "baseline:longest", "-b", "pairs", "--data", pairs_file(tmp_path, 5), "--smallest", 0
    )
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--smallest must be" in done.err


def test_the_familys_own_responses_are_needed(tmp_path: Path) -> None:
    found = rmeval.audit(
        "baseline:longest", "pairs", pairs_file(tmp_path, 20), out=tmp_path, family="gpt", probes=["self-preference"]
    )
    assert "there are no pairs of a response of gpt and one of another source" in found.left_out["self-preference"]
    assert OWN.startswith("planted")


def test_the_family_follows_from_the_models_name(tmp_path: Path) -> None:
    (tmp_path / "qwen.py").write_text(
        "class Qwen3Judge:\n    def score(self, talks):\n"
        "        return [talk[-1]['content'].count('own') for talk in talks]\n"
    )
    rows = [
        {"id": str(k), "prompt": f"p{k}", "chosen": f"own {k}", "rejected": f"x {k}", **_sources(k % 2)}
        for k in range(40)
    ]
    (tmp_path / "bench.py").write_text(BENCH.format(rows=rows))
    found = rmeval.audit(f"{tmp_path}/qwen.py:Qwen3Judge", f"{tmp_path}/bench.py:Sourced", out=tmp_path / "runs")
    one = found.effect("self-preference")
    assert (one.value, one.count, one.conclusion) == (1.0, 40, "found")


def _sources(first: int) -> dict[str, str]:
    names = ("Qwen/Qwen3-8B", "Llama-3-8B")
    return {"a": names[first], "b": names[1 - first]}


BENCH = """
from rmeval.benchmarks import Benchmark, Card
from rmeval.benchmarks.base import PAIR
from rmeval.types import Item, Message, Response


class Sourced(Benchmark):
    card = Card("sourced", "Sourced", "", "made", None, "", "", "")

    def load(self):
        for row in {rows!r}:
            texts = [("own" if "Qwen" in row[name] else "x") + row["id"] for name in ("a", "b")]
            yield Item(
                row["id"], "all", (Message("user", row["prompt"]),),
                (Response(texts[0], 1.0, None, row["a"]), Response(texts[1], 0.0, None, row["b"])), PAIR, row["id"],
            )

    def aggregate(self, items, evidence, rule, intervals=True):
        return []
"""
