"""Methods to score token sequences, each in its own process, which loads the model once and reports its usage."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

__all__ = ["Used", "Worker", "has_bfloat16", "padded"]

Rows = list[list[list[int]]]
"""Token ids by item and by response."""


def has_bfloat16() -> bool:
    """Return whether this CPU has instructions for bfloat16; on others it is several times slower than float32."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported())


class Used(NamedTuple):
    """Usage and result of a call.

    Attributes:
        cpu: CPU seconds of all threads.
        wall: Elapsed seconds.
        scores: Scores by item and by response.
    """

    cpu: float
    wall: float
    scores: list[list[float]]


class Worker:
    """A process that scores with one method."""

    def __init__(self, way: str, model: str, dtype: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other, way, model, dtype, threads), daemon=True)
        self._process.start()
        self.loaded: float = self._pipe.recv()

    def score(self, rows: Rows) -> Used:
        """Score rows of token sequences."""
        self._pipe.send(rows)
        used: Used = self._pipe.recv()
        return used

    def close(self) -> float:
        """End the process and return its peak memory in MB."""
        self._pipe.send(None)
        peak: float = self._pipe.recv()
        self._process.join()
        return peak


def _work(pipe: Connection, way: str, model: str, dtype: str, threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    score = WAYS[way](model, dtype)
    score([[[1, 2, 3], [1, 2, 4]]])  # Runs once per process: first calls, and the check of the tree.
    pipe.send(_peak())
    while (rows := pipe.recv()) is not None:
        wall, cpu = time.perf_counter(), time.process_time()
        flat = score(rows)
        used = time.process_time() - cpu, time.perf_counter() - wall
        parts = iter(flat)
        pipe.send(Used(*used, [[next(parts) for _ in row] for row in rows]))
    pipe.send(_peak())


def _peak() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


Score = Callable[[Rows], Sequence[float]]


def _load(path: str, dtype: str) -> Any:
    import torch
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(path, dtype=getattr(torch, dtype)).eval()


def _batches(rows: Rows) -> Iterator[list[tuple[int, int]]]:
    """Yield the reference's batches: positions of items and responses, all first responses first."""
    places = [
        (item, response)
        for response in range(max(map(len, rows)))
        for item, row in enumerate(rows)
        if response < len(row)
    ]
    for start in range(0, len(places), 8):
        yield places[start : start + 8]


def padded(rows: Rows) -> int:
    """Return the number of tokens that the reference's method computes, including padding."""
    return sum(len(places) * max(len(rows[item][response]) for item, response in places) for places in _batches(rows))


def _reference(path: str, dtype: str) -> Score:
    """Score in batches of 8, padded to the longest, as in RM-Bench's script."""
    import torch

    model = _load(path, dtype)

    def score(rows: Rows) -> list[float]:
        found: dict[tuple[int, int], float] = {}
        for places in _batches(rows):
            batch = [rows[item][response] for item, response in places]
            longest = max(map(len, batch))
            pad = model.config.pad_token_id or 0
            ids = torch.tensor([one + [pad] * (longest - len(one)) for one in batch])
            mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in batch])
            with torch.inference_mode():
                hidden = model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
                values = model.score(hidden)[range(len(batch)), [len(one) - 1 for one in batch], 0].tolist()
            found.update(zip(places, values, strict=True))
        return [found[item, response] for item, row in enumerate(rows) for response in range(len(row))]

    return score


def _dense(path: str, dtype: str) -> Score:
    """Score each sequence separately, without padding or sharing: the minimum cost of a distinct token."""
    import torch

    model = _load(path, dtype)

    def score(rows: Rows) -> list[float]:
        with torch.inference_mode():
            return [
                float(model.score(model.base_model(input_ids=torch.tensor([one])).last_hidden_state[0, -1]))
                for row in rows
                for one in row
            ]

    return score


def _engine(path: str, dtype: str, share: bool = True) -> Score:
    from rmeval.engines import LastToken
    from rmeval.engines.hf.checkpoint import find_checkpoint
    from rmeval.engines.hf.engine import HFEngine
    from rmeval.engines.hf.network import Network

    engine = HFEngine(Network(find_checkpoint(path), dtype, "cpu", False, {}), share=share)

    def score(rows: Rows) -> list[float]:
        flat = [one for row in rows for one in row]
        found = [0.0] * len(flat)
        for reading in engine.run(flat, LastToken("score")):
            for index, values in zip(reading.indices, reading.values, strict=True):
                found[index] = float(values[0])
        return found

    return score


def _sorted(path: str, dtype: str) -> Score:
    """Score on the plain path: batches of similar length."""
    return _engine(path, dtype, share=False)


WAYS: dict[str, Callable[[str, str], Score]] = {
    "reference": _reference,
    "dense": _dense,
    "sorted": _sorted,
    "rmeval": _engine,
}
