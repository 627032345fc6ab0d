"""Weights of 8 and 4 bits, where bitsandbytes runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import rmeval
from rmeval.models import EMBEDDED, load_model
from rmeval.protocols.pointwise import conversation_requests


def widened(folder: Path) -> Path:
    """The model that comes with the package, with rows and columns of zeros that change no score.

    On CPUs that multiply bfloat16, bitsandbytes takes only layers of multiples of 64 in 4 bits, and 336 is none.
    """
    shutil.copytree(EMBEDDED["rmeval/tiny"], folder)
    config = json.loads((folder / "config.json").read_text())
    more = -config["intermediate_size"] % 64
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": config["intermediate_size"] + more}))
    weights = load_file(folder / "model.safetensors")
    for name, weight in weights.items():
        if name.endswith(("gate_proj.weight", "up_proj.weight")):
            weights[name] = torch.nn.functional.pad(weight, (0, 0, 0, more))
        elif name.endswith("down_proj.weight"):
            weights[name] = torch.nn.functional.pad(weight, (0, more))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("bits", "correlation"), [("load_in_8bit", 0.999), ("load_in_4bit", 0.9)])
def test_quantised_layers_and_a_head_that_is_not(tmp_path: Path, bits: str, correlation: float) -> None:
    pytest.importorskip("bitsandbytes")
    items = list(rmeval.load_benchmark("rm-bench-synthetic", size=16).load())
    requests = conversation_requests([item.conversation(k) for item in items for k in range(6)])
    folder = widened(tmp_path / "tiny")
    scores = []
    for settings in ({}, {"quantization_config": {"quant_method": "bitsandbytes", bits: True}}):
        model = load_model(str(folder), dtype="float32", model_kwargs=settings)
        seen = {one.key: one.values["score"] for batch in model.observe(requests) for one in batch}
        scores.append([seen[request.key] for request in requests])
    network = model.engine.network.model  # type: ignore[attr-defined]
    assert type(network.score) is torch.nn.Linear
    assert type(network.model.layers[0].mlp.down_proj) is not torch.nn.Linear
    assert np.corrcoef(np.array(scores))[0, 1] > correlation
