"""Chosen and rejected texts that contain the prompt: dialogues in one text, and texts with a common beginning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rmeval.benchmarks.shapes.names import missing, usual
from rmeval.benchmarks.shapes.reading import Columns, LeftOut, Numbered, PairRow
from rmeval.benchmarks.shapes.two import Given
from rmeval.data.conversations import list_in_text
from rmeval.data.dialogues import RENDERED, dialogue_in
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.types import Conversation

__all__ = ["CommonBeginning", "Dialogues", "whole_texts"]


class Dialogues:
    """Chosen and rejected dialogues in HH-RLHF's notation, which are equal before the last response."""

    may_differ = True

    def __init__(self, columns: Columns, chosen: str, rejected: str) -> None:
        """Store the columns of the dialogues."""
        self.says = (
            f"dialogues: {chosen!r} and {rejected!r} are conversations in one text, whose turns begin with 'Human:' "
            "and 'Assistant:' after an empty line; the last turn is the response"
        )
        self.left_out = LeftOut()
        self._columns = columns.using(chosen=chosen, rejected=rejected)
        self._sides = chosen, rejected

    def pairs(self, rows: Iterable[Numbered]) -> Iterator[PairRow]:
        """Yield a pair for each row whose dialogues end in a response."""
        for number, row in rows:
            turns = [self._turns(row, side) for side in self._sides]
            if any(own[-1].role != "assistant" for own in turns):
                self.left_out.add("row in which a dialogue ends without a response")
                continue
            fields = {**row.fields, **dict(zip(self._sides, map(list, turns), strict=True))}
            yield PairRow(Row(fields, row.where), self._columns, number)

    @staticmethod
    def _turns(row: Row, side: str) -> Conversation:
        text = row.text(side)
        if (found := dialogue_in(text)) is None:
            raise DataError(
                f"{row.place(side)} is no dialogue with 'Human:' and 'Assistant:', and the first row is one: correct "
                "it, or split the data"
            )
        return found

    def notes(self) -> list[str]:
        """Return no notes."""
        return []


class CommonBeginning:
    """Chosen and rejected texts without a prompt, as TRL's implicit prompt: their common beginning is the prompt.

    The beginning ends at white space, so that no word is cut, and leaves some text for each response.
    """

    may_differ = False

    def __init__(self, columns: Columns, chosen: str, rejected: str, ignored: bool = False) -> None:
        """Store the columns of the texts, and whether a column of prompts is ignored."""
        self.says = (
            f"implicit prompts: there is no column of prompts, so the common beginning of {chosen!r} and {rejected!r} "
            "is the prompt (up to the last space or line end), and the rest the response"
        )
        self.left_out = LeftOut()
        self._ignored = ignored
        self._sides = chosen, rejected
        self._parts = "prompt", f"{chosen} (rest)", f"{rejected} (rest)"
        prompt, one, two = self._parts
        self._columns = columns.using(prompt=prompt, chosen=one, rejected=two)

    def pairs(self, rows: Iterable[Numbered]) -> Iterator[PairRow]:
        """Yield a pair for each row whose texts differ."""
        for number, row in rows:
            one, two = (self._text(row, side) for side in self._sides)
            if one == two:
                self.left_out.add("row with equal texts, in which no prompt can be found")
                continue
            end = _end_of_beginning(one, two)
            if "prompt" in row.fields and not self._ignored:
                raise DataError(
                    f"{row.where}: the row has a column 'prompt', and the first row has none: split the data, or give "
                    "each row a prompt"
                )
            if not end:
                raise _no_prompt(row, self._sides)
            parts = (one[:end].strip(), one[end:].strip(), two[end:].strip())
            fields = {**row.fields, **dict(zip(self._parts, parts, strict=True))}
            yield PairRow(Row(fields, row.where), self._columns, number)

    @staticmethod
    def _text(row: Row, side: str) -> str:
        text = row.text(side)
        if dialogue_in(text) is not None:
            raise DataError(f"{row.place(side)} is a dialogue, and the first row is none: split the data")
        _refuse_rendered(row, side)
        return text

    def notes(self) -> list[str]:
        """Return no notes."""
        return []


_SPACE = re.compile(r"\s+")


def _end_of_beginning(one: str, two: str) -> int:
    """Return the length of the common beginning up to the last white space that has text before and after it."""
    most = next((place for place, (x, y) in enumerate(zip(one, two, strict=False)) if x != y), len(one))
    most = min(most, len(one.rstrip()) - 1, len(two.rstrip()) - 1)
    ends = [space.start() for space in _SPACE.finditer(one, 0, most + 1)]
    return next((end for end in reversed(ends) if two[end].isspace() and one[:end].strip()), 0)


def _no_prompt(row: Row, sides: tuple[str, str]) -> DataError:
    one, two = sides
    if "prompt" in row.fields:
        return DataError(
            f"{row.where}: 'prompt' is ignored, and {one!r} and {two!r} have no common beginning that could be one: "
            "read the column, or give messages"
        )
    return missing(row, {"prompt": "prompt"}, f", and {one!r} and {two!r} have no common beginning that could be one")


def _refuse_rendered(row: Row, side: str) -> None:
    value = row.fields.get(side)
    if isinstance(value, str) and (mark := next((mark for mark in RENDERED if mark in value), None)):
        raise DataError(
            f"{row.place(side)} is a conversation with the marks of a chat template ({mark}): give messages, or add a "
            "column 'prompt'"
        )


def whole_texts(row: Row, columns: Columns, given: Given) -> Dialogues | CommonBeginning | None:
    """Recognise texts that contain their prompt; None if the row has a prompt, or messages.

    Raises:
        DataError: If it has neither a prompt nor a common beginning.
    """
    chosen, rejected = columns.of["chosen"], columns.of["rejected"]
    texts = [row.fields.get(side) for side in (chosen, rejected)]
    if not all(isinstance(text, str) for text in texts) or columns.of["prompt"] in given.names(row):
        return None
    if any(list_in_text(str(row.fields[side]), row.place(side)) is not None for side in (chosen, rejected)):
        return None
    if "prompt" in given.columns and columns.of["prompt"] not in row.fields:
        raise missing(row, {"prompt": columns.of["prompt"]})
    if any(dialogue_in(str(text)) is not None for text in texts):
        return Dialogues(columns, chosen, rejected)
    if usual(given.names(row), "prompt"):
        raise missing(row, {"prompt": columns.of["prompt"]})
    _refuse_rendered(row, chosen)
    _refuse_rendered(row, rejected)
    return CommonBeginning(columns, chosen, rejected, "prompt" in given.ignored)
