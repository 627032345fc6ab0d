"""Compares the engine vllm with the engine hf, in the environment of vLLM; prints what it finds as JSON.

It is a program, run by `test_vllm.py`, because vLLM does not install beside the tests' own packages.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from typing import Any

import numpy as np

from rmeval import ModelError
from rmeval.engines import (
    AtPositions,
    Engine,
    EngineOptions,
    LastLogits,
    LastToken,
    Readout,
    TokenLogProbs,
    open_engine,
)
from rmeval.engines.vllm.arguments import PLACEMENT, SCORES

COUNT = 24


def sequences(seed: int, most: int, count: int = COUNT) -> list[Any]:
    """Sequences of several lengths, half of which begin alike."""
    rng = np.random.default_rng(seed)
    stem = rng.integers(5, most, 150)
    found = [rng.integers(5, most, length) for length in rng.integers(3, 200, count)]
    return [np.concatenate([stem, own] if k % 2 else [own]).astype(np.int32)[: 200 + k] for k, own in enumerate(found)]


def opened(folder: str, **settings: int) -> list[Engine]:
    """The engines vllm and hf; vLLM reads longer sequences in parts."""
    return [
        open_engine(folder, EngineOptions(model_kwargs=own), name) for name, own in (("vllm", settings), ("hf", {}))
    ]


def read(engine: Engine, given: list[Any], readout: Readout) -> list[Any]:
    values: list[Any] = [None] * len(given)
    for reading in engine.run(given, readout):
        for index, own in zip(reading.indices, reading.values, strict=True):
            assert values[index] is None, "read twice"
            values[index] = own
    return values


def difference(engines: list[Engine], given: list[Any], readout: Readout) -> float:
    one, other = (read(engine, given, readout) for engine in engines)
    assert [own.shape for own in one] == [own.shape for own in other]
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


def classifier(folder: str) -> dict[str, Any]:
    """A head at the last token and at single tokens, and an engine whose process is killed."""
    engines = opened(folder, max_num_batched_tokens=128)
    readout = engines[0].own_readout()
    assert readout == engines[1].own_readout() == LastToken("score")
    given = sequences(0, 1500)
    found: dict[str, Any] = {"last": difference(engines, given, readout)}
    places = [range(0, len(own), 3) for own in given]
    found["positions"] = difference(engines, given, AtPositions("score", places))
    found["facts"] = engines[0].facts()

    many = sequences(1, 1500, 2000)
    readings = engines[0].run(many, readout)
    before = list(next(readings).indices)
    (core,) = [one for one in multiprocessing.active_children() if one.name.startswith("EngineCore")]
    assert core.pid is not None
    os.kill(core.pid, signal.SIGKILL)
    try:
        before += [index for reading in readings for index in reading.indices]
    except ModelError as error:
        found["killed"] = str(error)
    found["before"] = len(set(before))
    found["after"] = difference(engines, given, readout)
    engines[0].release()
    found["left"] = [one.name for one in multiprocessing.active_children()]
    return found


def language_model(folder: str) -> dict[str, Any]:
    """Log-probabilities of a response, of two tokens after a conversation, and of all tokens."""
    engines = opened(folder, max_model_len=64, max_num_seqs=16, max_num_batched_tokens=32)
    for engine in engines:
        engine.require_language_model()
    given = [own[-60:] for own in sequences(2, 5000, 6)]
    spans = [(max(1, len(own) - 20), len(own)) for own in given]
    found: dict[str, Any] = {"log_probs": difference(engines, given, TokenLogProbs(spans))}
    logits = [read(engine, given, LastLogits((7, 900))) for engine in engines]
    found["labels"] = max(float(np.abs((a[:2] - a[2]) - (b[:2] - b[2])).max()) for a, b in zip(*logits, strict=True))
    size = engines[0].description.vocabulary
    assert size is not None
    (everything,) = read(engines[0], given[:1], LastLogits(tuple(range(size))))
    found["total"] = float(np.exp(everything[:-1]).sum())
    longest = given[0][:1].repeat(engines[0].description.limit or 0)
    found["longest"] = len(read(engines[0], [longest], LastLogits((7, 900))))
    engines[0].release()
    return found


if __name__ == "__main__":
    tiny, policy = sys.argv[1:]
    from vllm import EngineArgs

    unknown = [name for name in (*PLACEMENT, *SCORES) if name not in EngineArgs.__dataclass_fields__]
    print(json.dumps({"unknown": unknown, "classifier": classifier(tiny), "language model": language_model(policy)}))  # noqa: T201
