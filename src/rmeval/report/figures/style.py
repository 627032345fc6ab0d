"""Common parts of all figures: colours, fonts, and saving."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from warnings import catch_warnings, simplefilter

from rmeval.errors import RunError
from rmeval.extras import need_extra
from rmeval.files import replacing
from rmeval.messages import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "COLOURS",
    "FORMATS",
    "ORANGE",
    "Ink",
    "Theme",
    "bare",
    "check",
    "drawing",
    "label",
    "save",
    "share_axis",
]

_LOG = logging.getLogger(__name__)
FORMATS = ("png", "svg", "pdf")
Theme = Literal["light", "dark"]
BLUE, ORANGE = "#1768ac", "#c2560c"
"""Colours for more and less, or better and worse, safe for colour-blind readers on light and dark backgrounds."""
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c7a3d")
"""Colours of models: Okabe and Ito's, which are safe for colour-blind readers, without yellow and black."""


class Ink(NamedTuple):
    """Colours of text, of secondary text, of the background, and of better or more and worse or less."""

    text: str
    faint: str
    paper: str
    blue: str
    orange: str


_INK = {
    "light": Ink("#1f2328", "#59636e", "#ffffff", BLUE, ORANGE),
    "dark": Ink("#e6edf3", "#9198a1", "#0d1117", "#4a9be0", "#e8813a"),
}


def check(path: Path, theme: str) -> None:
    """Check theme and format before anything is drawn.

    Raises:
        RunError: If theme or format is unknown.
    """
    if theme not in _INK:
        raise RunError(f"there is no theme {theme!r}: choose one of {', '.join(_INK)}")
    if path.suffix.removeprefix(".") not in FORMATS:
        raise RunError(f"{path} is not a supported figure format: use a name that ends in .{', .'.join(FORMATS)}")


@contextmanager
def drawing(theme: Theme, width: float, height: float) -> Iterator[tuple[Figure, Ink]]:
    """Create an empty figure and its colours; the theme applies to everything that is drawn and saved in the block.

    Raises:
        RunError: If matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise need_extra(error, "a figure", "plots") from error
    ink = _INK[theme]
    settings: dict[Any, Any] = {
        # Names that contain dollar signs are not formulas.
        "text.parse_math": False,
        "text.usetex": False,
        "svg.fonttype": "path",
        "svg.hashsalt": "rmeval",
        "font.size": 9,
        "font.family": _fonts(),
        "text.color": ink.text,
        "axes.labelcolor": ink.faint,
        "axes.titlecolor": ink.text,
        "axes.edgecolor": ink.faint,
        "xtick.color": ink.faint,
        "ytick.color": ink.text,
        "legend.labelcolor": ink.text,
        "legend.frameon": False,
    }
    with rc_context(settings):
        yield Figure(figsize=(width, height), facecolor=ink.paper, layout="constrained"), ink


@cache
def _fonts() -> list[str]:
    """Return matplotlib's own font, and installed fonts for characters that it lacks, such as Chinese ones."""
    from matplotlib.font_manager import fontManager

    there = set(fontManager.get_font_names())
    own = sorted(name for name in there if name.startswith(_WIDE))
    return ["DejaVu Sans", *own[:_MANY]]


_WIDE = ("Noto Sans CJK", "Source Han Sans", "WenQuanYi", "PingFang", "Hiragino Sans", "Microsoft YaHei", "SimHei")
_MANY = 3


def save(figure: Figure, *paths: Path) -> None:
    """Write a figure to files; equal figures are written as equal bytes.

    Raises:
        RunError: If it cannot be written.
    """
    for path in paths:
        _save(figure, path)
        # The layout is the same in each format, and computing it takes as long as drawing.
        figure.set_layout_engine("none")


def _save(figure: Figure, path: Path) -> None:
    metadata: dict[str, Any] = {"Date": None} if path.suffix == ".svg" else {}
    if path.parent.exists() and not path.parent.is_dir():
        raise RunError(f"figures cannot be written into {path.parent}, which is a file: choose another path")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with catch_warnings(record=True) as caught:
            simplefilter("always")
            with replacing(path) as file:
                figure.savefig(
                    file,
                    format=path.suffix.removeprefix("."),
                    dpi=160,
                    facecolor=figure.get_facecolor(),
                    metadata=metadata,
                )
        if any("Glyph" in str(one.message) for one in caught):
            _LOG.warning("%s shows empty boxes for characters without an installed font: install Noto Sans CJK", path)
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror or error}): check its folder") from error


def label(name: object, longest: int = 44) -> str:
    """Format a name for a figure: on one line, and cut in the middle if it is long."""
    text = str(name)
    # Cut the text first, so that only the kept part is escaped.
    text = visible(text if len(text) <= 2 * longest else f"{text[:longest]}{text[-longest:]}")
    if len(text) > longest:
        text = f"{text[: longest // 2]}\N{HORIZONTAL ELLIPSIS}{text[1 - longest // 2 :]}"
    # Matplotlib excludes labels with this first character from legends.
    return f" {text}" if text.startswith("_") else text


def bare(axes: Axes, ink: Ink) -> None:
    """Remove unnecessary lines from axes."""
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=2, color=ink.faint)


def share_axis(axes: Axes, ink: Ink) -> None:
    """Format an axis of shares in percent, with a line at one half."""
    axes.set_ylim(-0.02, 1.02)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
    axes.axhline(0.5, color=ink.faint, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
