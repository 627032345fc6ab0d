"""Score conversations with the published code of a reward model, to compare rmeval's scores with.

    python scripts/zoo/published_scores.py FILE.py CLASS CHECKPOINT CONVERSATIONS.json

FILE.py is a module of the published code, such as rewardbench/models/inform.py of a clone of allenai/reward-bench,
and CLASS its network. Each conversation is rendered by the checkpoint's chat template and read alone, without padding.
`--post-init` calls `post_init` after `__init__` for classes that lack it, which transformers 5 needs.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer


def published_class(file: str, name: str, post_init: bool) -> Any:
    """Import a class from a file, with `post_init` called at the end of its constructor if asked."""
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, name)
    if not post_init:
        return found

    def begin(self: Any, *given: Any, **named: Any) -> None:
        found.__init__(self, *given, **named)
        self.post_init()

    return type(name, (found,), {"__init__": begin})


def main() -> None:
    """Print a JSON list with the first output of each conversation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("cls")
    parser.add_argument("checkpoint")
    parser.add_argument("conversations")
    parser.add_argument("--post-init", action="store_true")
    parser.add_argument("--output", default="logits", help="Name of the output, if the forward returns named ones.")
    given = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(given.checkpoint)
    model = published_class(given.file, given.cls, given.post_init)
    model = model.from_pretrained(given.checkpoint, dtype=torch.float32).eval()
    scores = []
    for conversation in json.loads(Path(given.conversations).read_text(encoding="utf-8")):
        text = tokenizer.apply_chat_template(conversation, tokenize=False)
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            found = model(input_ids=ids, attention_mask=torch.ones_like(ids))
        found = getattr(found, given.output) if hasattr(found, given.output) else found
        scores.append(found.double().reshape(-1)[0].item())
    print(json.dumps(scores, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
