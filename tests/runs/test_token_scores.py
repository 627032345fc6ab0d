"""Scores along the tokens of an answer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import rmeval
from rmeval.errors import ModelError
from rmeval.models import load_model
from rmeval.protocols.pointwise import conversation_requests
from rmeval.types import Message
from tests.checkpoints import make_checkpoint
from tests.command import command

TALKS = [
    (Message("user", "what is the capital"), Message("assistant", answer)) for answer in ("the capital is so", "why")
]


def test_each_token_is_scored_as_if_the_text_ended_there(checkpoint: Path) -> None:
    model = load_model(str(checkpoint), scale=2.0)
    found = dict(model.token_scores(conversation_requests(TALKS)))  # type: ignore[attr-defined]
    network = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    for index, talk in enumerate(TALKS):
        messages = [{"role": m.role, "content": m.content} for m in talk]
        ids = tokenizer.apply_chat_template(messages, return_dict=True)["input_ids"]
        expected = []
        with torch.inference_mode():
            for end in range(1, len(ids) + 1):
                hidden = network.model(torch.tensor([ids[:end]])).last_hidden_state[0, -1]
                expected.append(2 * float(network.score(hidden)))
        assert found[index].scores == pytest.approx(expected, abs=1e-5)
        assert "".join(found[index].tokens[found[index].start :]).lstrip().startswith(talk[1].content[:3])
    scores = rmeval.score(str(checkpoint), TALKS, scale=2.0)
    assert scores == pytest.approx([found[k].scores[-1] for k in range(2)], abs=1e-6)


def test_the_command(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "talks.jsonl"
    source.write_text('{"prompt": "what is", "responses": ["the capital", "why", "so it is"]}\n')
    out, picture = tmp_path / "token-scores.jsonl", tmp_path / "p.svg"
    done = command(capsys, "token-scores", checkpoint, source, "-o", out, "--plot", picture)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [len(row["tokens"]) == len(row["scores"]) > row["answer"] > 0 for row in rows] == [True] * 3
    assert "<!-- conversation 2 -->" in picture.read_text()
    assert np.isfinite(rows[0]["scores"]).all()


def test_what_is_not_read_at_single_tokens(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "talks.jsonl"
    source.write_text('{"prompt": "what is", "response": "the capital"}\n')
    wrong = command(capsys, "token-scores", "baseline:longest", source, "-o", tmp_path / "out.jsonl")
    assert (wrong.code, "of the kind baseline: token scores need a classifier" in wrong.err) == (2, True)
    bert = load_model(str(make_checkpoint(tmp_path / "bert", "bert")))
    with pytest.raises(ModelError, match="cannot be read at single tokens"):
        list(bert.token_scores(conversation_requests(TALKS)))  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match=r"conversation 0: has .* tokens, but .* takes at most 5: leave it out"):
        list(load_model(str(checkpoint), max_length=5).token_scores(conversation_requests(TALKS)))  # type: ignore[attr-defined]
