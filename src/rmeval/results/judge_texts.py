"""What a judge wrote of single comparisons, from the texts beside a run's journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rmeval.data.digests import item_digests
from rmeval.protocols.judging import JudgeProtocol
from rmeval.store.raw import read_raw
from rmeval.store.run import StoredRun
from rmeval.types import Item

__all__ = ["Shown", "judge_texts"]


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
