"""Scores a file of conversations, for example for rejection sampling."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.data.conversations import INPUT_COLUMNS, MessageReader, tools_of
from rmeval.data.dialogues import dialogue_in
from rmeval.data.digests import digest
from rmeval.data.keys import KeyIndex
from rmeval.data.observations import STATUSES, ObservationTable
from rmeval.data.parquet import Unreadable
from rmeval.data.rows import Row, read_rows
from rmeval.data.standard_input import rows_of_stream
from rmeval.data.tables import Codes
from rmeval.data.writing import row_writer, write_rows
from rmeval.errors import DamagedError, DataError, ModelError, RunError, explain_os_error, explain_read_error, reason_of
from rmeval.files import STANDARD, json_bytes
from rmeval.models import RewardModel, refuse_comparators
from rmeval.protocols.pointwise import as_conversation, conversation_requests
from rmeval.runs.observe import Progress, check_served, observe_missing, refuse_no_scores, refuse_other_model, silent
from rmeval.store.journal import has_observations, remove_journal
from rmeval.store.leftovers import remove_leftovers, remove_unobserved
from rmeval.store.lock import Lock
from rmeval.store.manifest import finite, read_json, write_json
from rmeval.types import Conversation, Message, Request

__all__ = [
    "conversations_of",
    "output_file",
    "refuse_existing",
    "rows_of_source",
    "score_file",
    "tools_of_row",
]


def score_file(
    model: RewardModel,
    source: Path,
    target: Path,
    progress: Progress = silent,
    break_lock: bool = False,
    reader: MessageReader | None = None,
    overwrite: bool = True,
) -> tuple[int, int]:
    """Score every row of a file and write the rows with their scores, in the same order.

    A row has `messages` (or ShareGPT's `conversations`), or `prompt` (a string or messages) with `response` or
    `responses`, and optionally `tools`. The output adds `score`, or `scores` for `responses`; a missing score is null,
    with `score_error` in the row. An interrupted call keeps its scores in `<target>.partial`; the next one continues.

    Args:
        model: The model.
        source: JSONL, JSON, CSV or parquet; `-` is JSONL from standard input.
        target: File to write; its ending, such as `.csv`, is its format: see `rmeval.data.writing`.
        progress: Called with the number of requests that are done and the total.
        break_lock: Whether to take a lock that another process seems to hold.
        reader: The reader of messages, if their roles or keys have other names.
        overwrite: Whether to replace an existing file that is not from an interrupted call of this function.

    Returns:
        The number of rows, and the number of responses without a score.

    Raises:
        RmevalError: If the user must change something. Existing scores are kept.
    """
    refuse_comparators(model)
    target, write = output_file(target), row_writer(target)
    partial = _partial_of(target)
    replaces = overwrite or _is_continued(partial)
    if not replaces:
        refuse_existing(target)
    rows = rows_of_source(source)
    conversations, requests = _requests(rows, reader or MessageReader(hint=False))
    index = KeyIndex([[request.key for request in requests]])
    identity = digest(model.identity())
    with Lock(partial / "lock", break_lock) as lock:
        remove_leftovers(partial, [_MODEL])
        try:
            if not replaces:  # Another process may have written it since.
                refuse_existing(target)
            entry = _same_model(partial, identity, target)
            observations = _observed(model, index, requests, partial, entry, progress)
        except BaseException:
            if lock.made_folder:
                remove_unobserved(partial, [_MODEL])
            raise
        refuse_no_scores(observations)
        write_rows(target, _scored(rows, conversations, index.rows, observations), write)
        _remove_partial(partial)
    if not lock.made_folder:
        with suppress(OSError):  # Another process may write here, and other files are kept.
            partial.rmdir()
    return len(rows), int(np.isnan(observations.main[index.rows]).sum())


_MODEL = "model.json"


def _partial_of(target: Path) -> Path:
    """The folder of the scores of an incomplete file."""
    partial = target.with_name(f"{target.name}.partial")
    if partial.is_symlink():
        raise RunError(f"{partial} is a link, through which scores are not written: remove it, or choose another `out`")
    return partial


def _requests(rows: Sequence[Row], reader: MessageReader) -> tuple[list[list[Conversation]], list[Request]]:
    """The conversations of each row, and the requests of all of them."""
    conversations = [conversations_of(row, reader) for row in rows]
    _refuse_unwritable(rows)
    tools = [tools_of_row(row, reader) for row in rows]
    requests = conversation_requests(
        [one for found in conversations for one in found],
        [own for found, own in zip(conversations, tools, strict=True) for _ in found],
    )
    return conversations, requests


def rows_of_source(source: Path) -> list[Row]:
    """The rows of a file, or of standard input."""
    return rows_of_stream(sys.stdin.buffer) if source == STANDARD else read_rows(source)


def refuse_existing(target: Path) -> None:
    """Check that a file does not exist.

    Raises:
        RunError: If it does.
    """
    if os.path.lexists(target):
        raise RunError(f"{target} exists: give `overwrite` to replace it, or choose another file with `out`")


def _is_continued(partial: Path) -> bool:
    """Whether an interrupted call began without a file at the target, which it may have written since."""
    try:
        # An ended process that has removed the scores may have left its lock, or the empty folder.
        names = {path.name for path in partial.iterdir()}
        return not read_json(partial / _MODEL).get("replaces", False) if _MODEL in names else names <= {"lock"}
    except (OSError, DamagedError):
        return False


def _remove_partial(partial: Path) -> None:
    """Remove the files of `score_file`, the scores before the model's identity; the caller holds the lock."""
    try:
        remove_journal(partial / "journal")
        (partial / _MODEL).unlink(missing_ok=True)
    except OSError as error:
        raise explain_os_error(error, str(partial)) from error


def output_file(target: Path) -> Path:
    """The file to write, after resolving links; other things, such as devices, must not be replaced by a file.

    Raises:
        RunError: If it is not a file, or its folder does not exist.
    """
    try:
        target = target.resolve(strict=target.is_symlink())
    except FileNotFoundError:
        target = target.resolve()
    except (OSError, RuntimeError) as error:  # Links that lead to one another are a RuntimeError before Python 3.13.
        raise RunError(f"{target} is a broken link: give the path of a file with `out`") from error
    if target.exists() and not target.is_file():
        raise RunError(f"{target} is not a file: give the path of a file with `out`")
    if not target.parent.is_dir():
        raise RunError(f"there is no folder {target.parent}: create it, or choose another with `out`")
    return target


def _same_model(partial: Path, identity: str, target: Path) -> dict[str, Any]:
    """Check that existing scores are those of the same model; return what is stored of it."""
    file = partial / _MODEL
    entry: dict[str, Any] = {}
    replaces = target.exists()
    if has_observations(partial / "journal"):
        try:
            entry = read_json(file)
            earlier, replaces = entry.get("identity"), entry.get("replaces", replaces)
        except (DamagedError, FileNotFoundError):
            earlier = None
        except OSError as error:
            raise explain_read_error(error, file) from error
        if earlier != identity:
            raise RunError(
                f"{partial} contains scores of another model or setting: remove it, or choose another file with `out`"
            )
    entry |= {"identity": identity, "replaces": replaces}
    write_json(file, entry)
    return entry


def _observed(
    model: RewardModel,
    index: KeyIndex,
    requests: Iterable[Request],
    partial: Path,
    entry: Mapping[str, Any],
    progress: Progress,
) -> ObservationTable:
    """Score what has no score yet; `entry` is what is stored of the model."""
    begin, journal = _begin(model, partial, entry), partial / "journal"
    try:
        found, new = observe_missing(model, index, requests, journal, progress, begin, entry["identity"][:12])
    except ModelError:
        if has_observations(journal):
            begin()  # A server that changed its model is noted for the next process.
        raise
    if not new:
        check_served(model, [entry], partial)
    return found


def _begin(model: RewardModel, partial: Path, entry: Mapping[str, Any]) -> Callable[[], None]:
    """What is done before the first score is written: a server must serve the model of the existing scores."""

    def begin() -> None:
        facts = model.facts()
        refuse_other_model([entry], facts, partial)
        if "canary" in facts:
            write_json(partial / _MODEL, {**entry, "canary": facts["canary"]})

    return begin


def conversations_of(row: Row, reader: MessageReader) -> list[Conversation]:
    """The conversations of a row: one for `messages` or `response`, several for `responses`."""
    fields = row.fields
    where = f"{row.where}: the conversation"
    given = [name for name in ("messages", "response", "responses") if fields.get(name) is not None]
    whole = "conversations" if not given and fields.get("conversations") is not None else "messages"
    if len(given) > 1:
        raise DataError(f"{row.where}: has more than one of {', '.join(given)}: keep only the one to score")
    if given == ["messages"] or whole != "messages":
        found = [as_conversation(_whole(row, whole, reader), where, reader)]
    else:
        prompt = row.prompt("prompt", reader)
        texts = row.texts("responses") if given == ["responses"] else [row.text("response")]
        if not texts:
            raise DataError(f"{row.where}: column 'responses' contains no response")
        found = [as_conversation([*prompt, Message("assistant", text)], where, reader) for text in texts]
    unread = [
        *(["prompt"] if given in ([], ["messages"]) else ()),
        *(name for name in INPUT_COLUMNS if name != "tools"),
    ]
    reader.refuse_columns(fields, unread, found[0], row.where)
    return found


def _whole(row: Row, column: str, reader: MessageReader) -> Conversation:
    """A conversation that ends in the response: messages, or a dialogue in one text."""
    value = row.fields[column]
    if isinstance(value, str) and (turns := dialogue_in(value)) is not None:
        reader.note("dialogue", "%s is a dialogue in one text: rmeval reads its turns as messages", row.place(column))
        return turns
    return row.conversation(column, reader)


def tools_of_row(row: Row, reader: MessageReader) -> tuple[Mapping[str, Any], ...]:
    """The tools of a row."""
    return () if "tools" in reader.ignored else tools_of(row.fields.get("tools"), row.place("tools"))


def _scored(
    rows: Sequence[Row], conversations: Sequence[Sequence[Conversation]], order: Codes, observations: ObservationTable
) -> Iterator[dict[str, Any]]:
    """Each row with its scores."""
    places, values = iter(order.tolist()), observations.main
    for row, found in zip(rows, conversations, strict=True):
        own = [next(places) for _ in found]
        # NaN is written as null.
        scores = [float(values[place]) for place in own]
        fields = dict(row.fields)
        if fields.get("responses") is not None:
            fields["scores"] = scores
        else:
            fields["score"] = scores[0]
        fields.pop("score_error", None)
        failed = [place for place in own if math.isnan(values[place])]
        if missing := [observations.errors.get(place, STATUSES[observations.status[place]]) for place in failed]:
            fields["score_error"] = missing[0]
        yield finite(fields)


def _refuse_unwritable(rows: Sequence[Row]) -> None:
    """Reject rows that could not be written together with their scores."""
    for row in rows:
        for column, value in row.fields.items():
            try:
                json_bytes(finite(value), default=_as_text)
            except (TypeError, ValueError, RecursionError) as error:
                raise DataError(
                    f"{row.place(column)} cannot be written next to the scores ({reason_of(error)}): leave "
                    "the column out"
                ) from error


def _as_text(value: Any) -> str:
    if isinstance(value, Unreadable):
        raise TypeError(value.reason)
    return str(value)
