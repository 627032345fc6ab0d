"""Runs that stop when their number is known well enough."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.data.tables import ItemTable
from rmeval.errors import RunError
from rmeval.metrics import SECTIONS
from rmeval.store.items import read_items
from rmeval.store.problems import problem_order
from tests.command import command, running
from tests.runs.until import Skilled, written
from tests.samples import reward_bench_rows


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return written(tmp_path, 400)


def evaluate(model: Skilled, data: Path, out: Path, **options: Any) -> rmeval.Result:
    return rmeval.evaluate(model, "pairs", data, out=out, **options)


def note(result: rmeval.Result) -> str:
    return next(note for note in result.notes if "problems" in note and ("stopped" in note or "all 200" in note))


def bounds(result: rmeval.Result) -> tuple[float, float]:
    low, high = re.findall(r"between ([\d.]+) and ([\d.]+)", note(result))[0]
    return float(low) / 100, float(high) / 100


def test_a_run_stops_when_the_interval_of_all_items_is_narrow(pairs: Path, tmp_path: Path) -> None:
    model = Skilled("a", 0.8)
    result = evaluate(model, pairs, tmp_path / "until", until=0.1)
    whole = evaluate(Skilled("a", 0.8), pairs, tmp_path / "whole")
    record = result.record("accuracy")
    assert record.n_clusters < 180
    assert record.n_items == 2 * record.n_clusters, "problems are whole"
    assert len(model.scored) == 2 * record.n_items
    low, high = bounds(result)
    assert 0.05 < high - low <= 0.1
    assert low <= whole.value("accuracy") <= high
    assert note(result) == (
        f"stopped after {record.n_clusters} of 200 problems: accuracy of all 400 items is between {100 * low:.1f} and "
        f"{100 * high:.1f} (anytime-valid 95% interval)"
    )
    # It is an ordinary run of these items, and the folder states why it ended.
    assert result.manifest["status"] == "complete"
    assert result.manifest["selection"]["stopped"] == {"problems": record.n_clusters, "of": 200}
    (compared,) = rmeval.compare([result.path, whole.path])
    assert any(f"stopped after {record.n_clusters} of 200 problems" in one for one in compared.notes)
    assert len(result.manifest["sessions"]) == 1
    assert result.manifest["sessions"][0]["scored"] == len(model.scored)
    (result.path / "metrics.json").unlink()
    assert rmeval.open_run(result.path).records == result.records
    assert note(rmeval.open_run(result.path)) == note(result)
    # A narrower interval continues it, and all items give the ordinary run.
    more = Skilled("a", 0.8)
    narrower = evaluate(more, pairs, tmp_path / "until", until=0.07)
    assert narrower.path == result.path
    assert not set(more.scored) & set(model.scored)
    assert record.n_clusters < narrower.record("accuracy").n_clusters < 200
    rest = evaluate(Skilled("a", 0.8), pairs, tmp_path / "until")
    assert rest.records == whole.records
    assert not any("stopped" in one for one in rest.notes)
    assert "stopped" not in rest.manifest["selection"]


def test_a_complete_run_stays_complete(pairs: Path, tmp_path: Path) -> None:
    whole = evaluate(Skilled("a", 0.8), pairs, tmp_path)
    again = Skilled("a", 0.8)
    result = evaluate(again, pairs, tmp_path, until=0.3)
    assert result.records == whole.records
    assert again.scored == []
    assert note(result) == "all 200 problems are scored, so accuracy is that of all 400 items"


def test_the_last_item_gives_the_ordinary_run(pairs: Path, tmp_path: Path) -> None:
    result = evaluate(Skilled("a", 0.8), pairs, tmp_path / "until", until=0.0001)
    whole = evaluate(Skilled("a", 0.8), pairs, tmp_path / "whole")
    assert result.records == whole.records
    files = [sorted((one.path / "journal").iterdir()) for one in (result, whole)]
    assert len(files[0]) > len(files[1]), "there were portions"
    for name in ("scores.parquet", "items.parquet"):
        assert (result.path / name).stat().st_size == (whole.path / name).stat().st_size


@pytest.mark.parametrize("after", [16, 96, 320])
def test_interrupted_and_continued_it_ends_in_the_same_way(pairs: Path, tmp_path: Path, after: int) -> None:
    straight = evaluate(Skilled("a", 0.8), pairs, tmp_path / "straight", until=0.1)
    first = Skilled("a", 0.8, stop_after=after)
    with pytest.raises(KeyboardInterrupt):
        evaluate(first, pairs, tmp_path / "stopped", until=0.1)
    second = Skilled("a", 0.8)
    result = evaluate(second, pairs, tmp_path / "stopped", until=0.1)
    assert (result.records, result.notes) == (straight.records, straight.notes)
    assert 0 < len(first.scored) <= after
    assert sorted(first.scored + second.scored) == sorted(set(first.scored + second.scored))
    names = [list(read_items(one.path / "items.parquet").table.ids) for one in (result, straight)]
    assert names[0] == names[1]


@pytest.mark.slow
def test_killed_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import time\n\nclass Slow:\n    def score(self, conversations):\n        time.sleep(0.01)\n"
        "        return [len(one[-1]['content']) % 7 for one in conversations]\n"
    )
    (tmp_path / "slow.py").write_text(code)
    data = written(tmp_path, 400)
    arguments = ["run", f"{tmp_path / 'slow.py'}:Slow", "-b", "pairs", "--data", data, "--until", "12"]
    arguments += ["--batch-size", "4"]
    victim = running(*arguments, "-o", tmp_path / "killed")
    while len(list(tmp_path.glob("killed/pairs/*/*/journal/*.jsonl"))) < 3:
        assert victim.poll() is None
    victim.kill()
    victim.communicate()
    assert command(capsys, *arguments, "-o", tmp_path / "killed").code == 0
    assert command(capsys, *arguments, "-o", tmp_path / "straight").code == 0
    killed, straight = (rmeval.open_run(tmp_path / out) for out in ("killed", "straight"))
    assert straight.record("accuracy").n_clusters < 200
    assert (killed.records, killed.notes) == (straight.records, straight.notes)


def test_the_order_depends_on_contents_and_seed_only(tmp_path: Path) -> None:
    results = [
        evaluate(Skilled("a", 0.8), written(tmp_path, 400, shuffled), tmp_path / str(shuffled), until=0.1)
        for shuffled in (False, True)
    ]
    ids = [set(read_items(one.path / "items.parquet").table.ids) for one in results]
    assert ids[0] == ids[1]
    assert [one.value for one in results[0].records] == [one.value for one in results[1].records]
    assert note(results[0]) == note(results[1])
    other = evaluate(Skilled("a", 0.8), written(tmp_path, 400), tmp_path / "seed", until=0.1, seed=1)
    assert set(read_items(other.path / "items.parquet").table.ids) != ids[0]


def test_first_problems_are_a_simple_random_sample(pairs: Path, tmp_path: Path) -> None:
    result = evaluate(Skilled("a", 0.8), pairs, tmp_path)
    stored = read_items(result.path / "items.parquet")
    half = stored.take(np.arange(400) < 200)
    times = np.zeros(200)
    for seed in range(200):
        order = problem_order(stored, seed)
        assert sorted(order.tolist()) == list(range(200))
        times[order[:20]] += 1
        # Which other problems there are has no effect on the order.
        assert order[order < 100].tolist() == problem_order(half, seed).tolist()
    # Binomial(200, .1) has mean 20 and deviation 4.2.
    assert 3.4 < times.std() < 5.1
    assert times.max() < 40


def test_a_folder_of_other_items_keeps_its_numbers(pairs: Path, tmp_path: Path) -> None:
    sample = evaluate(Skilled("a", 0.8), pairs, tmp_path, n_items=100)
    before = (sample.path / "metrics.json").read_bytes()
    result = evaluate(Skilled("a", 0.8), pairs, tmp_path, until=0.1)
    assert any("contains 100 items that are not all selected" in one for one in result.notes)
    assert bounds(result)
    stored = json.loads((sample.path / "metrics.json").read_bytes())
    assert stored["records"] == json.loads(before)["records"]


def test_a_selection_is_the_whole_of_which_a_part_is_scored(pairs: Path, tmp_path: Path) -> None:
    result = evaluate(Skilled("a", 0.8), pairs, tmp_path, until=0.1, limit=200)
    assert result.record("accuracy").n_clusters < 100
    assert "of 100 problems: accuracy of all 200 items" in next(one for one in result.notes if "stopped" in one)


def test_notes_and_progress_are_those_of_the_items_that_are_scored(tmp_path: Path) -> None:
    shown: list[tuple[int, int]] = []
    result = rmeval.evaluate(
        Skilled("a", 0.8),
        "rm-bench-synthetic",
        out=tmp_path,
        size=400,
        until=0.3,
        progress=lambda done, total: shown.append((done, total)),
    )
    items = result.record("overall").n_items
    assert items < 400
    assert {total for _, total in shown} == {2400}
    assert [done for done, _ in shown] == sorted(done for done, _ in shown)
    assert shown[-1][0] == 6 * items


def test_several_benchmarks_and_a_baseline(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = ["-b", "rm-bench-synthetic", "--size", "304", "-b", "pairs", "--data", f"pairs={pairs}"]
    done = command(capsys, "run", "baseline:random", *many, "--until", "15", "-o", tmp_path)
    assert done.code == 0, done.err
    found = [rmeval.open_run(tmp_path / name) for name in ("rm-bench-synthetic", "pairs")]
    assert all(any(one.startswith("stopped after ") for one in result.notes) for result in found)
    assert "overall of all 304 items is between" in " ".join(done.out.split())


def test_a_model_that_compares_leaves_out_what_needs_scores(tmp_path: Path) -> None:
    from tests.benchmarks.test_reward_bench_2 import whole
    from tests.benchmarks.test_reward_bench_2 import written as rows_written

    data = rows_written(tmp_path, whole(30))

    class First:
        def compare(self, pairs: list[dict[str, Any]]) -> list[float]:
            return [0.9 if len(pair["first"]) % 3 else 0.1 for pair in pairs]

    result = rmeval.evaluate(First(), "reward-bench-2", data, out=tmp_path / "runs", name="first", until=0.4)
    (found,) = (one for one in result.notes if one.startswith("stopped after "))
    assert "best-of-4 average of all 150 items" in found
    assert any("left out, because they do not apply to models that compare" in one for one in result.notes)


def test_the_composite_of_ties_has_its_own_range(tmp_path: Path) -> None:
    from tests.benchmarks.test_reward_bench_2 import whole
    from tests.benchmarks.test_reward_bench_2 import written as rows_written

    data = rows_written(tmp_path, whole(30))
    result = rmeval.evaluate("baseline:random", "reward-bench-2", data, out=tmp_path / "until", until=0.35)
    every = rmeval.evaluate("baseline:random", "reward-bench-2", data, out=tmp_path / "whole")
    (found,) = (one for one in result.notes if one.startswith("stopped after "))
    low, high = map(float, re.findall(r"between ([\d.]+) and ([\d.]+)", found)[0])
    assert low <= 100 * every.value("overall") <= high


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"until": 0}, r"^`until` must be decided, or the width of an interval between 0 and 1, not 0$"),
        ({"until": 3}, r"between 0 and 1, not 3$"),
        ({"until": True}, r"between 0 and 1, not True$"),
        ({"until": float("nan")}, r"between 0 and 1, not nan$"),
        ({"until": "soon"}, r"between 0 and 1, not 'soon'$"),
        ({"until": "decided"}, r"^`until` decided needs `versus`: give the run folder of the other model$"),
        ({"until": 0.1, "versus": "runs"}, r"^`versus` is for `until` decided: leave it out, or give `until` decided$"),
        ({"versus": "runs"}, r"^`versus` needs `until` decided: give both, or neither$"),
    ],
)
def test_wrong_options(pairs: Path, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    model = Skilled("a", 0.8)
    with pytest.raises(RunError, match=message):
        evaluate(model, pairs, tmp_path / "runs", **options)
    assert model.scored == []
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("text", ["0", "-3", "100", "nan", "inf", "soon", " "])
def test_wrong_widths_on_the_command_line(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    done = command(capsys, "run", "baseline:longest", "-b", "pairs", "--data", pairs, f"--until={text}", "-o", tmp_path)
    assert done.code == 2
    assert done.err == (
        f"error: --until must be decided, or a width in points between 0 and 100, such as 3, not {text!r}\n"
    )


def test_numbers_without_a_sequence_are_refused(rm_bench_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        RunError,
        match=r"^rm-bench has no headline on these items that is a weighted mean over problems \(there are average "
        r"chat, average math\): select all sections, or a single one with `subset`, or leave out `until`$",
    ):
        rmeval.evaluate(
            "baseline:longest", "rm-bench", rm_bench_folder, subsets=["chat", "math"], out=tmp_path, until=0.1
        )


class Own:
    """A benchmark whose credits and rule the test chooses."""

    def __init__(self, credit: float, rule: Any) -> None:
        from rmeval.benchmarks import Card
        from rmeval.metrics import OFFICIAL

        self._credit = credit
        self.card = Card("own", "Own", "It is.", "here", None, "none", "", "", rule=rule or OFFICIAL)

    def load(self) -> list[rmeval.Item]:
        from rmeval.benchmarks import pair

        return [pair("all", n, f"land {n}", f"It is {n}", f"No {n}") for n in range(40)]

    def outcomes(self, items: Any, evidence: Any, rule: Any) -> Any:
        from dataclasses import replace

        from rmeval.metrics.outcomes import outcomes

        found = outcomes(items, evidence, rule)
        return replace(found, credit=np.where(found.credit > 0, self._credit, 0.0))

    def aggregate(self, items: Any, evidence: Any, rule: Any, intervals: bool = True) -> list[rmeval.Record]:
        from rmeval.metrics import make_record

        found = self.outcomes(ItemTable.of(items), evidence, rule)
        return [make_record("own", rule, "accuracy", "all", float(found.credit.mean()), found, "own@1")]


def test_credits_and_rules_that_no_sequence_covers_are_refused(tmp_path: Path) -> None:
    from rmeval.metrics import HALF

    with pytest.raises(
        rmeval.DataError, match=r"^a comparison of 'all' has the credit 2: `until` needs credits from 0"
    ):
        rmeval.evaluate(Skilled("a", 0.9), Own(2.0, None), out=tmp_path / "credit", until=0.2)
    with pytest.raises(RunError, match=r"^the score rule half-ties@1 excludes comparisons without a score"):
        rmeval.evaluate(Skilled("a", 0.9), Own(1.0, HALF), out=tmp_path / "rule", until=0.2)


# Decided.


def test_a_run_stops_when_the_better_model_is_known(pairs: Path, tmp_path: Path) -> None:
    evaluate(Skilled("weak", 0.5), pairs, tmp_path)
    model = Skilled("strong", 0.85)
    result = evaluate(model, pairs, tmp_path, until="decided", versus=tmp_path)
    problems = result.record("accuracy").n_clusters
    assert problems < 180
    assert len(model.scored) == 4 * problems
    (found,) = (one for one in result.notes if "leads" in one)
    assert re.fullmatch(
        rf"strong leads weak by [\d.]+ points \(95% sequence: [\d.]+ to [\d.]+\), decided after {problems} of 200 "
        "problems",
        found,
    )
    # A comparison of the saved runs, of which one is a beginning of the other, comes to the same result.
    (leads,) = rmeval.decide(tmp_path)
    (lead,) = leads.pairs
    assert (lead.first, lead.second, lead.decided, lead.decided_items) == ("strong", "weak", problems, 2 * problems)
    assert (lead.n_clusters, lead.of_clusters, lead.of_items) == (problems, 200, 400)
    assert lead.saved == 1 - problems / 200
    assert repr(leads).splitlines()[1].strip() == found
    # A complete run has the same decision.
    evaluate(Skilled("strong", 0.85), pairs, tmp_path)
    (lead,) = rmeval.decide(tmp_path)[0].pairs
    assert (lead.decided, lead.n_clusters) == (problems, 200)


def test_equal_models_are_not_decided(pairs: Path, tmp_path: Path) -> None:
    evaluate(Skilled("one", 0.7), pairs, tmp_path / "one")
    result = evaluate(Skilled("other", 0.7), pairs, tmp_path / "other", until="decided", versus=tmp_path / "one")
    assert result.record("accuracy").n_items == 400
    assert any(one.startswith("not decided after 200 of 200 problems: ") for one in result.notes)


def test_decided_against_several_and_against_a_part(pairs: Path, tmp_path: Path) -> None:
    evaluate(Skilled("weak", 0.5), pairs, tmp_path / "weak")
    evaluate(Skilled("middle", 0.65), pairs, tmp_path / "middle", limit=300)
    versus = [tmp_path / "weak", tmp_path / "middle"]
    result = evaluate(Skilled("strong", 0.9), pairs, tmp_path / "strong", until="decided", versus=versus)
    (found,) = (one for one in result.notes if "leads" in one)
    assert found.count("strong leads") == 2
    assert "of 150 problems" in found, "problems that only one of the others has are not compared"
    held = read_items(result.path / "items.parquet").table
    assert all(int(name.partition("/")[2].removeprefix("p") or 0) < 300 for name in held.ids)


def test_there_must_be_another_run(pairs: Path, tmp_path: Path) -> None:
    evaluate(Skilled("a", 0.8), pairs, tmp_path / "a")
    message = r"^there is no other run of pairs with any of these items in .*: run the other model first"
    with pytest.raises(RunError, match=message):
        evaluate(Skilled("a", 0.8), pairs, tmp_path / "a", until="decided", versus=tmp_path / "a")
    other = tmp_path / "other"
    other.mkdir()
    (other / "sea.jsonl").write_text(pairs.read_text().replace("land", "sea").replace('"p', '"q').replace('"qr', '"pr'))
    with pytest.raises(RunError, match=message):
        evaluate(Skilled("b", 0.8), other / "sea.jsonl", tmp_path / "b", until="decided", versus=tmp_path / "a")


@pytest.mark.slow
def test_the_first_problems_may_lack_subsets(tmp_path: Path) -> None:
    names = [name for subsets in SECTIONS.values() for name in subsets]
    data = tmp_path / "reward-bench.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in reward_bench_rows(dict.fromkeys(names, 6))))
    out = tmp_path / "runs"
    rmeval.evaluate("baseline:longest", "reward-bench", data, out=out)
    result = rmeval.evaluate("baseline:shortest", "reward-bench", data, out=out, until="decided", versus=out)
    assert any("incomplete" in one or "no overall" in one for one in result.notes)
    (leads,) = rmeval.decide(out)
    assert leads.measure == ("overall", "all")
    (one,) = leads.pairs
    assert (one.first, one.of_items) == ("baseline:longest", 6 * len(names))
    assert one.decided == one.n_clusters < 60
    assert one.ci[0] > 0
    narrow = rmeval.evaluate("baseline:random", "reward-bench", data, out=out, until=0.3)
    assert any("overall of all 138 items is between" in one for one in narrow.notes)


def test_decided_runs_are_continued_too(pairs: Path, tmp_path: Path) -> None:
    evaluate(Skilled("weak", 0.5), pairs, tmp_path / "weak")
    options: dict[str, Any] = {"until": "decided", "versus": tmp_path / "weak"}
    straight = evaluate(Skilled("strong", 0.75), pairs, tmp_path / "straight", **options)
    with pytest.raises(KeyboardInterrupt):
        evaluate(Skilled("strong", 0.75, stop_after=120), pairs, tmp_path / "stopped", **options)
    # The folder of the other run may contain this one.
    shutil.copytree(tmp_path / "weak" / "pairs" / "weak", tmp_path / "stopped" / "pairs" / "weak")
    result = evaluate(
        Skilled("strong", 0.75), pairs, tmp_path / "stopped", until="decided", versus=tmp_path / "stopped"
    )
    assert (result.records, result.notes) == (straight.records, straight.notes)


def test_other_runs_must_have_items_in_common(pairs: Path, tmp_path: Path) -> None:
    evaluate(Skilled("a", 0.5), pairs, tmp_path / "a", limit=100)
    lines = pairs.read_text().splitlines(keepends=True)
    (tmp_path / "end.jsonl").write_text("".join(lines[200:]))
    evaluate(Skilled("b", 0.5), tmp_path / "end.jsonl", tmp_path / "b")
    versus = [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(RunError, match=r"have none of these items in common: give one of them with `versus`$"):
        evaluate(Skilled("c", 0.9), pairs, tmp_path / "c", until="decided", versus=versus)
    assert not list((tmp_path / "c").glob("pairs/*/*"))
    synthetic: dict[str, Any] = {"out": tmp_path / "parts", "size": 304}
    other = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", subsets=["chat", "code"], **synthetic)
    message = "has no overall all on these items .*: run the model of .* on all of them$"
    with pytest.raises(RunError, match=message):
        rmeval.evaluate("baseline:random", "rm-bench-synthetic", until="decided", versus=other, **synthetic)
