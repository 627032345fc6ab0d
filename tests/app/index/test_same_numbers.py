"""The index has the comparisons, margins and disagreements of `rmeval errors`, on benchmarks of every shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import rmeval
from rmeval.app.explorer import explorer_view
from rmeval.app.index import Index, IndexBuilder, ItemQuery, Source
from rmeval.results.wrong import wrong_examples
from tests.app.index.runs import import_run, write_pairs
from tests.app.viewing import key_of, write_run
from tests.samples import rm_bench_rows

_ALL = 100_000
_LONGER = """
class Longer:
    def compare(self, pairs):
        return [0.5 + max(-45, min(45, len(one["first"]) - len(one["second"]))) / 100 for one in pairs]
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("same")
    runs = folder / "runs"
    matrix = folder / "rm-bench"
    matrix.mkdir()
    for domain in ("chat", "code"):
        (matrix / f"{domain}_filtered.json").write_text(json.dumps(rm_bench_rows(domain, 4)))
    four = [
        {
            "id": str(number),
            "prompt": f"Name a number above {number}.",
            "chosen": [f"{number + 1}"],
            "rejected": ["1" * (number % 4), f"{number - 1} is one", f"minus {number}"],
            "subset": "Math",
        }
        for number in range(12)
    ]
    (folder / "four.jsonl").write_text("\n".join(map(json.dumps, four)))
    labels = [
        {"prompt": f"Question {number}?", "response_a": "a" * number, "response_b": "b" * 5, "label": label}
        for number, label in enumerate(["a", "b", "tie"] * 5)
    ]
    (folder / "labels.jsonl").write_text("\n".join(map(json.dumps, labels)))
    for model in ("baseline:longest", "baseline:shortest"):
        rmeval.evaluate(model, "rm-bench", matrix, out=runs / "matrix", subsets=["chat", "code"])
        rmeval.evaluate(model, "reward-bench-2", folder / "four.jsonl", out=runs / "four")
        rmeval.evaluate(model, "pairs", folder / "labels.jsonl", out=runs / "labels")
    data = write_pairs(folder / "missing.jsonl", 60)
    for seed, name in enumerate(("first", "second")):
        import_run(data, runs / "missing", name, seed)
    (folder / "longer.py").write_text(_LONGER)
    rmeval.evaluate(f"{folder / 'longer.py'}:Longer", "pairs", folder / "missing.jsonl", out=runs / "comparator")
    return runs


@pytest.mark.parametrize("name", ["matrix", "four", "labels", "missing", "comparator"])
def test_comparisons_are_those_of_errors(runs: Path, tmp_path: Path, name: str) -> None:
    with _index(runs / name, tmp_path) as index:
        every = index.runs()
        assert len(every) == (1 if name == "comparator" else 2)
        for run in every:
            found = wrong_examples(run.folder, n=_ALL)
            tally = index.tally(ItemQuery(run.key))
            (own,) = found.tallies
            assert (tally.wrong, tally.tie, tally.total - tally.unscored) == (own.losses, own.ties, own.comparisons)
            rows = [
                row
                for outcome in ("wrong", "tie")
                for row in index.comparisons(ItemQuery(run.key, outcome=outcome), limit=500).rows
            ]
            assert sorted((row.name, row.cell, row.margin) for row in rows) == sorted(
                (one.item, one.cell, one.margin) for one in found
            )
            lengths = {(one.item, one.cell): len(one.chosen.text) - len(one.rejected.text) for one in found}
            assert {(row.name, row.cell): row.length for row in rows} == lengths
            assert found or tally.total == 0
        for first, second in ((0, -1), (-1, 0)) if len(every) == 2 else ():
            disagree = wrong_examples(every[first].folder, other=every[second].folder, n=_ALL)
            query = ItemQuery(every[first].key, other=every[second].key)
            rows = list(index.comparisons(query, limit=500).rows)
            assert sorted((row.name, row.cell) for row in rows) == sorted((one.item, one.cell) for one in disagree)
            tally = index.tally(query)
            assert [tally.wrong + tally.tie, tally.right] == [one.losses + one.ties for one in disagree.tallies]
            assert tally.unscored == 0


def test_what_two_models_do_not_share_is_noted(tmp_path: Path) -> None:
    rows = [{"id": str(k), "prompt": f"p{k}", "chosen": "long", "rejected": "tiny!"} for k in range(6)]
    turned = [
        {**row, "chosen": row["rejected"], "rejected": row["chosen"]} if k == 0 else row for k, row in enumerate(rows)
    ]
    write_run(tmp_path / "runs", rows, "first", lambda text: float(len(text)))
    write_run(tmp_path / "runs", turned[:4], "second", lambda text: -float(len(text)))
    with _index(tmp_path / "runs", tmp_path) as index:
        keys = {"run": [key_of(index, "first")], "other": [key_of(index, "second")]}
        view = explorer_view(index, keys)
        assert view.tally is not None
        assert view.tally.total == 3
        assert view.notes == [
            "3 of 6 comparisons of this run are not in the other one with the same texts and winner: they are left out."
        ]


def test_what_one_model_has_no_score_of_is_noted(runs: Path, tmp_path: Path) -> None:
    with _index(runs / "missing", tmp_path) as index:
        first, second = (run.key for run in index.runs())
        lost = {
            row.name
            for run in (first, second)
            for row in index.comparisons(ItemQuery(run, outcome="unscored"), limit=500).rows
        }
        view = explorer_view(index, {"run": [first], "other": [second]})
        assert view.notes == [f"{len(lost)} comparisons without a score of both models: they are left out."]


@contextmanager
def _index(runs: Path, folder: Path) -> Iterator[Index]:
    with IndexBuilder(folder / "index.sqlite", Source(runs)) as builder:
        builder.update()
        with closing(Index(builder.file)) as index:
            yield index
