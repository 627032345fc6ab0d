"""Runs of several models side by side."""

from __future__ import annotations

import io
import json
import math
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.errors import RunError
from rmeval.report import Number, comparison_view
from rmeval.results import compare_runs
from rmeval.store.run import read_run, read_scored
from tests.command import command, process
from tests.samples import PLACES

MODELS = ("longest", "shortest", "random")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    for name in MODELS:
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=out, size=80)
    return out


def pairs_file(folder: Path, count: int, changed: int = 0, start: int = 0) -> Path:
    """Pairs of which the first few have another answer than usual."""
    file = folder / f"pairs-{count}-{changed}-{start}.jsonl"
    rows = [
        {
            "id": f"p{n}",
            "prompt": f"what is land {n}",
            "chosen": f"{PLACES[n % 12]} " * (1 + n % 5) + ("!" if n < changed else ""),
            "rejected": f"it is {n}",
        }
        for n in range(start, count)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_numbers_are_those_of_the_runs(runs: Path) -> None:
    (found,) = rmeval.compare([runs])
    assert found.headline == ("overall", "all")
    assert len(found.entries) == 3
    assert (found.n_items, found.notes) == (80, ())
    for entry in found.entries:
        assert entry.path is not None
        assert tuple(entry.records.values()) == rmeval.open_run(entry.path).records
    order = [entry.records[found.headline].value for entry in found.entries]
    assert order == sorted(order, reverse=True)
    # Random scores are never equal, and equal ones lose.
    assert [entry.group for entry in found.entries] == ["a", "b", "b"]
    assert [entry.rank for entry in found.entries] == [(1, 1), (2, 3), (2, 3)]
    # In items of this set the form of answers says nothing: with ties shared all are right in half of all comparisons.
    (shared,) = rmeval.compare([runs], rule="half-ties@1")
    assert [entry.group for entry in shared.entries] == ["a", "a", "a"]
    assert [entry.rank for entry in shared.entries] == [(1, 3)] * 3
    gap = found.difference("baseline:longest", "baseline:shortest", "style_gap")
    assert gap.leads == 1
    assert gap.value == pytest.approx(2.0)
    back = found.difference("baseline:shortest", "baseline:longest", "style_gap")
    assert (back.value, back.leads, back.p_holm) == (-gap.value, -1, gap.p_holm)
    assert set(found.letters(("style_gap", "all"))) == {"a", "b", "c"}


@pytest.mark.slow
def test_tables_show_simultaneous_intervals_unless_single_ones_are_chosen(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = rmeval.compare([runs])
    (single,) = rmeval.compare([runs], intervals="single")
    assert (found.differences, found.intervals) == (single.differences, "simultaneous")
    assert (found.to_dict()["intervals"], single.to_dict()["intervals"]) == ("simultaneous", "single")
    one = found.difference(*(entry.name for entry in found.entries[:2]))
    assert one.ci is not None and one.ci_simultaneous is not None
    assert one.ci_simultaneous[0] < one.ci[0] < one.ci[1] < one.ci_simultaneous[1]
    assert {"ci", "ci_simultaneous"} <= set(found.to_dict()["differences"][0])
    for comparison, ends, note in (
        (found, one.ci_simultaneous, "intervals: simultaneous over 3 pairs (max-t), 95%"),
        (single, one.ci, "intervals: each of one difference alone, not corrected for 3 pairs, 95%"),
    ):
        table = comparison_view(comparison).tables[1]
        cell = table.rows[0].cells[0]
        assert isinstance(cell, Number)
        assert (cell.interval, table.rows[0].name) == (ends, f"{one.first} - {one.second}")
        words = ("--intervals", comparison.intervals)
        assert note in table.notes and note in command(capsys, "compare", runs, *words).out.splitlines()
    two = [entry.path for entry in found.entries[:2] if entry.path]
    assert "interval: 95%" in command(capsys, "compare", *two).out.splitlines()
    with pytest.raises(RunError, match=r"'both' are no `intervals`: choose one of simultaneous, single"):
        rmeval.compare([runs], intervals="both")  # type: ignore[arg-type]


def test_a_note_names_the_pairs_whose_test_and_interval_disagree(runs: Path) -> None:
    (found,) = rmeval.compare([runs], ensembles=["mean", "majority"])

    def notes(pairs: Sequence[int], p: float, low: float) -> list[str]:
        """The notes if these pairs have other p-values and simultaneous intervals, and no other pair disagrees."""
        own = [
            replace(one, p_holm=p if k in pairs else 0.5, ci_simultaneous=(low if k in pairs else -0.5, 0.5))
            for k, one in enumerate(found.differences["overall", "all"])
        ]
        table = comparison_view(replace(found, differences={("overall", "all"): own})).tables[1]
        return [note for note in table.notes if note.startswith("p and interval")]

    assert notes(range(10), 0.2, -0.1) == notes(range(10), 0.01, 0.1) == []
    assert len(notes([4], 0.2, 0.1)) == len(notes([4], 0.01, -0.1)) == 1
    (note,) = notes([0, 1, 2, 3, 4], 0.2, 0.1)
    start, end = "p and interval lead to different conclusions for ", " and 2 more pairs: ranks and letters follow p"
    assert note.startswith(start) and note.endswith(end)
    assert note.count(" - ") == 3
    assert notes([0, 1, 2, 3], 0.2, 0.1)[0].endswith(" and 1 more pair: ranks and letters follow p")


def test_equivalence_within_a_margin(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rmeval.compare([runs])[0].equivalences == ()
    (found,) = rmeval.compare([runs], margin=0.2)
    names = [entry.name for entry in found.entries]
    assert [(one.first, one.second) for one in found.equivalences] == list(combinations(names, 2))
    assert [one.value for one in found.equivalences] == pytest.approx(
        [found.difference(one.first, one.second).value for one in found.equivalences]
    )
    # Longest and shortest have exactly the same numbers, and random is far from both.
    verdicts = {frozenset((one.first, one.second)): one.verdict for one in found.equivalences}
    assert verdicts[frozenset(("baseline:longest", "baseline:shortest"))] == "equivalent"
    assert found.to_dict()["equivalences"][0]["verdict"] == found.equivalences[0].verdict
    (gap,) = rmeval.compare([runs], metric="style_gap", margin=0.2)
    assert {one.verdict for one in gap.equivalences} == {"not shown"}
    assert "no worse" not in "".join(comparison_view(gap).tables[2].columns)
    text = command(capsys, "compare", runs, "--margin", "20").out
    assert "equivalence within 20 points in overall, one-sided p-values" in text
    assert "corrected for 6 directions (Holm)" in text
    for margin in (0, -0.02, 2, math.nan, True, "0.02"):
        with pytest.raises(RunError, match=r"`margin` must be a share above 0 and below 1, such as 0.02 for 2 points"):
            rmeval.compare([runs], margin=margin)  # type: ignore[arg-type]


def test_equivalence_that_cannot_be_tested_is_noted(tmp_path: Path) -> None:
    for name in ("longest", "shortest"):
        rmeval.evaluate(f"baseline:{name}", "pairs", pairs_file(tmp_path, 4), out=tmp_path / "few")
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", size=80, subsets=["chat"], out=tmp_path / "part")
    (few,) = rmeval.compare([tmp_path / "few"], margin=0.02)
    assert "equivalence within 2 points is not tested: 4 problems instead of at least 5" in few.notes
    assert len(few.equivalences) == 1
    assert "equivalence" not in [table.name for table in comparison_view(few).tables]
    assert few.to_dict()["equivalences"][0]["p_holm"] is None
    (part,) = rmeval.compare([tmp_path / "part"], margin=0.02)
    assert "equivalence within 2 points is not tested: no number ranks the models" in part.notes


def test_scores_are_read_from_their_file_as_from_the_journal(runs: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder,) = (runs / "rm-bench-synthetic" / "baseline-random").iterdir()
    fast, slow = read_scored(folder), read_run(folder)
    assert np.array_equal(fast.evidence("score").scores, slow.evidence("score").scores)
    damaged = folder / "scores.parquet"
    before = damaged.read_bytes()
    try:
        damaged.write_bytes(before[:-200] + before[-100:])
        assert np.array_equal(read_scored(folder).evidence("score").scores, fast.evidence("score").scores)
        assert re.search(r"scores.parquet is damaged \(.*\): the journal is read instead", caplog.text)
        damaged.unlink()
        assert np.array_equal(read_scored(folder).evidence("score").scores, fast.evidence("score").scores)
    finally:
        damaged.write_bytes(before)


def test_only_items_that_all_runs_have_are_compared(tmp_path: Path) -> None:
    """One run has items 0 to 39, another 10 to 59 of which those below 15 have another text."""
    rmeval.evaluate("baseline:longest", "pairs", pairs_file(tmp_path, 40), out=tmp_path / "runs")
    rmeval.evaluate("baseline:shortest", "pairs", pairs_file(tmp_path, 60, 15, 10), out=tmp_path / "runs")
    (found,) = rmeval.compare([tmp_path / "runs"])
    assert found.n_items == 25
    assert found.notes == ("compared on the 25 items that all runs have",)
    whole = rmeval.evaluate("baseline:longest", "pairs", pairs_file(tmp_path, 40, 0, 15), out=tmp_path / "part")
    (longest,) = (entry for entry in found.entries if entry.name == "baseline:longest")
    assert longest.records["accuracy", "all"] == whole.record("accuracy")
    one = found.difference("baseline:longest", "baseline:shortest")
    assert sum(one.discordant) + longest.records["accuracy", "all"].ties == 25
    other = rmeval.evaluate("baseline:random", "pairs", pairs_file(tmp_path, 90, 0, 70), out=tmp_path / "runs")
    with pytest.raises(RunError, match="have no item in common: run the models on the same data"):
        rmeval.compare([*(entry.path for entry in found.entries if entry.path), other.path])
    (same,) = rmeval.compare([tmp_path / "runs"])
    assert same.differences == found.differences
    assert re.fullmatch(r"pairs on \S+ is excluded, because there is only one run of it", same.notes[-1])


def test_items_are_found_by_text_where_their_ids_are_numbers_of_rows(tmp_path: Path) -> None:
    rows = [
        {key: value for key, value in json.loads(line).items() if key != "id"}
        for line in pairs_file(tmp_path, 40).read_text().splitlines()
    ]
    # Two items of one text are interchangeable, and are left out.
    rows[39] = rows[38]
    turned = tmp_path / "turned.jsonl"
    turned.write_text("".join(json.dumps(row) + "\n" for row in reversed(rows)))
    straight = tmp_path / "straight.jsonl"
    straight.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first = rmeval.evaluate("baseline:longest", "pairs", straight, out=tmp_path / "runs")
    second = rmeval.evaluate("baseline:longest", "pairs", turned, out=tmp_path / "runs")
    (found,) = rmeval.compare([first.path, second.path])
    assert found.n_items == 38
    (one,) = found.differences["accuracy", "all"]
    assert (one.value, one.discordant) == (0.0, (0, 0))


def test_what_is_too_little_is_said(tmp_path: Path) -> None:
    for name in ("longest", "shortest"):
        rmeval.evaluate(f"baseline:{name}", "pairs", pairs_file(tmp_path, 4), out=tmp_path / "runs")
    (found,) = rmeval.compare([tmp_path / "runs"])
    assert "4 problems: too few for a significant difference, which needs at least 6" in found.notes
    assert "4 problems: too few for intervals" in rmeval.analyze(found.entries[0].path or "").notes


def test_notes_of_the_benchmark_are_told(tmp_path: Path) -> None:
    for name in ("longest", "shortest"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", size=80, subsets=["chat"], out=tmp_path / "runs")
    (found,) = rmeval.compare([tmp_path / "runs"])
    assert any(note.startswith("no macro averages and no overall") for note in found.notes)
    assert set(found.notes) <= set(rmeval.analyze(found.entries[0].path or "").notes)


def test_items_without_a_score_are_left_out_for_all_where_the_policy_excludes_them(tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    file.write_text(
        "class Some:\n    def score(self, conversations):\n"
        "        return [None if 'land 3' in c[0]['content'] else len(c[1]['content']) for c in conversations]\n"
    )
    data = pairs_file(tmp_path, 40)
    rmeval.evaluate(f"{file}:Some", "pairs", data, out=tmp_path / "runs")
    rmeval.evaluate("baseline:longest", "pairs", data, out=tmp_path / "runs")
    (official,) = rmeval.compare([tmp_path / "runs"])
    assert official.difference("baseline:longest", "Some").discordant[0] > 0
    (half,) = rmeval.compare([tmp_path / "runs"], rule="half-ties@1")
    assert half.n_items == 29
    assert half.notes == ("excluded for all models because a model has no score: 11 items",)
    assert half.difference("baseline:longest", "Some").value == 0.0


def test_runs_without_any_score_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "none.py"
    file.write_text("class No:\n    def score(self, talks):\n        return [None for _ in talks]\n")
    data = pairs_file(tmp_path, 40)
    for name in ("longest", "shortest"):
        rmeval.evaluate(f"baseline:{name}", "pairs", data, out=tmp_path / "runs")
    with pytest.raises(RunError, match="none of 80 responses got a score"):
        rmeval.evaluate(f"{file}:No", "pairs", data, out=tmp_path / "runs")
    (found,) = rmeval.compare([tmp_path / "runs"], ensembles=["mean"])
    assert sorted(entry.name for entry in found.entries) == ["baseline:longest", "baseline:shortest", "ensemble:mean"]
    assert any("is excluded, because it has no scores" in note for note in found.notes)
    (folder,) = (path.parent for path in (tmp_path / "runs").rglob("No/*/run.json"))
    with pytest.raises(RunError, match="fewer than two of these 2 runs of pairs have any score"):
        rmeval.compare([folder, found.entries[0].path or ""])


def test_ensembles_stand_beside_their_members(runs: Path) -> None:
    (found,) = rmeval.compare([runs], ensembles=["majority", "z-mean"], metric="hard", scope="math")
    assert found.headline == ("hard", "math")
    assert sorted(entry.name for entry in found.entries if entry.path is None) == [
        "ensemble:majority",
        "ensemble:z-mean",
    ]
    assert len(found.differences[found.headline]) == 10


def test_copies_of_a_run_have_names_of_their_own(runs: Path, tmp_path: Path) -> None:
    import shutil

    one = next((runs / "rm-bench-synthetic" / "baseline-random").iterdir())
    shutil.copytree(one, tmp_path / "copy" / one.name)
    (found,) = rmeval.compare([one, tmp_path / "copy"])
    assert len({entry.name for entry in found.entries}) == 2


def test_other_winners_of_the_same_texts_are_told(tmp_path: Path) -> None:
    data = pairs_file(tmp_path, 40)
    rmeval.evaluate("baseline:longest", "pairs", data, out=tmp_path / "runs")
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    for row in rows[:12]:
        row["subset"] = "other"
    for row in rows[12:]:
        row["subset"] = "some"
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps(row) + "\n" for row in rows))
    rmeval.evaluate("baseline:shortest", "pairs", other, out=tmp_path / "runs")
    (found,) = rmeval.compare([tmp_path / "runs"])
    assert "40 items with another winner, subset or problem" in found.notes[0]


def test_scores_in_other_rows_are_not_used(runs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import shutil

    import pyarrow as pa
    import pyarrow.parquet as pq

    one = next((runs / "rm-bench-synthetic" / "baseline-random").iterdir())
    folder = shutil.copytree(one, tmp_path / "run")
    table = pq.read_table(folder / "scores.parquet")
    for wrong in (table.slice(0, len(table) - 1), pa.concat_tables([table.slice(1), table.slice(len(table) - 1)])):
        pq.write_table(wrong, folder / "scores.parquet")
        caplog.clear()
        found = read_scored(folder)
        assert "its rows do not match the items): the journal is read instead" in caplog.text
        assert np.array_equal(found.observations.main, read_run(one).observations.main)


@pytest.mark.parametrize("part", ["benchmark", "model"])
def test_a_damaged_manifest_is_told(part: str, runs: Path, tmp_path: Path) -> None:
    folders = [
        shutil.copytree(next((runs / "rm-bench-synthetic" / f"baseline-{name}").iterdir()), tmp_path / name)
        for name in ("longest", "random")
    ]
    manifest = json.loads((folders[1] / "run.json").read_text())
    (folders[1] / "run.json").write_text(json.dumps(manifest | {part: {}, "sha256": None}))
    with pytest.raises(RunError, match=f"run.json is damaged .check {part}\\."):
        rmeval.compare([tmp_path])


def damaged(runs: Path, folder: Path, file: str) -> Path:
    """A copy of runs, and the folder of the one whose file is no longer readable."""
    shutil.copytree(runs, folder)
    (one,) = (folder / "rm-bench-synthetic" / "baseline-random").iterdir()
    # Without it numbers come from the journal.
    (one / "scores.parquet").unlink()
    (one / file).write_text("{}")
    return one


@pytest.mark.parametrize("file", ["run.json", "items.parquet", "journal/0001.jsonl"])
def test_a_damaged_run_among_others_is_left_out(file: str, runs: Path, tmp_path: Path) -> None:
    one = damaged(runs, tmp_path / "runs", file)
    (found,) = rmeval.compare([tmp_path / "runs"])
    assert sorted(entry.name for entry in found.entries) == ["baseline:longest", "baseline:shortest"]
    (note,) = [note for note in found.notes if "excluded" in note]
    assert note.startswith("a run is excluded: ")
    assert str(one) in note
    # One that is named is wanted.
    others = [path for path in (tmp_path / "runs").glob("*/*/*") if path != one]
    with pytest.raises(RunError, match=re.escape(str(one))):
        rmeval.compare([*others, one])


def test_a_benchmark_that_cannot_be_compared_leaves_the_others(runs: Path, tmp_path: Path) -> None:
    for start, name in ((0, "longest"), (20, "shortest")):
        data = pairs_file(tmp_path, start + 20, start=start)
        rmeval.evaluate(f"baseline:{name}", "pairs", data, out=tmp_path / "runs")
    (found,) = rmeval.compare([tmp_path / "runs", runs])
    assert found.benchmark == "rm-bench-synthetic"
    assert any(note.startswith("pairs is excluded: ") and "no item in common" in note for note in found.notes)


def test_the_file_of_a_benchmark_is_for_its_own_runs(tmp_path: Path) -> None:
    file, other = tmp_path / "own.py", tmp_path / "other.py"
    file.write_text(OWN.replace("KEEP", "True"))
    other.write_text(
        "from dataclasses import replace\nfrom rmeval.benchmarks.pairs import Pairs\n"
        "class Other(Pairs):\n    card = replace(Pairs.card, id='other')\n"
    )
    data = pairs_file(tmp_path, 40)
    plain, own = (
        rmeval.evaluate("baseline:longest", spec, data, out=tmp_path / str(number))
        for number, spec in enumerate(("pairs", f"{file}:Own"))
    )
    for path in (plain.path, own.path):
        (path / "metrics.json").unlink()
    assert rmeval.open_run(plain.path, benchmark=f"{file}:Own").records == plain.records
    with pytest.raises(RunError, match=r"was made with the benchmark pairs, but .*other\.py:Other is other: give the"):
        rmeval.open_run(own.path, benchmark=f"{other}:Other")


def test_results_are_compared_as_their_folders_are(runs: Path) -> None:
    results = [rmeval.open_run(path.parent) for path in sorted(runs.rglob("run.json"))]
    (by_result,), (by_path,) = rmeval.compare(results), rmeval.compare(runs)
    assert by_result.to_pandas().equals(by_path.to_pandas())
    assert rmeval.analyze(results[0]).records == rmeval.analyze(results[0].path).records


@pytest.mark.parametrize(("given", "name"), [(None, "NoneType"), ([None, 3], "NoneType"), ([3], "int")])
def test_what_is_no_place_of_runs(given: object, name: str) -> None:
    with pytest.raises(RunError, match=rf"^a run is a {name}: give the path of its folder, or the result of"):
        rmeval.compare(given)  # type: ignore[arg-type]
    with pytest.raises(RunError, match=r"^no runs are given"):
        rmeval.compare([])
    with pytest.raises(RunError, match=r"^a run is a NoneType"):
        rmeval.wrong_examples(None)  # type: ignore[arg-type]
    with pytest.raises(RunError, match=r"nowhere is not a run folder \(it does not exist\)"):
        rmeval.open_run("nowhere")
    with pytest.raises(RunError, match=r"^a run is a NoneType: give the path of its folder"):
        rmeval.open_run(None)  # type: ignore[arg-type]


def test_what_cannot_be_compared(runs: Path, tmp_path: Path) -> None:
    one = next((runs / "rm-bench-synthetic" / "baseline-random").iterdir())
    with pytest.raises(RunError, match="give two runs or more of one benchmark, not 1 run"):
        rmeval.compare([one, one])
    with pytest.raises(RunError, match="'x' is not a score rule: choose one of official@1"):
        rmeval.compare([runs], rule="x")
    with pytest.raises(RunError, match="'best' is not an ensemble: choose one of mean"):
        rmeval.compare([runs], ensembles=["best"])
    with pytest.raises(RunError, match=r"`ensembles` must be a list of names, such as \['mean'\]"):
        rmeval.compare([runs], ensembles="mean")
    with pytest.raises(RunError, match=r"has no hard on moon: choose `metric` and `scope` among .*hard chat"):
        rmeval.compare([runs], metric="hard", scope="moon")
    with pytest.raises(RunError, match="`scope` chat needs `metric`"):
        rmeval.compare([runs], scope="chat")
    with pytest.raises(RunError, match="has no score 'dpo/sum': it has score"):
        rmeval.compare([runs], variant="dpo/sum")
    with pytest.raises(KeyError, match="x or y is not among the models"):
        rmeval.compare([runs])[0].difference("x", "y")
    with pytest.raises(rmeval.RmevalError, match=r"^no 'x' on 'all': choose from .*hard chat"):
        rmeval.compare(runs)[0].difference("baseline:random", "baseline:longest", "x")
    with pytest.raises(RunError, match=r"there are no runs in .*nowhere: give folders"):
        (tmp_path / "nowhere").mkdir()
        rmeval.compare(str(tmp_path / "nowhere"))
    other = rmeval.evaluate("baseline:random", "pairs", pairs_file(tmp_path, 30), out=tmp_path / "runs")
    (found,) = rmeval.compare([runs, other.path])
    assert found.notes == ("pairs is excluded, because there is only one run of it",)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=r"there are no runs in .*empty: give folders that `rmeval run` wrote"):
        rmeval.compare([tmp_path / "empty"])
    rmeval.evaluate("baseline:longest", "pairs", pairs_file(tmp_path, 30), out=tmp_path / "runs")
    (found,) = rmeval.compare([runs, tmp_path / "runs"], metric="hard")
    assert found.benchmark == "rm-bench-synthetic"
    assert found.notes[0].startswith("pairs is excluded: pairs has no hard on all: choose")
    with pytest.raises(RunError, match="has no soft on all: choose"):
        rmeval.compare([runs, tmp_path / "runs"], metric="soft")
    with pytest.raises(RunError, match="not 2 runs of 2 benchmarks"):
        rmeval.compare([one, other.path])


def test_the_command(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "compare", runs, "--ensemble", "majority")
    assert done.code == 0
    for text in (
        "4 models on 80 items of 40 problems",
        "ensemble:majority",
        "null baseline markdown",
        "models that share",
    ):
        assert text in done.out
    assert len(done.out.splitlines()) < 70
    told = json.loads(command(capsys, "compare", runs, "--json").out)
    assert [len(one["models"]) for one in told] == [3]
    assert {one["p_holm"] for one in told[0]["differences"]} != {1.0}
    wrong = command(capsys, "compare", runs / "nowhere")
    assert (wrong.code, "is not a run folder" in wrong.err) == (2, True)


def test_in_a_narrow_terminal_names_are_broken_but_no_number(runs: Path) -> None:
    from rich.console import Console

    from rmeval.report.comparison import comparison_view
    from rmeval.report.terminal import rendered

    (found,) = rmeval.compare([runs], ensembles=["majority"])
    shown = {}
    for width in (40, 160):
        console = Console(width=width, file=io.StringIO(), record=True)
        console.print(rendered(comparison_view(found)), crop=False)
        shown[width] = set(re.findall(r"[-+]?\d+\.\d+(?: to [-+]?\d+\.\d+)?", console.export_text()))
    assert shown[40] == shown[160]
    assert len(shown[40]) > 20


OWN = """
from rmeval.benchmarks.pairs import Pairs
from rmeval.metrics.outcomes import outcomes
from rmeval.metrics.records import accuracy_record, make_record

class Own(Pairs):
    def aggregate(self, items, evidence, policy, intervals=True):
        found = outcomes(items, evidence, policy)
        plain = accuracy_record("pairs", policy, "all", found, "accuracy@1")
        squared = make_record("pairs", policy, "squared", "all", plain.value ** 2, found, "squared@1")
        return [squared] + ([plain] if KEEP else [])
"""


@pytest.mark.parametrize("keep", [True, False])
def test_numbers_that_are_no_shares_of_contests_are_not_compared(keep: bool, tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(OWN.replace("KEEP", str(keep)))
    for name in ("longest", "shortest"):
        rmeval.evaluate(f"baseline:{name}", f"{file}:Own", pairs_file(tmp_path, 40), out=tmp_path / "runs")
    with pytest.raises(RunError, match="if you trust that file, give `benchmark`"):
        rmeval.compare([tmp_path / "runs"])
    if keep:
        (found,) = rmeval.compare([tmp_path / "runs"], benchmark=f"{file}:Own")
        assert list(found.differences) == [("accuracy", "all")]
    else:
        with pytest.raises(RunError, match="does not define the composition of its numbers"):
            rmeval.compare([tmp_path / "runs"], benchmark=f"{file}:Own")


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    data = pairs_file(tmp_path, 30)
    file = tmp_path / "sized.py"
    file.write_text(
        "class Sized:\n    def __init__(self, sign=1):\n        self.sign = sign\n"
        "    def score(self, talks):\n        return [self.sign * len(talk[1]['content']) for talk in talks]\n"
    )
    for sign in (1, -1):
        rmeval.evaluate(f"{file}:Sized", "pairs", data, out=tmp_path / "runs", model_kwargs={"sign": sign})
    (found,) = rmeval.compare([tmp_path / "runs"])
    names = [entry.name for entry in found.entries]
    assert len(set(names)) == 2
    assert all(name.startswith("Sized (") for name in names)


def test_no_torch_is_needed(runs: Path) -> None:
    code = f"import sys, rmeval; rmeval.compare([{str(runs)!r}]); assert 'torch' not in sys.modules"
    done = process("-c", code)
    assert done.returncode == 0, done.stderr


def skilled(number: int) -> Callable[[list[Any]], list[float]]:
    """A scorer that is right by chance, more often the larger its number; its score depends on the text alone."""

    def score(conversations: list[Any]) -> list[float]:
        found = []
        for one in conversations:
            text = json.dumps(one)
            noise = np.random.default_rng(list(f"{number} {text}".encode())).normal()
            found.append(float(noise + (0.6 + 0.06 * number) * ("right" in text)))
        return found

    return score


@pytest.mark.slow
def test_the_order_of_items_and_the_names_of_models_change_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten models on pairs that share prompts, in five orders: what `compare` prints is equal to the byte."""
    rows = [
        {
            "prompt": f"{PLACES[n % 12]} {n // 3}",
            "chosen": f"right {n}",
            "rejected": f"wrong {n}",
            "subset": f"s{n // 3 % 4 % 3}",
        }
        for n in range(150)
    ]
    printed, values = set(), []
    for shuffle in range(5):
        out = tmp_path / str(shuffle)
        order = list(range(150)) if not shuffle else np.random.default_rng(shuffle).permutation(150).tolist()
        file = tmp_path / f"{shuffle}.jsonl"
        file.write_text("".join(json.dumps(rows[k]) + "\n" for k in order))
        # In the last order, the names are in the opposite order.
        for number in range(10):
            name = f"m{number}" if shuffle < 4 else f"m{9 - number}"
            rmeval.evaluate(skilled(number), "pairs", file, name=name, out=out)
        if shuffle < 4:
            printed.add(command(capsys, "compare", out).out.replace(str(file), "FILE"))
        if shuffle in (0, 4):
            (found,) = rmeval.compare(out)
            values.append([(one.rank, one.group, one.records["accuracy", "all"].ci) for one in found.entries])
    assert len(printed) == 1
    # Limits may differ in the last bits, since sums are taken in another order.
    for other in values[1:]:
        assert [(rank, group) for rank, group, _ in other] == [(rank, group) for rank, group, _ in values[0]]
        assert [ci for *_, ci in other] == [pytest.approx(ci, abs=1e-9) for *_, ci in values[0]]


def test_without_details_ranks_and_letters_are_the_same(tmp_path: Path) -> None:
    for name in ("longest", "shortest", "random"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=tmp_path, size=40)
    (whole,), (brief,) = compare_runs(tmp_path), compare_runs(tmp_path, details=False)
    assert [(one.name, one.rank, one.group) for one in brief.entries] == [
        (one.name, one.rank, one.group) for one in whole.entries
    ]
    assert whole.headline is not None
    assert brief.differences[whole.headline] == whole.differences[whole.headline]
    for measure, differences in whole.differences.items():
        assert brief.letters(measure) == whole.letters(measure)
        assert [(one.value, one.p_holm, one.discordant) for one in brief.differences[measure]] == [
            (one.value, one.p_holm, one.discordant) for one in differences
        ]
    other = brief.differences["hard", "all"][0]
    assert other.ci is None
    assert json.dumps(brief.to_dict())
