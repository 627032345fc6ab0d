"""Progress of long work, on standard error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rmeval.cli.output import echo
from rmeval.messages import shortened

if TYPE_CHECKING:
    from rmeval.runs.observe import Progress

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """A bar on standard error with responses per second and the time left; without a terminal, a line at intervals."""
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
        yield _log_lines(what)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        started: list[int] = []

        def update(done: int, total: int) -> None:
            if not started:
                # The speed counts this process's work only.
                started.append(done)
                bar.update(task, description=f"{what}{f' ({done} done before)' if done else ''}", total=total - done)
            bar.update(task, completed=done - started[0])

        yield update


def _log_lines(what: str, seconds: float = 30) -> Progress:
    """Writes a line to standard error at intervals, for logs of batch jobs."""
    last = time.monotonic()
    begun: list[tuple[float, int]] = []

    def update(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if not begun:
            begun.append((now, done))
        elif now - last >= seconds and begun[0][1] < done < total:
            last = now
            speed = (done - begun[0][1]) / (now - begun[0][0])
            left = (total - done) / speed / 60
            echo(f"{what}: {done} of {total}, {speed:.1f}/s, {left:.0f} min left", err=True)

    return update
