"""EvaluationCallback with TRL's trainers, and in a training of two processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

import rmeval
from rmeval.errors import ModelError
from rmeval.training import EvaluationCallback
from tests.checkpoints import make_checkpoint
from tests.samples import pair_rows

trl = pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")
peft = pytest.importorskip("peft")

pytestmark = pytest.mark.filterwarnings("ignore")

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "during-training.md"
OWN = "eval_rm-bench/"
STEPS = 3


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("models") / "classifier", max_position_embeddings=1024)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("models") / "policy", "causal", max_position_embeddings=1024)


def preferences() -> Any:
    rows = [{name: row[name] for name in ("prompt", "chosen", "rejected")} for row in pair_rows(16)]
    speak = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
    return datasets.Dataset.from_list(
        [{name: [{"role": speak[name], "content": text}] for name, text in row.items()} for row in rows]
    )


def settings(out: Path, **own: Any) -> dict[str, Any]:
    common = {"output_dir": str(out), "max_steps": STEPS, "logging_steps": 1, "save_strategy": "no", "report_to": []}
    return common | {"use_cpu": True, "bf16": False, "disable_tqdm": True, "per_device_train_batch_size": 2, **own}


def reward_trainer(folder: Path, out: Path, **own: Any) -> Any:
    torch.manual_seed(0)
    return trl.RewardTrainer(
        model=AutoModelForSequenceClassification.from_pretrained(folder),
        args=trl.RewardConfig(**settings(out, learning_rate=0.01)),
        train_dataset=preferences(),
        processing_class=AutoTokenizer.from_pretrained(folder),
        **own,
    )


def dpo_trainer(folder: Path, out: Path, arguments: dict[str, Any] | None = None, **own: Any) -> Any:
    torch.manual_seed(0)
    model = own.pop("model", None) or AutoModelForCausalLM.from_pretrained(folder)
    return trl.DPOTrainer(
        model=model,
        args=trl.DPOConfig(**settings(out, learning_rate=0.01, beta=0.3, **(arguments or {}))),
        train_dataset=preferences(),
        processing_class=AutoTokenizer.from_pretrained(folder),
        **own,
    )


def entries(trainer: Any) -> tuple[dict[int, dict[str, float]], list[dict[str, float]]]:
    """The callback's numbers by step, and the trainer's own entries without times."""
    own, others = {}, []
    for entry in trainer.state.log_history:
        if f"{OWN}hard" in entry:
            own[entry["step"]] = entry
        else:
            others.append({k: v for k, v in entry.items() if not k.endswith(("runtime", "per_second"))})
    return own, others


def test_a_reward_trainer_logs_the_same_with_and_without(
    classifier: Path, rm_bench_folder: Path, tmp_path: Path
) -> None:
    """TRL's averages since the last entry belong to its own entries."""
    plain = reward_trainer(classifier, tmp_path)
    plain.train()
    watched = reward_trainer(classifier, tmp_path)
    watched.add_callback(EvaluationCallback(watched, "rm-bench", rm_bench_folder, every=1))
    watched.train()
    own, others = entries(watched)
    assert own.keys() == set(range(STEPS + 1))
    assert "accuracy" not in own[1] and "accuracy" in others[0]
    assert others == entries(plain)[1]
    after = rmeval.evaluate(
        (watched.model, watched.processing_class), "rm-bench", rm_bench_folder, out=tmp_path / "runs"
    )
    assert own[STEPS][f"{OWN}hard"] == after.value("hard")


def test_an_adapter_of_a_reward_trainer(classifier: Path, rm_bench_folder: Path, tmp_path: Path) -> None:
    lora = {"r": 2, "target_modules": ["q_proj", "v_proj"], "modules_to_save": ["score"]}
    trained = []
    for watched in (False, True):
        trainer = reward_trainer(classifier, tmp_path, peft_config=peft.LoraConfig(task_type="SEQ_CLS", **lora))
        if watched:
            trainer.add_callback(EvaluationCallback(trainer, "rm-bench", rm_bench_folder, every=2))
        trainer.train()
        trained.append(trainer)
    own, others = entries(trained[1])
    assert own.keys() == {0, 2, STEPS}
    assert others == entries(trained[0])[1]
    trained[1].save_model(str(tmp_path / "saved"))
    saved = rmeval.evaluate(str(tmp_path / "saved"), "rm-bench", rm_bench_folder, out=tmp_path / "runs")
    assert saved.value("hard") == own[STEPS][f"{OWN}hard"]


@pytest.mark.parametrize("lora", [False, True], ids=["all weights", "an adapter"])
def test_the_implicit_reward_of_a_dpo_trainer(lora: bool, policy: Path, rm_bench_folder: Path, tmp_path: Path) -> None:
    """The score is that of the saved policy with its reference, whose sums are computed once."""
    config = {"peft_config": peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"])} if lora else {}
    trained = []
    for watched in (False, True):
        trainer = dpo_trainer(policy, tmp_path, **config)
        if watched:
            trainer.add_callback(
                EvaluationCallback(trainer, "rm-bench", rm_bench_folder, every=2, out=tmp_path / "runs", name="mine")
            )
        trainer.train()
        trained.append(trainer)
    own, others = entries(trained[1])
    assert own.keys() == {0, 2, STEPS}
    assert others == entries(trained[0])[1]
    weights = [one.model.state_dict() for one in trained]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    trained[1].save_model(str(tmp_path / "saved"))
    reference: dict[str, Any] = {"kind": "implicit"} if lora else {"ref_model": str(policy)}
    saved = rmeval.evaluate(
        str(tmp_path / "saved"),
        "rm-bench",
        rm_bench_folder,
        out=tmp_path / "again",
        beta=0.3,
        **reference,
    )
    (run,) = (tmp_path / "runs" / "rm-bench" / f"mine-step-{STEPS}").iterdir()
    kept = rmeval.open_run(run)
    assert (kept.records[0].variant, kept.manifest["identity"]["beta"]) == ("dpo/sum", 0.3)
    assert kept.value("hard") == saved.value("hard") == own[STEPS][f"{OWN}hard"]
    assert kept.manifest["sessions"][0]["reference"]["computed"] == 0
    assert "unknown" not in str(kept.manifest["identity"])


def test_references_that_are_not_in_memory(policy: Path, rm_bench_folder: Path, tmp_path: Path) -> None:
    trainer = dpo_trainer(policy, tmp_path, {"precompute_ref_log_probs": True})
    with pytest.raises(ModelError, match=r"no reference model in memory .*: give the checkpoint .* as `ref_model`"):
        EvaluationCallback(trainer, "rm-bench", rm_bench_folder, every=2)
    trainer.add_callback(EvaluationCallback(trainer, "rm-bench", rm_bench_folder, every=2, ref_model=str(policy)))
    trainer.train()
    assert entries(trainer)[0].keys() == {0, 2, STEPS}
    lora = peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"])
    adapted = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(policy), lora)
    again = dpo_trainer(policy, tmp_path, model=adapted)
    with pytest.raises(ModelError, match=r"a copy of the adapter, .*: give the checkpoint .* as `ref_model`"):
        EvaluationCallback(again, "rm-bench", rm_bench_folder, every=2)


def test_the_documented_training(
    classifier: Path, rm_bench_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    shutil.copytree(classifier, "my-checkpoint")
    rm_bench_folder.rename("data")
    preferences().to_json("prefs.jsonl")
    training, best = re.findall(r"^```\{code-block\} python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    space: dict[str, Any] = {}
    exec(compile(training.replace("max_steps=20", "max_steps=10, use_cpu=True, bf16=False"), str(PAGE), "exec"), space)
    assert entries(space["trainer"])[0].keys() == {0, 10}
    exec(compile(best.replace('="trained"', '="trained", use_cpu=True, bf16=False'), str(PAGE), "exec"), space)
    assert space["args"].greater_is_better


SCRIPT = """
import json, os, sys
from pathlib import Path
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments
from rmeval.errors import RmevalError
from rmeval.training import EvaluationCallback

folder, data, out = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(folder)
rows = [{**tokenizer(text), "labels": float(len(text))} for text in ["why", "is it so", "the capital", "what"] * 4]

def train(callback, **arguments):
    trainer = Trainer(
        model=AutoModelForSequenceClassification.from_pretrained(folder),
        args=TrainingArguments(
            out, max_steps=4, per_device_train_batch_size=2, use_cpu=True, report_to=[], logging_steps=1,
            learning_rate=0.01, disable_tqdm=True, save_strategy="no", ddp_backend="gloo", **arguments,
        ),
        train_dataset=rows, eval_dataset=rows[:4], processing_class=tokenizer,
    )
    caught = ""
    try:
        if callback is not None:
            trainer.add_callback(EvaluationCallback(trainer, "rm-bench", data, every=2, **callback))
        trainer.train()
    except RmevalError as error:
        caught = str(error)
    weight = sum(float(one.double().sum()) for one in trainer.model.parameters())
    return {
        "history": trainer.state.log_history, "best": trainer.state.best_metric, "weight": weight, "caught": caught,
    }

best = {"eval_strategy": "steps", "eval_steps": 2}
found = {
    "plain": train(None, **best),
    "watched": train({"out": f"{out}/runs"}, **best, metric_for_best_model="rm-bench/hard"),
    "failed": train({"max_length": 1, "on_error": "raise"}),
}
Path(out, f"rank{os.environ['RANK']}.json").write_text(json.dumps(found))
"""


def two_processes(script: Path, *words: object, **variables: str) -> list[dict[str, Any]]:
    """Run a script in two processes of one training, and return what each of them writes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    out = Path(str(words[2]))
    out.mkdir()
    common = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    common |= {"WORLD_SIZE": "2", "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", **variables}
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), *map(str, words)],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        for one in processes:
            printed, _ = one.communicate(timeout=300)
            assert one.returncode == 0, printed
    finally:
        for one in processes:
            one.kill()
            one.wait()
    return [json.loads((out / f"rank{rank}.json").read_text()) for rank in range(2)]


def test_two_processes(classifier: Path, rm_bench_folder: Path, tmp_path: Path) -> None:
    """With DDP the main process evaluates, both have its numbers, and an error stops both."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    ranks = two_processes(script, classifier, rm_bench_folder, tmp_path / "out")
    main, other = (rank["watched"] for rank in ranks)
    hard = [[one[f"{OWN}hard"] for one in rank["history"] if f"{OWN}hard" in one] for rank in (main, other)]
    assert hard[0] == hard[1]
    assert len(hard[0]) == 3
    assert main["best"] == other["best"] == max(hard[0][1:])
    assert len(list((tmp_path / "out" / "runs" / "rm-bench").iterdir())) == 3
    plain = ranks[0]["plain"]
    losses = [[one["loss"] for one in rank["history"] if "loss" in one] for rank in (main, plain)]
    assert losses[0] == losses[1]
    assert main["weight"] == other["weight"] == plain["weight"]
    assert "takes at most 1 tokens" in ranks[0]["failed"]["caught"]
    assert "the evaluation of the main process failed: " in ranks[1]["failed"]["caught"]
