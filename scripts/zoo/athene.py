"""Print what the published code of Athene-RM makes of conversations: texts, token ids and scores.

    python scripts/zoo/athene.py ATHENE.py CHECKPOINT CONVERSATIONS.json

ATHENE.py is src/fairseq2/recipes/lm/_online_finetune/third_party/athene.py of facebookresearch/fairseq2, whose class
and preprocessing are those of the model's authors.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from transformers import AutoTokenizer


def main() -> None:
    """Print a JSON object."""
    file, folder, conversations = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("athene", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = module.AtheneForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    pipeline = SimpleNamespace(tokenizer=tokenizer, framework="pt")
    found: dict[str, list[object]] = {"texts": [], "ids": [], "scores": []}
    for conversation in json.loads(Path(conversations).read_text(encoding="utf-8")):
        inputs = module.AtheneRewardPipeline.preprocess(pipeline, conversation)
        with torch.inference_mode():
            score = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])["scores"]
        ids = inputs["input_ids"][0]
        found["texts"].append(tokenizer.decode(ids, clean_up_tokenization_spaces=False))
        found["ids"].append(ids.tolist())
        found["scores"].append(score[0].double().item())
    print(json.dumps(found, indent=1, ensure_ascii=False))  # noqa: T201


if __name__ == "__main__":
    main()
