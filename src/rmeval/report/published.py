"""Published results in views: rows of boards beside those of runs, and the places of runs among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rmeval.messages import shortened
from rmeval.metrics.composition import Measure
from rmeval.published import PublishedBoard, incomparable, place_among, places_of, published_boards
from rmeval.report.cells import Cell, Number
from rmeval.report.views import Row
from rmeval.results.combined import Combined
from rmeval.results.result import Result

__all__ = ["board_of", "board_rows", "combined_notes", "published_notes", "ranking_notes"]

_PUBLISHED = "published"
"""What the columns for a run's score and status have in rows that are not of runs."""
_MOST_PLACES = 5


def board_of(results: Mapping[str, Result], measure: Measure) -> PublishedBoard | None:
    """Return the main board that ranks by a number, if at least one of the runs is comparable with it.

    Args:
        results: The runs on a benchmark, by the name of the model.
        measure: The number that the runs are ranked by.
    """
    benchmark = str(next(iter(results.values())).manifest["benchmark"]["id"])
    boards = [board for board in published_boards(benchmark) if board.headline == measure]
    return boards[0] if boards and not all(map(incomparable, results.values())) else None


def board_rows(board: PublishedBoard, counts: int, number: str, state: int) -> Iterator[tuple[float, Row]]:
    """Yield the value and the row of each model on a board, with a mark if the row contradicts itself.

    Args:
        board: The board.
        counts: Number of columns with counts.
        number: Name of the number.
        state: Number of the columns on the state of a run, of which the last two are status and address.
    """
    empty: tuple[Cell, ...] = (None,) * counts
    for row in board.ranked:
        value = row.values[board.headline]
        cells = (_PUBLISHED, Number(value), *empty, number, *("",) * (state - 2), _PUBLISHED, row.url)
        yield value, Row(f"{row.model} *" if row.contradicts else row.model, cells, faint=True)


def published_notes(board: PublishedBoard | None, results: Mapping[str, Result]) -> Iterator[str]:
    """Yield notes on the published rows of a ranking, or on why there are none.

    Args:
        board: The board whose rows the ranking has.
        results: The runs on a benchmark, by the name of the model.
    """
    benchmark = str(next(iter(results.values())).manifest["benchmark"]["id"])
    if not published_boards(benchmark):
        yield f"rmeval has no published results of {benchmark}"
        return
    for name, result in results.items():
        if reason := incomparable(result):
            yield f"{shortened(name, 60)} is not comparable with published results: it {reason}"
    if board is not None:
        marked = any(row.contradicts for row in board.ranked)
        told = "; rows with * contradict their own numbers: rmeval list published --json has the reasons"
        yield f"published: {board.name} ({board.date}), {board.source}{told if marked else ''}"


def ranking_notes(results: Mapping[str, Result]) -> Iterator[str]:
    """Yield a sentence on the places of the first models of a ranking on the main board of their benchmark."""
    places = [
        (name, place)
        for name, result in results.items()
        if result.manifest["model"]["kind"] != "baseline"
        for place in places_of(result)[:1]
    ]
    if places:
        named = ", ".join(f"{shortened(name, 60)} {place.ranks} of {place.of}" for name, place in places[:_MOST_PLACES])
        more = f" and {len(places) - _MOST_PLACES} more" if len(places) > _MOST_PLACES else ""
        yield f"places on {places[0][1].board.described}: {named}{more}; --published shows the rows"


def combined_notes(number: Combined, results: Sequence[Result]) -> tuple[str, ...]:
    """Return the sentence on the place of a number that combines runs, if all of these are comparable.

    Args:
        number: The number.
        results: The runs, of this and of other models.
    """
    own = [result for result in results if result.manifest["model"]["name"] == number.model]
    used = [result for result in own if result.manifest["benchmark"]["id"] in number.benchmarks]
    if any(map(incomparable, used)):
        return ()
    return tuple(place_among(number.record, board, number.model).sentence for board in published_boards(number.name))
