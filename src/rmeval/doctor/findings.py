"""Findings of the doctor, and those about where a classifier is read and what its own forward makes of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rmeval.engines import LastLogits, LastToken, Pooled
from rmeval.models.classifier import Classifier

if TYPE_CHECKING:
    from rmeval.engines.hf.render import TokenArray

__all__ = ["Finding", "added_tokens", "own_forward", "place"]


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


def place(model: Classifier, sequences: Sequence[TokenArray]) -> Iterator[Finding]:
    """Where the score is read.

    Args:
        model: A classifier whose weights are loaded and which has read something.
        sequences: Tokens of conversations.
    """
    tokenizer, network = model.texts.renderer.tokenizer, model.engine.network
    readout = model.readout()
    read = str(network.forward.facts().get("readout", {}).get("read", ""))
    if isinstance(readout, Pooled):
        yield Finding("ok", f"it pools: its score is made of {_pooled(network.config.get_text_config(), tokenizer)}")
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


def _pooled(config: Any, tokenizer: Any) -> str:
    """What an encoder makes its score of: its first token, unless its config says that it takes the mean."""
    if getattr(config, "classifier_pooling", "cls") == "mean":
        return "the mean of all tokens"
    first = tokenizer.cls_token or tokenizer.bos_token
    return "the first token" + (f", which should be {first!r}" if first else "")


def own_forward(model: Classifier) -> Iterator[Finding]:
    """What comparing the head at the last token with the network's own forward gave."""
    facts = model.engine.facts()
    if passed_over := model.engine.network.passed_over:
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


def added_tokens(model: Classifier, sequences: Sequence[TokenArray]) -> Iterator[Finding]:
    """Special tokens that the tokenizer alone puts around a text, and the template does not."""
    tokenizer = model.texts.renderer.tokenizer
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    start = next((k for k in range(len(whole)) if whole[k : k + len(bare)] == bare), None)
    if start is None:
        return
    before, after = whole[:start], whole[start + len(bare) :]
    begins = all(tokens[: len(before)].tolist() == before for tokens in sequences)
    ends = all(tokens[len(tokens) - len(after) :].tolist() == after for tokens in sequences)
    for tokens, there, where in ((before, begins, "before"), (after, ends, "after")):
        if tokens and not there:
            yield Finding(
                "note",
                f"the tokenizer alone puts {tokenizer.decode(tokens)!r} {where} a text, and the template writes none "
                "there",
                "check how the model was trained; if with it, give a template that writes it with `chat_template`",
            )
