"""A batch of a judge that `vllm run-batch` runs, on this CPU."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.errors import OpenBatchError
from tests.integration.environments import environment, variables

ITEMS = 1
CHOICE = {"structured_outputs": {"choice": ["[[A>B]]", "[[A=B]]", "[[B>A]]"]}}
"""Small models seldom keep to labels by themselves."""


def run_batch(model: Path, calls: Path, results: Path) -> None:
    """Run a batch by vLLM, without a server."""
    command = [str(environment("vllm") / "python"), "-m", "vllm.entrypoints.openai.run_batch"]
    command += ["-i", str(calls), "-o", str(results), "--model", str(model), "--served-model-name", "smollm2"]
    command += ["--dtype", "float32", "--enforce-eager", "--max-model-len", "2048"]
    own = variables({"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"})
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-6000:]


def test_vllm_runs_a_batch(real_models: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"protocol": "five-way", "judge_kwargs": CHOICE, "n_items": ITEMS, "out": tmp_path / "runs"}
    calls, results = tmp_path / "calls.jsonl", tmp_path / "results.jsonl"
    with pytest.raises(OpenBatchError):
        rmeval.evaluate("smollm2", "rm-bench-synthetic", batch_out=str(calls), **given)
    written = calls.read_text().splitlines()
    # The last call names a model that is not served, and fails.
    failing = json.loads(written[-1])
    failing["body"]["model"] = "another"
    calls.write_text("\n".join([*written[:-1], json.dumps(failing)]) + "\n")
    run_batch(real_models / "smollm2", calls, results)
    result = rmeval.evaluate("smollm2", "rm-bench-synthetic", batch_in=(str(results),), **given)
    lines = [json.loads(line) for file in (result.path / "journal").iterdir() for line in file.read_text().splitlines()]
    assert len(lines) == len({line["key"] for line in lines}) == len(written)
    assert [line["status"] for line in lines].count("ok") == len(written) - 1
    (error,) = [line["error"] for line in lines if line["status"] == "error"]
    assert "another" in error
    assert all(line["usage"]["tokens"] > 100 for line in lines if line["status"] == "ok")
    assert 0 <= result.value("average", "math") <= 1
