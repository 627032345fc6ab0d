"""The engine vllm, without vLLM: what it accepts and refuses, and the values it finds in vLLM's outputs.

`tests/integration/test_vllm.py` runs it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from queue import Queue
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from rmeval.engines import EngineOptions, LastLogits, LastToken, Pooled, open_engine
from rmeval.engines.hf.checkpoint import find_checkpoint
from rmeval.engines.vllm.arguments import check_arguments, config_values, kept_arguments
from rmeval.engines.vllm.engine import VLLMEngine, refuse_others
from rmeval.engines.vllm.logs import cause_in
from rmeval.engines.vllm.requests import last_log_probs, prompt_log_probs, requests_for
from rmeval.engines.vllm.session import is_portion, reason_in, watch
from rmeval.errors import ModelError, RmevalError
from tests.checkpoints import make_checkpoint
from tests.command import command


def engine(folder: Path, **options: Any) -> VLLMEngine:
    return VLLMEngine(find_checkpoint(str(folder)), EngineOptions(**options))


def changed(checkpoint: Path, folder: Path, names: dict[str, str], **config: Any) -> Path:
    """A copy of a checkpoint with other names of weights, or none of some, and other values in its config."""
    shutil.copytree(checkpoint, folder)
    weights = load_file(folder / "model.safetensors")
    kept = {names.get(name, name): value for name, value in weights.items() if names.get(name) != ""}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    stated = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(stated | config))
    return folder


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed here")
def test_a_missing_package_is_one_sentence(
    checkpoint: Path, pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ("run", checkpoint, "--engine", "vllm", "-b", "pairs", "--data", pairs_file, "-o", tmp_path / "runs")
    done = command(capsys, *run)
    wanted = f"the engine vllm, for the model {checkpoint}, needs the package vllm: pip install 'rmeval[vllm]'"
    assert (done.code, done.err.strip().endswith(wanted), done.err.count("\n")) == (2, True, 1), done.err


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"attn_implementation": "eager"}, "attn_implementation is not an argument that the engine vllm takes"),
        ({"tensor_paralel_size": 2}, "tensor_parallel_size"),
        ({"tensor_parallel_size": "2"}, "tensor_parallel_size='2' must be a whole number"),
        ({"max_model_len": 0}, "max_model_len=0 must be a whole number"),
        ({"max_num_seqs": True}, "max_num_seqs=True must be a whole number"),
        ({"pooler_config": {}}, "pooler_config is set by rmeval"),
        ({"dtype": "half"}, "give `dtype` instead"),
        ({"data_parallel_size": 2}, "use the engine ray"),
        ({"num_labels": 1}, "give hf_overrides"),
        ({"hf_overrides": "x"}, "hf_overrides='x' must map"),
        ({"hf_overrides": {"architectures": ["X"]}}, "has architectures, which names another class"),
    ],
)
def test_other_arguments_are_refused(given: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ModelError) as caught:
        check_arguments(given)
    assert wanted in str(caught.value)


def test_arguments_that_change_scores_are_part_of_the_identity(checkpoint: Path) -> None:
    placed = {"tensor_parallel_size": 2, "gpu_memory_utilization": 0.5, "max_model_len": 100}
    scored = {"quantization": "fp8", "hf_overrides": {"head_dtype": "model"}}
    check_arguments(placed | scored)
    assert kept_arguments(placed | scored) == {"hf_overrides": {"head_dtype": "model"}, "quantization": "fp8"}
    assert config_values({"hf_overrides": {"head_dtype": "model", "num_labels": 1}}) == {"num_labels": 1}
    plain = engine(checkpoint, model_kwargs=placed).identity()
    assert plain == {"engine": "vllm", "dtype": "float32", "model_kwargs": {}} == engine(checkpoint).identity()
    assert engine(checkpoint, model_kwargs=scored).identity() != plain


def test_the_limit_leaves_room_for_the_token_that_vllm_generates(tmp_path: Path, checkpoint: Path) -> None:
    assert engine(checkpoint, model_kwargs={"max_model_len": 100}).description.limit == 100
    built = engine(checkpoint).description.limit
    assert built is not None
    assert engine(checkpoint, model_kwargs={"max_model_len": 10**6}).description.limit == built
    policy = engine(make_checkpoint(tmp_path / "policy", "language model"), model_kwargs={"max_model_len": 100})
    policy.require_language_model()
    assert policy.description.limit == 99


def test_the_same_checkpoint_has_the_same_description_as_in_the_engine_hf(checkpoint: Path) -> None:
    other = open_engine(str(checkpoint), EngineOptions())
    found = engine(checkpoint).description
    assert [one.digest for one in found.sources] == [one.digest for one in other.description.sources]
    assert replace(found, sources=()) == replace(other.description, sources=())
    assert engine(checkpoint).tokenizer() == other.tokenizer()


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_single_devices_are_refused(checkpoint: Path, device: str) -> None:
    with pytest.raises(ModelError, match="CUDA_VISIBLE_DEVICES"):
        open_engine(str(checkpoint), EngineOptions(device=device), "vllm")


def test_other_heads_and_adapters_are_refused(checkpoint: Path, shared: Path) -> None:
    with pytest.raises(ModelError, match=r"reads the head `score`, and not v_head\.summary: .*rmeval export"):
        open_engine(str(checkpoint), EngineOptions(head="v_head.summary"), "vllm")
    adapter = shared / "fixtures" / "smollm2-rm-adapter"
    with pytest.raises(RmevalError, match="adapter"):
        open_engine(str(adapter), EngineOptions(base_model=str(checkpoint)), "vllm")


def test_the_readout_of_classifiers(checkpoint: Path, tmp_path: Path) -> None:
    assert engine(checkpoint).own_readout() == LastToken("score")
    assert engine(make_checkpoint(tmp_path / "encoder", "bert")).own_readout() == Pooled()


def test_heads_that_vllm_would_not_load_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    value_head = changed(checkpoint, tmp_path / "v", {"score.weight": "v_head.summary.weight"})
    with pytest.raises(ModelError, match=r"has its head in v_head\.summary.*rmeval export .*` writes"):
        engine(value_head).own_readout()
    biased = changed(checkpoint, tmp_path / "b", {"model.norm.weight": "score.bias"})
    with pytest.raises(ModelError, match=r"has a score\.bias, which vLLM adds"):
        engine(biased).own_readout()
    with pytest.raises(ModelError, match=r"no trained weights for score\.weight"):
        engine(changed(checkpoint, tmp_path / "n", {"score.weight": ""})).own_readout()
    with pytest.raises(ModelError, match="is a language model and has no trained weights"):
        engine(make_checkpoint(tmp_path / "policy", "language model")).own_readout()
    named = {"auto_map": {"AutoModelForSequenceClassification": "modeling.Own"}}
    with pytest.raises(ModelError, match="with its own class"):
        engine(changed(checkpoint, tmp_path / "own", {}, **named)).own_readout()


def test_language_models_are_checked(checkpoint: Path) -> None:
    with pytest.raises(ModelError, match="is not a causal language model"):
        engine(checkpoint).require_language_model()


def test_weights_beside_those_of_the_fingerprint_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    refuse_others(find_checkpoint(str(checkpoint)))
    folder = Path(shutil.copytree(checkpoint, tmp_path / "two"))
    save_file({"x": torch.zeros(1)}, folder / "other.safetensors")
    with pytest.raises(ModelError, match=r"has other\.safetensors beside its weights"):
        refuse_others(find_checkpoint(str(folder)))


def test_tokens_outside_the_vocabulary_are_refused_before_vllm_starts(checkpoint: Path) -> None:
    with pytest.raises(ModelError, match="the tokenizer yields token 100000"):
        next(engine(checkpoint).run([np.array([1, 100_000], np.int32)], LastToken("score")))


def test_a_single_logit_is_refused() -> None:
    with pytest.raises(ModelError, match="mine is read by the logit of one token"):
        requests_for(LastLogits((3,)), "mine")


def test_a_config_without_a_number_format_needs_one(checkpoint: Path, tmp_path: Path) -> None:
    folder = changed(checkpoint, tmp_path / "m", {}, dtype=None)
    with pytest.raises(ModelError, match="give `dtype` float32, bfloat16 or float16"):
        engine(folder).number_format()
    assert engine(folder, dtype="bfloat16").number_format() == "bfloat16"


def flat(*positions: dict[int, float]) -> Any:
    """Log-probabilities in vLLM's flat form: each position lists its tokens, the prompt's own first."""
    ids = [token for own in positions for token in own]
    ends = np.cumsum([len(own) for own in positions]).tolist()
    starts = [0, *ends[:-1]]
    numbers = [value for own in positions for value in own.values()]
    return SimpleNamespace(start_indices=starts, end_indices=ends, token_ids=ids, logprobs=numbers)


def test_log_probs_of_a_prompt_are_those_of_its_tokens() -> None:
    tokens = np.array([5, 6, 7, 8], np.int32)
    found = flat({}, {6: -1.0}, {7: -2.0, 9: -0.5}, {8: -4.0})
    assert prompt_log_probs(found, tokens, 1, 4, "m").tolist() == [-1.0, -2.0, -4.0]
    assert prompt_log_probs(found, tokens, 2, 3, "m").tolist() == [-2.0]
    for wrong in (flat({}, {6: -1.0}, {9: -0.5, 7: -2.0}, {8: -4.0}), flat({}, {6: -1.0})):
        with pytest.raises(ModelError, match="of other tokens than those of m's response"):
            prompt_log_probs(wrong, tokens, 1, 4, "m")


def test_log_probs_after_a_prompt_end_in_their_logsumexp() -> None:
    logits = np.array([1.0, 2.0, 0.5])
    log_probs = logits - np.logaddexp.reduce(logits)
    found = [{token: SimpleNamespace(logprob=value) for token, value in enumerate(log_probs)}]
    values = last_log_probs(found, (2, 0))
    assert values.tolist() == [log_probs[2], log_probs[0], 0.0]
    assert values[0] - values[1] == pytest.approx(logits[2] - logits[0], abs=1e-15)


def test_portions_are_large_or_a_second_old() -> None:
    assert [is_portion(*one) for one in ((0, 9.0), (1, 0.5), (1, 1.0), (255, 0.1), (256, 0.0))] == [
        False,
        False,
        True,
        False,
        True,
    ]


def test_the_cause_of_a_failure_is_found_in_the_log() -> None:
    log = """2026-01-01 7 ERROR EngineCore encountered a fatal error.
Traceback (most recent call last):
  File "x.py", line 1, in f
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB
RuntimeError: Worker failed with error 'x', please see the stack trace above for the root cause
vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue."""
    assert cause_in(log) == "OutOfMemoryError: CUDA out of memory"
    assert cause_in("INFO all is well: no error") is None


def test_the_reason_of_a_setting_that_vllm_refuses_is_not_its_headline() -> None:
    told = ValueError(
        "1 validation error for ModelConfig\n  Value error, max_model_len (9) is too large [type=value_error, x=1]\n"
        "    For further information visit https://errors.pydantic.dev"
    )
    assert reason_in(told) == "max_model_len (9) is too large"
    assert reason_in(ValueError("no memory\nleft")) == "no memory"


def test_the_end_of_a_process_reaches_the_queue_in_which_the_client_waits() -> None:
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    process.start()
    outputs: Queue[Any] = Queue()
    dead = RuntimeError("dead")
    watch([process], outputs, dead)
    process.kill()
    assert outputs.get(timeout=60) is dead
    process.join()


def test_what_started_processes_print_goes_into_the_log(tmp_path: Path) -> None:
    code = """
import os, subprocess, sys
from rmeval.engines.vllm import logs
logs.quiet()
print("before")
with logs.into_the_log():
    program = "input(); print('child'); raise ValueError('no memory. Buy some.')"
    later = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
print("after", flush=True)
later.communicate(b"\\n")
cause, file = logs.keep()
print(cause, file, "child" in file.read_text())
"""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("VLLM_")}
    own = variables | {"TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=own, text=True, capture_output=True, check=True)
    (folder,) = tmp_path.glob("rmeval-vllm-*")
    assert done.stdout.splitlines() == ["before", "after", f"ValueError: no memory {folder / 'log'} True"]
    assert done.stderr == ""
    subprocess.run([sys.executable, "-c", code.replace("logs.keep()", "0, folder")], env=own, capture_output=True)
    assert list(tmp_path.glob("rmeval-vllm-*")) == [folder], "a log without a failure is removed"
