"""Results as pandas tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rmeval.extras import need_extra
from rmeval.types import Record

if TYPE_CHECKING:
    import pandas as pd

    from rmeval.results.compare import ModelComparison

__all__ = ["comparison_rows", "frame_of", "row_of"]


def frame_of(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a table with these rows.

    Raises:
        RmevalError: If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise need_extra(error, "to_pandas()") from error
    return pd.DataFrame(list(rows))


def row_of(record: Record) -> dict[str, Any]:
    """Return a record as a row: null baselines in columns `null_<name>`, the interval in two."""
    row = record.to_dict()
    row["ci_low"], row["ci_high"] = row.pop("ci") or (math.nan, math.nan)
    return row | {f"null_{name}": value for name, value in row.pop("null").items()}


def comparison_rows(found: ModelComparison) -> list[dict[str, Any]]:
    """Return a row for each model and number, best model first."""
    letters = {measure: found.letters(measure) for measure in found.differences}
    return [
        {"model": entry.name, "rank_low": low, "rank_high": high, "group": entry.group}
        | row_of(record)
        | {"letters": letters[measure][place] if measure in letters else None}
        for place, entry in enumerate(found.entries)
        for low, high in [entry.rank or (None, None)]
        for measure, record in entry.records.items()
    ]
