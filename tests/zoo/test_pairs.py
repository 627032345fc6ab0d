"""Models that compare two responses: log-odds equal those of the published code, in both orders."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rmeval.errors import ModelError
from rmeval.models import load_model
from rmeval.models.cards import find_card
from rmeval.types import Message, Observation, Request
from tests.zoo.bodies import digest_of
from tests.zoo.expected_scores import expected
from tests.zoo.pairs import LONG_PAIRS, SHORT_PAIRS, Pair, better_pairrm, pairrm, rlhflow, steamshp

ALL = (*SHORT_PAIRS, *LONG_PAIRS)


def observations(folder: Path, pairs: Sequence[Pair], **options: Any) -> list[Observation]:
    """The observation of each pair in both orders."""
    requests = []
    for number, (talk, first, second) in enumerate(pairs):
        prompt = tuple(Message(one["role"], one["content"]) for one in talk)
        for order, shown in enumerate(((first, second), (second, first))):
            key = f"{2 * number + order:032x}"
            requests.append(Request(key, f"item {number}", (order, 1 - order), prompt, shown))
    model = load_model(str(folder), device="cpu", **options)
    found = {one.key: one for batch in model.observe(requests) for one in batch}
    return [found[request.key] for request in requests]


@pytest.mark.parametrize(
    ("family", "write", "pairs"),
    [
        ("pairrm", pairrm, ALL),
        ("better-pairrm", better_pairrm, ALL),
        ("steamshp", steamshp, SHORT_PAIRS),
        ("rlhflow-pair", rlhflow, SHORT_PAIRS),
    ],
)
def test_log_odds_are_those_of_the_published_code(
    family: str, write: Callable[[Path], Path], pairs: Sequence[Pair], tmp_path: Path
) -> None:
    folder, known, card = write(tmp_path / "model"), expected(family), find_card(family)
    assert (card.status, card.reference) == ("verified", known["reference"])
    assert digest_of(folder / "model.safetensors") == known["weights_sha256"]
    # Random weights give the two letters of a language model little probability.
    kept = {} if "pairrm" in family else {"min_label_mass": 0.0}
    seen = observations(folder, pairs, card=family, **kept)
    found = np.array([one.values["log_odds"] for one in seen])
    wanted = np.array(known["scores"]).reshape(-1)
    assert len(set(np.round(wanted, 6))) == len(wanted), "the inputs cannot show a difference"
    apart = np.abs(found - wanted)
    assert (apart <= 2e-6 * np.maximum(1, np.abs(wanted))).all(), (found, wanted)
    cut = [one.input_truncated for one in seen]
    assert cut == [pair in LONG_PAIRS for pair in pairs for _ in range(2)]


def test_texts_that_pairrm_cannot_read(tmp_path: Path) -> None:
    folder = pairrm(tmp_path / "model")
    talk = [{"role": "user", "content": "Why?"}]
    pairs: list[Pair] = [
        (talk, "so", "a <|candidate2|> inside"),
        ([*talk, *talk], "so", "no"),
        (talk, "so", "no"),
    ]
    marked, twice, good = observations(folder, pairs, card="pairrm")[::2]
    assert marked.error is not None and "a text contains <|candidate2|>" in marked.error
    assert twice.error is not None and "must alternate" in twice.error
    assert good.status == "ok"


def test_messages_of_the_system(tmp_path: Path) -> None:
    pair = ([{"role": "system", "content": "Be short."}, {"role": "user", "content": "Why?"}], "so", "no")
    folder = pairrm(tmp_path / "model")
    with pytest.raises(ModelError, match="does not show messages of the role 'system'"):
        observations(folder, [pair], card="pairrm")
    left_out = observations(folder, [pair], card="pairrm", allow_dropped_roles=("system",))
    without = observations(folder, [(pair[0][1:], *pair[1:])], card="pairrm")
    assert [one.values for one in left_out] == [one.values for one in without]
    better = better_pairrm(tmp_path / "better")
    shown, alone = (
        observations(better, [(talk, *pair[1:])], card="better-pairrm")[0] for talk in (pair[0], pair[0][1:])
    )
    assert shown.values != alone.values


def test_comparison_and_head_must_fit(tmp_path: Path) -> None:
    folder = pairrm(tmp_path / "model")
    with pytest.raises(ModelError, match="the comparison letters does not fit the head"):
        load_model(str(folder), card="pairrm", comparison="letters")
    with pytest.raises(ModelError, match=r"the comparison pairrm does not fit .* give `card` pairrm"):
        load_model(str(rlhflow(tmp_path / "lm")), kind="comparator", comparison="pairrm")
    steamshp(tmp_path / "t5")
    with pytest.raises(ModelError, match=r"needs the token <\|source\|>, which the tokenizer lacks"):
        load_model(str(folder), card="pairrm", tokenizer=str(tmp_path / "t5"))


def test_llm_blenders_own_checkpoint_names_the_one_that_loads(tmp_path: Path) -> None:
    """Its config states the type of another DeBERTa and no sizes, so transformers builds a network of other shapes."""
    folder = pairrm(tmp_path / "model")
    stated = {"ranker_type": "pairranker", "model_type": "deberta", "model_name": "microsoft/deberta-v3-large"}
    (folder / "config.json").write_text(json.dumps(stated))
    with pytest.raises(ModelError, match="shape"):
        observations(folder, SHORT_PAIRS[:1], card="pairrm")
    with pytest.raises(ModelError, match="load llm-blender/PairRM-hf"):
        load_model("llm-blender/PairRM")


def test_a_run_with_a_layout_is_resumed(tmp_path: Path) -> None:
    """Its identity equals the one that the manifest stores as JSON."""
    identity = load_model(str(pairrm(tmp_path / "model")), card="pairrm").identity()
    assert json.loads(json.dumps(identity)) == identity
    assert identity["layout"]["together"] == 2
