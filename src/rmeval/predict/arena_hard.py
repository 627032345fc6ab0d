"""Judgments and answers of policies in the layout of Arena-Hard-Auto."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmeval.data.reading import SUFFIXES, kind_of, stem_of
from rmeval.data.rows import Row, iterate_rows
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.predict.answer_style import AnswerStyle, length_counter, style_of

__all__ = ["Answers", "Judgment", "JudgmentFolder", "Judgments", "find_folder", "read_answers", "read_judgments"]

_JUDGED, _ANSWERED = "model_judgment", "model_answer"
_DEPTH = 2
_STRONG = 3
"""Number of battles that a verdict such as A>>B counts as."""
_VERDICTS: dict[str, tuple[float, int]] = {
    **dict.fromkeys(("A>B", "B<A"), (1.0, 1)),
    **dict.fromkeys(("B>A", "A<B"), (0.0, 1)),
    **dict.fromkeys(("A>>B", "B<<A"), (1.0, _STRONG)),
    **dict.fromkeys(("B>>A", "A<<B"), (0.0, _STRONG)),
    **dict.fromkeys(("A=B", "B=A"), (0.5, 1)),
}
"""The share that A wins, and the number of battles that this counts as."""
_NO_CATEGORY = "arena-hard-v0.1"
_MOST = 1e12
_MARKDOWN = ("header_count", "list_count", "bold_count")


@dataclass(frozen=True)
class JudgmentFolder:
    """A folder in this layout.

    Attributes:
        path: The folder, with `model_judgment` and `model_answer` in it.
        judges: The judges with judgments in it.
    """

    path: Path
    judges: tuple[str, ...]


@dataclass(frozen=True)
class Judgment:
    """A judge's verdicts on the answers of a policy and the baseline, in both orders.

    Attributes:
        policy: The policy.
        question: Id of the question.
        category: Category of the question.
        judge: The judge.
        scores: Score of the policy in each battle: 1 if it won, 0.5 if it tied, 0 if it lost. A strong verdict counts
            as three battles. Those of the second game come first, as in the reference.
    """

    policy: str
    question: str
    category: str
    judge: str
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Judgments:
    """The judgments of some folders.

    Attributes:
        complete: Those with two verdicts.
        incomplete: Policy and category of each that lacks a verdict.
        repeated: Number of judgments that repeat an earlier one with equal verdicts.
    """

    complete: tuple[Judgment, ...]
    incomplete: tuple[tuple[str, str], ...]
    repeated: int


def find_folder(place: Path) -> JudgmentFolder:
    """Return the folder in this layout that is at a path, or the only one in it.

    Raises:
        DataError: If there is none, or more than one.
    """
    if not place.is_dir():
        what = "is a file" if place.exists() else "does not exist"
        raise DataError(f"{place} {what}: give a folder that contains {_JUDGED}/JUDGE/POLICY.jsonl")
    below = ("*/" * depth + _JUDGED for depth in range(_DEPTH + 1))
    found = [folder.parent for pattern in below for folder in sorted(place.glob(pattern)) if folder.is_dir()]
    if not found:
        raise DataError(f"{place} contains no folder {_JUDGED}: give a folder in Arena-Hard-Auto's layout")
    if len(found) > 1 and found[0] != place:
        listed = ", ".join(str(one) for one in found)
        raise DataError(f"{place} contains several folders with {_JUDGED} ({listed}): give one of them")
    judged = found[0] / _JUDGED
    names = {str(file.parent.relative_to(judged)) for file in _files(judged)}
    if not names:
        raise DataError(f"{judged} contains no judgments: add JUDGE/POLICY.jsonl")
    return JudgmentFolder(found[0], tuple(sorted(names)))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.name.endswith(SUFFIXES) and path.is_file())


def read_judgments(folders: Sequence[JudgmentFolder], judges: Collection[str]) -> Judgments:
    """Read the judgments of some judges.

    Raises:
        DataError: If a file is broken, a verdict is unknown, or a judge has two different judgments of an answer.
    """
    found: dict[tuple[str, str, str], Judgment] = {}
    incomplete, repeated = [], 0
    for folder in folders:
        for judge in sorted(set(folder.judges) & set(judges)):
            for file in _files(folder.path / _JUDGED / judge):
                if str(file.parent.relative_to(folder.path / _JUDGED)) != judge:
                    continue
                for row in iterate_rows(file):
                    own = _judgment(row, file, judge)
                    if isinstance(own, tuple):
                        incomplete.append(own)
                        continue
                    key = (own.policy, own.question, judge)
                    if found.setdefault(key, own) is not own:
                        repeated += 1
                        if found[key] != own:
                            raise DataError(
                                f"{row.where}: {judge} has another judgment of {own.policy} on question "
                                f"{own.question}: keep one of them"
                            )
    return Judgments(tuple(found.values()), tuple(incomplete), repeated)


def _judgment(row: Row, file: Path, judge: str) -> Judgment | tuple[str, str]:
    """Return a judgment; policy and category if it lacks a verdict."""
    policy = row.optional_name("model") or stem_of(file)
    category = row.optional_name("category") or _NO_CATEGORY
    games = row.get("games")
    if games is None:
        return policy, category
    if not isinstance(games, list):
        raise row.wrong("games", "a list of two games", games)
    verdicts = [_verdict(row, game) for game in games[:2]]
    if len(verdicts) < 2 or verdicts[0] is None or verdicts[1] is None:
        return policy, category
    (first, times), (second, more) = verdicts[0], verdicts[1]
    # The baseline is A in the first game and B in the second.
    scores = (second,) * more + (1 - first,) * times
    return Judgment(policy, _question(row), category, judge, scores)


def _question(row: Row) -> str:
    return row.name("question_id" if "uid" not in row.fields and "question_id" in row.fields else "uid")


def _verdict(row: Row, game: Any) -> tuple[float, int] | None:
    text = game.get("score") if isinstance(game, dict) else game
    if text is None:
        return None
    if not isinstance(text, str) or text not in _VERDICTS:
        raise DataError(
            f"{row.where}: the score {quoted(text, 40)} of a game is unknown: use one of "
            f"{', '.join(_VERDICTS)}, or null"
        )
    return _VERDICTS[text]


Needed = Callable[[Collection[str]], Collection[tuple[str, str]]]
"""Returns model and question of the answers that are needed, given the models that have answers."""


@dataclass(frozen=True)
class Answers:
    """Styles of answers.

    Attributes:
        styles: Style of each answer, by model and question.
        unit: Unit of length if the styles were counted from texts; empty if they are the files' metadata.
    """

    styles: dict[str, dict[str, AnswerStyle]]
    unit: str


def read_answers(
    folders: Sequence[JudgmentFolder], needed: Callable[[Collection[str]], Collection[tuple[str, str]]]
) -> Answers:
    """Read the styles of answers from their metadata, or count them all from the texts if some lack metadata.

    Counts of two kinds are never compared with each other.

    Args:
        folders: The folders.
        needed: Returns the answers that are needed.

    Raises:
        DataError: If a file is broken, an answer has neither metadata nor a text, or a model has two different answers
            to a question.
    """
    styles: dict[str, dict[str, AnswerStyle]] = {}
    bare: set[tuple[str, str]] = set()
    for model, question, row in _answer_rows(folders):
        own = styles.setdefault(model, {})
        metadata = row.fields.get("metadata")
        if metadata is None:
            bare.add((model, question))
        else:
            style = _metadata(row, metadata)
            if own.setdefault(question, style) != style:
                raise DataError(
                    f"{row.where}: another answer of {model} to question {question} has other metadata: keep one of "
                    "them"
                )
    wanted = set(needed(styles))
    if not any(question not in styles[model] for model, question in bare & wanted):
        return Answers(styles, "")
    length, unit = length_counter()
    counted: dict[str, dict[str, AnswerStyle]] = {model: {} for model in styles}
    for model, question, row in _answer_rows(folders):
        if (model, question) in wanted:
            style = style_of(_text(row), length)
            if counted[model].setdefault(question, style) != style:
                raise DataError(
                    f"{row.where}: another answer of {model} to question {question} has another style: keep one of them"
                )
    return Answers(counted, unit)


def _answer_rows(folders: Sequence[JudgmentFolder]) -> Iterator[tuple[str, str, Row]]:
    for folder in folders:
        for file in _files(folder.path / _ANSWERED):
            for row in iterate_rows(file):
                name = row.optional_name("model") or row.optional_name("model_id") or stem_of(file)
                yield name, _question(row), row


def _metadata(row: Row, metadata: Any) -> AnswerStyle:
    if not isinstance(metadata, dict):
        raise row.wrong("metadata", "an object", metadata)
    return AnswerStyle(*(_count(row, metadata, key) for key in ("token_len", *_MARKDOWN)))


def _count(row: Row, metadata: dict[str, Any], key: str) -> float:
    value = metadata.get(key)
    parts: list[Any] = list(value.values()) if isinstance(value, dict) else [value]
    if not all(isinstance(part, int | float) and not isinstance(part, bool) and 0 <= part < _MOST for part in parts):
        raise DataError(
            f"{row.where}: metadata: {key!r} must be a count, or counts by kind, not {kind_of(value)}: correct it"
        )
    return float(sum(parts))


def _text(row: Row) -> str:
    """Return the text of the last message, in the layout of now or of 2024."""
    found: Any = row.fields.get("messages")
    if found is None and isinstance(choices := row.fields.get("choices"), list) and choices:
        found = choices[0].get("turns") if isinstance(choices[0], dict) else None
    found = found[-1] if isinstance(found, list) and found else None
    for key in ("content", "answer"):
        found = found.get(key) if isinstance(found, dict) else found
    if not isinstance(found, str):
        raise DataError(
            f"{row.where}: the answer has neither metadata nor a text in its last message: add the one or the other"
        )
    return found
