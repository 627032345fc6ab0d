"""Joining of files about the same candidates: prompts and responses are matched by id or text, never by position."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rmeval.errors import DataError
from rmeval.importers.candidates.source import Group, Source, names_of
from rmeval.messages import count_of, shortened

__all__ = ["Joined", "join"]


@dataclass(slots=True)
class Joined:
    """Candidates of one file with the scores of further files.

    Attributes:
        base: The file whose prompts and responses all others are about.
        names: The id of each of its prompts.
        models: The reward models.
        picks: Those of which only the picks are known.
        notes: Notes on the files.
    """

    base: Source
    names: list[str]
    models: list[str]
    picks: list[str]
    notes: list[str] = field(default_factory=list)


def join(sources: Sequence[Source]) -> Joined:
    """Join files about the same candidates.

    The file with the most responses determines their order; of several, one with texts and qualities. Prompts that a
    file lacks are excluded, so that all reward models have the same ones.

    Raises:
        DataError: If a file is about other prompts or responses.
    """
    sources = _series(sources)
    candidates = [own for own in sources if not own.pick]
    if not candidates:
        raise DataError(f"{sources[0].path} contains only picks: also give the file of the candidates")
    base = max(candidates, key=lambda own: (own.size, own.has_texts, own.has_quality))
    others = [own for own in sources if own is not base]
    _distinct_models([base, *others])
    joined = Joined(base, [], base.models, [], [*base.layout.notes, *base.notes])
    inside = [True] * len(base.groups)
    for other in sorted(others, key=lambda own: (own.pick, not own.has_texts)):
        matched = _matched(base, other)
        _add(joined, other, matched)
        there = {id(own) for own, _ in matched}
        inside = [known and id(group) in there for known, group in zip(inside, base.groups, strict=True)]
        joined.models += [model for model in other.models if model not in joined.models]
        joined.picks += other.models if other.pick else []
        joined.notes += [note for note in (*other.layout.notes, *other.notes) if note not in joined.notes]
    names = names_of(base.groups)
    if not all(inside):
        left_out = len(inside) - sum(inside)
        joined.notes.append(f"{count_of(left_out, 'prompt')} of {len(inside)} are excluded: not all files contain them")
        base.groups = [group for group, known in zip(base.groups, inside, strict=True) if known]
    joined.names = [name for name, known in zip(names, inside, strict=True) if known]
    return joined


def _series(sources: Sequence[Source]) -> list[Source]:
    """Join the files of a series, each with one sample of every prompt, into one."""
    found: list[Source] = []
    first: dict[str, Source] = {}
    for source in sources:
        if source.layout.rows != "sample" or source.pick:
            found.append(source)
        elif (earlier := first.get(source.layout.name)) is None:
            first[source.layout.name] = source
            found.append(source)
        else:
            earlier.groups += source.groups
            earlier.notes += source.notes
    for source in first.values():
        source.groups = _grouped(source)
    return found


def _grouped(source: Source) -> list[Group]:
    """Join the samples of each prompt, in the order of their numbers."""
    source.series = _shorten(source.groups)
    groups: dict[tuple[str | None, ...], Group] = {}
    for group in source.groups:
        own = groups.setdefault((group.name, group.text, group.subset), group)
        if own is group:
            continue
        for kept in group.kept:
            if any(kept.key == other.key for other in own.kept):
                raise DataError(f"{group.where}: another file contains sample {kept.key} of this prompt: give it once")
            own.kept.append(kept)
    if source.series:
        for own in groups.values():
            own.kept.sort(key=lambda kept: int(kept.key or 0))
    return list(groups.values())


_NUMBERED = re.compile(r"(.+)\.(\d+)", re.DOTALL)


def _shorten(groups: Sequence[Group]) -> str:
    """Replace the names of samples by their numbers, if all have one writer; return the writer, or nothing.

    A number after a point may also be a version, such as that of `gpt-3.5`, so it is one only among several samples.
    """
    every = [kept for group in groups for kept in group.kept]
    names = {kept.key or "" for kept in every}
    matches = [_NUMBERED.fullmatch(name) for name in names]
    writers = {match[1] if match else None for match in matches}
    if len(writers) != 1 or len(names) < 2 or None in writers:
        return ""
    for kept in every:
        kept.key = (kept.key or "").rpartition(".")[2]
    return writers.pop() or ""


def _distinct_models(sources: Sequence[Source]) -> None:
    """Give reward models of equal name in several files the names of folders or files that distinguish them.

    Two files with picks of one model are the same picks, as texts and as annotations.
    """
    for model, times in Counter(model for source in sources for model in source.models).items():
        near = [source for source in sources if model in source.models]
        if times < 2 or all(source.pick for source in near):
            continue
        for source in near:
            if sum(other.path.resolve() == source.path.resolve() for other in near) > 1:
                raise DataError(f"{source.path} is given twice: give each file once")
            _rename(source, model, _longer(source.path, model, [other.path for other in near]))


def _longer(path: Path, model: str, paths: Sequence[Path]) -> str:
    """Return a model's name with the folder that distinguishes its file from others, or with the file's name."""
    parts, mine = [own.resolve().parts for own in paths], path.resolve().parts
    for depth in range(2, len(mine)):
        if sum(len(own) >= depth and own[-depth] == mine[-depth] for own in parts) == 1:
            return f"{mine[-depth]}/{model}"
    return f"{model} ({path.name})"


def _rename(source: Source, model: str, name: str) -> None:
    for group in source.groups:
        for kept in group.kept:
            kept.scores = {name if own == model else own: score for own, score in kept.scores.items()}


def _matched(base: Source, other: Source) -> list[tuple[Group, Group]]:
    """Return the prompts of two files that are the same: those with equal ids, unless their texts differ, or by text.

    Raises:
        DataError: If there are none.
    """
    by_id = {group.name: group for group in base.groups if group.name is not None}
    unique = len(by_id) == len(base.groups)
    pairs = [(by_id[group.name], group) for group in other.groups if unique and group.name in by_id]
    if pairs and all(one.text is None or two.text is None or one.text == two.text for one, two in pairs):
        return _once(pairs, other)
    by_text: dict[str, list[Group]] = {}
    for group in base.groups:
        by_text.setdefault(group.text or "", []).append(group)
    pairs = [
        (fitting, group)
        for group in other.groups
        if group.text is not None and (fitting := _fitting(by_text.get(group.text, []), group)) is not None
    ]
    if not pairs:
        raise DataError(
            f"no prompt of {other.path} has the id and text of a prompt of {base.path}: give files about the same "
            "candidates"
        )
    return _once(pairs, other)


def _fitting(near: Sequence[Group], group: Group) -> Group | None:
    """Return the prompt of several with equal texts that has a group's responses, or the only one."""
    if len(near) < 2:
        return near[0] if near else None
    wanted = {kept.text or kept.key for kept in group.kept}
    return next((own for own in near if wanted <= {kept.text or kept.key for kept in own.kept}), None)


def _once(pairs: list[tuple[Group, Group]], other: Source) -> list[tuple[Group, Group]]:
    times = Counter(id(own) for own, _ in pairs)
    for own, group in pairs:
        if times[id(own)] > 1:
            raise DataError(f"{group.where}: {other.path.name} contains the same prompt twice: give it once")
    return pairs


def _add(joined: Joined, other: Source, matched: Sequence[tuple[Group, Group]]) -> None:
    """Add the scores of a file, and the qualities and answers that the base lacks."""
    contradictions = missing = 0
    models = other.models
    for own, group in matched:
        places = _places(joined.base, own, other, group)
        own.answers |= group.answers
        own.text, own.subset = own.text or group.text, own.subset or group.subset
        own.cluster = own.cluster or group.cluster
        for place, kept in zip(places, group.kept, strict=True):
            target = own.kept[place]
            if other.pick and any(
                model in one.scores for model in kept.scores for one in own.kept if one is not target
            ):
                raise DataError(
                    f"{group.where}: another file has another pick of this model: give the model's picks once"
                )
            target.scores.update(kept.scores)
            if target.text is None:
                target.text, target.whole, target.length = kept.text, kept.whole, kept.length
            target.answer = target.answer if target.answer is not None else kept.answer
            if math.isnan(target.quality):
                target.quality = kept.quality
            elif not math.isnan(kept.quality):
                contradictions += abs(target.quality - kept.quality) > 1e-9
        for model in models:
            missing += 0 if other.pick else sum(model not in kept.scores for kept in own.kept)
    if contradictions:
        joined.notes.append(
            f"{count_of(contradictions, 'response')} of {other.path.name} have another quality in "
            f"{joined.base.path.name}, which is used"
        )
    if missing:
        joined.notes.append(f"{other.path.name} has no row for {count_of(missing, 'score')} of {joined.base.path.name}")


def _places(base: Source, own: Group, other: Source, group: Group) -> list[int]:
    """Return the position in the base of each candidate of a file: by its text, or by its number or writer.

    Raises:
        DataError: If a candidate is not in the base, or cannot be identified.
    """
    texts = all(kept.text is not None for kept in (*own.kept, *group.kept))
    keys = all(kept.key is not None for kept in (*own.kept, *group.kept))
    if not texts and not keys:
        lacks = other if any(kept.text is None for kept in group.kept) else base
        raise DataError(f"{lacks.path} has neither the texts nor the numbers of its responses, which match files")
    left: dict[str | None, list[int]] = {}
    for place, kept in enumerate(own.kept):
        left.setdefault(kept.text if texts else kept.key, []).append(place)
    found = []
    for number, kept in enumerate(group.kept):
        near = left.get(kept.text if texts else kept.key)
        if not near:
            raise DataError(
                f"{group.where}: response {shortened(kept.key or number)} is not among the "
                f"{count_of(len(own.kept), 'response')} to the same prompt in {base.path.name}: give files about the "
                "same candidates"
            )
        # Of responses with equal texts, each is used once, that with the same number first.
        place = next((place for place in near if own.kept[place].key == kept.key), near[0])
        near.remove(place)
        found.append(place)
    return found
