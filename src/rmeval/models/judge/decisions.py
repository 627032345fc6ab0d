"""Judges behind a decision API, which returns the probabilities of labels and writes no text."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rmeval.data.digests import digest
from rmeval.errors import ModelError
from rmeval.messages import shortened
from rmeval.models.answered_by import AnsweredBy
from rmeval.models.held_back import held_back
from rmeval.models.judge.answers import is_too_long
from rmeval.models.judge.dialects import DECISION_DIALECTS, Decided, DecisionDialect, find_decision_dialect, used_tokens
from rmeval.models.judge.listing import VERSION, read_listing
from rmeval.models.options import ModelOptions
from rmeval.models.served.raw import far_apart
from rmeval.protocols.judging import Asked, Form, Output, Prompt
from rmeval.redaction import redacted
from rmeval.transport import Call, Reply, Server, ServerError
from rmeval.transport.attempts import Pace, is_wrong_model
from rmeval.transport.dialects import AnswerError
from rmeval.types import Message

__all__ = ["DecisionJudge", "most_probes"]

logger = logging.getLogger(__name__)

_TRIED = (400, 404, 405, 415, 422, 501)
"""Statuses with which a server answers to a route or a form that it does not have."""
_ABSENT = (404, 405)
_PACE = Pace(refusals=1 << 30)
"""Prompts in a row may be too long; every reply has a status of its own."""
_SAME = 0.1
"""Largest difference of the probabilities of a probe that count as the same model with the same prompt."""
PROBE = Prompt(
    (Message("user", "It rained all morning. At noon the sun came out, and in the evening there was a little snow."),),
    "decision",
    ("rain", "sun", "snow", "fog"),
    ("Most of the day had rain", "Most of the day had sun", "Most of the day had snow", "Most of the day had fog"),
    "Which weather describes the whole day best?",
)
"""A question that shows which API answers, and whether the same model with the same prompt still does."""
_VLLM_MODELS = "Qwen3, Qwen3.5, LFM2-VL, Clef-Omni and DiffusionGemma"


class _OtherServerError(ModelError):
    """Raised if the model or the prompt of the server is another one than before."""


@dataclass(frozen=True, slots=True)
class _Api:
    """What a server answers with.

    Attributes:
        dialect: Its form of requests and answers.
        version: Version of its prompt; None if neither that nor the server's version is known.
        stated: Whether the answers state that version.
        probe: Its probabilities for `PROBE`.
    """

    dialect: DecisionDialect
    version: str | None
    stated: bool
    probe: tuple[float, ...]


class DecisionJudge:
    """Sends one question in each call.

    Several questions about one text would fit into a call, but requests of a judge are about different texts (the
    responses in another order, other responses), and models with a joint head answer them dependently.

    Attributes:
        forms: The forms of a verdict that it can return.
        name: Name of the model at the server.
    """

    forms: frozenset[Form] = frozenset({"decision"})

    def __init__(self, url: str, model: str | None, options: ModelOptions) -> None:
        """Find the model; the API is found with the first use.

        Args:
            url: Address of the server, with or without `/v1`.
            model: Name of the model there; None if it serves only one.
            options: Dialect, and how the server is called.

        Raises:
            ModelError: If the server cannot be reached, an option does not fit, or several models are served and none
                is named.
        """
        own = options.judge
        for name in ("temperature", "top_p", "max_new_tokens"):
            if getattr(own, name) is not None:
                raise ModelError(f"a decision API writes no text and does not use `{name}`: leave it out")
        self._dialects = _tried(options.dialect)
        base = url.rstrip("/")
        self._address = redacted(base)
        self._server = Server(base, options.server, used_tokens, _PACE)
        weakref.finalize(self, self._server.close)
        self._more = dict(own.judge_kwargs)
        self._listing = read_listing(self._server, base, model)
        self.name = model or self._listing.only_model(self._address)
        self._answered_by = AnsweredBy(self._server)
        self._changed_to: tuple[float, ...] = ()

    @property
    def _where(self) -> str:
        return f"{self.name} at {self._address}"

    def identity(self) -> dict[str, Any]:
        """The model's name at the server, the API, and the version of the server's prompt."""
        api = self._api
        return {
            "model": f"decisions:{self.name}",
            "dialect": api.dialect.name,
            **({} if api.version is None else {"prompt_format_version": api.version}),
            **({"judge_kwargs": self._more} if self._more else {}),
        }

    def facts(self) -> dict[str, Any]:
        """API, version of its prompt, probabilities of the probe, and what was called."""
        api = self._api
        changed = {"changed_to": list(self._changed_to)} if self._changed_to else {}
        of = digest([PROBE.question, PROBE.labels])[:12]
        return {
            "served_model": self.name,
            "dialect": api.dialect.name,
            "prompt_format_version": api.version,
            "canary": {"of": of, "scores": list(api.probe), "near": _SAME, **changed},
            "server": self._server.facts(),
        }

    @cached_property
    def _api(self) -> _Api:
        """The API of the server, which a probe shows.

        Raises:
            ModelError: If it has none of those that are tried, or its model cannot decide.
        """
        replies = []
        for dialect in self._dialects:
            reply = self._server.call(self._call(None, PROBE, dialect), accept=_TRIED)
            if reply.error is None:
                try:
                    return self._found(dialect, reply.data)
                except AnswerError as wrong:
                    reply = Reply(reply.call, None, str(wrong), "body", None, reply.attempts, reply.seconds)
            replies.append((dialect, reply))
        raise self._refusal(replies)

    def _found(self, dialect: DecisionDialect, data: Any) -> _Api:
        decided = dialect.read(PROBE, data)
        if decided.refused:
            raise AnswerError("the model refuses a harmless question")
        probe = tuple(decided.probabilities.values())
        if decided.version is not None:
            return _Api(dialect, decided.version, True, probe)
        return _Api(dialect, self._server_version(), False, probe)

    def _server_version(self) -> str | None:
        """The version of a server that states none of its prompt, whose wording may change with it."""
        reply = self._server.call(Call(None, "version", method="GET"), accept=(*_TRIED, 401, 403, 500))
        stated = reply.data.get("version") if isinstance(reply.data, Mapping) else None
        return f"server {shortened(stated, 40)}" if isinstance(stated, str) else None

    def _refusal(self, tried: list[tuple[DecisionDialect, Reply]]) -> ModelError:
        """The error for a server of which no API answered."""
        others = "choose a protocol that reads text or labels, such as five-way or ab-labels"
        for _, reply in tried:
            if reply.status == 501:
                return ModelError(
                    f"the server at {self._address} does not decide with the model {self.name} ({reply.error}; vLLM "
                    f"does with {_VLLM_MODELS} only): serve such a model, or {others}"
                )
            if is_wrong_model(reply):
                return ModelError(
                    f"the server at {self._address} does not serve {self.name!r} ({reply.error}): choose a model that "
                    "it serves with `served_model`"
                )
        there = [(dialect, reply) for dialect, reply in tried if reply.status not in _ABSENT]
        if not there:
            paths = " and ".join(sorted({f"/{VERSION}{dialect.route}" for dialect, _ in tried}))
            return ModelError(
                f"the server at {self._address} has no decision API ({paths} {'was' if len(tried) == 1 else 'were'} "
                f"tried): {others}"
            )
        said = "; ".join(f"{dialect.name}: {reply.error}" for dialect, reply in there)
        return ModelError(
            f"the decision API of {self._where} does not answer a short question ({said}): check the server, the model "
            "and `dialect`"
        )

    def outputs(self, asked: Iterable[Asked]) -> Iterator[list[tuple[Asked, Output]]]:
        """Yield each request with its output, the last ones only if the same model with the same prompt still answers.

        Raises:
            ModelError: If the server cannot be reached, has changed, or takes fewer labels than a question has.
        """
        _ = self._api
        yield from held_back(self._outputs(asked), self._check_at_end, _OtherServerError)

    def _outputs(self, asked: Iterable[Asked]) -> Iterator[list[tuple[Asked, Output]]]:
        dialect = self._api.dialect
        for replies in self._server.stream(self._call(one, one.prompt, dialect) for one in asked):
            found = [(reply.call.key, self._output(reply)) for reply in replies]
            yield [(one, output) for one, output in found if output is not None]
            if any(output is None for _, output in found):
                raise ModelError(
                    f"{self._where} answers by another version of its prompt than {self._api.version}, by which it "
                    "answered before: let one server answer at this address, and run again; existing verdicts are kept"
                )

    def _call(self, one: Asked | None, prompt: Prompt, dialect: DecisionDialect) -> Call:
        dialect.check(prompt)
        body = {"model": self.name, **dialect.body(prompt), **self._more}
        letters = sum(len(message.content) for message in prompt.messages) + len(prompt.question)
        return Call(one, f"{self._listing.prefix}{dialect.route}", body, letters // 4)

    def _output(self, reply: Reply) -> Output | None:
        """What a reply contains; None for an answer by another version of the server's prompt."""
        if reply.error is not None:
            too_long = reply.status in (400, 413, 422) and is_too_long(reply.error)
            return Output(finish="overlength" if too_long else "stop", error=reply.error)
        counted = used_tokens(reply.data)
        usage = {} if counted is None else {"tokens": counted.input, "output_tokens": counted.output}
        try:
            decided = self._api.dialect.read(reply.call.key.prompt, reply.data)
        except AnswerError as wrong:
            return Output(error=str(wrong), usage=usage)
        if (fault := self._answered_by.fault(reply.data)) is not None:
            return Output(error=fault, usage=usage)
        if self._is_other_version(decided):
            return None
        if decided.refused:
            return Output(finish="refused", usage=usage)
        return Output(
            probabilities=decided.probabilities,
            label_mass=decided.label_mass,
            diagnostics=decided.diagnostics,
            usage=usage,
        )

    def _is_other_version(self, decided: Decided) -> bool:
        return self._api.stated and decided.version != self._api.version

    def _check_at_end(self) -> None:
        """Send the probe again.

        Raises:
            _OtherServerError: If the answer is that of another model or another prompt.
        """
        dialect = self._api.dialect
        try:
            reply = self._server.call(self._call(None, PROBE, dialect), accept=_TRIED)
            if reply.error is not None:
                raise AnswerError(reply.error)
            decided = dialect.read(PROBE, reply.data)
        except (ServerError, AnswerError) as error:
            logger.warning("%s: whether it still serves the same model could not be checked (%s)", self._where, error)
            return
        probe = tuple(decided.probabilities.values())
        if far_apart(self._api.probe, probe, _SAME) or self._is_other_version(decided):
            self._changed_to = probe
            raise _OtherServerError(
                f"{self._where} served several models or prompts during the run (it answers the same question "
                f"{_listed(probe)}, and {_listed(self._api.probe)} at the beginning), so the verdicts are of no single "
                "one: let one model answer at this address, and begin another run (`out`)"
            )


def _tried(dialect: str) -> list[DecisionDialect]:
    """The dialects that are tried."""
    return [*DECISION_DIALECTS.values()] if dialect == "auto" else [find_decision_dialect(dialect)]


def most_probes(dialect: str) -> int:
    """Largest number of calls with `PROBE` in a run: each dialect that is tried, and one at the end."""
    return len(_tried(dialect)) + 1


def _listed(probabilities: Iterable[float]) -> str:
    return ", ".join(f"{one:.3f}" for one in probabilities)
