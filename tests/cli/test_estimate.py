"""`rmeval estimate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rmeval
from tests.command import command

Capture = pytest.CaptureFixture[str]
SIZE = 160


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two baselines on all items, and of one of them on a sample, in `sample`."""
    out = tmp_path_factory.mktemp("runs")
    for name in ("longest", "markdown"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=out, size=SIZE)
    rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=out / "sample", size=SIZE, n_items=60)
    return out


def arguments(runs: Path) -> tuple[object, ...]:
    made = runs / "rm-bench-synthetic"
    return (
        "--cheap",
        made / "baseline-markdown",
        "--expensive",
        runs / "sample",
        "--metric",
        "average",
        "--scope",
        "chat",
    )


def test_what_the_cheap_run_is_worth_comes_first(runs: Path, capsys: Capture) -> None:
    done = command(capsys, "estimate", *arguments(runs))
    assert done.code == 0, done.err
    places = [done.out.index(text) for text in ("what the cheap run is worth", "both runs", "sample alone  ")]
    assert places == sorted(places)
    assert "drawn at random (seed 0); baseline:markdown on all" in " ".join(done.out.split())


@pytest.mark.parametrize("form", ["table", "md", "latex", "csv", "json"])
def test_a_file_holds_what_is_printed(form: str, runs: Path, tmp_path: Path, capsys: Capture) -> None:
    printed = command(capsys, "estimate", *arguments(runs), "--format", form)
    written = command(capsys, "estimate", *arguments(runs), "--format", form, "-o", tmp_path / "out")
    assert (printed.code, written.code, written.out) == (0, 0, ""), written.err
    assert (tmp_path / "out").read_text() == printed.out


def test_json_has_all_fields(runs: Path, capsys: Capture) -> None:
    done = command(capsys, "estimate", *arguments(runs), "--json", "--target", "population")
    found = json.loads(done.out)
    assert (found["metric"], found["scope"], found["target"]) == ("average", "chat", "population")
    assert found["ci"][0] <= found["value"] <= found["ci"][1]
    assert found["n_items"] == SIZE // 4


def test_items_are_chosen_run_and_used(runs: Path, tmp_path: Path, capsys: Capture) -> None:
    cheap, items = runs / "rm-bench-synthetic" / "baseline-markdown", tmp_path / "items.csv"
    done = command(capsys, "estimate", "--cheap", cheap, "--choose", 40, "--seed", 2, "-o", items)
    assert done.code == 0, done.err
    assert (
        "40 of 160 items for the overall, drawn by weight and by the margins of baseline:markdown"
        in done.out.replace("\n", "")
    )
    assert "written: " in done.err
    printed = command(capsys, "estimate", "--cheap", cheap, "--choose", 40, "--seed", 2)
    assert [json.loads(line)["id"] for line in printed.out.splitlines()] == [
        line.partition(",")[0] for line in items.read_text().splitlines()[1:]
    ]
    options = ("-b", "rm-bench-synthetic", "--size", SIZE, "-o", tmp_path / "runs", "--items", items)
    ran = command(capsys, "run", "baseline:longest", *options)
    assert (ran.code, "selection: 40 items of items.csv" in " ".join(ran.out.split())) == (0, True), ran.err
    both = ("--cheap", cheap, "--expensive", tmp_path / "runs")
    forgotten = command(capsys, "estimate", *both)
    assert forgotten.code == 2
    assert "which have different probabilities: give that file with --items" in forgotten.err
    found = command(capsys, "estimate", *both, "--items", items)
    assert found.code == 0, found.err
    assert "overall of baseline:longest" in found.out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "give --expensive, the run on a sample, or --choose, the number of items to run it on"),
        (("--choose", 20, "--expensive", "x"), "give --expensive, the run on a sample, or --choose"),
        (
            ("--choose", 20, "--json"),
            "--choose writes items: leave out --items, --target, --rule, --prices, --format and",
        ),
        (("--choose", 2), "--choose must be a whole number and at least 10, not 2"),
        (("--choose", 20, "-o", "items.xyz"), "the ending .xyz is not one of a format that rmeval writes"),
        (("--expensive", "nowhere"), "is not a run folder"),
        (("--expensive", "x", "--target", "y"), "--target 'y': choose benchmark or population"),
        (("--expensive", "x", "--items", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_wrong_options_are_one_sentence(
    options: tuple[object, ...], sentence: str, runs: Path, capsys: Capture
) -> None:
    done = command(capsys, "estimate", "--cheap", runs / "rm-bench-synthetic" / "baseline-markdown", *options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done
    assert sentence in done.err
