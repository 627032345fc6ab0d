"""Which records of a build are reviewed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from rmeval.build.folder import BuildFolder
from rmeval.build.records import Record
from rmeval.errors import DataError, RunError, explain_read_error, reason_of
from rmeval.messages import chosen_from, count_of, quoted

__all__ = ["ReviewedStage", "base_records", "records_to_review"]

ReviewedStage = Literal["styles", "responses"]


def records_to_review(
    folder: BuildFolder, stage: ReviewedStage = "styles", everything: bool = False, items: Path | None = None
) -> Sequence[Record]:
    """Return the records of a stage that need a review.

    Args:
        folder: The build.
        stage: The stage whose texts are shown.
        everything: Whether also items are shown that the config does not require.
        items: File with the keys of items, one in each line, which selects these.

    Raises:
        RmevalError: If the stage has no result, or an item is unknown.
    """
    found = folder.read(stage)
    if found is None:
        raise RunError(
            f"there is no build in {folder.path} that has finished the stage {stage}: run `rmeval build CONFIG -o "
            f"{folder.path} --until {stage}` first"
        )
    if items is not None:
        return _listed(found.records, items)
    reviewed = folder.read("review")
    facts = reviewed.facts.get("review", {}) if reviewed is not None else {}
    needed = set(facts.get("needed", ())) & {one.key for one in found.records}
    return found.records if everything or not needed else [one for one in found.records if one.key in needed]


def base_records(folder: BuildFolder) -> Mapping[str, Record]:
    """The records before style control by key, whose verdicts count for the items made from them."""
    found = folder.read("responses")
    return {one.key: one for one in found.records} if found is not None else {}


def _listed(records: Sequence[Record], items: Path) -> list[Record]:
    try:
        keys = [line.strip() for line in items.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise explain_read_error(error, items) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{items} cannot be read ({reason_of(error)}): write the keys of items in UTF-8") from error
    by_key = {one.key: one for one in records}
    for number, key in enumerate(keys, 1):
        if key not in by_key:
            near = chosen_from(key, by_key) if len(by_key) <= 10 else f"it has {count_of(len(by_key), 'item')}"
            raise DataError(f"{items} line {number}: the build has no item {quoted(key)}: {near}")
    return [by_key[key] for key in dict.fromkeys(keys)]
