"""Heads of several layers, described by the names of their weights, so that no code of a checkpoint needs to run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from rmeval.errors import ModelError
from rmeval.messages import quoted

__all__ = ["OPERATIONS", "HeadLayout", "read_layout"]

OPERATIONS = {
    "relu": "",
    "leaky_relu": "",
    "selu": "",
    "gelu": "",
    "tanh": "",
    "sigmoid": "",
    "softmax": "a number, or the name of a value in the config",
    "stack": "the name of one linear layer or several",
    "norm": "the name of a batch norm",
    "matrix": "the name of a matrix",
    "scale": "the name of a number",
    "mean": "a whole number",
    "every": "a whole number",
    "levels": "a whole number",
    "normalizer": "the name of a normalizer of safe-rlhf",
    "features": "the name of a sparse autoencoder",
}
"""Operations between linear layers, and what follows the colon; see `HeadLayout.layers`."""
CONVERSIONS = ("internlm2",)
"""Conversions of a body's weights; see `HeadLayout.convert`."""


@dataclass(frozen=True, slots=True)
class HeadLayout:
    """A head that is applied to hidden states, position by position, in float32.

    Attributes:
        layers: Names of linear layers in the checkpoint (`NAME.weight` and `NAME.bias`), and
            operations: `relu`, `leaky_relu`, `selu`, `gelu`, `tanh`, `sigmoid`; `stack:NAME`, the layer NAME, or the
            layers NAME.0, NAME.2 and so on that the checkpoint has, with a ReLU between them; `softmax`, or
            `softmax:T` of the outputs divided by T, a number or the name of a value in the config, `softmax:NAME=T`
            if the config may lack it, which then means T; `norm:NAME`, a batch norm with stored statistics;
            `matrix:NAME`, the product with a tensor; `scale:NAME`, the product with a number; `mean:N`, the mean of
            each N consecutive outputs; `every:N`, the outputs 0, N, 2N and so on; `levels:N`, for each N consecutive
            outputs the expectation of N levels from 0 to 1 under their softmax; `normalizer:NAME`, the normalizer of
            safe-rlhf with stored statistics, if the config states `do_normalize`; `features:NAME`, the features of a
            sparse autoencoder of the standardised hidden state, of which the config's `sae_k` largest are kept.
        unbiased: Names of linear layers that may lack a bias, which is an error for all others.
        gate: A second chain of layers with as many outputs, the weights of the first chain's outputs: the score is the
            sum of their products.
        gate_at: Token ids; the gate is read at the first token of their last occurrence. If there are none, it is read
            where the outputs are.
        files: Further files that hold weights of the head, each with a prefix for their names.
        body: Prefix of the body's weights, where transformers does not know it.
        body_type: `model_type` of the body, where the config states one that transformers does not know.
        convert: Name of a conversion of the body's weights to those of `body_type`: `internlm2`.
        states: Names of values of the config, each with the only value for which the layout holds.
        appends: Whether the token at which the score is read (`reward_token_id` of the config) is appended to sequences
            that do not end with it.
        last_norm: Whether hidden states are read after the body's last norm.
        together: Number of hidden states that are concatenated to one input.
        ignore: Regular expressions of names of weights that the checkpoint may hold besides; any other is an error.
    """

    layers: tuple[str, ...]
    unbiased: tuple[str, ...] = ()
    gate: tuple[str, ...] = ()
    gate_at: tuple[int, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    body: str = ""
    body_type: str = ""
    convert: str = ""
    states: tuple[tuple[str, str], ...] = ()
    appends: bool = False
    last_norm: bool = True
    together: int = 1
    ignore: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from the defaults, as JSON."""
        plain = asdict(self)
        kept = {one.name: plain[one.name] for one in fields(self) if plain[one.name] != one.default}
        # Lists in place of tuples, so that it equals what a manifest stores.
        found: dict[str, Any] = json.loads(json.dumps(kept))
        return found

    @property
    def title(self) -> str:
        """The layers in words, for messages."""
        gate = f", weighted by {' '.join(self.gate)}" if self.gate else ""
        return f"{' '.join(self.layers)}{gate}"


def parts_of(step: str) -> tuple[str, str]:
    """Operation and value of a step of a chain; the operation of a linear layer is `linear`."""
    name, colon, value = step.partition(":")
    if name in OPERATIONS and (bool(colon) == bool(OPERATIONS[name]) or step == "softmax"):
        return name, value
    return "linear", step


def read_layout(stated: Mapping[str, Any], where: str) -> HeadLayout:
    """Read a layout from a card.

    Args:
        stated: The table of the card.
        where: Its place, for messages.

    Raises:
        ModelError: If it is not a layout.
    """
    known = {one.name for one in fields(HeadLayout)}
    if unknown := sorted(set(stated) - known):
        raise ModelError(f"{where} has {unknown[0]!r}, which is no part of a head: choose {', '.join(sorted(known))}")
    if not stated.get("layers"):
        raise ModelError(f"{where} has no 'layers': give the names of the head's layers in the checkpoint")
    wrong = next(_wrong(stated), None)
    if wrong is not None:
        raise ModelError(f"{where}: {wrong}")
    given: dict[str, Any] = {
        name: tuple(tuple(one) if isinstance(one, list) else one for one in value) if isinstance(value, list) else value
        for name, value in stated.items()
    }
    return HeadLayout(**given)


def _wrong(stated: Mapping[str, Any]) -> Iterator[str]:
    for name, (fits, form) in _FORMS.items():
        if name in stated and not fits(stated[name]):
            yield f"{name} must be {form}, not {quoted(stated[name])}"
            return
    for step in (*stated["layers"], *stated.get("gate", [])):
        yield from _wrong_step(step)
    for part, whole in (("gate_at", "gate"), ("convert", "body_type")):
        if stated.get(part) and not stated.get(whole):
            yield f"{part} has no effect without {whole}: add it, or leave {part} out"
    for pattern in stated.get("ignore", []):
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"ignore has {quoted(pattern)}, which is no regular expression ({error})"


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one for one in value)


def _whole_numbers(value: object) -> bool:
    return isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)


def _pairs(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, list) and len(one) == 2 and _texts(one[:1]) and isinstance(one[1], str) for one in value
    )


_FORMS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    **dict.fromkeys(("layers", "unbiased", "gate", "ignore"), (_texts, "a list of texts")),
    "gate_at": (_whole_numbers, "a list of token ids"),
    **dict.fromkeys(("files", "states"), (_pairs, "a list of pairs of texts")),
    "convert": (lambda value: value in CONVERSIONS, f"one of {', '.join(CONVERSIONS)}"),
    **dict.fromkeys(("appends", "last_norm"), (lambda value: isinstance(value, bool), "true or false")),
    "together": (lambda value: type(value) is int and value >= 1, "a whole number of at least 1"),
    **dict.fromkeys(("body", "body_type"), (lambda value: isinstance(value, str), "a text")),
}
"""For each part of a layout: a test of its value, and the form in words."""


def _wrong_step(step: str) -> Iterator[str]:
    operation, value = parts_of(step)
    if operation == "linear" and (":" in step or step in OPERATIONS):
        needs = OPERATIONS.get(step.partition(":")[0])
        what = f"give {needs} after a colon" if needs else f"the operations are {', '.join(OPERATIONS)}"
        yield f"{step!r} is no layer: {what}"
    if operation in ("mean", "every", "levels") and not (value.isdecimal() and int(value)):
        yield f"{step!r} needs a whole number of at least 1 after the colon"
    if operation == "softmax" and "=" in value and not _POSITIVE.fullmatch(value.partition("=")[2]):
        yield f"{step!r} needs a number above 0 after the equals sign"


_POSITIVE = re.compile(r"(?=.*[1-9])\d+(\.\d+)?")
