"""What to cite with runs, and numbers without items that are known to be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.errata import errata_of
from rmeval.benchmarks.rm_bench import RMBench
from rmeval.errors import DataError, RunError
from rmeval.results.cite import cite_runs
from tests.command import command
from tests.samples import rm_bench_rows


def test_each_paper_once(rm_bench_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("longest", "shortest"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench", rm_bench_folder, out=tmp_path / "runs")
    done = command(capsys, "cite", tmp_path / "runs")
    assert done.code == 0
    assert done.out.count("@") == 1
    assert done.out.startswith("@inproceedings{liu2025rmbench,")


def test_a_benchmark_of_ones_own_beside_others(
    rm_bench_folder: Path, pairs_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "from dataclasses import replace\nfrom rmeval.benchmarks.pairs import Pairs\n\n\nclass Own(Pairs):\n"
        "    card = replace(Pairs.card, citation='@misc{own}')\n"
    )
    rmeval.evaluate("baseline:longest", "rm-bench", rm_bench_folder, out=tmp_path / "runs")
    rmeval.evaluate("baseline:longest", f"{own}:Own", pairs_file, out=tmp_path / "runs")
    with caplog.at_level("WARNING"):
        assert len(cite_runs(tmp_path / "runs")) == 1
    assert f"the citations of runs with {own}:Own are missing: give `benchmark` {own}:Own" in caplog.text
    both = cite_runs(tmp_path / "runs", f"{own}:Own")
    assert len(both) == 2
    assert "@misc{own}" in both


def test_a_damaged_run_is_left_out(rm_bench_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one, other = (
        rmeval.evaluate(f"baseline:{name}", "rm-bench", rm_bench_folder, out=tmp_path / "runs").path
        for name in ("longest", "shortest")
    )
    (other / "run.json").write_text("{")
    with caplog.at_level("WARNING"):
        assert cite_runs(tmp_path / "runs") == cite_runs(one)
    assert f"{other / 'run.json'} is damaged" in caplog.text
    with pytest.raises(RunError, match="is damaged"):
        cite_runs(other)


def test_nothing_to_cite(pairs_file: Path, tmp_path: Path) -> None:
    run = rmeval.evaluate("baseline:longest", "pairs", pairs_file, out=tmp_path / "runs")
    with pytest.raises(RunError, match=r"has nothing to cite: its benchmark \(pairs\) has no citation"):
        cite_runs(run.path)
    rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=8, out=tmp_path / "runs")
    with pytest.raises(RunError, match=r": its benchmarks \(pairs, rm-bench-synthetic\) have no citation"):
        cite_runs(tmp_path / "runs")
    with pytest.raises(DataError, match="there is no benchmark 'nope'"):
        cite_runs(run.path, "nope")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="has nothing to cite: there is no run in it"):
        cite_runs(tmp_path / "empty")


def test_numbers_without_contested_items(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten items of code, of which two are known to be wrong in RM-Bench, and ten of chat."""
    known = list(errata_of(RMBench.card))
    assert known == ["code/444", "code/453"]
    code = rm_bench_rows("code", 10)
    for row, number in zip(code, [444, 453, *range(8)], strict=True):
        row["id"] = number
    (tmp_path / "code_filtered.json").write_text(json.dumps(code))
    (tmp_path / "chat_filtered.json").write_text(json.dumps(rm_bench_rows("chat", 10)))
    result = rmeval.evaluate("baseline:longest", "rm-bench", tmp_path, out=tmp_path / "runs")
    (tmp_path / "code_filtered.json").write_text(json.dumps(code[2:]))
    rest = rmeval.evaluate("baseline:longest", "rm-bench", tmp_path, out=tmp_path / "rest")
    for metric in ("easy", "normal", "hard", "average"):
        second = result.record("without_errata", f"{metric} code")
        assert second.value == rest.value(metric, "code")
        assert second.n_items == 8
        assert second.formula == result.record(metric, "code").formula
    scopes = {record.scope for record in result.records if record.metric == "without_errata"}
    assert not any(scope.endswith("chat") or scope.startswith("cell:") for scope in scopes)
    assert not any(record.metric == "without_errata" for record in rest.records)
    shown = command(capsys, "show", result.path).out
    assert "without the items that rmeval errata rm-bench lists" in shown
    assert "code average" in shown
    other = rmeval.evaluate("baseline:shortest", "rm-bench", tmp_path, out=tmp_path / "other")
    (compared,) = rmeval.compare([result.path, other.path])
    assert all(metric != "without_errata" for metric, _ in compared.differences)


def test_the_errata_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "errata", "rm-bench")
    assert done.code == 0
    assert "code/453" in done.out
    assert "HumanEval" in done.out
    assert [row["item"] for row in json.loads(command(capsys, "errata", "rm-bench", "--json").out)] == list(
        errata_of(RMBench.card)
    )
    assert "no errors are known in the items of pairs" in command(capsys, "errata", "pairs").out
    wrong = command(capsys, "errata", "nothing")
    assert (wrong.code, "there is no benchmark 'nothing'" in wrong.err) == (2, True)


def test_each_erratum_names_item_fault_and_source() -> None:
    from importlib.resources import files

    for file in (files("rmeval") / "errata").iterdir():
        found = errata_of(load_benchmark(file.name.removesuffix(".jsonl")).card)
        assert found
        for name, one in found.items():
            assert name == one.item
            assert one.wrong.endswith(".")
            assert one.source


def test_errata_of_a_benchmark_from_outside(pairs_file: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "from dataclasses import replace\nfrom rmeval.benchmarks.pairs import Pairs\n\n\nclass Own(Pairs):\n"
        "    card = replace(Pairs.card, errata='wrong.jsonl')\n"
    )
    errata = tmp_path / "wrong.jsonl"
    errata.write_text(json.dumps({"item": "3", "wrong": "Both are right.", "source": "read"}) + "\n")
    result = rmeval.evaluate("baseline:longest", f"{own}:Own", pairs_file, out=tmp_path / "runs")
    count = result.record("accuracy").n_items
    assert result.record("without_errata", "accuracy all").n_items == count - 1
    errata.write_text('{"item": "3"}\n')
    with pytest.raises(DataError, match=r"wrong.jsonl line 1: column 'wrong' is missing"):
        rmeval.evaluate("baseline:shortest", f"{own}:Own", pairs_file, out=tmp_path / "other")
    # Before anything is scored.
    assert not (tmp_path / "other").exists()
