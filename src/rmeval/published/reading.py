"""Reading of the packaged boards: a TOML file with the facts about a source, and a CSV file with its rows."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from rmeval.errors import DataError
from rmeval.messages import chosen_from
from rmeval.metrics.composition import Measure
from rmeval.published.board import PublishedBoard, PublishedRow
from rmeval.published.contradictions import Average, contradictions, mean_of, plain

__all__ = ["all_boards", "board_named", "published_boards"]

_ABOUT = ("model", "kind", "url", "licence", "flagged")
"""Columns that are not numbers."""


def published_boards(benchmark: str) -> tuple[PublishedBoard, ...]:
    """Return the published boards of a benchmark, the main one first; empty if there is none.

    Args:
        benchmark: The benchmark's id, such as `rm-bench`, or the name of a number that combines benchmarks.
    """
    return tuple(board for board in all_boards() if board.benchmark == benchmark)


def board_named(name: str) -> PublishedBoard:
    """Return the board with this id.

    Raises:
        DataError: If there is none.
    """
    boards = {board.id: board for board in all_boards()}
    if name not in boards:
        raise DataError(f"there is no published board {name!r}: {chosen_from(name, boards)}")
    return boards[name]


@cache
def all_boards() -> tuple[PublishedBoard, ...]:
    """Return all published boards, the main board of each benchmark before its other boards."""
    folder = files("rmeval.published") / "facts"
    cards = sorted((own for own in folder.iterdir() if own.name.endswith(".toml")), key=lambda own: own.name)
    stated = [tomllib.loads(card.read_text(encoding="utf-8")) for card in cards]
    stated.sort(key=lambda card: (not card.get("main", True), card["id"]))
    return tuple(_board(folder, card) for card in stated)


def _board(folder: Traversable, card: Mapping[str, Any]) -> PublishedBoard:
    text = (folder / card.get("rows", f"{card['id']}.csv")).read_text(encoding="utf-8")
    averages = [Average(**own | {"parts": tuple(own["parts"])}) for own in card.get("average", ())]
    headline = _measure(card["headline"])
    rows = [row for fields in csv.DictReader(text.splitlines()) if (row := _row(fields, card, averages)) is not None]
    # The sort is stable: equal rows keep the order of the source.
    rows.sort(key=lambda row: -row.values.get(headline, -1.0))
    return PublishedBoard(
        card["id"],
        card["name"],
        card["benchmark"],
        card["source"],
        card["date"],
        headline,
        tuple(rows),
        tuple(card.get("notes", ())),
        card["licence"],
        card["formula"],
        card.get("place", ""),
    )


def _row(fields: Mapping[str, str], card: Mapping[str, Any], averages: Sequence[Average]) -> PublishedRow | None:
    """Return a row; None if its headline has another formula than the board."""
    unit = card["unit"]
    # Without the rounding, 96.9 / 100 would be 0.9690000000000001.
    numbers = {name: round(float(text) / unit, 9) for name, text in fields.items() if name not in _ABOUT and text}
    wrong = [f"the {plain(name)} of {unit * own:g} is above {unit:g}" for name, own in numbers.items() if own > 1]
    numbers = {name: own for name, own in numbers.items() if own <= 1}
    wrong += [own.sentence(unit) for own in contradictions(averages, numbers, 10.0 ** -card["decimals"] / unit)]
    known = [own for own in card.get("known", ()) if own["model"] == fields["model"]]
    flagged = ["the source marks its numbers as a possible mismatch"] if fields.get("flagged") == "True" else []
    if (mixed := card.get("mixed")) is not None:
        average = next(own for own in averages if own.column == mixed["stated"])
        told = _of_one_formula(numbers, average, mixed, card["headline"])
        if told is None:
            return None
    else:
        told = _alone(numbers, averages, card["headline"])
    return PublishedRow(
        fields["model"],
        fields.get("kind", ""),
        {_measure(name): value for name, value in numbers.items() if name not in card.get("checked_only", ())},
        fields.get("url", ""),
        (*wrong, *flagged, *(f"{own['note']} ({own['source']})" for own in known), *told),
        bool(wrong) or any(own.get("contradicts", False) for own in known),
        fields.get("licence", ""),
    )


def _of_one_formula(
    numbers: dict[str, float], average: Average, mixed: Mapping[str, Any], headline: str
) -> list[str] | None:
    """Set the headline of a row of a board that mixes two formulas, and return notes; None if the row does not belong.

    Args:
        numbers: The numbers of the row, which get the headline.
        average: The average that the source states by one formula or the other.
        mixed: What the board's file says: whether its rows are those that include the half.
        headline: The name of the headline.
    """
    stated, half = numbers.pop(average.column), numbers.pop(average.half, None)
    complete = all(part in numbers for part in average.parts)
    if mixed["with_half"]:
        # A prior of 0 is not part of the number that is stated beside it.
        if not half:
            return None
        numbers[headline] = stated
        return []
    mean = mean_of(average, numbers) if complete else None
    if mean is None:
        return [f"its published score of {stated:.4g} is the mean of fewer parts: {mixed['missing']}"]
    if half:
        numbers[headline] = mean
        return [f"its published score of {stated:.4g} includes {mixed['of_half']}: the mean of the parts is {mean:.4f}"]
    numbers[headline] = stated
    return []


def _alone(numbers: Mapping[str, float], averages: Sequence[Average], headline: str) -> list[str]:
    """Return the note on a headline without any number that it could be computed from."""
    parts = {name for own in averages if own.column == headline for name in own.parts}
    alone = headline in numbers and parts and not parts & set(numbers)
    return ["the source states no numbers that the headline could be computed from"] if alone else []


def _measure(name: str) -> Measure:
    metric, _, scope = name.partition(" ")
    return metric, scope
