"""RewardMATH's result files: scores of solutions and of their steps, and verdicts on pairs of solutions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rmeval.data.digests import digest
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.importers.formats.base import Form, Reading, Score, Verdict, has, of_steps, pair_verdict, winner_of
from rmeval.importers.formats.index import place_holder
from rmeval.messages import count_of, quoted
from rmeval.types import Item, Response

__all__ = ["FORMS", "right_one"]


def _solutions(row: Row, reading: Reading) -> Iterator[Score]:
    """Read a row with a problem's scores, the right solution's first, and the writers of the solutions.

    Several solutions by one model are matched in the order of the data: no metric distinguishes wrong ones.
    """
    writers, scores = row.texts("solution_reference"), row.get("score")
    if not isinstance(scores, list) or len(scores) != len(writers):
        raise DataError(f"{row.where}: 'score' must contain a number for each of the {len(writers)} solutions")
    found = _item(row, writers, reading)
    if found is not None and not _again(row, reading):
        item, places = found
        for place, score in zip(places, scores, strict=True):
            yield Score(item.id, place, of_steps(row, score, reading))


def _again(row: Row, reading: Reading) -> bool:
    """Return whether an earlier row has the same problem, as some published files repeat two problems."""
    known = reading.again(row.text("problem"))
    if known:
        reading.remark("the problem occurs earlier in the file, and the earlier row is used")
    return known


def _item(row: Row, writers: Sequence[str], reading: Reading) -> tuple[Item, list[int]] | None:
    """Find the item of a problem, and the position of each solution in it.

    Raises:
        DataError: If there are items of this problem, but none with solutions by these models.
    """
    near = reading.index.by_prompt.get(row.text("problem"), [])
    for item in near:
        if sorted(map(_writer, item.responses)) == sorted(writers):
            places = _by_writer(item, range(len(item.responses)), row)
            return item, [places[writer].pop(0) for writer in writers]
    for item in near:
        # RewardBench's math-prm pairs do not name the writers of the texts.
        right = winner_of(item)
        if len(item.responses) == len(writers) == 2 and right is not None:
            first = right_one(writers)
            return item, [right if place == first else 1 - right for place in range(2)]
    if near:
        raise _other_solutions(row, near[0], writers)
    return None


def right_one(writers: Sequence[str]) -> int:
    """Return the position of the right solution: the one by a person, or the first."""
    return writers.index(_PERSON) if writers.count(_PERSON) == 1 else 0


_PERSON = "human_to_GPT-4"
"""RewardMATH's name for the writer of a right solution."""


def _other_solutions(row: Row, item: Item, writers: Sequence[str]) -> DataError:
    """Return the error for solutions that differ from those of the item with the same problem."""
    if len(item.responses) != len(writers):
        hint = ": for RewardBench's math-prm give `benchmark` reward-bench" if len(writers) == 2 else ""
        return DataError(
            f"{row.where}: the row has {count_of(len(writers), 'solution')}, but item {item.id} with the same problem "
            "has "
            f"{len(item.responses)} responses{hint}"
        )
    own = Counter(map(_writer, item.responses))
    other = next(iter((Counter(writers) - own).keys()))
    return DataError(
        f"{row.where}: 'solution_reference' names {quoted(other)} more often than item {item.id} with the same problem "
        "has responses from this source: correct the names, which match solutions to responses"
    )


def _by_writer(item: Item, places: Sequence[int], row: Row) -> dict[str, list[int]]:
    """Group an item's responses by the model that wrote them; no model may have both right and wrong responses."""
    found: dict[str, list[int]] = {}
    for place in places:
        response = item.responses[place]
        own = found.setdefault(_writer(response), [])
        if own and item.responses[own[0]].gold != response.gold:
            raise DataError(
                f"{row.where}: {quoted(_writer(response))} has right and wrong solutions in item {item.id}: give rows "
                "of 'item_id', 'response' and 'score' instead"
            )
        own.append(place)
    return found


def _writer(response: Response) -> str:
    return response.source or ""


def _verdicts(row: Row, reading: Reading) -> Iterator[Verdict]:
    """Read, for each pair of the right solution and another one, the judge's letter and the right letter."""
    writers = row.texts("solution_reference")
    letters, right = row.get("score"), row.get("chosen_position")
    if not all(isinstance(own, list) and len(own) == len(writers) for own in (letters, right)):
        raise DataError(
            f"{row.where}: 'score' and 'chosen_position' must contain a letter for each of the {len(writers)} pairs"
        )
    if any(letter not in ("A", "B") for letter in right):
        raise DataError(f"{row.where}: 'chosen_position' must contain 'A' or 'B' for each pair")
    for item in reading.index.by_prompt.get(row.text("problem"), []):
        winner = winner_of(item)
        others = [place for place in range(len(item.responses)) if place != winner]
        if winner is None or sorted(_writer(item.responses[place]) for place in others) != sorted(writers):
            continue
        if _again(row, reading):
            return
        places = _by_writer(item, others, row)
        for writer, letter, own in zip(writers, letters, right, strict=True):
            prefers = float(letter == own) if letter in ("A", "B") else math.nan
            yield pair_verdict(item, winner, places[writer].pop(0), 0, prefers, own == "A")
        return
    if near := reading.index.by_prompt.get(row.text("problem"), []):
        raise DataError(
            f"{row.where}: the wrong solutions of its {count_of(len(writers), 'pair')} are by other models than the "
            "wrong "
            f"responses of item {near[0].id} with the same problem: correct the names, which match solutions to "
            "responses"
        )


def _steps(row: Row, reading: Reading) -> Iterator[Score]:
    """Read a row for one solution with the scores of its steps, matched by its text or by the kind of solution."""
    output, kind = row.get("output"), row.fields.get("solution_type")
    if not isinstance(output, dict) or not isinstance(output.get("step_scores"), list):
        raise row.wrong("output", "an object with a list in step_scores", output)
    near = reading.index.by_prompt.get(row.text("problem"), [])
    text = _plain("\n".join(row.texts("eval_solution")))
    found = [
        (item, place)
        for item in near
        for place, response in enumerate(item.responses)
        if _plain(response.text) == text and (kind is None or (kind == "chosen") == ((response.gold or 0) > 0))
    ]
    if not found and len(near) == 1 and kind in ("chosen", "rejected"):
        item = near[0]
        of_kind = [k for k, response in enumerate(item.responses) if ((response.gold or 0) > 0) == (kind == "chosen")]
        if len(of_kind) == 1:
            found = [(item, of_kind[0])]
            reading.remark(
                "the text differs from that of the only solution of its problem and kind, to which the scores are "
                "assigned"
            )
    if found:
        item, place = found[0]
        yield Score(item.id, place, of_steps(row, output["step_scores"], reading))


def _plain(text: str) -> str:
    return " ".join(text.split())


def _states(rows: Sequence[Row], path: Path) -> Iterator[Row]:
    """Yield each problem once, with the writers of its solutions, the right solution's first."""
    seen: set[str] = set()
    for row in rows:
        problem, writers = row.text("problem"), row.texts("solution_reference")
        if problem in seen:
            continue
        seen.add(problem)
        if "chosen_position" in row.fields:
            writers = ["(the right one's writer is not in the file)", *writers]
        first = right_one(writers)
        for place, writer in enumerate([writers[first], *writers[:first], *writers[first + 1 :]]):
            yield Row(
                {
                    "problem": problem,
                    "problem_id": digest(problem)[:12],
                    "eval_solution": [place_holder(place)],
                    "solution_type": "rejected" if place else "chosen",
                    "solution_reference": writer,
                },
                row.where,
            )


FORMS = (
    Form(
        "RewardMATH's verdicts on pairs ('chosen_position')",
        has("problem", "solution_reference", "score", "chosen_position"),
        _verdicts,
        verdicts=True,
        states={"reward-math": _states},
    ),
    Form(
        "RewardMATH's scores ('problem', 'solution_reference' and 'score')",
        has("problem", "solution_reference", "score", without=["item_id"]),
        _solutions,
        states={"reward-math": _states},
    ),
    Form(
        "scores of steps ('problem', 'eval_solution' and 'output')", has("problem", "eval_solution", "output"), _steps
    ),
)
