"""Checks of cards of judges' protocols: what does not fit together, and what a prompt does not show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from rmeval.errors import RmevalError, reason_of
from rmeval.protocols.judging.card import MOST, JudgeCard, compiled
from rmeval.protocols.judging.material import template_values
from rmeval.protocols.judging.templates import rendered
from rmeval.types import Message, Request

__all__ = ["check_card", "check_prompt"]

Wrong = Callable[[str], RmevalError]
_NAME = re.compile(r"[\w./-]+@[1-9][0-9]*")


def check_card(card: JudgeCard, wrong: Wrong) -> None:
    """Check that the fields of a card fit together.

    Args:
        card: The card.
        wrong: Makes the error from what is wrong.

    Raises:
        RmevalError: If they do not.
    """
    for why in (*_wrong_names(card), *_wrong_labels(card), *_wrong_reading(card)):
        raise wrong(why)
    for label in _written_labels(card) if card.verdict and card.reads == "text" else ():
        _check_found(card, label, wrong)


def _wrong_names(card: JudgeCard) -> Iterator[str]:
    if not _NAME.fullmatch(card.name) or card.name.endswith(".toml"):
        yield f"has the name {card.name!r}: give a name with a version, such as mine@1"
    if card.roles:
        yield from _wrong_roles(card)
    elif not card.prompt.strip():
        yield "has an empty prompt: write one"
    for name in ("strengths", "descriptions"):
        if unknown := set(getattr(card, name)) - set(card.names(MOST)):
            yield f"has {name} for {sorted(unknown)[0]!r}, which is not among its labels: correct it"


def _wrong_roles(card: JudgeCard) -> Iterator[str]:
    if card.kind != "pair" or card.reads == "decision" or len(card.roles) != 2 or not all(card.roles):
        yield "has roles, which are two for a judge of pairs: give them, or leave roles out"
    if card.prompt.strip():
        yield "has roles and a prompt: leave one out"


def _wrong_labels(card: JudgeCard) -> Iterator[str]:
    values = list(card.labels.values())
    if card.kind in ("best", "rate-all") and values:
        yield f"has labels, but those of the kind {card.kind} follow from the number of responses: leave them out"
    elif card.kind == "pair" and not values:
        yield "has no labels: give each label and the probability that the first response is better, such as A = 1.0"
    elif card.kind == "pair" and not (min(values) < 0.5 < max(values) and all(0 <= value <= 1 for value in values)):
        yield "needs labels from 0 to 1, for the second response and for the first: correct the table labels"
    elif card.kind == "rate" and card.reads != "text" and len(set(values)) < 2:
        yield 'has no labels: give each label and its rating, such as "1" = 1'
    elif any(not label.strip() for label in card.labels):
        yield "has an empty label: give each label a text"


def _wrong_reading(card: JudgeCard) -> Iterator[str]:
    if card.reads != "text":
        yield from _wrong_probabilities(card)
        return
    if card.kind in ("rate", "rate-all") and card.scale is None:
        yield "has no scale: give the lowest and the highest rating, such as scale = [1, 10]"
    if card.kind == "rate-all" and not (card.json_field or card.find):
        yield "does not state how ratings are read: give json_field, the key of the ratings in JSON, or find"
    if card.schema is not None and not card.json_field:
        yield "has a schema, but no json_field: give the key of the verdict in the JSON that the judge writes"
    if card.json_field and (card.find or card.verdict):
        yield f"has json_field and {'find' if card.find else 'verdict'}: leave one out"
    yield from _wrong_pattern(card)


def _wrong_probabilities(card: JudgeCard) -> Iterator[str]:
    if card.kind == "rate-all":
        yield f"reads {card.reads}, which rate one response at a time: choose the kind rate"
    if card.reads == "decision" and not card.question.strip():
        yield "has no question: write the question for the decision API"
    for name in ("find", "verdict", "json_field", "schema"):
        if getattr(card, name):
            yield f"has {name}, which is for texts: leave it out, or give reads = 'text'"


def _wrong_pattern(card: JudgeCard) -> Iterator[str]:
    if card.find:
        try:
            groups = compiled(card.find).groups
        except re.error as error:
            yield f"has the regular expression {card.find!r} as find, which is wrong ({reason_of(error)}): correct it"
            return
        if not groups:
            yield f"has {card.find!r} as find, which has no group: put what matches the label in parentheses"
        if not card.verdict:
            yield 'has find, but no verdict: show how an output states a label, such as verdict = "[[{label}]]"'
    if card.verdict and card.verdict.count("{label}") != 1:
        yield f"has {card.verdict!r} as verdict: give a text with one {{label}}, such as [[{{label}}]]"
    if card.kind in ("pair", "best") and not (card.verdict or card.json_field):
        yield 'does not state how a verdict is read: give verdict, such as "[[{label}]]", or json_field'


def _written_labels(card: JudgeCard) -> tuple[str, ...]:
    if card.kind == "rate":
        assert card.scale is not None
        return tuple(f"{number:g}" for number in card.scale)
    return card.names(4)


def _check_found(card: JudgeCard, label: str, wrong: Wrong) -> None:
    assert card.pattern is not None
    found = card.pattern.search(written := card.written(label))
    if found is None or (found[1] or "").strip() != label:
        what = "nothing" if found is None else repr(found[1])
        raise wrong(f"does not find the label {label!r} in {written!r} (find matches {what}): correct find or verdict")


def check_prompt(card: JudgeCard, wrong: Wrong) -> None:
    """Render a card's templates with an example, and check that they show the conversation and each response.

    Args:
        card: The card.
        wrong: Makes the error from what is wrong.

    Raises:
        RmevalError: If a template is wrong, uses a variable that does not exist, or leaves something out.
    """
    from jinja2 import TemplateError

    count = {"pair": 2, "rate": 1}.get(card.kind, 3)
    texts = tuple(f"response-{number}-of-the-example" for number in range(count))
    question = "question-of-the-example"
    request = Request("", "", tuple(range(count)), (Message("user", question),), texts)
    values, shown = template_values(request, card), ""
    if own := set(card.variables) & set(template_values(request, replace(card, variables={}))):
        raise wrong(f"has the variable {sorted(own)[0]!r}, which templates get anyway: choose another name")
    for name in ("system", "prompt", "question"):
        try:
            shown += rendered(getattr(card, name), values)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise wrong(f"has a template as {name} that cannot be rendered ({reason_of(error)}): correct it") from error
    if card.roles:
        return
    if question not in shown:
        raise wrong("has a prompt that does not show the conversation: add {{ conversation }}")
    for number, text in enumerate(texts):
        if text not in shown:
            raise wrong(f"has a prompt that does not show response {number + 1}: add {{{{ blocks[{number}] }}}}")
