"""What is sent for a request: rmeval's own tokens, the text that they are, or messages that the server renders."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from rmeval.cache import Sources
from rmeval.data.spool import windows
from rmeval.engines import Description, Place
from rmeval.errors import ModelError
from rmeval.models import ModelOptions
from rmeval.models.sequences import Ready
from rmeval.rendering.visibility import CONTENT, Hidden, Messages, Tools, Visibility
from rmeval.transport.dialects import Form, Input, Traits
from rmeval.types import Conversation, Observation, Request

if TYPE_CHECKING:
    from rmeval.models.prepare import Preparation
    from rmeval.models.served.probe import ServedModel

__all__ = ["Inputs", "Part", "Rendering", "Unit", "as_messages", "own_tokens"]

logger = logging.getLogger(__name__)

_WINDOW = 1 << 10
_CHARACTERS_OF_A_TOKEN = 4
"""For estimates of budgets."""

Observe = Callable[[str, int | None, bool], Observation]
"""Creates the observation of a key, the number of its tokens, and whether its input was cut."""


class Unit(NamedTuple):
    """One input to send.

    Attributes:
        content: The input in the form that is sent.
        tokens: The number of its tokens, or an estimate.
        key: The request's key.
        ready: The tokens with all requests that have them; None if the server renders.
    """

    content: Input
    tokens: int
    key: str
    ready: Ready | None = None

    def observations(self, observe: Observe) -> list[Observation]:
        """The observation of each request with this input."""
        if self.ready is None:
            return [observe(self.key, None, False)]
        return self.ready.observations(lambda one: observe(one.key, one.length, one.cut))


class Part(NamedTuple):
    """Some inputs, created while they are sent, and observations of requests that are not sent."""

    units: Iterable[Unit]
    left_out: list[Observation]


class Inputs(Protocol):
    """Turns conversations and requests into inputs."""

    form: Form
    sources: tuple[Sources, ...]

    @property
    def texts(self) -> Preparation | None:
        """Turns conversations into tokens; None if the server renders."""
        ...

    def of(self, conversations: Sequence[Conversation]) -> list[Unit]:
        """The inputs of some conversations; those that cannot be sent are left out."""
        ...

    def check_tokenizer(self, tokens_of: Callable[[str], list[int] | None]) -> None:
        """Check that the server reads the same tokens, if it shows how it splits a text.

        Args:
            tokens_of: Returns the ids of a text's tokens by the server's tokenizer, if it is known.

        Raises:
            ModelError: If they differ.
        """
        ...

    def parts(self, requests: Iterable[Request]) -> Iterator[Part]:
        """The inputs of all requests.

        Raises:
            ModelError: If a request cannot be sent unchanged.
        """
        ...

    def identity(self) -> dict[str, Any]:
        """What the inputs depend on."""
        ...

    def facts(self) -> dict[str, Any]:
        """Facts about the inputs, for the manifest."""
        ...


@dataclass(frozen=True, slots=True)
class _Remote:
    """The served model as a reader of token sequences."""

    description: Description

    def tokenizer(self) -> Place:
        """Raise a ModelError: servers do not hand their tokenizer out."""
        raise ModelError(f"the tokenizer of {self.description.name} is on its server: give `tokenizer`")


def own_tokens(name: str, found: ServedModel, options: ModelOptions) -> Inputs:
    """Conversations that rmeval renders with the tokenizer of the options.

    Args:
        name: The model's name.
        found: The served model.
        options: Tokenizer, template and length policy.

    Raises:
        ModelError: If there is no tokenizer or template.
    """
    from rmeval.models.prepare import Preparation, make_renderer

    if found.limit is not None and options.max_length is not None and options.max_length > found.limit:
        raise ModelError(
            f"the server of {name} takes at most {found.limit} tokens: give a smaller `max_length` than "
            f"{options.max_length}, or start the server with a larger limit"
        )
    remote = _Remote(Description(name, Place(""), "", limit=found.limit))
    renderer, fingerprint = make_renderer(remote, options)
    return _OwnTokens(
        Preparation(name, renderer, remote, options), str(options.tokenizer), fingerprint, found.dialect.traits
    )


class _OwnTokens:
    """Conversations that rmeval renders, sent as token ids, or as the text that the server splits into the same ids."""

    def __init__(self, texts: Preparation, source: str, tokenizer: str, traits: Traits) -> None:
        self.texts = texts
        self._source = source
        self._compared = False
        self._tokenizer = tokenizer
        self._adds = traits.adds_special_tokens
        self.form: Form = "tokens" if "tokens" in traits.forms else "text"
        self._name = traits.name
        self.sources = texts.sources

    def of(self, conversations: Sequence[Conversation]) -> list[Unit]:
        """The conversations that the template renders within the limit."""
        found = self.texts.renderer.render(conversations)
        limit = self.texts.limit
        ready = [
            Ready("", "", one.tokens, 0, len(one.tokens))
            for one in found
            if one.error is None and (limit is None or len(one.tokens) <= limit)
        ]
        return list(self._part(ready, []).units)

    def check_tokenizer(self, tokens_of: Callable[[str], list[int] | None]) -> None:
        """Compare the tokens of a text: ids of another tokenizer are other words, or end a vLLM server."""
        from rmeval.rendering.tokenizer import PROBES

        tokenizer = self.texts.renderer.tokenizer
        text = "\n".join([*PROBES, *map(str, tokenizer.all_special_tokens)])
        theirs, own = tokens_of(text), tokenizer(text, add_special_tokens=False)["input_ids"]
        self._compared = theirs is not None
        if theirs is not None and theirs != own:
            raise ModelError(
                f"the tokenizer {self._source} splits a text into {len(own)} tokens that are not the "
                f"{len(theirs)} of the server's tokenizer: give the model's own `tokenizer`"
            )

    def parts(self, requests: Iterable[Request]) -> Iterator[Part]:
        """Render all requests before the first is sent; requests with equal tokens are sent once."""
        for ready, left_out in self.texts.windows(requests):
            yield self._part(ready, left_out)

    def _part(self, ready: Sequence[Ready], left_out: list[Observation]) -> Part:
        if self.form == "tokens":
            return Part((Unit(one.tokens.tolist(), len(one.tokens), one.key, one) for one in ready), left_out)
        units, left_out = list[Unit](), list(left_out)
        for one in ready:
            if (text := self._text(one.tokens.tolist())) is None:
                error = f"the tokens of this conversation are not those of any text as {self._name} sends it"
                left_out += one.observations(partial(_unsent, error))
            else:
                units.append(Unit(text, len(one.tokens), one.key, one))
        return Part(units, left_out)

    def _text(self, tokens: list[int]) -> str | None:
        """A text that the server splits into these tokens, with the special tokens that it adds, if there is one."""
        tokenizer = self.texts.renderer.tokenizer
        for inner in (tokens, tokens[1:], tokens[:-1], tokens[1:-1]) if self._adds else (tokens,):
            text: str = tokenizer.decode(inner, skip_special_tokens=False, clean_up_tokenization_spaces=False)
            if tokenizer(text, add_special_tokens=self._adds)["input_ids"] == tokens:
                return text
        return None

    def identity(self) -> dict[str, Any]:
        """Tokenizer, template and length policy."""
        return {"rendered_by": "rmeval", "form": self.form, "tokenizer": self._tokenizer, **self.texts.identity()}

    def facts(self) -> dict[str, Any]:
        """The rendered conversations."""
        same = {"same_tokens_as_server": True} if self._compared else {}
        return {"rendered_by": "rmeval", "sent_as": self.form, **same, **self.texts.renderer.facts()}


def _unsent(error: str, one: Ready) -> Observation:
    return Observation(one.key, "error", usage={"tokens": one.length}, error=error)


class Rendering:
    """Messages that the server renders with its own template.

    The template is not known, so parts of conversations that it does not show are found by their scores: a part whose
    change leaves the score the same is not shown.
    """

    form: Form = "messages"
    sources: tuple[Sources, ...] = ()
    texts: Preparation | None = None

    def __init__(
        self, name: str, scores: Callable[[Sequence[Messages]], list[float | None]], allowed: Collection[str]
    ) -> None:
        """Store the server.

        Args:
            name: The model's name, for messages.
            scores: Returns the score of each conversation, None for one that the server rejects.
            allowed: Roles that the template may leave out.
        """
        self._name = name
        self._allowed = frozenset(allowed)
        self._scores = scores
        self._visibility = Visibility(self._fingerprints)
        self._hidden: Counter[Hidden] = Counter()

    def _fingerprints(self, conversations: list[Messages], tools: list[Tools]) -> list[Sequence[int] | None]:
        found = self._scores(conversations)
        return [None if score is None else list(score.hex().encode()) for score in found]

    def of(self, conversations: Sequence[Conversation]) -> list[Unit]:
        """All conversations."""
        return [as_messages([message.to_dict() for message in one], "") for one in conversations]

    def check_tokenizer(self, tokens_of: Callable[[str], list[int] | None]) -> None:
        """Nothing to check: the server has the only tokenizer."""

    def parts(self, requests: Iterable[Request]) -> Iterator[Part]:
        """The conversations of all requests, which are distinct."""
        self._hidden = Counter()
        for window in windows(requests, _WINDOW):
            units: list[Unit] = []
            for request in window:
                messages = [message.to_dict() for message in request.conversation]
                self._check(request, messages)
                units.append(as_messages(messages, request.key))
            yield Part(units, [])
        for (part_name, role), count in self._hidden.items():
            what = f"{part_name} of the role {role}" if role else part_name
            logger.warning("the server of %s does not show %s to the model (%d conversations)", self._name, what, count)

    def _check(self, request: Request, messages: list[dict[str, Any]]) -> None:
        """Check that the server can show a conversation to the model unchanged.

        Raises:
            ModelError: If it has tools, for which these routes have no field, or a role is not shown.
        """
        if request.tools:
            raise ModelError(
                f"item {request.item} has tools, which cannot be sent as messages to score: give `tokenizer`, so that "
                "rmeval renders them"
            )
        hidden = self._visibility.hidden(messages, ())
        dropped = sorted({role for part, role in hidden if part == CONTENT} - self._allowed)
        if dropped:
            roles = " and ".join(map(repr, dropped))
            raise ModelError(
                f"the score that {self._name} returns does not depend on messages of the role {roles} (item "
                f"{request.item}), so the server's template leaves them out: give `tokenizer` and a `chat_template` "
                "that shows them, or allow leaving them out with "
                + " ".join(f"`allow_dropped_roles` {role}" for role in dropped)
            )
        self._hidden.update(hidden)

    def identity(self) -> dict[str, Any]:
        """That the server renders."""
        return {"rendered_by": "server", "form": self.form}

    def facts(self) -> dict[str, Any]:
        """That the server renders, and what it does not show."""
        hidden = {f"{part} of the role {role}" if role else part: n for (part, role), n in self._hidden.items()}
        return {"rendered_by": "server", "sent_as": self.form, **({"not_shown": hidden} if hidden else {})}


def as_messages(messages: Sequence[Mapping[str, Any]], key: str) -> Unit:
    """A conversation of messages as an input."""
    length = sum(len(str(message.get("content", ""))) for message in messages)
    return Unit(messages, length // _CHARACTERS_OF_A_TOKEN + 4 * len(messages), key)
