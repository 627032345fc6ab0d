"""Chat: a passage about things that do not exist, and a question that it answers."""

from __future__ import annotations

from typing import Any

from rmeval.benchmarks.synthetic.dice import Dice
from rmeval.benchmarks.synthetic.language import Language
from rmeval.benchmarks.synthetic.twins import Answer, Twins

__all__ = ["KINDS", "chat_twins"]

KINDS = ("value", "swap", "negation", "relation")
"""The wrong answer has a value that is not in the text, or another thing's, or says no for yes, or turns roles."""


def chat_twins(dice: Dice, language: Language, kind: str) -> Twins:
    """Two passages that differ in what is asked about."""
    if kind == "relation":
        return _relation(dice, language)
    return _facts(dice, language, kind)


def _facts(dice: Dice, language: Language, kind: str) -> Twins:
    """Two things with facts of the same sorts; the question is about one fact of the first."""
    sort = dice.choice(language.get("chat.type"))
    names = language.names(dice, 2)
    things = [language.fill(sort["it"], name=name) for name in names]
    facts = dice.sample(sort["fact"], 3)
    values = [[_value(dice, language, fact) for fact in facts] for _ in things]
    flag = dice.choice(sort["flag"])
    sayings = [[dice.choice(fact["say"]) for fact in facts] for _ in things]
    order = dice.shuffled([(thing, fact) for thing in range(2) for fact in range(3)])
    if kind == "negation":
        states = [(dice.coin(), dice.coin())] * 2
        states = [(True, states[0][1]), (False, states[0][1])]
        places = [dice.below(len(order) + 1) for _ in things]
    else:
        first, second = _distinct(dice, language, facts[0], kind)
        other = second if kind == "swap" else _value_but(dice, language, facts[0], (first, second))
        worlds = [(first, other), (second, first if kind == "swap" else other)]
    passages, tells = [], []
    for twin in range(2):
        sentences = []
        for thing, fact in order:
            value = worlds[twin][thing] if kind != "negation" and fact == 0 else values[thing][fact]
            sentences.append(language.fill(sayings[thing][fact], it=things[thing], v=value))
        if kind == "negation":
            said = [language.fill(flag["yes" if states[twin][k] else "no"], it=things[k]) for k in range(2)]
            for place, sentence in zip(places, said, strict=True):
                sentences.insert(place, sentence)
            tells.append(said[0])
        else:
            tells.append(language.fill(facts[0]["tell"], it=things[0], v=worlds[twin][0]))
        passages.append(language.join(sentences))
    asked = flag if kind == "negation" else facts[0]
    question = language.fill(asked["ask"], it=things[0])
    shared = range(3) if kind == "negation" else range(1, 3)
    support = [language.fill(facts[k]["tell"], it=things[0], v=values[0][k]) for k in shared][:2]
    prefix = ["", ""]
    if kind == "negation":
        prefix = [f"{language.get(word)}{language.get('stop')}" for word in ("yes", "no")]
    return Twins(
        kind,
        (*names, question),
        _prompts(dice, language, passages, question),
        _answers(dice, language, things[0], tells, support, prefix),
    )


def _relation(dice: Dice, language: Language) -> Twins:
    """Two people, one of whom did something to the other; the twin has them the other way round."""
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
        _answers(dice, language, x, tells, support, ["", ""]),
    )


def _prompts(dice: Dice, language: Language, passages: list[str], question: str) -> tuple[str, str]:
    template = dice.choice(language.get("chat.prompt"))
    first, second = (language.fill(template, passage=passage, question=question) for passage in passages)
    return first, second


def _answers(
    dice: Dice, language: Language, it: str, tells: list[str], support: list[str], prefix: list[str]
) -> tuple[Answer, Answer]:
    intro, closing = dice.choice(language.get("chat.intro")), dice.choice(language.get("chat.closing"))
    wording = language.get("chat.support")
    more = tuple(language.fill(text, fact=fact) for text, fact in zip(wording, support, strict=True))
    heading = language.fill(language.get("chat.heading"), it=it)
    first, second = (
        Answer(f"{start}{tell}", intro, (f"{start}{tell}", *more), language.fill(closing, tell=tell), heading)
        for tell, start in zip(tells, prefix, strict=True)
    )
    return first, second


def _value(dice: Dice, language: Language, fact: dict[str, Any]) -> str:
    """A value of a fact's sort."""
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
    """Two values that could be mistaken for each other: for numbers, often two that differ in one digit."""
    first = _value(dice, language, fact)
    if kind == "value" and first.isdecimal() and dice.coin():
        place = dice.between(max(1, len(first) - 2), len(first) - 1)
        digit = (int(first[place]) + dice.between(1, 9)) % 10
        return first, f"{first[:place]}{digit}{first[place + 1 :]}"
    return first, _value_but(dice, language, fact, (first,))
