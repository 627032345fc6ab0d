"""Exports the response that each reward model picks for each prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from rmeval.data.writing import row_writer, write_rows
from rmeval.errors import RunError
from rmeval.messages import chosen_from, count_of
from rmeval.metrics.scoring.best_of_n import picks_of
from rmeval.predict.curves import BestOfNCurves
from rmeval.store.manifest import finite
from rmeval.types import Item

__all__ = ["PickLayout", "write_picks"]

PickLayout = Literal["rows", "alpaca-eval"]


def write_picks(found: BestOfNCurves, path: Path, layout: PickLayout = "rows") -> list[str]:
    """Write the pick among all responses of each prompt, with its text where the data of the runs can be read.

    If several responses have the highest score, the first one is the pick, and `tied` is their number. A prompt without
    any score of a model has no pick.

    Args:
        found: The curves, whose prompts are written.
        path: The file: .jsonl, .json, .csv or .parquet.
        layout: `rows` with the columns id, model, pick, score, gold, tied and text; or `alpaca-eval`, the outputs of
            one model as AlpacaEval reads them: instruction, output and generator.

    Returns:
        Notes for the reader, one sentence each.

    Raises:
        RunError: If a text is needed and cannot be read, or the file cannot be written.
    """
    if layout not in (layouts := get_args(PickLayout)):
        raise RunError(f"there is no layout of picks {layout!r}: {chosen_from(layout, layouts)}")
    names = list(found.candidates.scores)
    if not names:
        raise RunError(f"{found.candidates.source} has no scores of a reward model: there are no picks")
    if layout == "alpaca-eval" and len(names) > 1:
        raise RunError(f"the layout alpaca-eval has the picks of one model, not of {', '.join(names)}: give one run")
    write = row_writer(path)
    texts, notes = _texts(found, needed=layout == "alpaca-eval")
    rows = list(_rows(found, texts))
    if layout == "alpaca-eval":
        rows = list(_outputs(rows, texts))
        if lost := len(found.candidates) - len(rows):
            notes.append(f"{count_of(lost, 'prompt')} without a pick or a text: not written")
    write_rows(path, rows, write)
    return notes


def _texts(found: BestOfNCurves, needed: bool) -> tuple[Mapping[str, Item], list[str]]:
    """Return the prompts with texts by id, and notes on those without.

    Raises:
        RunError: If they are needed and cannot be read.
    """
    if found.texts is None:
        if needed:
            raise RunError(
                f"{found.candidates.source} has no texts that rmeval can read again: give a run of best-of-n, or the "
                "layout rows"
            )
        return {}, ["the picks have no texts, because the candidates do not come from a run"]
    try:
        texts, notes = found.texts(found.candidates.ids)
    except RunError as error:
        if needed:
            raise
        return {}, [f"the picks have no texts: {error}"]
    return texts, notes


def _rows(found: BestOfNCurves, texts: Mapping[str, Item]) -> Iterator[dict[str, Any]]:
    own = found.candidates
    for model, scores in own.scores.items():
        picks = picks_of(scores, own.quality, own.offsets)
        columns = zip(own.ids, own.offsets.tolist(), picks.place.tolist(), picks.equal.tolist(), strict=False)
        for name, start, place, equal in columns:
            there = place >= 0
            row = {
                "id": name,
                "model": model,
                "pick": place - start if there else None,
                "score": float(scores[place]) if there else None,
                "gold": float(own.quality[place]) if there else None,
                "tied": equal,
            }
            if texts:
                item = texts.get(name)
                row["text"] = item.responses[place - start].text if item and there else None
            plain: dict[str, Any] = finite(row)
            yield plain


def _outputs(rows: list[dict[str, Any]], texts: Mapping[str, Item]) -> Iterator[dict[str, Any]]:
    """Yield the picks as AlpacaEval's model outputs; the instruction is the last message of the user."""
    for row in rows:
        item = texts.get(row["id"])
        if item is None or row["pick"] is None:
            continue
        asked = [message.content for message in item.prompt if message.role == "user"]
        size = len(item.responses)
        yield {
            "instruction": asked[-1] if asked else item.prompt[-1].content,
            "output": row["text"],
            "generator": f"best of {size} by {row['model']}",
        }
