"""Token scores beside items: found by the text, computed by a named model only, and kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.app.token_store import BusyError, ModelKey, TokenStore
from rmeval.errors import DataError, ModelError
from rmeval.models import load_model
from rmeval.models.classifier import Classifier
from rmeval.runs.token_scores import token_scores_of_file
from rmeval.types import Item, Message, Response

PROMPT = (Message("user", "what is the capital"),)
ITEM = Item("one", "chat", PROMPT, (Response("the capital is so"), Response("why")), (), "one")


@pytest.fixture(scope="module")
def tiny() -> Classifier:
    found = load_model("rmeval/tiny")
    assert isinstance(found, Classifier)
    return found


def key_of(model: Classifier) -> ModelKey:
    return ModelKey(model.name, str(model.identity()["model"]))


def test_a_model_computes_them_once(tiny: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, key = TokenStore(tmp_path / "cache", models=[tiny]), key_of(tiny)
    assert store.can_run(key)
    assert store.find(key, ITEM, 0) is None
    store.compute(key, ITEM, [0, 1])
    found = store.find(key, ITEM, 0)
    assert found is not None
    assert "".join(found.tokens[found.start :]).startswith("the capital is so")
    again = TokenStore(tmp_path / "cache")
    kept = again.find(key, ITEM, 1)
    assert kept is not None
    assert kept.scores[-1] == pytest.approx(tiny_score(tiny, 1))
    assert not again.can_run(key)
    # Another text, another model, and another tool are other conversations.
    other = replace(ITEM, responses=(Response("the capital is not so"),))
    assert again.find(key, other, 0) is None
    assert again.find(ModelKey(key.name, "sha256:other"), ITEM, 0) is None
    assert again.find(key, replace(ITEM, tools=({"name": "search"},)), 0) is None
    monkeypatch.setattr(tiny, "token_scores", lambda requests: iter([]) if not requests else pytest.fail("again"))
    store.compute(key, ITEM, [0, 1])


def tiny_score(model: Classifier, index: int) -> float:
    (found,) = rmeval.score(model, [ITEM.conversation(index)])
    return float(found)


def test_damaged_files_of_the_cache_are_computed_again(tiny: Classifier, tmp_path: Path) -> None:
    store, key = TokenStore(tmp_path, models=[tiny]), key_of(tiny)
    store.compute(key, ITEM, [0])
    (file,) = tmp_path.rglob("*.json")
    whole = json.loads(file.read_text())
    for damaged in (b"", b"[1", json.dumps(whole | {"scores": [1]}).encode(), json.dumps({"conversation": 1}).encode()):
        file.write_bytes(damaged)
        assert store.find(key, ITEM, 0) is None
        store.compute(key, ITEM, [0])
        assert store.find(key, ITEM, 0) is not None


def test_files_of_the_command(tiny: Classifier, tmp_path: Path) -> None:
    source = tmp_path / "talks.jsonl"
    row = {"prompt": "what is the capital", "responses": ["the capital is so", "why"]}
    source.write_text(json.dumps(row) + "\n")
    for name in ("scores.jsonl", "scores.csv", "scores.parquet"):
        token_scores_of_file(tiny, source, tmp_path / name)
        store = TokenStore(tmp_path / "cache", files=[tmp_path / name])
        key = ModelKey(tiny.name, "")
        found = store.find(key, ITEM, 1)
        assert found is not None
        assert found.scores[-1] == pytest.approx(tiny_score(tiny, 1), abs=1e-6)
        assert store.find(ModelKey("another", ""), ITEM, 1) is None


@pytest.mark.parametrize(
    "row",
    [
        {"tokens": ["a"], "scores": [1.0], "answer": 0},
        {"tokens": ["a"], "scores": [1.0, 2.0], "answer": 0, "model": "m", "conversation": "c"},
        {"tokens": ["a"], "scores": [1.0], "answer": 2, "model": "m", "conversation": "c"},
        {"tokens": "a", "scores": "b", "answer": 0, "model": "m", "conversation": "c"},
        {"tokens": ["a"], "scores": [{}], "answer": 0, "model": "m", "conversation": "c"},
    ],
)
def test_other_files(tmp_path: Path, row: dict[str, Any]) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"other\.jsonl.* is no row of token scores .*rmeval token-scores"):
        TokenStore(tmp_path / "cache", files=[file])


def test_what_may_not_run(tiny: Classifier, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="of the kind baseline: token scores need a classifier"):
        TokenStore(tmp_path, models=[load_model("baseline:longest")])
    store = TokenStore(tmp_path)
    with pytest.raises(ModelError, match="may not be run here: start the viewer with it as `run_model`"):
        store.compute(key_of(tiny), ITEM, [0])


def test_one_computation_at_a_time(tiny: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = threading.Event(), threading.Event()
    own = tiny.token_scores

    def slow(requests: Any) -> Iterator[Any]:
        begun.set()
        ended.wait(30)
        yield from own(requests)

    monkeypatch.setattr(tiny, "token_scores", slow)
    store, key = TokenStore(tmp_path, models=[tiny]), key_of(tiny)
    worker = threading.Thread(target=store.compute, args=(key, ITEM, [0]))
    worker.start()
    assert begun.wait(30)
    with pytest.raises(BusyError, match="token scores of another item are being computed"):
        store.compute(key, ITEM, [1])
    ended.set()
    worker.join(30)
    assert store.find(key, ITEM, 0) is not None
