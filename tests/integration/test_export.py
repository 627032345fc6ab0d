"""Exported value heads of three layouts, served by a real vLLM, score as rmeval's own reading of the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rmeval
from tests.architectures import make_value_head
from tests.integration.servers import StartServer

CLOSE = 1e-4
# vLLM's kernels for CPUs need heads of attention of 64 numbers.
SHAPE: dict[str, Any] = {"hidden_size": 128, "num_attention_heads": 2, "head_dim": 64, "max_position_embeddings": 2048}


@pytest.mark.parametrize(
    ("kind", "head", "layout"),
    [
        ("llama", "v_head.summary", {"shards": "200KB", "beside": True, "bias": 0.5}),
        ("gemma", "value_head", {}),
        ("gpt_neox", "regression_head", {}),
    ],
)
def test_a_value_head_is_served(
    tmp_path: Path, vllm_server: StartServer, kind: str, head: str, layout: dict[str, Any]
) -> None:
    source, out = make_value_head(tmp_path / "rm", kind, head, **layout, **SHAPE), tmp_path / "out"
    exported = rmeval.export(source, out, drop_bias="bias" in layout)
    assert exported.agrees
    server = vllm_server(out)
    items = rmeval.load_benchmark("rm-bench-synthetic", size=8)
    for tokenizer in (None, str(source)):
        found = rmeval.parity(source, server.url, "hf", items, tokenizer=tokenizer, tolerance=CLOSE)
        assert found.tokens.equal, found.tokens.text
        if exported.shift:
            assert "b is a - 0.5, a constant offset" in found.verdict
        else:
            assert found.agrees, found.verdict
        assert found.a.scored == found.b.scored == found.requests == 48
        assert found.flips == found.near_ties
