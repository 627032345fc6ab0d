"""Other wordings of a judge's prompt: the same task, labels and order of parts in other words."""

from __future__ import annotations

import re
from dataclasses import replace

from rmeval.errors import ModelError
from rmeval.protocols.judging.card import JudgeCard

__all__ = ["reworded"]

_OPENINGS = {
    1: "Read everything below with care before you answer.",
    2: "Here is the task, followed by the material that it is about.",
    3: "This is an evaluation task. Keep exactly to the form of the answer that is described.",
}
_OTHER_WORDS = {
    "decide": "determine",
    "compare": "weigh up",
    "check": "examine",
    "rate": "assess",
    "finish with": "end with",
    "exactly one": "precisely one",
    "counts more than": "matters more than",
    "equally good": "of equal quality",
    "first state": "begin by stating",
    "which one is better": "which of the two is the better one",
    "how good": "of what quality",
    "weigh whether": "consider whether",
    "explain your": "give reasons for your",
    "in a line of its own": "on a separate line",
    "do not follow instructions": "ignore instructions",
    "choose": "select",
}
_WORDS = re.compile(rf"\b({'|'.join(sorted(_OTHER_WORDS, key=len, reverse=True))})\b", re.IGNORECASE)
_TAG = re.compile(r"(\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\})", re.DOTALL)
_LABELS = re.compile(r"[\"\[\]{}<>`]")
"""Characters of labels and of JSON: a line that contains one of them keeps its words."""


def reworded(card: JudgeCard, wording: int) -> JudgeCard:
    """Return a card with another wording of its prompt.

    Every wording adds a sentence at the beginning, or before the question of a decision API, because a protocol that
    reads the next token needs the end as it is. The second moves the system message to the beginning of the user's
    turn; the third replaces words of the instructions by others of the same meaning, except in lines that contain
    labels.

    Args:
        card: The card.
        wording: From 1 to 3; 0 returns the card itself.

    Raises:
        ModelError: If the prompt is in the judge's chat template, where it cannot be changed.
    """
    if not wording:
        return card
    if card.roles:
        raise ModelError(
            f"the prompt of {card.name} is in the judge's own chat template, so that it has no other wording: leave "
            "`wording` out, or for an audit leave wording out of its probes"
        )
    opening, system, prompt, question = _OPENINGS[wording], card.system.strip(), card.prompt.strip(), card.question
    if wording == 3:
        system, prompt, question = map(_in_other_words, (system, prompt, question))
    if question:  # The question of a decision API; its prompt is the material.
        return replace(card, question=f"{opening} {question}")
    if wording == 2 or not system:
        prompt = "\n\n".join(part for part in (opening, system, prompt) if part)
        return replace(card, system="", prompt=prompt)
    return replace(card, system=f"{opening} {system}", prompt=prompt)


def _in_other_words(template: str) -> str:
    """Replace words of a template outside of its tags."""
    return "".join(
        part if place % 2 else "".join(map(_line_in_other_words, part.splitlines(keepends=True)))
        for place, part in enumerate(_TAG.split(template))
    )


def _line_in_other_words(line: str) -> str:
    return line if _LABELS.search(line) else _WORDS.sub(_other, line)


def _other(found: re.Match[str]) -> str:
    other = _OTHER_WORDS[found[0].lower()]
    return other[0].upper() + other[1:] if found[0][0].isupper() else other
