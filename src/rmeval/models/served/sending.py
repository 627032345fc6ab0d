"""Sends inputs to a server and reads its answers."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from rmeval.errors import ModelError
from rmeval.messages import count_of
from rmeval.models.answered_by import AnsweredBy
from rmeval.models.served.inputs import Part, Unit, as_messages
from rmeval.models.served.probe import ABSENT, JUDGE, ServedModel
from rmeval.transport import Call, Reply, Server, Usage
from rmeval.transport.dialects import AnswerError, Conversation, Form, Values
from rmeval.types import Observation, Status

__all__ = ["Failure", "Sender", "Sent", "usage_of"]

_TOO_LONG = re.compile(
    r"context length|maximum (model|input) length|longer than the (maximum|model)|must have less than"
)
"""What vLLM, SGLang and TEI answer to an input that is too long."""
_SPLIT = ("status", "body")
"""Faults of a call of several inputs after which each is sent alone."""
_FAILED = 24
"""Number of inputs in a row without a readable answer after which the run stops."""


class Failure(NamedTuple):
    """Why an input has no values."""

    status: Status
    error: str | None = None

    def observation(self, key: str, length: int | None, cut: bool = False) -> Observation:
        """The observation of a request with this input, whose length in tokens may be known."""
        return Observation(key, self.status, usage={} if length is None else {"tokens": length}, error=self.error)


class Sent(NamedTuple):
    """What became of some inputs, and observations of requests that were not sent."""

    outcomes: list[tuple[Unit, Values | Failure]]
    left_out: list[Observation]


class Sender:
    """Sends inputs in one form and one dialect.

    Attributes:
        outputs: Number of outputs for each input, known after the first answer.
    """

    def __init__(self, server: Server, found: ServedModel, form: Form, where: str) -> None:
        """Store the server.

        Args:
            server: The server.
            found: The served model.
            form: The form of the inputs.
            where: Model and address, for messages.
        """
        self.outputs: int | None = None
        self._server = server
        self._found = found
        self._form: Form = form
        self._where = where
        self._failed = 0
        self._answered_by = AnsweredBy(server)

    def one(self, unit: Unit, raw: bool = True) -> Values:
        """The values of one input.

        Args:
            unit: The input.
            raw: Whether to switch the activation off.

        Raises:
            ModelError: If there are none.
        """
        try:
            reply = self._server.call(self._call([unit], raw), accept=ABSENT)
            if reply.error is None:
                (values,) = self._read(reply.data, [unit])
                return values
            error = reply.error
        except AnswerError as wrong:
            raise ModelError(
                f"{self._where}: {wrong}: check that `dialect` {self._found.dialect.traits.name} is that of the server"
            ) from wrong
        if reply.status in ABSENT:
            raise ModelError(
                f"{self._where} does not answer {self._found.dialect.traits.path} ({error}): it serves a language "
                f"model, another model, or uses another dialect: check the server, `served_model` and `dialect`, or "
                f"{JUDGE}"
            )
        raise ModelError(f"{self._where} cannot score a short conversation ({error}): check the server and its log")

    def again(self, unit: Unit) -> Values:
        """The values of one input from a server that may be away for a while.

        Raises:
            ModelError: If it does not come back.
        """
        (reply,) = (reply for replies in self._server.stream([self._call([unit], raw=True)]) for reply in replies)
        try:
            if reply.error is None:
                return self._read(reply.data, [unit])[0]
            error = reply.error
        except AnswerError as wrong:
            error = str(wrong)
        raise ModelError(
            f"{self._where} no longer scores ({error}): start it again, and run again to continue; existing scores "
            "are kept"
        )

    def tokens_of(self, text: str) -> list[int] | None:
        """The ids of a text's tokens by the server's own tokenizer; None if the server does not show them."""
        path = self._found.dialect.traits.tokenize
        body = {"prompt": text, "add_special_tokens": False}
        named = {} if self._found.name is None else {"model": self._found.name}
        reply = self._server.call(Call(None, path, {**named, **body}), accept=(400, 403, *ABSENT)) if path else None
        tokens = reply.data.get("tokens") if reply is not None and isinstance(reply.data, Mapping) else None
        return tokens if isinstance(tokens, list) else None

    def score_or_none(self, messages: Conversation, score: Callable[[Values], float]) -> float | None:
        """The score of one conversation of messages; None if there is none."""
        try:
            reply = self._server.call(self._call([as_messages(messages, "")], raw=True), accept=(400, 422, *ABSENT))
            return None if reply.error else score(self._read(reply.data, [as_messages(messages, "")])[0])
        except AnswerError:
            return None

    def send(self, parts: Iterable[Part], size: int) -> Iterator[Sent]:
        """Send all inputs.

        Args:
            parts: The inputs.
            size: Number of inputs in a call.

        Raises:
            ModelError: If the server refuses all calls, cannot be reached, or its answers cannot be read.
        """
        left_out: list[Observation] = []
        again: deque[list[Unit]] = deque()

        def groups() -> Iterator[list[Unit]]:
            for part in parts:
                left_out.extend(part.left_out)
                units = iter(part.units)
                while group := list(islice(units, size)):
                    while again:
                        yield again.popleft()
                    yield group

        yield from self._replies(groups(), again, left_out)
        while again:
            refused = list(again)
            again.clear()
            yield from self._replies(refused, again, left_out)
        if left_out:
            yield Sent([], left_out)

    def _replies(
        self, groups: Iterable[list[Unit]], again: deque[list[Unit]], left_out: list[Observation]
    ) -> Iterator[Sent]:
        """What became of some calls; inputs of a call that was refused are added to `again`."""

        def calls() -> Iterator[Call]:
            for group in groups:
                try:
                    yield self._call(group, raw=True)
                except AnswerError as wrong:
                    left_out.extend(
                        one for unit in group for one in unit.observations(Failure("error", str(wrong)).observation)
                    )

        for replies in self._server.stream(calls()):
            outcomes = [pair for reply in replies for pair in self._outcomes(reply, again)]
            found, left_out[:] = list(left_out), []
            yield Sent(outcomes, found)
            self._check_failures(outcomes)

    def _call(self, units: list[Unit], raw: bool) -> Call:
        dialect = self._found.dialect
        body = dialect.body(self._form, [unit.content for unit in units], self._found.name, raw)
        return Call(units, dialect.traits.path, body, sum(unit.tokens for unit in units))

    def _outcomes(self, reply: Reply, again: deque[list[Unit]]) -> list[tuple[Unit, Values | Failure]]:
        """What became of the inputs of one call; a refused call of several inputs is split."""
        units: list[Unit] = reply.call.key
        failure: Failure | None = None
        if reply.error is not None:
            failure = _failure(reply)
        else:
            try:
                values = self._read(reply.data, units)
            except AnswerError as wrong:
                failure = Failure("error", str(wrong))
        if failure is None:
            self._failed = 0
            return list(zip(units, values, strict=True))
        if len(units) > 1 and (reply.error is None or reply.fault in _SPLIT):
            again.extend([unit] for unit in units)
            return []
        self._failed += len(units) if failure.status == "error" else 0
        return [(unit, failure) for unit in units]

    def _check_failures(self, outcomes: Sequence[tuple[Unit, Values | Failure]]) -> None:
        """Stop if only failures come; each of them would be tried again by the next run.

        Raises:
            ModelError: After too many in a row.
        """
        if self._failed >= _FAILED:
            reason = next(
                one.error for _, one in reversed(outcomes) if isinstance(one, Failure) and one.status == "error"
            )
            raise ModelError(
                f"{self._where} returned no score for {count_of(self._failed, 'input')} in a row ({reason}): check "
                "the server and `dialect`, and run again; existing scores are kept"
            )

    def _read(self, data: Any, units: Sequence[Unit]) -> list[Values]:
        """The values of a call's inputs.

        Raises:
            AnswerError: If the answer does not have them all, or is not that of these inputs.
        """
        sent = sum(unit.tokens for unit in units)
        if self._form == "tokens" and (counted := _prompt_tokens(data)) not in (None, sent):
            raise AnswerError(f"the server counted {counted} tokens where {sent} were sent, so it adds or cuts some")
        values = self._found.dialect.read(data, len(units))
        if (fault := self._answered_by.fault(data)) is not None:
            raise AnswerError(fault)
        for one in values:
            self.outputs = self.outputs or len(one.numbers)
            if len(one.numbers) != self.outputs:
                raise AnswerError(
                    f"the answer has {len(one.numbers)} outputs for an input, and others had {self.outputs}"
                )
        return values


def _failure(reply: Reply) -> Failure:
    if reply.status in (400, 413, 422) and _TOO_LONG.search(reply.error or ""):
        return Failure("overlength")
    return Failure("error", reply.error)


def _prompt_tokens(data: Any) -> int | None:
    usage = data.get("usage") if isinstance(data, Mapping) else None
    counted = usage.get("prompt_tokens") if isinstance(usage, Mapping) else None
    return counted if type(counted) is int else None


def usage_of(data: Any) -> Usage | None:
    """The tokens that a server counted for an answer."""
    counted = _prompt_tokens(data)
    return None if counted is None else Usage(counted)
