"""Score the steps of responses with the published code of process reward models, to compare rmeval's scores with.

    python scripts/zoo/published_steps.py FAMILY CODE CHECKPOINT INPUTS.json

CODE is a folder with clones of the repositories that the functions below name. INPUTS.json is a list of
[question, [step, ...]]. The code is of 2024 and 2025, and runs with transformers 4.46. Each response is read alone,
without padding.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification, AutoTokenizer

Steps = list[list[float]]
Inputs = list[tuple[str, list[str]]]


def _import(code: Path, folder: str, module: str) -> Any:
    sys.path.insert(0, str(code / folder))
    return importlib.import_module(module)


def _prmbench(code: Path, name: str) -> Any:
    """A module of PRMBench's models, without the package's own imports of every model."""
    for package in ("mr_eval", "mr_eval.models"):
        made = types.ModuleType(package)
        made.__path__ = [str(code / "PRMBench" / package.replace(".", "/"))]
        sys.modules[package] = made
    return importlib.import_module(f"mr_eval.models.{name}")


def _items(module: Any, cls: str, inputs: Inputs, **stated: Any) -> Iterator[dict[str, Any]]:
    """What a class of PRMBench makes of each input, without its constructor, which loads the network."""
    own = types.SimpleNamespace(generation_config=types.SimpleNamespace(max_length=100_000), **stated)
    for question, steps in inputs:
        yield getattr(module, cls).getitem_function(own, [{"idx": "0", "steps": steps, "question": question}], 0)


def qwen(code: Path, checkpoint: str, inputs: Inputs) -> Steps:
    """The hub's modeling_qwen2_rm.py (as ReSo has it), and search-and-learn's input and scores."""
    network = _import(code, "ReSo/ReSo", "model.modeling_qwen2_rm").Qwen2ForProcessRewardModel
    scorer = _import(code, "search-and-learn/src", "sal.models.reward_models").Qwen_2_5_Math
    own = scorer.__new__(scorer)
    own.tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    own.model = network.from_pretrained(checkpoint, attn_implementation="eager").eval()
    return [scorer.score(own, [question], [["\n\n".join(steps)]])[0][0] for question, steps in inputs]


def skywork(code: Path, checkpoint: str, inputs: Inputs) -> Steps:
    """skywork-o1-prm-inference; its steps end in a line break."""
    network = _import(code, "skywork-o1-prm-inference", "model_utils.prm_model").PRM_MODEL
    io = importlib.import_module("model_utils.io_utils")
    tokenizer, model = AutoTokenizer.from_pretrained(checkpoint), network.from_pretrained(checkpoint).eval()
    found = []
    for question, steps in inputs:
        ids, _, flags = io.prepare_input(question, "\n\n".join(steps), tokenizer=tokenizer, step_token="\n")
        ids, mask, flags = io.prepare_batch_input_for_model([ids], [flags], tokenizer.pad_token_id)
        with torch.no_grad():
            _, _, rewards = model(input_ids=ids, attention_mask=mask, return_probs=True)
        found += io.derive_step_rewards(rewards, flags)
    return found


def math_shepherd(code: Path, checkpoint: str, inputs: Inputs) -> Steps:
    """The input of PRMBench, and the scores of openr."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint).eval()
    score = _import(code, "openr/prm", "infer_fns")._math_shepherd_infer_fn
    items = _items(_prmbench(code, "math_shepherd"), "MathShepherd", inputs, tokenizer=_Keeps(tokenizer), step_tag="ки")
    texts = [(_Keeps.text, one)[0] for one in items]
    return [score(text, model, tokenizer, "cpu").tolist() for text in texts]


def _without_datasets(*names: str) -> None:
    """Replace the package datasets: the code also loads data sets, which is not done here."""
    sys.modules["datasets"] = types.ModuleType("datasets")
    for name in names:
        setattr(sys.modules["datasets"], name, None)


class _Keeps:
    """A tokenizer that keeps the last text."""

    text = ""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def encode(self, text: str, **named: Any) -> Any:
        _Keeps.text = text
        return self._tokenizer.encode(text, **named)


def rlhflow(code: Path, checkpoint: str, inputs: Inputs) -> Steps:
    """RLHF-Reward-Modeling's math-rm/prm_evaluate.py."""
    _without_datasets("load_dataset")
    module = _import(code, "RLHF-Reward-Modeling/math-rm", "prm_evaluate")
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint).eval()
    labels = [tokenizer.encode(label)[-1] for label in "+-"]
    args = types.SimpleNamespace(num_n=1, model_type="Deepseek")
    samples = [{"prompt": question, "answers": ["\n\n".join(steps)], "label": [1]} for question, steps in inputs]
    return [module.select_sample(args, one, model, tokenizer, labels, "cpu")[1]["step_scores"][0] for one in samples]


def pure(code: Path, checkpoint: str, inputs: Inputs) -> Steps:
    """PRMBench's pure_prm.py."""
    module, tokenizer = _prmbench(code, "pure_prm"), AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForTokenClassification.from_pretrained(checkpoint).eval()
    separator = tokenizer("\n\n", add_special_tokens=False, return_tensors="pt")["input_ids"]
    found: Steps = []
    for one in _items(module, "PUREPRM", inputs, tokenizer=tokenizer, step_separator_token_id=separator):
        with torch.no_grad():
            logits = model(one["input_ids"][None]).logits
        found += module.make_step_rewards(logits, one["token_mask"][None])
    return found


def reason_eval(size: str) -> Callable[[Path, str, Inputs], Steps]:
    """PRMBench's copy of ReasonEval's codes/examples.py, which returns what that one prints."""

    def run(code: Path, checkpoint: str, inputs: Inputs) -> Steps:
        module, tokenizer = _prmbench(code, "reasoneval"), AutoTokenizer.from_pretrained(checkpoint)
        model = getattr(module, f"ReasonEval_{size}").from_pretrained(checkpoint).eval()
        return [module.reasoneval_inference(question, steps, model, tokenizer)[0] for question, steps in inputs]

    return run


def versa(code: Path, checkpoint: str, inputs: Inputs) -> Steps:
    """VersaPRM's class, and the text that evaluation/get_rewards_reasoning_step.py makes for it."""
    model = _import(code, "VersaPRM/evaluation", "prm_models.prm_llama").LlamaPRM(model_id=checkpoint, device="cpu")
    texts = [f"{question} \n\n" + "".join(f"{step} \n\n\n\n" for step in steps) for question, steps in inputs]
    return [model([text])[0].score for text in texts]


def trl(code: Path, checkpoint: str, inputs: Inputs) -> Steps:
    """The tokens of TRL's PRMTrainer (trl 0.15.2, which is installed, not in CODE), and transformers' class."""
    _without_datasets("Dataset", "features")
    trainer = importlib.import_module("trl.trainer.prm_trainer").PRMTrainer
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForTokenClassification.from_pretrained(checkpoint).eval()
    found = []
    for question, steps in inputs:
        row = {"prompt": question, "completions": steps, "labels": [True] * len(steps)}
        made = trainer.tokenize_row(row, tokenizer, "\n\n", None, None, None, False, True)
        places = [place for place, label in enumerate(made["labels"]) if label != -100]
        with torch.no_grad():
            logits = model(torch.tensor([made["input_ids"]])).logits[0, places]
        found.append(logits.softmax(-1)[:, 1].tolist())
    return found


FAMILIES: dict[str, Callable[[Path, str, Inputs], Steps]] = {
    "qwen-math-prm": qwen,
    "skywork-o1-prm": skywork,
    "math-shepherd": math_shepherd,
    "rlhflow-prm": rlhflow,
    "pure-prm": pure,
    "reason-eval-7b": reason_eval("7B"),
    "reason-eval-34b": reason_eval("34B"),
    "versa-prm": versa,
    "trl-prm": trl,
}


def main() -> None:
    """Print a JSON list with the scores of each response's steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("code", type=Path)
    parser.add_argument("checkpoint")
    parser.add_argument("inputs", type=Path)
    given = parser.parse_args()
    inputs = json.loads(given.inputs.read_text(encoding="utf-8"))
    print(json.dumps(FAMILIES[given.family](given.code, given.checkpoint, inputs), indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
