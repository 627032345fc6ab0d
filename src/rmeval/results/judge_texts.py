"""What a judge wrote: of single comparisons, and where it states no verdict; from the texts beside a run's journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from rmeval.data.digests import item_digests
from rmeval.data.observations import STATUSES
from rmeval.data.tables import Mask
from rmeval.messages import count_of
from rmeval.protocols.judging import JudgeProtocol
from rmeval.results.examples import UnreadOutput
from rmeval.results.texts import read_item_texts
from rmeval.store.raw import read_raw
from rmeval.store.run import StoredRun
from rmeval.types import Item

__all__ = ["Shown", "judge_texts", "unread_outputs"]

_UNREAD = tuple(STATUSES.index(name) for name in ("unparsed", "refused", "no_verdict"))


class Shown(NamedTuple):
    """A comparison of an item whose texts are wanted.

    Attributes:
        item: The item, with its texts.
        chosen: Index of the better response.
        rejected: Index of the response that the model prefers.
    """

    item: Item
    chosen: int
    rejected: int


def judge_texts(run: StoredRun, wanted: Sequence[Shown]) -> list[str | None]:
    """The texts of each comparison, one after the other with the order of its responses; None where there are none.

    Args:
        run: The run.
        wanted: The comparisons.
    """
    folder = run.folder / "raw"
    if not isinstance(run.protocol, JudgeProtocol) or not folder.is_dir():
        return [None] * len(wanted)
    headings = [dict(_headings(run.protocol, one)) for one in wanted]
    keys = {key for own in headings for key in own}
    texts = {key: text for key, text in read_raw(folder) if key in keys}
    return ["\n\n".join(_blocks(own, texts)) or None for own in headings]


def _headings(protocol: JudgeProtocol, one: Shown) -> Iterator[tuple[str, str]]:
    """The key of each request about both responses, or about one of them, and its heading."""
    names = {one.chosen: "chosen", one.rejected: "rejected"}
    keys = protocol.keys(one.item, item_digests(one.item))
    for key, question in zip(keys, protocol.questions(one.item), strict=True):
        shown = [names[index] for index in question.members if index in names]
        if len(shown) == min(len(question.members), len(names)):
            vote = f", vote {question.vote + 1}" if question.vote else ""
            yield key, f"--- {' before '.join(shown)}{vote}"


def _blocks(headings: dict[str, str], texts: dict[str, str]) -> Iterator[str]:
    for key, heading in headings.items():
        if key in texts:
            yield f"{heading} ---\n{texts[key].strip()}"


def unread_outputs(run: StoredRun, items: Mask, n: int, data: Any) -> tuple[list[UnreadOutput], list[str]]:
    """Return outputs of a judge that state no verdict, and a note that counts them or states how to see them.

    Args:
        run: The run.
        items: bool[n], which items to look at.
        n: Number of outputs.
        data: See `read_item_texts`.
    """
    failed = _failed(run, items) if isinstance(run.protocol, JudgeProtocol) else []
    if not failed:
        return [], []
    text = f"{count_of(len(failed), 'output')} without a verdict"
    if not (run.folder / "raw").is_dir():
        return [], [f"{text}: to read them here, run the judge with `store_text` into another folder"]
    return list(_unread(run, failed[:n], data)), [
        f"{text}: {n} shown, and more with a larger `n`" if len(failed) > n else text
    ]


def _failed(run: StoredRun, items: Mask) -> list[tuple[int, int]]:
    """The outputs without a verdict: the item's position, and the position of the request among its requests."""
    offsets = run.requests.offsets
    lost = np.flatnonzero(np.isin(run.observations.status[run.requests.rows], _UNREAD))
    positions = np.searchsorted(offsets, lost, side="right") - 1
    own = zip(positions.tolist(), (lost - offsets[positions]).tolist(), strict=True)
    return [(position, place) for position, place in own if items[position]]


def _unread(run: StoredRun, failed: Sequence[tuple[int, int]], data: Any) -> Iterator[UnreadOutput]:
    assert isinstance(run.protocol, JudgeProtocol)
    found, _ = read_item_texts(run, {position for position, _ in failed}, data)
    keys = {position: list(run.protocol.keys(item, item_digests(item))) for position, item in found.items()}
    wanted = {keys[position][place] for position, place in failed if position in keys}
    texts = {key: text for key, text in read_raw(run.folder / "raw") if key in wanted}
    for position, place in failed:
        if position in keys and (text := texts.get(keys[position][place])) is not None:
            question = list(run.protocol.questions(found[position]))[place]
            row = run.requests.rows[run.requests.offsets[position] + place]
            order = ", ".join(str(index + 1) for index in question.members)
            yield UnreadOutput(found[position].id, STATUSES[run.observations.status[row]], order, question.vote, text)
