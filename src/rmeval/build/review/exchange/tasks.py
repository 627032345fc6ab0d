"""Items as tasks of an annotation tool, and the annotations of tasks as reviews.

A task hides which response is chosen, as the page does; the order is drawn for each item, and is drawn again when
annotations are imported, so that no file contains it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rmeval.build.records import Record, Side
from rmeval.build.review.log import Review, ReviewLog
from rmeval.build.review.questions import VERDICTS, Question, question_digest, questions_of
from rmeval.data.digests import digest
from rmeval.errors import DataError
from rmeval.messages import chosen_from, count_of, quoted, shortened
from rmeval.types import STYLES

__all__ = ["Annotation", "Task", "fields_of", "import_reviews", "one_annotator", "question_titles", "tasks_of"]

_SIDES: tuple[tuple[Side, Side], ...] = (("chosen", "rejected"), ("rejected", "chosen"))
_STYLES_TITLE = "Does each response have the same substance in all styles?"


@dataclass(frozen=True, slots=True)
class Task:
    """An item as an annotation tool shows it.

    Attributes:
        key: The record's key.
        texts: Digest of all texts, by which an import finds that they have changed.
        domain: Its domain.
        prompt: The prompt.
        responses: The texts by field, such as `response_1_concise`.
        asks_styles: Whether the question about styles is one.
    """

    key: str
    texts: str
    domain: str
    prompt: str
    responses: Mapping[str, str]
    asks_styles: bool


@dataclass(frozen=True, slots=True)
class Annotation:
    """What one annotator found in one task.

    Attributes:
        where: Place in the file, for messages.
        key: The record's key.
        texts: Digest of the texts that were shown.
        annotator: Who annotated, as the tool names the person.
        verdicts: The label of each question: `1`, `2` or `styles`.
        comments: The comment on each question.
    """

    where: str
    key: str
    texts: str
    annotator: str
    verdicts: Mapping[str, str]
    comments: Mapping[str, str]


def tasks_of(records: Iterable[Record]) -> Iterator[Task]:
    """Yield the tasks of records, in their order."""
    for record in records:
        responses: dict[str, str] = {}
        for place, side in enumerate(_order(record), 1):
            for number, one in enumerate(record.of(side), 1):
                responses[f"response_{place}_{one.style or number}"] = one.text
        asks_styles = "styles" in questions_of(record)
        yield Task(record.key, _texts(record), record.problem.domain, record.problem.prompt, responses, asks_styles)


def fields_of(tasks: Sequence[Task]) -> list[str]:
    """The fields of responses that any task has: the first response's first, each in the order of styles."""
    return sorted({name for task in tasks for name in task.responses}, key=_place)


def _place(field: str) -> tuple[str, int]:
    _, response, style = field.split("_", 2)
    return response, STYLES.index(style) if style in STYLES else int(style)


def question_titles(tasks: Sequence[Task]) -> dict[str, str]:
    """The questions of tasks by their names in forms."""
    styles = {"styles": _STYLES_TITLE} if any(task.asks_styles for task in tasks) else {}
    return {"1": "Is response 1 correct?", "2": "Is response 2 correct?", **styles}


def import_reviews(annotations: Iterable[Annotation], records: Sequence[Record], log: ReviewLog) -> tuple[int, int]:
    """Store annotations as verdicts of a reviewer: all of them, or after an error none.

    Args:
        annotations: The annotations of one person; a later one of a task replaces an earlier one.
        records: The records of the stage that was exported.
        log: The reviewer's verdicts.

    Returns:
        The number of verdicts that were stored, and of those that were there already.

    Raises:
        DataError: If a task or a label is unknown, or the texts have changed since the export.
    """
    by_key = {one.key: one for one in records}
    found: dict[tuple[str, Question], Review] = {}
    for one in annotations:
        if one.key not in by_key:
            raise DataError(f"{one.where}: the build has no item {quoted(one.key)}: import into the build it came from")
        if one.texts != _texts(by_key[one.key]):
            raise DataError(
                f"{one.where}: the texts of {quoted(one.key)} have changed since the export: export the items again"
            )
        found |= {(review.key, review.question): review for review in _reviews(one, by_key[one.key])}
    known = {(one.key, one.question): one for one in log.reviews if not one.adjudicates}
    new = [review for place, review in found.items() if not _is_same(review, known.get(place))]
    log.append(new)
    return len(new), len(found) - len(new)


def one_annotator(annotations: Sequence[Annotation], by: str | None) -> list[Annotation]:
    """Return the annotations of one person.

    Args:
        annotations: All annotations of a file.
        by: The person, as the tool names them; None if the file has only one.

    Raises:
        DataError: If there is no such person, or there are several and none is named.
    """
    names = sorted({one.annotator for one in annotations})
    if not names:
        raise DataError("the file has no annotation: export the project after its items were judged")
    if by is None and len(names) > 1:
        shown = shortened(", ".join(names), 200)
        raise DataError(f"the file has annotations of {count_of(len(names), 'person')} ({shown}): choose one with `by`")
    if by is not None and by not in names:
        raise DataError(f"the file has no annotation by {quoted(by)}: {chosen_from(by, names)}")
    return [one for one in annotations if by in (None, one.annotator)]


def _order(record: Record) -> tuple[Side, Side]:
    return _SIDES[int(digest(["export", record.key]), 16) % 2]


def _texts(record: Record) -> str:
    return digest([question_digest(record, question) for question in questions_of(record)])


def _reviews(one: Annotation, record: Record) -> Iterator[Review]:
    first, second = _order(record)
    questions: dict[str, Question] = {"1": first, "2": second, "styles": "styles"}
    for name, label in one.verdicts.items():
        verdict = next((known for known in VERDICTS if known == label.strip().lower()), None)
        if verdict is None:
            raise DataError(f"{one.where}: the verdict {quoted(label)} is unknown: {chosen_from(label, VERDICTS)}")
        if name not in questions:
            raise DataError(f"{one.where}: there is no question {quoted(name)}: {chosen_from(name, questions)}")
        texts = question_digest(record, questions[name])
        yield Review(record.key, questions[name], verdict, texts, one.comments.get(name, "").strip(), "import")
    if lost := [name for name, text in one.comments.items() if text.strip() and name not in one.verdicts]:
        raise DataError(
            f"{one.where}: the comment on question {lost[0]} of {quoted(one.key)} has no verdict: give one, for "
            "example unsure, and export again"
        )


def _is_same(review: Review, known: Review | None) -> bool:
    return known is not None and (known.verdict, known.texts, known.comment) == (
        review.verdict,
        review.texts,
        review.comment,
    )
