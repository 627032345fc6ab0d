"""Weights of 8 and 4 bits, where bitsandbytes runs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import rmeval
from rmeval.models import load_model
from rmeval.protocols.pointwise import conversation_requests


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("bits", "correlation"), [("load_in_8bit", 0.999), ("load_in_4bit", 0.9)])
def test_quantised_layers_and_a_head_that_is_not(bits: str, correlation: float) -> None:
    pytest.importorskip("bitsandbytes")
    items = list(rmeval.load_benchmark("rm-bench-synthetic", size=16).load())
    requests = conversation_requests([item.conversation(k) for item in items for k in range(6)])
    scores = []
    for settings in ({}, {"quantization_config": {"quant_method": "bitsandbytes", bits: True}}):
        model = load_model("rmeval/tiny", dtype="float32", model_kwargs=settings)
        seen = {one.key: one.values["score"] for batch in model.observe(requests) for one in batch}
        scores.append([seen[request.key] for request in requests])
    network = model.engine.network.model  # type: ignore[attr-defined]
    assert type(network.score) is torch.nn.Linear
    assert type(network.model.layers[0].mlp.down_proj) is not torch.nn.Linear
    assert np.corrcoef(np.array(scores))[0, 1] > correlation
