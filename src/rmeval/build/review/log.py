"""The verdicts of one reviewer on disk: a journal to which each is appended before the next item is shown.

`reviewers/NAME/` contains segments `0001.jsonl`, `0002.jsonl`, ...; each start of the page creates one. A line is a
JSON object with a checksum: the fields of a `Review` that differ from their defaults, or `{"undo": true}`, which takes
back the last review that is not taken back yet.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

from rmeval.build.review.questions import EXPECTED, VERDICTS, Question, ReviewVerdict
from rmeval.errors import DamagedError, DataError, explain_read_error
from rmeval.files import json_bytes, opened
from rmeval.messages import quoted
from rmeval.store.journal import journal_state
from rmeval.store.lock import Lock
from rmeval.store.segments import SegmentWriter, sealed, segments, unsealed

__all__ = ["Mode", "Review", "ReviewLog", "read_reviews", "review_state", "reviewer_names"]

logger = logging.getLogger(__name__)

Mode = Literal["blind", "verify", "import"]
"""How the texts were shown: with hidden sides, with what the build claims of them, or by another tool."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_SUFFIX = ".jsonl"
_UNDO = {"undo": True}


@dataclass(frozen=True, slots=True)
class Review:
    """One verdict of one reviewer.

    Attributes:
        key: Key of the record.
        question: What it answers.
        verdict: The verdict.
        texts: Digest of the texts that were shown, see `question_digest`.
        comment: What the reviewer wrote.
        mode: How the texts were shown.
        adjudicates: Whether it decides between reviewers who disagree.
    """

    key: str
    question: Question
    verdict: ReviewVerdict
    texts: str
    comment: str = ""
    mode: Mode = "blind"
    adjudicates: bool = False


class _Segment(SegmentWriter):
    """Writer of verdicts."""

    suffix = _SUFFIX
    contents = "verdicts"


class ReviewLog:
    """The verdicts of one reviewer, which one process writes; its methods can be called from several threads.

    Attributes:
        reviewer: The reviewer's name.
    """

    def __init__(self, folder: Path, reviewer: str) -> None:
        """Store the place; nothing is created.

        Args:
            folder: The folder of the build's review.
            reviewer: The reviewer's name.

        Raises:
            DataError: If the name cannot be that of a folder.
        """
        if not _NAME.fullmatch(reviewer):
            raise DataError(
                f"`reviewer` is {quoted(reviewer)}: use at most 40 lower-case letters, digits, '.', '_' and '-'"
            )
        self.reviewer = reviewer
        self._path = _folder(folder, reviewer)
        self._reviews: list[Review] = []
        self._lines = 0
        self._threads = threading.Lock()
        self._open = ExitStack()

    def __enter__(self) -> ReviewLog:
        """Lock the reviewer's folder, and read the verdicts so far.

        Raises:
            RunError: If another process has the lock, or a file is damaged.
        """
        with ExitStack() as stack:
            stack.enter_context(Lock(self._path / "lock"))
            self._reviews = read_reviews(self._path.parent.parent, self.reviewer)
            self._segment = stack.enter_context(_Segment(self._path))
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    @property
    def reviews(self) -> Sequence[Review]:
        """The verdicts in their order, without those that were taken back; a later one replaces an earlier one."""
        with self._threads:
            return tuple(self._reviews)

    @property
    def lines(self) -> int:
        """Number of lines that this process has written, which tells a stale page from a current one."""
        with self._threads:
            return self._lines

    def append(self, reviews: Sequence[Review]) -> None:
        """Store verdicts, and wait until they are on disk.

        Raises:
            RunError: If they cannot be written; then none of them is stored.
        """
        with self._threads:
            self._write([_entry(one) for one in reviews])
            self._reviews += reviews

    def undo(self, lines: int) -> Review | None:
        """Take the last verdict back; it stays in the journal.

        Args:
            lines: The number of lines that the caller has seen.

        Returns:
            The verdict; None if there is none, or if another page has written since.

        Raises:
            RunError: If it cannot be written.
        """
        with self._threads:
            if lines != self._lines or not self._reviews:
                return None
            self._write([_UNDO])
            return self._reviews.pop()

    def _write(self, entries: Sequence[dict[str, Any]]) -> None:
        self._segment.write(b"".join(sealed(json_bytes(one)) for one in entries))
        self._lines += len(entries)


def reviewer_names(folder: Path) -> list[str]:
    """The names of all who have reviewed, sorted."""
    found = (path.name for path in (folder / "reviewers").glob("*") if _NAME.fullmatch(path.name) and path.is_dir())
    return sorted(found)


def read_reviews(folder: Path, reviewer: str) -> list[Review]:
    """Return the verdicts of a reviewer in their order, without those that were taken back.

    The unfinished last line of a process that was killed is left out: its page never showed that verdict as saved.

    Args:
        folder: The folder of the build's review.
        reviewer: The reviewer's name.

    Raises:
        RunError: If another line is damaged, or a file cannot be read.
    """
    found: list[Review] = []
    for segment in segments(_folder(folder, reviewer), _SUFFIX):
        for entry in _entries(segment):
            if entry == _UNDO:
                del found[-1:]
            else:
                found.append(Review(**entry))
    return found


def review_state(folder: Path) -> dict[str, str | None]:
    """A digest of each reviewer's verdicts, which changes with each of them."""
    return {name: journal_state(_folder(folder, name)) for name in reviewer_names(folder)}


def _folder(folder: Path, reviewer: str) -> Path:
    return folder / "reviewers" / reviewer


def _entry(review: Review) -> dict[str, Any]:
    return {name: value for name, value in asdict(review).items() if value not in ("", False)}


def _entries(segment: Path) -> Iterator[dict[str, Any]]:
    try:
        with opened(segment) as file:
            lines = file.read().split(b"\n")
    except OSError as error:
        raise explain_read_error(error, segment) from error
    unfinished = lines.pop()
    if unfinished:
        logger.warning("%s ends in an unfinished line: it is left out", segment)
    for number, line in enumerate(lines, 1):
        if (entry := _parsed(line)) is None:
            raise DamagedError(
                f"{segment} line {number} is damaged: restore it from a copy, or delete that line and judge that item "
                "again"
            )
        yield entry


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The fields of a review, or of an undo; None if the line is damaged."""
    try:
        entry = json.loads((unsealed(line) or b"").decode("utf-8", "surrogatepass"))
        if entry == _UNDO:
            return _UNDO
        review = Review(**entry)
    except (TypeError, ValueError, RecursionError):
        return None
    texts = (review.key, review.texts, review.comment)
    usable = all(isinstance(text, str) for text in texts) and isinstance(review.adjudicates, bool)
    known = review.question in EXPECTED and review.verdict in VERDICTS and review.mode in get_args(Mode)
    return asdict(review) if usable and known else None
