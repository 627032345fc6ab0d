"""Classifiers of the architectures that transformers has score as their own forward does; a third of them here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rmeval
from rmeval.errors import ModelError
from rmeval.models import load_model
from rmeval.types import Conversation, Message
from tests.architectures import ALL, BOTH, DECODERS, compare, make_classifier, slow_but

OTHER_HEADS = ("ctrl", "modernbert-decoder", "xlnet")
"""Decoders that transformers gives no head called `score`."""


@pytest.mark.parametrize("kind", slow_but(list(ALL)[::9], list(ALL)[::3]))
def test_a_classifier_scores_as_its_own_forward(tmp_path: Path, kind: str) -> None:
    found = compare(make_classifier(tmp_path / "m", kind))
    assert not found.refusal
    assert found.spread > 1e-3, "a test that any constant passes"
    assert found.difference <= 1e-4 * max(1.0, found.spread)
    at_last = kind in DECODERS and kind not in OTHER_HEADS
    assert found.read.startswith("score at the last token" if at_last else "own forward")
    assert not (found.shared and kind in BOTH)


def talks_of(tokens: int, folder: Path) -> list[Conversation]:
    """A conversation that the template of `make_classifier` makes that many tokens of."""
    renderer = load_model(str(folder), on_overlength="skip").texts.renderer  # type: ignore[attr-defined]
    for words in range(tokens):
        talk = (Message("user", "what"), Message("assistant", "!" * words))
        if len(renderer.render([talk])[0].tokens) == tokens:
            return [talk]
    raise AssertionError(f"no conversation has {tokens} tokens")


TABLES = {
    "roberta": 63,
    "xlm-roberta": 63,
    "camembert": 63,
    "longformer": 63,
    "esm": 63,
    "ibert": 63,
    "data2vec-text": 63,
    "mpnet": 62,
    "xmod": 63,
    "xlm-roberta-xl": 63,
    "roberta-prelayernorm": 63,
    "bert": 64,
    "gpt2": 64,
    "opt": 64,
    "bart": 64,
    "mpt": 64,
}
"""Tokens that fit into a table of 64 positions, where padding is token 0."""


@pytest.mark.parametrize("kind", slow_but(("roberta", "gpt2", "bart", "mpt"), TABLES))
def test_the_longest_that_a_table_of_positions_takes(tmp_path: Path, kind: str) -> None:
    """One more is refused before the network fails on it; which it does, so that the limit is not too low."""
    rows = {"max_seq_len": 64} if kind == "mpt" else {"max_position_embeddings": 64}
    folder = make_classifier(tmp_path / "m", kind, **rows)
    limit = TABLES[kind]
    assert np.isfinite(rmeval.score(str(folder), talks_of(limit, folder))).all()
    with pytest.raises(ModelError, match=f"m takes at most {limit} tokens, exceeded by"):
        rmeval.score(str(folder), talks_of(limit + 1, folder))
    with pytest.raises(ModelError, match=f"supports at most {limit} tokens"):
        load_model(str(folder), max_length=limit + 1)


@pytest.mark.parametrize("kind", ["xlnet", "bloom"])
def test_architectures_without_a_table_state_no_limit(tmp_path: Path, kind: str) -> None:
    assert load_model(str(make_classifier(tmp_path / "m", kind))).texts.limit is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(("padding", "limit"), [(1, 62), (0, 63), (5, 58)])
def test_positions_are_counted_from_the_padding_token(tmp_path: Path, padding: int, limit: int) -> None:
    folder = make_classifier(tmp_path / "m", "xlm-roberta", max_position_embeddings=64, pad_token_id=padding)
    assert load_model(str(folder)).texts.limit == limit  # type: ignore[attr-defined]
