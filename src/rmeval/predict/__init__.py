"""Whether scores of reward models predict anything: policies, best-of-N, and the effect of style."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.predict.style_control import (
        PolicyStyle,
        StyleControl,
        StyleWeight,
        style_control_scores,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.predict.style_control": (
                "PolicyStyle",
                "StyleControl",
                "StyleWeight",
                "style_control_scores",
            ),
        },
    )

__all__ = [
    "PolicyStyle",
    "StyleControl",
    "StyleWeight",
    "style_control_scores",
]
