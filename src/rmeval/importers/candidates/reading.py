"""Reading of one or several published files about the same candidates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rmeval.errors import DataError
from rmeval.importers.candidates.columns import candidate_set
from rmeval.importers.candidates.join import join
from rmeval.importers.candidates.source import Source, read_source
from rmeval.importers.candidates.stated import Stated, read_stated
from rmeval.messages import count_of
from rmeval.predict.candidate_set import CandidateSet
from rmeval.protocols.fold import STEPS

__all__ = ["read_candidates"]


def read_candidates(*paths: Path, steps: str | None = None) -> CandidateSet:
    """Read candidates, their qualities and the scores of reward models from files as their authors publish them.

    Several files are about the same candidates: each has the scores or picks of a reward model, the qualities, or one
    sample of each prompt. Prompts and responses are matched by id or by text.

    Args:
        paths: The files, in the layouts that docs/imports.md lists.
        steps: How to reduce the scores of a response's steps to one: `min`, `prod`, `last` or `mean`.

    Raises:
        DataError: If a file cannot be read, its layout is not supported, or it is about other candidates.
    """
    if steps is not None and steps not in STEPS:
        raise DataError(f"`steps` {steps}: give one of {', '.join(STEPS)}")
    sources: list[Source] = []
    stated: list[Stated] = []
    for path in paths:
        numbers = read_stated(path)
        if numbers is not None:
            stated.append(numbers)
        else:
            sources.append(read_source(path, steps))
    if not sources:
        raise DataError(f"{paths[0]} contains win rates only: also give the files of the candidates and their scores")
    if steps is not None and not any(source.reduced for source in sources):
        raise DataError(f"`steps` {steps}: {sources[0].path} has no scores of steps: leave `steps` out")
    joined = join(sources)
    found = candidate_set(joined)
    notes = [note for own in stated for note in own.notes(joined)]
    others = f" and {count_of(len(paths) - 1, 'more file')}" if len(paths) > 1 else ""
    return replace(found, source=f"{found.source}{others}", notes=(*found.notes, *notes))
