"""Math twins: problems of several steps; the wrong solution continues from one slip and is right for the twin."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rmeval.benchmarks.synthetic.dice import Dice
from rmeval.benchmarks.synthetic.language import Language
from rmeval.benchmarks.synthetic.twins import Content, Twins

__all__ = ["KINDS", "math_twins"]

Working = tuple[Sequence[str], int]
"""The sentences of a solution, and its result."""

PLUS_MINUS = {1: "+", -1: "-"}


def math_twins(dice: Dice, language: Language, kind: str) -> Twins:
    """Draw two problems whose solutions differ from some step onwards."""
    return KINDS[kind](dice, language)


def _twins(
    dice: Dice,
    language: Language,
    kind: str,
    key: tuple[object, ...],
    prompts: Sequence[str],
    workings: Sequence[Working],
) -> Twins:
    intro, closing = dice.choice(language.get("math.intro")), dice.choice(language.get("math.closing"))
    first, second = (
        Content(
            language.fill(language.get("math.concise"), steps=language.join(steps), result=result),
            intro,
            tuple(steps),
            language.fill(closing, result=result),
            language.get("math.heading"),
        )
        for steps, result in workings
    )
    return Twins(kind, key, (prompts[0], prompts[1]), (first, second))


def _thing(dice: Dice, language: Language) -> str:
    thing: str = dice.choice(language.get("lists.thing"))
    return thing


def _ledger(dice: Dice, language: Language) -> Twins:
    """Slip: gains and losses are swapped."""
    who, thing, a = language.name(dice), _thing(dice, language), dice.between(60, 180)
    every = language.get("lists.day")
    days = sorted(dice.sample(every, 3), key=every.index)
    amounts = [dice.between(3, 19) for _ in days]
    signs = [dice.choice((1, -1)) for _ in days]
    turned = dice.below(3)
    template = dice.choice(language.get("math.ledger.prompt"))
    phrases = {sign: dice.sample(language.get(f"math.ledger.{name}"), 3) for sign, name in ((1, "gain"), (-1, "lose"))}
    prompts, workings = [], []
    for flip in (1, -1):
        own = [sign * flip if k == turned else sign for k, sign in enumerate(signs)]
        events = [
            language.fill(phrases[sign][k], who=who, day=day, n=n)
            for k, (sign, day, n) in enumerate(zip(own, days, amounts, strict=True))
        ]
        prompts.append(language.fill(template, who=who, a=a, thing=thing, events=language.join(events)))
        steps, left = [], a
        for sign, day, n in zip(own, days, amounts, strict=True):
            right = left + sign * n
            step = language.get("math.ledger.step")
            steps.append(language.fill(step, day=day, left=left, op=PLUS_MINUS[sign], n=n, right=right))
            left = right
        workings.append((steps, left))
    return _twins(dice, language, "ledger", (a, *amounts), prompts, workings)


def _compare(dice: Dice, language: Language) -> Twins:
    """Slip: "fewer than" is read as "more than", or the other way round."""
    names = language.names(dice, 3)
    thing, a, b, k = _thing(dice, language), dice.between(21, 90), dice.between(3, 18), dice.between(2, 6)
    template = dice.choice(language.get("math.compare.prompt"))
    slots = {"w1": names[0], "w2": names[1], "w3": names[2], "thing": thing, "a": a, "b": b, "k": k}
    prompts, workings = [], []
    for sign, word in ((1, "more"), (-1, "fewer")):
        turn = language.draw(dice, f"math.compare.{word}")
        prompts.append(language.fill(template, turn=turn, **slots))
        r1 = a + sign * b
        found = {"op": PLUS_MINUS[sign], "r1": r1, "r2": k * r1, "r3": a + r1 + k * r1}
        steps = [language.fill(step, **slots, **found) for step in language.get("math.compare.steps")]
        workings.append((steps, a + r1 + k * r1))
    return _twins(dice, language, "compare", (a, b, k), prompts, workings)


def _order(dice: Dice, language: Language) -> Twins:
    """Slip: the two operations are done in the wrong order."""
    slots = {"a": dice.between(5, 40), "b": dice.between(3, 30), "c": dice.between(2, 9), "d": dice.between(1, 9)}
    a, b, c, d = slots.values()
    who, variant = language.name(dice), dice.below(2)
    template = language.get("math.order.prompt")[variant]
    prompts, workings = [], []
    for word, short, r1, r2 in (("add_first", "add", a + b, (a + b) * c), ("times_first", "times", a * c, a * c + b)):
        turn = language.fill(language.get(f"math.order.{word}")[variant], **slots)
        prompts.append(language.fill(template, who=who, turn=turn, **slots))
        wording = language.get(f"math.order.steps_{short}")
        workings.append(([language.fill(step, r1=r1, r2=r2, r3=r2 - d, **slots) for step in wording], r2 - d))
    return _twins(dice, language, "order", (a, b, c, d), prompts, workings)


def _linear(dice: Dice, language: Language) -> Twins:
    """Slip: a term changes sides and keeps its sign."""
    p = dice.between(2, 9)
    q, t = p * dice.between(1, 6), dice.between(2, 30)
    r = q + p * dice.between(2, 20)
    template = dice.choice(language.get("math.linear.prompt"))
    prompts, workings = [], []
    for sign in (1, -1):
        s = r - sign * q
        slots = {"p": p, "q": q, "r": r, "t": t, "s": s, "x": s // p, "result": s // p + t, "op": PLUS_MINUS[-sign]}
        prompts.append(language.fill(template, sign=PLUS_MINUS[sign], **slots))
        workings.append(([language.fill(step, **slots) for step in language.get("math.linear.steps")], s // p + t))
    return _twins(dice, language, "linear", (p, q, r, t), prompts, workings)


def _brackets(dice: Dice, language: Language) -> Twins:
    """Slip: a factor before brackets is applied to the first term only, or the other way round."""
    p = dice.between(2, 9)
    q, t = p * dice.between(1, 6), dice.between(2, 30)
    r = p * (q + dice.between(2, 20))
    variant, slots = dice.below(2), {"p": p, "q": q, "r": r, "t": t}
    prompts, workings = [], []
    for word, s, x in (("inside", r // p, r // p - q), ("outside", r - q, (r - q) // p)):
        prompts.append(language.fill(language.get(f"math.brackets.{word}")[variant], **slots))
        steps = language.get(f"math.brackets.steps_{word}")
        workings.append(([language.fill(step, s=s, x=x, result=x + t, **slots) for step in steps], x + t))
    return _twins(dice, language, "brackets", (p, q, r, t), prompts, workings)


def _percent(dice: Dice, language: Language) -> Twins:
    """Slip: a rise and a fall are swapped."""
    a, p, c = 20 * dice.between(2, 40), 5 * dice.between(1, 12), dice.between(2, 19)
    b = a * p // 100
    variant = dice.below(2)
    template = language.get("math.percent.prompt")[variant]
    prompts, workings = [], []
    for sign, word in ((1, "more"), (-1, "fewer")):
        r1 = a + sign * b
        slots = {"a": a, "p": p, "c": c, "b": b, "op": PLUS_MINUS[sign], "r1": r1, "r2": r1 + c}
        prompts.append(language.fill(template, turn=language.get(f"math.percent.{word}")[variant], **slots))
        workings.append(([language.fill(step, **slots) for step in language.get("math.percent.steps")], r1 + c))
    return _twins(dice, language, "percent", (a, p, c), prompts, workings)


def _count(dice: Dice, language: Language) -> Twins:
    """Slip: one page too many or too few."""
    a, n, c = dice.between(2, 90), dice.between(5, 60), dice.between(2, 9)
    who, template = language.name(dice), dice.choice(language.get("math.count.prompt"))
    prompts, workings = [], []
    for word, pages in (("more", n + 1), ("fewer", n)):
        slots = {"who": who, "a": a, "b": a + n, "c": c, "n": pages, "result": pages * c}
        turn = language.draw(dice, f"math.count.{word}", **slots)
        prompts.append(language.fill(template, turn=turn, **slots))
        workings.append(([language.fill(step, **slots) for step in language.get("math.count.steps")], pages * c))
    return _twins(dice, language, "count", (a, n, c), prompts, workings)


def _person(dice: Dice, language: Language) -> Twins:
    """Slip: the number of the wrong person is used."""
    w1, w2 = language.names(dice, 2)
    a, c, k = dice.between(4, 60), dice.between(2, 20), dice.between(3, 6)
    b = a + dice.choice((1, -1)) * dice.between(1, 3)
    thing, template = _thing(dice, language), dice.choice(language.get("math.person.prompt"))
    prompts, workings = [], []
    for target, start in ((w1, a), (w2, b)):
        r1 = start + c
        slots = {"w1": w1, "w2": w2, "a": a, "b": b, "c": c, "k": k, "thing": thing, "target": target}
        prompts.append(language.fill(template, **slots))
        found = {"start": start, "r1": r1, "r2": r1 * k}
        steps = [language.fill(step, **slots, **found) for step in language.get("math.person.steps")]
        workings.append((steps, r1 * k))
    return _twins(dice, language, "person", (a, b, c, k), prompts, workings)


def _carry(dice: Dice, language: Language) -> Twins:
    """Slip: a ten is not carried, or carried twice."""
    tens, ones = dice.between(2, 9), dice.between(3, 9)
    a = 10 * tens + ones
    # Tens are odd, so that these two numbers occur only together in twins.
    low = 10 * (2 * dice.between(0, 3) + 1) + dice.between(10 - ones, 9)
    c = dice.between(3, 25)
    who, thing, template = language.name(dice), _thing(dice, language), dice.choice(language.get("math.carry.prompt"))
    prompts, workings = [], []
    for b in (low + 10, low):
        slots = {"who": who, "thing": thing, "a": a, "b": b, "c": c, "r1": a + b, "r2": a + b - c}
        prompts.append(language.fill(template, **slots))
        workings.append(([language.fill(step, **slots) for step in language.get("math.carry.steps")], a + b - c))
    return _twins(dice, language, "carry", (a, low, c), prompts, workings)


KINDS: dict[str, Callable[[Dice, Language], Twins]] = {
    "ledger": _ledger,
    "compare": _compare,
    "order": _order,
    "linear": _linear,
    "brackets": _brackets,
    "percent": _percent,
    "count": _count,
    "person": _person,
    "carry": _carry,
}
"""Generators by kind of problem; each has its own slip."""
