"""A reward model behind a server."""

from __future__ import annotations

import logging
import re
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rmeval.cache import checked
from rmeval.data.digests import digest
from rmeval.errors import ModelError
from rmeval.messages import shortened
from rmeval.models.held_back import held_back
from rmeval.models.options import RENDERING_OPTIONS, ModelOptions, refuse
from rmeval.models.reduce import Reduction
from rmeval.models.served.inputs import Inputs, Rendering, Unit, own_tokens
from rmeval.models.served.probe import find_served
from rmeval.models.served.raw import CANARIES, Tally, check_raw, far_apart
from rmeval.models.served.sending import Failure, Sender, usage_of
from rmeval.protocols import pointwise
from rmeval.redaction import redacted
from rmeval.transport import Server
from rmeval.transport.attempts import Pace
from rmeval.transport.dialects import DIALECTS, Traits, Values, find_dialect
from rmeval.types import FloatArray, Message, Observation, Request

__all__ = ["Served"]

logger = logging.getLogger(__name__)

_WITH_TOKENIZER = dict.fromkeys(RENDERING_OPTIONS, "give the model's `tokenizer`, so that rmeval renders conversations")

_LONGEST_NAME = 200
_BY_PLACE = ("index", "difference", "weights")
"""Reductions that depend on the order of outputs."""
_NUMBERED = re.compile(r"LABEL_\d+")
"""The names that transformers gives to outputs without names, which state their order."""
_TWO_TEXTS, _RENDERED = "vllm-score@1", "vllm-classify@1"
"""vLLM's dialects of the same model without and with its chat template."""
_PACE = Pace(refusals=1 << 30)
"""Inputs in a row may be too long; `Sender` notices a server that scores nothing."""


class _AnotherModelError(ModelError):
    """Raised if the server serves another model than before."""


class Served:
    """A model that a server runs; rmeval sends token ids, or messages that the server renders.

    Attributes:
        found: Its name, its dialect, and what the server states of it.
        texts: Turns conversations into tokens; None if the server renders.
    """

    kind = "served"
    protocol = pointwise.POINTWISE.name

    def __init__(self, url: str, options: ModelOptions, name: str | None = None) -> None:
        """Find the served model; scoring starts with the first `observe`.

        Args:
            url: Address of the server.
            options: Dialect, served name, and how to call the server.
            name: Name of the model; by default its served name.

        Raises:
            ModelError: If the server cannot be reached, or an option does not fit.
        """
        self.options = options
        reduce = options.reduce or ""
        self._label = reduce.removeprefix("label:") if reduce.startswith("label:") else None
        self._reduce = Reduction(None if self._label else options.reduce, options.scale, options.shift)
        if options.dialect != "auto":
            find_dialect(options.dialect)  # A wrong name is found without a server.
        self._address = redacted(url)
        # Clients of OpenAI's API get the address with its version.
        self._server = Server(url.rstrip("/").removesuffix("/v1"), options.server, usage_of, _PACE)
        weakref.finalize(self, self._server.close)
        self.found = find_served(self._server, self._address, options.dialect, options.served_model)
        self._traits = self.found.dialect.traits
        self.name = name or _short(self.found.name or self._traits.name.partition("@")[0])
        self._where = f"{self.name} at {self._address}"
        self._inputs = self._make_inputs()
        self.texts = self._inputs.texts
        if (options.batch_size or 1) > 1 and self._inputs.form not in self._traits.lists:
            what = "one conversation as messages" if self._inputs.form == "messages" else "one input"
            raise ModelError(f"{self._traits.name} takes {what} in a call: leave `batch_size` out")
        self._sender = Sender(self._server, self.found, self._inputs.form, self._where)
        self._tally = Tally()
        self._activation: str | None = None
        self._units: list[Unit] = []
        self._canary: list[float] = []
        self._changed_to: list[float] = []
        self._broken = 0

    def _make_inputs(self) -> Inputs:
        """How conversations are sent: as rmeval renders them if there is a tokenizer, else as messages."""
        forms, name = self._traits.forms, self._traits.name
        if self.options.tokenizer is not None:
            if not {"tokens", "text"} & set(forms):
                raise ModelError(f"{name} takes messages, which the server renders: leave `tokenizer` out")
            return own_tokens(self.name, self.found, self.options)
        refuse(self.options, RENDERING_OPTIONS, f"{self.name}, whose server renders,", _WITH_TOKENIZER)
        if "messages" not in forms:
            raise ModelError(
                f"{name} takes {' or '.join(forms)}, not messages: give the model's `tokenizer`, so that rmeval "
                "renders conversations"
            )
        return Rendering(self.name, self._scores_of, self.options.allow_dropped_roles)

    def identity(self) -> dict[str, Any]:
        """Served name and root, dialect, who renders and how, and the reduction; never the address."""
        return {
            "model": f"served:{self.found.name or self.name}",
            "kind": self.kind,
            **({"root": self.found.root} if self.found.root else {}),
            "dialect": self.found.dialect.identity,
            **self._inputs.identity(),
            **self._reduce.identity(),
            **({"reduce": self.options.reduce} if self._label is not None else {}),
        }

    def facts(self) -> dict[str, Any]:
        """Server, dialect, activation, scores of the canaries, and what was called."""
        found = {
            "served_model": self.found.name,
            "served_by": self.found.server,
            "served_limit": self.found.limit,
            "dialect": self._traits.name,
            "activation": self._activation,
            "canary": self._canary_facts() if self._canary else None,
        }
        return {
            **{name: fact for name, fact in found.items() if fact is not None},
            **self._inputs.facts(),
            "server": self._server.facts(),
        }

    def _canary_facts(self) -> dict[str, Any]:
        changed = {"changed_to": self._changed_to} if self._changed_to else {}
        return {"of": digest(CANARIES)[:12], "scores": self._canary, **changed}

    @property
    def cost(self) -> float | None:
        """What the calls so far cost in dollars; None without prices."""
        return self._server.cost

    def describe(self) -> str:
        """What was found out, in one line."""
        limit = "" if self.found.limit is None else f", at most {self.found.limit} tokens"
        server = f" ({self.found.server})" if self.found.server else ""
        root = f" from {shortened(self.found.root, _LONGEST_NAME)}" if self.found.root else ""
        renders = "the server renders" if self.texts is None else f"rmeval renders and sends {self._inputs.form}"
        return f"{self.name}{root}, by {self._traits.name}{server}{limit}; {renders}"

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Check that the server returns raw scores of the same model as before, then score each distinct input once."""
        verified = held_back(self._observe(requests), self._check_at_end, _AnotherModelError)
        return checked(verified, self._inputs.sources)

    def _check_at_end(self) -> None:
        """Score the canaries a last time.

        Raises:
            _AnotherModelError: If the server serves another model than at the beginning.
        """
        try:
            scores = [self._unshifted(self._sender.one(unit)) for unit in self._units]
        except ModelError as error:
            logger.warning("%s: whether it still serves the same model could not be checked (%s)", self._where, error)
            return
        if far_apart(self._canary, scores):
            self._changed_to = scores
            raise _AnotherModelError(
                f"{self._where} served several models during the run (it scores the same conversations "
                f"{_listed(scores)}, and {_listed(self._canary)} at the beginning), so the scores are of no single "
                "one: let one model answer at this address, and begin another run (`out`)"
            )

    def _observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        self._examine()
        for sent in self._sender.send(self._inputs.parts(requests), self.options.batch_size or 1):
            found = list(sent.left_out)
            for unit, outcome in sent.outcomes:
                found += self._observations(unit, outcome)
            try:
                if self._broken != self._server.broken:
                    self._recheck()
            except _AnotherModelError:
                raise
            except BaseException:
                # The server is gone, so these are the answers of the model before.
                if found:
                    yield found
                raise
            if found:
                yield found
        if self._activation in ("no switch", "unknown"):
            self._tally.check(self._where, self.options.bounded_ok)

    def _observations(self, unit: Unit, outcome: Values | Failure) -> list[Observation]:
        if isinstance(outcome, Failure):
            return unit.observations(outcome.observation)
        self._tally.add(outcome.numbers)
        score = self._score(outcome)
        return unit.observations(lambda key, length, cut: pointwise.parse(key, score, length, cut))

    def _examine(self) -> None:
        """Score the canaries with the activation switched off and on.

        Raises:
            ModelError: If the scores are not raw, or not those of the model that was there before.
        """
        self._broken = self._server.broken
        if not self._units:
            talks = [(Message("user", prompt), Message("assistant", response)) for prompt, response in CANARIES]
            self._units = self._inputs.of(talks)
        if not self._units:
            raise ModelError(
                f"{self._where}: none of {len(CANARIES)} short conversations can be sent, because the chat template "
                f"rejects them, they are longer than `max_length`, or {self._traits.name} has no text for their "
                "tokens: check `tokenizer`, `chat_template` and `max_length`"
            )
        self._inputs.check_tokenizer(self._sender.tokens_of)
        raw = [self._sender.one(unit) for unit in self._units]
        scores = [self._unshifted(one) for one in raw]
        if self._canary:
            self._refuse_another(scores)
            return
        activated = None
        if self._traits.switch == "flag":
            activated = _stacked([self._sender.one(unit, raw=False) for unit in self._units])
        self._activation = check_raw(
            _stacked(raw), activated, self._with_server_fix(), self._where, self.options.bounded_ok
        )
        if self._traits.name == _TWO_TEXTS:
            self._compare_with_template(scores)
        self._note_order(raw[0].labels)
        self._canary = scores

    def _note_order(self, labels: Sequence[str]) -> None:
        """Warn if `reduce` counts outputs whose order in the model is not known."""
        way = (self.options.reduce or "").partition(":")[0]
        if way in _BY_PLACE and len(labels) > 1 and not all(_NUMBERED.fullmatch(one) for one in labels):
            logger.warning(
                "%s does not state the order of its outputs: `reduce` %s takes them in the order of their names (%s), "
                "which may not be that of the model",
                self._where,
                self.options.reduce,
                ", ".join(labels),
            )

    def _with_server_fix(self) -> Traits:
        """The dialect; that of a file with the switch that its server reads, if it is known."""
        if self.found.server != "vllm" or self._traits.name.partition(":")[0] != "file":
            return self._traits
        return replace(self._traits, fix=f"{self._traits.fix} (vLLM reads use_activation = false)")

    def _compare_with_template(self, scores: Sequence[float]) -> None:
        """Warn if the server's chat template renders the canaries to other scores than two texts have."""
        sender = Sender(self._server, replace(self.found, dialect=DIALECTS[_RENDERED]), "messages", self._where)
        talks = [
            [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
            for prompt, response in CANARIES
        ]
        rendered = [sender.score_or_none(talk, self._unshifted) for talk in talks]
        known = [one for one in rendered if one is not None]
        if len(known) == len(scores) and far_apart(known, scores):
            logger.warning(
                "%s: %s sends prompt and response as two texts, and this model has other scores for conversations "
                "that its chat template renders: give `dialect` %s unless it was trained as a cross-encoder",
                self._where,
                _TWO_TEXTS,
                _RENDERED,
            )

    def _recheck(self) -> None:
        """Score the canaries again, because the server may have been started again with another model.

        Raises:
            _AnotherModelError: If it has.
            ModelError: If the server does not come back.
        """
        broken = self._server.broken
        self._refuse_another([self._unshifted(self._sender.again(unit)) for unit in self._units])
        self._broken = broken

    def _refuse_another(self, scores: Sequence[float]) -> None:
        if far_apart(self._canary, scores):
            raise _AnotherModelError(
                f"{self._where} serves another model now (it scores the same conversations {_listed(scores)}, and "
                f"{_listed(self._canary)} before): start the right one and run again; existing scores are kept"
            )

    def _scores_of(self, conversations: Sequence[Any]) -> list[float | None]:
        """The score of each conversation of messages; None where there is none."""
        return [self._sender.score_or_none(one, self._score) for one in conversations]

    def _score(self, values: Values) -> float:
        """The score of the outputs.

        Raises:
            ModelError: If `reduce` does not fit them.
        """
        numbers = values.numbers
        if self._label is not None:
            if self._label not in values.labels:
                named = (
                    f"names its outputs {', '.join(values.labels)}" if values.labels else "does not name its outputs"
                )
                raise ModelError(f"{self._where} {named}: give one of them as `reduce` label:NAME, or index:K")
            numbers = numbers[[values.labels.index(self._label)]]
        return self._reduce(numbers, self.name)

    def _unshifted(self, values: Values) -> float:
        """The score of a canary without `shift`, beside which the scores of two models may look the same."""
        return self._score(values) - self.options.shift


def _stacked(values: Sequence[Values]) -> FloatArray:
    return np.stack([one.numbers for one in values])


def _listed(scores: Sequence[float]) -> str:
    return ", ".join(f"{score:.4g}" for score in scores)


def _short(name: str) -> str:
    """A name for tables and folders: that of the folder if the served name is a path."""
    plain = shortened(name.rstrip("/"), _LONGEST_NAME)
    return plain.rpartition("/")[2] if plain.startswith((".", "/", "~")) else plain.replace("/", "__")
