"""Which numbers of reward models are correlated with which results of policies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rmeval.errors import DataError
from rmeval.messages import chosen_from
from rmeval.predict.score_tables import Column, ScoreTable, columns_of, find_column

__all__ = ["TREATMENTS", "PairSet", "given_pairs", "grid_of", "treated_pairs"]


@dataclass(frozen=True)
class PairSet:
    """Pairs of columns that form one correlation; the columns of scores are of one table.

    Attributes:
        name: Name of the correlation.
        pairs: Each a column of scores and one of results.
        relative: Whether results are relative to the base, if there is one.
    """

    name: str
    pairs: tuple[tuple[Column, Column], ...]
    relative: bool = True

    @property
    def policies(self) -> tuple[str, ...]:
        """The columns of results."""
        return tuple(policy.name for _, policy in self.pairs)


def given_pairs(pairs: Sequence[tuple[str, str]], scores: Sequence[ScoreTable], policies: ScoreTable) -> list[PairSet]:
    """Return the sets of pairs that are given by name.

    The pairs of one table of scores are pooled; a second number for the same result begins another set.

    Raises:
        DataError: If a column does not exist.
    """
    sets: list[list[tuple[Column, Column]]] = []
    for one, other in pairs:
        pair = find_column(one, scores, "pair"), find_column(other, [policies], "pair")
        for own in sets:
            if own[0][0].table is pair[0].table and all(pair[1].name != policy.name for _, policy in own):
                own.append(pair)
                break
        else:
            sets.append([pair])
    return [PairSet(_name(own), tuple(own)) for own in sets]


def grid_of(scores: Sequence[ScoreTable], policies: ScoreTable) -> list[PairSet]:
    """Return every column of scores with every column of results."""
    return [
        PairSet(_name([(one, other)]), ((one, other),))
        for one in columns_of(scores)
        for other in columns_of([policies])
    ]


def _name(pairs: Sequence[tuple[Column, Column]]) -> str:
    score = pairs[0][0]
    return score.full_name if len(pairs) == 1 else f"{score.table.name}, {len(pairs)} pairs"


@dataclass(frozen=True)
class _Wanted:
    """A pair of a treatment: words of the column of scores, and of that of results, of which one suffices."""

    score: frozenset[str]
    policy: tuple[frozenset[str], ...]

    def __str__(self) -> str:
        return " ".join(sorted(self.score))


def _wanted(score: str, *policies: str) -> _Wanted:
    return _Wanted(frozenset(score.split()), tuple(frozenset(words.split()) for words in policies))


_STYLE = _wanted("chat hard", "style control")
# Liu et al. 2024 (arXiv:2410.16184, section 5): policies that PPO trains with each of four reward models, on tasks of
# mathematics, code and safety, relative to the model before PPO, and their style-control scores, which are relative
# changes already.
_RM_BENCH = (
    _wanted("hard math", "math", "gsm8k", "gsm"),
    _wanted("code normal", "code", "humaneval", "mbpp", "coding"),
    _wanted("hard safety", "safety", "toxigen", "xstest"),
)
TREATMENTS: Mapping[str, tuple[tuple[_Wanted, ...], ...]] = {"rm-bench": (_RM_BENCH, (_STYLE,))}
"""Pairs of columns that papers use: the sets of each treatment."""
_LEVELS = {"easy", "normal"}
_IGNORED = {"all", "acc", "accuracy", "rm", "bench", "synthetic", "score"}


def treated_pairs(
    treatment: str, scores: Sequence[ScoreTable], policies: ScoreTable
) -> tuple[list[PairSet], list[str]]:
    """Return the pairs of a paper's treatment, as far as the tables have them, and notes on what is used and missing.

    Raises:
        DataError: If the treatment does not exist, no pair is in the tables, or several columns could be meant.
    """
    if treatment not in TREATMENTS:
        raise DataError(f"`treatment` {treatment!r} does not exist: {chosen_from(treatment, TREATMENTS)}")
    sets: list[PairSet] = []
    notes: list[str] = []
    for table in scores:
        # Columns such as `Chat Hard` of other benchmarks have another meaning.
        if not any(_words(column) & _LEVELS for column in table.columns):
            notes.append(
                f"{table.source} is not used by `treatment`: it has no number with easy or normal in its name, and may "
                "be of another benchmark"
            )
            continue
        for wanted in TREATMENTS[treatment]:
            pairs, missing = _found(wanted, table, policies)
            notes += [f"{treatment}: {missing_one}" for missing_one in missing]
            if pairs:
                used = ", ".join(f"{one.full_name} with {other.name}" for one, other in pairs)
                notes.append(f"{treatment}: used {used}")
                sets.append(PairSet(_name(pairs), tuple(pairs), relative=wanted[0] is not _STYLE))
    if not sets:
        reasons = "; ".join(note.removeprefix(f"{treatment}: ") for note in notes)
        raise DataError(f"`treatment` {treatment} finds none of its pairs ({reasons}): name columns with `pair`")
    return sets, notes


def _found(
    wanted: Sequence[_Wanted], table: ScoreTable, policies: ScoreTable
) -> tuple[list[tuple[Column, Column]], list[str]]:
    pairs, missing = [], []
    for own in wanted:
        one = _only([column for column in columns_of([table]) if _words(column.name) == own.score], str(own))
        other = _only(list(_results(own, policies)), " or ".join(" ".join(sorted(words)) for words in own.policy))
        if one is None:
            missing.append(f"{table.source} has no number {own}")
        elif other is None:
            there = " or ".join(" ".join(sorted(words, reverse=True)) for words in own.policy)
            missing.append(f"{policies.source} has no result named {there}, for {own}")
        else:
            pairs.append((one, other))
    return pairs, missing


def _results(wanted: _Wanted, policies: ScoreTable) -> Iterator[Column]:
    for column in columns_of([policies]):
        if any(words <= _words(column.name) for words in wanted.policy):
            yield column


def _only(found: Sequence[Column], what: str) -> Column | None:
    if len(found) > 1:
        listed = ", ".join(column.full_name for column in found)
        raise DataError(f"`treatment`: {listed} could each be {what}: name pairs of columns with `pair`")
    return found[0] if found else None


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+[0-9]*[a-z]*", name.casefold())) - _IGNORED
