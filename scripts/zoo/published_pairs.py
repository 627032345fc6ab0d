"""Compare responses with the published code of a model of pairs, to compare rmeval's preferences with.

    python scripts/zoo/published_pairs.py FAMILY REWARD_BENCH CHECKPOINT PAIRS.json

FAMILY is pairrm, better-pairrm, steamshp or rlhflow-pair, REWARD_BENCH a clone of allenai/reward-bench, and each pair
a list of messages and two responses. Prints for each pair the log-odds that the response shown first is better, in
both orders. No GPU is needed: tensors that the published code moves to one stay where they are.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BatchEncoding, T5ForConditionalGeneration

Pair = tuple[list[dict[str, str]], str, str]
Odds = list[tuple[float, float]]


def published(folder: str, name: str) -> Any:
    """Import a file of reward-bench without its package, which needs more than it does."""
    path = Path(folder) / "rewardbench" / "models" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def conversations(pairs: Sequence[Pair]) -> tuple[list[Any], list[Any]]:
    """The conversations that end in the first response, and those that end in the second."""
    first, second = ([[*pair[0], {"role": "assistant", "content": pair[place]}] for pair in pairs] for place in (1, 2))
    return first, second


def of_pairrm(folder: str, checkpoint: str, pairs: Sequence[Pair], module: str) -> Odds:
    """The logits of the network for the encodings of both orders."""
    pipeline = published(folder, module)
    network = published(folder, "pairrm").DebertaV2PairRM.from_pretrained(checkpoint).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    found = []
    for pair in pairs:
        one, other = conversations([pair])
        with torch.inference_mode():
            found.append(
                tuple(
                    network(**pipeline.tokenize_conv_pair(tokenizer, a, b)).logits.item()
                    for a, b in ((one, other), (other, one))
                )
            )
        whole = getattr(pipeline, "PairRMPipeline" if module == "pairrm" else "BetterPairRMPipeline")
        (both,) = whole("", network, tokenizer)(one, other, output_logits=True)
        assert abs(both - (found[-1][0] - found[-1][1])) < 1e-5
    return found


def of_steamshp(folder: str, checkpoint: str, pairs: Sequence[Pair]) -> Odds:
    """Logits of A less those of B at the first step of the generation that the pipeline starts, in both orders."""
    module = published(folder, "shp")
    BatchEncoding.to = lambda self, *_: self
    network = T5ForConditionalGeneration.from_pretrained(checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    one, other = (tokenizer(letter, add_special_tokens=False)["input_ids"][-1] for letter in "AB")
    seen: list[float] = []
    generate = network.generate

    def spied(**given: Any) -> Any:
        found = generate(**given, return_dict_in_generate=True, output_logits=True)
        seen.append(float(found.logits[0][0, one] - found.logits[0][0, other]))
        return found.sequences

    network.generate = spied
    pipeline = module.SHPPipeline("", network, tokenizer)
    return _both_orders(pairs, lambda a, b, order: _shuffled(pipeline, a, b, order), seen)


def _shuffled(pipeline: Any, one: Any, other: Any, order: bool) -> None:
    """Call a pipeline that shuffles the responses, with a shuffle that reverses them or does nothing."""
    shuffle = random.shuffle
    random.shuffle = list.reverse if order else lambda _: None  # type: ignore[assignment]
    try:
        pipeline(one, other)
    finally:
        random.shuffle = shuffle


def _both_orders(pairs: Sequence[Pair], call: Callable[[Any, Any, bool], None], seen: list[float]) -> Odds:
    found = []
    for pair in pairs:
        one, other = conversations([pair])
        for order in (False, True):
            call(one, other, order)
        found.append((seen[-2], seen[-1]))
    return found


def of_rlhflow(folder: str, checkpoint: str, pairs: Sequence[Pair]) -> Odds:
    """Logits of A less those of B at the last token, as the pipeline reads them in both orders."""
    module = published(folder, "slicpairpm")
    torch.Tensor.cuda = lambda self, *_, **__: self  # type: ignore[method-assign]
    network = AutoModelForCausalLM.from_pretrained(checkpoint).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    # The pipeline formats the context by the template alone, so that any tokenizer serves.
    module.AutoTokenizer = SimpleNamespace(from_pretrained=lambda *_, **__: AutoTokenizer.from_pretrained(checkpoint))
    found, seen = [], list[float]()
    one, other = (tokenizer.encode(letter, add_special_tokens=False)[0] for letter in "AB")

    def spied(ids: torch.Tensor) -> Any:
        output = network(ids)
        seen.append(float(output.logits[0, -1, one] - output.logits[0, -1, other]))
        return output

    pipeline = module.SlicPairPMPipeline("", spied, tokenizer)
    for pair in pairs:
        (verdict,) = pipeline(*conversations([pair]))
        # The second order shows the second response first.
        found.append((seen[-2], seen[-1]))
        assert bool(verdict) == (found[-1][0] > found[-1][1])
    return found


def main() -> None:
    """Print a JSON list with the log-odds of each pair in both orders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=["pairrm", "better-pairrm", "steamshp", "rlhflow-pair"])
    parser.add_argument("reward_bench")
    parser.add_argument("checkpoint")
    parser.add_argument("pairs")
    given = parser.parse_args()
    pairs = [tuple(pair) for pair in json.loads(Path(given.pairs).read_text(encoding="utf-8"))]
    if given.family == "steamshp":
        found = of_steamshp(given.reward_bench, given.checkpoint, pairs)
    elif given.family == "rlhflow-pair":
        found = of_rlhflow(given.reward_bench, given.checkpoint, pairs)
    else:
        module = given.family.replace("-", "")
        found = of_pairrm(given.reward_bench, given.checkpoint, pairs, module)
    print(json.dumps(found, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
