"""A cluster in this process, whose replicas end when a test wants it, for the engine `ray` without Ray."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rmeval.engines import EngineOptions, open_engine
from rmeval.engines.ray.engine import RayEngine
from rmeval.engines.ray.schedule import EndedError, Schedule
from rmeval.engines.ray.team import Team
from rmeval.engines.ray.worker import Recipe, Worker

Fate = Callable[[int, str, tuple[Any, ...]], str | None]
"""Why a replica, by its number, ends during a call; None if it does not."""


@dataclass(eq=False)
class Replica:
    number: int
    worker: Any
    ended: str | None = None


@dataclass(eq=False)
class Ticket:
    replica: Replica
    method: str
    arguments: tuple[Any, ...]


@dataclass
class LocalCluster:
    """Calls run when their answer is fetched, in an order that a seed decides."""

    make: Callable[[int], Any] = lambda number: Worker(".", f"node {number}")
    fate: Fate = lambda number, method, arguments: None
    places: int = 1000
    seed: int = 0
    time: float = 0.0
    replicas: list[Replica] = field(default_factory=list)
    stopped: list[int] = field(default_factory=list)
    calls: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def start(self) -> Replica:
        number = len(self.replicas)
        self.replicas.append(Replica(number, self.make(number)))
        return self.replicas[-1]

    def call(self, replica: Replica, method: str, *arguments: Any) -> Ticket:
        return Ticket(replica, method, arguments)

    def ready(self, tickets: Sequence[Ticket], seconds: float) -> Ticket | None:
        self.time += seconds
        placed = [one for one in tickets if one.replica.number < self.places]
        return self._random.choice(placed) if placed else None

    def answer(self, ticket: Ticket) -> Any:
        replica = ticket.replica
        self.calls.append((replica.number, ticket.method))
        replica.ended = replica.ended or self.fate(replica.number, ticket.method, ticket.arguments)
        if replica.ended is not None:
            raise EndedError(replica.ended)
        return getattr(replica.worker, ticket.method)(*ticket.arguments)

    def stop(self, replica: Replica) -> None:
        self.stopped.append(replica.number)

    def resources(self) -> str:
        return f"there are {self.places} places"


def open_local(spec: str, options: EngineOptions) -> RayEngine:
    """The engine `ray` with three replicas in this process, of which one ends while it reads the second portion."""
    here = open_engine(spec, options)
    reads: list[int] = []

    def fate(number: int, method: str, arguments: tuple[Any, ...]) -> str | None:
        reads.extend([number] if method == "read" else [])
        return "killed" if method == "read" and len(reads) == 2 else None

    cluster = LocalCluster(fate=fate)
    team = Team(Schedule(cluster, 3, clock=lambda: cluster.time), 40, "0")
    return RayEngine(here, Recipe(0, spec, options, "hf", here.fingerprint()), lambda: team)
