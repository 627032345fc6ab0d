"""The base of the study: a small language model, trained on prompts and right responses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from examples.dpo_vs_classifier.data import domain_of, right_texts
from scripts.train_tiny import LENGTH, make_tokenizer, training_items
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rmeval.benchmarks.synthetic import generate
from rmeval.benchmarks.synthetic.language import load_language
from rmeval.types import Item

__all__ = ["Size", "pretrain"]

BATCH = 4096
"""Number of tokens of a step."""
TOGETHER = 1024
"""Number of texts that are sorted by length together, so that batches have little padding."""
WARMUP = 20
REPORT = 40
"""Steps between two lines of progress."""
UNSEEN_SEED, UNSEEN = 2, 160
"""The generator's seed of the items for these lines, which are neither trained on nor evaluated on later."""
ADAMW, MUON = 3e-3, 0.02
"""Learning rates of embeddings and norms, and of the matrices inside the network."""


@dataclass(frozen=True)
class Size:
    """Shape of the network; the default has 5.1 million parameters."""

    hidden: int = 256
    layers: int = 6


def pretrain(folder: Path, size: Size, steps: int, domains: Sequence[str], bfloat16: bool) -> dict[str, Any]:
    """Train a language model from random weights and save it.

    Returns:
        The record of the training: parameters, steps, tokens, CPU seconds, and the loss on the last tenth of the steps.
    """
    torch.manual_seed(0)
    tokenizer = make_tokenizer(training_items(0, ["en"]))
    model = _network(tokenizer, size)
    # Muon updates the matrices inside the network, AdamW the rest, as scripts/train_tiny.py does.
    inside = [own for name, own in model.named_parameters() if own.ndim == 2 and ".layers." in name]
    rest = [own for own in model.parameters() if all(own is not one for one in inside)]
    optimisers = (
        (torch.optim.Muon(inside, lr=MUON, weight_decay=0.01, momentum=0.95), MUON),
        (torch.optim.AdamW(rest, lr=ADAMW, betas=(0.9, 0.98), weight_decay=0.01), ADAMW),
    )
    unseen = [one for one in generate(UNSEEN_SEED, UNSEEN, [load_language("en")]) if domain_of(one) in domains]
    begun, tokens, losses = time.process_time(), 0, list[float]()
    for step, batch in enumerate(islice(_batches(tokenizer, domains), steps)):
        pace = min(1.0, (step + 1) / WARMUP) * min(1.0, 2 * (1 - step / steps))
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = model(input_ids=batch, attention_mask=batch != tokenizer.pad_token_id, labels=_labels(batch)).loss
        for optimiser, rate in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate * pace
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(rest, 1.0)
        for optimiser, _ in optimisers:
            optimiser.step()
        tokens += int((batch != tokenizer.pad_token_id).sum())
        losses.append(loss.item())
        if step % REPORT == REPORT - 1:
            known = twins_known(model, tokenizer, unseen)
            shown = f"loss {np.mean(losses[-REPORT:]):.3f}, right response likelier than its twin {100 * known:.0f}%"
            print(f"base: step {step + 1} of {steps}, {shown}", flush=True)  # noqa: T201
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {
        "parameters": model.num_parameters(),
        "steps": steps,
        "tokens": tokens,
        "cpu_seconds": round(time.process_time() - begun, 1),
        "loss": round(float(np.mean(losses[-max(1, steps // 10) :])), 4),
        "right_likelier": round(twins_known(model, tokenizer, unseen), 4),
    }


def twins_known(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, items: Sequence[Item]) -> float:
    """Return the share of items whose right concise response is likelier than the wrong one; 0.5 without knowledge."""
    found = []
    for item in items:
        sums = []
        for response in (item.responses[0], item.responses[3]):
            talk = [{"role": "user", "content": item.prompt[0].content}]
            start = len(tokenizer.apply_chat_template(talk, add_generation_prompt=True)["input_ids"])
            talk.append({"role": "assistant", "content": response.text})
            tokens = torch.tensor([tokenizer.apply_chat_template(talk)["input_ids"]])
            with torch.inference_mode():
                logits = model(input_ids=tokens).logits[0, start - 1 : -1]
            sums.append(-nn.functional.cross_entropy(logits, tokens[0, start:], reduction="sum").item())
        found.append(sums[0] > sums[1])
    return float(np.mean(found))


def _network(tokenizer: PreTrainedTokenizerFast, size: Size) -> LlamaForCausalLM:
    heads = size.hidden // 32
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=size.hidden,
            intermediate_size=size.hidden * 8 // 3 // 8 * 8,
            num_hidden_layers=size.layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=LENGTH,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
            tie_word_embeddings=True,
        )
    )


def _labels(batch: Tensor) -> Tensor:
    # The padding token is 0, and no text has it.
    return torch.where(batch == 0, -100, batch)


def _batches(tokenizer: PreTrainedTokenizerFast, domains: Sequence[str]) -> Iterator[Tensor]:
    """Yield batches of texts of similar length, int64[texts, tokens], padded on the right."""
    texts, dice = right_texts(domains), np.random.default_rng(0)
    while True:
        some = list(islice(texts, TOGETHER))
        rows = sorted((tokenizer.apply_chat_template(one)["input_ids"] for one in some), key=len)
        found: list[list[list[int]]] = [[]]
        for row in rows:
            if found[-1] and (len(found[-1]) + 1) * len(row) > BATCH:
                found.append([])
            found[-1].append(row)
        for place in dice.permutation(len(found)):
            padded = [torch.tensor(row) for row in found[place]]
            yield nn.utils.rnn.pad_sequence(padded, True, tokenizer.pad_token_id or 0)
