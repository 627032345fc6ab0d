"""Generates texts with the engines vllm and hf, in the environment of vLLM; prints what it finds as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from transformers import AutoTokenizer

from rmeval.engines import Engine, EngineOptions, Generation, open_engine

QUESTIONS = (
    "What is the capital of France?",
    "Write a short poem about the sea.",
    "Explain why the sky is blue.",
    "List three fruits.",
    "Who wrote Hamlet?",
    "Name two rivers.",
)


def texts(engine: Engine, given: Sequence[Any], how: Generation, order: Sequence[int]) -> list[Any]:
    """The continuation of each sequence, which are sent in an order."""
    found: dict[int, Any] = {}
    for batch in engine.generate([given[k] for k in order], [24] * len(order), [100 + k for k in order], how):
        for one in batch:
            found[order[one.index]] = [list(one.tokens), one.finish]
    return [found[k] for k in range(len(given))]


if __name__ == "__main__":
    folder = sys.argv[1]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    talks = [[{"role": "user", "content": question}] for question in QUESTIONS]
    sequences = tokenizer.apply_chat_template(talks, add_generation_prompt=True, return_dict=True)["input_ids"]
    settings: dict[str, Any] = {"max_model_len": 512, "max_num_seqs": 4}
    vllm = open_engine(folder, EngineOptions(model_kwargs=settings), "vllm")
    hf = open_engine(folder, EngineOptions())
    for one in (vllm, hf):
        one.require_language_model()
    greedy, drawn = (Generation(temperature, 0.9, vllm.stops()) for temperature in (0.0, 1.0))
    forwards = list(range(len(sequences)))
    found = {
        "vllm": texts(vllm, sequences, greedy, forwards),
        "hf": texts(hf, sequences, greedy, forwards),
        "drawn": texts(vllm, sequences, drawn, forwards),
        "drawn again": texts(vllm, sequences, drawn, forwards[::-1]),
    }
    vllm.release()
    print(json.dumps(found))  # noqa: T201
