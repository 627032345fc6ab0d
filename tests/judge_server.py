"""A judge of known accuracy, biases and failure rate behind a real socket, and a proxy that spoils its answers.

table = judged_pairs(500, tmp_path / "pairs.jsonl", seed=1)      # items, and which response of each is the better one
judge = scripted_judge(table, accuracy=.8, position_bias=.1, seed=1)
with serve(faulty(judge, share=.3, seed=2)) as server:           # from tests.http_server
    rmeval.evaluate(server.url, "pairs", data=..., protocol="five-way")

The judge knows the better response from the table, by marks such as `ref-00017a` in the texts; it never sees rmeval's
gold labels. A text that is padded or paraphrased keeps its mark, and is known again.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.http_server import Answer, Received, Script, cut, hang, json_answer, text_answer

__all__ = ["CHAT", "FAULTS", "FIVE_WAY", "Known", "Planted", "faulty", "judged_pairs", "reply_of", "scripted_judge"]

CHAT = "/v1/chat/completions"
FIVE_WAY = ("[[A>B]]", "[[A=B]]", "[[B>A]]")
"""The labels for the first response, for a tie, and for the second."""
_MARK = re.compile(r"ref-\d{5}[a-z]")
_RESPONSES = re.compile(r"<response ?(\w*)[^>]*>(.*?)</response ?\1>", re.DOTALL)
_WORDS = (
    "the sum",
    "of these",
    "terms",
    "is even",
    "because",
    "every second",
    "one",
    "cancels",
    "and so",
    "it is four",
)


@dataclass(frozen=True)
class Known:
    """What the judge knows of a marked response: its problem, and its quality, higher is better."""

    problem: str
    quality: float


def judged_pairs(count: int, file: Path, seed: int = 0) -> dict[str, Known]:
    """Write a file of pairs, and return the table of their marks; half of the better responses are the longer ones."""
    table: dict[str, Known] = {}
    rows = []
    for number in range(count):
        problem = f"ref-{number:05d}"
        table[f"{problem}a"], table[f"{problem}b"] = Known(problem, 1.0), Known(problem, 0.0)
        short, long = (_text(size, seed, number) for size in (12, 40))
        better, worse = (long, short) if drawn(seed, problem, "length") < 0.5 else (short, long)
        rows.append(
            {
                "id": f"item {number}",
                "prompt": f"Question {number}: what is the parity of the sum?",
                "chosen": f"{problem}a {better}",
                "rejected": f"{problem}b {worse}",
            }
        )
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return table


def _text(size: int, seed: int, number: int) -> str:
    return " ".join(_WORDS[int(drawn(seed, number, size, place) * len(_WORDS))] for place in range(size))


def drawn(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts only."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


@dataclass(frozen=True)
class Planted:
    """A judge that is wrong in known ways, and the same for the same request whenever it comes.

    With probability `failure_rate` (for each presentation) its output has no verdict. Otherwise, with probability
    `position_bias` (for each pair) it prefers what comes first, then with probability `verbosity_bias` (for each pair)
    the longer response, and else with probability `accuracy` (for each pair) the better one. With probability
    `instability` (for each presentation and sampling seed) a verdict is drawn by lot.

    So with both orders and half of the better responses longer, for outputs with a verdict and no instability: the
    accuracy is p/2 + (1-p)(v/2 + (1-v)a), the share of pairs whose verdict changes with the order is p, and the share
    of verdicts for what comes first is 1/2 + p/2.
    """

    table: Mapping[str, Known]
    accuracy: float = 1.0
    position_bias: float = 0.0
    verbosity_bias: float = 0.0
    failure_rate: float = 0.0
    instability: float = 0.0
    seed: int = 0

    def prefers_first(self, texts: Sequence[str], lot: object) -> bool | None:
        """Whether the first of two responses is preferred; None for an output without a verdict."""
        marks = [_MARK.search(text) for text in texts]
        assert len(marks) == 2, f"the prompt shows {len(marks)} responses"
        assert all(marks), "a response has no mark"
        one, other = (self.table[mark[0]] for mark in marks if mark)
        if self._draw("failure", *texts) < self.failure_rate:
            return None
        if self._draw("lot", lot, *texts) < self.instability:
            return self._draw("lot again", lot, *texts) < 0.5
        pair = one.problem
        if self._draw("position", pair) < self.position_bias:
            return True
        if self._draw("verbosity", pair) < self.verbosity_bias:
            return len(texts[0]) > len(texts[1])
        return (one.quality > other.quality) == (self._draw("accuracy", pair) < self.accuracy)

    def _draw(self, *parts: object) -> float:
        return drawn(self.seed, *parts)


def scripted_judge(
    table: Mapping[str, Known],
    *,
    accuracy: float = 1.0,
    position_bias: float = 0.0,
    verbosity_bias: float = 0.0,
    failure_rate: float = 0.0,
    instability: float = 0.0,
    seed: int = 0,
    labels: Sequence[str] = FIVE_WAY,
    model: str = "scripted",
    certainty: float = 0.9,
    rating: str = "Rating: {}",
    wait: float = 0.0,
) -> Script:
    """A script for `tests.http_server.serve` that speaks chat/completions and v1/models.

    Args:
        table: What the judge knows, from `judged_pairs`.
        accuracy: See `Planted`; likewise the biases and the failure rate.
        position_bias: Likewise.
        verbosity_bias: Likewise.
        failure_rate: Likewise.
        instability: Likewise.
        seed: Of all draws.
        labels: What it writes for the first response, for a tie, and for the second.
        model: Its name.
        certainty: Probability of the preferred label where log-probs are asked for.
        rating: What it writes of a single response, with the rating in the place of the braces.
        wait: Seconds before each answer.
    """
    planted = Planted(table, accuracy, position_bias, verbosity_bias, failure_rate, instability, seed)

    def script(request: Received) -> Answer:
        if request.path == "/v1/models":
            return json_answer({"object": "list", "data": [{"id": model, "object": "model"}]})
        if request.path != CHAT:
            return json_answer({"error": {"message": "Not Found"}}, 404)
        body = request.json
        prompt = body["messages"][-1]["content"]
        texts = [found[2].strip() for found in _RESPONSES.finditer(prompt)]
        if len(texts) == 1:
            mark = _MARK.search(texts[0])
            assert mark is not None
            return json_answer(
                reply_of(rating.format(9 if table[mark[0]].quality > 0.5 else 4), model, prompt), wait=wait
            )
        first = planted.prefers_first(texts, (body.get("seed"), body.get("temperature")))
        if first is None:
            return json_answer(reply_of("I cannot decide between the two of them.", model, prompt), wait=wait)
        label = labels[0] if first else labels[-1]
        if body.get("logprobs"):
            return json_answer(labels_reply(labels, label, certainty, model, prompt), wait=wait)
        return json_answer(reply_of(f"I compared both responses. {label}", model, prompt), wait=wait)

    return script


def reply_of(text: str | None, model: str = "scripted", prompt: str = "", finish: str = "stop") -> dict[str, Any]:
    """An answer of chat/completions."""
    counts = {"prompt_tokens": len(prompt) // 4, "completion_tokens": len(text or "") // 4}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {**counts, "total_tokens": sum(counts.values())},
    }


def labels_reply(labels: Sequence[str], label: str, certainty: float, model: str, prompt: str) -> dict[str, Any]:
    """An answer with the log-probs of its one token."""
    rest = max((1 - certainty) / max(len(labels) - 1, 1), 1e-9)
    chances = sorted(((certainty if one == label else rest, one) for one in labels), reverse=True)
    tops = [{"token": one, "logprob": math.log(chance)} for chance, one in chances]
    data = reply_of(label, model, prompt, "length")
    data["choices"][0]["logprobs"] = {"content": [{**tops[0], "top_logprobs": tops}]}
    return data


def _text_with_status_200(request: Received) -> Answer:
    return json_answer({"error": {"message": "The engine is overloaded, try again later", "code": 503}})


FAULTS: Mapping[str, Callable[[Received], Answer]] = {
    "429": lambda _: json_answer({"error": {"message": "Rate limit reached"}}, 429, retry_after="0.05"),
    "500": lambda _: json_answer({"error": {"message": "Internal error"}}, 500),
    "hang": lambda _: hang(),
    "cut": lambda _: cut(reply_of("[[A>B]]")),
    "broken JSON": lambda _: text_answer('{"choices": [{"message": {"content": "[[A>B', 200, "application/json"),
    "empty choices": lambda _: json_answer({**reply_of(""), "choices": []}),
    "error with status 200": _text_with_status_200,
}
"""What a faulty server does instead of an answer."""


def faulty(script: Script, *, share: float = 0.3, seed: int = 0, faults: Sequence[str] = tuple(FAULTS)) -> Script:
    """A script that spoils a share of the calls, each of several kinds as often.

    Whether a call is spoilt depends on its body and on how often it came, so that it is the same whatever else runs.
    """
    seen: dict[bytes, int] = {}
    lock = threading.Lock()

    def spoilt(request: Received) -> Answer:
        if request.path != CHAT:
            return script(request)
        with lock:
            times = seen[request.body] = seen.get(request.body, 0) + 1
        draw = drawn(seed, request.body, times)
        if draw >= share:
            return script(request)
        return FAULTS[faults[int(draw / share * len(faults))]](request)

    return spoilt
