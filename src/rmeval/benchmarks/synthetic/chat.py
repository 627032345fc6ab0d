"""Chat: a passage about fictional things, and a question about it."""

from __future__ import annotations

from typing import Any

from rmeval.benchmarks.synthetic.dice import Dice
from rmeval.benchmarks.synthetic.language import Language
from rmeval.benchmarks.synthetic.twins import Content, Twins

__all__ = ["KINDS", "chat_twins"]

KINDS = ("value", "swap", "negation", "relation")
"""Kinds of twins: a third thing's value, a swapped value, no instead of yes, or swapped roles in the wrong response."""


def chat_twins(dice: Dice, language: Language, kind: str) -> Twins:
    """Draw two passages that differ in the facts of the question."""
    if kind == "relation":
        return _relation(dice, language)
    return _facts(dice, language, kind)


def _facts(dice: Dice, language: Language, kind: str) -> Twins:
    """Draw things with facts of the same kinds, and a question about one fact of the first thing.

    Both passages contain every possible value, for one thing or another, so looking for a response's words in the
    passage does not help.
    """
    sort = dice.choice(language.get("chat.type"))
    names = language.names(dice, 3 if kind == "value" else 2)
    things = [language.fill(sort["it"], name=name) for name in names]
    facts = dice.sample(sort["fact"], 3)
    # The stated facts of each thing: all three, or two if there are three things.
    told = [(thing, fact) for thing in range(len(things)) for fact in range(3 if thing == 0 or kind != "value" else 2)]
    values = {place: _value(dice, language, facts[place[1]]) for place in told}
    sayings = {place: dice.choice(facts[place[1]]["say"]) for place in told}
    worlds = [values, values]
    if kind != "negation":
        first, second = _distinct(dice, language, facts[0], kind)
        others = {(1, 0): first, (2, 0): second}
        worlds = [
            values | ({(0, 0): own, (1, 0): other} if kind == "swap" else {(0, 0): own, **others})
            for own, other in ((first, second), (second, first))
        ]
    flag = dice.choice(sort["flag"])
    order, places = dice.shuffled(told), [dice.below(len(told) + 1) for _ in range(2)]
    passages, tells = [], []
    for twin, world in enumerate(worlds):
        said = [language.fill(sayings[place], it=things[place[0]], v=world[place]) for place in order]
        if kind == "negation":
            flags = [language.fill(flag[("yes", "no")[(twin + k) % 2]], it=things[k]) for k in range(2)]
            for place, sentence in zip(places, flags, strict=True):
                said.insert(place, sentence)
            tells.append(flags[0])
        else:
            tells.append(language.fill(facts[0]["tell"], it=things[0], v=world[0, 0]))
        passages.append(language.join(said))
    question = language.fill((flag if kind == "negation" else facts[0])["ask"], it=things[0])
    support = [language.fill(facts[k]["tell"], it=things[0], v=values[0, k]) for k in (1, 2)]
    prefix = ["", ""]
    if kind == "negation":
        prefix = [f"{language.get(word)}{language.get('stop')}" for word in ("yes", "no")]
    return Twins(
        kind,
        (*names, question),
        _prompts(dice, language, passages, question),
        _contents(dice, language, things[0], tells, support, prefix),
    )


def _relation(dice: Dice, language: Language) -> Twins:
    """Draw two people, one of whom did something to the other; the twin swaps them."""
    relation = dice.choice(language.get("chat.relation"))
    people = [language.person(dice), language.person(dice)]
    sort = dice.choice(language.get("chat.type"))
    thing = language.fill(sort["it"], name=language.name(dice))
    facts = dice.sample(sort["fact"], 2)
    values = [_value(dice, language, fact) for fact in facts]
    others = [
        language.fill(dice.choice(fact["say"]), it=thing, v=value) for fact, value in zip(facts, values, strict=True)
    ]
    place = dice.below(3)
    passages, tells = [], []
    for a, b in (people, people[::-1]):
        sentences = [*others]
        sentences.insert(place, language.fill(dice.choice(relation["say"]), a=a, b=b))
        passages.append(language.join(sentences))
        tells.append(language.fill(relation["tell"], a=a, b=b))
    x, y = dice.shuffled(people)
    question = language.fill(relation["ask"], x=x, y=y)
    support = [language.fill(fact["tell"], it=thing, v=value) for fact, value in zip(facts, values, strict=True)]
    return Twins(
        "relation",
        (*people, question),
        _prompts(dice, language, passages, question),
        _contents(dice, language, x, tells, support, ["", ""]),
    )


def _prompts(dice: Dice, language: Language, passages: list[str], question: str) -> tuple[str, str]:
    template = dice.choice(language.get("chat.prompt"))
    first, second = (language.fill(template, passage=passage, question=question) for passage in passages)
    return first, second


def _contents(
    dice: Dice, language: Language, it: str, tells: list[str], support: list[str], prefix: list[str]
) -> tuple[Content, Content]:
    intro, closing = dice.choice(language.get("chat.intro")), dice.choice(language.get("chat.closing"))
    wording = language.get("chat.support")
    more = tuple(language.fill(text, fact=fact) for text, fact in zip(wording, support, strict=True))
    heading = language.fill(language.get("chat.heading"), it=it)
    first, second = (
        Content(f"{start}{tell}", intro, (f"{start}{tell}", *more), language.fill(closing, tell=tell), heading)
        for tell, start in zip(tells, prefix, strict=True)
    )
    return first, second


def _value(dice: Dice, language: Language, fact: dict[str, Any]) -> str:
    """Draw a value for a kind of fact."""
    sort = fact["value"]
    if sort == "year":
        return str(dice.between(1611, 1989))
    if sort == "number":
        return str(dice.between(fact["low"], fact["high"]))
    if sort == "person":
        return language.person(dice)
    value: str = dice.choice(language.get(f"lists.{sort}"))
    return value


def _value_but(dice: Dice, language: Language, fact: dict[str, Any], taken: tuple[str, ...]) -> str:
    while (value := _value(dice, language, fact)) in taken:
        pass
    return value


def _distinct(dice: Dice, language: Language, fact: dict[str, Any], kind: str) -> tuple[str, str]:
    """Draw two similar values: for numbers, often two that differ in one digit."""
    first = _value(dice, language, fact)
    if kind == "value" and first.isdecimal() and dice.coin():
        place = dice.between(max(1, len(first) - 2), len(first) - 1)
        digit = (int(first[place]) + dice.between(1, 9)) % 10
        return first, f"{first[:place]}{digit}{first[place + 1 :]}"
    return first, _value_but(dice, language, fact, (first,))
