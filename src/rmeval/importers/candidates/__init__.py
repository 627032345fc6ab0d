"""Reading of published files of candidates, with their qualities and the scores of reward models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.importers.candidates.reading import read_candidates
else:
    __getattr__, __dir__ = lazy(__name__, {"rmeval.importers.candidates.reading": ("read_candidates",)})

__all__ = ["read_candidates"]
