"""Closed questions: a judge answers in JSON, with one of a few values in each field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rmeval.build.records import Check, CheckStatus
from rmeval.build.texts import response_text, verdicts_in
from rmeval.build.tools import Ask, Tools

__all__ = ["Question", "closed_verdicts", "joint_checks"]

_AGAIN = 0.7
"""Temperature of a question that is sent again, since a judge without randomness repeats itself."""


@dataclass(frozen=True, slots=True)
class Question:
    """A closed question.

    Attributes:
        prompt: Name of its prompt file.
        values: The variables of its template.
        labels: The values that each field of the verdict may have, in lower case; none for a field of free text.
        vote: Number of the vote, from 0: equal questions with different votes are different calls.
    """

    prompt: str
    values: Mapping[str, Any]
    labels: Mapping[str, tuple[str, ...]]
    vote: int = 0

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of the verdict."""
        fields = {
            name: {"type": "string", "enum": list(values)} if values else {"type": "string"}
            for name, values in self.labels.items()
        }
        return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def closed_verdicts(
    questions: Sequence[Question], attempts: int, tools: Tools, what: str
) -> list[dict[str, str] | None]:
    """Send questions to the judge, and again those without a verdict.

    Args:
        questions: The questions.
        attempts: Number of times that a question is sent until there is a verdict.
        tools: Calls the judge.
        what: What is done, for the progress bar.

    Returns:
        The fields of each verdict; None if no attempt gave one.
    """
    found: list[dict[str, str] | None] = [None] * len(questions)
    for attempt in range(attempts):
        still = [place for place, one in enumerate(found) if one is None]
        if not still:
            break
        asks = [_ask(questions[place], attempt, attempts, tools) for place in still]
        for place, answer in zip(still, tools.ask(asks, what), strict=True):
            text = response_text(answer)
            shown = [value for value in questions[place].values.values() if isinstance(value, str)]
            found[place] = None if text is None else verdicts_in(text, questions[place].labels, shown)
    return found


def _ask(question: Question, attempt: int, attempts: int, tools: Tools) -> Ask:
    sample = question.vote * attempts + attempt
    return Ask(
        "judge",
        tools.prompts.get(question.prompt),
        question.values,
        sample,
        _AGAIN if sample else 0.0,
        schema=question.schema,
    )


def joint_checks(votes: Sequence[tuple[CheckStatus, str]], count: int, tools: Tools) -> list[Check]:
    """One check of the judge for each text: it passes if all votes do, and fails if one does.

    Args:
        votes: Status and detail of each vote, those of one text together.
        count: Number of votes on each text.
        tools: Knows the judge's name.
    """
    by, order = f"judge:{tools.name_of('judge')}", ("fail", "unsure", "pass")
    texts = [votes[place : place + count] for place in range(0, len(votes), count)]
    worst = [min(own, key=lambda one: order.index(one[0])) for own in texts]
    return [Check(by, *one) for one in worst]
