"""Keeps the index up to date while pages are open, in a thread of its own that is the index's only writer."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Self

from rmeval.app.index import IndexBuilder
from rmeval.errors import RmevalError

__all__ = ["Watch"]

logger = logging.getLogger(__name__)
_EVERY = 1.0
"""Seconds within which the folder of runs is not read again, since each page asks for it."""
_PATIENCE = 1.0
"""Seconds that a page waits for an update. Reading one run takes less, so that a new run is on the first page that is
loaded after it was written; after many new runs, a page is shown while the rest is read."""


class Watch:
    """Updates the index whenever a page asks for it; a context manager that ends the thread.

    Attributes:
        is_reading: Whether runs are being read, so that the index lacks some.
        is_busy: Whether runs or texts are being read.
    """

    def __init__(self, builder: IndexBuilder) -> None:
        """Store the writer; `__enter__` begins.

        Args:
            builder: The writer of the index, which only this watch uses from now on.
        """
        self.is_reading = self.is_busy = True
        self._problems = {"runs": "", "texts": ""}
        self._builder = builder
        self._wanted, self._ended = threading.Event(), threading.Event()
        self._done = threading.Condition()
        self._rounds, self._looked_at = 0, 0.0
        self._thread = threading.Thread(target=self._work, name="index", daemon=True)

    @property
    def problem(self) -> str:
        """Why the index cannot be updated; empty if it can."""
        return self._problems["runs"] or self._problems["texts"]

    def __enter__(self) -> Self:
        self._wanted.set()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._wanted.set()
        self._thread.join()

    def look(self, patience: float = _PATIENCE) -> None:
        """Ask for an update, unless the last one has just been, and wait for it for a moment."""
        with self._done:
            if time.monotonic() - self._looked_at < _EVERY and not self._wanted.is_set():
                return
            round_ = self._rounds
            self._wanted.set()
            self._done.wait_for(lambda: self._rounds > round_ or self._ended.is_set(), patience)

    def _work(self) -> None:
        try:
            self._keep_up()
        finally:
            # Pages would go on to show the state of now without a message.
            if not self._ended.is_set():
                self._problems["runs"] = "reading them has ended with an error, which the terminal shows"
            self._ended.set()
            self.is_reading = self.is_busy = False
            with self._done:
                self._done.notify_all()

    def _keep_up(self) -> None:
        while not self._ended.is_set():
            self._wanted.wait()
            self._wanted.clear()
            self.is_busy = True
            self._update()
            self._add_texts()
            self.is_busy = False

    def _update(self) -> None:
        self.is_reading = True
        try:
            self._builder.update(self._ended.is_set)
            self._note("runs", "")
        except RmevalError as error:
            self._note("runs", str(error))
        self.is_reading = False
        with self._done:
            self._rounds += 1
            self._looked_at = time.monotonic()
            self._done.notify_all()

    def _add_texts(self) -> None:
        try:
            for _ in self._builder.add_texts():
                if self._ended.is_set():
                    return
                if self._wanted.is_set():
                    self._wanted.clear()
                    self._update()
            self._note("texts", "")
        except RmevalError as error:
            self._note("texts", str(error))

    def _note(self, what: str, problem: str) -> None:
        if problem and problem != self._problems[what]:
            logger.warning("%s", problem)
        self._problems[what] = problem
