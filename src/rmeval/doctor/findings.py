"""Findings of `rmeval doctor`, and the checks of the readout and of the network's own forward."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rmeval.engines import AtPositions, LastLogits, LastToken, Pooled
from rmeval.errors import ModelError
from rmeval.models.classifier import Classifier

if TYPE_CHECKING:
    from rmeval.engines.hf.engine import HFEngine
    from rmeval.rendering.chat import TokenArray

__all__ = ["Finding", "engine_of", "own_forward", "place"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        level: `ok`, `note` for something to know, or `problem` for a likely cause of wrong scores.
        text: What was found.
        advice: What to do about it.
    """

    level: Literal["ok", "note", "problem"]
    text: str
    advice: str = ""


def engine_of(model: Classifier) -> HFEngine:
    """The engine of a model.

    Raises:
        ModelError: If it is not `hf`, whose network can be examined.
    """
    from rmeval.engines.hf.engine import HFEngine

    if not isinstance(model.engine, HFEngine):
        raise ModelError(
            f"rmeval doctor examines networks of the engine hf, but {model.name} runs on {model.engine.name}: "
            "use the engine hf"
        )
    return model.engine


def place(model: Classifier, sequences: Sequence[TokenArray]) -> Iterator[Finding]:
    """Findings on the token at which the score is read.

    Args:
        model: A classifier that has already scored something.
        sequences: Tokens of conversations.
    """
    tokenizer, engine = model.texts.renderer.tokenizer, engine_of(model)
    readout = model.readout(())
    read = str(engine.facts().get("readout", {}).get("read", ""))
    if isinstance(readout, Pooled):
        yield Finding("ok", f"it pools: its score is computed from {_pooled(engine, tokenizer)}")
        return
    if not isinstance(readout, LastToken | LastLogits | AtPositions) or read.startswith("own forward"):
        yield Finding("ok", f"its own forward determines where the score is read ({read})")
        return
    what = "the logits are" if isinstance(readout, LastLogits) else "the head is"
    last = Counter(int(tokens[-1]) for tokens in sequences)
    if isinstance(readout, AtPositions):
        what = "the head, whose gate is read elsewhere, is"
    if len(last) > 1:
        yield Finding(
            "note",
            f"{what} read at {len(last)} different tokens: the template writes nothing after the response",
            "check that the model was trained this way: most templates close the turn",
        )
    else:
        yield Finding("ok", f"{what} read at {tokenizer.decode([next(iter(last))])!r} in all conversations")


def _pooled(engine: HFEngine, tokenizer: Any) -> str:
    """What an encoder pools: the first token, unless its config states the mean of all tokens."""
    if engine.network.pools_mean:
        return "the mean of all tokens"
    first = tokenizer.cls_token or tokenizer.bos_token
    return "the first token" + (f", which should be {first!r}" if first else "")


def own_forward(model: Classifier) -> Iterator[Finding]:
    """Findings on the comparison of the head at the last token with the network's own forward."""
    engine = engine_of(model)
    facts = engine.facts()
    if passed_over := engine.network.passed_over:
        yield Finding(
            "note",
            f"its config names its own class ({passed_over[0]}), which was not loaded; scores are those of "
            f"{facts['architecture']} and may differ from the authors'",
            passed_over[1],
        )
    read = facts.get("readout", {})
    if "own_forward" in read:
        yield Finding(
            "note",
            f"{read['read'].removesuffix(' at the last token')} is read at the last token, which cannot be checked: "
            "the checkpoint has no forward to compare with",
            "compare a few scores with the authors' scores",
        )
    elif read.get("compared") and not read.get("why"):
        yield Finding(
            "ok",
            f"{read['read']} and its own forward return equal scores ({read['compared']} conversations one by one, "
            f"largest difference {read['difference']:.2g})",
        )
    elif "why" in read:
        yield Finding("note", f"{read['why']}: {read['read']} is used", "prefixes are not shared: scoring takes longer")
    elif str(read.get("read", "")).startswith("own forward"):
        yield Finding("ok", f"scores are those of its own forward ({read['read'].removeprefix('own forward, ')})")
