"""The engine vllm on this CPU, in an environment of its own, against the engine hf."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import rmeval
from rmeval.models import EMBEDDED
from tests.integration.environments import run_in

CLOSE = 1e-4
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def readings(real_models: Path) -> Any:
    """What the program `vllm_readings.py` finds."""
    done = run_in("vllm", HERE / "vllm_readings.py", EMBEDDED["rmeval/tiny"], real_models / "smollm2")
    assert done.returncode == 0, done.stderr[-6000:]
    return json.loads(done.stdout)


def test_arguments_that_are_passed_on_exist(readings: Any) -> None:
    assert readings["unknown"] == []


def test_heads_have_the_values_of_hf(readings: Any) -> None:
    found = readings["classifier"]
    assert max(found["last"], found["positions"]) < CLOSE
    facts = found["facts"]
    assert (facts["vllm"], facts["head_dtype"], facts["device"]) == ("0.32.0", "float32", "cpu")
    assert facts["prefix_cache"]["cached"] > 0


def test_a_killed_engine_is_one_sentence_and_starts_again(readings: Any) -> None:
    found = readings["classifier"]
    assert found["killed"].startswith("vLLM has stopped for ")
    assert "\n" not in found["killed"]
    assert 0 < found["before"] < 2000
    assert found["after"] < CLOSE
    assert found["left"] == []


def test_log_probabilities_are_those_of_hf(readings: Any) -> None:
    found = readings["language model"]
    assert max(found["log_probs"], found["labels"]) < CLOSE
    assert found["total"] == pytest.approx(1.0, abs=1e-4)
    assert found["longest"] == 1


def test_texts_are_those_of_hf_and_drawn_alike_in_any_order(real_models: Path) -> None:
    done = run_in("vllm", HERE / "vllm_texts.py", real_models / "smollm2")
    assert done.returncode == 0, done.stderr[-6000:]
    found = json.loads(done.stdout)
    assert found["vllm"] == found["hf"]
    assert {finish for _, finish in found["hf"]} == {"stop", "length"}
    assert found["drawn"] == found["drawn again"] != found["vllm"]


def test_a_run_has_the_scores_of_hf(tmp_path: Path) -> None:
    settings = ("-b", "rm-bench-synthetic", "--size", "40", "-o", tmp_path / "own", "--engine", "vllm")
    done = run_in("vllm", "-m", "rmeval", "run", "rmeval/tiny", *settings)
    assert done.returncode == 0, done.stderr
    assert "vllm" not in done.stdout.lower()
    assert all(line.startswith("rm-bench-synthetic  rmeval/tiny: ") for line in done.stderr.splitlines()), done.stderr
    rmeval.evaluate("rmeval/tiny", "rm-bench-synthetic", out=tmp_path / "hf", size=40)
    own, hf = (pd.read_parquet(next((tmp_path / name).rglob("scores.parquet"))) for name in ("own", "hf"))
    assert own[["item", "response", "tokens"]].equals(hf[["item", "response", "tokens"]])
    assert own["score"].to_numpy() == pytest.approx(hf["score"].to_numpy(), abs=CLOSE)


def test_a_setting_that_vllm_refuses_is_one_sentence(tmp_path: Path) -> None:
    settings = ("-b", "rm-bench-synthetic", "--size", "40", "-o", tmp_path, "--engine", "vllm")
    done = run_in("vllm", "-m", "rmeval", "run", "rmeval/tiny", *settings, "--model-kwargs", "max_model_len=100000")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "vLLM cannot start for" in done.stderr
