"""Items that every model gets wrong, which people should look at first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from rmeval.build.assemble.items import styled
from rmeval.build.records import Record
from rmeval.build.report.scorers import Scorer
from rmeval.errors import explain_os_error
from rmeval.files import json_bytes, replacing
from rmeval.runs.score_file import refuse_existing

__all__ = ["WrongItem", "write_items", "wrong_items"]

_HALF = 0.5


@dataclass(frozen=True, slots=True)
class WrongItem:
    """An item for which every model wins fewer than half of the comparisons.

    Attributes:
        item: Its id.
        domain: Its domain.
        credit: The share of its comparisons that each model wins, by model.
        prompt: The prompt.
        chosen: The concise response that is labelled right.
        rejected: The concise response that is labelled wrong.
        answer: The key, if the problem has one.
    """

    item: str
    domain: str
    credit: Mapping[str, float]
    prompt: str
    chosen: str
    rejected: str
    answer: str


def wrong_items(records: Sequence[Record], models: Sequence[Scorer]) -> list[WrongItem]:
    """Return the items that every model gets wrong, those with the fewest won comparisons first.

    Args:
        records: The records of the finished benchmark.
        models: The models; items that one of them has no score of are left out.
    """
    found = []
    for record in records:
        credit = {one.name: one.credit[record.key] for one in models if record.key in one.credit}
        if models and len(credit) == len(models) and all(value < _HALF for value in credit.values()):
            chosen, rejected = (styled(record, side)[0].text for side in ("chosen", "rejected"))
            own = record.problem
            found.append(WrongItem(record.key, own.domain, credit, own.prompt, chosen, rejected, own.answer))
    return sorted(found, key=lambda one: (fmean(one.credit.values()), one.item))


def write_items(wrong: Sequence[WrongItem], path: Path) -> None:
    """Write the ids of items as JSON lines, which `--items` of other commands takes.

    Raises:
        RmevalError: If the file cannot be written, or exists.
    """
    refuse_existing(path)
    try:
        with replacing(path) as file:
            file.writelines(json_bytes({"id": one.item}) + b"\n" for one in wrong)
    except OSError as error:
        raise explain_os_error(error, str(path)) from error
