"""EvaluationCallback with transformers' own Trainer: what it logs, and that the training stays as it is."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    EarlyStoppingCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

import rmeval
from rmeval.errors import RmevalError
from rmeval.training import EvaluationCallback
from rmeval.training.logged import logged_measures, stem_of
from rmeval.training.undisturbed import same_random_numbers
from tests.checkpoints import make_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore")

STEPS = 4
OWN = "eval_rm-bench/"
WORDS = ("why", "is it so", "the capital of the land", "what is the land")


@pytest.fixture(scope="module")
def dropping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier with dropout, so that its training depends on random numbers."""
    return make_checkpoint(
        tmp_path_factory.mktemp("models") / "dropping", attention_dropout=0.3, max_position_embeddings=1024
    )


def make_trainer(folder: Path, out: Path, **arguments: Any) -> Trainer:
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = [{**tokenizer(text), "labels": float(len(text))} for text in WORDS * 4]
    settings: dict[str, Any] = {"max_steps": STEPS, "logging_steps": 1, "save_strategy": "no", "learning_rate": 0.01}
    settings |= {"per_device_train_batch_size": 2, "per_device_eval_batch_size": 8, "use_cpu": True, "report_to": []}
    settings |= {"disable_tqdm": True, **arguments}
    return Trainer(
        model=model,
        args=TrainingArguments(str(out), **settings),
        train_dataset=rows,
        eval_dataset=rows[:4],
        processing_class=tokenizer,
    )


def own_entries(trainer: Trainer, stem: str = OWN) -> dict[int, dict[str, float]]:
    """The logged numbers by step, with the stem removed."""
    found = {}
    for entry in trainer.state.log_history:
        if own := {name.removeprefix(stem): value for name, value in entry.items() if name.startswith(stem)}:
            assert entry["step"] not in found, "once for each step"
            found[entry["step"]] = own
    return found


def other_entries(trainer: Trainer) -> list[dict[str, float]]:
    """The trainer's own entries, without times."""
    entries = [entry for entry in trainer.state.log_history if not any(name.startswith(OWN) for name in entry)]
    times = ("runtime", "per_second")
    return [{name: value for name, value in one.items() if not name.endswith(times)} for one in entries]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"bf16": True, "gradient_checkpointing": True, "gradient_accumulation_steps": 2, "logging_steps": 2},
    ],
    ids=["plain", "mixed precision and checkpointing"],
)
def test_the_training_is_the_same_to_the_last_bit(
    arguments: dict[str, Any], dropping: Path, rm_bench_folder: Path, tmp_path: Path
) -> None:
    trainers, orders = [], []
    for with_callback in (False, True):
        torch.manual_seed(5)
        trainer = make_trainer(dropping, tmp_path, **arguments)
        if with_callback:
            trainer.add_callback(EvaluationCallback(trainer, "rm-bench", rm_bench_folder, every=1))
        trainer.train()
        trainers.append(trainer)
        orders.append((random.random(), np.random.random(), torch.rand(1).item()))
    plain, watched = trainers
    assert own_entries(watched).keys() == set(range(STEPS + 1))
    assert len(other_entries(plain)) > 2
    assert other_entries(watched) == other_entries(plain)
    weights = [trainer.model.state_dict() for trainer in trainers]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert orders[0] == orders[1]
    assert watched.model.training == plain.model.training
    assert watched.model.config.use_cache == plain.model.config.use_cache
    assert ("forward" in vars(watched.model)) == ("forward" in vars(plain.model))


def test_a_resumed_training_is_the_same_to_the_last_bit(dropping: Path, rm_bench_folder: Path, tmp_path: Path) -> None:
    """Random numbers of a checkpoint are restored before the training begins, and the callback evaluates there."""
    trainers = []
    for name in ("plain", "watched"):
        place = tmp_path / name
        for last in (2, STEPS):
            torch.manual_seed(5)
            trainer = make_trainer(dropping, place, max_steps=last, save_strategy="steps", save_steps=2)
            if name == "watched":
                callback = EvaluationCallback(trainer, "rm-bench", rm_bench_folder, every=1, n_items=4)
                trainer.add_callback(callback)
            trainer.train(resume_from_checkpoint=None if last == 2 else str(place / "checkpoint-2"))
        trainers.append(trainer)
    plain, watched = trainers
    assert {entry["step"] for entry in watched.state.log_history if f"{OWN}items" in entry} == {0, 1, 2, 3, STEPS}
    assert other_entries(watched) == other_entries(plain)
    weights = [trainer.model.state_dict() for trainer in trainers]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_it_logs_what_evaluate_returns(dropping: Path, rm_bench_folder: Path, tmp_path: Path) -> None:
    trainer = make_trainer(dropping, tmp_path / "trained")
    options: dict[str, Any] = {"n_items": 10, "seed": 3}
    trainer.add_callback(
        EvaluationCallback(trainer, "rm-bench", rm_bench_folder, every=3, out=tmp_path / "runs", name="mine", **options)
    )
    trainer.train()
    found = own_entries(trainer)
    assert found.keys() == {0, 3, STEPS}
    held = (trainer.model, trainer.processing_class)
    wanted = rmeval.evaluate(held, "rm-bench", rm_bench_folder, out=tmp_path / "again", **options)
    for metric in ("overall", "easy", "normal", "hard", "style_gap"):
        record = wanted.record(metric)
        assert found[STEPS][metric] == record.value
        assert record.ci is not None
        assert (found[STEPS][f"{metric}_low"], found[STEPS][f"{metric}_high"]) == record.ci
    assert found[STEPS]["items"] == wanted.record("overall").n_items
    assert found[0]["hard_longest"] == wanted.record("hard").null["longest"]
    assert "hard_longest" not in found[STEPS], "the same at every step"
    folders = sorted(path.name for path in (tmp_path / "runs" / "rm-bench").iterdir())
    assert folders == ["mine-step-0", "mine-step-3", f"mine-step-{STEPS}"]
    kept = rmeval.open_run(tmp_path / "runs" / "rm-bench" / folders[-1])
    assert kept.value("hard") == found[STEPS]["hard"]
    assert kept.manifest["identity"] == wanted.manifest["identity"]


def test_chosen_numbers(dropping: Path, rm_bench_folder: Path, tmp_path: Path) -> None:
    trainer = make_trainer(dropping, tmp_path)
    trainer.add_callback(
        EvaluationCallback(
            trainer, "rm-bench", rm_bench_folder, every=100, end=False, metrics=["hard:chat", "cell:concise/concise"]
        )
    )
    trainer.train()
    (only,) = own_entries(trainer).values()
    values = {
        name for name in only if not name.endswith(("_low", "_high", "longest", "shortest", "random", "markdown"))
    }
    assert values == {"hard_chat", "cell-concise-concise", "items", "seconds"}


def test_numbers_of_some_domains(dropping: Path, rm_bench_folder: Path, tmp_path: Path) -> None:
    """There is no headline, so each domain has its numbers, and their means are added."""
    trainer = make_trainer(dropping, tmp_path, max_steps=1)
    trainer.add_callback(
        EvaluationCallback(trainer, "rm-bench", rm_bench_folder, every=1, subsets=["chat", "safety"], start=False)
    )
    trainer.train()
    found = own_entries(trainer)[1]
    for metric in ("easy", "normal", "hard", "style_gap"):
        assert found[f"{metric}_domains"] == (found[f"{metric}_chat"] + found[f"{metric}_safety"]) / 2
        assert f"{metric}_safety-refuse" not in found
        assert metric not in found
    assert found["items"] == 12


def test_numbers_of_other_benchmarks() -> None:
    there = [("accuracy", "chat"), ("accuracy", "code"), ("section", "Chat"), ("cell:a/b", "chat")]
    assert logged_measures(there) == [("section", "Chat")]
    assert logged_measures([*there, ("accuracy", "all")]) == [("accuracy", "all")]
    assert logged_measures(there, ["cell:a/b:chat", "accuracy:code"]) == [("cell:a/b", "chat"), ("accuracy", "code")]
    with pytest.raises(
        RmevalError, match="no number 'easy': choose `metrics` from accuracy:chat, accuracy:code, section:Chat"
    ):
        logged_measures(there, ["easy"])
    assert stem_of("my bench=1") == "eval_my-bench-1/"


def test_the_best_checkpoint_by_a_logged_number(dropping: Path, rm_bench_folder: Path, tmp_path: Path) -> None:
    trainer = make_trainer(
        dropping,
        tmp_path,
        eval_strategy="steps",
        eval_steps=1,
        save_strategy="steps",
        save_steps=1,
        load_best_model_at_end=True,
        metric_for_best_model="rm-bench/hard",
        learning_rate=0.1,
    )
    trainer.add_callback(EvaluationCallback(trainer, "rm-bench", rm_bench_folder, every=2))
    trainer.add_callback(EarlyStoppingCallback(early_stopping_patience=STEPS))
    trainer.train()
    found = own_entries(trainer)
    assert found.keys() == set(range(STEPS + 1)), "also with the trainer's own evaluations, which need the number"
    hard = {step: own["hard"] for step, own in found.items() if step}
    assert trainer.state.best_metric == max(hard.values())
    best = min(step for step, value in hard.items() if value == max(hard.values()))
    assert trainer.state.best_global_step == best
    assert len(set(hard.values())) > 1
    after = rmeval.evaluate(
        (trainer.model, trainer.processing_class), "rm-bench", rm_bench_folder, out=tmp_path / "runs"
    )
    assert after.value("hard") == max(hard.values())


def test_with_the_trainers_own_evaluations(dropping: Path, rm_bench_folder: Path, tmp_path: Path) -> None:
    trainer = make_trainer(dropping, tmp_path, eval_strategy="steps", eval_steps=3)
    trainer.add_callback(EvaluationCallback(trainer, "rm-bench", rm_bench_folder, start=False))
    trainer.train()
    found = own_entries(trainer)
    assert found.keys() == {3, STEPS}
    assert trainer.evaluate()[f"{OWN}hard"] == found[STEPS]["hard"]


def failing(trainer: Trainer, folder: Path, **options: Any) -> EvaluationCallback:
    """A callback whose evaluations fail, because the longest allowed conversation has one token."""
    return EvaluationCallback(trainer, "rm-bench", folder, every=2, max_length=1, **options)


def test_a_failed_evaluation_is_a_warning(
    dropping: Path, rm_bench_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    best = {
        "eval_strategy": "steps",
        "eval_steps": 2,
        "save_strategy": "best",
        "metric_for_best_model": "rm-bench/hard",
    }
    trainer = make_trainer(dropping, tmp_path, **best)
    trainer.add_callback(failing(trainer, rm_bench_folder))
    with caplog.at_level(logging.WARNING, "rmeval.training"):
        trainer.train()
    assert trainer.state.global_step == STEPS
    warned = [one.getMessage() for one in caplog.records if one.name.startswith("rmeval.training")]
    assert [text.partition(":")[0] for text in warned] == [
        f"no evaluation at step {step} of the training" for step in (0, 2, STEPS)
    ]
    assert "takes at most 1 tokens" in warned[0]
    assert not own_entries(trainer)
    assert trainer.state.best_metric == -math.inf


def test_a_failed_evaluation_raises_if_asked(dropping: Path, rm_bench_folder: Path, tmp_path: Path) -> None:
    trainer = make_trainer(dropping, tmp_path)
    trainer.add_callback(failing(trainer, rm_bench_folder, on_error="raise"))
    with pytest.raises(RmevalError, match="takes at most 1 tokens"):
        trainer.train()
    assert trainer.state.global_step == 0


def test_an_error_of_any_kind_does_not_end_a_training(
    dropping: Path, rm_bench_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = make_trainer(dropping, tmp_path)
    trainer.add_callback(EvaluationCallback(trainer, "rm-bench", rm_bench_folder, every=2, out=tmp_path / "runs"))

    class Breaks(TrainerCallback):  # type: ignore[misc]
        """Replaces the tokenizer in the middle of a training."""

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            trainer.processing_class = 3

    trainer.add_callback(Breaks())
    trainer.train()
    assert own_entries(trainer).keys() == {0}
    assert "no evaluation at step 2" in caplog.text


def test_random_numbers_are_restored() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), torch.rand(1).item()

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    with pytest.raises(KeyboardInterrupt), same_random_numbers(torch.device("cpu")):
        inside = draw()
        raise KeyboardInterrupt
    assert draw() == inside


def sharded(trainer: Trainer) -> Trainer:
    trainer.is_fsdp_enabled = True
    return trainer


def without_tokenizer(trainer: Trainer) -> Trainer:
    trainer.processing_class = None
    return trainer


def same(trainer: Trainer) -> Trainer:
    return trainer


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        (
            lambda trainer: trainer.model,
            {"every": 1},
            "`trainer` is a Qwen3ForSequenceClassification: give the Trainer",
        ),
        (same, {"every": 0}, "`every` is 0: give a number of steps of at least 1"),
        (same, {}, "no evaluations of its own: give `every`"),
        (same, {"every": 1, "on_error": "ignore"}, "`on_error` is 'ignore': give 'warn' or 'raise'"),
        (same, {"every": 1, "metrics": "hard"}, r"`metrics` must be a list of names, such as \['hard'\]"),
        (same, {"every": 1, "metrics": ["hart"]}, "no number 'hart': choose `metrics` from .*hard, hard:chat"),
        (same, {"every": 1, "subsets": ["nowhere"]}, "there is no subset"),
        (same, {"every": 1, "kind": "implicit"}, "Qwen3ForSequenceClassification"),
        (sharded, {"every": 1}, "FSDP spreads the weights over several processes, .* train with DDP"),
        (without_tokenizer, {"every": 1}, "no tokenizer, .* `processing_class`"),
    ],
)
def test_mistakes_are_errors_before_the_training(
    change: Callable[[Trainer], Any],
    options: dict[str, Any],
    sentence: str,
    dropping: Path,
    rm_bench_folder: Path,
    tmp_path: Path,
) -> None:
    trainer = change(make_trainer(dropping, tmp_path))
    with pytest.raises(RmevalError, match=sentence):
        EvaluationCallback(trainer, "rm-bench", rm_bench_folder, **options)
