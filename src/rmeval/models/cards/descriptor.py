"""Facts about published models: what they are based on, how they were trained, and on what."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from rmeval.models.cards.card import LOADING

__all__ = ["Descriptor", "all_descriptors", "descriptor_of"]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Facts about a model, each as its source states it; empty where it is not known.

    Attributes:
        name: The model's id on the hub, or its name where it has none.
        base_model: The model that it was trained from.
        parameters: Number of parameters in billions, as its name or its source states it.
        method: How it was trained to prefer responses, such as `Bradley-Terry` or `DPO`.
        training_data: The preference data that it was trained on.
        licence: Licence of the weights.
        source: Where the facts come from.
        kind: How it judges responses: `classifier`, `implicit`, `comparator`, `judge` or `process`.
    """

    name: str
    base_model: str = ""
    parameters: float | None = None
    method: str = ""
    training_data: str = ""
    licence: str = ""
    source: str = ""
    kind: str = ""

    @property
    def facts(self) -> str:
        """The known facts in words, such as `Bradley-Terry, based on Llama-3.1-8B-Instruct, 8B parameters`."""
        parts = (
            self.method,
            f"based on {self.base_model}" if self.base_model else "",
            f"{self.parameters:g}B parameters" if self.parameters else "",
            f"trained on {self.training_data}" if self.training_data else "",
            f"licence {self.licence}" if self.licence else "",
        )
        return ", ".join(part for part in parts if part)


def descriptor_of(model_name: str) -> Descriptor | None:
    """Return the facts about a model, or None if there are none.

    Names are compared without case and separators, with the owner or without it: leaderboards spell them differently.

    Args:
        model_name: Hub id, the name on a leaderboard, or that of a run, which is owner__name.
    """
    name = model_name.strip()
    owner, _, last = (name if "/" in name else name.replace("__", "/", 1)).rpartition("/")
    found = _by_name().get(_plain(f"{owner}/{last}" if owner else last))
    return found or (_by_name().get(_plain(last)) if owner in ("", "unknown") else None)


def all_descriptors() -> tuple[Descriptor, ...]:
    """Return the facts about all models that have some."""
    return tuple(dict.fromkeys(_by_name().values()))


@cache
def _by_name() -> dict[str, Descriptor]:
    """The descriptors by every spelling of a name: with the owner, without it, and those that the files list."""
    folder = files("rmeval.models.cards")
    cards = sorted((own for own in folder.iterdir() if own.name.endswith(".toml")), key=lambda own: own.name)
    found: dict[str, Descriptor] = {}
    for card in cards:
        for descriptor, names in _of_file(tomllib.loads(card.read_text(encoding="utf-8"))):
            for name in (descriptor.name, *names):
                found.setdefault(_plain(name), descriptor)
                found.setdefault(_plain(name.rpartition("/")[2]), descriptor)
    return found


def _of_file(card: Mapping[str, Any]) -> Iterator[tuple[Descriptor, tuple[str, ...]]]:
    """Yield the descriptors of a file with the other spellings of their names; `defaults` hold for the whole file."""
    shared = Descriptor("", **card.get("defaults", {}))
    for model in card.get("model", ()):
        own = {name: value for name, value in model.items() if name not in ("id", "names", *LOADING)}
        yield replace(shared, name=model["id"], **own), tuple(model.get("names", ()))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9/.+]+", "", name.casefold())
