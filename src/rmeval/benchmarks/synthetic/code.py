"""Code twins: two Python functions that differ in an operator, bound or base case, each right for one of two tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from rmeval.benchmarks.synthetic.dice import Dice
from rmeval.benchmarks.synthetic.language import Language
from rmeval.benchmarks.synthetic.twins import Content, Twins

__all__ = ["KINDS", "code_twins"]

Truth = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Task:
    """Two specifications, and the code for each.

    Attributes:
        specs: Names of both wordings in the language's data.
        slots: Constants of the wordings.
        bodies: Both function bodies, lines indented by four spaces.
        truths: The required results of each specification, implemented independently of the bodies.
        arguments: Arguments to test with.
        argument: Name of the parameter.
        names: Words of the function's name.
    """

    specs: tuple[str, str]
    slots: dict[str, Any]
    bodies: tuple[str, str]
    truths: tuple[Truth, Truth]
    arguments: Sequence[Any]
    argument: str
    names: Sequence[str]


LISTS = ("values", "numbers", "items", "entries", "readings", "scores", "sizes", "prices")
WORDS = ("words", "names", "terms", "labels")
NUMBERS = ("n", "count", "amount", "limit", "total")
LETTERS = "abcdefghiklmnoprstuw"


def code_twins(dice: Dice, language: Language, kind: str) -> Twins:
    """Draw two tasks whose functions differ in one place."""
    task = KINDS[kind](dice)
    name = "_".join([dice.choice(task.names), dice.choice(_SECOND)])
    call = f"{name}({task.argument})"
    template, variant = dice.choice(language.get("code.prompt")), dice.below(2)
    intro = dice.choice(language.get("code.intro"))
    notes = tuple(dice.sample(language.get("code.note"), 2))
    closing = language.draw(dice, "code.closing", call=call)
    heading = language.fill(language.get("code.heading"), name=f"`{name}`")
    prompts, contents, facts = [], [], []
    for spec, body, truth in zip(task.specs, task.bodies, task.truths, strict=True):
        wordings = language.get(f"code.spec.{spec}")
        shown = {"xs": task.argument, "n": task.argument} | task.slots
        wording = language.fill(wordings[variant % len(wordings)], **shown)
        prompts.append(language.fill(template, call=call, spec=wording))
        source = f"def {name}({task.argument}):\n{body.format(x=task.argument, f=name, **task.slots)}"
        contents.append(Content(source, intro, notes, closing, heading, source))
        tests = [[argument, truth(argument)] for argument in task.arguments]
        facts.append({"function": name, "tests": tests})
    key = (kind, *sorted(map(str, task.slots.values())))
    return Twins(kind, key, (prompts[0], prompts[1]), (contents[0], contents[1]), None, (facts[0], facts[1]))


_SECOND = (
    *("for_report", "in_stock", "of_day", "per_team", "at_noon", "this_week", "by_shop", "from_log"),
    *("for_audit", "on_site", "in_queue", "of_group", "last_year", "by_hand", "at_gate", "per_room"),
    *("for_export", "in_town", "of_month", "per_order", "at_dawn", "this_term", "by_train", "from_cache"),
    *("for_stage", "on_shelf", "in_box", "of_season", "last_trip", "by_post", "at_desk", "per_crew"),
    *("for_check", "in_field", "of_hour", "per_line", "at_dock", "this_round", "by_sea", "from_sensor"),
)
"""Second parts of the functions' names, which are unrelated to their tasks."""


def _numbers(dice: Dice, *edges: int) -> list[list[int]]:
    """Draw lists of numbers that include the given edge cases, and the empty list."""
    near = [edge + step for edge in edges for step in (-1, 0, 1)]
    lists = [dice.shuffled([*near, *(dice.between(-30, 60) for _ in range(3))]) for _ in range(3)]
    return [*lists, [edges[0]], near, []]


def _at_least(dice: Dice) -> Task:
    k, form = dice.between(-9, 60), dice.below(2)
    bodies = [
        "    return [x for x in {x} if x " + sign + " {k}]"
        if form
        else "    kept = []\n    for x in {x}:\n        if x "
        + sign
        + " {k}:\n            kept.append(x)\n    return kept"
        for sign in (">=", ">")
    ]
    return Task(
        ("at_least", "more_than"),
        {"k": k},
        (bodies[0], bodies[1]),
        (lambda xs: [x for x in xs if not x < k], lambda xs: [x for x in xs if x - k > 0]),
        _numbers(dice, k),
        dice.choice(LISTS),
        ("keep", "select", "filter", "pick", "high"),
    )


def _at_most(dice: Dice) -> Task:
    k, form = dice.between(-9, 60), dice.below(2)
    bodies = [
        "    return sum(1 for x in {x} if x " + sign + " {k})"
        if form
        else "    found = 0\n    for x in {x}:\n        if x "
        + sign
        + " {k}:\n            found += 1\n    return found"
        for sign in ("<=", "<")
    ]
    return Task(
        ("count_at_most", "count_less"),
        {"k": k},
        (bodies[0], bodies[1]),
        (lambda xs: len([x for x in xs if not x > k]), lambda xs: len([x for x in xs if k - x > 0])),
        _numbers(dice, k),
        dice.choice(LISTS),
        ("count", "tally", "low", "small", "how_many"),
    )


def _bound(dice: Dice) -> Task:
    k, form, argument = dice.between(2, 30), dice.below(2), dice.choice(NUMBERS)
    bodies = [
        "    return sum(range({k}, {x}" + end + ", {k}))"
        if form
        else "    total_sum = 0\n    for i in range({k}, {x}"
        + end
        + ", {k}):\n        total_sum += i\n    return total_sum"
        for end in (" + 1", "")
    ]
    return Task(
        ("sum_including", "sum_excluding"),
        {"k": k},
        (bodies[0], bodies[1]),
        (
            lambda n: k * (n // k) * (n // k + 1) // 2,
            lambda n: k * ((n - 1) // k) * ((n - 1) // k + 1) // 2,
        ),
        [k * dice.between(2, 9), k * dice.between(10, 20), k, k * dice.between(2, 9) + 1],
        argument,
        ("sum", "add", "total", "multiples", "series"),
    )


def _base(dice: Dice) -> Task:
    a, m, d = dice.between(1, 20), dice.between(2, 5), dice.between(1, 9)
    bodies = [
        f"    if {{x}} == {start}:\n        return {{a}}\n    return {{f}}({{x}} - 1) * {{m}} + {{d}}"
        for start in (0, 1)
    ]

    def term(steps: int) -> int:
        value = a
        for _ in range(steps):
            value = m * value + d
        return value

    return Task(
        ("term_zero", "term_one"),
        {"a": a, "m": m, "d": d},
        (bodies[0], bodies[1]),
        (term, lambda n: term(n - 1)),
        [1, 2, 3, dice.between(4, 8)],
        dice.choice(NUMBERS),
        ("term", "member", "sequence", "next", "step"),
    )


def _ends(dice: Dice) -> Task:
    k = dice.between(2, 19)
    lists = [[dice.between(0, 99) + 100 * i for i in range(k + dice.between(1, 5))] for _ in range(4)]
    return Task(
        ("without_first", "without_last"),
        {"k": k},
        ("    return {x}[{k}:]", "    return {x}[:-{k}]"),
        (
            lambda xs: [x for place, x in enumerate(xs) if place >= k],
            lambda xs: [x for place, x in enumerate(xs) if place < len(xs) - k],
        ),
        lists,
        dice.choice((*LISTS, *WORDS)),
        ("drop", "trim", "shorten", "rest", "cut"),
    )


def _logic(dice: Dice) -> Task:
    p, q = dice.sample((2, 3, 5, 7, 11, 13), 2)
    bodies = ["    return sum(1 for x in {x} if x % {p} == 0 " + word + " x % {q} == 0)" for word in ("and", "or")]
    lists = [[p * dice.between(1, 9), q * dice.between(1, 9), p * q, dice.between(1, 99)] for _ in range(3)]
    return Task(
        ("both", "either"),
        {"p": p, "q": q},
        (bodies[0], bodies[1]),
        (
            lambda xs: len([x for x in xs if x % (p * q) == 0]),
            lambda xs: len(xs) - len([x for x in xs if x % p and x % q]),
        ),
        [*lists, [p, q], []],
        dice.choice(LISTS),
        ("divisible", "count", "multiples", "match", "tally"),
    )


def _extreme(dice: Dice) -> Task:
    k, e = dice.between(1, 40), dice.between(-9, 9)
    bodies = [
        "    if not {x}:\n        return {e}\n    best = {x}[0]\n    for x in {x}:\n        if x " + sign + " best:\n"
        "            best = x\n    return best + {k}"
        for sign in ("<", ">")
    ]
    return Task(
        ("smallest", "largest"),
        {"k": k, "e": e},
        (bodies[0], bodies[1]),
        (lambda xs: sorted(xs)[0] + k if xs else e, lambda xs: sorted(xs)[-1] + k if xs else e),
        _numbers(dice, k),
        dice.choice(LISTS),
        ("pick", "edge", "extreme", "bound", "find"),
    )


def _quantifier(dice: Dice) -> Task:
    k = dice.between(-9, 60)
    return Task(
        ("any", "all"),
        {"k": k},
        ("    return any(x > {k} for x in {x})", "    return all(x > {k} for x in {x})"),
        (
            lambda xs: max(xs, default=k) > k,
            lambda xs: min(xs, default=k + 1) > k,
        ),
        [*_numbers(dice, k), [k + 1, k + 2]],
        dice.choice(LISTS),
        ("check", "above", "has", "test", "over"),
    )


def _letter(dice: Dice) -> Task:
    c = dice.choice(LETTERS)

    def spell() -> str:
        return "".join(dice.choice(LETTERS) for _ in range(dice.between(2, 6)))

    lists = [[c + spell(), spell(), spell() + c, c + spell() + "z", spell()] for _ in range(4)]
    return Task(
        ("begins", "ends"),
        {"c": f'"{c}"'},
        (
            "    return sum(1 for word in {x} if word.startswith({c}))",
            "    return sum(1 for word in {x} if word.endswith({c}))",
        ),
        (lambda xs: len([x for x in xs if x[0] == c]), lambda xs: len([x for x in xs if x[-1] == c])),
        [*lists, [c + "z"], []],
        dice.choice(WORDS),
        ("count", "letter", "match", "tally", "how_many"),
    )


def _running(dice: Dice) -> Task:
    a = dice.between(0, 50)
    lines = ("        running += x\n", "        totals.append(running)\n")
    bodies = [
        "    totals = []\n    running = {a}\n    for x in {x}:\n" + first + second + "    return totals"
        for first, second in (lines, lines[::-1])
    ]
    return Task(
        ("running_after", "running_before"),
        {"a": a},
        (bodies[0], bodies[1]),
        (
            lambda xs: [a + sum(xs[: k + 1]) for k in range(len(xs))],
            lambda xs: [a + sum(xs[:k]) for k in range(len(xs))],
        ),
        _numbers(dice, a),
        dice.choice(LISTS),
        ("running", "totals", "accumulate", "sums", "progress"),
    )


def _rounding(dice: Dice) -> Task:
    k = dice.between(2, 48)
    return Task(
        ("round_down", "round_up"),
        {"k": k},
        ("    return {x} // {k}", "    return -(-{x} // {k})"),
        (lambda n: (n - n % k) // k, lambda n: (n + -n % k) // k),
        [k * 3 + 1, k * dice.between(4, 9) + dice.between(1, k - 1), k * 2, 0],
        dice.choice(NUMBERS),
        ("boxes", "pack", "divide", "share", "crates"),
    )


def _empty(dice: Dice) -> Task:
    d = dice.between(1, 60)
    bodies = [
        "    if not {x}:\n        return {d}" + more + "\n    product = 1\n    for x in {x}:\n        product *= x\n"
        "    return product + {d}"
        for more in ("", " + 1")
    ]
    return Task(
        ("empty_zero", "empty_one"),
        {"d": d},
        (bodies[0], bodies[1]),
        (lambda xs: (prod(xs) if xs else 0) + d, lambda xs: prod(xs) + d),
        [[], [dice.between(2, 9)], [dice.between(2, 9), dice.between(2, 9)], [d, -1]],
        dice.choice(LISTS),
        ("product", "multiply", "combine", "times", "fold"),
    )


KINDS: dict[str, Callable[[Dice], Task]] = {
    "at_least": _at_least,
    "at_most": _at_most,
    "bound": _bound,
    "base_case": _base,
    "ends": _ends,
    "logic": _logic,
    "extreme": _extreme,
    "quantifier": _quantifier,
    "letter": _letter,
    "running": _running,
    "rounding": _rounding,
    "empty": _empty,
}
"""Generators by the difference between the right and the wrong function."""
