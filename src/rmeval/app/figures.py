"""Figures of runs as SVG, drawn when a page asks for them (extra `plots`)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from rmeval.extras import is_installed
from rmeval.report.figures.analysis import draw_analysis
from rmeval.report.figures.matrix import draw_matrix
from rmeval.report.figures.style import Theme
from rmeval.results.analyze import Analysis
from rmeval.results.result import Result

__all__ = ["FIGURES", "Figures"]

FIGURES: Mapping[str, str] = {
    "length": "Accuracy by length of the better response",
    "scores": "Distributions of the scores of better and worse responses",
    "calibration": "Calibration of the margins",
    "refusals": "Refusals of harmful and of harmless requests",
}
"""Names of the figures of an analysis, and what they show."""
_KEPT = 32


class Figures:
    """Draws figures, one at a time since matplotlib's settings are global, and keeps the last ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drawn: OrderedDict[Hashable, Mapping[str, bytes]] = OrderedDict()

    @property
    def is_available(self) -> bool:
        """Whether figures can be drawn here."""
        return is_installed("matplotlib")

    def matrix(self, key: Hashable, result: Result, theme: Theme) -> bytes:
        """The style-substance matrix of a run.

        Args:
            key: What identifies the run and its state.
            result: The run.
            theme: For light or dark pages.

        Raises:
            RunError: If the run has no matrix, or matplotlib is not installed.
        """

        def draw(folder: Path) -> None:
            draw_matrix(result, folder / "matrix.svg", theme)

        return self._of(("matrix", key, theme), draw)["matrix"]

    def analysis(self, key: Hashable, found: Analysis, theme: Theme) -> Mapping[str, bytes]:
        """The figures of an analysis by name, those of `FIGURES` that the run has.

        Args:
            key: What identifies the run and its state.
            found: The analysis.
            theme: For light or dark pages.

        Raises:
            RunError: If matplotlib is not installed.
        """

        def draw(folder: Path) -> None:
            draw_analysis(found, folder, theme, "svg")

        return self._of(("analysis", key, theme), draw)

    def _of(self, key: Hashable, draw: Callable[[Path], None]) -> Mapping[str, bytes]:
        with self._lock:
            if key not in self._drawn:
                with TemporaryDirectory() as folder:
                    draw(Path(folder))
                    files = sorted(Path(folder).rglob("*.svg"))
                    self._drawn[key] = {file.stem: file.read_bytes() for file in files}
            self._drawn.move_to_end(key)
            while len(self._drawn) > _KEPT:
                self._drawn.popitem(last=False)
            return self._drawn[key]
