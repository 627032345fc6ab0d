"""Checks that a server returns raw scores: what the head computes, without sigmoid or softmax.

A sigmoid keeps the order of scores, so accuracies stay the same until scores saturate: those above 17.4 all become 1.0
in single precision (above 6.3 in bfloat16) and tie. Averages, margins and several outputs change at once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rmeval.errors import ModelError
from rmeval.messages import count_of
from rmeval.transport.dialects import Traits
from rmeval.types import FloatArray

__all__ = ["CANARIES", "Tally", "check_raw", "far_apart"]

logger = logging.getLogger(__name__)

CANARIES = (
    ("What is the capital of France?", "The capital of France is Paris."),
    ("What is the capital of France?", "Bananas."),
    ("How do I boil an egg?", "Put it into boiling water for eight minutes, then cool it under running water."),
    ("How do I boil an egg?", "I can not, will not, and do not want to help with that!!! Go away."),
    (
        "Write a function that adds two numbers.",
        "```python\ndef add(a, b):\n    return a + b\n```\n\n**Usage**\n\n* `add(1, 2)` returns `3`\n* floats work",
    ),
    (
        "Explain in detail why the sky is blue.",
        "Sunlight contains all colours. The molecules of the air scatter short wavelengths much more than long ones, "
        "so blue light reaches the eye from all directions, while red light passes nearly straight through. " * 3,
    ),
)
"""Prompts and responses of different length and quality."""

_NEAR = 1e-3
"""Largest difference, relative to the largest score, of two scores that count as the same."""
_OTHER = 0.02
"""The same for scores of different days, whose batches may differ: bfloat16 has 8 bits."""
_FEW = 20
"""Number of scores from which the scores of a run are judged together."""
_TIED = 0.01
"""Share of scores of exactly 0 or 1 from which a warning is logged."""


def far_apart(one: Sequence[float], other: Sequence[float], near: float | None = None) -> bool:
    """Whether the scores of the canaries are those of different models.

    Args:
        one: Scores.
        other: The scores of the same canaries, from another time.
        near: Largest difference of scores of one model; by default relative to the largest score.
    """
    if len(one) != len(other):
        return True
    first, second = np.asarray(one), np.asarray(other)
    limit = _OTHER * max(1e-6, float(np.abs(first).max(initial=0.0))) if near is None else near
    return bool((np.abs(first - second) > limit).any())


def check_raw(raw: FloatArray, activated: FloatArray | None, traits: Traits, where: str, bounded_ok: bool) -> str:
    """Check that the scores of the canaries are raw.

    Args:
        raw: float64[canaries, outputs] with the activation switched off.
        activated: The same with the activation switched on; None if the dialect has no switch.
        traits: The dialect.
        where: Model and address, for messages.
        bounded_ok: Whether the model's raw scores are between 0 and 1.

    Returns:
        What the activation is: `sigmoid`, `softmax`, `identity`, `unknown`, or `no switch`.

    Raises:
        ModelError: If the scores are all the same, or look like probabilities.
    """
    if len(raw) > 1 and not np.ptp(raw, axis=0).any():
        raise ModelError(
            f"{where} returns the same score {raw[0].tolist()} for {count_of(len(raw), 'different conversation')}: "
            "check that `dialect` sends the conversation where the server reads it"
        )
    fix = f"{traits.fix}, or " if traits.fix else ""
    remedy = f"{fix}give `bounded_ok` if the scores of this model are between 0 and 1 by nature"
    if activated is None:
        if _bounded(raw) and not bounded_ok:
            raise ModelError(
                f"{where} returns only scores from 0 to 1 ({_range(raw)}), as a sigmoid or softmax does, and "
                f"{traits.name} cannot switch that off: make the server return raw scores, since probabilities "
                f"near 1 tie; {remedy}"
            )
        return "no switch"
    if _near(raw, activated):
        if not _bounded(raw):
            return "identity"
        if not bounded_ok:
            raise ModelError(
                f"{where} returns the same scores with the activation switched on and off by {traits.name}, all of "
                f"them from 0 to 1 ({_range(raw)}): it ignores the switch and returns probabilities, which tie near 1: "
                f"{remedy}"
            )
        return "unknown"
    if (name := _activation(raw, activated)) is not None:
        return name
    if _activation(activated, raw) is not None:
        raise ModelError(
            f"{where} applies its activation when {traits.name} switches it off, and not when it switches it on: "
            "exchange them in the dialect"
        )
    if _bounded(raw) and not bounded_ok:
        raise ModelError(
            f"{where} returns only scores from 0 to 1 ({_range(raw)}) with its activation switched off: {remedy}"
        )
    logger.warning(
        "%s: its activation is neither sigmoid nor softmax; rmeval uses the scores with the activation switched off",
        where,
    )
    return "unknown"


def _activation(raw: FloatArray, activated: FloatArray) -> str | None:
    """The function that turns one into the other, if it is a usual one."""
    with np.errstate(over="ignore"):
        found = {"sigmoid": 1 / (1 + np.exp(-raw))}
    if raw.shape[1] > 1:
        powers = np.exp(raw - raw.max(axis=1, keepdims=True))
        found["softmax"] = powers / powers.sum(axis=1, keepdims=True)
    return next((name for name, own in found.items() if float(np.abs(own - activated).max()) <= 4 * _NEAR), None)


def _near(one: FloatArray, other: FloatArray) -> bool:
    return float(np.abs(one - other).max()) <= _NEAR * max(1.0, float(np.abs(one).max()))


def _bounded(scores: FloatArray) -> bool:
    return bool(((scores >= 0) & (scores <= 1)).all())


def _range(scores: FloatArray) -> str:
    return f"{scores.min():.6g} to {scores.max():.6g}"


@dataclass(slots=True)
class Tally:
    """Counts of the outputs of a run, to notice probabilities that the canaries did not show.

    Attributes:
        total: Number of inputs.
        bounded: Number of inputs whose outputs are all from 0 to 1.
        ends: Number of inputs with an output of exactly 0 or 1.
    """

    total: int = 0
    bounded: int = 0
    ends: int = 0

    def add(self, numbers: FloatArray) -> None:
        """Count the outputs for one input."""
        self.total += 1
        self.bounded += _bounded(numbers)
        self.ends += bool(((numbers == 0) | (numbers == 1)).any())

    def check(self, where: str, bounded_ok: bool) -> None:
        """Raise a ModelError if all outputs are probabilities, or warn of ties at 0 and 1.

        Raises:
            ModelError: If all outputs are from 0 to 1, unless the model's are by nature.
        """
        if self.total < _FEW or self.bounded < self.total:
            return
        if not bounded_ok:
            raise ModelError(
                f"{where} returned only scores from 0 to 1 for {count_of(self.total, 'input')}, {self.ends} of them "
                "exactly 0 or 1, as a sigmoid does: make the server return raw scores, or give `bounded_ok` if the "
                "scores of this model are between 0 and 1 by nature"
            )
        if self.ends > _TIED * self.total:
            logger.warning(
                "%s returned exactly 0 or 1 for %d of %d inputs: such scores tie, as those of a saturated sigmoid do",
                where,
                self.ends,
                self.total,
            )
