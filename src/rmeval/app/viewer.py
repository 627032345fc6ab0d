"""What the pages show: the index of a folder of runs, and the numbers of its runs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from rmeval.app.figures import Figures
from rmeval.app.index import Index, IndexedRun, Source
from rmeval.app.item.compose import ItemPages
from rmeval.app.item.source import ItemSource
from rmeval.app.token_store import TokenStore
from rmeval.app.watch import Watch
from rmeval.errors import RmevalError
from rmeval.leaderboard.board import Board, make_boards
from rmeval.report.figures.style import Theme
from rmeval.results.analyze import Analysis, analyze_run
from rmeval.results.compare import ModelComparison, compare_runs
from rmeval.results.result import Result, open_run

__all__ = ["Viewer"]

_RESULTS = 4096
_COMPARISONS = 8
_ANALYSES = 8
"""Numbers of results, comparisons and analyses that are kept."""


class _Version(NamedTuple):
    """A run folder in one state; numbers are kept as long as the state is the same."""

    folder: Path
    state: str


class Viewer:
    """A folder of runs, whose numbers are computed again only for runs whose files have changed.

    Attributes:
        source: The folder, and what is needed to read its runs.
        index: The index of its runs and items.
        watch: Updates the index.
        figures: Draws figures of runs.
        items: Makes the pages of items.
    """

    def __init__(self, source: Source, index: Index, watch: Watch, store: TokenStore) -> None:
        """Store the parts.

        Args:
            source: The folder, and what is needed to read its runs.
            index: The index, which the watch keeps up to date.
            watch: A watch that runs.
            store: Token scores for the pages of items.
        """
        self.source = source
        self.index = index
        self.watch = watch
        self.figures = Figures()
        self.items = ItemPages(index, ItemSource(source), store)
        # Pages that are loaded at the same time need the same numbers.
        self._lock = threading.RLock()
        self._opened = lru_cache(_RESULTS)(self._open)
        self._made = lru_cache(1)(self._make)
        self._comparisons = lru_cache(_COMPARISONS)(self._compare)
        self._analyses = lru_cache(_ANALYSES)(self._analyse)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.source.runs.resolve().name

    def result(self, run: IndexedRun) -> Result | str:
        """The numbers of a run, or why there are none."""
        if run.error:
            return run.error
        with self._lock:
            return self._opened(_Version(run.folder, run.state))

    def boards(self) -> tuple[Board, ...]:
        """The boards of all benchmarks."""
        with self._lock:
            return self._made(_versions(run for run in self.index.runs() if not run.error))

    def compared(self, runs: Sequence[IndexedRun], metric: str | None, scope: str) -> tuple[ModelComparison, ...]:
        """The comparisons of some runs.

        Raises:
            RmevalError: If they cannot be compared, or there is no such number.
        """
        with self._lock:
            return self._comparisons(_versions(runs), metric, scope)

    def analysis(self, run: IndexedRun) -> Analysis:
        """The analysis of a run.

        Raises:
            RmevalError: If the run cannot be analysed.
        """
        with self._lock:
            return self._analyses(_Version(run.folder, run.state))

    def matrix(self, run: IndexedRun, result: Result, theme: Theme) -> bytes:
        """The style-substance matrix of a run as SVG.

        Raises:
            RunError: If it has none, or matplotlib is not installed.
        """
        return self.figures.matrix(_Version(run.folder, run.state), result, theme)

    def drawn(self, run: IndexedRun, theme: Theme) -> Mapping[str, bytes]:
        """The figures of a run's analysis as SVG, by name.

        Raises:
            RmevalError: If the run cannot be analysed, or matplotlib is not installed.
        """
        return self.figures.analysis(_Version(run.folder, run.state), self.analysis(run), theme)

    def _open(self, run: _Version) -> Result | str:
        try:
            return open_run(run.folder, None, self.source.benchmark, self.source.protocol)
        except RmevalError as error:
            return str(error)

    def _make(self, runs: tuple[_Version, ...]) -> tuple[Board, ...]:
        found = [self._opened(run) for run in runs]
        return make_boards([result for result in found if isinstance(result, Result) and result.records])

    def _compare(self, runs: tuple[_Version, ...], metric: str | None, scope: str) -> tuple[ModelComparison, ...]:
        own = self.source
        folders = [run.folder for run in runs]
        return tuple(compare_runs(folders, metric=metric, scope=scope, benchmark=own.benchmark, protocol=own.protocol))

    def _analyse(self, run: _Version) -> Analysis:
        return analyze_run(run.folder, benchmark=self.source.benchmark, protocol=self.source.protocol)


def _versions(runs: Iterable[IndexedRun]) -> tuple[_Version, ...]:
    return tuple(_Version(run.folder, run.state) for run in runs)
