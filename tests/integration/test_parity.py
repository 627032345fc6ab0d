"""`rmeval parity` between engines that run: hf, vLLM in process, a vLLM server, and replicas on Ray."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.models import EMBEDDED
from tests.integration.environments import run_in
from tests.integration.servers import StartServer

TINY = EMBEDDED["rmeval/tiny"]
CLOSE = 1e-4


@pytest.mark.parametrize("options", [{}, {"tokenizer": str(TINY)}, {"dialect": "vllm-pooling@1"}], ids=str)
def test_a_server(vllm_server: StartServer, options: dict[str, Any]) -> None:
    server = vllm_server(TINY)
    found = rmeval.parity("rmeval/tiny", server.url, "hf", n_items=8, **options)
    assert found.agrees, found.verdict
    assert found.tokens.equal, found.tokens.text
    assert 0 < found.difference < CLOSE
    assert found.flips == found.near_ties


def test_a_server_with_another_template(vllm_server: StartServer, tmp_path: Path) -> None:
    """The first token that differs is shown before any score is explained."""
    template = tmp_path / "other.jinja"
    template.write_text("{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}")
    server = vllm_server(TINY)
    found = rmeval.parity("rmeval/tiny", server.url, "hf", n_items=2, chat_template=str(template))
    assert not found.agrees
    assert "requests differ, the first from token 0 on: hf reads 'user: " in found.tokens.text


@pytest.mark.parametrize(("engine", "options"), [("vllm", ()), ("ray", ("--replicas", "2"))])
def test_an_engine_of_another_environment(engine: str, options: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    settings: list[str | Path] = ["--a", "hf", "--b", engine, *options, "--size", "8", "-o", out]
    done = run_in(engine, "-m", "rmeval", "parity", "rmeval/tiny", *settings)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = {row["name"]: row for row in json.loads(out.read_text())[0]["rows"]}
    assert rows["largest difference"]["value"] < CLOSE
    assert rows[f"b: {engine}"]["scored"] == 48
