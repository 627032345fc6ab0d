"""Rows with two responses and a winner, a strength of preference or scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rmeval.benchmarks.shapes.names import Twin, missing, normal, only, twins
from rmeval.benchmarks.shapes.reading import Columns, LeftOut, Numbered, PairRow
from rmeval.benchmarks.shapes.verdicts import Labels, Scores, Strength, Verdict
from rmeval.data.conversations import list_in_text
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.messages import count_of

__all__ = ["Given", "TwoResponses", "two_responses"]

_STEMS = (
    *("response", "answer", "completion", "output", "reply", "candidate", "generation", "conversation", "option"),
    *("humanref", "assistant", "responsemodel", ""),
)
_SCORES = ("score", "rating", "reward", "quality", "helpfulness", "overallscore")
_LABELS = (
    *("winner", "preferred", "preference", "label", "labels", "choice", "better", "verdict", "vote", "chosen"),
    *("humanpreference", "preferredresponse", "betterresponse", "winnerresponse", "winnermodel"),
    *("preferredanswer", "preferredmodel", "preferredoption", "betteranswer", "bettermodel", "selected", "selection"),
    *("betterresponseid", "saferresponseid", "preferredindex", "betteridx", "chosenindex", "winneridx"),
)
_STRENGTHS = ("preferencestrength", "overallpreference")
_MODELS = ("model", "modelname", "llm")
_REASONS = {"tie": "tie", "none": "row without a winner"}


@dataclass(frozen=True, slots=True)
class Given:
    """The user's options about the data.

    Attributes:
        columns: Columns by role.
        labels: `a`, `b`, `tie` or `none` by value of the column `better`.
        ignored: Columns that are not read.
        turns: Whether prompts of plain pairs that are dialogues in one text are split into turns.
    """

    columns: Mapping[str, str]
    labels: Mapping[object, str]
    ignored: frozenset[str]
    turns: bool = False

    def names(self, row: Row) -> list[str]:
        """Return the columns of a row that may be read."""
        return [name for name in row.fields if name not in self.ignored]


class TwoResponses:
    """Rows with the columns of two responses."""

    may_differ = True

    def __init__(
        self, name: str, columns: Columns, sides: tuple[str, str], verdict: Verdict, witness: Scores | None = None
    ) -> None:
        """Store the columns.

        Args:
            name: What the data look like.
            columns: The columns beside the responses.
            sides: The columns of the first and the second response.
            verdict: What decides which is the better.
            witness: Scores that should agree with it.
        """
        one, two = sides
        prompt = f"the prompt is {columns.of['prompt']!r}, " if "prompt" in columns.of else ""
        self.says = f"{name}: {prompt}the responses are {one!r} and {two!r}, and {verdict.says}"
        self.left_out = LeftOut()
        self._columns = {
            "a": columns.using(chosen=one, rejected=two),
            "b": columns.using(chosen=two, rejected=one),
        }
        self._verdict, self._witness = verdict, witness
        self._against, self._contradiction = 0, ""

    def pairs(self, rows: Iterable[Numbered]) -> Iterator[PairRow]:
        """Yield a pair for each row with a better response."""
        for number, row in rows:
            found = self._verdict.decide(row)
            if self._witness is not None and {found, self._witness.decide(row)} == {"a", "b"}:
                if self._contradiction:
                    raise DataError(f"{row.where}: {self._contradiction}")
                self._against += 1
            if found in self._columns:
                yield PairRow(self.changed(row), self._columns[found], number)
            else:
                self.left_out.add(_REASONS[found])

    def uses(self, labels: Mapping[object, str]) -> bool:
        """Return whether these meanings decide which response is the better one."""
        return isinstance(self._verdict, Labels) and self._verdict.meanings is labels

    def changed(self, row: Row) -> Row:
        """Return the row with the columns of this reading, which a subclass may derive from others."""
        return row

    def notes(self) -> list[str]:
        """Return what the values meant, and how often the scores contradict them."""
        found = self._verdict.notes()
        if self._against:
            found.append(
                f"the scores contradict the winner in {count_of(self._against, 'row')}: rmeval reads the winner"
            )
        return found


def two_responses(row: Row, columns: Columns, given: Given) -> TwoResponses | None:
    """Recognise two responses and a winner, a strength or scores; None if the row has no two responses.

    Raises:
        DataError: If it has them and something is ambiguous or missing.
    """
    names = given.names(row)
    found = _sides(row, names, given)
    if found is None:
        return None
    sides, ends, stem = found
    verdict, witness = _verdict(row, names, sides, ends, stem, given)
    if verdict is None:
        raise DataError(
            f"{row.where}: there are two responses ({sides[0]!r} and {sides[1]!r}), but no column that names the "
            f"better one (the columns are {row.listed()}): give `columns` better=NAME, or score_a=NAME,score_b=NAME"
        )
    messages = all(_is_messages(row, side) for side in sides)
    if "prompt" in columns.of and columns.of["prompt"] not in row.fields:
        if not messages or "prompt" in given.columns:
            raise missing(row, {"prompt": columns.of["prompt"]})
        columns = Columns({role: name for role, name in columns.of.items() if role != "prompt"}, columns.turns)
    return TwoResponses("two responses", columns, sides, verdict, witness)


def _is_messages(row: Row, column: str) -> bool:
    value = row.fields[column]
    return isinstance(value, list) or (isinstance(value, str) and list_in_text(value, row.place(column)) is not None)


def _sides(row: Row, names: list[str], given: Given) -> tuple[tuple[str, str], tuple[str, str], str] | None:
    """Return the columns of the two responses, the ends of their names, and the common part."""
    one, two = given.columns.get("a"), given.columns.get("b")
    if (one is None) != (two is None):
        raise DataError("`columns` has only one of a and b: give both, as a=response_1,b=response_2")
    if one is not None and two is not None:
        if absent := {role: name for role, name in (("a", one), ("b", two)) if name not in row.fields}:
            raise missing(row, absent)
        known = next((pair for pair in twins(names, _STEMS) if set(pair.columns) == {one, two}), None)
        if known is None:
            return (one, two), ("a", "b"), ""
        # A value names a column as the data do, also where the user gives the columns in the other order.
        first, second = known.ends
        return (one, two), (first, second) if known.columns[0] == one else (second, first), known.stem
    used = set(given.columns.values())
    found = [pair for pair in twins(names, _STEMS) if not used & set(pair.columns)]
    if third := next((pair for pair in found if pair.third), None):
        raise DataError(
            f"{row.where}: there are more than two responses ({', '.join((*third.columns, third.third or ''))}): "
            "choose two with `columns` a=NAME,b=NAME, or write one row for each response, with a score"
        )
    if len(found) > 1:
        listed = " or ".join(
            ",".join(f"{role}={name}" for role, name in zip("ab", pair.columns, strict=True)) for pair in found
        )
        raise DataError(f"{row.where}: there are several pairs of responses: choose one with `columns` {listed}")
    return (found[0].columns, found[0].ends, found[0].stem) if found else None


def _verdict(
    row: Row, names: list[str], sides: tuple[str, str], ends: tuple[str, str], stem: str, given: Given
) -> tuple[Verdict | None, Scores | None]:
    """Return what decides, and the scores that should agree with it."""
    used = {*sides, *given.columns.values()} - {given.columns.get("better", "")}
    named = given.columns.get("better")
    if named is None and not {"score_a", "score_b"} & given.columns.keys():
        free = [name for name in names if name not in used]
        usual = [name for name in free if normal(name) in (*_LABELS, *_STRENGTHS)]
        named = only(row, "better", usual, "may name the better response")
    scores = _scores(row, names, ends, given, named is None)
    if named is None:
        return scores, None
    if named not in row.fields:
        raise missing(row, {"better": named})
    if normal(named) in _STRENGTHS and not given.labels:
        # `columns` may name the responses in another order than the data.
        return Strength(named, sides, swapped=ends[0] > ends[1]), scores
    models = next((_in_order(pair, ends) for pair in twins(names, _MODELS) if set(pair.ends) == set(ends)), None)
    return Labels(named, sides, ends, stem, given.labels, models), scores


def _scores(row: Row, names: list[str], ends: tuple[str, str], given: Given, needed: bool) -> Scores | None:
    """Return two columns of scores, if there are any."""
    roles = {role: given.columns[role] for role in ("score_a", "score_b") if role in given.columns}
    if len(roles) == 1:
        raise DataError("`columns` has only one of score_a and score_b: give both")
    if roles:
        if any(name not in row.fields for name in roles.values()):
            raise missing(row, roles)
        return Scores((roles["score_a"], roles["score_b"]))
    found = [pair for pair in twins(names, _SCORES) if set(pair.ends) == set(ends)]
    if len(found) > 1 and needed:
        listed = [_in_order(pair, ends) for pair in found]
        ways = " or ".join(f"score_a={one},score_b={two}" for one, two in listed)
        raise DataError(f"{row.where}: there are several pairs of scores: choose one with `columns` {ways}")
    return Scores(_in_order(found[0], ends)) if len(found) == 1 else None


def _in_order(pair: Twin, ends: tuple[str, str]) -> tuple[str, str]:
    """Return two columns in the order of the responses."""
    one, two = pair.columns
    return (one, two) if pair.ends == ends else (two, one)
