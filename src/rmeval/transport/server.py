"""A server that is called over HTTP, as synchronous code uses it."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any

from rmeval.errors import ModelError
from rmeval.extras import need_extra
from rmeval.transport.address import Address, parse_address
from rmeval.transport.answers import Words
from rmeval.transport.attempts import Attempts, Pace
from rmeval.transport.budget import Budget
from rmeval.transport.calls import AnswerFault, Call, Reply, Usage
from rmeval.transport.concurrency import Concurrency
from rmeval.transport.dispatch import Alone, Bell, Dispatch, Line, Work
from rmeval.transport.options import ServerOptions
from rmeval.transport.outage import Outage
from rmeval.transport.tally import Tally

__all__ = ["Server"]

logger = logging.getLogger(__name__)

_BATCH = 64
"""Smallest number of replies that are not gathered any further."""
_FILLING = 0.1
"""Longest time in seconds for which calls are taken before replies are looked at."""


class Server:
    """Calls one server; the event loop runs in a thread of its own, which starts with the first call."""

    def __init__(
        self,
        url: str,
        options: ServerOptions,
        usage: Callable[[Any], Usage | None] | None = None,
        pace: Pace | None = None,
        check: Callable[[Any], AnswerFault | None] | None = None,
        client: Attempts | None = None,
    ) -> None:
        """Check the address and the options; nothing is sent.

        Args:
            url: Address, such as `http://localhost:8000`; the paths of calls are appended.
            options: How the server is called.
            usage: Reads the tokens that an answer used, for budgets; without it, or where it returns None, the
                estimates of the calls count.
            pace: Constants of retries and pauses.
            check: Finds the failure that an answer with a status 2xx reports; such a call is sent again like any
                other that failed.
            client: Makes the attempts instead of HTTP requests of rmeval's own; `url` is then only shown.

        Raises:
            ModelError: If the address or an option is not usable.
            RmevalError: If the package httpx2 is not installed.
        """
        pace, key = pace or Pace(), _key(options.api_key_env)
        address = parse_address(url) if client is None else Address(url, "", url, 0, "")
        if client is None:
            _note_plain_key(address, key)
            client = _own_client(address, options, pace, key)
        self._line = Line(
            address=address,
            options=options,
            pace=pace,
            key=key,
            client=client,
            budget=Budget(options),
            concurrency=Concurrency(options.concurrency),
            outage=Outage(pace, options.read_timeout),
            tally=Tally(),
            usage=usage,
            check=check,
            words=Words(key),
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: Callable[[], None] = lambda: None

    @property
    def broken(self) -> int:
        """How often a connection was refused or lost; when it grows, another server may answer from then on."""
        return self._line.outage.broken

    @property
    def cost(self) -> float | None:
        """What the calls so far cost in dollars; None without prices."""
        return self._line.budget.cost if self._line.budget.has_prices else None

    def without_key(self, text: str) -> str:
        """Return a text that the server wrote, without the key, which some servers repeat."""
        return self._line.words.without_key(text)

    def call(self, call: Call, accept: Collection[int] = ()) -> Reply:
        """Send one call, and again after failures that can heal.

        Args:
            call: The call.
            accept: HTTP statuses for which the reply is returned, such as 404 to find out what a server has.

        Raises:
            ServerError: If all calls would fail: a refused connection, 401, 404, another model.
            ModelError: If a budget is spent.
        """
        (reply,) = (reply for batch in self._stream([call], Alone(accept)) for reply in batch)
        return reply

    def stream(self, calls: Iterable[Call]) -> Iterator[list[Reply]]:
        """Send calls concurrently, and yield their replies in the order in which they come.

        Every call ends in exactly one reply, unless this method raises an exception. Calls are taken from the iterable
        in the caller's thread, a bounded number ahead.

        Raises:
            ModelError: After all replies that came are yielded: if all calls would fail, the server is dead (both
                `ServerError`), or a budget is spent.
            BaseException: After all replies that came are yielded: what was raised in this thread, such as by ctrl-C.
        """
        return self._stream(calls, None)

    def _stream(self, calls: Iterable[Call], alone: Alone | None) -> Iterator[list[Reply]]:
        most = self._line.options.concurrency
        batch = max(_BATCH, most)
        flow = _Flow(self._line, self._started(), iter(calls), batch, 3 * most + batch, alone)
        try:
            while not flow.is_over:
                try:
                    found = flow.next_batch()
                except BaseException:
                    if came := flow.dispatch.take():
                        yield came
                    raise
                if found:
                    yield found
            if flow.dispatch.stop is not None:
                raise flow.dispatch.stop
        finally:
            flow.dispatch.cancel()

    def _started(self) -> asyncio.AbstractEventLoop:
        """The event loop, whose thread is started if it is not running."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            thread = threading.Thread(target=self._loop.run_forever, name="rmeval-transport", daemon=True)
            thread.start()
            # Also where nobody calls close(): the end of the program does.
            self._end = weakref.finalize(self, _close, self._loop, thread, self._line.client.aclose)
        return self._loop

    def facts(self) -> dict[str, Any]:
        """Return what happened so far, for the manifest: calls, requests, retries, tokens, cost, latency."""
        return self._line.tally.facts(self._line.address.shown, self._line.budget)

    def close(self) -> None:
        """Close the connections and end the thread; a later call opens them again."""
        self._end()
        self._loop = None


class _Flow:
    """Moves calls from the caller to the loop, and replies back, in the caller's thread."""

    def __init__(
        self,
        line: Line,
        loop: asyncio.AbstractEventLoop,
        calls: Iterator[Call],
        batch: int,
        ahead: int,
        alone: Alone | None,
    ) -> None:
        self._line = line
        self._calls = calls
        self._batch = batch
        self._ahead = ahead
        self._bell = Bell()
        self._taken = 0
        self._all_added = False
        self._noted = 0
        self.dispatch = Dispatch(line, loop, self._bell, batch, alone)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        done = self.dispatch.over or (self._all_added and self.dispatch.all_ended())
        return done and self.dispatch.waiting() == 0

    def next_batch(self) -> list[Reply]:
        """Wait for replies; an empty list if there will be none."""
        until: float | None = None
        while True:
            self._fill()
            now = time.monotonic()
            if waiting := self.dispatch.waiting():
                until = until or now + self._line.pace.gather
            if waiting >= self._batch or (until and now >= until) or self._nothing_runs():
                found = self.dispatch.take()
                self._taken += len(found)
                return found
            self._bell.wait(until - now if until else self._line.pace.gather)

    def _nothing_runs(self) -> bool:
        return self.dispatch.over or (self._all_added and self.dispatch.all_ended())

    def _fill(self) -> None:
        """Take calls from the caller, as many as may wait and as long as that does not keep replies waiting."""
        until = time.monotonic() + _FILLING
        while not self._all_added and self.dispatch.added - self._taken < self._ahead and self.dispatch.stop is None:
            call = next(self._calls, None)
            if call is None:
                self._all_added = True
                return
            self._line.budget.check_price(call)
            self.dispatch.add(Work.of(call))
            if time.monotonic() > until:
                return


def _own_client(address: Address, options: ServerOptions, pace: Pace, key: str) -> Attempts:
    try:
        from rmeval.transport.client import Client
    except ImportError as error:
        raise need_extra(error, "a model behind a URL", "http") from error
    return Client(address, options, pace, key)


def _key(variable: str) -> str:
    """The key in the environment.

    Raises:
        ModelError: If it cannot be sent.
    """
    key = os.environ.get(variable, "").strip()
    if not key.isascii() or not key.isprintable():
        raise ModelError(
            f"the environment variable {variable} contains characters that a key cannot have (line breaks or letters "
            "beyond ASCII): set it to the key alone"
        )
    return key


def _note_plain_key(address: Address, key: str) -> None:
    if key and address.scheme == "http" and not address.is_loopback:
        logger.warning(
            "the key is sent to %s without encryption: use https:// outside of your own network", address.shown
        )


def _close(loop: asyncio.AbstractEventLoop, thread: threading.Thread, aclose: Callable[[], Any]) -> None:
    """End a loop and its thread."""

    async def end() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await aclose()
        await asyncio.sleep(0.001)  # Sockets are closed by callbacks of the loop.
        loop.stop()

    if loop.is_closed():
        return
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(lambda: asyncio.ensure_future(end(), loop=loop))
    thread.join(5)
    if not thread.is_alive():
        loop.close()
