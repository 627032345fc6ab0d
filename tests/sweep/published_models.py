"""Tiny checkpoints in the layouts of published models, under their ids on a hub on this machine, with RM-Bench's items.

    python -m tests.sweep.published_models FOLDER

serves them until it is interrupted, and prints the variables that clients need.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rmeval.benchmarks.rm_bench import RMBench
from tests import hub
from tests.checkpoints import make_checkpoint, make_tokenizer, say
from tests.samples import rm_bench_rows
from tests.zoo import mixtures, plain, single_heads
from tests.zoo.test_deep_heads import inf_orm

FAMILIES: Mapping[str, Callable[[Path], object]] = {
    "Skywork/Skywork-Reward-V2-Qwen3-0.6B": lambda folder: plain.make_checkpoint(folder, "qwen3"),
    "infly/INF-ORM-Llama3.1-70B": inf_orm,
    "openbmb/Eurus-RM-7b": single_heads.eurus,
    "RLHFlow/ArmoRM-Llama3-8B-v0.1": mixtures.armorm,
    "OpenAssistant/reward-model-deberta-v3-large-v2": single_heads.oasst_deberta,
    "nvidia/Llama-3.1-Nemotron-70B-Reward-HF": single_heads.nemotron,
    "stabilityai/stablelm-2-12b-chat": lambda folder: make_language_model(folder, 1),
    "stabilityai/stablelm-2-12b": lambda folder: make_language_model(folder, 2),
    "RLHFlow/pair-preference-model-LLaMA3-8B": lambda folder: make_language_model(folder, 3),
}
"""Eight models, and a reference: heads of one and two layers, a gate, an encoder, a logit, a DPO pair, a comparator."""


def make_language_model(folder: Path, seed: int) -> Path:
    make_checkpoint(folder, "causal", seed=seed, tokenizer=make_tokenizer())
    say(folder, "A", "B")
    return folder


@contextmanager
def serve(folder: Path) -> Iterator[dict[str, str]]:
    """Serves the models and as many made-up items as RM-Bench has; gives the variables that clients need."""
    models = folder / "hub" / "models"
    for name, make in FAMILIES.items():
        (models / name).parent.mkdir(parents=True, exist_ok=True)
        make(models / name)
    data = folder / "hub" / "datasets" / "THU-KEG" / "RM-Bench"
    data.mkdir(parents=True)
    rows = [
        row for domain, count in RMBench.card.counts.items() for row in rm_bench_rows(domain, count, with_domain=True)
    ]
    (data / "total_dataset.json").write_text(json.dumps(rows))
    commits = {"datasets/THU-KEG/RM-Bench": f"{RMBench.card.revision}" + "0" * 33}
    cache = str(folder / "cache")
    with hub.serve(folder / "hub", commits) as endpoint:
        yield {"HF_ENDPOINT": endpoint, "HF_HOME": cache, "HF_HUB_CACHE": cache, "HF_HUB_OFFLINE": "0"}


if __name__ == "__main__":
    with serve(Path(sys.argv[1])) as variables:
        print(*(f"export {name}={value}" for name, value in variables.items()), sep="\n", flush=True)  # noqa: T201
        while True:
            time.sleep(1)
