"""Chat: a correct answer, and the same answer with one injected factual error."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import Field

from rmeval.build import config
from rmeval.build.closed import Question, closed_verdicts, joint_checks
from rmeval.build.recipes.injection import InjectionOptions, injected
from rmeval.build.records import Candidate, Change, Check, CheckStatus, Dropped, Problem, Record
from rmeval.build.rounds import Failed, Written, confirmed, first_found, write
from rmeval.build.stage import REWRITERS, PlannedCalls
from rmeval.build.tools import Ask, Tools

__all__ = ["ChatRecipe"]

CORRECT = {"reason": (), "verdict": ("correct", "incorrect", "unsure")}
COMPARED = {
    "statement": (),
    "correction": (),
    "difference": ("fact", "wording", "opinion"),
    "wrong": ("1", "2", "both", "neither"),
}
KEPT = {"quote": (), "verdict": ("stated", "not stated")}
_ANSWER_TOKENS, _INJECTION_TOKENS, _VERDICT_TOKENS = 250, 60, 80
"""Estimates for `--dry-run`."""
_PROMPT_TOKENS = 700


class ChatOptions(InjectionOptions):
    """Options of `chat`.

    Attributes:
        attempts: Number of answers that are tried, of injections into an answer, and of calls for one verdict.
        temperature: Temperature of answers and injections.
        votes: Number of verdicts of the judge on each text, which must agree; of two, each has another order.
    """

    attempts: int = Field(default=3, ge=1)
    temperature: float = Field(default=0.8, ge=0)
    votes: int = Field(default=2, ge=1)


class ChatRecipe:
    """Writes a correct answer, and injects one error into it; a judge must find both."""

    Options: type[config.Options] = ChatOptions
    roles: tuple[config.Role, ...] = ("writer", "judge")
    rewriters = REWRITERS

    def respond(self, records: Sequence[Record], options: Any, tools: Tools) -> Iterable[Record | Dropped]:
        """Yield each record with a correct answer and the answer with an error."""
        problems = {record.key: record.problem for record in records}

        def answers(keys: Sequence[str], attempt: int) -> Mapping[str, Candidate | Failed]:
            return self._answers([problems[key] for key in keys], attempt, options, tools)

        chosen, failed = first_found(list(problems), options.attempts, answers)
        yield from (Dropped(key, "no correct answer", str(one)) for key, one in failed.items())

        def injections(keys: Sequence[str], attempt: int) -> Mapping[str, Candidate | Failed]:
            return self._injections([(problems[key], chosen[key]) for key in keys], attempt, options, tools)

        rejected, failed = first_found(list(chosen), options.attempts, injections)
        yield from (Dropped(key, "no minimal error", str(one)) for key, one in failed.items())
        yield from (Record(problems[key], (chosen[key], one)) for key, one in rejected.items())

    def _answers(
        self, problems: Sequence[Problem], attempt: int, options: ChatOptions, tools: Tools
    ) -> dict[str, Candidate | Failed]:
        """One answer to each problem, or why it is not a correct one."""
        prompt = tools.prompts.get("chat/answer")
        asks = [Ask("writer", prompt, _values(problem), attempt, options.temperature) for problem in problems]
        found: dict[str, Candidate | Failed] = {}
        written: list[tuple[Problem, Candidate]] = []
        for problem, one in zip(problems, write(asks, tools, "chat: answers"), strict=True):
            if isinstance(one, Failed):
                found[problem.key] = one
            else:
                written.append((problem, one.candidate("chosen-0", "chosen")))
        checks = self.check(written, options, tools)
        return found | {
            problem.key: confirmed(candidate.with_checks(*own))
            for (problem, candidate), own in zip(written, checks, strict=True)
        }

    def _injections(
        self, pairs: Sequence[tuple[Problem, Candidate]], attempt: int, options: ChatOptions, tools: Tools
    ) -> dict[str, Candidate | Failed]:
        """One error in each answer, or why it is not a minimal error of fact."""
        prompt = tools.prompts.get("chat/inject")
        asks = [
            Ask("writer", prompt, {**_values(problem), "answer": chosen.text}, attempt, options.temperature)
            for problem, chosen in pairs
        ]
        found: dict[str, Candidate | Failed] = {}
        changed: list[tuple[Problem, Candidate, Candidate]] = []
        for (problem, chosen), one in zip(pairs, write(asks, tools, "chat: errors"), strict=True):
            rejected = one if isinstance(one, Failed) else _rejected(chosen, one, options)
            if isinstance(rejected, Failed):
                found[problem.key] = rejected
            else:
                changed.append((problem, chosen, rejected))
        checks = self._compared(changed, options, tools)
        return found | {
            problem.key: confirmed(rejected.with_checks(check))
            for (problem, _, rejected), check in zip(changed, checks, strict=True)
        }

    def _compared(
        self, pairs: Sequence[tuple[Problem, Candidate, Candidate]], options: ChatOptions, tools: Tools
    ) -> list[Check]:
        """Whether the judge finds the error, without knowing which response contains it."""
        firsts = [_chosen_first(problem, vote, tools) for problem, _, _ in pairs for vote in range(options.votes)]
        questions = [
            Question(
                "chat/compare",
                {
                    **_values(problem),
                    "response_1": (chosen if firsts[place * options.votes + vote] else rejected).text,
                    "response_2": (rejected if firsts[place * options.votes + vote] else chosen).text,
                },
                COMPARED,
                vote,
            )
            for place, (problem, chosen, rejected) in enumerate(pairs)
            for vote in range(options.votes)
        ]
        found = closed_verdicts(questions, options.attempts, tools, "chat: comparisons")
        votes = [_compared_vote(first, verdict) for first, verdict in zip(firsts, found, strict=True)]
        return joint_checks(votes, options.votes, tools)

    def check(self, texts: Sequence[tuple[Problem, Candidate]], options: Any, tools: Tools) -> list[tuple[Check, ...]]:
        """Let the judge verify whether a chosen text is correct, and whether a rejected one still states its error."""
        questions = [
            _kept(problem, candidate, vote) if candidate.side == "rejected" else _correct(problem, candidate, vote)
            for problem, candidate in texts
            for vote in range(options.votes)
        ]
        found = closed_verdicts(questions, options.attempts, tools, "chat: checks")
        return [(check,) for check in joint_checks([_vote(verdict) for verdict in found], options.votes, tools)]

    def substance(self, text: str) -> None:
        """Nothing: the judge decides."""
        return

    def planned(self, records: Sequence[Record], options: Any) -> list[PlannedCalls]:
        """An answer, an injection, and the judge's verdicts on both."""
        count = len(records)
        size = sum(len(record.problem.prompt) for record in records) // 4
        most = options.attempts * count
        verdicts = 2 * options.votes * count
        read = 2 * size + count * (_PROMPT_TOKENS + _ANSWER_TOKENS)
        judged = 2 * options.votes * (size + count * 2 * _ANSWER_TOKENS)
        return [
            PlannedCalls("writer", 2 * count, 2 * most, read, count * (_ANSWER_TOKENS + _INJECTION_TOKENS)),
            PlannedCalls("judge", verdicts, verdicts * options.attempts**2, judged, verdicts * _VERDICT_TOKENS),
        ]

    def planned_checks(self, texts: int, options: Any) -> list[PlannedCalls]:
        """The judge's verdicts on each text."""
        count = texts * options.votes
        return [
            PlannedCalls("judge", count, count * options.attempts, count * 2 * _ANSWER_TOKENS, count * _VERDICT_TOKENS)
        ]


def _values(problem: Problem) -> dict[str, Any]:
    return {"problem": problem.prompt, "language": problem.language}


def _rejected(chosen: Candidate, written: Written, options: ChatOptions) -> Candidate | Failed:
    found = injected(chosen.text, written.text, options)
    if isinstance(found, Failed):
        return found
    candidate = written.candidate("rejected-0", "rejected", found.text)
    check = Check("diff", "pass", f"{found.changes.changed} of {found.changes.words} words changed")
    return replace(candidate, parent=chosen.id, change=found.change, checks=(check,))


def _chosen_first(problem: Problem, vote: int, tools: Tools) -> bool:
    """Whether the judge reads the chosen text first: drawn, and the other way round in the next vote."""
    return (random.Random(f"{tools.config.seed} {problem.key} order").random() < 0.5) == (vote % 2 == 0)


def _compared_vote(chosen_first: bool, verdict: Mapping[str, str] | None) -> tuple[CheckStatus, str]:
    if verdict is None:
        return "unsure", "the judge gave no verdict"
    if verdict["difference"] != "fact":
        return "fail", f"the judge found a difference of {verdict['difference']}"
    if verdict["wrong"] == ("2" if chosen_first else "1"):
        return "pass", _shown(verdict["statement"])
    named = {"both": "both responses", "neither": "no response"}.get(verdict["wrong"], "the response without the error")
    return "fail", f"the judge found {named} wrong"


def _correct(problem: Problem, candidate: Candidate, vote: int) -> Question:
    return Question("chat/correct", {**_values(problem), "response": candidate.text}, CORRECT, vote)


def _kept(problem: Problem, candidate: Candidate, vote: int) -> Question:
    change = candidate.change or Change("", "")
    values = {"before": change.before, "after": change.after, "about": change.about, "response": candidate.text}
    return Question("chat/error_kept", {**_values(problem), **values}, KEPT, vote)


def _vote(verdict: Mapping[str, str] | None) -> tuple[CheckStatus, str]:
    if verdict is None:
        return "unsure", "the judge gave no verdict"
    status: CheckStatus = {"correct": "pass", "stated": "pass", "unsure": "unsure"}.get(verdict["verdict"], "fail")  # type: ignore[assignment]
    said = verdict.get("reason") or verdict.get("quote") or ""
    return status, f"{verdict['verdict']}: {_shown(said)}" if said else verdict["verdict"]


def _shown(text: str) -> str:
    """A judge's words in one line."""
    return " ".join(text.split())[:300]
