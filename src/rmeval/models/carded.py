"""Applies the card of a published model to the options of the user."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rmeval.errors import ModelError
from rmeval.hub import is_hub_id
from rmeval.models import is_address
from rmeval.models.cards.card import Card, card_of, card_of_architecture, find_card
from rmeval.models.options import GROUPS, RENDERING_OPTIONS, ModelOptions, check_options
from rmeval.redaction import redacted
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
    card = card_of(spec) if is_hub_id(spec) else None
    return card if card is not None and _is_of_use(card, options) else None


def _is_of_use(card: Card, options: ModelOptions) -> bool:
    """Whether a model's card is for the use that the options state: a language model may be a judge, for example."""
    kind = card.load.get("kind", options.kind)
    judges = options.judge.protocol is not None or options.judge.base_url is not None
    return options.kind in ("auto", kind) and not (judges and kind in ("implicit", "comparator"))


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
    if card.steps is not None and is_address(spec):
        raise ModelError(
            f"{redacted(spec)} is a server, which does not score steps, and the card {card.name} is that of a process "
            "reward model: give the model's folder or hub id"
        )
    found = options
    kept: list[str] = []
    changed: list[str] = []
    for name, value in card.load.items():
        if not _is_used(name, spec, options):
            continue
        found, own = _given(found, name, value)
        text = f"{name}={json.dumps(value, ensure_ascii=False)}"
        (changed if own else kept).append(text)
    if not is_address(spec):
        found = _with_layouts(card, found, kept, changed)
    _tell(card, kept, changed)
    try:
        check_options(found)
    except ModelError as error:
        raise ModelError(f"the card {card.name}: {error}") from error
    return replace(found, card=card.name)


def _with_layouts(card: Card, options: ModelOptions, kept: list[str], changed: list[str]) -> ModelOptions:
    """The options with the layouts of a card's head and steps, added to `kept` or, if the user's differ, `changed`."""
    if card.head is not None:
        others = options.head is not None or options.layout not in (None, card.head)
        (changed if others else kept).append(f"layout={card.head.title}")
        options = options if others else replace(options, layout=card.head)
    if card.steps is None:
        return options
    others = options.steps not in (None, card.steps)
    (changed if others else kept).append(f"steps={card.steps.title}")
    if options.split_steps is not None and not others:
        changed.append(f"split_steps={card.steps.split!r}")
    return replace(options, steps=options.steps or card.steps)


def _tell(card: Card, kept: Sequence[str], changed: Sequence[str]) -> None:
    """Log what a card sets, and what the user's options replace."""
    if kept:
        logger.warning("the card %s (%s) sets %s", card.name, card.status, ", ".join(kept))
    if changed:
        logger.warning(
            "the card %s sets %s, which your options replace: scores may differ from published ones",
            card.name,
            ", ".join(changed),
        )
        for note in card.notes:
            logger.warning("the card %s: %s", card.name, note)
    elif card.notes:
        logger.warning("`rmeval card %s` states which other settings change scores", card.model or card.name)


def _is_used(name: str, spec: str, options: ModelOptions) -> bool:
    """Whether a model uses an option: a folder has no revision, a server loads its model itself, engines differ.

    The EOS that a card appends belongs to the card's template.
    """
    if name == "append_eos" and options.chat_template is not None:
        return False
    if is_address(spec):
        of_rendering = name in RENDERING_OPTIONS and options.tokenizer is not None
        return of_rendering or name not in (*RENDERING_OPTIONS, *_LOADING)
    if name == "model_kwargs":
        return (options.replica_engine if options.engine == "ray" else options.engine) == "hf"
    return name != "revision" or is_hub_id(spec)


_LOADING = ("dtype", "device", "revision", "model_kwargs", "kind", "head", "base_model", "ref_model", "ref_revision")
"""Options of loading weights."""


def _given(options: ModelOptions, name: str, value: Any) -> tuple[ModelOptions, bool]:
    """The options with a card's value unless the user gave another; whether the user did."""
    for group, made in GROUPS.items():
        if name in made.__dataclass_fields__ and name not in ModelOptions.__dataclass_fields__:
            inside, other = _filled(getattr(options, group), name, value, name in options.given)
            return replace(options, **{group: inside}), other
    return _filled(options, name, value, name in options.given)


def _filled(options: Any, name: str, value: Any, given: bool) -> tuple[Any, bool]:
    """A copy with a value unless the user gave one, maybe the default; whether another value was there."""
    before = getattr(options, name)
    if isinstance(value, Mapping):
        other = any(key in value and one != value[key] for key, one in before.items())
        return replace(options, **{name: {**value, **before}}), other
    if given or before != getattr(type(options)(), name):
        return options, before != value
    return replace(options, **{name: tuple(value) if isinstance(value, list) else value}), False


def _hint(spec: str) -> None:
    """Log the card that fits the class in a local checkpoint's config."""
    card = card_of_architecture(read_config(Path(spec) / "config.json").get("architectures"))
    if card is not None:
        logger.warning(
            "the config of %s names a class of the card %s: give `card` %s to read it so", spec, card.name, card.name
        )
