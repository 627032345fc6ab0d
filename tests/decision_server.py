"""Servers of decision APIs on a real socket, which take exactly the fields that the published ones take.

with serve(sglang(decide)) as server: ...     # also vllm(decide), openai(decide); serve is that of tests.http_server

`decide(text, names)` returns a probability for each option of a question about a text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tests.http_server import Answer, Received, Script, json_answer

__all__ = ["Decide", "openai", "sglang", "vllm"]

Decide = Callable[[str, Sequence[str]], Sequence[float]]
NOT_FOUND = json_answer({"detail": "Not Found"}, 404)


def _models(request: Received) -> Answer | None:
    if request.path == "/v1/models":
        return json_answer({"object": "list", "data": [{"id": "decider", "object": "model"}]})
    return None


def _unknown(given: dict[str, Any], *known: str) -> list[str]:
    return sorted(set(given) - set(known))


def _best(names: Sequence[str], values: Sequence[float]) -> str:
    return names[max(range(len(names)), key=values.__getitem__)]


def vllm(decide: Decide, mass: float = 0.99, version: str = "0.32.0", supported: bool = True) -> Script:
    """`/v1/systemone` of vLLM, which answers 501 for models that it cannot let decide."""

    def script(request: Received) -> Answer:
        if request.path == "/version":
            return json_answer({"version": version})
        if request.path != "/v1/systemone":
            return _models(request) or NOT_FOUND
        if not supported:
            error = {"message": "The model does not support the structured decision API", "code": 501}
            return json_answer({"error": error}, 501)
        body = request.json
        answers, diagnostics = {}, {}
        for name, question in body["questions"].items():
            if wrong := _unknown(question, "type", "instructions", "criteria"):
                return json_answer({"error": {"message": f"question {name!r}: unknown field(s) {wrong}"}}, 400)
            choice = question["type"] == "choice"
            names = list(question["criteria"]) if choice else [str(n) for n in range(len(question["criteria"]))]
            if len(names) > (26 if choice else 10):
                return json_answer({"error": {"message": f"question {name!r}: at most 26 options"}}, 400)
            values = list(decide(body["state"], names))
            score: dict[str, Any] = {"score": math.fsum(place * one for place, one in enumerate(values)), "legend": {}}
            answers[name] = {
                "type": question["type"],
                **({"choice": _best(names, values)} if choice else score),
                "probabilities": dict(zip(names, values, strict=True)),
                "confidence": max(values) * mass,
            }
            diagnostics[name] = {"label_mass": mass, "argmax_is_label": mass > 0.5}
        usage = {"input_tokens": 40, "output_tokens": 1}
        found = {"id": "decision-1", "object": "structured_decision", "created": 1, "model": body["model"]}
        return json_answer({**found, "answers": answers, "usage": usage, "diagnostics": diagnostics})

    return script


def sglang(decide: Decide, mass: float = 0.99, version: Callable[[int], int] = lambda number: 1) -> Script:
    """`/v1/decisions` of SGLang; `version` is that of its prompt for the request of a number."""

    def script(request: Received) -> Answer:
        if request.path != "/v1/decisions":
            return _models(request) or NOT_FOUND
        body = request.json
        fields = ("input", "questions", "model", "temperature", "chat_template_kwargs", "prompt_format_version")
        wrong = _unknown(body, *fields, "images", "return_prompt_token_ids")
        answers = {}
        for question in body["questions"]:
            kind = question["type"]
            wrong += _unknown(question, "id", "type", "question", "options" if kind == "choice" else "levels")
            if wrong:
                return json_answer({"object": "error", "message": f"Extra inputs are not permitted: {wrong}"}, 400)
            for option in question.get("options", ()):
                if extra := _unknown(option, "name", "description"):
                    return json_answer({"object": "error", "message": f"Extra inputs: {extra}"}, 400)
            levels = question.get("levels", ())
            names = (
                [one["name"] for one in question["options"]] if kind == "choice" else list(map(str, range(len(levels))))
            )
            values = list(decide(body["input"], names))
            answers[question["id"]] = {
                "type": kind,
                "probabilities": dict(zip(names, values, strict=True)),
                "label_mass": mass,
                **({"choice": _best(names, values)} if kind == "choice" else {"score": 1.0}),
            }
        found = {"object": "decisions", "model": body["model"], "prompt_format_version": version(request.number)}
        return json_answer({**found, "answers": answers, "usage": {"prompt_tokens": 40, "total_tokens": 40}})

    return script


def openai(decide: Decide, refuses: Callable[[str], bool] = lambda text: False) -> Script:
    """`/v1/decisions` of OpenAI, which lists probabilities, and states neither a mass nor a version."""

    def script(request: Received) -> Answer:
        if request.path != "/v1/decisions":
            return _models(request) or NOT_FOUND
        body = request.json
        fields = ("model", "input", "questions", "prompt_cache_key", "prompt_cache_options", "safety_identifier")
        if wrong := _unknown(body, *fields):
            return json_answer({"error": {"message": f"Unknown parameter: '{wrong[0]}'."}}, 400)
        answers = []
        for question in body["questions"]:
            kind = question["type"]
            if wrong := _unknown(question, "type", "name", "instructions", "choices" if kind == "choice" else "levels"):
                return json_answer({"error": {"message": f"Unknown parameter: 'questions[0].{wrong[0]}'."}}, 400)
            if "instructions" not in question:
                return json_answer({"error": {"message": "Missing required parameter: 'instructions'."}}, 400)
            if refuses(body["input"]):
                answers.append({"type": "refusal", "name": question["name"]})
                continue
            if kind == "choice":
                names = [one["value"] for one in question["choices"]]
            else:
                names = [one["label"] for one in question["levels"]]
            values = list(decide(body["input"], names))
            pairs = list(zip(names, values, strict=True))
            if kind == "choice":
                given = [{"value": name, "probability": value} for name, value in pairs]
                own: dict[str, Any] = {"choice": _best(names, values)}
            else:
                given = [
                    {"label": name, "value": place, "probability": value} for place, (name, value) in enumerate(pairs)
                ]
                own = {"score": math.fsum(place * value for place, value in enumerate(values))}
            answers.append({"type": kind, "name": question["name"], "confidence": 0.1, "probabilities": given, **own})
        usage = {"input_tokens": 40, "output_tokens": 0, "total_tokens": 40}
        return json_answer({"answers": answers, "model": "gpt-6-luna", "usage": usage})

    return script
