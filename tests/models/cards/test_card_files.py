"""The cards that come with rmeval: complete, honest about their status, and with options that exist."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from rmeval.cli.flags import with_options
from rmeval.errors import ModelError
from rmeval.models.carded import apply_card
from rmeval.models.cards import Card, all_cards, card_of, find_card
from rmeval.models.options import OPTIONS, ModelOptions, check_options
from rmeval.protocols.judging.card_file import find_card as find_protocol

CARDS = all_cards()
FAMILIES = [card for card in CARDS if not card.model]
EXPECTED = Path(__file__).parents[2] / "zoo" / "expected"
FILES = [own for own in (files("rmeval.models") / "cards").iterdir() if own.name.endswith(".toml")]


def verified_references() -> set[str]:
    return {json.loads(file.read_text())["reference"] for file in EXPECTED.glob("*.json")}


@pytest.mark.parametrize("card", FAMILIES, ids=lambda card: card.name)
def test_a_family_is_honest_about_its_status(card: Card) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", card.name)
    assert (card.difference is not None) == bool(card.reference) == (card.status == "verified")
    assert bool(card.reason) == (card.status == "unloadable")
    if card.status == "verified":
        assert card.reference in verified_references()
        assert card.difference is not None and 0 <= card.difference < 1e-5


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.model or card.name)
def test_the_options_of_a_card_exist_and_are_valid(card: Card) -> None:
    assert set(card.load) <= set(OPTIONS)
    if card.status != "unloadable":
        options = apply_card("x", ModelOptions(card=card.model or card.name))
        check_options(options)
        assert options.card == card.name
    if (protocol := card.load.get("protocol")) is not None:
        assert find_protocol(protocol) is not None


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.model or card.name)
def test_texts_name_parameters_that_the_command_line_knows(card: Card) -> None:
    for text in (card.about, card.reason, *card.notes):
        for name in re.findall(r"`([a-z_0-9]+)`", text):
            assert with_options(f"`{name}`").startswith("--"), name


def test_no_pattern_takes_a_model_of_another_family() -> None:
    for card in FAMILIES:
        for pattern in card.patterns:
            assert re.compile(pattern)
            for other in CARDS:
                if other.model and other.name != card.name:
                    assert not re.fullmatch(pattern, other.model, re.IGNORECASE), (card.name, other.model)


def test_no_two_families_have_the_same_name() -> None:
    names = [one["name"] for file in FILES for one in tomllib.loads(file.read_text("utf-8")).get("family", ())]
    assert len(names) == len(set(names)) == len(FAMILIES)


def test_a_class_is_of_one_family_only() -> None:
    names = [name for card in FAMILIES for name in card.architectures]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_models_name_families_that_exist(file: Any) -> None:
    for model in tomllib.loads(file.read_text(encoding="utf-8")).get("model", ()):
        assert "load" not in model or "family" in model
        if "family" in model:
            card = card_of(model["id"])
            assert card is not None and card.name == model["family"]
            assert set(card.notes) >= {*find_card(card.name).notes, *model.get("notes", ())}


COMPLETE = 'name = "x"\nstatus = "layout-only"\nabout = "a"\nsource = "s"\n'
WRONG = (
    "family = 5",
    'family = ["x"]',
    '[family]\nname = "x"',
    "",
    "[[family]]\n",
    f"[[family]]\n{COMPLETE}colour = 3",
    f"[[family]]\n{COMPLETE}load = 3",
    f"[[family]]\n{COMPLETE}load = {{ nonsense = 3 }}",
    f"[[family]]\n{COMPLETE}load = {{ dtype = 5 }}",
    f"[[family]]\n{COMPLETE}load = {{ card = 'x' }}",
    f"[[family]]\n{COMPLETE}notes = 'one'",
    f"[[family]]\n{COMPLETE}patterns = ['(']",
    f"[[family]]\n{COMPLETE}reference = 'code'",
    f"[[family]]\n{COMPLETE.replace('layout-only', 'verified')}",
    f"[[family]]\n{COMPLETE.replace('layout-only', 'unloadable')}",
    f"[[family]]\n{COMPLETE.replace('layout-only', 'good')}",
    f"[[family]]\n{COMPLETE}difference = 'small'",
)


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_card_of_a_user_is_one_sentence(text: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ModelError) as caught:
        find_card(str(file))
    assert str(file) in str(caught.value)
