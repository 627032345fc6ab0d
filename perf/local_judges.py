"""Measure judges that rmeval runs: label probabilities by the prefix tree, and generation against transformers.

python -m perf.local_judges MODEL [--items N] [--tokens N] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from perf.machine import machine
from rmeval.benchmarks import load_benchmark
from rmeval.engines import EngineOptions, Generation, LastLogits, open_engine
from rmeval.engines.hf.engine import HFEngine
from rmeval.engines.hf.outputs import padded
from rmeval.engines.prefixes import PrefixTree
from rmeval.models import load_model
from rmeval.models.judge.model import Judge
from rmeval.protocols import load_protocol

BATCH = 16
"""Sequences that are continued together, by rmeval and by transformers."""


def prompts(model: str, protocol: str, items: int) -> list[list[int]]:
    """The prompts of some items of the generated RM-Bench, as token ids."""
    judge = load_model(model, protocol=protocol, max_new_tokens=1)
    assert isinstance(judge, Judge)
    found = []
    asking = load_protocol(protocol).protocol
    for item in list(load_benchmark("rm-bench-synthetic", size=max(200, items)).load())[:items]:
        digests = [str(number) for number in range(len(item.responses))]
        found += [judge.asked(request) for request in asking.requests(item, asking.keys(item, digests))]
    rendered = judge.backend._prompts.render([one.prompt.messages for one in found])  # type: ignore[attr-defined]
    return [one.tokens.tolist() for one in rendered]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what the work returns."""
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def labels(engine: HFEngine, sequences: Sequence[list[int]]) -> dict[str, float]:
    """Label probabilities by the tree and in padded batches; how many tokens were computed, and how many differ."""
    readout = LastLogits((40, 41))
    distinct = PrefixTree(sequences).distinct
    shared, _ = timed(lambda: list(engine.run(sequences, readout)))
    plain, _ = timed(lambda: list(engine.batched(BATCH).run(sequences, readout)))
    computed = engine.facts()["prefix_sharing"]["distinct"]
    tokens = sum(map(len, sequences))
    return {
        "requests": len(sequences),
        "tokens": tokens,
        "computed_over_distinct": computed / distinct,
        "tokens_over_computed": tokens / computed,
        "seconds_per_verdict": shared / len(sequences),
        "speedup_over_padded_batches": plain / shared,
    }


def by_transformers(engine: HFEngine, sequences: Sequence[list[int]], limit: int) -> int:
    """Continue sequences in padded batches with `generate` of transformers: number of new tokens."""
    model, stop = engine.network.model, engine.stops()
    own = GenerationConfig(max_new_tokens=limit, do_sample=False, eos_token_id=list(stop), pad_token_id=stop[0])
    order, count = sorted(sequences, key=len), 0
    for start in range(0, len(order), BATCH):
        ids, mask = padded([one[::-1] for one in order[start : start + BATCH]], stop[0])
        ids, mask = ids.flip(1), mask.flip(1)
        with torch.inference_mode():
            new = model.generate(input_ids=ids, attention_mask=mask, generation_config=own)[:, ids.shape[1] :]
        count += sum(next((k for k, one in enumerate(row) if one in stop), len(row)) for row in new.tolist())
    return count


def generation(engine: HFEngine, sequences: Sequence[list[int]], limit: int) -> dict[str, float]:
    """Tokens per second of rmeval and of transformers on the same prompts with the same batch, in turn."""
    how = Generation(stops=engine.stops())

    def by_rmeval() -> int:
        limits, seeds = [limit] * len(sequences), [0] * len(sequences)
        return sum(len(one.tokens) for batch in engine.generate(sequences, limits, seeds, how) for one in batch)

    own_seconds, own = timed(by_rmeval)
    other_seconds, other = timed(lambda: by_transformers(engine, sequences, limit))
    return {
        "requests": len(sequences),
        "prompt_tokens": sum(map(len, sequences)),
        "limit": limit,
        "new_tokens": own,
        "new_tokens_of_transformers": other,
        "tokens_per_second": own / own_seconds,
        "seconds_per_verdict": own_seconds / len(sequences),
        "speedup_over_transformers": (other_seconds / other) / (own_seconds / own),
    }


def main() -> None:
    """Measure, and print the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--items", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    engine = open_engine(given.model, EngineOptions(batch_size=None))
    assert isinstance(engine, HFEngine)
    engine.require_language_model()
    found = {
        "machine": machine(),
        "labels": labels(engine, prompts(given.model, "ab-labels", given.items)),
        "generation": generation(engine, prompts(given.model, "five-way", given.items), given.tokens),
    }
    text = json.dumps(found, indent=1, default=str)
    print(text)  # noqa: T201
    if given.out is not None:
        given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
