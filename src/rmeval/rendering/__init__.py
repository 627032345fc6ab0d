"""Rendering of messages and comparisons to token ids, the same for every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.rendering.boundary import Rendered
    from rmeval.rendering.chat import Renderer
    from rmeval.rendering.chat_template import ChatTemplate
    from rmeval.rendering.comparison import ComparisonPrompt
    from rmeval.rendering.tokenizer import load_tokenizer
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.rendering.boundary": ("Rendered",),
            "rmeval.rendering.chat": ("Renderer",),
            "rmeval.rendering.chat_template": ("ChatTemplate",),
            "rmeval.rendering.comparison": ("ComparisonPrompt",),
            "rmeval.rendering.tokenizer": ("load_tokenizer",),
        },
    )

__all__ = [
    "ChatTemplate",
    "ComparisonPrompt",
    "Rendered",
    "Renderer",
    "load_tokenizer",
]
