"""The table of shapes, and the search for that of some data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from rmeval.benchmarks.shapes.many import response_list, response_rows
from rmeval.benchmarks.shapes.names import missing, twins
from rmeval.benchmarks.shapes.reading import Columns, LeftOut, Numbered, PairRow, Plain, Reading
from rmeval.benchmarks.shapes.texts import whole_texts
from rmeval.benchmarks.shapes.two import Given, TwoResponses, two_responses
from rmeval.benchmarks.shapes.verdicts import Labels, OneHot, Scores, Strength
from rmeval.data.json_text import parse_json
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.messages import shortened

__all__ = ["EXTRA_ROLES", "recognise"]

EXTRA_ROLES = ("a", "b", "better", "score_a", "score_b", "response", "responses", "score", "rank")
"""Roles of columns that shapes have beside those of plain pairs."""


class _SHP(TwoResponses):
    """SHP: `labels` is 1 where A is the better, which its scores confirm (Ethayarajh et al. 2022)."""

    needs = ("history", "human_ref_A", "human_ref_B", "labels")

    def __init__(self, columns: Columns, row: Row) -> None:
        sides, scores = ("human_ref_A", "human_ref_B"), ("score_A", "score_B")
        verdict = Labels("labels", sides, meanings={"1": "a", "0": "b"})
        witness = Scores(scores) if set(scores) <= row.fields.keys() else None
        super().__init__("SHP", columns.using(prompt="history"), sides, verdict, witness)
        self._contradiction = (
            "'labels' and the scores contradict each other (in SHP 1 means that score_A is higher): correct the row, "
            "or give `columns` prompt=history,a=human_ref_A,b=human_ref_B,score_a=score_A,score_b=score_B"
        )


class _HelpSteer3(TwoResponses):
    """HelpSteer3's preferences: a conversation, two responses, and a strength."""

    needs = ("context", "response1", "response2", "overall_preference")

    def __init__(self, columns: Columns, row: Row) -> None:
        sides = "response1", "response2"
        verdict = Strength("overall_preference", sides)
        super().__init__("HelpSteer3", columns.using(prompt="context"), sides, verdict)


class _ArenaVotes(TwoResponses):
    """Arena's votes with a column for each outcome; prompts and responses are lists of turns in JSON text."""

    needs = ("prompt", "response_a", "response_b", "winner_model_a", "winner_model_b", "winner_tie")

    def __init__(self, columns: Columns, row: Row) -> None:
        one, two = self._made = "response_a (turns)", "response_b (turns)"
        verdict = OneHot(("winner_model_a", "winner_model_b", "winner_tie"))
        super().__init__("Arena votes", columns, ("response_a", "response_b"), verdict)
        without = Columns({role: name for role, name in columns.of.items() if role != "prompt"}, columns.turns)
        self._columns = {
            "a": without.using(chosen=one, rejected=two),
            "b": without.using(chosen=two, rejected=one),
        }

    def changed(self, row: Row) -> Row:
        """Return the row with whole conversations."""
        asked = _turns(row, "prompt")
        fields = dict(row.fields)
        for name, column in zip(self._made, ("response_a", "response_b"), strict=True):
            answers = _turns(row, column)
            if len(answers) != len(asked):
                raise DataError(
                    f"{row.where}: 'prompt' and {column!r} have different numbers of turns: correct the row"
                )
            said = [text for turn in zip(asked, answers, strict=True) for text in turn]
            roles = ("user", "assistant") * len(asked)
            fields[name] = [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]
        return Row({name: own for name, own in fields.items() if name != "prompt"}, row.where)


def _turns(row: Row, column: str) -> list[str]:
    value = row.get(column)
    if isinstance(value, str):
        if not value.startswith("["):
            return [value]
        try:
            value = parse_json(value)
        except ValueError as error:
            raise DataError(f"{row.place(column)} must be a list of texts written as JSON: {error}") from error
    texts = ["" if text is None else text for text in value] if isinstance(value, list) else []
    if not texts or not all(isinstance(text, str) for text in texts):
        raise row.wrong(column, "a text or a list of texts", value)
    return texts


class _OpenAI:
    """OpenAI's files for preference tuning: `input` with messages, and lists with the responses."""

    needs = ("input", "preferred_output", "non_preferred_output")
    may_differ = False

    def __init__(self, columns: Columns, row: Row) -> None:
        self.says = (
            "OpenAI's preference format: the prompt is 'messages' of 'input', the better response 'preferred_output', "
            "the worse 'non_preferred_output'"
        )
        self.left_out = LeftOut()
        self._columns = columns.using(
            prompt="input.messages", tools="input.tools", chosen="preferred_output", rejected="non_preferred_output"
        )

    def pairs(self, rows: Iterable[Numbered]) -> Iterator[PairRow]:
        """Yield one pair for each row."""
        for number, row in rows:
            given = row.get("input")
            if not isinstance(given, dict):
                raise row.wrong("input", "an object with messages", given)
            if other := [
                key for key in given if key not in ("messages", "tools", "parallel_tool_calls") and given[key]
            ]:
                raise DataError(
                    f"{row.place('input')} contains {shortened(', '.join(other))}, which would not reach the model: "
                    "remove it"
                )
            inside = {f"input.{key}": own for key, own in ({"tools": None} | given).items()}
            rest = {name: own for name, own in row.fields.items() if name != "input"}
            yield PairRow(Row(rest | inside, row.where), self._columns, number)

    def notes(self) -> list[str]:
        """Return no notes."""
        return []


def _usual_pairs(row: Row, columns: Columns, given: Given) -> Reading | None:
    """Recognise `chosen` and `rejected`, or the columns that the user names for them."""
    chosen, rejected = columns.of["chosen"], columns.of["rejected"]
    named = {"chosen", "rejected"} & given.columns.keys()
    if not named and not {chosen, rejected} <= row.fields.keys():
        return None
    if not {chosen, rejected} <= row.fields.keys():
        raise missing(row, {role: columns.of[role] for role in ("prompt", "chosen", "rejected")})
    if not named:
        _refuse_labels(row, chosen, given)
    scores = _scores_beside(row, given)
    if "prompt" not in {*given.columns, *row.fields} and isinstance(row.fields.get("conversations"), list):
        says = "conversations: the messages before the response are in 'conversations'"
        return Plain(columns.using(prompt="conversations"), says, scores)
    if (found := whole_texts(row, columns, given)) is not None:
        return found
    return Plain(Columns(columns.of, given.turns), "", scores)


def _refuse_labels(row: Row, chosen: str, given: Given) -> None:
    """Raise an error where `chosen` is not a response but names one of two others."""
    for pair in twins(given.names(row), ("response", "answer", "completion", "output")):
        value = row.fields[chosen]
        if isinstance(value, str | int) and str(value).casefold() in (*pair.ends, *map(str.casefold, pair.columns)):
            one, two = pair.columns
            raise DataError(
                f"{row.where}: {chosen!r} is {value!r}, which may be a response or name one of {one!r} and {two!r}: "
                f"give `columns` better={chosen}, or exclude those columns with `ignore_keys` {one},{two}"
            )


def _scores_beside(row: Row, given: Given) -> tuple[str, str] | None:
    for stem in ("score", "rating"):
        for chosen, rejected in ((f"{stem}_chosen", f"{stem}_rejected"), (f"chosen_{stem}", f"rejected_{stem}")):
            for one, two in ((chosen, rejected), (chosen.replace("_", "-"), rejected.replace("_", "-"))):
                if {one, two} <= set(given.names(row)):
                    return one, two
    return None


def _known(row: Row, columns: Columns, given: Given) -> Reading | None:
    """Recognise a data set with columns of its own."""
    if given.columns.keys() - {"subset", "id", "system", "history", "tools"}:
        return None
    for shape in (_SHP, _HelpSteer3, _ArenaVotes, _OpenAI):
        if set(shape.needs) <= set(given.names(row)):
            return shape(columns, row)
    return None


SHAPES: tuple[Callable[[Row, Columns, Given], Reading | None], ...] = (
    _usual_pairs,
    _known,
    two_responses,
    response_list,
    response_rows,
)
"""Recognisers, in the order in which they are tried."""


def recognise(row: Row, columns: Columns, given: Given) -> Reading:
    """Return how some data are read, from the columns of the first row and the user's options.

    Raises:
        DataError: If nothing fits, or several ways do.
    """
    wanted = next((names for roles, *names in _LAYOUTS if roles & given.columns.keys()), None)
    if wanted is not None and {"chosen", "rejected"} & given.columns.keys():
        raise DataError("`columns` names chosen or rejected, and columns of another shape: give only one of these")
    if {"score", "rank"} <= given.columns.keys():
        raise DataError("`columns` has both score and rank: give one")
    for shape in SHAPES if wanted is None else [shape for shape in SHAPES if shape in wanted]:
        if (found := shape(row, columns, given)) is not None:
            if given.labels and not (isinstance(found, TwoResponses) and found.uses(given.labels)):
                raise DataError(
                    f"{row.where}: `labels` gives meanings to the values of a column that names the better of two "
                    f"responses, and no such column is read (the columns are {row.listed()}): leave `labels` out, or "
                    "name the column with `columns` better=NAME"
                )
            return found
    if wanted is not None:
        raise DataError(
            f"{row.where}: the columns ({row.listed()}) do not fit `columns` {_written(given)}: name all of "
            "a,b,better, or prompt,response,score, or prompt,responses,score"
        )
    raise missing(row, {role: columns.of[role] for role in ("prompt", "chosen", "rejected") if role in columns.of})


_LAYOUTS = (
    (frozenset({"a", "b", "better", "score_a", "score_b"}), two_responses),
    (frozenset({"responses"}), response_list),
    (frozenset({"response", "score", "rank"}), response_list, response_rows),
)
"""Roles of columns, and the recognisers of the shapes that have them."""


def _written(given: Given) -> str:
    return ",".join(f"{role}={name}" for role, name in given.columns.items())
