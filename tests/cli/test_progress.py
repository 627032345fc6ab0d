"""What a run shows while it lasts."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

import rmeval
from rmeval.cli.progress import _Bar, _LogLines


class Some:
    """A scorer that fails on each third response."""

    name = "some"

    def __init__(self) -> None:
        self.count = 0

    def score(self, conversations: Sequence[object]) -> list[float]:
        self.count += len(conversations)
        if self.count % 3 == 0:
            raise ValueError("no score")
        return [float(self.count + place) for place, _ in enumerate(conversations)]


class Shown:
    def __init__(self) -> None:
        self.done: list[tuple[int, int]] = []
        self.failures: list[int] = []

    def __call__(self, done: int, total: int) -> None:
        self.done.append((done, total))

    def failed(self, count: int) -> None:
        self.failures.append(count)


@pytest.mark.parametrize("until", [None, 0.9])
def test_requests_without_a_score_are_counted(pairs_file: Path, tmp_path: Path, until: float | None) -> None:
    shown = Shown()
    result = rmeval.evaluate(Some(), "pairs", str(pairs_file), out=tmp_path, until=until, progress=shown)
    assert shown.failures == sorted(shown.failures)
    assert 0 < shown.failures[-1] < 24
    assert shown.done[-1] == (24, 24)
    assert result.record("accuracy").n_items == 12


def test_lines_and_bars_show_speed_failures_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _LogLines("rm-bench  tiny", seconds=0)
    for done in (0, 50):
        lines.failed(done // 10)
        lines.spent(done / 1_000)
        lines(done, 100)
    shown = capsys.readouterr().err
    assert shown.startswith("rm-bench  tiny: 50 of 100, ")
    assert "/s, 5 without score, $0.05, " in shown
    assert shown.endswith("min left\n")
    output = io.StringIO()
    with Progress(
        TextColumn("{task.description} {task.completed}/{task.total} {task.fields[failed]} {task.fields[cost]}"),
        console=Console(file=output, force_terminal=True, width=100),
    ) as rich:
        bar = _Bar(rich, "tiny")
        bar(10, 30)
        bar.failed(3)
        bar.spent(12.345)
        bar(15, 30)
    assert "tiny (10 done before) 5/20 3 without score $12.35" in output.getvalue()
