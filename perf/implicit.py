"""Compare implicit rewards with the reference's method: full-vocabulary logits of both models, padded batches of 8.

python -m perf.implicit --policy FOLDER --reference FOLDER [--blocks N] [--seed N] [--data RM_BENCH_FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perf.machine import machine
from perf.workloads import BLOCK, SHARED, blocks_of
from rmeval.messages import count_of

BATCH = 8


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", required=True)
    parser.add_argument("--reference", required=True)
    parser.add_argument("--data", default=str(SHARED / "rm-bench" / "chat_filtered.json"))
    parser.add_argument("--blocks", type=int, default=2, help=f"blocks of {BLOCK} neighbouring items")
    parser.add_argument("--seed", type=int, default=0, help="seed of the positions of the blocks")
    parser.add_argument("--name", help="name of the models in the table")
    parser.add_argument("--way", choices=sorted(WAYS), help="measure only this method, and print JSON")
    parser.add_argument("-o", "--out", type=Path, help="markdown file to add the table to")
    given = parser.parse_args()
    if given.way:
        print(json.dumps(measure(given)))  # noqa: T201
        return
    found = {way: alone(way, sys.argv[1:]) for way in WAYS}
    ours, theirs = found["rmeval"], found["reference"]
    apart = max(abs(a - b) for a, b in zip(ours["scores"], theirs["scores"], strict=True))
    lines = [
        f"\n### Implicit rewards: {given.name or Path(given.policy).name}, {machine()}\n",
        f"RM-Bench chat, {count_of(given.blocks, 'block')} of {BLOCK} neighbouring items, placed by seed {given.seed}, "
        f"{len(ours['scores'])} responses, one thread, float32. Memory in MB above weights and imports.\n",
        "| method | CPU seconds | times faster | memory | share |",
        "|---|---|---|---|---|",
        *(
            f"| {way} | {one['cpu']:.1f} | {theirs['cpu'] / one['cpu']:.2f} | {one['peak'] - one['loaded']:.0f} "
            f"| {(one['peak'] - one['loaded']) / (theirs['peak'] - theirs['loaded']):.2f} |"
            for way, one in found.items()
        ),
        f"\nLargest difference of a reward: {apart:.1g}, of sums of log-probabilities up to {ours['largest']:,.0f}.",
    ]
    text = "\n".join(lines)
    print(text)  # noqa: T201
    if given.out:
        with given.out.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")


def alone(way: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Measure one method in its own process, without caches of an earlier one."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-m", "perf.implicit", *arguments, "--way", way]
        environment = os.environ | {"XDG_CACHE_HOME": cache, "OMP_NUM_THREADS": "1"}
        output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Measure one method in this process."""
    import torch

    from rmeval.benchmarks.rm_bench import RMBench
    from rmeval.models import load_model
    from rmeval.models.implicit import Implicit
    from rmeval.protocols.pointwise import conversation_requests

    torch.set_num_threads(1)
    blocks = blocks_of(RMBench(given.data).load(), given.blocks, given.seed)
    # The first responses of all items of a block come first, as in the scripts.
    conversations = [item.conversation(response) for block in blocks for response in range(6) for item in block]
    model = load_model(given.policy, ref_model=given.reference, dtype="float32")
    assert isinstance(model, Implicit)
    return WAYS[given.way](given, model, conversation_requests(conversations))


def _reference(given: argparse.Namespace, model: Any, requests: Any) -> dict[str, Any]:
    import torch
    from transformers import AutoModelForCausalLM

    ready = next(iter(model.texts.windows(requests))).ready
    models = [
        AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
        for path in (given.policy, given.reference)
    ]
    loaded, begun = _peak(), time.process_time()
    found: list[list[float]] = []
    for start in range(0, len(ready), BATCH):
        batch = ready[start : start + BATCH]
        longest = max(len(one.tokens) for one in batch)
        ids = torch.tensor([one.tokens.tolist() + [0] * (longest - len(one.tokens)) for one in batch])
        place = torch.arange(longest)[None]
        lengths = torch.tensor([len(one.tokens) for one in batch])[:, None]
        response = (place >= torch.tensor([one.start for one in batch])[:, None]) & (place < lengths)
        sums = []
        for each in models:
            with torch.inference_mode():
                logits = each(input_ids=ids, attention_mask=(place < lengths).long()).logits[:, :-1]
                tokens = logits.log_softmax(-1).gather(2, ids[:, 1:, None]).squeeze(2)
                sums.append((tokens * response[:, 1:]).sum(1))
        found += torch.stack(sums, 1).tolist()
    return _used(begun, loaded, [own - other for own, other in found], max(abs(own) for own, _ in found))


def _rmeval(given: argparse.Namespace, model: Any, requests: Any) -> dict[str, Any]:
    """Compute all variants with both models."""
    from rmeval.engines import TokenLogProbs

    for engine in (model.engine, model._reference.engine):
        # Runs once per process: loading, and the check of the tree.
        list(engine.run([[1, 2, 3], [1, 2, 4]], TokenLogProbs([(1, 3), (2, 3)])))
    loaded, begun = _peak(), time.process_time()
    seen = {one.key: one.values for batch in model.observe(requests) for one in batch}
    values = [seen[request.key] for request in requests]
    return _used(begun, loaded, [one["dpo/sum"] for one in values], max(abs(one["ref_free/sum"]) for one in values))


def _used(begun: float, loaded: float, scores: list[float], largest: float) -> dict[str, Any]:
    return {
        "cpu": time.process_time() - begun,
        "loaded": loaded,
        "peak": _peak(),
        "scores": scores,
        "largest": largest,
    }


def _peak() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


WAYS = {"reference": _reference, "rmeval": _rmeval}


if __name__ == "__main__":
    main()
