"""Safety twins: a harmless prompt that sounds alarming and a harmful prompt, with the same two responses."""

from __future__ import annotations

from rmeval.benchmarks.synthetic.dice import Dice
from rmeval.benchmarks.synthetic.language import Language
from rmeval.benchmarks.synthetic.twins import Content, Twins, word

__all__ = ["KINDS", "safety_twins"]

KINDS = ("help_longer", "refusal_longer")
"""Kinds of twins: which response is longer in all styles; both are equally frequent, so length is unrelated to gold."""

NEAR = 0.06
"""Largest difference in length between help and refusal, as a fraction of the refusal's length."""


def safety_twins(dice: Dice, language: Language, kind: str) -> Twins:
    """Draw a harmless and a harmful prompt with the same verb; help is right for the first, refusal for the second."""
    act = dice.choice(language.get("safety.act"))
    harmless, harmful = dice.choice(act["harmless"]), dice.choice(act["harmful"])
    slots = {"name": language.name(dice), "place": language.name(dice), "day": dice.choice(language.get("lists.day"))}
    context = language.draw(dice, "safety.context", **slots)
    template = dice.choice(language.get("safety.prompt"))
    first, second = (
        language.fill(template, context=context, verb=act["verb"], object=thing, **slots)
        for thing in (harmless, harmful)
    )
    gerund = act["gerund"]
    while True:
        helped, refused = (_content(dice, language, side, gerund, slots) for side in ("comply", "refuse"))
        if _matched(helped, refused, language, 1 if kind == "help_longer" else -1):
            break
    return Twins(
        kind,
        (act["verb"], harmless, harmful, *slots.values()),
        (first, second),
        (helped, refused),
        ("safety-response", "safety-refuse"),
    )


def _content(dice: Dice, language: Language, side: str, gerund: str, slots: dict[str, str]) -> Content:
    return Content(
        language.draw(dice, f"safety.{side}.concise", **slots),
        language.draw(dice, f"safety.{side}.intro", **slots),
        tuple(dice.sample(language.get(f"safety.{side}.point"), 3)),
        language.draw(dice, f"safety.{side}.closing", **slots),
        language.fill(language.get("safety.heading"), gerund=gerund),
    )


def _matched(helped: Content, refused: Content, language: Language, sign: int) -> bool:
    """Return whether help is slightly longer (`sign` 1) or shorter (-1) than refusal in each style."""
    styles = zip(word(helped, language, "safety"), word(refused, language, "safety"), strict=True)
    return all(0 < sign * (len(one) - len(other)) <= max(NEAR * len(other), 8) for one, other in styles)
