"""Servers of reward models in miniature: the routes and the forms of requests and answers of each, written here.

Their model is a hash: the score of an input is drawn from its token ids, its text or its messages, so two inputs
have the same score only if they are the same.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from typing import Any

from tests.http_server import Answer, Received, json_answer

Model = Callable[[Any], list[float]]
"""The outputs for an input."""
Route = Callable[[Any], Any]
"""The answer to a body."""


def drawn(content: Any, seed: int = 0, outputs: int = 1) -> list[float]:
    """Raw scores between -8 and 8."""
    text = json.dumps([seed, content], sort_keys=True).encode()
    parts = [hashlib.blake2b(text, digest_size=8, person=bytes([k])).digest() for k in range(outputs)]
    return [int.from_bytes(part, "big") / 2**60 - 8 for part in parts]


def sigmoid(scores: list[float]) -> list[float]:
    return [1 / (1 + math.exp(-score)) for score in scores]


def softmax(scores: list[float]) -> list[float]:
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def activated(scores: list[float]) -> list[float]:
    return sigmoid(scores) if len(scores) == 1 else softmax(scores)


def missing() -> Answer:
    return json_answer({"detail": "Not Found"}, 404)


def routed(**routes: Route | Any) -> Callable[[Received], Answer]:
    """A script with an answer for each route; names have _ for / and start after the first."""
    named = {"/" + name.replace("__", "/"): answer for name, answer in routes.items()}

    def script(request: Received) -> Answer:
        if request.path not in named:
            return missing()
        answer = named[request.path]
        found = answer(request.json) if callable(answer) else answer
        return found if isinstance(found, Answer) else json_answer(found)

    return script


def inputs_of(body: Any) -> list[Any]:
    """The inputs of a vLLM body."""
    if "messages" in body:
        return [body["messages"]]
    given = body["input"]
    single = isinstance(given, str) or (given and isinstance(given[0], int))
    return [given] if single else given


def counted(inputs: list[Any]) -> int:
    return sum(len(one) for one in inputs)


def vllm_like(model: Model = drawn, *, name: str = "rm", root: str = "/models/rm", limit: int = 4096) -> Any:
    """vLLM's routes: unknown fields are ignored, `use_activation` is on by default, and a wrong name is a 404."""

    def listed() -> Any:
        own = {"id": name, "object": "model", "owned_by": "vllm", "root": root, "max_model_len": limit}
        return {"object": "list", "data": [own]}

    def entries(body: Any, shaped: Callable[[int, list[float]], Any]) -> Any:
        if body.get("model", name) != name:
            error = {"message": f"The model `{body['model']}` does not exist.", "type": "NotFoundError", "code": 404}
            return json_answer({"error": error}, 404)
        inputs = inputs_of(body)
        if any(isinstance(one, list) and one and isinstance(one[0], int) and len(one) > limit for one in inputs):
            words = f"This model's maximum context length is {limit} tokens."
            return json_answer({"error": {"message": words, "code": 400}}, 400)
        on = body.get("use_activation") in (None, True)
        scores = [model(one) for one in inputs]
        data = [shaped(place, activated(one) if on else one) for place, one in enumerate(scores)]
        tokens = counted(inputs)
        return {
            "object": "list",
            "model": name,
            "data": data,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }

    def classify(place: int, probs: list[float]) -> Any:
        return {"index": place, "label": "LABEL_0", "probs": probs, "num_classes": len(probs)}

    def score(body: Any) -> Any:
        pair = {"input": [f"{body['text_1']}\0{body['text_2']}"], "use_activation": body.get("use_activation")}
        return entries(pair, lambda place, scores: {"index": place, "object": "score", "score": scores[0]})

    def pooling(body: Any) -> Any:
        return entries(body, lambda place, data: {"index": place, "object": "pooling", "data": data})

    return {
        "v1__models": listed(),
        "openapi.json": {
            "openapi": "3.1.0",
            "paths": {"/classify": {}, "/pooling": {}, "/score": {}, "/v1/models": {}},
        },
        "classify": lambda body: entries(body, classify),
        "pooling": pooling,
        "score": score,
    }


def sglang_like(model: Model = drawn, *, generation: bool = False) -> Any:
    def classify(body: Any) -> Any:
        given = body["input_ids"] if "input_ids" in body else body["text"]
        single = isinstance(given, str) or isinstance(given[0], int)
        found = [
            {"embedding": model(one), "meta_info": {"id": f"{place:032x}", "prompt_tokens": len(one)}}
            for place, one in enumerate([given] if single else given)
        ]
        return found[0] if single else found

    own = {"id": "rm", "object": "model", "owned_by": "sglang", "root": "rm", "max_model_len": 4096}
    return {
        "v1__models": {"object": "list", "data": [own]},
        "model_info": {"model_path": "/models/rm", "is_generation": generation},
        "classify": classify,
    }


def by_score(outputs: list[float], names: list[str] | None = None) -> list[dict[str, Any]]:
    """Labels and scores as TEI and Infinity return them: the highest score first."""
    labels = names or [f"LABEL_{k}" for k in range(len(outputs))]
    pairs = [{"label": label, "score": score} for label, score in zip(labels, outputs, strict=True)]
    return sorted(pairs, key=lambda one: -one["score"])


def tei_like(model: Model = drawn, names: list[str] | None = None) -> Any:
    def predict(body: Any) -> Any:
        inputs = body["inputs"]
        single = isinstance(inputs, str)
        texts = [inputs] if single else [" ".join(one) for one in inputs]
        scores = [model(one) if body.get("raw_scores") else activated(model(one)) for one in texts]
        found = [by_score(one, names) for one in scores]
        return found[0] if single else found

    info = {
        "model_id": "org/rm",
        "model_sha": "f00d",
        "model_type": {"classifier": {"id2label": {"0": "LABEL_0"}}},
        "max_input_length": 512,
        "version": "1.9.3",
    }
    return {"info": info, "predict": predict}


def infinity_like(model: Model = drawn) -> Any:
    def classify(body: Any) -> Any:
        scores = [model(one) if body.get("raw_scores") else activated(model(one)) for one in body["input"]]
        return {"object": "classify", "data": [by_score(one) for one in scores], "model": body["model"], "usage": {}}

    own = {"id": "org/rm", "owned_by": "infinity", "object": "model"}
    return {
        "openapi.json": {"paths": {"/classify": {}, "/models": {}}},
        "models": {"data": [own]},
        "classify": classify,
    }


def openrlhf_like(model: Model = drawn) -> Any:
    def get_reward(body: Any) -> Any:
        rewards = [model(one)[0] for one in body["query"]]
        return {"rewards": rewards, "scores": rewards, "extra_logs": {}}

    return {"openapi.json": {"paths": {"/get_reward": {}}}, "get_reward": get_reward}


def nim_like(model: Model = drawn, names: tuple[str, ...] = ("reward",)) -> Any:
    def chat(body: Any) -> Any:
        assert body["model"] == "nvidia/rm"
        text = ",".join(f"{name}:{score}" for name, score in zip(names, model(body["messages"]), strict=True))
        message = {"role": "assistant", "content": text}
        return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9}}

    own = {"id": "nvidia/rm", "object": "model", "owned_by": "vllm", "root": "nvidia/rm"}
    return {"v1__models": {"object": "list", "data": [own]}, "v1__chat__completions": chat}
