"""Facts about models: what the files contain, and which names find them."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Any

import pytest

from rmeval.models.cards import Descriptor, all_descriptors, descriptor_of
from rmeval.published import all_boards
from tests.command import process

KINDS = {"", "classifier", "implicit", "comparator", "judge", "process"}
CARDS = [own for own in (files("rmeval.models") / "cards").iterdir() if own.name.endswith(".toml")]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_every_fact_has_a_source(card: Any) -> None:
    stated = tomllib.loads(card.read_text(encoding="utf-8"))
    assert card.read_text(encoding="utf-8").startswith("# ")
    for model in stated.get("model", ()):
        found = descriptor_of(model["id"])
        assert found is not None and found.name == model["id"]
        assert found.source and found.kind in KINDS, found
        assert found.parameters is None or 0 < found.parameters < 1000
        assert found.facts, found


def test_no_model_is_in_two_files() -> None:
    names = [
        model["id"] for card in CARDS for model in tomllib.loads(card.read_text(encoding="utf-8")).get("model", ())
    ]
    assert len(names) == len(set(names)) == len(all_descriptors())


def test_sizes_are_those_in_the_names() -> None:
    for found in all_descriptors():
        if found.parameters is not None:
            number = f"{found.parameters:g}"
            spelled = re.escape(number).replace(r"\.", "[._-]") if "." in number else f"{number}(-0)?"
            assert re.search(rf"(?i)(?<![\d.]){spelled}b", f"{found.name} {found.base_model}"), found


@pytest.mark.parametrize(
    "name",
    [
        "LxzGordon/URM-LLaMa-3.1-8B",
        "lxzgordon/urm_llama_3.1_8b",
        "URM-LLama-3.1-8B",  # As the leaderboard of RM-Bench spells it.
        "unknown/URM-LLaMa-3.1-8B",
        "LxzGordon__URM-LLaMa-3.1-8B",  # As a run of the hub's model is named.
    ],
)
def test_spellings(name: str) -> None:
    found = descriptor_of(name)
    assert found is not None
    assert (found.name, found.base_model) == ("LxzGordon/URM-LLaMa-3.1-8B", "Skywork/Skywork-Reward-Llama-3.1-8B")


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "/", "no-such-model", "baseline:longest", "someone/URM-LLaMa-3.1-8B", "/data/URM-LLaMa-3.1-8B"),
        # 3.1 and 31 are other versions.
        *("URM-LLaMa-31-8B", "<script>alert(1)</script>", "\x1b[31m", "\u202e", "x" * 100_000),
    ],
)
def test_other_names_have_no_facts(name: str) -> None:
    assert descriptor_of(name) is None


def test_facts_in_words() -> None:
    found = descriptor_of("Skywork/Skywork-Reward-V2-Qwen3-0.6B")
    assert found is not None
    assert found.facts == (
        "Bradley-Terry, based on Qwen/Qwen3-0.6B, 0.6B parameters, trained on 26 million curated preference pairs, "
        "licence Apache-2.0"
    )
    assert Descriptor("a").facts == ""


def test_most_models_of_the_boards_are_known() -> None:
    known = {
        board.id: sum(descriptor_of(row.model) is not None for row in board.rows) / len(board.rows)
        for board in all_boards()
    }
    assert known["rm-bench"] > 0.85
    assert known["reward-bench"] > 0.75
    assert known["rmb"] > 0.8


def test_facts_need_no_torch() -> None:
    code = (
        "import sys; from rmeval.models.cards import descriptor_of; descriptor_of('x'); print('torch' in sys.modules)"
    )
    assert process("-c", code).stdout.strip() == "False"
