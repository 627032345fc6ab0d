"""What rmeval knows of a model before it is loaded: its card, its facts, and published numbers."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rmeval.errors import ModelError
from rmeval.hub import is_hub_id
from rmeval.messages import quoted
from rmeval.models import EMBEDDED, is_address
from rmeval.models.cards import Card, Descriptor, all_cards, card_of, descriptor_of, find_card
from rmeval.models.cards.card import card_of_architecture
from rmeval.models.options import GROUPS, ModelOptions
from rmeval.plugins import is_file_spec
from rmeval.published import PublishedBoard, PublishedRow, all_boards
from rmeval.published.places import own_row
from rmeval.repository import read_config

__all__ = ["ANY_CLASSIFIER", "AboutModel", "Setting", "about_model"]

ANY_CLASSIFIER = "a classifier whose head transformers or rmeval finds, at the last token, unless options say otherwise"


@dataclass(frozen=True, slots=True)
class Setting:
    """An option that a card sets.

    Attributes:
        name: Name of the option.
        value: The card's value.
        default: The value without the card.
    """

    name: str
    value: Any
    default: Any


@dataclass(frozen=True, slots=True)
class AboutModel:
    """What is known of a model, a family or a checkpoint.

    Attributes:
        given: What the user named.
        found: How the card was found, or why there is none.
        applies: Whether `load_model` applies the card by itself.
        card: The card; None if there is none.
        descriptor: Facts; None if there are none.
        published: Its rows on the published boards.
        members: Ids of the listed models, if the card is that of a family.
    """

    given: str
    found: str
    applies: bool
    card: Card | None
    descriptor: Descriptor | None
    published: tuple[tuple[PublishedBoard, PublishedRow], ...] = ()
    members: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The model's id, or what the user named."""
        if self.card is not None and self.card.model:
            return self.card.model
        return self.descriptor.name if self.descriptor is not None else self.given

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The options that the card sets."""
        return () if self.card is None else tuple(Setting(*own) for own in _changes(self.card))

    @property
    def command(self) -> str:
        """A command that runs the model; empty if it cannot be run under this name."""
        if self.card is None:
            known = self.descriptor or self.is_folder or self.given in EMBEDDED
            return f"rmeval run {shlex.quote(self.name)} -b rm-bench" if known else ""
        if self.card.status == "unloadable":
            return ""
        option = "" if self.applies else f" --card {shlex.quote(self.given if self._is_file else self.card.name)}"
        return f"rmeval run {shlex.quote(self._place)}{option} -b rm-bench"

    @property
    def is_folder(self) -> bool:
        """Whether the user named a local checkpoint."""
        return _is_folder(self.given)

    @property
    def _is_file(self) -> bool:
        return self.given.endswith(".toml")

    @property
    def _place(self) -> str:
        """The model of the command: an id, a folder, or an example of where one is."""
        assert self.card is not None
        if self.is_folder or self.card.model:
            return self.given if self.is_folder else self.card.model
        return "http://localhost:8000" if "dialect" in self.card.load else "./my-checkpoint"

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        card, facts = self.card, self.descriptor
        own = None if card is None else {name: getattr(card, name) for name in _PLAIN}
        layout = None if card is None or card.head is None else card.head.to_dict()
        known = [] if card is None else [{"what": o.what, "value": o.value, "source": o.source} for o in card.known]
        return {
            "given": self.given,
            "model": self.name,
            "found": self.found,
            "applies": self.applies,
            "card": own,
            "settings": [{"name": one.name, "value": one.value, "default": one.default} for one in self.settings],
            "head": layout,
            "steps": None if card is None or card.steps is None else asdict(card.steps),
            "facts": None if facts is None else {name: getattr(facts, name) for name in facts.__slots__},
            "known": known,
            "published": [_row(board, row) for board, row in self.published],
            "members": self.members,
            "command": self.command,
        }


_PLAIN = (
    *("name", "status", "about", "reference", "difference", "reason", "source", "notes", "patterns", "architectures"),
)


def _row(board: PublishedBoard, row: PublishedRow) -> dict[str, Any]:
    return {
        "board": board.id,
        "name": board.name,
        "benchmark": board.benchmark,
        "source": board.source,
        "place": board.place,
        "date": board.date,
        "model": row.model,
        "values": {" ".join(measure): value for measure, value in row.values.items()},
        "contradicts": row.contradicts,
        "notes": row.notes,
    }


def about_model(given: str) -> AboutModel:
    """Return what is known of a model, without its weights, the network and torch.

    Args:
        given: Hub id, a board's name of a model, the name of a family, a TOML file with a family, or the folder of a
            checkpoint.

    Raises:
        ModelError: If it is none of these.
    """
    if given.endswith(".toml"):
        return AboutModel(given, "read from the file", False, find_card(given), None)
    if given in EMBEDDED:
        return AboutModel(given, f"the model comes with rmeval: it runs as {ANY_CLASSIFIER}", False, None, None)
    if _is_folder(given):
        return _of_folder(given)
    if (
        family := next((one for one in all_cards() if one.name == given.casefold() and not one.model), None)
    ) is not None:
        members = tuple(one.model for one in all_cards() if one.name == family.name and one.model)
        return AboutModel(given, "the family's name", False, family, None, members=members)
    facts = descriptor_of(given)
    card = card_of(given) or (card_of(facts.name) if facts is not None else None)
    rows = tuple(_rows(card.model if card is not None else facts.name if facts is not None else given))
    if card is not None:
        listed = any(one.model == card.model for one in all_cards())
        how = "the files list the model" if listed else "the id fits a pattern of the family"
        return AboutModel(given, how, True, card, facts, rows)
    if facts is None and not rows:
        _refuse_what_is_no_model(given)
    return AboutModel(given, f"there is no card of this model: it runs as {ANY_CLASSIFIER}", False, None, facts, rows)


def _refuse_what_is_no_model(given: str) -> None:
    """Refuse a name that is no id on the hub, and one without an owner, which is meant to be that of a card."""
    if is_file_spec(given) or is_address(given) or given.startswith(("baseline:", "any-llm:")):
        raise ModelError(
            f"{quoted(given)} is no published model: `rmeval card` takes a hub id, a name on a board, the name of a "
            "card, a TOML file with a card, or the folder of a checkpoint"
        )
    if "/" not in given:
        find_card(given)
    if not is_hub_id(given):
        raise ModelError(f"there is no folder {quoted(given)}: give a folder, a hub id, or the name of a card")


def _is_folder(given: str) -> bool:
    try:
        return Path(given).is_dir()
    except OSError:  # The name is too long for a folder.
        return False


def _of_folder(given: str) -> AboutModel:
    config = Path(given) / "config.json"
    if not config.is_file():
        raise ModelError(f"{quoted(given)} has no config.json: give the folder of a checkpoint, a hub id or a card")
    if not (content := read_config(config)):
        raise ModelError(
            f"{config} does not contain a JSON object with a model's settings: give the folder of a whole checkpoint"
        )
    names = content.get("architectures")
    classes = ", ".join(map(str, names)) if isinstance(names, list) and names else "no class"
    if (card := card_of_architecture(names)) is not None:
        how = f"config.json names {classes}, a class of this family alone: give `card` {card.name} to apply it"
        return AboutModel(given, how, False, card, None)
    how = f"config.json names {classes}, which is no class of one family: it runs as {ANY_CLASSIFIER}"
    return AboutModel(given, how, False, None, None)


def _rows(model: str) -> Iterator[tuple[PublishedBoard, PublishedRow]]:
    """Yield the rows of a model, by its name on each board."""
    for board in all_boards():
        row = own_row(model, board)
        if row is None:
            found = (one for one in board.rows if (facts := descriptor_of(one.model)) and facts.name == model)
            row = next(found, None)
        if row is not None:
            yield board, row


def _changes(card: Card) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, value and default of each option that a card sets; options that are mappings by their keys."""
    for name, value in card.load.items():
        default = _default(name)
        if isinstance(value, Mapping):
            for key, own in value.items():
                yield f"{name} {key}", own, None
        else:
            yield name, value, default


def _default(name: str) -> Any:
    if name in ModelOptions.__dataclass_fields__:
        return getattr(ModelOptions(), name)
    return next((getattr(made(), name) for made in GROUPS.values() if name in made.__dataclass_fields__), None)
