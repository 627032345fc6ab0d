"""Conversations to token ids, by the tokenizer's own chat template and in the same call."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import shlex
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jinja2
import numpy as np

from rmeval.cache import Sources
from rmeval.errors import ModelError, reason_of
from rmeval.loading import LOADING_ERRORS
from rmeval.rendering.boundary import BOUNDARIES, Boundary, Rendered, TokenArray, Tools, tokenise
from rmeval.rendering.chat_template import ChatTemplate, with_date
from rmeval.rendering.tokenizer import LoadedTokenizer, load_tokenizer
from rmeval.rendering.variables import check_variables, variables_of
from rmeval.rendering.visibility import CONTENT, Hidden, Visibility
from rmeval.types import Conversation

__all__ = ["Boundary", "Rendered", "Renderer", "TokenArray"]

logger = logging.getLogger(__name__)

_CHUNK = 256
_COMPARED = 8
"""Conversations whose tokens are compared with those of the tokenizer's other candidate."""


class Renderer:
    """A tokenizer with its chat template."""

    def __init__(
        self,
        source: str,
        chat_template: str | None,
        boundary: Boundary | None = None,
        chat: bool = True,
        template_kwargs: Mapping[str, Any] = MappingProxyType({}),
        *,
        revision: str | None = None,
        trust_remote_code: bool = False,
        tokenizer_kwargs: Mapping[str, Any] = MappingProxyType({}),
        allowed: Collection[str] = (),
        sources: Sequence[Sources] = (),
        loaded: LoadedTokenizer | None = None,
    ) -> None:
        """Loads the tokenizer.

        Args:
            source: Path or hub id.
            chat_template: Path of a Jinja file that replaces the tokenizer's own template.
            chat: Whether it must have a template; one that need not is used as it is.
            template_kwargs: Values of variables of the template.
            boundary: How to find where an answer begins, see `rmeval.rendering.boundary`; None where nobody asks.
            revision: Full commit hash on the hub.
            trust_remote_code: Whether code that comes with the tokenizer may run.
            tokenizer_kwargs: Options of the tokenizer's class.
            allowed: Roles that the template may leave out.
            sources: Its local files.
            loaded: The tokenizer, where it is loaded already and may be changed; the source is then its name.

        Raises:
            ModelError: If there is no tokenizer or no template, or the template has no such variables.
        """
        self.sources = tuple(sources)
        self._source = source
        self._boundary = boundary
        self._allowed = frozenset(allowed)
        self._visibility = Visibility(self._plain)
        self.tokenizer, self.tokens = loaded or _loaded(source, revision, trust_remote_code, tokenizer_kwargs)
        if chat_template is not None:
            self.tokenizer.chat_template = _read_template(chat_template)
        self.tokenizer.chat_template = _bounded(self.tokenizer.chat_template, source)
        self._template_kwargs = dict(template_kwargs)
        if template_kwargs:
            check_variables(self.tokenizer.chat_template, template_kwargs, source)
            # Each rendering with this tokenizer passes them.
            self.tokenizer.apply_chat_template = partial(self.tokenizer.apply_chat_template, **template_kwargs)
        self.forget()
        # We count what is too long ourselves; it is neither cut nor run by accident.
        self.tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
        self._example = self._tried() if chat else None

    def _tried(self) -> str:
        """How the template lays out an example, or why it does not.

        Raises:
            ModelError: If there is no template, or it shows no answer.
        """
        if not self.tokenizer.chat_template:
            raise ModelError(
                f"the tokenizer of {self._source} has no chat template, so how to lay a conversation out is unknown: "
                "give the one it was trained with as `chat_template` FILE (Jinja), or a tokenizer that has it "
                "as `tokenizer`"
            )
        self.refuse_broken()
        example, other = (
            self._chunk([[{"role": "user", "content": "PROMPT"}, {"role": "assistant", "content": answer}]], ())[0]
            for answer in ("ANSWER", "ANOTHER ONE")
        )
        if example.error is None and np.array_equal(example.tokens, other.tokens):
            raise ModelError(
                f"the chat template of {self._source} leaves the answer out, so that all would get one score: "
                "give another with `chat_template`"
            )
        return example.error or str(self.tokenizer.decode(example.tokens))

    def refuse_broken(self) -> None:
        """Raises a ModelError for a template that lays out no conversation at all."""
        source = self._source
        template = self.tokenizer.chat_template
        # transformers takes the one called tool_use for conversations with tools.
        if isinstance(template, dict) and not {"default", "tool_use"} & template.keys():
            raise ModelError(
                f"the tokenizer of {source} has chat templates called {', '.join(template)} and no default: "
                "give the one it was trained with as `chat_template` FILE (Jinja)"
            )
        try:
            tokenise(self.tokenizer, [[{"role": "user", "content": "PROMPT"}]], ())
        except jinja2.TemplateSyntaxError as error:
            raise ModelError(
                f"the chat template of {source} is no Jinja template (line {error.lineno}: {reason_of(error)}): "
                "give another with `chat_template`"
            ) from error
        except (jinja2.TemplateError, *LOADING_ERRORS):
            pass  # It may take other conversations.

    def render(self, conversations: Sequence[Conversation], tools: Sequence[Tools] | None = None) -> list[Rendered]:
        """Renders and tokenises conversations that end in an answer, with the special tokens that the template has.

        Args:
            conversations: The conversations.
            tools: The tools of each; None where none has any.

        Raises:
            ModelError: If the template does not show the messages of a role.
        """
        messages = [[message.to_dict() for message in conversation] for conversation in conversations]
        tools = tools or [()] * len(messages)
        self.note_hidden(self._visibility.count(messages, tools))
        rendered: list[Rendered] = []
        for chunk, own in _by_tools(messages, tools):
            rendered += self._chunk(chunk, own)
        good = [number for number, one in enumerate(rendered) if one.error is None]
        if self._boundary != "reward-bench" and (first := good[:_COMPARED]):
            # That boundary adds tokens and cuts some, so that its tokens are not those of the text.
            self.tokens.check(
                lambda: [
                    self.tokenizer.apply_chat_template(messages[k], tools=list(tools[k]) or None, tokenize=False)
                    for k in first
                ],
                [rendered[k].tokens.tolist() for k in first],
            )
        self.note([rendered[number].tokens for number in good])
        if parted := sum(one.parted for one in rendered):
            self._facts["prompt_parted"] = self._facts.get("prompt_parted", 0) + parted
        return rendered

    def note_hidden(self, counts: Counter[Hidden]) -> None:
        """Takes in what is not shown of some conversations.

        Args:
            counts: How many of them hold each part that is not shown.

        Raises:
            ModelError: If a part is the content of a role that may not be left out.
        """
        dropped = sorted({role for part, role in counts if part == CONTENT} - self._allowed)
        if dropped:
            raise ModelError(
                f"the template of {self._source} does not show messages of the role {_either(dropped)}, so that what "
                "they say would not reach the model: give a template that does (`chat_template`, or `comparison` for a "
                "comparator), rename the role in the data (`roles` for pairs), or go on without them with "
                + " ".join(f"`allow_dropped_roles` {shlex.quote(role)}" for role in dropped)
            )
        self._hidden.update(counts)

    def warn_of_hidden(self) -> None:
        """Logs once what was not shown since `forget`."""
        for name, count in self.not_shown().items():
            logger.warning("the template of %s does not show %s (%d conversations)", self._source, name, count)

    def not_shown(self) -> dict[str, int]:
        """What was not shown since `forget`, and of how many conversations."""
        return {(f"{part} of the role {role}" if role else part): count for (part, role), count in self._hidden.items()}

    def _plain(self, conversations: list[Any], tools: list[Any]) -> list[Sequence[int] | None]:
        """Token ids by the template alone; None where it refuses a conversation."""
        found: list[Sequence[int] | None] = []
        for messages, own in zip(conversations, tools, strict=True):
            try:
                found += tokenise(self.tokenizer, [messages], own)
            except MemoryError:
                raise
            except (jinja2.TemplateError, *LOADING_ERRORS):
                found.append(None)
        return found

    def with_boundary(self, boundary: Boundary) -> Renderer:
        """The same, looking for where answers begin."""
        other = copy.copy(self)
        other._boundary = boundary
        other.forget()
        return other

    def ends_with(self, token: int) -> bool:
        """Whether a conversation ends with a token."""
        talk = [{"role": "user", "content": "PROMPT"}, {"role": "assistant", "content": "ANSWER"}]
        (one,) = self._chunk([talk], ())
        return bool(one.tokens[-1:].tolist() == [token])

    def forget(self) -> None:
        """Begins the facts about what is rendered anew."""
        self._facts: dict[str, Any] = {}
        self._total = hashlib.sha256()
        self._hidden: Counter[Hidden] = Counter()

    def _chunk(self, chunk: list[list[dict[str, Any]]], tools: Tools) -> list[Rendered]:
        try:
            if self._boundary is not None:
                return BOUNDARIES[self._boundary](self.tokenizer, chunk, tools)
            encoded = tokenise(self.tokenizer, chunk, tools)
        except MemoryError:
            raise  # It says nothing of the conversation.
        except (jinja2.TemplateError, *LOADING_ERRORS) as error:
            if len(chunk) > 1:
                return [one for conversation in chunk for one in self._chunk([conversation], tools)]
            reason = f"the chat template refuses this conversation: {reason_of(error)}"
            return [Rendered(np.empty(0, np.int32), reason)]
        return [
            Rendered(
                np.array(tokens, dtype=np.int32),
                None if tokens else "the chat template renders this conversation to nothing",
            )
            for tokens in encoded
        ]

    def note(self, sequences: Sequence[TokenArray]) -> None:
        """Keeps what a reader may want to see of what was rendered."""
        if not sequences:
            return
        for tokens in sequences:
            self._total.update(len(tokens).to_bytes(8, "little") + tokens.astype("<i4").tobytes())
        self._facts.setdefault("first_rendered", self.tokenizer.decode(sequences[0]))
        self._facts["rendered_sha256"] = self._total.hexdigest()
        bos = self.tokenizer.bos_token_id
        if bos is not None and (twice := sum(tokens[:2].tolist() == [bos, bos] for tokens in sequences)):
            self._facts["double_bos"] = self._facts.get("double_bos", 0) + twice

    def unset_variables(self) -> list[str]:
        """The variables of the template that nothing is given for."""
        return sorted((variables_of(self.tokenizer.chat_template or "") or set()) - self._template_kwargs.keys())

    @property
    def limit(self) -> int | None:
        """The tokenizer's own limit in tokens, if it states one (many state a number near 1e30, meaning none)."""
        limit = self.tokenizer.model_max_length
        return int(limit) if isinstance(limit, int | float) and limit < 1e9 else None

    def identity(self) -> dict[str, Any]:
        """Digest of the template, in which the day is written out, and the variables that are given to it."""
        stated = self.tokenizer.chat_template
        template = hashlib.sha256(json.dumps(with_date(stated) if stated else stated).encode()).hexdigest()[:32]
        return {
            "template": template,
            **({"template_kwargs": self._template_kwargs} if self._template_kwargs else {}),
        }

    def facts(self) -> dict[str, Any]:
        """The template's layout, whose tokens are used, and since `forget` the first conversation and a hash of all."""
        return {
            **({"template_example": self._example} if self._example else {}),
            **self.tokens.facts(),
            **({"not_shown": hidden} if (hidden := self.not_shown()) else {}),
            **self._facts,
        }


def _loaded(source: str, revision: str | None, code: bool, kwargs: Mapping[str, Any]) -> LoadedTokenizer:
    try:
        return load_tokenizer(source, revision, code, kwargs)
    except ModelError:
        raise
    except Exception as error:  # The tokenizers library raises bare Exceptions on broken files.
        raise ModelError(
            f"the tokenizer of {source} cannot be loaded ({reason_of(error)}): give one with `tokenizer`"
        ) from error


def _either(roles: Sequence[str]) -> str:
    return " or ".join(map(repr, roles))


def _read_template(file: str) -> str:
    path = Path(file)
    if not path.is_file():
        raise ModelError(f"there is no chat template {file}: give the path of a Jinja file")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"the chat template {file} cannot be read ({error}): save it as UTF-8") from error


def _by_tools(
    messages: Sequence[list[dict[str, Any]]], tools: Sequence[Tools]
) -> Iterator[tuple[list[list[dict[str, Any]]], Tools]]:
    """Neighbours with the same tools, in chunks of conversations to render together."""
    for own, together in groupby(zip(messages, tools, strict=True), key=lambda pair: list(pair[1])):
        same = [conversation for conversation, _ in together]
        for start in range(0, len(same), _CHUNK):
            yield same[start : start + _CHUNK], own


def _bounded(template: Any, source: str) -> Any:
    """The template, or templates by name, as `ChatTemplate`."""
    if isinstance(template, dict):
        return {name: ChatTemplate(one, f"the chat template {name} of {source}") for name, one in template.items()}
    if template and not isinstance(template, str):
        raise ModelError(
            f"the chat template of {source} is a {type(template).__name__}, where a text is needed: give the one that "
            "it was trained with as `chat_template` FILE (Jinja)"
        )
    return ChatTemplate(template, f"the chat template of {source}") if template else template
