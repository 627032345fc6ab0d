"""Divides calls among replicas, starts others for those that end, and repeats what they were reading."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from rmeval._version import __version__
from rmeval.engines.ray.worker import Workplace
from rmeval.errors import ModelError, RmevalError
from rmeval.messages import count_of

__all__ = ["PATIENCE", "Cluster", "EndedError", "Found", "Schedule"]

logger = logging.getLogger(__name__)

PATIENCE = 120.0
"""Seconds that a run waits for its first replica, and after which it notes that others are missing."""
_TURN = 1.0
"""Longest time in seconds of one wait, after which a signal is noticed."""
_TRIES = 2
"""Number of replicas that may end while they read the same portion."""
_STARTS = 3
"""Number of replicas that may end in a row before they can be used."""


class EndedError(Exception):
    """The process of a replica ended before it answered; the message is the reason."""


class Cluster(Protocol):
    """Processes on the nodes of a cluster; each has one `rmeval.engines.ray.worker.Worker`."""

    def start(self) -> Any:
        """Begin to start a replica, and return its handle."""
        ...

    def call(self, replica: Any, method: str, *arguments: Any) -> Any:
        """Begin a call of a method, and return a ticket; calls of one replica run one after the other."""
        ...

    def ready(self, tickets: Sequence[Any], seconds: float) -> Any | None:
        """Wait until one of some calls has ended, and return its ticket; None if none ends in time."""
        ...

    def answer(self, ticket: Any) -> Any:
        """The result of a call that has ended.

        Raises:
            EndedError: If the process ended.
            Exception: Whatever the method raised.
        """
        ...

    def stop(self, replica: Any) -> None:
        """End a replica."""
        ...

    def resources(self) -> str:
        """What a replica needs and what the cluster has, for messages."""
        ...


class Found(NamedTuple):
    """The answer of a replica to one call, by its number, and where it ran."""

    number: int
    answer: Any
    workplace: Workplace


@dataclass(eq=False)
class _Calls:
    """Calls of one method that are divided among replicas.

    Attributes:
        method: The method.
        arguments: Of each call.
        what: Describes what a call reads.
        waiting: The calls that are to begin, as positions in `arguments`.
        flying: How many have begun.
        ended: By call, how many replicas ended during it.
        found: Answers that were not yet passed on.
        closed: Whether nobody waits for the answers.
    """

    method: str
    arguments: Sequence[tuple[Any, ...]]
    what: Callable[[int], str]
    waiting: deque[int]
    flying: int = 0
    ended: Counter[int] = field(default_factory=Counter)
    found: deque[Found] = field(default_factory=deque)
    closed: bool = False


@dataclass(eq=False)
class _Member:
    """A replica.

    Attributes:
        handle: The cluster's handle.
        ticket: The call that runs; None if it is free.
        calls: The calls to which that one belongs; None while the replica starts, or states that it still runs.
        index: Its position in them.
        workplace: Where it runs; None until it has started.
    """

    handle: Any
    ticket: Any = None
    calls: _Calls | None = None
    index: int = 0
    workplace: Workplace | None = None


class Schedule:
    """Replicas, which are started at the first call, and the calls that they run.

    A replica runs one call at a time. If its process ends, another one is started and the call is repeated once.
    """

    def __init__(
        self,
        cluster: Cluster,
        count: int,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Store the cluster.

        Args:
            cluster: Where replicas run.
            count: Number of replicas.
            patience: Seconds to wait for the first replica.
            clock: The time in seconds.
        """
        self.count = count
        self._cluster = cluster
        self._patience = patience
        self._clock = clock
        self._members: list[_Member] = []
        self._begun = False
        self._since = 0.0
        self._noted = False
        self._failed_starts = 0
        self._reason = ""
        self._restarts = 0
        self._repeated = 0
        self._places: dict[str, str] = {}

    def facts(self) -> dict[str, Any]:
        """Numbers of replicas, restarts and repeated portions, and the machines, for the manifest."""
        return {
            "replicas": self.count,
            "nodes": len(self._places),
            "hosts": sorted(set(self._places.values())),
            "restarts": self._restarts,
            "portions_repeated": self._repeated,
        }

    def each(
        self,
        method: str,
        arguments: Sequence[tuple[Any, ...]],
        what: Callable[[int], str] = lambda number: f"call {number}",
    ) -> Iterator[Found]:
        """Call a method with each of some arguments, on any replica, and yield the answers in the order they come.

        Args:
            method: Name of a method of `rmeval.engines.ray.worker.Worker`.
            arguments: The arguments of each call.
            what: Describes what a call reads, for messages.

        Raises:
            ModelError: If no replica can be started, all have ended, or one call ends two of them.
            Exception: Whatever the method raises.
        """
        calls = _Calls(method, arguments, what, deque(range(len(arguments))))
        self._begin()
        try:
            while True:
                self._assign(calls)
                if calls.found:
                    yield calls.found.popleft()
                elif calls.waiting or calls.flying:
                    self._step()
                else:
                    return
        finally:
            calls.closed = True

    def everywhere(self, method: str, *arguments: Any) -> None:
        """Call a method on every replica that has started, without waiting for the end."""
        for member in self._members:
            if member.workplace is not None:
                self._cluster.call(member.handle, method, *arguments)

    def close(self) -> None:
        """End all replicas."""
        members, self._members, self._begun = self._members, [], False
        for member in members:
            self._cluster.stop(member.handle)

    def _begin(self) -> None:
        """Start the replicas at the first call, and check before later ones that they still run."""
        if not self._begun:
            self._begun, self._since = True, self._clock()
            self._failed_starts = 0
            for _ in range(self.count):
                self._start()
        else:
            self._hail()

    def _start(self) -> None:
        member = _Member(self._cluster.start())
        member.ticket = self._cluster.call(member.handle, "workplace")
        self._members.append(member)

    def _hail(self) -> None:
        """Call the free replicas, so that one whose process has ended receives no portion."""
        for member in self._members:
            if member.ticket is None:
                member.ticket = self._cluster.call(member.handle, "workplace")

    def _assign(self, calls: _Calls) -> None:
        """Begin waiting calls on free replicas."""
        for member in self._members:
            if member.ticket is None and calls.waiting:
                member.calls, member.index = calls, calls.waiting.popleft()
                member.ticket = self._cluster.call(member.handle, calls.method, *calls.arguments[member.index])
                calls.flying += 1

    def _step(self) -> None:
        """Wait for the end of one call, of whatever replica."""
        running = {member.ticket: member for member in self._members if member.ticket is not None}
        if not running:
            raise ModelError(
                f"all replicas have ended (the last one: {self._reason}): correct the cause and run the same command "
                "again; what was read before is kept"
            )
        ticket = self._cluster.ready(list(running), _TURN)
        self._look_at_time()
        if ticket is None:
            return
        member = running[ticket]
        member.ticket = None
        calls, member.calls = member.calls, None
        if calls is not None:
            calls.flying -= 1
        try:
            answer = self._cluster.answer(ticket)
        except EndedError as error:
            self._lost(member, calls, str(error))
            return
        except RmevalError as error:
            if len(self._places) > 1 and member.workplace is not None:
                raise type(error)(f"on the node {member.workplace.host}: {error}") from error
            raise
        if calls is None:
            self._joined(member, answer)
        elif not calls.closed:
            assert member.workplace is not None
            calls.found.append(Found(member.index, answer, member.workplace))

    def _joined(self, member: _Member, workplace: Workplace) -> None:
        """A replica states that it runs.

        Raises:
            ModelError: If its machine has another version of rmeval.
        """
        if workplace.rmeval != __version__:
            raise ModelError(
                f"the node {workplace.host} has rmeval {workplace.rmeval}, and this process has {__version__}: "
                "install the same version on every node"
            )
        member.workplace = workplace
        self._failed_starts = 0
        self._places[workplace.node] = workplace.host

    def _lost(self, member: _Member, calls: _Calls | None, reason: str) -> None:
        """A replica has ended: start another one, and repeat its call.

        Raises:
            ModelError: If its call ended another replica before.
        """
        self._members.remove(member)
        self._reason = reason
        self._since = self._clock()
        if member.workplace is None:
            self._failed_starts += 1
        else:
            logger.warning("a replica on %s has ended (%s)", member.workplace.host, reason)
        if calls is not None and not calls.closed:
            calls.ended[member.index] += 1
            if calls.ended[member.index] == _TRIES:
                raise ModelError(
                    f"{count_of(_TRIES, 'replica')} ended while they read {calls.what(member.index)} (the last one: "
                    f"{reason}): give a smaller `batch_size` if memory ran out, or leave its conversations out; "
                    "what was read before is kept"
                )
            self._repeated += 1
            calls.waiting.appendleft(member.index)
        self._hail()
        if self._failed_starts < _STARTS:
            self._restarts += 1
            self._start()

    def _look_at_time(self) -> None:
        """Note or refuse a start that takes long.

        Raises:
            ModelError: If no replica has started.
        """
        missing = sum(member.workplace is None for member in self._members)
        if not missing or self._clock() - self._since < self._patience:
            return
        if missing == len(self._members):
            raise ModelError(
                f"no replica could be started in {self._patience:g} seconds ({self._cluster.resources()}): "
                "give fewer `gpus_per_replica`, or wait until others have finished; what was read before is kept"
            )
        if not self._noted:
            self._noted = True
            running = self.count - missing
            logger.warning(
                "%s of %d could not be started yet (%s); the run goes on with %d",
                count_of(missing, "replica"),
                self.count,
                self._cluster.resources(),
                running,
            )
