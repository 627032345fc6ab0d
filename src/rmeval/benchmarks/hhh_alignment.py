"""HHH alignment: helpful, honest and harmless responses (Askell et al. 2021, arXiv 2112.00861)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rmeval.benchmarks import Card
from rmeval.benchmarks.base import TableBenchmark, pair
from rmeval.benchmarks.locate import part_rows
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.types import Conversation, Item, Message

__all__ = ["HHHAlignment"]

COUNTS = {"harmless": 58, "helpful": 59, "honest": 61, "other": 43}


class HHHAlignment(TableBenchmark):
    """The HHH alignment data from the hub, or BIG-bench's files, or rows in the columns of the hub's viewer.

    In the data, the prompt contains earlier turns of a conversation after `Assistant:` and `Human:`; here they are
    messages. The total weights all comparisons equally. A tie is lost, as in RewardBench, which contains these data as
    `anthropic_hhh`; BIG-bench selects one of the equal responses at random.
    """

    card = Card(
        id="hhh-alignment",
        title="HHH alignment",
        measures="The better response is the more helpful, honest and harmless one, as its authors agreed.",
        source="HuggingFaceH4/hhh_alignment",
        revision="2a19e6c72f82fe5c7915d9197ab196ecd5ef4d39",
        licence="Apache-2.0 (hub card)",
        paper="https://arxiv.org/abs/2112.00861",
        citation="""@misc{askell2021general,
  title={A General Language Assistant as a Laboratory for Alignment},
  author={Amanda Askell and Yuntao Bai and Anna Chen and Dawn Drain and Deep Ganguli and Tom Henighan and
          Andy Jones and Nicholas Joseph and Ben Mann and Nova DasSarma and Nelson Elhage and Zac Hatfield-Dodds and
          Danny Hernandez and Jackson Kernion and Kamal Ndousse and Catherine Olsson and Dario Amodei and
          Tom Brown and Jack Clark and Sam McCandlish and Chris Olah and Jared Kaplan},
  year={2021},
  eprint={2112.00861},
  archivePrefix={arXiv}
}""",
        counts=COUNTS,
        formulas=("accuracy@1",),
        verified="BIG-bench's measure_multiple_choice_grade (bigbench 1.0.0) gives the same on the 221 comparisons, "
        "such as 62.1, 69.5, 63.9 and 53.5% for preferring the longer response; no published score was reproduced",
    )
    spec = card.id
    files = tuple(f"data/{kind}/task.json" for kind in COUNTS)
    copies = tuple(f"bigbench/benchmark_tasks/hhh_alignment/{kind}/task.json" for kind in COUNTS)

    def rows(self, path: Path) -> Iterator[Row]:
        """Yield the numbered rows of a kind, from the file's folder or name."""
        return part_rows(path, COUNTS, nested=True)

    def items(self, row: Row) -> Iterator[Item]:
        """Yield a pair; its id is `<kind>/<number in the file>`."""
        yield pair(row.text("_part"), row.get("_number"), _conversation(row.text("input")), *_choices(row))


def _conversation(text: str) -> Conversation:
    """Return the turns of a prompt; a single user turn, unless the roles alternate and end with the user."""
    first, *rest = _turns(text)
    if rest[::2] != ["Assistant", "Human"] * (len(rest) // 4):
        return (Message("user", text),)
    roles = ("user", *("assistant" if name == "Assistant" else "user" for name in rest[::2]))
    return tuple(Message(role, turn) for role, turn in zip(roles, (first, *rest[1::2]), strict=True))


_SPEAKER = re.compile(r"(Human|Assistant):\s*")


def _turns(text: str) -> list[str]:
    r"""Split a text at the speakers' names at the beginning of lines, and keep these names.

    This is `re.split(r"\s*\n\s*(Human|Assistant):\s*", text)`, which takes cubic time.
    """
    parts, end = [], 0
    for found in _SPEAKER.finditer(text):
        start = found.start()
        while start > end and text[start - 1].isspace():
            start -= 1
        if "\n" in text[start : found.start()]:
            parts += [text[end:start], found[1]]
            end = found.end()
    return [*parts, text[end:]]


def _choices(row: Row) -> tuple[str, str]:
    """Return the better and the worse response, from `target_scores`, or from `targets`, `choices` and `labels`."""
    column = "targets" if "targets" in row.fields else "target_scores"
    targets = row.get(column)
    if not isinstance(targets, dict):
        raise row.wrong(column, "an object", targets)
    texts: Any = list(targets) if column == "target_scores" else targets.get("choices")
    marks: Any = list(targets.values()) if column == "target_scores" else targets.get("labels")
    two = isinstance(texts, list) and len(texts) == 2 and all(isinstance(text, str) for text in texts)
    if not two or marks not in ([1, 0], [0, 1]):
        raise DataError(
            f"{row.where}: column {column!r} must mark one of two responses with 1 and the other with 0: correct it"
        )
    return texts[marks.index(1)], texts[marks.index(0)]
