"""Scores that published code gave to tiny checkpoints, and their comparison with rmeval's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.api import score
from rmeval.models.cards import find_card
from tests.zoo.bodies import digest_of

EXPECTED = Path(__file__).parent / "expected"


def expected(family: str) -> dict[str, Any]:
    """What is known of a family: reference, versions, digest of the weights, and the scores of each input."""
    found: dict[str, Any] = json.loads((EXPECTED / f"{family}.json").read_text(encoding="utf-8"))
    return found


def largest_difference(
    family: str,
    folder: Path,
    conversations: Sequence[Sequence[Mapping[str, str]]],
    weights: str = "model.safetensors",
    file: str | None = None,
    key: str = "scores",
    **options: Any,
) -> float:
    """Compare rmeval's scores of a checkpoint, read as its card says, with those of the published code.

    Args:
        family: Name of the card.
        folder: The checkpoint.
        conversations: What was scored.
        weights: The file whose digest is known.
        file: Name of the file of expected scores, if the family has several.
        key: Name of the scores in that file.
        options: Options of the model.

    Returns:
        The largest difference; a difference above 2e-6 of a score, or of 1, fails.
    """
    known, card = expected(file or family), find_card(family)
    if known.get("independent"):
        assert card.status == "layout-only", "the reference is another implementation, not the model's own code"
    else:
        assert (card.status, card.reference) == ("verified", known["reference"])
    assert digest_of(folder / weights) == known["weights_sha256"], "other weights than those the published code read"
    found = score(str(folder), [list(one) for one in conversations], **{"card": family, "device": "cpu", **options})
    wanted = np.array(known[key])
    assert len(set(np.round(wanted, 6))) == len(wanted), "the inputs cannot show a difference"
    apart = np.abs(np.asarray(found) - wanted)
    assert (apart <= 2e-6 * np.maximum(1, np.abs(wanted))).all(), (found, wanted)
    return float(apart.max())
