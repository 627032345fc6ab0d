"""The example notebook and the callback of docs/notebook.md run, with a model in memory."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments

import rmeval
from tests.checkpoints import make_checkpoint, make_tokenizer
from tests.samples import pair_rows

ROOT = Path(__file__).resolve().parents[1]


def cells(notebook: dict[str, Any]) -> list[str]:
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def shown(cell: str, space: dict[str, Any]) -> Any:
    """What a notebook shows below a cell: the value of its last expression."""
    *before, last = ast.parse(cell).body
    if not isinstance(last, ast.Expr):
        exec(compile(cell, "cell", "exec"), space)
        return None
    exec(compile(ast.Module(before, []), "cell", "exec"), space)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), space)


def test_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((ROOT / "examples" / "notebook.ipynb").read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(set(names)) == len(names)
    assert not any(cell.get("outputs") for cell in notebook["cells"]), "saved without outputs"
    space: dict[str, Any] = {}
    below = [shown(cell, space) for cell in cells(notebook)]
    pyplot.close("all")
    tables = [value for value in below if hasattr(value, "_repr_html_")]
    assert len(tables) == 5 and all("<table" in value._repr_html_() for value in tables)
    before, after = space["before"], space["after"]
    assert after.value("accuracy") > before.value("accuracy"), "the training shows"
    assert before.path != after.path
    assert space["frame"].loc["all", "value"] == before.value("accuracy")
    assert len(space["wrong"].examples) == 3
    assert all(module.training for module in space["model"].modules())


def callback() -> Any:
    """The class of the documentation's page."""
    page = (ROOT / "docs" / "notebook.md").read_text()
    (block,) = [
        one for one in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL) if "Callback" in one
    ]
    space: dict[str, Any] = {}
    exec(compile(block, "notebook.md", "exec"), space)
    return space["EvaluatePairs"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_callback_evaluates_while_a_model_trains(precision: str, tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model", tokenizer=make_tokenizer(model_max_length=2048))
    model, tokenizer = (one.from_pretrained(folder) for one in (AutoModelForSequenceClassification, AutoTokenizer))
    rows = [
        {"input_ids": tokenizer(text)["input_ids"], "labels": float(k)} for k, text in enumerate(["so", "why", "a"])
    ]
    evaluator = callback()(pair_rows(6), out=tmp_path / "runs")
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "out"),
        max_steps=4,
        eval_strategy="steps",
        eval_steps=2,
        learning_rate=0.01,
        per_device_train_batch_size=1,
        per_device_eval_batch_size=1,
        bf16=precision == "bfloat16",
        use_cpu=True,
        report_to=[],
        save_strategy="steps",
        save_steps=2,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        eval_dataset=rows,
        processing_class=tokenizer,
        callbacks=[evaluator],
    )
    trainer.train()
    assert list(evaluator.accuracy) == [2, 4]
    for step in (2, 4):
        (run,) = (tmp_path / "runs" / "pairs" / f"step-{step}").iterdir()
        saved = rmeval.evaluate(str(tmp_path / "out" / f"checkpoint-{step}"), data=pair_rows(6), out=tmp_path / "saved")
        own, theirs = (rmeval.open_run(one).to_pandas() for one in (run, saved.path))
        columns = ["metric", "scope", "value", "ties"]
        assert own[columns].equals(theirs[columns])
        assert np.array_equal(*(scores_of(one) for one in (run, saved.path)))
    assert torch.is_grad_enabled()


def scores_of(run: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(run / "scores.parquet")["score"].to_numpy()
