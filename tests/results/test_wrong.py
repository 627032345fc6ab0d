"""Wrong examples: which comparisons are shown, in which order, and where their texts come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.errors import DataError, RunError
from rmeval.importers.run import import_scores
from rmeval.metrics.margins import margins
from rmeval.results.cells import cells_named
from rmeval.results.wrong import wrong_examples
from rmeval.testing import make_items
from rmeval.types import Comparison, Item, Message, Response
from tests.command import process
from tests.samples import rm_bench_rows

# The scores of the chosen and the rejected response; None is missing.
SCORES: dict[str, tuple[float, float | None]] = {
    "a": (1.0, 3.0),
    "b": (1.0, 1.0),
    "c": (2.0, 1.0),
    "d": (0.5, 2.5),
    "e": (0.0, None),
    "f": (-1.0, 4.0),
}
OTHERS: dict[str, tuple[float, float | None]] = {
    "a": (9.0, 8.0),
    "b": (1.0, 0.0),
    "c": (1.0, 1.5),
    "d": (0.0, 1.0),
    "e": (1.0, 0.0),
    "f": (3.0, 2.0),
}


def rows() -> list[dict[str, Any]]:
    return [
        {
            "id": name,
            "prompt": f"where is {name}",
            "chosen": f"{name} is in the north",
            "rejected": f"{name} was in the south",
            "subset": "vowel" if name in "ae" else "consonant",
        }
        for name in SCORES
    ]


def write_rows(path: Path, found: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return path


def imported(folder: Path, name: str, scores: dict[str, tuple[float, float | None]], store_text: bool = False) -> Path:
    """A run of pairs with these scores; its data are in `folder/pairs.jsonl`."""
    data = folder / "pairs.jsonl"
    if not data.exists():
        write_rows(data, rows())
    lines = [
        {"item_id": item, "response": k, "score": score}
        for item, own in scores.items()
        for k, score in enumerate(own)
        if score is not None
    ]
    file = write_rows(folder / f"{name}.jsonl", lines)
    benchmark = rmeval.load_benchmark("pairs", str(data))
    return import_scores(file, benchmark, folder / "runs", name=name, store_text=store_text).path


def test_the_worst_margin_comes_first_and_ties_last(tmp_path: Path) -> None:
    found = wrong_examples(imported(tmp_path, "mine", SCORES))
    assert [(one.item, one.outcome, one.margin) for one in found] == [
        ("f", "loss", -5.0),
        ("a", "loss", -2.0),
        ("d", "loss", -2.0),
        ("b", "tie", 0.0),
    ]
    (tally,) = found.tallies
    assert (tally.losses, tally.ties, tally.comparisons) == (3, 1, 5)
    assert found.notes == ("1 comparison without a score: not among the wrong examples",)
    first = found[0]
    assert (first.subset, first.cell, first.model, first.members) == ("consonant", "chosen/rejected", "mine", 2)
    assert first.prompt == "user: where is f"
    assert (first.chosen.text, first.chosen.score, first.chosen.gold) == ("f is in the north", -1.0, 1.0)
    assert (first.rejected.text, first.rejected.score, first.rejected.gold) == ("f was in the south", 4.0, 0.0)
    # The number of misjudged comparisons is that of the accuracy, which counts the missing score as lost.
    assert rmeval.open_run(found.path).value("accuracy") == pytest.approx(1 - (tally.losses + tally.ties + 1) / 6)


def test_a_number_a_subset_and_wrong_names(tmp_path: Path) -> None:
    run = imported(tmp_path, "mine", SCORES)
    assert [one.item for one in wrong_examples(run, n=2)] == ["f", "a"]
    assert [one.item for one in wrong_examples(run, subset="vowel")] == ["a"]
    assert [one.item for one in wrong_examples(rmeval.open_run(run), subset=["vowel", "consonant"], n=9)] == list(
        "fadb"
    )
    assert wrong_examples(run, subset="vowel").notes != wrong_examples(run, subset="consonant").notes == ()
    with pytest.raises(DataError, match="there is no subset 'x': choose from vowel, consonant"):
        wrong_examples(run, subset="x")
    with pytest.raises(DataError, match="there is no cell 'x': choose from chosen/rejected"):
        wrong_examples(run, cell="x")
    for wrong in (0, True, 1.5):
        with pytest.raises(DataError, match="`n` must be a whole number and at least 1"):
            wrong_examples(run, n=wrong)  # type: ignore[arg-type]


def test_two_models_that_disagree(tmp_path: Path) -> None:
    run, other = imported(tmp_path, "mine", SCORES), imported(tmp_path, "theirs", OTHERS)
    found = wrong_examples(run, other=other)
    assert [(one.model, one.right_model, one.item, one.outcome, one.margin, one.other_margin) for one in found] == [
        ("mine", "theirs", "f", "loss", -5.0, 1.0),
        ("mine", "theirs", "a", "loss", -2.0, 1.0),
        ("mine", "theirs", "b", "tie", 0.0, 1.0),
        ("theirs", "mine", "c", "loss", -0.5, 1.0),
    ]
    assert (found[0].chosen.score, found[0].chosen.other_score) == (-1.0, 3.0)
    assert (found[3].rejected.score, found[3].rejected.other_score) == (1.5, 1.0)
    assert [(one.losses, one.ties, one.comparisons) for one in found.tallies] == [(2, 1, 5), (1, 0, 5)]
    assert "1 comparison without a score of both models: not among the wrong examples" in found.notes
    assert [one.item for one in wrong_examples(run, other=other, n=1)] == ["f", "c"]
    again = wrong_examples(other, other=run)
    assert [one.item for one in again] == ["c", "f", "a", "b"]
    assert wrong_examples(run, other=run).examples == ()


def test_other_models_have_the_same_items(tmp_path: Path) -> None:
    run = imported(tmp_path, "mine", SCORES)
    part = imported(tmp_path, "part", {name: OTHERS[name] for name in "abc"})
    found = wrong_examples(run, other=part)
    assert [(one.model, one.item, one.chosen.text) for one in found] == [
        ("mine", "a", "a is in the north"),
        ("mine", "b", "b is in the north"),
        ("part", "c", "c is in the north"),
    ]
    assert "compared on the 3 items that all runs have" in found.notes
    rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=8, out=tmp_path / "b")
    with pytest.raises(RunError, match="is a run of rm-bench-synthetic, not of pairs: give two runs of one benchmark"):
        wrong_examples(run, other=tmp_path / "b")


BENCHMARK = '''
from rmeval.benchmarks import Card, TableBenchmark
from rmeval.types import Comparison, Item, Message, Response


class Four(TableBenchmark):
    """One of four answers is right; some items are ties, and some are judged together."""

    card = Card(
        id="four", title="Four", measures="The first one.", source="", revision=None, licence="", paper="", citation="",
        errata="errata.jsonl",
    )

    def items(self, row):
        number = row.get("n")
        answers = tuple(Response(f"{number} {name}", float(name == "right")) for name in ("w0", "w1", "right", "w3"))
        comparisons = (Comparison((0, 1, 2, 3), 2, "of-4"), Comparison((0, 1), None, "human"))
        yield Item(
            f"n{number}", "all", (Message("user", f"number {number}"),), answers,
            comparisons if number < 3 else (), f"n{number}",
        )

    def composition(self, counts):
        return {("accuracy", "all"): {part: 1 / len(counts) for part in counts}}
'''


def test_of_four_responses_the_best_wrong_one_is_shown(tmp_path: Path) -> None:
    (tmp_path / "four.py").write_text(BENCHMARK)
    spec = f"{tmp_path / 'four.py'}:Four"
    data = write_rows(tmp_path / "four.jsonl", [{"n": n} for n in range(4)])
    write_rows(tmp_path / "errata.jsonl", [{"item": "n2", "wrong": "none is right", "source": "a reader"}])
    scores = {0: (1.0, 5.0, 3.0, 4.0), 1: (1.0, 2.0, 3.0, 0.0), 2: (7.0, 7.0, 7.0, 1.0), 3: (0.0, 0.0, 0.0, 0.0)}
    lines = [
        {"item_id": f"n{n}", "response": k, "score": score} for n, own in scores.items() for k, score in enumerate(own)
    ]
    benchmark = rmeval.load_benchmark(spec, str(data))
    run = import_scores(write_rows(tmp_path / "s.jsonl", lines), benchmark, tmp_path / "runs").path
    with pytest.raises(RunError, match=r"if you trust that file, give `benchmark`"):
        wrong_examples(run)
    found = wrong_examples(run, benchmark=spec)
    # Number 1 is right. In number 2 three share the top: the first wrong one stands for them.
    assert [(one.item, one.outcome, one.margin, one.members) for one in found] == [
        ("n0", "loss", -2.0, 4),
        ("n2", "tie", 0.0, 4),
    ]
    assert [(one.chosen.text, one.rejected.text) for one in found] == [("0 right", "0 w1"), ("2 right", "2 w0")]
    assert [one.erratum for one in found] == [None, "none is right"]
    assert found.notes == (
        "3 comparisons without a winner, because annotators call it a tie: not shown",
        "1 item without comparisons, because other numbers are of them: not shown",
    )


def test_a_model_that_compares_has_margins_of_its_preferences(tmp_path: Path) -> None:
    file = tmp_path / "longer.py"
    file.write_text(
        "class Longer:\n    def compare(self, pairs):\n"
        "        return [0.5 + (len(p['first']) - len(p['second'])) / 100 for p in pairs]\n"
    )
    texts = {"x": ("short", "much longer"), "y": ("much longer", "short"), "z": ("alike", "equal")}
    data = write_rows(
        tmp_path / "pairs.jsonl",
        [{"id": name, "prompt": "say", "chosen": one, "rejected": two} for name, (one, two) in texts.items()],
    )
    rmeval.evaluate(f"{file}:Longer", "pairs", data, out=tmp_path / "runs")
    found = wrong_examples(tmp_path / "runs")
    assert [(one.item, one.outcome, one.margin) for one in found] == [("x", "loss", -0.5), ("z", "tie", 0.0)]
    assert (found.scored, found.variant) == (False, "orders/mean")
    assert (found[0].chosen.score, found[0].rejected.score) == (None, None)


def test_cells_of_the_matrix_and_sections(tmp_path: Path) -> None:
    folder = tmp_path / "rm-bench"
    folder.mkdir()
    for domain in ("chat", "safety-refuse"):
        (folder / f"{domain}_filtered.json").write_text(json.dumps(rm_bench_rows(domain, 2)))
    run = rmeval.evaluate("baseline:longest", "rm-bench", folder, out=tmp_path / "runs")
    # Longer responses win: each of the three hard cells of both items of a domain is lost.
    hard = wrong_examples(run, cell="hard", subset="safety", n=50)
    assert {one.cell for one in hard} == {
        "concise/detailed_plain", "concise/detailed_markdown", "detailed_plain/detailed_markdown",
    }  # fmt: skip
    assert {one.subset for one in hard} == {"safety-refuse"}
    assert len(hard) == 6
    for name in ("concise/detailed_markdown", "concise:detailed markdown", "Concise:Detailed-Markdown", "1:3"):
        found = wrong_examples(run, cell=name, n=50)
        assert [one.item for one in found] == ["chat/0", "chat/1", "safety-refuse/0", "safety-refuse/1"]
        assert {one.cell for one in found} == {"concise/detailed_markdown"}
    with pytest.raises(DataError, match=r"there is no cell '1:4': choose from concise/concise, .*easy, normal, hard"):
        wrong_examples(run, cell="1:4")
    assert cells_named(["best-of-4"], ()) == {"best-of-4"}
    with pytest.raises(DataError, match=r"there is no cell 'hard': choose from best-of-4$"):
        cells_named(["best-of-4"], ["hard"])


def test_margins_are_those_of_the_scores() -> None:
    items = ItemTable.of(make_items(3))
    scores = [1.0, 2.0, 3.0, 0.5, 2.0, float("nan")] * 3
    found = margins(EvidenceTable(items, "score", np.array(scores)))
    assert len(found.margin) == 27
    first = found.margin[found.item == 0].reshape(3, 3).tolist()
    assert first[0][:2] == [0.5, -1.0]
    assert first[2][:2] == [2.5, 1.0]
    assert all(row[2] != row[2] for row in first)
    assert int(found.wrong.sum()) == 3 * 2


def test_infinite_scores_tie_where_they_are_equal() -> None:
    inf = float("inf")
    item = Item(
        "i", "all", (Message("user", "x"),), tuple(Response(text, None) for text in "abc"),
        (Comparison((0, 1)), Comparison((0, 2)), Comparison((2, 0))), "i",
    )  # fmt: skip
    table = ItemTable.of([item])
    found = margins(EvidenceTable(table, "score", np.array([inf, inf, 1.0])))
    assert found.margin.tolist() == [0.0, inf, -inf]


def test_texts_that_the_run_stores_need_no_data(tmp_path: Path) -> None:
    run = imported(tmp_path, "mine", SCORES, store_text=True)
    (tmp_path / "pairs.jsonl").unlink()
    assert [one.chosen.text for one in wrong_examples(run, n=2)] == ["f is in the north", "a is in the north"]


def test_data_that_have_moved(tmp_path: Path) -> None:
    run = imported(tmp_path, "mine", SCORES)
    moved = (tmp_path / "pairs.jsonl").rename(tmp_path / "moved.jsonl")
    with pytest.raises(RunError) as refused:
        wrong_examples(run)
    assert str(refused.value) == (
        f"{run} does not store texts, and its data cannot be read again (there is no file {tmp_path / 'pairs.jsonl'}: "
        "check the path): give their place with `data`, or give the command of the run again with `store_text`"
    )
    found = wrong_examples(run, data=moved)
    assert [one.rejected.text for one in found][:2] == ["f was in the south", "a was in the south"]


def test_texts_of_another_version_are_never_shown(tmp_path: Path) -> None:
    run = imported(tmp_path, "mine", SCORES)
    data = tmp_path / "pairs.jsonl"
    changed = [row | ({"chosen": "something else"} if row["id"] == "f" else {}) for row in rows()]
    write_rows(data, changed)
    found = wrong_examples(run)
    assert [one.item for one in found] == ["a", "d", "b"]
    assert found.notes[-1] == (
        f"pairs in {data} does not contain the texts of 1 item that {run} scored (first: 'f'), so they are not shown: "
        "give the data of the run with `data`"
    )
    assert "something else" not in repr(found.examples)
    write_rows(data, [row | {"prompt": "another question"} for row in rows()])
    with pytest.raises(RunError, match="does not contain the texts of 4 items"):
        wrong_examples(run)
    # The texts of the folder count even where the data differ, and data that are named count before them.
    stored = imported(tmp_path, "kept", SCORES, store_text=True)
    write_rows(data, rows())
    assert wrong_examples(stored, n=1)[0].prompt == "user: another question"
    with pytest.raises(RunError, match="does not contain the texts of 4 items"):
        wrong_examples(stored, data=data)


def test_rows_that_have_moved_are_found_by_their_texts(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "pairs.jsonl", [{k: v for k, v in row.items() if k != "id"} for row in rows()])
    run = rmeval.evaluate("baseline:longest", "pairs", data, out=tmp_path / "runs")
    before = wrong_examples(run)
    assert [one.item for one in before] == ["0", "1", "2", "3", "4", "5"]
    data.write_text("".join(reversed(data.read_text().splitlines(keepends=True))))
    assert wrong_examples(run).examples == before.examples


def test_a_hub_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "someone" / "prefs"
    folder.mkdir(parents=True)
    write_rows(folder / "rows.jsonl", rows())
    run = rmeval.evaluate("baseline:longest", "pairs", "someone/prefs", out=tmp_path / "runs")
    kept = folder.rename(tmp_path / "kept")
    with pytest.raises(RunError, match=r"someone/prefs .*: give their place with `data`, or give the command"):
        wrong_examples(run)
    assert len(wrong_examples(run, data=kept)) == 6


def test_tool_calls_are_part_of_a_response(tmp_path: Path) -> None:
    def call(city: str) -> list[dict[str, Any]]:
        own = {"type": "function", "function": {"name": "weather", "arguments": {"city": city}}}
        return [
            {"role": "user", "content": "how is it there"},
            {"role": "assistant", "content": "", "tool_calls": [own]},
        ]

    tool = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    row = {"id": "t", "chosen": call("Aro"), "rejected": call("Belo"), "tools": [tool]}
    data = write_rows(tmp_path / "pairs.jsonl", [row])
    for store_text in (False, True):
        out = tmp_path / f"runs-{store_text}"
        scores = write_rows(tmp_path / "s.jsonl", [{"item_id": "t", "response": k, "score": float(k)} for k in (0, 1)])
        import_scores(scores, rmeval.load_benchmark("pairs", str(data)), out, store_text=store_text)
        if store_text:
            data.unlink()
        (one,) = wrong_examples(out)
        assert one.prompt == "tools: weather\nuser: how is it there"
        assert one.chosen.text == f"tool_calls: {json.dumps(call('Aro')[1]['tool_calls'])}"
        assert '"Belo"' in one.rejected.text


def test_a_table_of_wrong_examples(tmp_path: Path) -> None:
    found = wrong_examples(imported(tmp_path, "mine", SCORES))
    frame = found.to_pandas()
    assert frame[["item", "outcome", "margin", "chosen_score", "rejected_score"]].values.tolist()[:2] == [
        ["f", "loss", -5.0, -1.0, 4.0],
        ["a", "loss", -2.0, 1.0, 3.0],
    ]
    assert frame["chosen"][0] == "f is in the north"
    assert repr(found).splitlines()[:2] == [
        "pairs  mine: 4 wrong examples", "  f  chosen/rejected  loss  margin -5",
    ]  # fmt: skip
    assert (len(found), found[-1].item, [one.item for one in found[:2]]) == (4, "b", ["f", "a"])


def test_nothing_is_wrong(tmp_path: Path) -> None:
    run = imported(tmp_path, "right", dict.fromkeys(SCORES, (1.0, 0.0)))
    (tmp_path / "pairs.jsonl").unlink()
    found = wrong_examples(run)
    assert (found.examples, found.tallies[0].comparisons, found.notes) == ((), 6, ())


def test_without_torch(tmp_path: Path) -> None:
    run = imported(tmp_path, "mine", SCORES)
    code = "import sys, rmeval; rmeval.wrong_examples(sys.argv[1]).to_pandas(); print({'torch'} & set(sys.modules))"
    done = process("-c", code, run)
    assert (done.returncode, done.stdout.strip()) == (0, "set()"), done.stderr
