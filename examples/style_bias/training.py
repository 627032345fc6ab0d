"""Train a reward model on pairs: the upper layers of `rmeval/tiny`, and a new score head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from examples.style_bias.preferences import TrainingSet
from torch import Tensor, nn
from torch.nn.functional import softplus
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

import rmeval.models
from rmeval.types import IntArray

__all__ = ["Settings", "train"]

BASE = Path(rmeval.models.__file__).parent / "tiny"
FROZEN = 2
"""Number of lower layers, of four, that keep their weights, which saves a third of the time."""
WARMUP = 0.25
"""Share of the steps in which the learning rate rises."""


@dataclass(frozen=True)
class Settings:
    """Settings of a training; every condition takes equally many steps.

    Attributes:
        steps: Number of steps.
        batch: Largest number of pairs in a step.
        rate: Largest learning rate.
    """

    steps: int = 12
    batch: int = 32
    rate: float = 1e-3


def train(data: TrainingSet, seed: int, settings: Settings) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Train with the loss of Bradley and Terry, weighted, and with the offset of each pair.

    Args:
        data: The pairs.
        seed: Seed of the new head, and of the order of pairs.
        settings: Steps, batch size and learning rate.
    """
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    model = AutoModelForSequenceClassification.from_pretrained(BASE)
    nn.init.normal_(model.score.weight, std=0.02)  # The old head prefers fancy styles.
    for part in (model.model.embed_tokens, *model.model.layers[:FROZEN]):
        part.requires_grad_(False)
    trained = [one for one in model.parameters() if one.requires_grad]
    sides = [
        [_tokens(tokenizer, pair.prompt, text) for pair, text in zip(data.pairs, texts, strict=True)]
        for texts in ([pair.chosen for pair in data.pairs], [pair.rejected for pair in data.pairs])
    ]
    length = np.array([max(len(one), len(two)) for one, two in zip(*sides, strict=True)])
    weight, offset = torch.tensor(data.weight).float(), torch.tensor(data.offset).float()
    optimiser = torch.optim.AdamW(trained, lr=settings.rate, betas=(0.9, 0.98), weight_decay=0.0)
    model.train()
    for step, rows in enumerate(batches(length, settings, np.random.default_rng(seed))):
        scores = _scores(model, [side[row] for side in sides for row in rows.tolist()])
        margin = scores[: len(rows)] - scores[len(rows) :] + offset[rows]
        loss = (weight[rows] * softplus(-margin)).mean()
        pace = min(1.0, (step + 1) / (WARMUP * settings.steps)) * (1 - step / settings.steps)
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * pace
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
    return model.eval(), tokenizer


def batches(length: IntArray, settings: Settings, random: np.random.Generator) -> Iterator[IntArray]:
    """Yield the positions of the pairs of each step; pairs of a batch have similar lengths."""
    left = settings.steps
    while left:
        order = random.permutation(len(length))
        order = order[np.argsort(length[order], kind="stable")]
        epoch = np.array_split(order, -(-len(order) // settings.batch))
        for place in random.permutation(len(epoch))[:left]:
            yield epoch[place]
            left -= 1


def _tokens(tokenizer: PreTrainedTokenizerFast, prompt: str, response: str) -> list[int]:
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
    found: list[int] = tokenizer.apply_chat_template(messages, return_dict=True)["input_ids"]
    return found


def _scores(model: PreTrainedModel, sequences: Sequence[list[int]]) -> Tensor:
    """Score sequences, padded on the right to one length."""
    pad = model.config.pad_token_id
    tokens = nn.utils.rnn.pad_sequence([torch.tensor(one) for one in sequences], True, pad)
    mask = nn.utils.rnn.pad_sequence([torch.ones(len(one), dtype=torch.long) for one in sequences], True, 0)
    found: Tensor = model(tokens, attention_mask=mask, use_cache=False).logits[:, 0]
    return found
