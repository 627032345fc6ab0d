"""DPO policies against classifiers: same base, same preferences, several seeds.

    python -m examples.dpo_vs_classifier.run -o study

Trains a small language model, then for each seed a classifier (TRL's RewardTrainer) and a policy (TRL's DPOTrainer),
evaluates all with rmeval and writes tables and figures. Run the same command again to continue: what is finished is
kept. With `--base` and `--data` the base and the preferences are yours.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from examples.dpo_vs_classifier.data import DOMAINS, Annotator, Row, file_pairs, held_out, in_order, training_pairs
from examples.dpo_vs_classifier.tables import write_report

BENCHMARK, PAIRS = "rm-bench-synthetic", "pairs"
CLASSIFIER, POLICY, BASE = "classifier", "dpo", "base"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study."""
    study = Study(parser().parse_args(arguments))
    base = study.base()
    _, held = study.preferences(0, base)
    study.write_pairs(held)
    study.evaluate(BASE, base)
    for seed in range(study.options.seeds):
        rows = in_order(study.preferences(seed, base)[0], study.options.steps, study.options.batch, seed)
        for kind in (CLASSIFIER, POLICY):
            name = f"{kind}-{seed}"
            study.train(kind, name, base, rows, seed)
            study.evaluate(name, str(study.folder / name), base)
    study.record("machine", machine)
    write_report(study.folder, study.benchmark, study.options.seeds)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = found.add_argument
    add("-o", "--out", type=Path, default=Path("dpo-study"), help="folder of models, runs, tables and figures")
    add("--seeds", type=int, default=3, help="number of seeds of each method")
    add("--steps", type=int, default=40, help="steps of each training")
    add("--batch", type=int, default=12, help="pairs of a step")
    add("--micro-batch", type=int, help="pairs on the device at once, if not all of the step")
    add("--classifier-rate", type=float, default=1e-3, help="learning rate of the classifiers")
    add("--dpo-rate", type=float, default=3e-4, help="learning rate of the policies")
    add("--beta", type=float, default=0.1, help="DPO's beta")
    add("--max-length", type=int, default=512, help="longest conversation in tokens")
    add("--size", default="256x6", help="hidden size and layers of the base that is trained here")
    add("--base-steps", type=int, default=400, help="steps of the base's training")
    add("--domains", default=",".join(DOMAINS), help="domains of the generated texts: math, code, safety, chat")
    add("--items", type=int, default=240, help="items of rm-bench-synthetic that are generated")
    add("--held-out", type=int, default=150, help="preference pairs that are held out")
    add("--substance", type=float, default=4.0, help="what correctness adds to the annotator's log-odds")
    add("--style", type=float, default=0.5, help="what each step to a fancier style adds to them")
    add("--base", help="hub id or folder of a language model to use as the base")
    add("--data", help="file of preference pairs, in any layout of the benchmark `pairs`")
    add("--benchmark", default=BENCHMARK, help="benchmark beside the held-out pairs")
    add("--benchmark-data", help="its data, if not the pinned source")
    add("--n-items", type=int, help="number of its items to draw at random")
    add("--device", default="cpu", choices=("cpu", "cuda"))
    add("--bfloat16", action=argparse.BooleanOptionalAction, help="compute in bfloat16; the default on a GPU")
    add("--lora", type=int, default=0, help="rank of LoRA adapters; 0 trains all weights")
    add("--gradient-checkpointing", action="store_true", help="less memory for more time")
    return found


class Study:
    """The folder of a study, and its steps; each is skipped if it is finished."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.folder: Path = options.out
        self.benchmark: str = options.benchmark
        self.domains = options.domains.split(",")
        self.bfloat16 = options.device == "cuda" if options.bfloat16 is None else options.bfloat16
        self.folder.mkdir(parents=True, exist_ok=True)
        self._check_settings()

    def _check_settings(self) -> None:
        """Refuse to continue a study with other settings; more seeds are fine."""
        own = {name: str(value) for name, value in vars(self.options).items() if name not in ("out", "seeds")}
        file = self.folder / "settings.json"
        if file.exists() and (before := json.loads(file.read_text())) != own:
            changed = ", ".join(name for name in own if own[name] != before.get(name))
            raise SystemExit(f"{self.folder} is of a study with another {changed}: choose another --out")
        file.write_text(json.dumps(own, indent=1) + "\n")

    def record(self, name: str, step: Callable[[], dict[str, Any]]) -> None:
        """Run a step and keep its record; skip a step that has one."""
        file = self.folder / "records" / f"{name}.json"
        if not file.exists():
            found = step()
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(found, indent=1) + "\n")

    def base(self) -> str:
        """Return the place of the base; train it if none is given."""
        if self.options.base:
            return str(self.options.base)
        from examples.dpo_vs_classifier.base import Size, pretrain

        folder = self.folder / BASE
        hidden, layers = map(int, self.options.size.split("x"))
        size, steps = Size(hidden, layers), self.options.base_steps
        self.record(BASE, lambda: pretrain(folder, size, steps, self.domains, self.bfloat16))
        return str(folder)

    def preferences(self, seed: int, base: str) -> tuple[list[Row], list[Row]]:
        """Return the preferences for the training of a seed, and those that are held out."""
        own = self.options
        if not own.data:
            annotator = Annotator(own.substance, own.style)
            training = training_pairs(own.steps * own.batch, seed, self.domains, annotator)
            return training, held_out(own.held_out, self.domains, annotator)
        from examples.dpo_vs_classifier.train import fitting

        training, held = (fitting(rows, base, own.max_length) for rows in file_pairs(own.data, own.held_out))
        if not training or not held:
            raise SystemExit(f"no pairs of {own.data} have at most {own.max_length} tokens: raise --max-length")
        return training, held

    def write_pairs(self, rows: Sequence[Row]) -> None:
        """Write the held-out pairs for rmeval."""
        (self.folder / "held_out.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def train(self, kind: str, name: str, base: str, rows: Sequence[Row], seed: int) -> None:
        """Train a model of one kind with one seed."""
        from examples.dpo_vs_classifier.train import Training, train_classifier, train_policy

        own = self.options
        settings = Training(
            steps=own.steps,
            batch=own.batch,
            micro=own.micro_batch or own.batch,
            classifier_rate=own.classifier_rate,
            dpo_rate=own.dpo_rate,
            beta=own.beta,
            max_length=own.max_length,
            device=own.device,
            bfloat16=self.bfloat16,
            lora=own.lora,
            checkpointing=own.gradient_checkpointing,
        )
        make = train_classifier if kind == CLASSIFIER else train_policy
        self.record(name, lambda: make(base, rows, self.folder / name, seed, settings))

    def evaluate(self, name: str, model: str, base: str | None = None) -> None:
        """Evaluate a model on the benchmark and on the held-out pairs, as `rmeval run` does.

        A policy has the base as its reference; its run has the rewards with and without reference. The base itself is
        evaluated without one.
        """
        import rmeval

        own = self.options
        chosen: dict[str, Any] = {"kind": "classifier" if name.startswith(CLASSIFIER) else "implicit"}
        if name.startswith(POLICY) and not own.lora:
            chosen["ref_model"] = base
        if name.startswith(POLICY):
            chosen["beta"] = own.beta
        synthetic = self.benchmark == BENCHMARK
        subsets = [part for domain in self.domains for part in SUBSETS.get(domain, (domain,))] if synthetic else []
        places = {
            self.benchmark: {
                "data": own.benchmark_data,
                "subsets": subsets,
                "n_items": own.n_items,
                "benchmark_options": {"size": own.items} if synthetic else {},
            },
            PAIRS: {"data": str(self.folder / "held_out.jsonl")},
        }
        for benchmark, where in places.items():

            def step(benchmark: str = benchmark, where: dict[str, Any] = where) -> dict[str, Any]:
                begun, cpu = time.monotonic(), time.process_time()
                found = rmeval.evaluate(
                    model,
                    benchmark,
                    name=name,
                    out=self.folder / "runs",
                    device=own.device,
                    dtype="bfloat16" if own.device == "cuda" else "float32",
                    # An item that is too long for the model itself is left out and counted.
                    on_overlength="skip",
                    **where,
                    **chosen,
                )
                seconds, spent = time.monotonic() - begun, time.process_time() - cpu
                return {"run": str(found.path), "seconds": round(seconds, 1), "cpu_seconds": round(spent, 1)}

            self.record(f"{name}-{benchmark}", step)


SUBSETS = {"safety": ("safety-refuse", "safety-response")}
"""Subsets of a domain of rm-bench-synthetic, if it has several."""


def machine() -> dict[str, Any]:
    """Return what the times depend on."""
    names = ("rmeval", "torch", "transformers", "trl", "peft", "datasets")
    threads = os.environ.get("OMP_NUM_THREADS")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
