"""Trains rmeval/tiny, the reward model that comes with the package: `python scripts/train_tiny.py --minutes 40`.

The data are twins from seeds, names and operands that `rm-bench-synthetic` never uses (negative seeds, the training half
of `Dice.owns`). Their preferences come from an annotator with a taste for style: for two answers of one item the log-odds
of preferring the first are SUBSTANCE x (difference in correctness) + STYLE x (difference in style rank), which is what
makes the model worth evaluating. Two more losses help it to read: each answer token after the twins part is told whether
the answer is right, and right answers are predicted token by token. Only the score head is kept.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast

from rmeval.benchmarks.synthetic import BLOCK, generate
from rmeval.benchmarks.synthetic.language import load_language
from rmeval.types import Item

SUBSTANCE = 2.5
STYLE = 1.5
VOCABULARY = 1536
CHUNK = 2048
USER, ASSISTANT, END, PAD = "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def training_items(number: int, languages: Sequence[str]) -> list[Item]:
    """Chunk `number` of the training data, which has as many chunks as anybody wants."""
    return generate(-1 - number, CHUNK, [load_language(code) for code in languages], training=True)


def make_tokenizer(items: Sequence[Item]) -> PreTrainedTokenizerFast:
    """Byte-level BPE in which each digit is a token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    texts = [text for item in items for text in (item.prompt[0].content, *(r.text for r in item.responses))]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, END, USER, ASSISTANT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, chat_template=TEMPLATE, model_max_length=1024
    )


class Packed:
    """An item as one sequence: its prompt once, then its six answers, none of which sees another."""

    def __init__(self, item: Item, tokenizer: PreTrainedTokenizerFast, whole: bool) -> None:
        backend = tokenizer.backend_tokenizer
        prompt = backend.encode(f"{USER}{item.prompt[0].content}{END}{ASSISTANT}", add_special_tokens=False).ids
        answers = [backend.encode(f"{r.text}{END}", add_special_tokens=False).ids for r in item.responses]
        self.domain = item.subset.partition("-")[0]
        self.tokens, self.segment, self.position, self.told, self.ends = list(prompt), [0] * len(prompt), [], [], []
        self.position = list(range(len(prompt)))
        self.told = [False] * len(prompt)
        self.forks: list[tuple[int, int, int]] = []
        for number, own in enumerate(answers):
            if not whole and number % 3:
                self.ends.append(-1)
                continue
            other = answers[(number + 3) % 6]
            apart = next((k for k, (a, b) in enumerate(zip(own, other, strict=False)) if a != b), 0)
            if number < 3:
                before = len(self.tokens) + apart - 1 if apart else len(prompt) - 1
                self.forks.append((before, own[apart], other[apart]))
            self.tokens += own
            self.segment += [number + 1] * len(own)
            self.position += range(len(prompt), len(prompt) + len(own))
            self.told += [k >= apart for k in range(len(own))]
            self.ends.append(len(self.tokens) - 1)


def batches(packed: Sequence[Packed], budget: int, seed: int) -> Iterator[list[Packed]]:
    """Items of similar length together, at most `budget` tokens with padding; batches in random order."""
    ordered = sorted(packed, key=lambda one: len(one.tokens))
    found: list[list[Packed]] = [[]]
    for one in ordered:
        if found[-1] and (len(found[-1]) + 1) * len(one.tokens) > budget:
            found.append([])
        found[-1].append(one)
    for place in np.random.default_rng(seed).permutation(len(found)):
        yield found[place]


def preferences(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """All pairs of an item's answers, and the log-odds with which the annotator prefers the first."""
    first, second = torch.triu_indices(6, 6, offset=1)
    right = torch.tensor([1.0, 1, 1, 0, 0, 0])
    rank = torch.tensor([0.0, 1, 2, 0, 1, 2])
    odds = SUBSTANCE * (right[first] - right[second]) + STYLE * (rank[first] - rank[second])
    return first, second, odds


def main() -> None:
    """Trains, prints how it goes, and saves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("src/rmeval/models/tiny"))
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--budget", type=int, default=8192)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--muon", type=float, default=0.02)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--languages", default="en")
    parser.add_argument("--bf16", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    languages = options.languages.split(",")
    tokenizer = make_tokenizer(training_items(0, languages))
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=options.hidden,
        intermediate_size=options.hidden * 8 // 3 // 8 * 8,
        num_hidden_layers=options.layers,
        num_attention_heads=options.hidden // 32,
        num_key_value_heads=options.hidden // 32,
        max_position_embeddings=1024,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        num_labels=1,
        initializer_range=0.02,
        tie_word_embeddings=False,
    )
    model = LlamaForSequenceClassification(config)
    told = nn.Linear(options.hidden, 1)
    parameters = [*model.parameters(), *told.parameters()]
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(tokenizer)} tokens", flush=True)
    # Muon moves the matrices inside the network, AdamW the embeddings, norms and heads.
    inside = [p for name, p in model.named_parameters() if p.ndim == 2 and ".layers." in name]
    others = [p for p in parameters if all(p is not one for one in inside)]
    optimisers = (
        torch.optim.Muon(inside, lr=options.muon, weight_decay=0.01, momentum=0.95),
        torch.optim.AdamW(others, lr=options.rate, betas=(0.9, 0.98), weight_decay=0.01),
    )
    generator = torch.Generator().manual_seed(0)
    first, second, odds = preferences(generator)
    begun, step, tokens_seen, items_seen, chunk = time.time(), 0, 0, 0, 0
    totals: dict[str, float] = {}

    def save() -> None:
        options.out.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(options.out)
        tokenizer.save_pretrained(options.out)
        minutes = round((time.time() - begun) / 60, 1)
        log = {"steps": step, "items": items_seen, "tokens": tokens_seen, "minutes": minutes, "losses": totals}
        (options.out / "training.json").write_text(json.dumps(log, indent=1) + "\n")

    while (elapsed := (time.time() - begun) / 60 / options.minutes) < 1:
        whole = elapsed > 0.6
        packed = [
            Packed(item, tokenizer, whole or place // BLOCK % 8 == 0)
            for place, item in enumerate(training_items(chunk, languages))
        ]
        chunk += 1
        if chunk % 20 == 0:
            save()
        for batch in batches(packed, options.budget, chunk):
            elapsed = (time.time() - begun) / 60 / options.minutes
            if elapsed >= 1:
                break
            pace = min(1, (step + 1) / 50) * (0.01 + 0.99 * min(1, 2 * (1 - elapsed)))
            for optimiser, rate in zip(optimisers, (options.muon, options.rate), strict=True):
                for group in optimiser.param_groups:
                    group["lr"] = rate * pace
            longest = max(len(one.tokens) for one in batch)
            tokens = torch.full((len(batch), longest), tokenizer.pad_token_id)
            segment = torch.full((len(batch), longest), 99)
            position = torch.zeros((len(batch), longest), dtype=torch.long)
            mask_told = torch.zeros((len(batch), longest), dtype=torch.bool)
            for row, one in enumerate(batch):
                size = len(one.tokens)
                tokens[row, :size] = torch.tensor(one.tokens)
                segment[row, :size] = torch.tensor(one.segment)
                position[row, :size] = torch.tensor(one.position)
                mask_told[row, :size] = torch.tensor(one.told)
            ends = torch.tensor([one.ends for one in batch])
            sees = (segment[:, None, :] == 0) | (segment[:, None, :] == segment[:, :, None])
            sees &= torch.ones(longest, longest, dtype=torch.bool).tril()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.bf16):
                hidden = model.model(
                    input_ids=tokens, attention_mask=sees[:, None], position_ids=position, use_cache=False
                ).last_hidden_state
            hidden = hidden.float()
            there = ends >= 0
            at = ends.clamp(min=0)[..., None].expand(-1, -1, hidden.shape[-1])
            scores = model.score(hidden.gather(1, at))[..., 0]
            margin = scores[:, first] - scores[:, second]
            known = there[:, first] & there[:, second]
            label = torch.bernoulli(torch.sigmoid(odds).expand_as(margin), generator=generator)
            preference = nn.functional.binary_cross_entropy_with_logits(margin[known], label[known])
            right = ((segment >= 1) & (segment <= 3)).float()
            verdict = nn.functional.binary_cross_entropy_with_logits(told(hidden)[..., 0][mask_told], right[mask_told])
            predicts = (segment[:, :-1] <= 3) & (segment[:, 1:] == segment[:, :-1])
            logits = hidden[:, :-1][predicts] @ model.model.embed_tokens.weight.T
            language = nn.functional.cross_entropy(logits, tokens[:, 1:][predicts])
            rows, places, own, other = torch.tensor(
                [(row, *fork) for row, one in enumerate(batch) for fork in one.forks]
            ).T
            embedded = model.model.embed_tokens.weight
            lead = (hidden[rows, places] * (embedded[own] - embedded[other])).sum(-1)
            fork = nn.functional.softplus(-lead).mean()
            loss = preference + verdict + fork + 0.5 * language
            for optimiser in optimisers:
                optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(others, 1.0)
            for optimiser in optimisers:
                optimiser.step()
            step, tokens_seen, items_seen = (
                step + 1,
                tokens_seen + sum(len(o.tokens) for o in batch),
                items_seen + len(batch),
            )
            same = scores[:, 0] > scores[:, 3]
            found = {
                "preference": preference,
                "verdict": verdict,
                "language": language,
                "fork": fork,
                "normal": same.float().mean(),
            }
            for domain in ("chat", "math", "code", "safety"):
                rows = [k for k, one in enumerate(batch) if one.domain == domain]
                if rows:
                    found[domain] = same[rows].float().mean()
            for name, value in found.items():
                totals[name] = 0.98 * totals.get(name, value.item()) + 0.02 * value.item()
            if step % 50 == 0:
                shown = " ".join(f"{name} {value:.3f}" for name, value in totals.items())
                print(
                    f"{time.time() - begun:6.0f} s, step {step}, {items_seen} items, {tokens_seen / (time.time() - begun):.0f} tokens/s: {shown}",
                    flush=True,
                )
    save()


if __name__ == "__main__":
    main()
