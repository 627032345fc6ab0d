"""Progress of long work, on standard error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rmeval.cli.output import echo
from rmeval.messages import shortened

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from rmeval.runs.observe import Progress

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """A bar on standard error with speed, failures and time left; without a terminal, a line at intervals."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )

    from rmeval.report.terminal import Line, Screen

    class Speed(ProgressColumn):
        """Responses per second."""

        def render(self, task: Task) -> Line:
            return Line(f"{task.speed:.1f}/s" if task.speed else "", style="dim")

    what = shortened(what, 60)
    console = Screen(stderr=True)
    if not console.is_terminal:
        yield _LogLines(what)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TextColumn("{task.fields[failed]}", style="yellow", markup=False),
        TextColumn("{task.fields[cost]}", style="dim", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield _Bar(bar, what)


class _Bar:
    """A bar of rich; the speed counts this process's work only."""

    def __init__(self, bar: RichProgress, what: str) -> None:
        self._bar = bar
        self._task = bar.add_task(what, total=None, failed="", cost="")
        self._what = what
        self._started: int | None = None

    def __call__(self, done: int, total: int) -> None:
        """Shows what is done."""
        if self._started is None:
            self._started = done
            before = f" ({done} done before)" if done else ""
            self._bar.update(self._task, description=f"{self._what}{before}", total=total - done)
        self._bar.update(self._task, completed=done - self._started)

    def failed(self, count: int) -> None:
        """Shows how many have no score."""
        self._bar.update(self._task, failed=_failures(count))

    def spent(self, dollars: float) -> None:
        """Shows what the calls cost."""
        self._bar.update(self._task, cost=_cost(dollars))


def _failures(count: int) -> str:
    return f"{count} without score" if count else ""


def _cost(dollars: float) -> str:
    return f"${dollars:.2f}" if dollars >= 1 else f"${dollars:.2g}"


class _LogLines:
    """Writes a line to standard error at intervals, for logs of batch jobs."""

    def __init__(self, what: str, seconds: float = 30) -> None:
        self._what = what
        self._seconds = seconds
        self._last = time.monotonic()
        self._begun: tuple[float, int] | None = None
        self._failed = 0
        self._spent: float | None = None

    def __call__(self, done: int, total: int) -> None:
        """Writes a line if the last one is long ago."""
        now = time.monotonic()
        if self._begun is None:
            self._begun = now, done
        elif now - self._last >= self._seconds and self._begun[1] < done < total:
            self._last = now
            speed = (done - self._begun[1]) / (now - self._begun[0])
            left = (total - done) / speed / 60
            failed = f", {_failures(self._failed)}" if self._failed else ""
            spent = "" if self._spent is None else f", {_cost(self._spent)}"
            echo(f"{self._what}: {done} of {total}, {speed:.1f}/s{failed}{spent}, {left:.0f} min left", err=True)

    def failed(self, count: int) -> None:
        """Remembers how many have no score."""
        self._failed = count

    def spent(self, dollars: float) -> None:
        """Remembers what the calls cost."""
        self._spent = dollars
