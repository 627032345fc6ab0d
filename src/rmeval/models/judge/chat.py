"""Judges behind an OpenAI-compatible server, by its route chat/completions."""

from __future__ import annotations

import logging
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from rmeval.errors import ModelError
from rmeval.messages import chosen_from, count_of, quoted, shortened
from rmeval.models.answered_by import AnsweredBy
from rmeval.models.judge.answers import failure_in, is_too_long, read_answer, usage_of
from rmeval.models.judge.body import Body
from rmeval.models.judge.listing import ABSENT, LISTED, VERSION, Listing, read_listing
from rmeval.models.options import ModelOptions, refuse_all_but
from rmeval.protocols.judging import Asked, Form, Output, Sampling
from rmeval.redaction import redacted
from rmeval.transport import Call, Reply, Server
from rmeval.transport.attempts import Pace, is_wrong_model

__all__ = ["PACE", "ChatJudge"]

logger = logging.getLogger(__name__)

_OPTIONS = ("served_model", "server", "judge")
_ROUTE = "chat/completions"
PACE = Pace(refusals=1 << 30, longest_body=64 << 20)
"""Calls in a row may be too long; `ChatJudge` itself notices a server that answers nothing."""
_FAILED = 24
"""Number of outputs in a row that are errors after which the run stops."""
_FIRST = 3
"""Number of calls that are sent alone, one after the other, until one shows that the server answers as expected."""
_REFUSED = (400, 404, 405, 413, 422, 501)
_CHARACTERS_OF_A_TOKEN = 4
_MOST_CHARACTERS = 12
"""Characters of a token, on average over a prompt, above which the server has read only a part of it."""
_SHORT = 4_000


class ChatJudge:
    """Sends one call for each request.

    Attributes:
        name: Name of the model at the server.
        forms: How a verdict can be read.
    """

    forms: frozenset[Form] = frozenset({"text", "labels"})

    def __init__(
        self, url: str, model: str | None, options: ModelOptions, sampling: Sampling, server: Server | None = None
    ) -> None:
        """Find the server and the model; no prompt is sent yet.

        Args:
            url: Address of the server, or the base URL of its API, such as `https://openrouter.ai/api/v1`.
            model: Name of the model there; None if it serves only one.
            options: How the server is called.
            sampling: How the judge writes.
            server: The server, if its calls do not go to `url`.

        Raises:
            ModelError: If the server cannot be reached, or serves several models and none is named.
        """
        refuse_all_but(_OPTIONS, options, "a judge behind a server")
        base = url.rstrip("/").removesuffix(f"/{_ROUTE}")
        self._address = redacted(base)
        self._server = server or Server(base, options.server, usage_of, PACE, failure_in)
        weakref.finalize(self, self._server.close)
        listing = Listing("", {}) if server is not None else read_listing(self._server, base, model)
        self._prefix, self._listed = listing.prefix, listing.models
        self.name = model or listing.only_model(self._address)
        self._body = Body(self.name, sampling, options.judge, urlsplit(base).hostname or "")
        self._more = dict(options.judge.judge_kwargs)
        self._proven = False
        self._failed = 0
        self._answered_by = AnsweredBy(self._server)
        self._fingerprints: Counter[str] = Counter()
        self._cut = False
        self._unlisted = 0

    def identity(self) -> dict[str, Any]:
        """The model's name at the server and what that loaded, and the further fields of each call."""
        root = self._listed.get(self.name, {}).get("root")
        return {
            "model": f"chat:{self.name}",
            **({"root": root} if isinstance(root, str) and root else {}),
            **({"judge_kwargs": self._more} if self._more else {}),
        }

    def facts(self) -> dict[str, Any]:
        """What was called, and by what it was answered."""
        listed = self._listed.get(self.name, {})
        found = {
            "served_model": self.name,
            "served_by": listed.get("owned_by"),
            "served_limit": listed.get("max_model_len"),
            "answered_by": self._answered_by.model,
            "fingerprints": dict(self._fingerprints.most_common(LISTED)) or None,
            "adapted": self._body.adapted or None,
            "labels_not_listed": self._unlisted or None,
        }
        return {
            **{name: fact for name, fact in found.items() if fact is not None},
            "server": self._server.facts(),
        }

    @property
    def cost(self) -> float | None:
        """What the calls so far cost in dollars; None without prices."""
        return self._server.cost

    def without_key(self, text: str) -> str:
        """Return a text that the server wrote, without the key."""
        return self._server.without_key(text)

    def body(self, one: Asked) -> dict[str, Any]:
        """The body of a request's call."""
        return self._body.of(one)

    def outputs(self, asked: Iterable[Asked]) -> Iterator[list[tuple[Asked, Output]]]:
        """Yield each request with its output.

        The first call is sent alone, so that a server that takes other parameters, or that has no log-probabilities,
        is found out before the others are sent.
        """
        rest = iter(asked)
        for one in islice(rest, 0 if self._proven else _FIRST):
            output = self._first(one)
            yield [(one, output)]
            if self._proven:
                break
        for replies in self._server.stream(map(self._call, rest)):
            yield [(reply.call.key, self._output(reply)) for reply in replies]
            self._check_failures(replies)

    def _call(self, one: Asked) -> Call:
        body = self._body.of(one)
        characters = sum(len(message["content"]) for message in body["messages"])
        output = 1 if one.prompt.form == "labels" else one.limit
        return Call(one, f"{self._prefix}{_ROUTE}", body, characters // _CHARACTERS_OF_A_TOKEN + 1, output=output)

    def _first(self, one: Asked) -> Output:
        """The output of a call that is sent alone, and again as the server wants it.

        Raises:
            ModelError: If no call can succeed.
        """
        while True:
            reply = self._server.call(self._call(one), _REFUSED)
            if reply.error is None:
                output = self._output(reply)
                self._proven = output.error is None
                if one.prompt.form == "labels" and not self._proven:
                    raise ModelError(
                        f"{self.name} at {self._address} returns no log-probabilities: choose a `protocol` that reads "
                        "text, such as five-way, or a server that returns them, such as vLLM"
                    )
                return output
            if is_wrong_model(reply):
                raise ModelError(self._wrong_model(reply.error))
            if reply.status in ABSENT:
                self._other_route(reply.error)
            elif not self._fits(reply, one):
                return self._output(reply)

    def _fits(self, reply: Reply, one: Asked) -> bool:
        """Whether a refused call can be sent in another form."""
        return reply.status in (400, 422) and not is_too_long(reply.error) and self._body.adapt(str(reply.error), one)

    def _other_route(self, error: str) -> None:
        """Try the route with the version in its path, once.

        Raises:
            ModelError: If it was tried.
        """
        if self._prefix == VERSION:
            raise ModelError(
                f"{self._address} has no {_ROUTE} ({error}), so it serves no model that writes: check the address and "
                "what it serves, and leave `protocol` out for a model that returns scores"
            )
        self._prefix = VERSION

    def _wrong_model(self, error: str) -> str:
        fix = chosen_from(self.name, islice(self._listed, LISTED)) if self._listed else "check its name there"
        return f"{self._address} does not serve the model {quoted(self.name)} ({error}): {fix}"

    def _output(self, reply: Reply) -> Output:
        one: Asked = reply.call.key
        if reply.error is None:
            output = self.read(one, reply.data)
        elif reply.status in (400, 413, 422) and is_too_long(reply.error):
            output = Output(finish="overlength", error=reply.error)
        else:
            output = Output(error=reply.error)
        failed = output.error is not None and output.finish != "overlength"
        self._failed = self._failed + 1 if failed else 0
        return output

    def read(self, one: Asked, data: Any) -> Output:
        """The output in an answer of chat/completions, decoded from JSON.

        Args:
            one: The request.
            data: The answer.
        """
        output = read_answer(data, one.prompt)
        if output.error is not None:
            return output
        if (fault := self._answered_by.fault(data)) is not None:
            return Output(error=fault, usage=output.usage)
        if isinstance(mark := data.get("system_fingerprint"), str):
            self._fingerprints[shortened(self.without_key(mark), 80)] += 1
        self._note_cut(one, output)
        if one.prompt.form == "labels" and output.finish == "stop" and not output.probabilities:
            self._note_unlisted()
        return output

    def _note_unlisted(self) -> None:
        """Count an output without a label's probability, and warn once."""
        self._unlisted += 1
        if self._unlisted == 1:
            logger.warning(
                "%s at %s lists only the most probable tokens, and a label that matters is not among them: such "
                "outputs count as unparsed",
                self.name,
                self._address,
            )

    def _note_cut(self, one: Asked, output: Output) -> None:
        """Warn, once, if the server has counted far fewer tokens than the prompt has."""
        characters = sum(len(message.content) for message in one.prompt.messages)
        tokens = output.usage.get("tokens", 0)
        if self._cut or characters < _SHORT or not tokens or characters <= _MOST_CHARACTERS * tokens:
            return
        self._cut = True
        logger.warning(
            "%s counted %d tokens of a prompt with %d characters: it seems to have cut the prompt, so check its "
            "context length (Ollama: num_ctx)",
            self._address,
            tokens,
            characters,
        )

    def _check_failures(self, replies: list[Reply]) -> None:
        """Stop if only failures come; each of them would be tried again by the next run.

        Raises:
            ModelError: After too many in a row.
        """
        if self._failed >= _FAILED:
            reason = next((reply.error for reply in reversed(replies) if reply.error), "see the errors of the run")
            raise ModelError(
                f"{self.name} at {self._address} returned no output for {count_of(self._failed, 'request')} in a row "
                f"({reason}): check the server and the key, and run again; existing outputs are kept"
            )
