"""Import of the layouts of candidates as runs of one reward model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.importers.candidates.parts import Candidate, Layout, Prompt
from rmeval.importers.candidates.source import Grouping, Source, layout_of, names_of, without_repeats
from rmeval.importers.formats.base import Form, Reading, Score
from rmeval.importers.formats.index import ItemIndex, place_holder, question_of
from rmeval.messages import chosen_from, count_of, shortened
from rmeval.types import Item

__all__ = ["BEST_OF_N", "candidate_form"]

BEST_OF_N = "best-of-n"


def candidate_form(row: Row) -> Form:
    """Return the format of a file of candidates, from its first row.

    Raises:
        DataError: If no layout has its columns.
    """
    layout = layout_of(row)
    return Form(layout.name, layout.takes, partial(_scores, layout), states={BEST_OF_N: partial(_states, layout)})


def _scores(layout: Layout, row: Row, reading: Reading) -> Iterator[Score]:
    """Read the scores of a row's responses, which are matched by their texts or numbers."""
    for prompt in layout.read(row, reading):
        if prompt.pick:
            raise DataError(f"{row.where}: a pick is no score of each response: give the reward model's scores")
        item = _item(prompt, reading.index)
        if item is None:
            continue
        for number, candidate in enumerate(prompt.candidates):
            score = _chosen(candidate, row, reading)
            near = _near(candidate, number, item)
            if not near:
                raise DataError(
                    f"{row.where}: response {shortened(candidate.key or number)} is not among the "
                    f"{count_of(len(item.responses), 'response')} of item {item.id}: check `benchmark` and `data`"
                )
            # Of responses with equal texts, each is used once.
            place = next((place for place in near if not reading.again(f"{item.id} {place}")), None)
            if place is None:
                reading.remark("an earlier row has the same response, and is used")
            else:
                yield Score(item.id, place, score)


def _chosen(candidate: Candidate, row: Row, reading: Reading) -> float:
    """Return the score of the reward model to import: the only one, or the one that the user names."""
    scores = candidate.scores
    if not scores:
        raise DataError(f"{row.where}: the row has no score of a reward model: add it, or score the responses")
    if len(scores) == 1:
        return next(iter(scores.values()))
    if reading.model is None or reading.model not in scores:
        choice = chosen_from(reading.model, (model or "(the file's own)" for model in scores))
        raise DataError(f"{row.where}: there are scores of {len(scores)} reward models: {choice} with `name`")
    return scores[reading.model]


def _item(prompt: Prompt, index: ItemIndex) -> Item | None:
    """Find the item with a prompt's id and text, or with its text and responses."""
    question = prompt.text[-1].content if prompt.text else None
    names = [prompt.id, f"{prompt.subset}/{prompt.id}"] if prompt.id is not None else []
    for name in names:
        item = index.by_id.get(str(name))
        if item is not None and question in (None, question_of(item)):
            return item
    near = index.by_prompt.get(question, []) if question is not None else []
    wanted = [_text(candidate, number) for number, candidate in enumerate(prompt.candidates)]
    fits = [item for item in near if {*wanted} <= {response.text for response in item.responses}]
    return next(iter(fits or near), None)


def _text(candidate: Candidate, number: int) -> str:
    """Return the text of a response, or a placeholder that identifies it."""
    if candidate.text is not None:
        return candidate.text
    return place_holder(number) if candidate.key is None else f"(response {candidate.key}, not in the file)"


def _near(candidate: Candidate, number: int, item: Item) -> list[int]:
    """Return the positions in an item that a response may have: of its text, or else of its number."""
    text = _text(candidate, number).strip()
    found = [place for place, response in enumerate(item.responses) if response.text.strip() == text]
    key = candidate.key or ""
    if not found and candidate.text is None and key.isdecimal() and int(key) < len(item.responses):
        return [int(key)]
    return found


def _states(layout: Layout, rows: Sequence[Row], path: Path) -> Iterator[Row]:
    """Derive rows of rmeval's candidates from those of any layout."""
    reading = Reading(path, rows, ItemIndex.of(()), "last")  # The items do not depend on the scores of steps.
    source = Source(path, layout, [])
    grouping = Grouping(source, reading)
    parts: dict[int, tuple[Prompt, list[str], list[Candidate]]] = {}
    for row in rows:
        for prompt in layout.read(row, reading):
            group, new = grouping.add(prompt)
            _, texts, candidates = parts.setdefault(id(group), (prompt, [], []))
            texts += [_text(candidate, len(texts) + number) for number, candidate in enumerate(new)]
            candidates += new
    without_repeats(source, reading)
    for group, name in zip(source.groups, names_of(source.groups), strict=True):
        yield Row(_fields(*parts[id(group)], name), group.where)


def _fields(prompt: Prompt, texts: list[str], candidates: list[Candidate], name: str) -> dict[str, Any]:
    """Return a prompt in the columns of rmeval's candidates.

    Responses without texts are in the order of their numbers or writers, so that files of the same ones have equal
    items.
    """
    if all(own.text is None and own.key is not None for own in candidates):
        order = sorted(range(len(texts)), key=texts.__getitem__)
        texts, candidates = [texts[k] for k in order], [candidates[k] for k in order]
    return {
        "id": name,
        "prompt": [message.to_dict() for message in prompt.text] or f"(prompt of {name}, not in the file)",
        "responses": texts,
        "gold": [None if math.isnan(own.quality) else own.quality for own in candidates],
        "subset": prompt.subset,
        "cluster": prompt.cluster,
    } | ({"answers": [own.answer for own in candidates]} if prompt.answers else {})
