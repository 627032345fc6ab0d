"""The number of calls in flight, against servers of known capacity."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import pytest

from rmeval.transport.concurrency import Concurrency


def simulate(
    concurrency: Concurrency,
    latency: Callable[[int], float],
    calls: int,
    fails: Callable[[int, int], bool] = lambda number, in_flight: False,
) -> list[int]:
    """The limit after each answer of a server whose latency depends on the number of calls in flight."""
    flying: list[tuple[float, float, int, int]] = []
    limits: list[int] = []
    now, number = 0.0, 0
    while len(limits) < calls:
        while len(flying) < concurrency.limit:
            in_flight = len(flying) + 1
            heapq.heappush(flying, (now + latency(in_flight), now, number, in_flight))
            number += 1
        busy = len(flying) >= concurrency.limit
        now, started, which, in_flight = heapq.heappop(flying)
        if fails(which, in_flight):
            concurrency.overloaded(started, now)
        else:
            concurrency.succeeded(started, now, busy)
        limits.append(concurrency.limit)
    return limits


def test_it_starts_low_and_grows_to_the_most_while_latency_holds() -> None:
    limits = simulate(Concurrency(64), lambda in_flight: 1.0, 1_000)
    assert limits[0] == 16
    assert limits[-1] == max(limits) == 64
    assert limits.index(64) < 250
    assert limits == sorted(limits)


@pytest.mark.parametrize("most", [1, 2, 5, 64])
def test_it_never_exceeds_the_most(most: int) -> None:
    limits = simulate(Concurrency(most), lambda in_flight: 1.0, 500, lambda number, in_flight: number % 97 == 96)
    assert 1 <= min(limits) <= max(limits) <= most


@pytest.mark.parametrize("capacity", [4, 20, 50])
def test_it_stays_near_the_capacity_of_a_server(capacity: int) -> None:
    # Beyond its capacity, the server answers no more calls per second; each only takes longer.
    limits = simulate(Concurrency(256), lambda in_flight: max(1.0, in_flight / capacity), 5_000)
    late = sorted(limits[2_000:])
    assert capacity <= late[len(late) // 2] <= max(2 * capacity, 16)
    assert late[-1] <= max(4 * capacity, 32)


def test_an_overload_halves_it_once_for_the_calls_in_flight() -> None:
    concurrency = Concurrency(64)
    simulate(concurrency, lambda in_flight: 1.0, 1_000)
    for _ in range(64):
        concurrency.overloaded(started=2_000.0, now=2_001.0)
    assert concurrency.limit == 32
    concurrency.overloaded(started=2_002.0, now=2_003.0)
    assert concurrency.limit == 16
    for time in range(10):
        concurrency.overloaded(started=2_010.0 + 2 * time, now=2_011.0 + 2 * time)
    assert concurrency.limit == 4


def test_it_finds_the_number_beyond_which_a_server_refuses() -> None:
    limits = simulate(Concurrency(256), lambda in_flight: 1.0, 20_000, lambda number, in_flight: in_flight > 40)
    late = limits[5_000:]
    assert 20 <= sorted(late)[len(late) // 2] <= 41
    assert max(late) <= 51


def test_it_grows_again_after_an_overload_has_passed() -> None:
    limits = simulate(Concurrency(64), lambda in_flight: 1.0, 10_000, lambda number, in_flight: 1_000 < number < 1_100)
    assert min(limits[1_000:]) < 32
    assert limits[-1] == 64


def test_nothing_changes_as_long_as_fewer_calls_are_there() -> None:
    concurrency = Concurrency(64)
    for time in range(1_000):
        concurrency.succeeded(float(time), time + 1.0, busy=False)
    assert concurrency.limit == 16
