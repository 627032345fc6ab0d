"""The calls of one stream: what is sent next, what is sent again, and when all of it stops."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from rmeval.errors import ModelError
from rmeval.transport.address import Address
from rmeval.transport.answers import Words
from rmeval.transport.attempts import Attempt, Attempts, Pace, can_heal, is_fatal, is_overload, is_wrong_model
from rmeval.transport.budget import Budget
from rmeval.transport.calls import AnswerFault, Call, Reply, ServerError, Usage
from rmeval.transport.concurrency import Concurrency
from rmeval.transport.options import ServerOptions
from rmeval.transport.outage import Outage
from rmeval.transport.tally import Tally

__all__ = ["Alone", "Bell", "Dispatch", "Line", "Work"]


_LOOK_AGAIN = 0.05
"""Seconds after which a spent budget is looked at again while calls are in flight."""


class Bell:
    """Wakes the thread that waits for it.

    Unlike `threading.Event`, it has no state that an exception of a signal handler could leave locked.
    """

    def __init__(self) -> None:
        """Start silent."""
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        """Wake the thread, now or when it next waits."""
        with suppress(RuntimeError):  # It has been rung already.
            self._lock.release()

    def wait(self, seconds: float) -> None:
        """Wait until it rings or the time is over."""
        self._lock.acquire(timeout=max(seconds, 0.0))


@dataclass(slots=True)
class Line:
    """What all streams of a server share."""

    address: Address
    options: ServerOptions
    pace: Pace
    key: str
    client: Attempts
    budget: Budget
    concurrency: Concurrency
    outage: Outage
    tally: Tally
    usage: Callable[[Any], Usage | None] | None
    check: Callable[[Any], AnswerFault | None] | None
    words: Words


def _checked(attempt: Attempt, found: AnswerFault | None, words: Words) -> Attempt:
    """The attempt, or the failure that its answer reports."""
    if found is None:
        return attempt
    error = words.clean(found.error)
    if found.status is None:
        return Attempt(fault="body", error=error, status=attempt.status)
    return Attempt(fault="status", error=f"HTTP {found.status} within {attempt.status}: {error}", status=found.status)


@dataclass(frozen=True, slots=True)
class Alone:
    """How a single call differs: it fails at once if there is no server, and may state which failures it expects.

    Attributes:
        accept: HTTP statuses that end the call like any other, though all further calls would fail.
    """

    accept: Collection[int] = ()


@dataclass(slots=True, eq=False)
class Work:
    """A call that has not ended."""

    call: Call
    content: bytes | None
    attempts: int = 0
    retries: int = 0
    began: float = 0.0
    last: Attempt = field(default_factory=Attempt)

    @classmethod
    def of(cls, call: Call) -> Work:
        """Encode the body of a call, once for all its attempts."""
        if call.method == "GET":
            return cls(call, None)
        return cls(call, json.dumps(call.body, separators=(",", ":"), allow_nan=False).encode("ascii"))


class Dispatch:
    """Runs the calls of one stream on the event loop.

    `add` and `take` belong to the caller's thread, and everything else to the thread of the loop; what they share are
    two deques and numbers that only one side writes.

    Attributes:
        added: Number of calls that the caller has added.
        stop: Why no further call is sent; None while there is no reason.
        over: Whether nothing more will come.
    """

    def __init__(
        self, line: Line, loop: asyncio.AbstractEventLoop, bell: Bell, refill: int, alone: Alone | None = None
    ) -> None:
        """Prepare a stream.

        Args:
            line: What all streams of the server share.
            loop: The event loop, which runs in another thread.
            bell: Rung when the caller has something to do.
            refill: Number of finished calls at which the caller takes them.
            alone: What differs for a single call; None for many.
        """
        self._line = line
        self._loop = loop
        self._bell = bell
        self._refill = refill
        self._alone = alone
        self._fresh: deque[Work] = deque()
        self._again: deque[Work] = deque()
        self._done: deque[Reply] = deque()
        self._ended = 0
        self._in_flight = 0
        self._hungry = True
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._wake: asyncio.TimerHandle | None = None
        self.added = 0
        self.stop: BaseException | None = None
        self.over = False

    # In the caller's thread.

    def add(self, work: Work) -> None:
        """Add a call."""
        self.added += 1
        self._fresh.append(work)
        if self._hungry:
            self._hungry = False
            self._loop.call_soon_threadsafe(self._pump)

    def take(self) -> list[Reply]:
        """Return the calls that ended since the last time."""
        found: list[Reply] = []
        while self._done:
            found.append(self._done.popleft())
        return found

    def waiting(self) -> int:
        """Return how many ended calls wait to be taken."""
        return len(self._done)

    def all_ended(self) -> bool:
        """Return whether each call that was added has ended."""
        return self._ended == self.added

    def cancel(self) -> None:
        """Drop everything that has not ended."""
        with suppress(RuntimeError):  # The loop is closed already.
            self._loop.call_soon_threadsafe(self._drop)

    # In the thread of the loop.

    def _drop(self) -> None:
        self._fresh.clear()
        self._again.clear()
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        self.over = True
        self._bell.ring()

    def _halt(self, why: BaseException) -> None:
        """Send no further call, and drop those in flight."""
        self.stop = self.stop or why
        self._drop()

    def _pump(self) -> None:
        """Start as many workers as the limit allows and there is work for."""
        if self.stop is not None or self.over or self._is_paused():
            return
        limit = self._line.concurrency.limit
        for _ in range(min(limit - self._in_flight, len(self._again) + len(self._fresh))):
            self._in_flight += 1
            task = self._loop.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._worker_ended)

    def _resume(self) -> None:
        self._wake = None
        self._pump()

    def _worker_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._halt(error)

    async def _work(self) -> None:
        """Make attempts, of one call after the other, as long as the limit allows."""
        try:
            while (more := self._line.concurrency.limit - self._in_flight) >= 0 and (work := self._next()) is not None:
                if more:
                    self._pump()
                await self._attempt(work)
        finally:
            self._in_flight -= 1

    def _is_paused(self) -> bool:
        """Whether nothing may be sent now; if so, it goes on by itself."""
        pause = self._line.outage.until - self._loop.time()
        if pause > 0:
            self._resume_after(pause)
        return pause > 0

    def _resume_after(self, seconds: float) -> None:
        if self._wake is None:
            self._wake = self._later(seconds, self._resume)

    def _next(self) -> Work | None:
        """Return the next call to send; None if there is none that may be sent now."""
        if self.stop is not None or self.over or self._is_paused():
            return None
        self._hungry = not self._fresh
        # The caller may have added a call between the question and the answer.
        queue = self._again or self._fresh
        if not queue:
            return None
        if reason := self._line.budget.spent(queue[0].call):
            # What is in flight may use less than its estimate, and finishes anyway.
            if self._line.budget.nothing_in_flight:
                self._halt(ModelError(f"the budget is spent ({reason}): raise it, and run again to continue"))
            else:
                self._resume_after(_LOOK_AGAIN)
            return None
        return queue.popleft()

    def _later(self, seconds: float, do: Callable[..., None], *arguments: Any) -> asyncio.TimerHandle:
        def fire() -> None:
            self._timers.discard(timer)
            do(*arguments)

        timer = self._loop.call_later(seconds, fire)
        self._timers.add(timer)
        return timer

    async def _attempt(self, work: Work) -> None:
        line, call = self._line, work.call
        started = self._loop.time()
        if work.attempts == 0:
            work.began = started
        work.attempts += 1
        line.budget.begin(call)
        line.tally.most = max(line.tally.most, self._in_flight)
        attempt: Attempt | None = None
        try:
            async with asyncio.timeout_at(work.began + line.options.timeout):
                attempt = await line.client.attempt(call.method, call.path, work.content)
        except TimeoutError:
            error = f"no complete answer within {line.options.timeout:g} s"
            attempt = Attempt(fault="timeout", error=error, permanent=True)
        finally:
            line.budget.end(call, self._usage(attempt))
        if attempt.fault is None and line.check is not None and call.method == "POST":
            attempt = _checked(attempt, line.check(attempt.data), line.words)
        self._judge(work, attempt, started)

    def _usage(self, attempt: Attempt | None) -> Usage | None:
        """What an attempt used: nothing if it was refused, and None if that is unknown."""
        if attempt is None:
            return None
        if attempt.fault in ("connect", "status", "redirect"):
            return Usage(0)
        if attempt.fault is not None or self._line.usage is None:
            return None
        counted = self._line.usage(attempt.data)
        return Usage(0) if counted is None and self._reports_failure(attempt) else counted

    def _reports_failure(self, attempt: Attempt) -> bool:
        """Whether an answer reports that nothing was done."""
        found = None if self._line.check is None else self._line.check(attempt.data)
        return found is not None and found.status is not None

    def _judge(self, work: Work, attempt: Attempt, started: float) -> None:
        """Decide what the end of an attempt means for its call and for all others."""
        line, now = self._line, self._loop.time()
        work.last = attempt
        if attempt.fault is None:
            line.outage.succeeded()
            line.concurrency.succeeded(started, now, self._in_flight >= line.concurrency.limit)
            self._end(work, now)
            return
        if is_overload(attempt):
            line.concurrency.overloaded(started, now)
        if self._alone and attempt.status in self._alone.accept:
            self._end(work, now)
            return
        if is_fatal(attempt, line.outage.answered) or (self._alone and attempt.fault in ("connect", "protocol")):
            self._halt(ServerError(self._fatal(work), self._reply(work, now)))
        elif can_heal(attempt) and not self._is_page(work):
            self._heal(work, started, now)
        else:
            if attempt.fault != "timeout" and not self._alone and line.outage.refused():
                self._halt(ServerError(self._refused(work), self._reply(work, now)))
            self._end(work, now)

    def _is_page(self, work: Work) -> bool:
        """Whether a server shows a page at an address that was only tried."""
        return self._alone is not None and work.call.method == "GET" and work.last.fault == "body"

    def _heal(self, work: Work, started: float, now: float) -> None:
        """Send a call again later, end it, or stop all if the server is dead."""
        line, attempt = self._line, work.last
        line.outage.failed(id(work), attempt, started, now)
        if (seconds := line.outage.dead_for(attempt, now)) is not None:
            text = (
                f"{line.address.shown} has answered no call for {seconds:.0f} s ({attempt.error}): start it again, and "
                "run again to continue; the answers until then are kept"
            )
            self._halt(ServerError(text, self._reply(work, now)))
            return
        # Without a connection nothing was sent, and the patience with the server is the limit.
        if attempt.fault != "connect":
            work.retries += 1
        wait = max(line.pace.wait(work.retries - 1) if work.retries else 0.0, attempt.retry_after)
        if work.retries > line.options.retries or now + wait >= work.began + line.options.timeout:
            self._end(work, now)
            return
        line.tally.retries[attempt.cause] += 1
        self._later(wait, self._due, work)

    def _due(self, work: Work) -> None:
        self._again.append(work)
        self._pump()

    def _reply(self, work: Work, now: float) -> Reply:
        last, many = work.last, work.attempts > 1
        error = f"{last.error} (after {work.attempts} attempts)" if many and last.error else last.error
        return Reply(work.call, last.data, error, last.fault, last.status, work.attempts, now - work.began)

    def _end(self, work: Work, now: float) -> None:
        reply = self._reply(work, now)
        self._line.tally.ended(work.last, reply.seconds)
        self._done.append(reply)
        self._ended += 1
        if len(self._done) >= self._refill or self._ended == self.added or len(self._fresh) * 2 < self._refill:
            self._bell.ring()

    # What is said when all calls would fail.

    def _fatal(self, work: Work) -> str:
        line, last, status = self._line, work.last, work.last.status
        shown = line.address.shown + line.client.via
        if last.fault == "protocol":
            return f"{shown} is no HTTP server ({last.error}): check the address"
        if last.fault == "connect":
            return f"{shown} cannot be reached ({last.error}): start the server, or check the address"
        if status in (401, 403):
            env = line.options.api_key_env
            fix = (
                f"check the key in the environment variable {env}"
                if line.key
                else f"set the environment variable {env} to its key"
            )
            return f"{shown} refuses access ({last.error}): {fix}, or name another variable with `api_key_env`"
        if is_wrong_model(last):
            return f"{shown} does not serve this model ({last.error}): choose one that it serves with `served_model`"
        if status in (404, 405):
            return f"{shown} has no /{work.call.path.lstrip('/')} ({last.error}): check the address and what it serves"
        return f"{shown} refuses all calls ({last.error}): resolve this, and run again to continue"

    def _refused(self, work: Work) -> str:
        return (
            f"{self._line.address.shown} answers none of {self._line.pace.refusals} calls in a row "
            f"({work.last.error}): correct what it names, and run again to continue"
        )
