"""Pins: digests of benchmarks that come with rmeval."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.results import verify_run
from rmeval.results.checks import State
from rmeval.results.pins import pinned, pins_of_items, pins_of_run
from rmeval.store.run import read_run


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("rm-bench", "rm-bench"),
        ("judgebench", "judgebench"),
        ("evalbiasbench", "evalbiasbench"),
        ("reward-bench", "rewardbench"),
    ],
)
def test_the_pins_are_those_of_real_data(shared: Path, name: str, place: str) -> None:
    found = pins_of_items(load_benchmark(name, str(shared / "data" / place)).load())
    assert {subset: [pin] for subset, pin in found.items()} == dict(pinned(name))


def test_a_benchmark_without_pins() -> None:
    assert pinned("pairs") == {}


def test_a_run_has_the_pins_of_its_benchmark(tmp_path: Path, rm_bench_folder: Path) -> None:
    run = rmeval.evaluate("baseline:longest", "rm-bench", str(rm_bench_folder), out=tmp_path / "runs").path
    assert pins_of_run(read_run(run).items) == pins_of_items(load_benchmark("rm-bench", str(rm_bench_folder)).load())


def test_made_up_items_under_a_known_name(tmp_path: Path, rm_bench_folder: Path) -> None:
    """Items of one's own in RM-Bench's layout are not RM-Bench; data that the user gives decide."""
    run = rmeval.evaluate("baseline:longest", "rm-bench", str(rm_bench_folder), out=tmp_path / "runs").path
    found = {check.name: check for check in verify_run(run).checks}
    assert found["benchmark"].state is State.WRONG
    assert "chat (4 items instead of 129)" in found["benchmark"].detail
    assert verify_run(run, data=str(rm_bench_folder)).complete


def test_a_part_of_real_data(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rm-bench"
    shutil.copytree(shared / "data" / "rm-bench", folder)
    rows = json.loads((folder / "chat_filtered.json").read_text())
    (folder / "chat_filtered.json").write_text(json.dumps(rows[1:]))
    short = rmeval.evaluate("baseline:longest", "rm-bench", str(folder), out=tmp_path / "runs").path
    assert [check.name for check in verify_run(short).checks if check.state is State.WRONG] == ["benchmark"]
    rows[0]["chosen"], rows[0]["rejected"] = rows[0]["rejected"], rows[0]["chosen"]
    (folder / "chat_filtered.json").write_text(json.dumps(rows))
    turned = rmeval.evaluate("baseline:longest", "rm-bench", str(folder), out=tmp_path / "runs").path
    assert [check.name for check in verify_run(turned).checks if check.state is State.WRONG] == ["gold"]
    rows[0]["prompt"] += " Please."
    (folder / "chat_filtered.json").write_text(json.dumps(rows))
    other = rmeval.evaluate("baseline:longest", "rm-bench", str(folder), out=tmp_path / "runs").path
    checks = {check.name: check for check in verify_run(other).checks}
    assert checks["benchmark"].state is State.UNKNOWN
    assert "not checked: chat (other texts or ids)" in checks["benchmark"].detail
