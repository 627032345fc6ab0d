"""Folders of runs of several benchmarks, data and selections: what can be compared is, and a note names the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rmeval
from tests.command import command
from tests.samples import PLACES, rm_bench_rows

Capture = pytest.CaptureFixture[str]


def pairs_file(path: Path, start: int, stop: int) -> Path:
    rows = [
        {"id": f"p{n}", "prompt": f"what is land {n}", "chosen": PLACES[n % 12] * (1 + n % 5), "rejected": f"it is {n}"}
        for n in range(start, stop)
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def evaluate(out: Path, name: str, data: Path, benchmark: str = "pairs", n_items: int | None = None) -> Path:
    return rmeval.evaluate(f"baseline:{name}", benchmark, data, out=out, n_items=n_items).path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs on two sets of pairs, a third with one run, a partial RM-Bench, and one run of another benchmark."""
    folder = tmp_path_factory.mktemp("groups")
    helpful, harmless = (pairs_file(folder / name / "test.jsonl", a, b) for name, a, b in (("x", 0, 40), ("y", 50, 90)))
    for name in ("longest", "shortest", "random"):
        evaluate(folder / "runs", name, helpful)
    for name in ("longest", "shortest"):
        evaluate(folder / "runs", name, harmless)
    evaluate(folder / "runs", "longest", pairs_file(folder / "alone.jsonl", 100, 120))
    (folder / "rm").mkdir()
    for domain in ("chat", "math"):
        (folder / "rm" / f"{domain}_filtered.json").write_text(json.dumps(rm_bench_rows(domain, 8)))
    for name in ("longest", "shortest"):
        evaluate(folder / "runs", name, folder / "rm", "rm-bench")
    rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=folder / "runs", size=24)
    return folder


def test_each_data_has_its_own_comparison(place: Path) -> None:
    found = rmeval.compare(place / "runs")
    assert [(one.benchmark, one.data, len(one.entries), one.n_items) for one in found] == [
        ("pairs", f"on {place}/x/test.jsonl", 3, 40),
        ("pairs", f"on {place}/y/test.jsonl", 2, 40),
        ("rm-bench", f"on {place}/rm", 2, 16),
    ]
    assert set(found[0].notes) == {
        f"pairs on {place}/alone.jsonl is excluded, because there is only one run of it",
        "rm-bench-synthetic is excluded, because there is only one run of it",
    }
    assert found[0].to_dict()["data"] == found[0].data


def test_the_commands_on_the_folder(place: Path, capsys: Capture) -> None:
    compared = command(capsys, "compare", place / "runs")
    assert compared.code == 0
    heads = [line for line in compared.out.splitlines() if line.startswith(("pairs  on", "rm-bench"))]
    assert len(heads) == 3
    assert " ".join(compared.out.split()).count("only one run") == 2
    csv_rows = command(capsys, "compare", place / "runs", "--format", "csv").out.splitlines()
    assert csv_rows[0].startswith("benchmark,data,table,name,")
    # The rows across benchmarks have no data of their own.
    assert {row.split(",")[1] for row in csv_rows[1:]} - {""} == {
        f"on {place}/{name}" for name in ("x/test.jsonl", "y/test.jsonl", "rm")
    }
    shown = command(capsys, "show", place / "runs")
    assert (shown.code, shown.out.count("\nruns: ")) == (0, 5)
    shown_text = " ".join(shown.out.split())
    assert shown_text.count("no overall: there are no items of code, safety") == 1


def test_data_that_changed_are_labelled_by_their_contents(tmp_path: Path) -> None:
    for start in (0, 50):
        for name in ("longest", "shortest"):
            evaluate(tmp_path / "runs", name, pairs_file(tmp_path / "test.jsonl", start, start + 40))
    first, second = rmeval.compare(tmp_path / "runs")
    assert first.data != second.data
    assert all(one.data.startswith(f"on {tmp_path}/test.jsonl, contents ") for one in (first, second))


def test_a_longer_version_of_the_data_is_in_the_same_group(tmp_path: Path) -> None:
    evaluate(tmp_path / "runs", "longest", pairs_file(tmp_path / "old.jsonl", 0, 40))
    evaluate(tmp_path / "runs", "shortest", pairs_file(tmp_path / "new.jsonl", 0, 60))
    evaluate(tmp_path / "runs", "random", pairs_file(tmp_path / "other.jsonl", 30, 120))
    (found,) = rmeval.compare(tmp_path / "runs")
    assert ({entry.name for entry in found.entries}, found.n_items) == ({"baseline:longest", "baseline:shortest"}, 40)
    assert any("other.jsonl is excluded, because there is only one run of it" in note for note in found.notes)
    (named,) = rmeval.compare(sorted((tmp_path / "runs").glob("*/*/*")))
    assert (len(named.entries), named.n_items) == (3, 10), "runs that are named are compared with each other"


def test_selections_without_common_items_are_compared_separately(tmp_path: Path) -> None:
    (tmp_path / "rm").mkdir()
    for domain in ("chat", "math", "code"):
        (tmp_path / "rm" / f"{domain}_filtered.json").write_text(json.dumps(rm_bench_rows(domain, 8)))
    for domain, names in (("chat", ("longest", "shortest")), ("math", ("random", "markdown")), ("code", ("longest",))):
        for name in names:
            out = tmp_path / "runs" / domain
            rmeval.evaluate(f"baseline:{name}", "rm-bench", tmp_path / "rm", out=out, subsets=[domain])
    found = rmeval.compare(tmp_path / "runs")
    assert [{scope for _, scope in one.differences} for one in found] == [{"chat"}, {"math"}]
    assert [one.data for one in found] == [f"on {tmp_path}/rm, subsets {domain}" for domain in ("chat", "math")]
    (note,) = (note for note in found[0].notes if "has no item in common with the others" in note)
    assert "/code/" in note


def test_a_run_that_shrinks_a_comparison_is_named(tmp_path: Path) -> None:
    data = pairs_file(tmp_path / "data.jsonl", 0, 40)
    for name in ("longest", "shortest"):
        evaluate(tmp_path / "runs", name, data)
    small = evaluate(tmp_path / "runs", "random", data, n_items=10)
    (found,) = rmeval.compare(tmp_path / "runs")
    assert found.notes == (
        "compared on the 10 items that all runs have",
        f"{small.resolve()} has only 10 items: leave it out to compare the other runs on more",
    )
