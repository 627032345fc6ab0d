"""Print the scores that reward-bench's generic pipeline gives to the checkpoints of `tests/zoo/plain.py`.

    python -m tests.zoo.plain /tmp/plain
    python scripts/zoo/plain.py PATH_OF_REWARD_BENCH /tmp/plain/llama

It loads the checkpoint as `scripts/run_v2.py` of reward-bench does, in float32 and without quantisation, and calls
`rewardbench/models/pipeline.py` on each conversation by itself and on all of them in one batch.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BatchEncoding

OPTIONS = {"batch_size": 16, "truncation": True, "padding": True, "max_length": 2048}


def main() -> None:
    """Print the scores as JSON."""
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    spec = importlib.util.spec_from_file_location("pipeline", source / "rewardbench" / "models" / "pipeline.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not torch.cuda.is_available():
        BatchEncoding.to = lambda self, *_, **__: self  # The pipeline sends its tensors to "cuda".
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    pipeline = module.RewardBenchPipeline("text-classification", model=model, tokenizer=tokenizer)
    pads(pipeline)
    conversations = json.loads(folder.with_suffix(".json").read_text())
    texts = [tokenizer.apply_chat_template(one, tokenize=False) for one in conversations]
    single = [pipeline([text], **OPTIONS).flatten().tolist() for text in texts]
    scores: dict[str, Any] = {
        "scores": [one for (one,) in single],
        "batch": pipeline(texts, **OPTIONS).flatten().tolist(),
    }
    print(json.dumps(scores, indent=1))  # noqa: T201


def pads(pipeline: Any) -> None:
    """Choose the padding as `run_v2.py` does: the token of the end, if the tokenizer has none."""
    if pipeline.tokenizer.pad_token_id is None:
        pipeline.model.config.pad_token_id = pipeline.tokenizer.eos_token_id
        pipeline.tokenizer.pad_token_id = pipeline.tokenizer.eos_token_id
    if pipeline.model.config.pad_token_id is None:
        pipeline.model.config.pad_token_id = pipeline.tokenizer.pad_token_id


if __name__ == "__main__":
    main()
