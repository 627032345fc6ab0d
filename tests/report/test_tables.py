"""Tables of numbers on the terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import rmeval
from rmeval.report.cells import percent
from tests.benchmarks.test_ppe_preference import many, written
from tests.command import command
from tests.samples import rm_bench_rows


def test_percent() -> None:
    values = (0.12345, -0.0, -0.0004, -0.0006, 1.0, float("nan"))
    assert [percent(value) for value in values] == ["12.3", "0.0", "0.0", "-0.1", "100.0", "-"]


def test_random_is_not_shown_where_it_is_one_half(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As on RM-Bench, of whose gap it is 0."""
    (tmp_path / "chat_filtered.json").write_text(json.dumps(rm_bench_rows("chat", 6)))
    run = rmeval.evaluate("baseline:longest", "rm-bench", tmp_path, out=tmp_path / "runs")
    assert run.record("style_gap", "chat").null["random"] == 0.0
    (header,) = (line for line in command(capsys, "show", run.path).out.splitlines() if "shortest" in line)
    assert header.split() == ["longest", "shortest", "markdown"]


def test_a_run_without_any_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Votes that are all ties have no winner."""
    rows = [row | {"winner": "tie"} for row in many(6)[:3]]
    run = rmeval.evaluate("baseline:longest", "ppe-preference", written(tmp_path, rows), out=tmp_path / "runs")
    assert run.records == ()
    assert any("no comparison of these items has a winner" in note for note in run.notes)
    rmeval.evaluate("baseline:shortest", "ppe-preference", written(tmp_path, rows), out=tmp_path / "runs")
    done = command(capsys, "show", tmp_path / "runs")
    assert (done.code, done.out.count("no numbers")) == (0, 2)
    for name in ("compare", "analyze"):
        wrong = command(capsys, name, tmp_path / "runs" if name == "compare" else run.path)
        assert (wrong.code, wrong.err.count("\n"), "Traceback" in wrong.err) == (2, 1, False), wrong


@pytest.mark.parametrize("columns", [80, 120])
def test_names_have_room(columns: int) -> None:
    """Numbers are never broken; in a narrow terminal they stand one space apart."""
    from rich.console import Console

    from rmeval.report.terminal import new_grid

    table = new_grid("", "accuracy", "items", "ties", "failed", "random", "longest", "shortest", "markdown")
    table.add_row("Professional Content Generation", "45.7 37.3-54.4", "164", "-", "9", "31.2", "48.8", "14.6", "57.1")
    console = Console(width=columns, record=True, file=io.StringIO())
    console.print(table, crop=False)
    text = console.export_text()
    assert all(number in text for number in ("45.7 37.3-54.4", "164", "48.8", "57.1"))
    assert all(word in text for word in ("Content", "Generation"))
