"""The report: each number by hand, on a build with known counts."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.build import BuildFolder, Dropped, StageResult
from rmeval.build.funnel import Used
from rmeval.build.report.report import BuildReport, report_build, spent_on
from rmeval.build.report.scorers import Scorer
from rmeval.build.report.wrong import wrong_items
from rmeval.errors import ModelError, RunError
from rmeval.report import View, csv_text, latex_text, markdown_text, views_text
from rmeval.report.build_report import build_report_view
from rmeval.report.figures.funnel import draw_funnel
from tests.build.samples import assembled, config_of, record
from tests.command import command

DROPPED = [
    Dropped("math/097", "no wrong sample"),
    Dropped("math/098", "no right sample"),
    Dropped("math/099", "no right sample"),
    Dropped("money/099", "not verified"),
]
AGREEMENT = {
    "reviewers": ["anna", "ben"],
    "questions": "responses",
    "domain": None,
    "units": 20,
    "equal": 0.9,
    "kappa": 0.615,
    "interval": [0.2, 0.9],
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of 24 + 24 items."""
    folder = tmp_path_factory.mktemp("report")
    records = [record(number, domain) for domain in ("math", "money") for number in range(24)]
    assembled(config_of(folder, ("math", "money")), folder / "my-bench", records, DROPPED)
    facts = {"calls": 0, "review": {"agreement": [AGREEMENT]}}
    BuildFolder(folder / "my-bench").write("review", StageResult(records, (), "4", facts))
    return folder / "my-bench"


@pytest.fixture(scope="module")
def run(out: Path) -> Path:
    return rmeval.evaluate("baseline:shortest", str(out), out=out.parent / "runs").path


@pytest.fixture(scope="module")
def found(out: Path, run: Path) -> BuildReport:
    return report_build(out, [run])


def test_counts(found: BuildReport) -> None:
    assert (found.problems, found.items, found.calls) == (52, 48, 8)
    funnel = {(one.stage, one.domain): (one.kept, dict(one.left_out)) for one in found.funnel}
    assert funnel["problems", "math"] == (27, {})
    assert funnel["responses", "math"] == (24, {"no right sample": 2, "no wrong sample": 1})
    assert list(funnel["responses", "math"][1]) == ["no right sample", "no wrong sample"]
    assert funnel["responses", "money"] == (24, {"not verified": 1})
    assert funnel["assemble", "money"] == (24, {})


def test_cost_by_stage_and_model(tmp_path: Path) -> None:
    used = [
        Used("responses", "writer", "large", "math/solve@1", 10, 9, 1_000_000, 500_000, 7.0),
        Used("responses", "writer", "large", "code/solve@1", 5, 5, 0, 500_000, 5.0),
        Used("styles", "judge", "small", "chat/check@1", 2, 2, 100_000, 0, None),
    ]
    first, second = spent_on(used, None)
    assert (first.stage, first.model, first.calls, first.ok) == ("responses", "large", 15, 14)
    assert (first.input_tokens, first.output_tokens, first.cost) == (1_000_000, 1_000_000, 12.0)
    assert second.cost != second.cost
    prices = tmp_path / "prices.toml"
    prices.write_text('["large"]\ninput = 1\noutput = 2\n["*"]\ninput = 10\noutput = 0\n')
    assert [one.cost for one in spent_on(used, prices)] == [3.0, 1.0]
    prices.write_text('["large"]\ninput = 1\noutput = 2\n')
    with pytest.raises(ModelError, match="has no price of the model 'small'"):
        spent_on(used, prices)


def test_scorers_beside_each_other(found: BuildReport, out: Path) -> None:
    levels = {
        scorer.name: {one.domain: (one.easy, one.normal, one.hard) for one in scorer.levels} for scorer in found.scorers
    }
    assert list(levels) == [
        "random",
        "longest",
        "shortest",
        "markdown",
        "words and bigrams",
        "style only",
        "rmeval/tiny",
        "baseline:shortest",
    ]
    assert levels["longest"]["math"] == (1.0, 0.5, 0.0)
    # A run has the official rule, by which ties lose.
    assert levels["baseline:shortest"] == dict.fromkeys(("math", "money", "all"), (0.0, 0.0, 1.0))
    tiny = rmeval.evaluate("rmeval/tiny", str(out), out=out.parent / "further")
    assert levels["rmeval/tiny"]["money"] == tuple(tiny.value(name, "money") for name in ("easy", "normal", "hard"))


def scorer(name: str, credit: Mapping[str, float]) -> Scorer:
    return Scorer(name, "model", (), credit)


def test_items_that_every_model_gets_wrong() -> None:
    records = [record(number) for number in range(5)]
    one = scorer("one", {"math/000": 0.4, "math/001": 0.1, "math/002": 0.5, "math/003": 0.0, "math/004": 0.2})
    two = scorer("two", {"math/000": 0.4, "math/001": 0.3, "math/002": 0.0, "math/003": 0.6})
    found = wrong_items(records, [one, two])
    # 002 is half right by one, 003 is right by two, 004 has no score of two.
    assert [(own.item, own.credit) for own in found] == [
        ("math/001", {"one": 0.1, "two": 0.3}),
        ("math/000", {"one": 0.4, "two": 0.4}),
    ]
    assert (found[0].prompt, found[0].answer) == (records[1].problem.prompt, records[1].problem.answer)
    assert found[0].chosen == records[1].of("chosen")[0].text
    assert wrong_items(records, []) == []


def test_wrong_items_go_to_other_commands(
    out: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wrong.jsonl"
    form = ("--format", "json", "--n", 1)
    done = command(capsys, "build", "report", out, "--run", run, "--save-items", file, *form)
    assert done.code == 0, done.err
    assert sum(row["table"] == "wrong" for row in json.loads(done.out)[0]["rows"]) == 1
    ids = [json.loads(line)["id"] for line in file.read_text().splitlines()]
    assert 0 < len(ids) <= 48
    listed = command(capsys, "items", out, "--items", file, "-o", tmp_path / "items.jsonl")
    assert listed.code == 0, listed.err
    assert len((tmp_path / "items.jsonl").read_text().splitlines()) == len(ids)
    again = command(capsys, "build", "report", out, "--save-items", file)
    assert (again.code, again.err.count("\n")) == (2, 1)


@pytest.mark.parametrize("render", [views_text, markdown_text, latex_text, csv_text])
def test_every_format(found: BuildReport, render: Callable[[list[View]], str]) -> None:
    text = render([build_report_view(found, 1)])
    for part in ("no right sample", "style only", "baseline:shortest", "anna and ben"):
        assert part in text
    if render is csv_text:
        rows = list(csv.DictReader(io.StringIO(text)))
        kept = {row["stage"]: row["kept"] for row in rows if row["table"] == "funnel" and row["domain"] == "money"}
        assert kept == {"problems": "25", "responses": "24", "styles": "24", "review": "24", "assemble": "24"}
        kappa = next(row for row in rows if row["table"] == "agreement")
        assert (kappa["kappa"], kappa["kappa low"]) == ("0.615", "0.2")


def test_all_fields(found: BuildReport) -> None:
    fields: dict[str, Any] = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (fields["benchmark"], fields["problems"], fields["items"], fields["cost"]) == ("my-bench", 52, 48, None)
    assert {gate["name"] for gate in fields["gates"]} >= {"verified", "baselines", "licence"}
    assert len(fields["balance"]) == 6


def test_the_figure(found: BuildReport, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for theme in ("light", "dark"):
        draw_funnel(found, tmp_path / f"{theme}.png", theme)
        assert (tmp_path / f"{theme}.png").read_bytes().startswith(b"\x89PNG")


def test_a_build_that_has_not_finished(out: Path, tmp_path: Path) -> None:
    begun = shutil.copytree(out, tmp_path / "begun")
    shutil.rmtree(begun / "5-assemble")
    shutil.rmtree(begun / "3-styles")
    found = report_build(begun)
    assert found.items == 48
    assert found.scorers == []
    assert found.notes == [
        "the build has not finished (its last stage is responses): there are no numbers of the benchmark yet"
    ]


def test_wrong_folders_and_runs(out: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="contains no build: give the folder that rmeval build has written"):
        report_build(tmp_path)
    with pytest.raises(RunError, match="contains a finished benchmark without its build"):
        report_build(out / "benchmark")
    other = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=16, out=tmp_path / "runs").path
    with pytest.raises(RunError, match="is a run on rm-bench-synthetic with other items"):
        report_build(out, [other])


def test_results_of_an_earlier_state_are_left_out(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "my-bench")
    folder = BuildFolder(tmp_path / "my-bench")
    review, assemble = folder.read("review"), folder.read("assemble")
    assert review is not None
    assert assemble is not None
    folder.write("assemble", replace(assemble, facts={**assemble.facts, "before": review.state}))
    assert report_build(folder.path).scorers
    for changed in (replace(review, records=review.records[1:]), replace(review, facts={"waits": "1 item waits"})):
        folder.write("review", changed)
        found = report_build(folder.path)
        assert (found.items, len(found.scorers), found.gates) == (len(changed.records), 0, ())
        assert "the results from assemble on" in found.notes[0]


def test_responses_that_are_too_long_for_the_embedded_model(tmp_path: Path) -> None:
    records = [record(number) for number in range(2)]
    own = records[0].candidates
    longer = tuple(
        replace(one, text=f"{'Well. ' * 1_500}{one.text}") if "plain" in str(one.style) else one for one in own
    )
    records[0] = replace(records[0], candidates=longer)
    gates = dict.fromkeys(("baselines", "balance"), "warn")
    assembled(config_of(tmp_path, ("math",), assemble={"gates": gates}), tmp_path / "my-bench", records)
    found = report_build(tmp_path / "my-bench")
    assert found.scorers[-1].name == "rmeval/tiny"
    assert "rmeval/tiny: cut to fit: 2 conversations" in found.notes


def test_columns_of_words_are_aligned_on_the_left(found: BuildReport) -> None:
    view = build_report_view(found)
    assert "| stage | domain | kept | left out | reasons |\n| :-- | :-- | --: | --: | :-- |" in markdown_text([view])
    assert "\\begin{tabular}{llrrl}" in latex_text([view])
    lines = views_text([view]).splitlines()
    header = next(line for line in lines if line.startswith("stage") and "reasons" in line)
    line = next(line for line in lines if "2 no right sample" in line)
    assert header.index("reasons") == line.index("2 no right sample")
    assert header.index("domain") == line.index("math")
