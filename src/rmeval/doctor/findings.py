"""What `rmeval doctor` finds, and where a classifier is read and what its own forward makes of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rmeval.engines import LastLogits, LastToken, Pooled
from rmeval.errors import ModelError
from rmeval.models.classifier import Classifier

if TYPE_CHECKING:
    from rmeval.engines.hf.engine import HFEngine
    from rmeval.rendering.chat import TokenArray

__all__ = ["Finding", "engine_of", "own_forward", "place"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: Whether it is as it should be, worth knowing, or wrong.
        text: What was found.
        advice: What to do about it.
    """

    level: Literal["ok", "note", "problem"]
    text: str
    advice: str = ""


def engine_of(model: Classifier) -> HFEngine:
    """The engine of a model, whose network is examined.

    Raises:
        ModelError: If it is another than `hf`.
    """
    from rmeval.engines.hf.engine import HFEngine

    if not isinstance(model.engine, HFEngine):
        raise ModelError(
            f"rmeval doctor examines networks that the engine hf runs, and {model.name} is run by {model.engine.name}: "
            "use the engine hf"
        )
    return model.engine


def place(model: Classifier, sequences: Sequence[TokenArray]) -> Iterator[Finding]:
    """Where the score is read.

    Args:
        model: A classifier whose weights are loaded and which has read something.
        sequences: Tokens of conversations.
    """
    tokenizer, engine = model.texts.renderer.tokenizer, engine_of(model)
    readout = model.readout()
    read = str(engine.facts().get("readout", {}).get("read", ""))
    if isinstance(readout, Pooled):
        yield Finding("ok", f"it pools: its score is made of {_pooled(engine, tokenizer)}")
        return
    if not isinstance(readout, LastToken | LastLogits) or read.startswith("own forward"):
        yield Finding("ok", f"its own forward decides where the score is read ({read})")
        return
    what = "the logits are" if isinstance(readout, LastLogits) else "the head is"
    last = Counter(int(tokens[-1]) for tokens in sequences)
    if len(last) > 1:
        yield Finding(
            "note",
            f"{what} read at {len(last)} different tokens: the template writes nothing after the answer",
            "check that it was trained that way: most templates close the turn",
        )
    else:
        yield Finding("ok", f"{what} read at {tokenizer.decode([next(iter(last))])!r} in all conversations")


def _pooled(engine: HFEngine, tokenizer: Any) -> str:
    """What an encoder makes its score of: its first token, unless its config says that it takes the mean."""
    if engine.network.pools_mean:
        return "the mean of all tokens"
    first = tokenizer.cls_token or tokenizer.bos_token
    return "the first token" + (f", which should be {first!r}" if first else "")


def own_forward(model: Classifier) -> Iterator[Finding]:
    """What comparing the head at the last token with the network's own forward gave."""
    engine = engine_of(model)
    facts = engine.facts()
    if passed_over := engine.network.passed_over:
        yield Finding(
            "note",
            f"its config names a class of its own ({passed_over[0]}), which was passed over for "
            f"{facts['architecture']}; scores may differ from the authors'",
            passed_over[1],
        )
    read = facts.get("readout", {})
    if "own_forward" in read:
        yield Finding(
            "note",
            f"{read['read'].removesuffix(' at the last token')} is read at the last token, and no class of its own "
            "says whether that is right: there is no forward to compare with",
            "compare a few scores with those that its authors give",
        )
    elif read.get("compared") and not read.get("why"):
        yield Finding(
            "ok",
            f"{read['read']} and its own forward give equal scores ({read['compared']} conversations one by one, "
            f"largest difference {read['difference']:.2g})",
        )
    elif "why" in read:
        yield Finding("note", f"{read['why']}: {read['read']} is used", "prefixes are not shared, which takes longer")
    elif str(read.get("read", "")).startswith("own forward"):
        yield Finding("ok", f"scores are those of its own forward ({read['read'].removeprefix('own forward, ')})")
