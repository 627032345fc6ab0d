"""The two methods: a classifier by TRL's RewardTrainer and a policy by its DPOTrainer, from the same base and pairs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from examples.dpo_vs_classifier.data import Row
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer

__all__ = ["Training", "fitting", "train_classifier", "train_policy"]


@dataclass(frozen=True)
class Training:
    """Settings that both methods share, and the learning rate of each.

    Attributes:
        steps: Number of steps.
        batch: Pairs of a step.
        micro: Pairs on the device at once.
        classifier_rate: Learning rate of the classifier.
        dpo_rate: Learning rate of the policy.
        beta: DPO's beta.
        max_length: Longest conversation in tokens.
        device: `cpu` or `cuda`.
        bfloat16: Whether to compute in bfloat16.
        lora: Rank of LoRA adapters on all linear layers; 0 trains all weights.
        checkpointing: Whether to compute activations again in the backward pass, which saves memory.
    """

    steps: int
    batch: int
    micro: int
    classifier_rate: float
    dpo_rate: float
    beta: float
    max_length: int
    device: str
    bfloat16: bool
    lora: int
    checkpointing: bool

    def common(self, folder: Path, seed: int, rate: float) -> dict[str, Any]:
        """Return the arguments that both trainers have."""
        return {
            "output_dir": str(folder),
            "max_steps": self.steps,
            "per_device_train_batch_size": self.micro,
            "gradient_accumulation_steps": -(-self.batch // self.micro),
            "learning_rate": rate,
            "lr_scheduler_type": "linear",
            "warmup_steps": max(1, self.steps // 20),
            "max_length": self.max_length,
            "seed": seed,
            # Rows are in a random order already, with batches of similar length.
            "train_sampling_strategy": "sequential",
            "use_cpu": self.device == "cpu",
            "bf16": self.bfloat16,
            "gradient_checkpointing": self.checkpointing,
            "logging_steps": max(1, self.steps // 5),
            "save_strategy": "no",
            "report_to": [],
            "disable_tqdm": True,
        }

    def adapter(self, task: str) -> Any:
        """Return the settings of the adapters; None if all weights are trained."""
        if not self.lora:
            return None
        from peft import LoraConfig

        # The head of a classifier is new, so it is trained in full.
        saved = ["score"] if task == "SEQ_CLS" else None
        return LoraConfig(
            task_type=task, r=self.lora, lora_alpha=2 * self.lora, target_modules="all-linear", modules_to_save=saved
        )

    @property
    def dtype(self) -> torch.dtype:
        """Format of the weights: those that are not trained can be stored in bfloat16."""
        return torch.bfloat16 if self.lora and self.bfloat16 else torch.float32


def fitting(rows: Sequence[Row], base: str, max_length: int) -> list[Row]:
    """Return the rows whose conversations have at most `max_length` tokens.

    TRL's RewardTrainer leaves longer ones out and its DPOTrainer cuts them, so the methods would differ in their data.
    """
    tokenizer = _tokenizer(base)

    def length(row: Row, part: str) -> int:
        return len(tokenizer.apply_chat_template([*row["prompt"], *row[part]])["input_ids"])

    return [row for row in rows if max(length(row, "chosen"), length(row, "rejected")) <= max_length]


def train_classifier(base: str, rows: Sequence[Row], folder: Path, seed: int, training: Training) -> dict[str, Any]:
    """Train a score head and the network under it with the Bradley-Terry loss, and save them."""
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype=training.dtype)
    trainer = RewardTrainer(
        model=model,
        args=RewardConfig(**training.common(folder, seed, training.classifier_rate)),
        train_dataset=Dataset.from_list(list(rows)),
        processing_class=_tokenizer(base),
        peft_config=training.adapter("SEQ_CLS"),
    )
    return _train(trainer, folder)


def train_policy(base: str, rows: Sequence[Row], folder: Path, seed: int, training: Training) -> dict[str, Any]:
    """Train a policy with the DPO loss against the base, and save it."""
    torch.manual_seed(seed)
    model, reference = (AutoModelForCausalLM.from_pretrained(base, dtype=training.dtype) for _ in range(2))
    trainer = DPOTrainer(
        model=model,
        # With adapters, the policy without them is the reference.
        ref_model=None if training.lora else reference,
        args=DPOConfig(beta=training.beta, **training.common(folder, seed, training.dpo_rate)),
        train_dataset=Dataset.from_list(list(rows)),
        processing_class=_tokenizer(base),
        peft_config=training.adapter("CAUSAL_LM"),
    )
    return _train(trainer, folder)


def _tokenizer(base: str) -> Any:
    return AutoTokenizer.from_pretrained(base)


def _train(trainer: RewardTrainer | DPOTrainer, folder: Path) -> dict[str, Any]:
    begun, cpu = time.monotonic(), time.process_time()
    found = trainer.train()
    trainer.save_model(str(folder))
    logs = [one for one in trainer.state.log_history if "loss" in one]
    return {
        "pairs": trainer.args.max_steps
        * trainer.args.per_device_train_batch_size
        * trainer.args.gradient_accumulation_steps,
        "distinct_pairs": len(trainer.train_dataset),
        "mean_loss": round(float(found.training_loss), 4),
        "last_loss": round(float(logs[-1]["loss"]), 4) if logs else None,
        "seconds": round(time.monotonic() - begun, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }
