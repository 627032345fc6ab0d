"""A classifier's own forward: whether reading its head at the last token gives the same, and its values where not."""

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
"""Least tolerance of comparisons, times max(1, |value|): 1e-5 in float32, four steps of the format at 16 bits."""
SAMPLE = 3
"""Sequences that are compared, one by one and without padding."""
SHORT = 256
"""Tokens of the longest of them, if there are that many shorter ones."""
SIZES = (0.0, 1.0, 1000.0)
"""Sizes of the score that random hidden states give, to check that head and output are one linear map."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What reading the head at the last token gives, against the network's own forward.

    Attributes:
        compared: Number of sequences.
        largest_difference: The largest difference of an output.
        agrees: Whether it is no more than rounding explains.
        why: What differs, where it does.
    """

    compared: int
    largest_difference: float
    agrees: bool
    why: str = ""


class Forward:
    """The own forward of a network, and how far it is known.

    Attributes:
        comparison: What comparing it with the head at the last token gave; None before.
        alone: Whether it takes one sequence at a time, because batches give other values.
    """

    def __init__(self, network: Network) -> None:
        """Takes a network, whose weights are not loaded yet."""
        self._network = network
        self.forget()

    def forget(self) -> None:
        """Compares anew: the weights are loaded again."""
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
        """The readout that gives what the network's own forward gives, found on a few sequences the first time.

        Args:
            sequences: What is going to be read.
            wanted: How.

        Raises:
            ModelError: If its own forward gives no score, or single tokens are wanted of what is not read at them.
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
            # Set only if nothing was refused, so that a second call raises again.
            self._readout, self._longest = found, max(map(len, sample))
        if isinstance(self._readout, OwnForward) and isinstance(wanted, AtPositions):
            raise ModelError(
                f"{self._name} is not read at single tokens: its own forward gives other scores than {wanted.head} "
                "at the last token"
            )
        return self._readout if self._readout is not None and not isinstance(wanted, AtPositions) else wanted

    def values(self, ids: torch.Tensor, mask: torch.Tensor) -> list[FloatArray]:
        """What the own forward gives for a batch that is padded on the right.

        Args:
            ids: int64[rows, tokens].
            mask: int64[rows, tokens], 1 where there are tokens.

        Raises:
            ModelError: If it gives something else than a score (or several) for each sequence.
        """
        found = self._call(ids, mask)
        if found.per_token:
            raise self._no_score("a number for each token")
        return found.rows

    def _to_compare(self, sequences: Sequence[TokenSequence]) -> list[TokenSequence]:
        """A few sequences the first time; of a class of the checkpoint's own, which may cut long ones, the longest too.

        Such a class is compared again when a longer one comes.
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
        """Whether the head at the last token gives what the own forward does; logs it where it does not."""
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
                # A class of transformers that wants what is not in the tokens; its layout is known.
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
            why = f"{head} at the last token gives other scores than its own forward (by up to {largest:.2g})"
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
        """The hidden states float[tokens, width] that heads are read on, of one sequence."""
        model = self._network.model
        if model.base_model is model:
            raise TypeError("the layers below its head are no module of their own")
        ids, mask = (one.to(self._network.device) for one in padded([sequence], 0))
        with torch.inference_mode():
            states = model.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        hidden: torch.Tensor = states[0]
        return hidden

    def _read(self, hidden: torch.Tensor, head: str) -> FloatArray:
        """The head at the last row of hidden states float[tokens, width]."""
        reader = Reader(self._network.model, LastToken(head), [range(len(hidden))])
        return reader.values(hidden, [0], [lambda positions: positions])[0]

    def _differs_elsewhere(self, sample: Sequence[TokenSequence], head: str, width: int) -> str:
        """Gives the class random hidden states, and checks that its output is that of the head at the last.

        A class may cut scores off at a bound, or shift them by less than the number format shows; neither need be seen
        in the scores of a few sequences.
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
                    return f"what it makes of hidden states cannot be compared with {head} ({reason_of(error)})"
                found = self._read(hidden, head)
                if not reached:
                    return f"it does not make its scores of its {model.base_model_prefix}'s hidden states"
                bound = 1.0 if size else max(least, float(np.max(np.abs(found))))
                if not self._difference(found, own, bound)[1]:
                    return f"its own forward makes something else than {head} of the last hidden state"
        return ""

    def _try_batches(self, sample: Sequence[TokenSequence]) -> None:
        """Finds whether the own forward is the same each time, and the same in a padded batch as alone."""
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
                f"{self._name} gives other scores each time it reads the same input, as with dropout: correct its "
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
        """Whether sequences may be padded: not where one holds the padding token, which a class may look for."""
        padding = self._network.padding
        self.alone = self.alone or any(np.any(np.asarray(one) == padding) for one in sequences)
        return not self.alone

    def _call(self, ids: torch.Tensor, mask: torch.Tensor) -> Values:
        model, device = self._network.model, self._network.device
        given = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
        taken = inspect.signature(type(model).forward).parameters
        if "attention_mask" not in taken and not any(one.kind is one.VAR_KEYWORD for one in taken.values()):
            del given["attention_mask"]  # Then padded batches give other values, which is noticed.
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
            f"the forward of {self._name} gives {what}, where one score for each sequence is needed: wrap it in a "
            "class with a score(conversations) method and give file.py:Class"
        )

    @contextmanager
    def _no_padding_token(self, rows: int) -> Iterator[None]:
        """Lets the classes of transformers find the last token where a text ends in the padding token.

        They look for the last one that is no padding token, also in a sequence that is not padded. A class of the
        checkpoint's own is left to do what its authors wrote.
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
