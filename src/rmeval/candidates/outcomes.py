"""Quality of candidates: what the key or the tests of their problem find of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rmeval.build.answers import Answer
from rmeval.build.recipes.code_check import CodeCheck, Solution
from rmeval.build.tools import Tools
from rmeval.candidates.tasks import Task
from rmeval.protocols.judging.reading import without_reasoning
from rmeval.solutions.algebra import Algebra, equalities
from rmeval.solutions.final_answers import last_answer, normalised

__all__ = ["GOLD", "Draft", "Found", "Outcome", "Unclear", "draft_of", "found_of"]

Outcome = Literal[
    "right",
    "wrong",
    "no_answer",
    "syntax_error",
    "timeout",
    "memory",
    "output",
    "cut_off",
    "refused",
    "unclear",
    "unverified",
]
"""What was found of a candidate; `unclear`: it may be right; `unverified`: its tests could not run here."""
Unclear = Literal["null", "wrong"]
"""How an unclear outcome counts."""
GOLD: Mapping[Outcome, int | None] = {
    "right": 1,
    "wrong": 0,
    "no_answer": 0,
    "syntax_error": 0,
    "timeout": 0,
    "memory": 0,
    "output": 0,
    "cut_off": 0,
    "refused": 0,
    "unclear": None,
    "unverified": None,
}
"""The quality of each outcome; None where it is not known."""
_OF_TESTS: Mapping[str, Outcome] = {
    "right": "right",
    "wrong": "wrong",
    "no code": "no_answer",
    "empty function": "no_answer",
    "syntax error": "syntax_error",
    "over the limit of time": "timeout",
    "over the limit of memory": "memory",
    "over the limit of output": "output",
    "not verified": "unverified",
}
"""The outcome of each state that tests find; all others are unclear."""
_OF_KEYS: Mapping[str, Outcome] = {"equal": "right", "different": "wrong", "unclear": "unclear"}


@dataclass(frozen=True, slots=True)
class Draft:
    """A candidate before it is verified.

    Attributes:
        text: The response, without reasoning; as written if its reasoning has no end.
        ended: Whether it is complete, `cut_off` by its limit of tokens, or `refused` by the server.
        answers: Whether there is something after the reasoning, so that an answer may be in it.
    """

    text: str
    ended: Literal["complete", "cut_off", "refused"] = "complete"
    answers: bool = True

    @classmethod
    def of(cls, written: str, ended: Literal["complete", "cut_off", "refused"] = "complete") -> Draft:
        """The candidate of what a model wrote."""
        plain = without_reasoning(written)
        return cls((written if plain is None else plain).strip(), ended, plain is not None)

    @property
    def verified(self) -> str:
        """The part of the text that is verified: nothing of a reasoning that has no end."""
        return self.text if self.answers else ""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of a candidate.

    Attributes:
        outcome: What was found.
        answer: Its final answer; equal answers of a problem are the same text. None without one, and for code.
        unclear: The quality of an unclear outcome.
    """

    outcome: Outcome
    answer: str | None = None
    unclear: Literal[0] | None = None

    @property
    def gold(self) -> int | None:
        """Its quality: 1 or 0; None where it is not known."""
        return self.unclear if self.outcome == "unclear" else GOLD[self.outcome]


def draft_of(answer: Answer) -> Draft | None:
    """The candidate in the answer of a call; None if there is none."""
    if answer.status in ("error", "overlength"):
        return None
    if answer.status == "refused":
        return Draft.of(answer.text, "refused")
    return Draft.of(answer.text, "cut_off" if answer.status == "cut" else "complete")


def found_of(
    tasks: Sequence[Task],
    drafts: Sequence[Sequence[Draft]],
    algebra: Algebra | None,
    tools: Tools,
    unclear: Unclear = "null",
) -> list[list[Found]]:
    """What is found of each candidate of each task.

    Args:
        tasks: The tasks, none of them verified by `none`.
        drafts: The candidates of each.
        algebra: Processes that compare answers; needed where a key decides.
        tools: Runs code, and keeps all results.
        unclear: Whether an unclear outcome counts as wrong, or its quality is not known.

    Raises:
        RmevalError: If code cannot be run, or no process can be started.
    """
    places = [(number, place) for number, own in enumerate(drafts) for place in range(len(own))]
    by_tests = [(number, place) for number, place in places if tasks[number].by == "tests"]
    by_key = [(number, place) for number, place in places if tasks[number].by == "key"]
    found: dict[tuple[int, int], Found] = {}
    if by_tests:
        solutions = [Solution(tasks[number].problem, drafts[number][place].verified) for number, place in by_tests]
        states = CodeCheck(tools, "skip", "skip", 0).first(solutions, "tests")
        found |= {at: Found(_OF_TESTS.get(state.state, "unclear")) for at, state in zip(by_tests, states, strict=True)}
    if by_key and algebra is not None:
        texts = [(tasks[number].problem.answer, drafts[number][place].verified) for number, place in by_key]
        found |= zip(by_key, _by_keys(texts, algebra, tools), strict=True)
    every = [
        [_ended(found[number, place], draft) for place, draft in enumerate(own)] for number, own in enumerate(drafts)
    ]
    merged = every if algebra is None else _with_equal_answers(tasks, every, algebra, tools)
    return merged if unclear == "null" else [[replace(one, unclear=0) for one in own] for own in merged]


def _by_keys(texts: Sequence[tuple[str, str]], algebra: Algebra, tools: Tools) -> list[Found]:
    """What keys decide on texts."""
    answers = [last_answer(text) for _, text in texts]
    pairs = [(key, answer) for (key, _), answer in zip(texts, answers, strict=True) if answer is not None]
    equal = iter(equalities(pairs, algebra, tools, "final answers"))
    return [
        Found("no_answer") if answer is None else Found(_OF_KEYS[next(equal)], normalised(answer) or None)
        for answer in answers
    ]


def _ended(found: Found, draft: Draft) -> Found:
    """A candidate that is not right since it was cut off or refused has that as its outcome."""
    if draft.ended == "complete" or found.gold != 0:
        return found
    return replace(found, outcome=draft.ended)


def _with_equal_answers(
    tasks: Sequence[Task], found: Sequence[Sequence[Found]], algebra: Algebra, tools: Tools
) -> list[list[Found]]:
    """Write equal answers of a problem as the same text: the key, or the first of them.

    Only answers with the same quality are merged, so that no chain of answers leads from a wrong one to the key.
    """
    groups = [(number, gold) for number, task in enumerate(tasks) if task.by == "key" for gold in (0, None)]
    distinct = {
        (number, gold): list(dict.fromkeys(one.answer for one in found[number] if one.answer and one.gold == gold))
        for number, gold in groups
    }
    pairs = [
        (at, first, second) for at, own in distinct.items() for place, second in enumerate(own) for first in own[:place]
    ]
    equal = equalities([(first, second) for _, first, second in pairs], algebra, tools, "equal answers")
    leaders: dict[tuple[int, int | None], dict[str, str]] = {at: {} for at in distinct}
    for (at, first, second), result in zip(pairs, equal, strict=True):
        if result == "equal":
            leaders[at].setdefault(second, leaders[at].get(first, first))
    return [
        [replace(one, answer=_spelt(one, task, number, leaders)) for one in own]
        for number, (task, own) in enumerate(zip(tasks, found, strict=True))
    ]


def _spelt(
    found: Found, task: Task, number: int, leaders: Mapping[tuple[int, int | None], Mapping[str, str]]
) -> str | None:
    """How an answer is written."""
    if found.answer is None or task.by != "key":
        return found.answer
    if found.outcome == "right":
        return normalised(task.problem.answer)
    return leaders[number, found.gold].get(found.answer, found.answer)
