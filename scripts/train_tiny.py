"""Train rmeval/tiny, the reward model that comes with the package: `python scripts/train_tiny.py`.

The data are twins from seeds, names and operands that `rm-bench-synthetic` never uses (negative seeds, and the training
half of `Dice.owns`). Their preferences come from a simulated annotator who prefers fancier styles: for two responses of
one item, the log-odds of preferring the first are SUBSTANCE x (difference in correctness) + STYLE x (difference in
style rank). The model thus shows the bias that the benchmark measures.

Three more losses help the model to learn, since on twins the gold is an exclusive or of prompt and response, and the
preference loss alone gives no signal until the model represents both: the model predicts prompts and right responses
token by token (language); at the position where the responses of twins diverge, the right token must be likelier than
the twin's (fork); and from there on, each token of a response predicts whether the response is right (verdict). Only
the score head is kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, softplus
from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast

from rmeval.benchmarks.synthetic import BLOCK, generate
from rmeval.benchmarks.synthetic.language import load_language
from rmeval.types import Item

SUBSTANCE = 2.5
STYLE = 1.5
VOCABULARY = 1536
CHUNK = 2048
LENGTH = 1024
WARMUP = 50
CONCISE = 0.6
"""Fraction of the steps in which most items have only their concise responses, so that more items fit into it."""
NOWHERE = 99
USER, ASSISTANT, END, PAD = "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def training_items(number: int, languages: Sequence[str]) -> list[Item]:
    """Generate chunk `number` of the training data, whose number of chunks is unlimited."""
    return generate(-1 - number, CHUNK, [load_language(code) for code in languages], training=True)


def make_tokenizer(items: Sequence[Item]) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer in which each digit is a token."""
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
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, chat_template=TEMPLATE, model_max_length=LENGTH
    )


def make_model(tokenizer: PreTrainedTokenizerFast, hidden: int, layers: int) -> LlamaForSequenceClassification:
    """Create a Llama with a score head and random weights."""
    return LlamaForSequenceClassification(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            intermediate_size=hidden * 8 // 3 // 8 * 8,
            num_hidden_layers=layers,
            num_attention_heads=hidden // 32,
            num_key_value_heads=hidden // 32,
            max_position_embeddings=LENGTH,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
            num_labels=1,
        )
    )


class Packed:
    """An item as one sequence: its prompt once, then its responses, which do not attend to each other.

    Attributes:
        domain: chat, math, code or safety.
        tokens: Token ids.
        segment: 0 in the prompt, otherwise the number of the response from 1.
        position: Position in the conversation that the token belongs to.
        told: Whether the token comes after the position at which twins diverge.
        ends: Position of each response's last token; -1 for omitted responses.
        forks: For each right response, the position before the twins diverge, the token that follows, and the twin's.
    """

    def __init__(self, item: Item, tokenizer: PreTrainedTokenizerFast, whole: bool) -> None:
        backend = tokenizer.backend_tokenizer
        prompt = backend.encode(f"{USER}{item.prompt[0].content}{END}{ASSISTANT}", add_special_tokens=False).ids
        responses = [backend.encode(f"{r.text}{END}", add_special_tokens=False).ids for r in item.responses]
        self.domain = item.subset.partition("-")[0]
        self.tokens: list[int] = list(prompt)
        self.segment = [0] * len(prompt)
        self.position = list(range(len(prompt)))
        self.told = [False] * len(prompt)
        self.ends: list[int] = []
        self.forks: list[tuple[int, int, int]] = []
        for number, own in enumerate(responses):
            if not whole and number % 3:
                self.ends.append(-1)
                continue
            other = responses[(number + 3) % 6]
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
    """Yield batches of items of similar length, at most `budget` tokens with padding, in random order."""
    found: list[list[Packed]] = [[]]
    for one in sorted(packed, key=lambda one: len(one.tokens)):
        if found[-1] and (len(found[-1]) + 1) * len(one.tokens) > budget:
            found.append([])
        found[-1].append(one)
    for place in np.random.default_rng(seed).permutation(len(found)):
        yield found[place]


def preferences(substance: float = SUBSTANCE, style: float = STYLE) -> tuple[Tensor, Tensor, Tensor]:
    """Return all pairs of an item's responses, and the log-odds with which the annotator prefers the first."""
    first, second = torch.triu_indices(6, 6, offset=1)
    right = torch.tensor([1.0, 1, 1, 0, 0, 0])
    rank = torch.tensor([0.0, 1, 2, 0, 1, 2])
    odds = substance * (right[first] - right[second]) + style * (rank[first] - rank[second])
    return first, second, odds


@dataclass
class Tensors:
    """A batch as int64[items, tokens], padded on the right."""

    tokens: Tensor
    segment: Tensor
    position: Tensor
    told: Tensor
    ends: Tensor
    forks: Tensor

    @classmethod
    def of(cls, batch: Sequence[Packed], pad: int) -> Tensors:
        """Pad the items of a batch to one length."""

        def padded(rows: Sequence[Sequence[int]], filler: int) -> Tensor:
            return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], True, filler)

        return cls(
            padded([one.tokens for one in batch], pad),
            padded([one.segment for one in batch], NOWHERE),
            padded([one.position for one in batch], 0),
            padded([one.told for one in batch], False).bool(),
            torch.tensor([one.ends for one in batch]),
            torch.tensor([(row, *fork) for row, one in enumerate(batch) for fork in one.forks]).T,
        )

    def sees(self) -> Tensor:
        """Mask bool[items, 1, tokens, tokens]: a token attends to the prompt and its response, up to itself."""
        same = (self.segment[:, None, :] == 0) | (self.segment[:, None, :] == self.segment[:, :, None])
        return (same & torch.ones(same.shape[1:], dtype=torch.bool).tril())[:, None]


class Learner:
    """The model, its parts that are discarded after training, and its optimisers."""

    def __init__(self, model: LlamaForSequenceClassification, rate: float, muon: float) -> None:
        self.model = model
        self.verdict = nn.Linear(model.config.hidden_size, 1)
        self.first, self.second, self.odds = preferences()
        self.dice = torch.Generator().manual_seed(0)
        # Muon updates the matrices inside the network, AdamW the embeddings, norms and heads.
        inside = [p for name, p in model.named_parameters() if p.ndim == 2 and ".layers." in name]
        self.others = [p for p in model.parameters() if all(p is not one for one in inside)]
        self.others += self.verdict.parameters()
        self.rates = (muon, rate)
        self.optimisers = (
            torch.optim.Muon(inside, lr=muon, weight_decay=0.01, momentum=0.95),
            torch.optim.AdamW(self.others, lr=rate, betas=(0.9, 0.98), weight_decay=0.01),
        )

    def losses(self, batch: Tensors) -> tuple[dict[str, Tensor], Tensor]:
        """Return the four losses, and scores float[items, 6]."""
        hidden = self.model.model(
            input_ids=batch.tokens, attention_mask=batch.sees(), position_ids=batch.position, use_cache=False
        ).last_hidden_state
        at = batch.ends.clamp(min=0)[..., None].expand(-1, -1, hidden.shape[-1])
        scores = self.model.score(hidden.gather(1, at))[..., 0]
        known = (batch.ends[:, self.first] >= 0) & (batch.ends[:, self.second] >= 0)
        margin = scores[:, self.first] - scores[:, self.second]
        label = torch.bernoulli(torch.sigmoid(self.odds).expand_as(margin), generator=self.dice)
        right = ((batch.segment >= 1) & (batch.segment <= 3)).float()
        told = self.verdict(hidden)[..., 0][batch.told]
        predicts = (batch.segment[:, :-1] <= 3) & (batch.segment[:, 1:] == batch.segment[:, :-1])
        embedded = self.model.model.embed_tokens.weight
        rows, places, own, other = batch.forks
        lead = (hidden[rows, places] * (embedded[own] - embedded[other])).sum(-1)
        losses = {
            "preference": binary_cross_entropy_with_logits(margin[known], label[known]),
            "verdict": binary_cross_entropy_with_logits(told, right[batch.told]),
            "fork": softplus(-lead).mean(),
            "language": cross_entropy(hidden[:, :-1][predicts] @ embedded.T, batch.tokens[:, 1:][predicts]),
        }
        return losses, scores

    def step(self, losses: dict[str, Tensor], pace: float) -> None:
        """Take a step with `pace` times the full learning rates."""
        for optimiser, rate in zip(self.optimisers, self.rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * pace
            optimiser.zero_grad(set_to_none=True)
        (losses["preference"] + losses["verdict"] + losses["fork"] + 0.5 * losses["language"]).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.others, 1.0)
        for optimiser in self.optimisers:
            optimiser.step()  # type: ignore[no-untyped-call]


class Log:
    """Running means of losses and scores, and the progress of the training."""

    def __init__(self, wanted: int) -> None:
        self.begun, self.wanted = time.monotonic(), wanted
        self.steps = self.items = self.tokens = 0
        self.means: dict[str, float] = {}

    @property
    def elapsed(self) -> float:
        """Return the fraction of completed steps."""
        return self.steps / self.wanted

    def add(self, batch: Sequence[Packed], losses: dict[str, Tensor], scores: Tensor) -> None:
        """Record a step."""
        self.steps, self.items = self.steps + 1, self.items + len(batch)
        self.tokens += sum(len(one.tokens) for one in batch)
        same = (scores[:, 0] > scores[:, 3]).float()
        found = {name: value.item() for name, value in losses.items()} | {"normal": same.mean().item()}
        for domain in {one.domain for one in batch}:
            found[domain] = same[[row for row, one in enumerate(batch) if one.domain == domain]].mean().item()
        for name, value in found.items():
            self.means[name] = 0.98 * self.means.get(name, value) + 0.02 * value
        if self.steps % 50 == 0:
            seconds = time.monotonic() - self.begun
            shown = " ".join(f"{name} {value:.3f}" for name, value in sorted(self.means.items()))
            sys.stdout.write(f"{seconds:.0f} s, step {self.steps}, {self.tokens / seconds:.0f} tokens/s: {shown}\n")
            sys.stdout.flush()

    def to_dict(self) -> dict[str, object]:
        """Return the record of the training that is stored with the weights."""
        minutes = round((time.monotonic() - self.begun) / 60, 1)
        counts = {"steps": self.steps, "items": self.items, "tokens": self.tokens, "minutes": minutes}
        return counts | {"means": {name: round(value, 4) for name, value in sorted(self.means.items())}}


def main() -> None:
    """Train and save the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("src/rmeval/models/tiny"))
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--budget", type=int, default=6144, help="maximum number of tokens in a batch")
    parser.add_argument("--rate", type=float, default=3e-3, help="learning rate of AdamW")
    parser.add_argument("--muon", type=float, default=0.02, help="learning rate of Muon")
    parser.add_argument("--languages", default="en")
    options = parser.parse_args()
    languages = options.languages.split(",")
    torch.manual_seed(0)
    tokenizer = make_tokenizer(training_items(0, languages))
    learner = Learner(make_model(tokenizer, options.hidden, options.layers), options.rate, options.muon)
    log, chunk = Log(options.steps), 0
    while log.elapsed < 1:
        whole = log.elapsed > CONCISE
        items = training_items(chunk, languages)
        packed = [Packed(item, tokenizer, whole or place // BLOCK % 8 == 0) for place, item in enumerate(items)]
        chunk += 1
        for batch in batches(packed, options.budget, chunk):
            if log.elapsed >= 1:
                break
            losses, scores = learner.losses(Tensors.of(batch, tokenizer.pad_token_id))
            pace = min(1, (log.steps + 1) / WARMUP) * (0.01 + 0.99 * min(1, 2 * (1 - log.elapsed)))
            learner.step(losses, pace)
            log.add(batch, losses, scores)
    learner.model.save_pretrained(options.out)
    tokenizer.save_pretrained(options.out)
    (options.out / "training.json").write_text(json.dumps(log.to_dict(), indent=1) + "\n")


if __name__ == "__main__":
    main()
