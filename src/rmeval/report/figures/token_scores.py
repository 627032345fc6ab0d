"""Figures of scores along the tokens of a response."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rmeval.models.token_scores import TokenScores
from rmeval.report.figures.style import COLOURS, Theme, bare, check, drawing, label, save

__all__ = ["draw_token_scores"]

_CURVES = len(COLOURS)
"""Maximum number of conversations whose token scores are drawn."""


def draw_token_scores(found: Sequence[TokenScores], model: str, path: Path, theme: Theme = "light") -> None:
    """Draw token scores along the responses of a few conversations.

    Args:
        found: The token scores; the first few conversations are drawn.
        model: The model's name.
        path: File to write; its suffix determines the format.
        theme: For light or dark backgrounds.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    check(path, theme)
    with drawing(theme, 6.6, 3.6) as (figure, ink):
        axes = figure.subplots()
        bare(axes, ink)
        for number, one in enumerate(found[:_CURVES]):
            scores = one.scores[one.start :]
            colour, style = COLOURS[number], ("-", "--", "-.", ":")[number % 4]
            places, name = range(1, len(scores) + 1), f"conversation {number}"
            axes.plot(places, scores, style, color=colour, linewidth=1.3, label=name)
            axes.plot([len(scores)], [scores[-1]], marker="o", color=colour, markersize=5)
        axes.set_xlabel("token of the response")
        axes.set_ylabel("score if the text ended at this token")
        more = f"; the first {_CURVES} of {len(found)}" if len(found) > _CURVES else ""
        axes.set_title(f"{label(model)}{more}", fontsize=10)
        axes.legend(fontsize=7.5, loc="center left", bbox_to_anchor=(1.0, 0.5))
        save(figure, path)
