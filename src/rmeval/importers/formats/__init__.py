"""Formats of published files of scores and verdicts, which are matched to items by id or by text."""

from __future__ import annotations

from rmeval.errors import DataError
from rmeval.importers.formats import maths, scores, verdicts
from rmeval.importers.formats.base import STEPS, Form, Reading, Score, Verdict, from_csv
from rmeval.importers.formats.index import ItemIndex
from rmeval.importers.formats.verdicts import judged_by
from rmeval.messages import shortened

__all__ = ["STEPS", "Form", "ItemIndex", "Reading", "Score", "Verdict", "form_of", "from_csv", "judged_by"]

FORMS: tuple[Form, ...] = (*verdicts.FORMS, *maths.FORMS, *scores.FORMS)


def form_of(columns: set[str], where: str) -> Form:
    """Return the file format that has the given columns.

    Args:
        columns: Names of the first row's columns.
        where: File and row, for messages.

    Raises:
        DataError: If no supported format has these columns.
    """
    for form in FORMS:
        if form.takes(columns):
            return form
    there = [shortened(name, 60) for name in sorted(columns)]
    more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
    raise DataError(
        f"{where}: the columns ({', '.join(there[:_SHOWN]) or 'none'}{more}) are not those of a supported format: give "
        "'item_id', 'response' and 'score', or 'chosen_score' and 'rejected_score' with an 'id' or texts, or a "
        "published file that the page Imports of the documentation lists"
    )


_SHOWN = 12
