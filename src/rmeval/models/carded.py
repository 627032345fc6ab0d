"""Applies the card of a published model to the options of the user."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rmeval.errors import ModelError
from rmeval.hub import is_hub_id
from rmeval.models.cards.card import Card, card_of, card_of_architecture, find_card
from rmeval.models.options import GROUPS, ModelOptions
from rmeval.repository import read_config

__all__ = ["apply_card", "card_for"]

logger = logging.getLogger(__name__)


def card_for(spec: str, options: ModelOptions) -> Card | None:
    """Return the card that `load_model` applies to a model; None if there is none.

    Args:
        spec: Hub id, or a path, for which `options.card` names a card.
        options: The options; `options.card` is `auto` (by hub id), `none`, or names a card.

    Raises:
        ModelError: If there is no card of that name.
    """
    if options.card == "none":
        return None
    if options.card != "auto":
        return find_card(options.card)
    return card_of(spec) if is_hub_id(spec) and not Path(spec).exists() else None


def apply_card(spec: str, options: ModelOptions) -> ModelOptions:
    """Return the options with the values of the model's card where the user gave none.

    What the card sets, and what the user sets otherwise, is logged.

    Raises:
        ModelError: If there is no such card, or its models cannot be loaded.
    """
    card = card_for(spec, options)
    if card is None:
        if options.card == "auto":
            _hint(spec)
        return options
    if card.status == "unloadable":
        raise ModelError(f"{spec}: {card.reason} (`card` none ignores the card {card.name})")
    found = options
    kept: list[str] = []
    changed: list[str] = []
    for name, value in card.load.items():
        if name == "revision" and not is_hub_id(spec):
            continue
        found, own = _given(found, name, value)
        text = f"{name}={json.dumps(value, ensure_ascii=False)}"
        (changed if own else kept).append(text)
    if card.head is not None and found.layout is None and found.head is None:
        found = replace(found, layout=card.head)
        kept.append(f"layout={card.head.title}")
    if card.steps is not None and found.steps is None:
        found = replace(found, steps=card.steps)
        kept.append(f"steps={card.steps.title}")
    if kept:
        logger.warning("the card %s (%s) sets %s", card.name, card.status, ", ".join(kept))
    if changed:
        logger.warning(
            "the card %s sets %s, which your options replace: scores may differ from published ones",
            card.name,
            ", ".join(changed),
        )
    return replace(found, card=card.name)


def _given(options: ModelOptions, name: str, value: Any) -> tuple[ModelOptions, bool]:
    """The options with a card's value unless the user gave another; whether the user did."""
    for group, made in GROUPS.items():
        if name in made.__dataclass_fields__ and name not in ModelOptions.__dataclass_fields__:
            inside, other = _filled(getattr(options, group), name, value)
            return _filled(options, group, inside, over=True)[0], other
    return _filled(options, name, value)


def _filled(options: Any, name: str, value: Any, over: bool = False) -> tuple[Any, bool]:
    """A copy with a value where the default was, or in any case; whether another value was there."""
    before = getattr(options, name)
    if isinstance(value, Mapping):
        other = any(key in value and one != value[key] for key, one in before.items())
        return replace(options, **{name: {**value, **before}}), other
    if not over and before != getattr(type(options)(), name):
        return options, before != value
    return replace(options, **{name: tuple(value) if isinstance(value, list) else value}), False


def _hint(spec: str) -> None:
    """Log the card that fits the class in a local checkpoint's config."""
    config = Path(spec) / "config.json"
    if not config.is_file():
        return
    card = card_of_architecture(read_config(config).get("architectures"))
    if card is not None:
        logger.warning(
            "the config of %s names a class of the card %s: give `card` %s to read it so", spec, card.name, card.name
        )
