"""Progress of a build: one bar for each kind of call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rmeval.build.tools import Progress
from rmeval.cli.progress import progress_bar
from rmeval.runs.observe import Progress as BarProgress

__all__ = ["build_progress"]


@contextmanager
def build_progress(name: str) -> Iterator[Progress]:
    """Bars on standard error, of which the newest is shown."""
    with ExitStack() as stack:
        shown, bars = [""], list[BarProgress]()

        def show(done: int, total: int, what: str) -> None:
            if shown[0] != what:
                shown[0] = what
                stack.close()
                bars.append(stack.enter_context(progress_bar(f"{name}  {what}")))
            bars[-1](done, total)

        yield show
