"""How published models are loaded and read, and whether published code was run to compare their scores."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from rmeval.engines.head_layout import HeadLayout, read_layout
from rmeval.errors import ModelError
from rmeval.messages import chosen_from, quoted
from rmeval.models.option_types import check_type, option_types
from rmeval.protocols.step_layout import StepLayout, read_steps

__all__ = ["LOADING", "Card", "Known", "all_cards", "card_of", "card_of_architecture", "find_card", "read_cards"]

Status = Literal["verified", "layout-only", "unloadable"]
LOADING = ("family", "load", "notes", "known")
"""Keys of a `[[model]]` table that say how the model is loaded; the others are its facts."""


@dataclass(frozen=True, slots=True)
class Known:
    """A number that a source states of a model, besides its results on benchmarks.

    Attributes:
        what: What it is, such as the score of an example.
        value: The number.
        source: Where it is stated, and in which format it was computed.
    """

    what: str
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Card:
    """How the models of a family are loaded and read; for one model if it was found by the model's id.

    Attributes:
        name: Name of the family.
        status: `verified`: scores equal those of published code, which ran on checkpoints of this layout;
            `layout-only`: the layout is as published, and no published code ran; `unloadable`.
        about: How the score is read, in a few words.
        source: Where the layout is stated.
        reference: For `verified`: the published code, with its commit and file.
        difference: For `verified`: the largest difference of a score in float32.
        reason: For `unloadable`: what is wrong, and what to do instead.
        notes: Settings that are known to change scores.
        patterns: Regular expressions of hub ids of the family, besides the models that the files list.
        architectures: Classes in `config.json` that no other family has.
        load: Values of fields of `ModelOptions`.
        head: The layout of its head, if transformers does not load it.
        steps: How steps are read, for process reward models.
        model: Hub id of the model, if the card is that of one model.
        known: Numbers that sources state of the model, besides results on benchmarks, which `rmeval.published` has.
    """

    name: str
    status: Status
    about: str
    source: str
    reference: str = ""
    difference: float | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    load: Mapping[str, Any] = field(default_factory=dict)
    head: HeadLayout | None = None
    steps: StepLayout | None = None
    model: str = ""
    known: tuple[Known, ...] = ()


def card_of(model_id: str) -> Card | None:
    """Return the card of a model on the hub, by its id; None if no family has it."""
    listed, families = _listed(), _families()
    if (found := listed.get(model_id.casefold())) is not None:
        return found
    for card in families.values():
        if any(re.fullmatch(pattern, model_id, re.IGNORECASE) for pattern in card.patterns):
            return replace(card, model=model_id)
    return None


def card_of_architecture(names: object) -> Card | None:
    """Return the card whose family alone has one of the classes that a config names; None if there is none."""
    if not isinstance(names, list):
        return None
    return next((card for card in _families().values() if {*card.architectures} & {*map(str, names)}), None)


def find_card(name: str) -> Card:
    """Return a card by the name of its family, by a model's id, or from a TOML file with one family.

    Raises:
        ModelError: If there is none.
    """
    if name.endswith(".toml"):
        return _of_path(Path(name))
    families = _families()
    found = families.get(name.casefold()) or card_of(name)
    if found is None:
        raise ModelError(
            f"there is no card {quoted(name)}: {chosen_from(name, families)}, or give a model's id or a TOML file; "
            "`rmeval list models` lists them"
        )
    return found


def all_cards() -> tuple[Card, ...]:
    """Return the card of every family, and of every model that the files list under one, by family."""
    models = sorted(_listed().values(), key=lambda card: card.model.casefold())
    return tuple(
        card for family in _families().values() for card in (family, *(m for m in models if m.name == family.name))
    )


def _of_path(path: Path) -> Card:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"the card {path} cannot be read ({error}): give a TOML file with one [[family]]") from error
    if unknown := [key for key in document if key != "family"]:
        raise ModelError(f"the card {path} has {quoted(unknown[0])}: give a TOML file with one [[family]] alone")
    found = list(read_cards(document, str(path)))
    if len(found) != 1:
        raise ModelError(f"the card {path} has {len(found)} families: give a TOML file with one [[family]]")
    return found[0]


def read_cards(document: Mapping[str, Any], where: str) -> Iterator[Card]:
    """Yield the families of a document.

    Args:
        document: The content of a TOML file.
        where: Its name, for messages.

    Raises:
        ModelError: If a family is not valid.
    """
    tables = document.get("family", [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise ModelError(f"{where}: the family must be a table of a list: write [[family]], in two brackets")
    for number, stated in enumerate(tables, 1):
        place = f"{where}: family {stated.get('name', number)}"
        if (wrong := next(_wrong(stated), None)) is not None:
            raise ModelError(f"{place} {wrong}")
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in stated.items()
        }
        if "head" in stated:
            given["head"] = read_layout(stated["head"], f"{place}: head")
        if "steps" in stated:
            given["steps"] = read_steps(stated["steps"], f"{place}: steps")
        yield Card(**given)


_FORMS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("name", "status", "about", "source", "reference", "reason"), ("str",)),
    **dict.fromkeys(("notes", "patterns", "architectures"), ("tuple[str, ...]",)),
    **dict.fromkeys(("load", "head", "steps"), ("Mapping[str, Any]",)),
    "difference": ("float",),
}
"""The keys of a family, and the types of their values."""


_NEEDED = {"verified": ("reference", "difference"), "unloadable": ("reason",)}
"""Keys that a status needs besides those of every family."""


def _wrong(stated: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a family, besides its head and steps."""
    for name, value in stated.items():
        if name not in _FORMS:
            yield f"has {name!r}: the keys are {', '.join(sorted(_FORMS))}"
        elif (form := check_type(value, _FORMS[name])) is not None:
            yield f"has {quoted(value)} for {name}, which must be {form}"
    for name in ("name", "status", "about", "source", *_NEEDED.get(str(stated.get("status")), ())):
        if stated.get(name, "") == "":
            yield f"has no {name!r}: add it"
    if stated.get("reference") and stated["status"] != "verified":
        yield f"has a reference and the status {stated['status']}: only verified cards have one"
    if stated["status"] not in get_args(Status):
        yield f"has the status {quoted(stated['status'])}: it must be one of {', '.join(get_args(Status))}"
    for pattern in stated.get("patterns", []):
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"has the pattern {quoted(pattern)}, which is no regular expression ({error})"
    yield from _wrong_options(stated.get("load", {}))


def _wrong_options(load: Mapping[str, Any]) -> Iterator[str]:
    for name, value in load.items():
        if name == "card" or name not in option_types():
            yield f"sets {name!r}, which is no option of models that a file can set: check the spelling"
        elif (form := check_type(value, option_types()[name])) is not None:
            yield f"sets {name} to {quoted(value)}, which must be {form}"


@cache
def _documents() -> tuple[tuple[str, Mapping[str, Any]], ...]:
    folder = files("rmeval.models.cards")
    found = sorted((one for one in folder.iterdir() if one.name.endswith(".toml")), key=lambda one: one.name)
    return tuple((one.name, tomllib.loads(one.read_text(encoding="utf-8"))) for one in found)


@cache
def _families() -> Mapping[str, Card]:
    found = {card.name: card for name, document in _documents() for card in read_cards(document, name)}
    return dict(sorted(found.items()))


@cache
def _listed() -> Mapping[str, Card]:
    """The cards of the models that the files list with a family, by id in lower case."""
    families = _families()
    found: dict[str, Card] = {}
    for name, document in _documents():
        for model in document.get("model", ()):
            if (family := model.get("family")) is not None:
                if (base := families.get(family)) is None:
                    raise ModelError(
                        f"{name}: {model['id']} has the family {quoted(family)}, which no file has: add it, or correct "
                        "the name"
                    )
                known = tuple(Known(**one) for one in model.get("known", ()))
                notes = (*base.notes, *model.get("notes", ()))
                load = {**base.load, **model.get("load", {})}
                card = replace(base, model=model["id"], load=load, notes=notes, known=known)
                found[model["id"].casefold()] = card
    return found
