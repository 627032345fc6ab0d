"""Forms of files that others publish their scores and verdicts in, matched to items by id or by text."""

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
    """What reads rows with these columns.

    Args:
        columns: Names of the first row's columns.
        where: Where that row stands.

    Raises:
        DataError: If rows of no known form have them.
    """
    for form in FORMS:
        if form.takes(columns):
            return form
    there = [shortened(name, 60) for name in sorted(columns)]
    more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
    raise DataError(
        f"{where}: no scores or verdicts of a known form: there must be 'item_id', 'response' and 'score', or "
        "'chosen_score' and 'rejected_score' with an 'id' or texts, or the columns of a published file (see the page "
        f"Imports of the documentation); there are {', '.join(there[:_SHOWN]) or 'none'}{more}"
    )


_SHOWN = 12
