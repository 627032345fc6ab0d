"""The answers of all calls so far: a journal of how each ended, and its text beside it, as the store keeps them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

from rmeval.messages import count_of
from rmeval.store.journal import Journal, read_journal
from rmeval.store.raw import RawTexts, read_raw
from rmeval.types import Observation, Status

__all__ = ["Answer", "AnswerLog", "AnswerStatus"]

logger = logging.getLogger(__name__)

AnswerStatus = Literal["ok", "refused", "cut", "overlength", "error"]
"""How a call ended: `refused` by the server, `cut` off by its limit of tokens, `overlength` because the prompt is too
long, `error` if it has no answer and is sent again by the next run."""
_STORED: dict[AnswerStatus, Status] = {
    "ok": "ok",
    "refused": "refused",
    "cut": "no_verdict",
    "overlength": "overlength",
    "error": "error",
}
_READ: dict[Status, AnswerStatus] = {stored: own for own, stored in _STORED.items()}


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of one call.

    Attributes:
        key: The call's key.
        status: How it ended.
        text: What was written; empty if nothing was.
        error: Why there is no answer.
        usage: Tokens, such as `{"tokens": 900, "output_tokens": 20}`.
    """

    key: str
    status: AnswerStatus
    text: str = ""
    error: str | None = None
    usage: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there is a complete text."""
        return self.status == "ok" and bool(self.text.strip())


class AnswerLog:
    """Answers on disk, by their calls' keys; a context manager that one process writes."""

    def __init__(self, folder: Path) -> None:
        """Read the answers so far.

        Args:
            folder: The folder of the log.

        Raises:
            RunError: If a file is damaged.
        """
        self._journal = Journal(folder / "journal")
        self._texts = RawTexts(folder / "raw")
        self._found: dict[str, Answer] = {}
        texts = dict(read_raw(folder / "raw"))
        lost = 0
        for batch in read_journal(folder / "journal"):
            for one in batch:
                if one.status != "error" and one.key not in texts:
                    lost += 1  # An answer without its text would count as an empty one.
                    continue
                text, usage = texts.get(one.key, ""), dict(one.usage)
                self._found[one.key] = Answer(one.key, _READ[one.status], text, one.error, usage)
        if lost:
            logger.warning(
                "%s lacks the texts of %s: restore it from a copy, or these calls are made again",
                folder / "raw",
                count_of(lost, "answer"),
            )

    def __enter__(self) -> AnswerLog:
        self._journal.__enter__()
        self._texts.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._texts.__exit__(kind, error, trace)
        self._journal.__exit__(kind, error, trace)

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: str) -> Answer | None:
        """Return the answer of a call; None if it has to be sent."""
        found = self._found.get(key)
        return None if found is None or found.status == "error" else found

    def append(self, answers: Sequence[Answer]) -> None:
        """Store a batch and wait until it is on disk.

        Raises:
            RunError: If it cannot be written.
        """
        batch = [
            Observation(
                one.key,
                _STORED[one.status],
                usage=one.usage,
                error=one.error,
                raw=None if one.status == "error" else one.text,
            )
            for one in answers
        ]
        if not batch:
            return
        self._texts.append(batch)
        self._journal.append(batch)
        for one in answers:
            self._found[one.key] = one
