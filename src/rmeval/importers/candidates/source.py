"""Reading of one published file of candidates, without keeping its texts in memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from rmeval.data.digests import conversation_digest
from rmeval.data.reading import read_object, stem_of
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.importers.candidates import lists, rows
from rmeval.importers.candidates.parts import OWN, Candidate, Layout, Prompt
from rmeval.importers.documents import rows_of_file
from rmeval.importers.formats.base import Reading
from rmeval.importers.formats.index import ItemIndex
from rmeval.messages import count_of, quoted
from rmeval.types import Message

__all__ = ["LAYOUTS", "Group", "Grouping", "Kept", "Source", "layout_of", "names_of", "read_source", "without_repeats"]

LAYOUTS: tuple[Layout, ...] = (*lists.LAYOUTS, *rows.LAYOUTS)


@dataclass(slots=True)
class Kept:
    """What is kept of a candidate: digests of its text and of the whole conversation, its length, and its values."""

    text: str | None
    whole: str | None
    length: int
    key: str | None
    quality: float
    answer: str | None
    scores: dict[str, float]


@dataclass(slots=True)
class Group:
    """A prompt of a file with its candidates.

    Attributes:
        where: File and row, for messages.
        name: Its id in the file.
        text: The digest of its text.
        subset: The part of the data that it belongs to.
        cluster: The underlying problem, if stated.
        answers: Whether the file has final answers.
        kept: The candidates.
        same: The candidates by key or text.
    """

    where: str
    name: str | None
    text: str | None
    subset: str | None
    cluster: str | None
    answers: bool
    kept: list[Kept] = field(default_factory=list)
    same: dict[str, list[Kept]] = field(default_factory=dict)


@dataclass(slots=True)
class Source:
    """The content of one file, or of several files of one series.

    Attributes:
        path: The file, or the first of the files.
        layout: Its layout.
        groups: Its prompts.
        pick: Whether it contains only picks of reward models.
        reduced: Whether it has scores of steps.
        series: The writer of numbered samples; empty if it has none.
        notes: Notes on its rows.
    """

    path: Path
    layout: Layout
    groups: list[Group]
    pick: bool = False
    reduced: bool = False
    series: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def models(self) -> list[str]:
        """The reward models with scores, in order of first appearance."""
        return list(dict.fromkeys(name for group in self.groups for kept in group.kept for name in kept.scores))

    @property
    def size(self) -> int:
        """The number of responses."""
        return sum(len(group.kept) for group in self.groups)

    @property
    def has_texts(self) -> bool:
        """Whether the text of every response is known."""
        return all(kept.text is not None for group in self.groups for kept in group.kept)

    @property
    def has_quality(self) -> bool:
        """Whether the quality of a response is known."""
        return any(not math.isnan(kept.quality) for group in self.groups for kept in group.kept)


def layout_of(row: Row) -> Layout:
    """Return the layout that has a row's columns.

    Raises:
        DataError: If no supported layout has them.
    """
    columns = set(row.fields)
    for layout in LAYOUTS:
        if layout.takes(columns):
            return layout
    raise DataError(
        f"{row.where}: the columns ({row.listed() or 'none'}) are not those of a supported layout of candidates: give "
        "'prompt', 'responses', 'gold' and 'scores', or a row for each response with 'id' or 'prompt', 'response', "
        "'gold' and 'score'"
    )


def read_source(path: Path, steps: str | None = None) -> Source:
    """Read a file of candidates.

    Args:
        path: The file.
        steps: How to reduce the scores of a response's steps to one; needed if the file has such scores.

    Raises:
        DataError: If the file cannot be read, or its layout is not supported.
    """
    found = iter(rows_of_file(path, read_object(path)))
    first = next(found)  # A file without rows is an error of the reader.
    layout = layout_of(first)
    reading = Reading(path, (), ItemIndex.of(()), steps)
    source = Source(path, layout, [])
    _group(source, reading, _chain(first, found))
    without_repeats(source, reading)
    source.notes += [f"{path.name}: {sentence}: {count_of(k, 'row')}" for sentence, k in reading.remarks.items()]
    source.reduced = reading.reduced
    if reading.reduced and steps is not None:
        source.notes.append(f"{path.name}: the score of a response is reduced from its steps' scores by {steps}")
    _rename(source, stem_of(path))
    return source


def _chain(first: Row, rest: Iterable[Row]) -> Iterator[Row]:
    yield first
    yield from rest


def _group(source: Source, reading: Reading, found: Iterable[Row]) -> None:
    """Collect the prompts of a file's rows."""
    grouping = Grouping(source, reading)
    picks = 0
    for row in found:
        for prompt in source.layout.read(row, reading):
            picks += prompt.pick
            grouping.add(prompt)
    if picks and picks < source.size:
        raise DataError(f"{source.path} contains samples and picks: give them in separate files")
    source.pick = bool(picks)


class Grouping:
    """Collects the rows of a file into prompts."""

    def __init__(self, source: Source, reading: Reading) -> None:
        self._source, self._reading = source, reading
        self._groups: dict[tuple[str | None, ...], Group] = {}

    def add(self, prompt: Prompt) -> tuple[Group, list[Candidate]]:
        """Add a row; return its prompt and those of its candidates that no earlier row has."""
        group = self._group(prompt)
        return group, [candidate for candidate in prompt.candidates if self._add(group, prompt, candidate)]

    def _group(self, prompt: Prompt) -> Group:
        """Return the prompt that a row belongs to; a row with a whole prompt starts a new one."""
        text = conversation_digest(prompt.text) if prompt.text else None
        if prompt.id is None and text is None:
            raise DataError(f"{prompt.where}: the row has neither an id nor the text of its prompt: add one of them")
        key = (prompt.id, text, prompt.subset)
        if self._source.layout.rows == "prompt" or key not in self._groups:
            own = Group(prompt.where, prompt.id, text, prompt.subset, prompt.cluster, prompt.answers)
            self._groups[key] = own
            self._source.groups.append(own)
        return self._groups[key]

    def _add(self, group: Group, prompt: Prompt, candidate: Candidate) -> bool:
        """Add a candidate; a further row for it may have the score of another reward model, but no other values."""
        kept = _kept(prompt, candidate)
        if self._source.layout.rows == "prompt":
            group.kept.append(kept)
            return True
        same = group.same.setdefault(kept.key or kept.text or "", [])
        other = next((own for own in same if kept.scores and not own.scores.keys() & kept.scores.keys()), None)
        if other is not None and other.scores:
            self._check(prompt, other, kept)
            other.scores.update(kept.scores)
        elif same and kept.key is not None:
            self._check(prompt, same[0], kept)
            if _differ(same[0].scores.values(), [kept.scores.get(name, math.nan) for name in same[0].scores]):
                raise _other_values(prompt, kept)
            self._reading.remark("an earlier row has the same response, and is used")
        else:
            same.append(kept)
            group.kept.append(kept)
            return True
        return False

    def _check(self, prompt: Prompt, earlier: Kept, kept: Kept) -> None:
        """Check that two rows state the same about one response.

        Raises:
            DataError: If they do not.
        """
        if earlier.text != kept.text or earlier.answer != kept.answer or _differ([earlier.quality], [kept.quality]):
            raise _other_values(prompt, kept)


def _other_values(prompt: Prompt, kept: Kept) -> DataError:
    which = f"response {quoted(kept.key)}" if kept.key is not None else "this response"
    return DataError(f"{prompt.where}: an earlier row has other values for {which} of the prompt: give each one once")


def _differ(one: Iterable[float], other: Iterable[float]) -> bool:
    return any(a != b and not (math.isnan(a) and math.isnan(b)) for a, b in zip(one, other, strict=True))


def _text_digest(text: str) -> str:
    """Return the digest of a response by which files are matched; spaces around a text do not count."""
    return blake2b(text.strip().encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _kept(prompt: Prompt, candidate: Candidate) -> Kept:
    text = candidate.text
    whole = None
    if text is not None and prompt.text:
        whole = conversation_digest((*prompt.text, Message("assistant", text)))
    return Kept(
        None if text is None else _text_digest(text),
        whole,
        -1 if text is None else len(text),
        candidate.key,
        candidate.quality,
        candidate.answer,
        dict(candidate.scores),
    )


def without_repeats(source: Source, reading: Reading) -> None:
    """Remove prompts that occur earlier in the file with the same responses, and those without responses.

    Raises:
        DataError: If a prompt occurs twice with other values for its responses.
    """
    seen: dict[tuple[object, ...], Group] = {}
    kept = []
    for group in source.groups:
        own = (group.name, group.text, group.subset, *((one.text, one.key) for one in group.kept))
        if not group.kept:
            reading.remark("the prompt has no responses, and is excluded")
        elif (earlier := seen.setdefault(own, group)) is group:
            kept.append(group)
        elif any(map(_contradict, earlier.kept, group.kept)):
            raise DataError(
                f"{group.where}: {earlier.where} has other values for the same prompt and responses: keep one of the "
                "rows"
            )
        else:
            reading.remark("an earlier row has the same prompt and responses, and is used")
    source.groups = kept


def _contradict(one: Kept, other: Kept) -> bool:
    """Return whether two rows have different values for one response."""
    if one.answer != other.answer or _differ([one.quality], [other.quality]):
        return True
    names = one.scores.keys() | other.scores.keys()
    return any(_differ([one.scores.get(name, math.nan)], [other.scores.get(name, math.nan)]) for name in names)


def _rename(source: Source, name: str) -> None:
    """Name the only reward model of a file after the file."""
    for group in source.groups:
        for kept in group.kept:
            if OWN in kept.scores:
                kept.scores = {model or name: score for model, score in kept.scores.items()}


def names_of(groups: Sequence[Group]) -> list[str]:
    """Return a unique id for each prompt: its own, with its subset if it is needed, or one from its text."""
    times = Counter(group.name for group in groups)
    found: list[str] = []
    seen: Counter[str] = Counter()
    for group in groups:
        name = group.name if group.name is not None else (group.text or "")[:12]
        if times[group.name] > 1 and group.name is not None and group.subset is not None:
            name = f"{group.subset}/{name}"
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return found
