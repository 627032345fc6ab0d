"""Evaluation while a model trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.training.callback import EvaluationCallback
else:
    __getattr__, __dir__ = lazy(__name__, {"rmeval.training.callback": ("EvaluationCallback",)})

__all__ = ["EvaluationCallback"]
