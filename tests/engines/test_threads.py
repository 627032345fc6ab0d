"""The choice of the number of CPU threads: from given timings, what reaches torch, and who is left alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from rmeval.engines.base import EngineOptions, LastToken
from rmeval.engines.hf.engine import open_checkpoint
from rmeval.engines.hf.threads import Threads, choice, torch_default


@pytest.fixture(autouse=True)
def four_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process on four cores, in which nobody has chosen a number."""
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(4)))
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


class Clock:
    """Time passes by the given seconds per token for the number of threads that torch has."""

    def __init__(self, seconds: dict[int, float]) -> None:
        self.seconds, self.now, self.used = seconds, 0.0, list[int]()

    def __call__(self) -> float:
        return self.now

    def work(self, tokens: int) -> None:
        self.used.append(torch.get_num_threads())
        self.now += tokens * self.seconds[torch.get_num_threads()]


def pieces(threads: Threads, clock: Clock, count: int, tokens: int = 1000) -> None:
    for _ in range(count):
        with threads.piece(tokens):
            clock.work(tokens)


@pytest.mark.parametrize(
    ("timings", "chosen"),
    [
        ({4: 1.0}, None),
        ({4: 1.0, 2: 2.0}, 4),
        ({4: 1.0, 2: 1.15}, 4),
        ({4: 1.0, 2: 1.1}, None),
        ({4: 1.0, 2: 1.1, 1: 2.2}, 2),
        ({4: 5.0, 2: 3.0, 1: 1.0}, 1),
        ({2: 1.0, 1: 1.0}, 1),
        ({6: 1.0, 3: 1.0, 1: 1.1}, 1),
        ({1: 1.0}, 1),
    ],
)
def test_choice(timings: dict[int, float], chosen: int | None) -> None:
    assert choice(timings) == chosen


@pytest.mark.parametrize(
    ("seconds", "chosen", "order"),
    [
        ({4: 1.0, 2: 2.0, 1: 4.0}, 4, [4, 4, 2, 4, 2, 4, 2]),
        ({4: 3.0, 2: 1.0, 1: 1.9}, 2, [4, 4, 2, 4, 2, 4, 2, 1, 1, 1]),
        ({4: 9.0, 2: 3.0, 1: 1.0}, 1, [4, 4, 2, 4, 2, 4, 2, 1, 1, 1]),
    ],
)
def test_the_choice_reaches_torch(
    seconds: dict[int, float], chosen: int, order: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(seconds)
    threads = Threads("model", True, clock)
    pieces(threads, clock, len(order) - 1)
    assert threads.chosen is None
    assert threads.facts() == {"threads": 4}
    pieces(threads, clock, 1)
    assert threads.chosen == chosen
    pieces(threads, clock, 5)
    assert clock.used == [*order, *[chosen] * 5]
    assert torch.get_num_threads() == 4, "outside of pieces the process keeps its setting"
    measured = {str(count): 1000 * seconds[count] for count in sorted(set(order), reverse=True)}
    assert threads.facts() == {"threads": chosen, "threads_measured": measured}
    (note,) = caplog.messages
    assert note.startswith(f"torch computes model with {chosen} of 4 CPU threads (microseconds per token by number of")


def test_small_pieces_and_failures_are_not_timed() -> None:
    clock = Clock({4: 1.0, 2: 1.0, 1: 1.0})
    threads = Threads("model", True, clock)
    pieces(threads, clock, 50, tokens=10)
    with pytest.raises(ValueError, match="out of memory"), threads.piece(1000):
        raise ValueError("out of memory")
    assert (threads.chosen, torch.get_num_threads(), set(clock.used)) == (None, 4, {4})


def test_a_user_who_has_chosen_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock({4: 9.0, 3: 5.0, 2: 3.0, 1: 1.0})
    assert torch_default() == 4
    torch.set_num_threads(3)
    assert torch_default() is None
    pieces(Threads("model", True, clock), clock, 20)
    assert set(clock.used) == {3}
    torch.set_num_threads(4)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        with monkeypatch.context() as setting:
            setting.setenv(name, "4")
            pieces(Threads("model", True, clock), clock, 20)
    pieces(Threads("model", False, clock), clock, 20)
    assert clock.used[20:] == [4] * 60
    assert Threads("model", False, clock).facts() == {}


def test_a_setting_during_the_run_counts() -> None:
    clock = Clock({4: 9.0, 3: 5.0, 2: 3.0, 1: 1.0})
    threads = Threads("model", True, clock)
    pieces(threads, clock, 10)
    assert threads.chosen == 1
    torch.set_num_threads(3)
    pieces(threads, clock, 1)
    assert clock.used[-1] == 3


@pytest.mark.parametrize("share", [True, False])
def test_networks_compute_with_the_chosen_number(share: bool, checkpoint: Path) -> None:
    engine = open_checkpoint(str(checkpoint), EngineOptions(device="cpu"))
    engine._share = share
    sequences = [[1 + (n * k) % 300 for k in range(40)] for n in range(1, 30)]
    engine.network.threads.chosen = 2
    engine.network.threads._began, engine.network.threads._default = True, 4
    used: list[int] = []
    layer = engine.network.model.base_model.layers[0]
    reading = engine.run(sequences, LastToken("score"))
    first = next(reading)
    layer.register_forward_hook(lambda *_: used.append(torch.get_num_threads()))
    assert torch.get_num_threads() == 4, "also between two pieces"
    others = list(engine.run(sequences, LastToken("score")))
    assert set(used) == {2}
    assert torch.get_num_threads() == 4
    assert len(first.indices) <= sum(len(one.indices) for one in others) == len(sequences)
    assert engine.facts()["threads"] == 2
