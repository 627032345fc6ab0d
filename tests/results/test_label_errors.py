"""Numbers of a run, corrected for label errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.benchmarks import BUILTIN, Agreement, find_benchmark
from rmeval.errors import DataError
from rmeval.metrics import OFFICIAL, SHARED
from rmeval.metrics.stats.label_errors import errors_of_agreement
from rmeval.results.label_errors import corrected_numbers
from rmeval.store import read_run
from tests.command import command
from tests.results.test_wrong import OTHERS, imported
from tests.samples import rm_bench_rows

Capture = pytest.CaptureFixture[str]


MANY = """
from rmeval.benchmarks import Card, TableBenchmark
from rmeval.types import Comparison, Item, Message, Response

class Many(TableBenchmark):
    card = Card("many", "Many", "The best of three.", "", None, "", "", "")

    def items(self, row):
        return []

    def load(self):
        for k in range(6):
            responses = tuple(Response(f"{one} {k}", float(one == "a")) for one in "abc")
            yield Item(str(k), "s", (Message("user", str(k)),), responses, (Comparison((0, 1, 2), 0, "best"),), str(k))
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Four of six pairs are won: one of two vowels, three of four consonants."""
    return imported(tmp_path, "mine", {**OTHERS, "a": (0.0, 1.0), "b": (2.0, 1.0), "c": (2.0, 1.0)})


def test_a_share_for_all_labels(run: Path) -> None:
    found = rmeval.analyze(run, label_agreement=0.82).corrected
    assert found is not None
    assert found.sources == ("two annotators agree in 82.0%, so that one is wrong in 10.0%",)
    (only,) = found.numbers
    assert only.measure == ("accuracy", "all")
    assert [only.observed, only.ceiling] == pytest.approx([4 / 6, 0.9])
    assert only.value == pytest.approx((4 / 6 - 0.1) / 0.8)
    errors = rmeval.analyze(run, label_errors="0.1").corrected
    assert errors is not None
    assert errors.sources == ("10.0% are wrong",)
    assert errors.numbers[0].value == pytest.approx(only.value)
    assert rmeval.analyze(run).corrected is None
    with pytest.raises(DataError, match="no 'x' on 'all': choose from accuracy all"):
        found.number("x")


def test_labels_without_errors(run: Path) -> None:
    found = rmeval.analyze(run, label_agreement="200/200").corrected
    assert found is not None
    (only,) = found.numbers
    assert (only.errors, only.ceiling) == (0.0, 1.0)
    assert only.value == pytest.approx(only.observed)
    assert only.ci is not None
    assert only.observed_ci is not None
    # Of 200 annotations that agree, some labels may still be wrong.
    assert only.ci[1] > only.observed_ci[1]


def test_shares_of_subsets_correct_each_number_by_its_own(run: Path) -> None:
    found = rmeval.analyze(run, label_errors={"vowel": "1/10", "consonant": 0.2}).corrected
    assert found is not None
    assert found.sources == ("vowel: 10.0% of 10 checked labels are wrong", "consonant: 20.0% are wrong")
    assert found.number("accuracy", "vowel").value == pytest.approx(0.5)
    assert found.number("accuracy", "consonant").value == pytest.approx((0.75 - 0.2) / 0.6)
    whole = found.number("accuracy")
    assert whole.value == pytest.approx((0.5 * 2 + (0.75 - 0.2) / 0.6 * 4) / 6)
    assert whole.errors == pytest.approx((0.1 * 2 + 0.2 * 4) / 6)
    only = rmeval.analyze(run, label_errors={"vowel": 0.1}).corrected
    assert only is not None
    assert [one.measure for one in only.numbers] == [("accuracy", "vowel")]


def test_errata_count_by_subset(tmp_path: Path) -> None:
    rows = rm_bench_rows("code", 450)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "code_filtered.json").write_text(json.dumps(rows))
    (folder / "chat_filtered.json").write_text(json.dumps(rm_bench_rows("chat", 5)))
    path = rmeval.evaluate("baseline:longest", "rm-bench", folder, out=tmp_path / "runs").path
    found = rmeval.analyze(path, label_errors="errata").corrected
    assert found is not None
    assert found.sources == ("known errata: 1 of 450 in code; items that nobody has checked may be wrong too",)
    assert [one.errors for one in found.numbers] == pytest.approx([1 / 450] * 5)
    assert found.number("style_gap", "code").value == pytest.approx(found.number("style_gap", "code").observed)
    assert any("share one label" in note for note in found.notes)


def test_agreement_that_a_card_publishes(run: Path) -> None:
    stored = read_run(run)
    table, card = stored.evidence("score"), stored.benchmark.card

    def numbers(agreement: Any) -> Any:
        stored.benchmark.card = replace(card, agreement=agreement)
        official = stored.benchmark.aggregate(stored.items.table, table, OFFICIAL)
        return corrected_numbers(stored, table, OFFICIAL, official, None, None)

    found = numbers({"all": Agreement(0.82, "somewhere", 100), "vowel": Agreement(0.9, "elsewhere")})
    assert found.sources == (
        "two annotators agree in 90.0%, so that one is wrong in 5.3% (elsewhere)",
        "two annotators agree in 82.0%, so that one is wrong in 10.0% (somewhere)",
    )
    assert found.number("accuracy", "vowel").errors == pytest.approx(errors_of_agreement(0.9).rate)
    assert numbers({}) is None
    for wrong in (0.9, Agreement(0.5, "somewhere")):
        with pytest.raises(DataError, match="the card of pairs has the agreement"):
            numbers({"all": wrong})


def test_cards_publish_agreement_with_its_source() -> None:
    known = {name: find_benchmark(name).made.card for name in BUILTIN}
    for name, card in known.items():
        for subset, own in card.agreement.items():
            assert subset == "all" or subset in card.counts, name
            assert 0.5 < own.share <= 1, name
            assert "arXiv" in own.source, name
    assert {name for name, card in known.items() if card.agreement} == {
        "llmbar", "preference-test-sets", "reward-bench",
    }  # fmt: skip


def test_comparisons_of_more_than_two_responses_are_not_corrected(tmp_path: Path) -> None:
    file = tmp_path / "many.py"
    file.write_text(MANY)
    path = rmeval.evaluate("baseline:random", f"{file}:Many", out=tmp_path / "runs").path
    with pytest.raises(DataError, match="no number of many can be corrected for these label errors"):
        rmeval.analyze(path, label_errors=0.1, benchmark=f"{file}:Many")


def test_shared_ties_are_not_losses(tmp_path: Path) -> None:
    run = imported(tmp_path, "ties", dict.fromkeys(OTHERS, (1.0, 1.0)))
    shared = rmeval.analyze(run, rule=SHARED.name, label_errors=0.1).corrected
    lost = rmeval.analyze(run, label_errors=0.1).corrected
    assert shared is not None
    assert lost is not None
    assert [shared.numbers[0].value, lost.numbers[0].value] == pytest.approx([0.5, 0.0])
    assert not lost.numbers[0].outside


def test_the_command(run: Path, capsys: Capture) -> None:
    done = command(capsys, "analyze", run, "--label-agreement", "82/100")
    assert done.code == 0, done.err
    assert "label errors: two annotators agree in 82.0%, so that one is wrong in 10.0% (of 100 comparisons)" in done.out
    assert " ceiling " in done.out
    value = json.loads(command(capsys, "analyze", run, "--label-errors", "vowel=0.1", "--json").out)
    assert value["corrected"]["numbers"][0]["errors"] == pytest.approx(0.1)
    assert json.loads(command(capsys, "analyze", run, "--json").out)["corrected"] is None
    outside = command(capsys, "analyze", run, "--label-errors", "0.4")
    assert "! " not in outside.out.partition("label errors")[2].partition("calibration")[0]
    assert "the corrected accuracy all is outside of its range" in outside.out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--label-agreement", "0.5"), "--label-agreement 0.5 cannot be used: at an agreement of one half or less"),
        (("--label-errors", "6/10"), "--label-errors 6/10 cannot be used: one half of the labels or more are wrong"),
        (
            ("--label-errors", "3/2"),
            "must be a share such as 0.85, or two counts such as 170/200, not '3/2'",
        ),
        (("--label-errors", "nan"), "--label-errors must be a share"),
        (("--label-errors", "1/0"), "--label-errors must be a share"),
        (("--label-errors", "1/9000000000"), "--label-errors must be a share"),
        (("--label-agreement", "x=0.9"), "there is no subset 'x': choose from vowel, consonant"),
        (("--label-agreement", "0.9", "--label-errors", "0.1"), "--label-agreement and --label-errors are two ways"),
        (("--label-agreement", "0.9", "--label-agreement", "0.8"), "--label-agreement is given 2 times"),
        (("--label-errors", "errata"), "the items of this run have no known errata in pairs"),
    ],
)
def test_wrong_options_are_one_sentence(options: tuple[str, ...], sentence: str, run: Path, capsys: Capture) -> None:
    done = command(capsys, "analyze", run, *options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done
    assert sentence in done.err
