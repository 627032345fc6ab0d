"""Score pairs of responses with RewardBench's DPO inference, to compare rmeval's implicit rewards with.

    python scripts/zoo/published_dpo.py REWARD_BENCH POLICY REFERENCE PAIRS.json [--conversation tulu]

REWARD_BENCH is a clone of allenai/reward-bench, and each pair a list of messages and two responses. Prints the rewards
of both responses of each pair: with the reference, and without one as average, norm and sum. Conversations are rendered
by the policy's chat template, or by a conversation of FastChat, whose folder then is in PYTHONPATH. Numbers are in
float64: sums of hundreds of log-probabilities in float32 have steps of 3e-5.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

FREE = ("avg", "norm", "sum")


def published(folder: str, name: str) -> Any:
    """Import a file of reward-bench; its package, which needs more than the file does, is empty."""
    models = ModuleType("rewardbench.models")
    models.REWARD_MODEL_CONFIG = {}  # type: ignore[attr-defined]
    sys.modules.update({"rewardbench": ModuleType("rewardbench"), "rewardbench.models": models})
    spec = importlib.util.spec_from_file_location(name, Path(folder) / "rewardbench" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rendered(folder: str, pair: Any, tokenizer: Any, conversation: str | None) -> dict[str, Any]:
    """The texts of a pair, as RewardBench renders them."""
    utils = published(folder, "utils")
    example: dict[str, Any] = {"prompt": pair[0], "chosen": pair[1], "rejected": pair[2]}
    if conversation is None:
        utils.prepare_dialogue_from_tokenizer(example, tokenizer)
        return example
    # FastChat is no dependency of rmeval.
    fastchat = importlib.import_module("fastchat.conversation")
    utils.prepare_dialogue(example, fastchat.get_conv_template(conversation))
    return example


def main() -> None:
    """Print a JSON object: by kind of reward, a list of the rewards of the first and the second response."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("reward_bench", "policy", "reference", "pairs"):
        parser.add_argument(name)
    parser.add_argument("--conversation", help="A conversation of FastChat.")
    given = parser.parse_args()
    # As scripts/run_dpo.py prepares the tokenizer.
    tokenizer = AutoTokenizer.from_pretrained(given.policy)
    tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.bos_token is None:
        tokenizer.bos_token_id = tokenizer.eos_token_id
        tokenizer.pad_token_id = tokenizer.eos_token_id
    policy, reference = (
        AutoModelForCausalLM.from_pretrained(one, dtype=torch.float64) for one in (given.policy, given.reference)
    )
    dpo = published(given.reward_bench, "dpo")
    here = SimpleNamespace(device=torch.device("cpu"))
    found: dict[str, list[list[float]]] = {}
    for kind in ("dpo", *FREE):
        other = reference if kind == "dpo" else None
        norm = "norm" if kind == "dpo" else kind
        inference = dpo.DPOInference(policy, other, tokenizer=tokenizer, accelerator=here, ref_free_norm=norm)
        for pair in json.loads(Path(given.pairs).read_text(encoding="utf-8")):
            row = inference.tokenize_row(rendered(given.reward_bench, pair, tokenizer, given.conversation))
            batch = {name: torch.tensor([one]) for name, one in row.items()}
            with torch.inference_mode():
                both = inference.inference_step(batch, ref_free=other is None)
            found.setdefault(kind, []).append([one.item() for one in both])
    print(json.dumps(found, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
