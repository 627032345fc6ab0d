"""Problems in one file, and servers whose candidates are known to be right or wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rmeval.candidates import WriterOptions
from tests.build.known import own_code, own_math
from tests.build.scripted import CODE_KINDS, ScriptedModel
from tests.http_server import Answer, Received, Scripted, json_answer

__all__ = ["QUICK", "calls", "code_and_maths", "lines", "options_for", "sums", "write_rows"]

QUICK = {name: weight for name, weight in CODE_KINDS.items() if name != "loop"}
"""Kinds of wrong code that end at once."""


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def code_and_maths(folder: Path, count: int = 4, wait: float = 0.0) -> tuple[Path, ScriptedModel]:
    """A file of problems with tests and with keys, and a model that knows what it writes."""
    code, maths = own_code(count), own_math(count)
    rows = [
        {"id": f"code-{one.id}", "prompt": one.text, "tests": one.row["test_list"], "subset": "code"} for one in code
    ]
    rows += [{"id": f"math-{one.id}", "prompt": one.text, "answer": one.right, "subset": "math"} for one in maths]
    return write_rows(folder / "problems.jsonl", rows), ScriptedModel([*code, *maths], code=QUICK, wait=wait)


def sums(request: Received) -> Answer:
    """Half of the candidates are right; one of eleven is cut off."""
    if request.path == "/v1/models":
        return json_answer({"data": [{"id": "scripted"}]})
    a, b = map(int, re.findall(r"\d+", request.json["messages"][-1]["content"]))
    seed = request.json["seed"]
    choice = {
        "message": {"role": "assistant", "content": f"Draw {seed}: the sum is \\boxed{{{a + b + seed % 2}}}"},
        "finish_reason": "length" if seed % 11 == 0 else "stop",
    }
    usage = {"prompt_tokens": 20, "completion_tokens": 9}
    return json_answer({"model": "scripted", "choices": [choice], "usage": usage})


def calls(server: Scripted) -> list[bytes]:
    return [one.body for one in list(server.received) if one.path.endswith("chat/completions")]


def options_for(server: Scripted, n: int, **fields: Any) -> WriterOptions:
    model = {"concurrency": 8, "retries": 0} | fields.pop("model", {})
    return WriterOptions(f"{server.url}/v1", n, model=model, **fields)
