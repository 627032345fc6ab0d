"""Generation by transformers itself, for architectures that support no prefix trees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from rmeval.engines.generation import Generated, Generation
from rmeval.engines.hf.memory import failed, is_memory
from rmeval.engines.hf.network import Network
from rmeval.engines.hf.outputs import padded
from rmeval.engines.hf.rows import first_rows, halved_rows
from rmeval.engines.hf.sampling import Draws, choose
from rmeval.engines.hf.writer import Job
from rmeval.loading import LOADING_ERRORS

__all__ = ["PlainWriter"]


class PlainWriter:
    """Continues batches of sequences of similar length with `generate` of transformers."""

    def __init__(self, network: Network, cap: int | None) -> None:
        """Store the network, and the largest number of sequences in a batch."""
        self._network = network
        self._cap = cap

    def write(self, job: Job, how: Generation, alone: bool) -> Iterator[list[Generated]]:
        """Continue each sequence, the longest first.

        Args:
            job: The sequences.
            how: How tokens are chosen.
            alone: Whether each sequence is a batch of its own.

        Raises:
            ModelError: If the network fails, or memory does not suffice.
        """
        left = sorted(range(len(job.sequences)), key=lambda k: (-len(job.sequences[k]), k))
        rows = 1 if alone else first_rows(self._network, self._cap, job.longest)
        while left:
            batch = left[:rows]
            size = sum(len(job.sequences[k]) for k in batch)
            try:
                found = self._batch(job.part(batch), how)
            except LOADING_ERRORS as error:
                if not is_memory(error):
                    raise failed(self._network, len(batch), size, error) from error
                rows = halved_rows(self._network, len(batch), error)
                continue
            left = left[rows:]
            yield [_generated(k, tokens, job.limits[k], how) for k, tokens in zip(batch, found, strict=True)]

    def _batch(self, job: Job, how: Generation) -> list[list[int]]:
        """The new tokens of each sequence of a batch, with what follows their ends."""
        model, device = self._network.model, self._network.device
        # Padding on the left, so that all sequences are continued at the same place.
        ids, mask = padded([list(reversed(list(one))) for one in job.sequences], self._network.padding)
        ids, mask = ids.flip(1).to(device), mask.flip(1).to(device)
        before = model.generation_config
        # The checkpoint's own settings, such as a penalty for repetitions, must not be added in silence.
        model.generation_config = GenerationConfig(
            max_new_tokens=max(job.limits),
            do_sample=False,
            eos_token_id=list(how.stops) or None,
            pad_token_id=self._network.padding,
        )
        try:
            with torch.inference_mode():
                found = model.generate(
                    input_ids=ids,
                    attention_mask=mask,
                    logits_processor=LogitsProcessorList([_Choice(how, [Draws(seed) for seed in job.seeds])]),
                )
        finally:
            model.generation_config = before
        tokens: list[list[int]] = found[:, ids.shape[1] :].tolist()
        return tokens


class _Choice(LogitsProcessor):  # type: ignore[misc]  # It has no types.
    """Leaves the chosen token alone, so that transformers chooses it too."""

    def __init__(self, how: Generation, draws: Sequence[Draws]) -> None:
        self._how, self._draws = how, draws

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> Any:
        """The scores, minus infinity except for the chosen tokens."""
        chosen = torch.tensor(choose(scores.float(), self._how, self._draws), device=scores.device)
        return torch.full_like(scores, -torch.inf).scatter(1, chosen[:, None], 0.0)


def _generated(index: int, tokens: Sequence[int], limit: int, how: Generation) -> Generated:
    """The tokens before the first that ends the text, and at most `limit`."""
    end = next((place for place, token in enumerate(tokens[:limit]) if token in how.stops), None)
    return Generated(index, tuple(tokens[:limit] if end is None else tokens[:end]), "length" if end is None else "stop")
