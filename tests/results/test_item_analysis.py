"""Item response of runs: which runs and items count, suspect items, short forms and estimates from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.errors import DataError, RunError
from rmeval.importers.run import import_scores
from rmeval.store.run import read_scored
from tests.command import command, process
from tests.metrics.stats.planted import Planted, plant

ITEMS, MODELS = 60, 8


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pairs(folder: Path, order: list[int] | None = None) -> Path:
    """Pairs in two subsets, in some order."""
    rows = [
        {
            "id": f"q{n:02}",
            "prompt": f"number {n}",
            "chosen": f"{n} is right",
            "rejected": f"{n} may be wrong",
            "subset": "odd" if n % 2 else "even",
        }
        for n in order or range(ITEMS)
    ]
    return write(folder / "pairs.jsonl", rows)


def imported(folder: Path, truth: Planted, out: str = "runs", items: list[int] | None = None, name: str = "m") -> Path:
    """Runs with planted results: a model that is right scores the chosen response higher."""
    benchmark = rmeval.load_benchmark("pairs", str(folder / "pairs.jsonl"))
    for model, right in enumerate(truth.share):
        rows = [
            {"item_id": f"q{n:02}", "response": k, "score": float((k == 0) == bool(right[n]))}
            for n in (items or range(ITEMS))
            for k in (0, 1)
        ]
        scores = write(folder / f"{name}{model}.jsonl", rows)
        import_scores(scores, benchmark, folder / out, name=f"{name}{model}")
    return folder / out


@pytest.fixture(scope="module")
def truth() -> Planted:
    return plant(3, MODELS, ITEMS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, truth: Planted) -> Path:
    found = tmp_path_factory.mktemp("items")
    pairs(found)
    runs = imported(found, truth)
    rmeval.evaluate("baseline:longest", "pairs", found / "pairs.jsonl", out=runs)
    return found


def test_items_and_models(folder: Path, truth: Planted) -> None:
    found = rmeval.analyze_items(folder / "runs")
    assert (found.benchmark, found.measure, found.alike) == ("pairs", ("accuracy", "all"), 0.0)
    assert {one.item for one in found.items} == {f"q{n:02}" for n in range(ITEMS)}
    right = {one.item: one.right for one in found.items}
    assert [right[f"q{n:02}"] for n in range(ITEMS)] == pytest.approx(truth.share.mean(axis=0))
    assert [one.information for one in found.items] == sorted((one.information for one in found.items), reverse=True)
    # Models have the numbers of their runs.
    values = {one.name: one.value for one in found.models}
    for path in (folder / "runs").rglob("run.json"):
        result = rmeval.open_run(path.parent)
        if (name := result.manifest["model"]["name"]) != "baseline:longest":
            assert values[name] == pytest.approx(result.value("accuracy"))
    assert len(values) == MODELS
    assert "baseline:longest: not included, because null baselines ignore the content" in found.notes
    assert any(note.startswith("8 models: with fewer than 20") for note in found.notes)
    assert all(one.discrimination < 0 for one in found.suspect)
    assert [one.negative for one in found.suspect] == sorted((one.negative for one in found.suspect), reverse=True)


@pytest.mark.slow
def test_items_that_able_models_get_wrong_come_first(tmp_path: Path) -> None:
    """Three items with flipped labels among sixty, seen by 24 models."""
    planted = plant(5, 24, ITEMS, flipped=0.0)
    share = planted.share.copy()
    able = np.argsort(planted.ability)
    for n in (7, 21, 40):
        share[:, n] = 0.0
        share[able[:12], n] = 1.0
    pairs(tmp_path)
    runs = imported(tmp_path, Planted(**{**vars(planted), "share": share}))
    found = rmeval.analyze_items(runs)
    assert {one.item for one in found.suspect[:3]} == {"q07", "q21", "q40"}
    assert all(one.negative > 0.99 for one in found.suspect[:3])


@pytest.mark.slow
def test_order_of_items_and_runs_changes_no_number(folder: Path, truth: Planted, tmp_path: Path) -> None:
    pairs(tmp_path, list(reversed(range(ITEMS))))
    moved = imported(tmp_path, truth, name="x")
    one, other = rmeval.analyze_items(folder / "runs", short=12), rmeval.analyze_items(moved, short=12)
    assert one.items == other.items
    assert [m.ability for m in one.models] == [m.ability for m in other.models]
    assert one.short is not None
    assert other.short is not None
    assert dict(one.short.items) == pytest.approx(dict(other.short.items))
    assert dict(one.short.errors) == pytest.approx(dict(other.short.errors))
    paths = [path.parent for path in sorted((folder / "runs").rglob("run.json"), reverse=True)]
    again = rmeval.analyze_items(paths, short=12)
    assert (again.items, again.models, again.short) == (one.items, one.models, one.short)


def test_a_short_form_and_a_run_on_it(folder: Path, tmp_path: Path) -> None:
    found = rmeval.analyze_items(folder / "runs", short=15)
    assert found.short is not None
    assert len(found.short.items) == 15
    assert sum(weight for _, weight in found.short.items) == pytest.approx(1)
    assert found.short.way == min(found.short.errors, key=lambda one: one[1])[0]
    assert found.short.error >= min(error for _, error in found.short.errors)
    assert 0 <= found.short.random_better <= 1
    items = [int(name[1:]) for name, _ in found.short.items]
    new = plant(77, 1, ITEMS)
    part = imported(folder, new, "part", items, "new")
    again = rmeval.analyze_items(folder / "runs", estimate=part)
    assert again.estimate is not None
    assert (again.estimate.name, again.estimate.n_items) == ("new0", 15)
    assert again.estimate.error == found.short.error
    weights = np.array([weight for _, weight in sorted(found.short.items)])
    weighted = float(new.share[0][sorted(items)] @ weights)
    share = found.short.prediction
    # The estimate lies between the weighted mean and the prediction, in the stated proportion.
    assert again.estimate.value == pytest.approx(weighted, abs=share + 1e-9)
    with pytest.raises(RunError, match="the items of new0 are not the short form of these runs"):
        rmeval.analyze_items(folder / "runs", estimate=imported(folder, new, "other", list(range(15)), "new"))
    with pytest.raises(RunError, match="new0 has a result on every item"):
        rmeval.analyze_items(folder / "runs", estimate=imported(folder, new, "all", None, "new"))


def test_too_few_models(folder: Path, truth: Planted, tmp_path: Path) -> None:
    four = [path.parent for path in sorted((folder / "runs" / "pairs").glob("m*/*/run.json"))][:4]
    with pytest.raises(RunError, match="there are 4 runs of models: item response needs at least 5, null"):
        rmeval.analyze_items(four)
    pairs(tmp_path)
    runs = imported(tmp_path, Planted(**{**vars(truth), "share": truth.share[[0, 1, 2, 3, 3, 3]]}))
    with pytest.raises(RunError, match="4 models with different results: item response needs at least 5"):
        rmeval.analyze_items(runs)
    imported(tmp_path, Planted(**{**vars(truth), "share": truth.share[4:6]}), name="n")
    found = rmeval.analyze_items(runs)
    assert len(found.models) == 6
    copies = [note for note in found.notes if "its results are those of" in note]
    assert len(copies) == 2


def test_runs_of_several_benchmarks(folder: Path, tmp_path: Path) -> None:
    other = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=24, out=tmp_path)
    with pytest.raises(RunError, match="these are runs of pairs, rm-bench-synthetic: give runs of one of them"):
        rmeval.analyze_items([folder / "runs", other.path])
    with pytest.raises(RunError, match="is a run of rm-bench-synthetic, not of pairs"):
        rmeval.analyze_items(folder / "runs", estimate=other.path)


def test_other_numbers(folder: Path) -> None:
    found = rmeval.analyze_items(folder / "runs", metric="accuracy", scope="odd")
    assert len(found.items) == ITEMS // 2
    assert "30 items without a comparison in this number: not included" in found.notes
    with pytest.raises(RunError, match="pairs has no average on odd: choose `metric` and `scope` among accuracy"):
        rmeval.analyze_items(folder / "runs", metric="average", scope="odd")
    with pytest.raises(RunError, match="`scope` odd needs `metric`"):
        rmeval.analyze_items(folder / "runs", scope="odd")
    for wrong in (0, ITEMS, True, 2.5):
        with pytest.raises(DataError, match="`short` must be a whole number from 1 to 59, as there are 60 items"):
            rmeval.analyze_items(folder / "runs", short=wrong)  # type: ignore[arg-type]


SCORERS = """
class {name}:
    def score(self, talks):
        return [{body} for c in talks]
"""


@pytest.mark.slow
def test_nine_comparisons_of_an_item(tmp_path: Path) -> None:
    """On the matrix, the items' weights give each model's overall, and a gap has no items' shares."""
    bodies = {
        "Hash": "sum(map(ord, c[-1]['content'])) % 97",
        "Long": "len(c[-1]['content'])",
        "Early": "-c[-1]['content'].count('e')",
        "Words": "len(set(c[-1]['content'].split()))",
        "Dots": "c[-1]['content'].count('.')",
        "Digits": "sum(x.isdigit() for x in c[-1]['content'])",
    }
    for name, body in bodies.items():
        (tmp_path / f"{name}.py").write_text(SCORERS.format(name=name, body=body))
        rmeval.evaluate(f"{tmp_path / name}.py:{name}", "rm-bench-synthetic", size=80, out=tmp_path / "runs")
    found = rmeval.analyze_items(tmp_path / "runs")
    assert found.measure == ("overall", "all")
    assert 0 <= found.alike <= 1
    (comparison,) = rmeval.compare(tmp_path / "runs")
    overall = {entry.name: entry.records["overall", "all"].value for entry in comparison.entries}
    assert {one.name: one.value for one in found.models} == pytest.approx(overall, abs=1e-8)
    with pytest.raises(RunError, match="style_gap all is a difference: choose a `metric` that is a share"):
        rmeval.analyze_items(tmp_path / "runs", metric="style_gap")
    evidence = read_scored(comparison.entries[0].path or tmp_path).evidence("score")
    assert len(found.items) == len(evidence.table)


def test_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs, file = str(folder / "runs"), tmp_path / "short.jsonl"
    done = command(capsys, "items", "--informative", runs, "--short", "10", "-o", str(file), "-n", "3")
    assert done.code == 0, done.err
    assert "short form of 10 items: error of the estimated accuracy, in points" in done.out
    assert "random sample" in done.out
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(rows) == 10
    assert set(rows[0]) == {"id", "weight"}
    again = command(capsys, "items", "--informative", runs, "--short", "10", "-o", str(file))
    assert (again.code, f"{file} exists" in again.err) == (2, True)
    done = command(capsys, "items", "--informative", runs, "--json")
    assert len(json.loads(done.out)["items"]) == ITEMS
    done = command(capsys, "items", "--informative", runs, "--format", "csv", "-n", "2")
    assert done.out.startswith("benchmark,table,name,accuracy,ability,ability low,ability high")
    assert "informative" in done.out
    done = command(capsys, "items", "--informative", runs, "-o", str(tmp_path / "table.md"))
    assert "| discrimination |" in (tmp_path / "table.md").read_text()


def test_wrong_options(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = str(folder / "runs")
    cases = {
        ("items", "--informative", runs, "--short", "10"): "--short writes a file of items: give its name with -o",
        ("items", "--informative", runs, "--n-items", "4"): "--n-items is for the items of a benchmark: leave it out",
        ("items", "--informative", runs, "--data", "x"): "--data is for the items of a benchmark",
        ("items", "pairs", "--short", "10"): "--short is for runs: give --informative and run folders",
        ("items", "pairs", "rm-bench"): "pairs rm-bench: give one benchmark, or --informative and run folders",
        ("items", "--informative", "nowhere"): "nowhere",
        (
            "items",
            "--informative",
            runs,
            "--short",
            "600",
            "-o",
            "x.jsonl",
        ): "--short must be a whole number from 1",
        ("items", "--informative", runs, "--short", "6", "-o", "x.docx"): "the ending .docx",
    }
    for arguments, sentence in cases.items():
        done = command(capsys, *arguments)
        assert done.code == 2, arguments
        assert sentence in done.err, done.err
        assert len(done.err.strip().splitlines()) == 1


def test_representations(folder: Path) -> None:
    found = rmeval.analyze_items(folder / "runs")
    assert repr(found).startswith("pairs: 8 models on 60 items, ")
    assert "discrimination" in (found._repr_html_() or "")
    assert len(found.to_pandas()) == ITEMS
    assert json.dumps(found.to_dict())


def test_needs_no_torch(folder: Path) -> None:
    code = "import sys, rmeval; rmeval.analyze_items(sys.argv[1]); print('torch' in sys.modules)"
    done = process("-c", code, str(folder / "runs"))
    assert done.stdout.strip().endswith("False"), done.stderr
