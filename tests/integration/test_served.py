"""A real vLLM server with the reward model that comes with the package, called by URL."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.errors import ModelError
from rmeval.models import EMBEDDED
from tests.integration.servers import StartServer, VLLMServer

TINY = EMBEDDED["rmeval/tiny"]
CLOSE = 1e-4


@pytest.fixture
def server(vllm_server: StartServer) -> VLLMServer:
    return vllm_server(TINY)


@pytest.fixture(scope="module")
def talks() -> list[Any]:
    items = list(rmeval.load_benchmark("rm-bench-synthetic", size=16, seed=3).load())
    return [item.conversation(number) for item in items for number in range(len(item.responses))]


@pytest.fixture(scope="module")
def own(talks: list[Any]) -> Any:
    return rmeval.score("rmeval/tiny", talks)


@pytest.mark.parametrize("dialect", ["auto", "vllm-pooling@1"])
@pytest.mark.parametrize(
    "options",
    [{}, {"tokenizer": str(TINY)}, {"tokenizer": str(TINY), "batch_size": 8}],
    ids=["messages", "token ids", "several token ids"],
)
def test_scores_equal_those_of_the_checkpoint(
    server: VLLMServer, talks: list[Any], own: Any, dialect: str, options: dict[str, Any]
) -> None:
    model = rmeval.load_model(server.url, dialect=dialect, **options)
    assert np.abs(rmeval.score(model, talks) - own).max() < CLOSE
    facts = model.facts()
    assert (facts["activation"], facts["served_by"], facts["served_limit"]) == ("sigmoid", "vllm", 1024)
    assert facts.get("same_tokens_as_server", False) == bool(options)


BODY = 'path = "classify"\nscore = "data.0.probs"\n[body]\nmodel = "{model}"\nmessages = "{messages}"\n'


@pytest.mark.parametrize("flag", ["activation", "softmax"])
def test_flags_that_vllm_ignores_stop_the_run(server: VLLMServer, talks: list[Any], flag: str, tmp_path: Path) -> None:
    file = tmp_path / "dead.toml"
    file.write_text(f"{BODY}[raw]\n{flag} = false\n[activated]\n{flag} = true\n")
    with pytest.raises(ModelError, match="the same scores with the activation switched on and off"):
        rmeval.score(server.url, talks, dialect=str(file))


def test_the_default_activation_stops_the_run(server: VLLMServer, talks: list[Any], own: Any, tmp_path: Path) -> None:
    file = tmp_path / "default.toml"
    file.write_text(BODY)
    with pytest.raises(ModelError, match=r"only scores from 0 to 1 .* as a sigmoid or softmax does"):
        rmeval.score(server.url, talks, dialect=str(file))
    found = rmeval.score(server.url, talks, dialect=str(file), bounded_ok=True)
    assert np.abs(found - 1 / (1 + np.exp(-own))).max() < CLOSE
    file.write_text(f"{BODY}[raw]\nuse_activation = false\n[activated]\nuse_activation = true\n")
    assert np.abs(rmeval.score(server.url, talks, dialect=str(file)) - own).max() < CLOSE


def test_a_conversation_beyond_the_limit_is_counted(server: VLLMServer) -> None:
    short = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    long = [short[0], {"role": "assistant", "content": "word " * 1500}]
    found = rmeval.score(server.url, [short, long])
    assert np.isnan(found).tolist() == [False, True]


def test_a_name_that_is_not_served_is_a_sentence(server: VLLMServer) -> None:
    with pytest.raises(ModelError, match="does not serve 'another': choose one of rm"):
        rmeval.load_model(server.url, served_model="another")


def scored_keys(folder: Path) -> list[str]:
    """The key of each score in a journal."""
    lines = [line for file in sorted((folder / "journal").iterdir()) for line in file.read_text().splitlines()]
    return [one["key"] for one in map(json.loads, lines) if one["status"] == "ok"]


REQUESTS = 240


class KilledAfter:
    """A progress that kills the server once a quarter of the requests is done."""

    def __init__(self, server: VLLMServer, then: Callable[[], None] = lambda: None) -> None:
        self._server, self._then = server, then
        self.at: int | None = None

    def __call__(self, done: int, total: int) -> None:
        assert total == REQUESTS
        if self.at is None and done > total // 4:
            self.at = done
            self._server.kill()
            self._then()


def test_a_server_that_is_killed_and_restarted_loses_nothing(server: VLLMServer, tmp_path: Path) -> None:
    """The run waits while the server is away."""
    restart = threading.Thread(target=server.start)
    killed = KilledAfter(server, restart.start)
    data: dict[str, Any] = {"size": 40, "seed": 5, "out": tmp_path}
    try:
        result = rmeval.evaluate(
            server.url, "rm-bench-synthetic", concurrency=4, progress=killed, read_timeout=400.0, **data
        )
    finally:
        if killed.at is not None:
            restart.join()
    assert killed.at is not None
    assert killed.at < REQUESTS
    keys = scored_keys(result.path)
    assert len(keys) == len(set(keys)) == REQUESTS
    own = rmeval.evaluate("rmeval/tiny", "rm-bench-synthetic", **data)
    assert abs(result.value("average") - own.value("average")) < 1e-9


def test_a_run_whose_server_ends_continues_later(server: VLLMServer, tmp_path: Path) -> None:
    """The run stops; the same command scores what is left, each request once."""
    killed = KilledAfter(server)
    options: dict[str, Any] = {"size": 40, "seed": 6, "out": tmp_path, "concurrency": 4}
    with pytest.raises(ModelError, match="run again"):
        rmeval.evaluate(server.url, "rm-bench-synthetic", progress=killed, timeout=4.0, **options)
    (folder,) = (tmp_path / "rm-bench-synthetic" / "rm").iterdir()
    first = scored_keys(folder)
    assert killed.at is not None
    assert killed.at <= len(first) < REQUESTS
    result = rmeval.evaluate(server.start().url, "rm-bench-synthetic", **options)
    keys = scored_keys(folder)
    assert (result.path, keys[: len(first)]) == (folder, first)
    assert len(keys) == len(set(keys)) == REQUESTS
