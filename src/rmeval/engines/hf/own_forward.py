"""A classifier's own forward: compares it with the head at the last token, and reads it if the two differ."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rmeval.engines.base import AtPositions, LastToken, OwnForward, Pooled, Readout, TokenSequence
from rmeval.engines.hf.code import any_error, is_own_class
from rmeval.engines.hf.heads import HEAD
from rmeval.engines.hf.outputs import Values, by_sequence, padded, tensors_of
from rmeval.engines.hf.readouts import Reader, below_gives
from rmeval.errors import ModelError, reason_of
from rmeval.loading import LOADING_ERRORS
from rmeval.types import FloatArray

if TYPE_CHECKING:
    from rmeval.engines.hf.network import Network

__all__ = ["FLOORS", "Agreement", "Forward"]

logger = logging.getLogger(__name__)

FLOORS = {torch.float32: 1e-5, torch.bfloat16: 2**-5, torch.float16: 2**-8}
"""Smallest tolerance when values are compared, times max(1, |value|): 1e-5 in float32, four steps of 16-bit formats."""
SAMPLE = 3
"""Number of sequences that are compared, one by one and without padding."""
SHORT = 256
"""Largest number of tokens of a compared sequence, if enough sequences are that short."""
SIZES = (0.0, 1.0, 1000.0)
"""Sizes of the scores of random hidden states in the check that head and output are the same linear map."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of the head at the last token with the network's own forward.

    Attributes:
        compared: Number of sequences.
        largest_difference: The largest difference of an output.
        agrees: Whether rounding explains the differences.
        why: What differs, if they do not agree.
    """

    compared: int
    largest_difference: float
    agrees: bool
    why: str = ""


class Forward:
    """The own forward of a network.

    Attributes:
        comparison: Its agreement with the head at the last token; None before the comparison.
        alone: Whether sequences are run one at a time, because batches yield other values.
    """

    def __init__(self, network: Network) -> None:
        """Store the network, whose weights are not loaded yet."""
        self._network = network
        self.forget()

    def forget(self) -> None:
        """Discard the comparison, because the weights are loaded again."""
        self.comparison: Agreement | None = None
        self.alone: bool | None = None
        self._readout: Readout | None = None
        self._longest = 0

    def facts(self) -> dict[str, Any]:
        """How the network is read, for the manifest."""
        if self._readout is None:
            return {}
        if isinstance(self._readout, LastToken):
            found: dict[str, Any] = {"read": f"{self._readout.head} at the last token"}
            if self._readout.head == HEAD:
                found = {"read": f"{self._network.head_name} at the last token", "own_forward": "has no such head"}
        else:
            found = {"read": "own forward, one by one" if self.alone else "own forward, padded batches"}
        if self.comparison is not None:
            found |= {"compared": self.comparison.compared, "difference": self.comparison.largest_difference}
            found |= {"why": self.comparison.why} if self.comparison.why else {}
        return {"readout": found}

    def settle(self, sequences: Sequence[TokenSequence], wanted: Readout) -> Readout:
        """The readout that agrees with the network's own forward, found on a few sequences at the first call.

        Args:
            sequences: The sequences to read.
            wanted: The readout that was requested.

        Raises:
            ModelError: If its own forward returns no score, or the readout at single tokens does not agree with it.
        """
        if not isinstance(wanted, LastToken | AtPositions | OwnForward | Pooled):
            return wanted
        if sample := self._to_compare(sequences):
            found: Readout = LastToken(wanted.head) if isinstance(wanted, AtPositions) else wanted
            found = self._readout if isinstance(self._readout, OwnForward) else found
            if isinstance(found, LastToken) and found.head != HEAD and not self._agrees(sample, found.head):
                found = OwnForward()
            if isinstance(found, OwnForward):
                self._try_batches(sample)
            # Set only if nothing was raised, so that a second call raises again.
            self._readout, self._longest = found, max(map(len, sample))
        if isinstance(self._readout, OwnForward) and isinstance(wanted, AtPositions):
            raise ModelError(
                f"{self._name} cannot be read at single tokens: its own forward returns other scores than "
                f"{wanted.head} at the last token"
            )
        return self._readout if self._readout is not None and not isinstance(wanted, AtPositions) else wanted

    def values(self, ids: torch.Tensor, mask: torch.Tensor) -> list[FloatArray]:
        """The own forward's values for a batch that is padded on the right.

        Args:
            ids: int64[rows, tokens].
            mask: int64[rows, tokens], 1 where there are tokens.

        Raises:
            ModelError: If it does not return one or more scores per sequence.
        """
        found = self._call(ids, mask)
        if found.per_token:
            raise self._no_score("a number for each token")
        return found.rows

    def _to_compare(self, sequences: Sequence[TokenSequence]) -> list[TokenSequence]:
        """A few sequences at the first call, and the longest for a checkpoint's own class, which may cut long ones.

        Such a class is compared again when a longer sequence follows.
        """
        longest = max(sequences, key=len, default=())
        own = is_own_class(self._network.model)
        if self._readout is not None and not (own and len(longest) > self._longest):
            return []
        sample = _sample(sequences)
        return [*sample, longest] if own and len(longest) > max(map(len, sample), default=0) else sample

    @property
    def _name(self) -> str:
        return f"{self._network.checkpoint.source} ({type(self._network.model).__name__})"

    def _agrees(self, sample: Sequence[TokenSequence], head: str) -> bool:
        """Whether the head at the last token agrees with the own forward; logs a warning if not."""
        self.comparison = self._compared(sample, head)
        if not self.comparison.agrees:
            logger.warning(
                "%s: %s; its own forward is used, which shares no prefixes and takes longer",
                self._name,
                self.comparison.why,
            )
        return self.comparison.agrees

    def _compared(self, sample: Sequence[TokenSequence], head: str) -> Agreement:
        network, own_class = self._network, is_own_class(self._network.model)
        try:
            own = [self._call(*padded([one], network.padding)) for one in sample]
        except LOADING_ERRORS as error:
            if not own_class:
                # A class of transformers that needs more than tokens; its layout is known.
                return Agreement(0, 0.0, True, f"its own forward fails ({reason_of(error)})")
            raise ModelError(f"the forward of {self._name} fails ({reason_of(error)}): check its code") from error
        try:
            states = [self._hidden(one) for one in sample]
            ours = [self._read(one, head) for one in states]
        except LOADING_ERRORS as error:
            return Agreement(0, 0.0, False, f"{head} cannot be read at the last token ({reason_of(error)})")
        differences = [self._difference(a, b.rows[0]) for a, b in zip(ours, own, strict=True)]
        largest = max(difference for difference, _ in differences)
        if not all(close for _, close in differences):
            why = f"{head} at the last token yields other scores than its own forward (by up to {largest:.2g})"
            return Agreement(len(sample), largest, False, why)
        if own_class and (why := self._differs_elsewhere(sample, head, states[0].shape[1])):
            return Agreement(len(sample), largest, False, why)
        return Agreement(len(sample), largest, True)

    def _difference(self, found: FloatArray, own: FloatArray, least: float = 1.0) -> tuple[float, bool]:
        """The largest difference of outputs, and whether rounding explains it."""
        if found.shape != own.shape:
            return float("inf"), False
        both = np.isfinite(found) & np.isfinite(own)
        apart = np.abs(np.where(both, found - own, 0.0))
        floor = FLOORS.get(self._network.model.dtype, 1e-5) * np.maximum(least, np.abs(own))
        same = np.where(both, apart <= floor, np.isnan(found) == np.isnan(own))
        return float(np.max(apart, initial=0)), bool(np.all(same))

    def _hidden(self, sequence: TokenSequence) -> torch.Tensor:
        """The last hidden states of one sequence: float[tokens, width]."""
        model = self._network.model
        if model.base_model is model:
            raise TypeError("the layers below its head are not a separate module")
        ids, mask = (one.to(self._network.device) for one in padded([sequence], 0))
        with torch.inference_mode():
            states = model.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        hidden: torch.Tensor = states[0]
        return hidden

    def _read(self, hidden: torch.Tensor, head: str) -> FloatArray:
        """The head's output at the last row of hidden states float[tokens, width]."""
        reader = Reader(self._network.model, LastToken(head), [range(len(hidden))])
        return reader.values(hidden, [0], [lambda positions: positions])[0]

    def _differs_elsewhere(self, sample: Sequence[TokenSequence], head: str, width: int) -> str:
        """Compare the class's output on random hidden states with that of the head; return what differs.

        A class may clip scores at a bound, or shift them by less than the number format resolves; the scores of a few
        sequences need not show either.
        """
        model, network = self._network.model, self._network
        random = torch.Generator().manual_seed(0)
        least = float(torch.finfo(model.dtype).tiny)
        for sequence in sample:
            ids, mask = padded([sequence], network.padding)
            unit = torch.randn(len(sequence), width, generator=random).to(network.device)
            reach = float(np.max(np.abs(self._read(unit.to(model.dtype), head)))) or 1.0
            for size in SIZES:
                most = float(torch.finfo(model.dtype).max) / 16 / float(unit.abs().max())
                hidden = (unit * min(size / reach, most)).to(model.dtype)
                try:
                    with below_gives(model, hidden) as reached:
                        own = self._call(ids, mask).rows[0]
                except LOADING_ERRORS as error:
                    return f"its output for given hidden states cannot be compared with {head} ({reason_of(error)})"
                found = self._read(hidden, head)
                if not reached:
                    return f"it does not compute its scores from its {model.base_model_prefix}'s hidden states"
                bound = 1.0 if size else max(least, float(np.max(np.abs(found))))
                if not self._difference(found, own, bound)[1]:
                    return f"its own forward computes another score than {head} from the last hidden state"
        return ""

    def _try_batches(self, sample: Sequence[TokenSequence]) -> None:
        """Check that the own forward is deterministic, and whether padded batches change its values."""
        network = self._network
        try:
            single = [self.values(*padded([one], network.padding))[0] for one in sample]
            again = self.values(*padded([sample[0]], network.padding))[0]
        except LOADING_ERRORS as error:
            raise ModelError(
                f"the forward of {self._name} fails ({reason_of(error)}): check that it is meant for such input"
            ) from error
        if not self._difference(again, single[0])[1]:
            raise ModelError(
                f"{self._name} returns other scores each time it reads the same input, as with dropout: correct its "
                "code, or wrap it in a class with a score(conversations) method and give file.py:Class"
            )
        try:
            together = self.values(*padded(list(sample), network.padding))
        except (ModelError, *LOADING_ERRORS):
            self.alone = True
            return
        same = all(self._difference(a, b)[1] for a, b in zip(together, single, strict=True))
        self.alone = self.alone or len(sample) < 2 or not same

    def takes_batch(self, sequences: Sequence[TokenSequence]) -> bool:
        """Whether sequences may be padded: not if one contains the padding token, which a class may look for."""
        padding = self._network.padding
        self.alone = self.alone or any(np.any(np.asarray(one) == padding) for one in sequences)
        return not self.alone

    def _call(self, ids: torch.Tensor, mask: torch.Tensor) -> Values:
        model, device = self._network.model, self._network.device
        given = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
        taken = inspect.signature(type(model).forward).parameters
        if "attention_mask" not in taken and not any(one.kind is one.VAR_KEYWORD for one in taken.values()):
            del given["attention_mask"]  # If padded batches then yield other values, `_try_batches` finds that.
        with torch.inference_mode(), self._no_padding_token(len(ids)), any_error():
            output = model(**given)
        lengths = mask.sum(1).tolist()
        for tensor in tensors_of(output):
            if (found := by_sequence(tensor, lengths, model.config.num_labels)) is not None:
                return found
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors_of(output)) or type(output).__name__
        raise self._no_score(f"{shapes} for {len(lengths)} of {ids.shape[1]} tokens")

    def _no_score(self, what: str) -> ModelError:
        return ModelError(
            f"the forward of {self._name} returns {what} instead of one score for each sequence: wrap it in a "
            "class with a score(conversations) method and give file.py:Class"
        )

    @contextmanager
    def _no_padding_token(self, rows: int) -> Iterator[None]:
        """Make classes of transformers read the last token of a sequence that ends in the padding token.

        They read the last token that is not the padding token, even if the sequence is not padded. A checkpoint's own
        class is left as its authors wrote it.
        """
        config = self._network.model.config.get_text_config()
        before = getattr(config, "pad_token_id", None)
        hides = rows == 1 and before is not None and not is_own_class(self._network.model) and self._looks_for_padding
        if hides:
            config.pad_token_id = None
        try:
            yield
        finally:
            if hides:
                config.pad_token_id = before

    @property
    def _looks_for_padding(self) -> bool:
        return not self._network.model.config.is_encoder_decoder and hasattr(self._network.model, "score")


def _sample(sequences: Sequence[TokenSequence]) -> list[TokenSequence]:
    """A few sequences of different lengths; short ones if there are any."""
    by_length = {len(one): one for one in sequences if len(one)}
    lengths = sorted(by_length)
    short = [length for length in lengths if length <= SHORT] or lengths
    if len(short) < SAMPLE:
        short = lengths[:SAMPLE]
    places = dict.fromkeys(round(k * (len(short) - 1) / (SAMPLE - 1)) for k in range(SAMPLE))
    return [by_length[short[place]] for place in places] if short else []
