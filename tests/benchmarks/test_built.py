"""A finished benchmark by its folder: on the command line, from Python, and from runs whose folder is gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import rmeval
from rmeval.benchmarks.built import card_of
from rmeval.errors import DataError
from tests.build.samples import assembled, config_of, record
from tests.command import command


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of 20 items in two domains."""
    folder = tmp_path_factory.mktemp("built")
    records = [record(number, domain) for domain in ("money", "physics-de") for number in range(10)]
    assembled(config_of(folder, ("physics-de", "money")), folder / "my-bench", records)
    return folder / "my-bench"


def test_it_loads_by_its_folder(finished: Path) -> None:
    for place in (finished, finished / "benchmark"):
        found = rmeval.load_benchmark(str(place))
        items = list(found.load())
        assert len(items) == 20
        assert (items[0].id, items[0].cluster, items[0].meta["licence"]) == ("money/000", "money/000", "MIT")
    card = found.card
    assert (card.id, card.title, card.licence) == ("sums", "Sums", "CC-BY-4.0")
    assert card.sections == {"physics-de": ("physics-de",), "money": ("money",)}
    assert card.formulas == ("style-substance/accuracy@1",)


def test_numbers_of_any_domains(finished: Path, tmp_path: Path) -> None:
    result = rmeval.evaluate("baseline:longest", str(finished), out=tmp_path)
    assert {one.formula for one in result.records} == {"style-substance/accuracy@1"}
    levels = [result.value(level, scope) for scope in ("money", "physics-de", "all") for level in ("easy", "hard")]
    assert levels == [1.0, 0.0] * 3
    # Nine cells, of which the longest wins the three of Easy; ties lose.
    assert result.value("overall") == pytest.approx(1 / 3)


def test_runs_open_without_the_folder(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = shutil.copytree(finished, tmp_path / "my-bench")
    ran = command(capsys, "run", "baseline:longest", "-b", place, "-o", tmp_path / "runs", "--store-text")
    other = command(capsys, "run", "rmeval/tiny", "-b", place / "benchmark", "-o", tmp_path / "runs")
    assert (ran.code, other.code) == (0, 0), ran.err + other.err
    assert "physics-de" in ran.out
    shutil.rmtree(place)
    runs = sorted((tmp_path / "runs" / "sums").glob("*/*"))
    assert len(runs) == 2
    for run in runs:
        (run / "metrics.json").unlink()
        shown = command(capsys, "show", run)
        assert shown.code == 0, shown.err
        assert "physics-de" in shown.out
    compared = command(capsys, "compare", *runs, "--json")
    assert compared.code == 0, compared.err
    longest = next(run for run in runs if "longest" in str(run))
    wrong = command(capsys, "errors", longest, "--format", "csv")
    assert (wrong.code, "The answer for money" in wrong.out) == (0, True), wrong.err


def test_commands_take_the_folder(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = command(capsys, "items", finished, "-o", tmp_path / "items.jsonl")
    assert items.code == 0, items.err
    assert len((tmp_path / "items.jsonl").read_text().splitlines()) == 20
    listed = command(capsys, "list", "-b", finished, "--json")
    row = next(one for one in json.loads(listed.out) if one["id"] == "sums")
    assert (row["items"], row["licence"], row["benchmark"]) == (20, "CC-BY-4.0", str(finished))
    suite = tmp_path / "mine.yaml"
    suite.write_text(f"benchmarks: [{{id: ./{finished.name}}}, {{id: rm-bench-synthetic, size: 16}}]\n")
    shutil.copytree(finished, tmp_path / finished.name)
    ran = command(capsys, "run", "baseline:longest", "-b", suite, "-o", tmp_path / "runs")
    assert ran.code == 0, ran.err
    assert {path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()} == {"sums", "rm-bench-synthetic"}


def test_texts_of_a_moved_folder(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = shutil.copytree(finished, tmp_path / "my-bench")
    assert command(capsys, "run", "baseline:longest", "-b", place, "-o", tmp_path / "runs").code == 0
    place.rename(tmp_path / "moved")
    lost = command(capsys, "errors", tmp_path / "runs")
    assert (lost.code, "there is no folder" in lost.err) == (2, True)
    found = command(capsys, "errors", tmp_path / "runs", "--data", tmp_path / "moved", "--format", "csv")
    assert (found.code, "The answer for money" in found.out) == (0, True), found.err


def test_equal_contents_are_one_run(finished: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(finished / "benchmark", tmp_path / "copy")
    first = rmeval.evaluate("baseline:longest", str(finished), out=tmp_path / "runs")
    second = rmeval.evaluate("baseline:longest", str(copy), out=tmp_path / "runs")
    assert first.path == second.path


def test_citations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = [record(number) for number in range(6)]
    for name, citation in (("one", "@misc{one}"), ("two", "")):
        config = config_of(tmp_path, assemble={"citation": citation}, name=name)
        assembled(config, tmp_path / name, records)
        rmeval.evaluate("baseline:longest", str(tmp_path / name), out=tmp_path / "runs")
        shutil.rmtree(tmp_path / name)
    done = command(capsys, "cite", tmp_path / "runs")
    assert (done.code, done.out.strip()) == (0, "@misc{one}")
    nothing = command(capsys, "cite", tmp_path / "runs" / "two")
    assert (nothing.code, "its benchmark (two) has no citation" in nothing.err) == (2, True), nothing.err


def test_domains_of_rm_bench_have_its_formula(tmp_path: Path) -> None:
    domains = ("chat", "math", "code", "safety-refuse", "safety-response")
    records = [record(number, domain) for domain in sorted(domains) for number in range(5)]
    assembled(config_of(tmp_path, domains), tmp_path / "own", records)
    own = rmeval.evaluate("baseline:longest", str(tmp_path / "own"), out=tmp_path / "runs")
    data = str(tmp_path / "own" / "benchmark" / "total_dataset.json")
    published = rmeval.evaluate("baseline:longest", "rm-bench", data, out=tmp_path / "runs")
    assert {one.formula for one in own.records} == {"rm-bench/accuracy@1"}
    assert {(one.metric, one.scope, one.value, one.ci) for one in own.records} == {
        (one.metric, one.scope, one.value, one.ci) for one in published.records
    }


def test_a_half_of_safety_alone(tmp_path: Path) -> None:
    records = [record(number, "safety-response") for number in range(6)]
    assembled(config_of(tmp_path, ("safety-response",)), tmp_path / "own", records)
    found = rmeval.evaluate("baseline:longest", str(tmp_path / "own"), out=tmp_path / "runs")
    assert {one.scope for one in found.records} == {"safety", "all"}


FIELDS = {"id": "x", "title": "X", "measures": "m", "licence": "l", "items": "data/x.parquet", "counts": {"a": 1}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": ""}, "the card of x has no title: add it to rmeval.toml"),
        ({"licence": 3}, "has the licence 3: write a string"),
        ({"items": "../../etc/passwd"}, "write the path of a file in its folder"),
        ({"items": "/etc/passwd"}, "write the path of a file in its folder"),
        ({"counts": {"a": "many"}}, "write a table with the number of items by domain"),
        ({"counts": {}}, "write a table with the number of items by domain"),
        ({"version": 9}, "was written by a newer rmeval (version 9): upgrade rmeval"),
    ],
)
def test_wrong_cards(change: dict[str, object], message: str) -> None:
    assert card_of(FIELDS, "x").title == "X"
    with pytest.raises(DataError) as error:
        card_of(FIELDS | change, "x")
    assert message in str(error.value)


def test_wrong_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str], finished: Path) -> None:
    def message(place: object) -> str:
        done = command(capsys, "run", "baseline:longest", "-b", place, "-o", tmp_path / "runs")
        assert (done.code, done.err.count("\n")) == (2, 1), done.err
        return done.err

    (tmp_path / "empty").mkdir()
    assert "is not the folder of a finished benchmark (it has no rmeval.toml)" in message(tmp_path / "empty")
    (tmp_path / "begun" / "1-problems").mkdir(parents=True)
    assert "is not finished: run rmeval build with its config again" in message(tmp_path / "begun")
    assert "there is no benchmark" in message(tmp_path / "nowhere")
    assert "no folder is given" in message("built")
    broken = shutil.copytree(finished / "benchmark", tmp_path / "broken")
    (broken / "rmeval.toml").write_text("id = ")
    assert "is not TOML" in message(broken)
    lost = shutil.copytree(finished / "benchmark", tmp_path / "lost")
    (lost / "data" / "test-00000-of-00001.parquet").unlink()
    assert "which rmeval.toml names: restore it, or build again" in message(lost)
    refused = command(capsys, "run", "baseline:longest", "-b", finished, "--data", "elsewhere", "-o", tmp_path / "runs")
    assert (refused.code, "has no option 'data'" in refused.err) == (2, True)
