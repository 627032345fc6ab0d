"""Renders conversations to token ids with the tokenizer's chat template, in a single call."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import shlex
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from types import MappingProxyType
from typing import Any

import jinja2
import numpy as np

from rmeval.cache import Sources
from rmeval.errors import ModelError, reason_of
from rmeval.loading import LOADING_ERRORS
from rmeval.rendering.boundary import BOUNDARIES, Boundary, Rendered, TokenArray, Tools, tokenise
from rmeval.rendering.chat_template import ChatTemplate, with_date
from rmeval.rendering.conventions import Conventions
from rmeval.rendering.named_templates import read_template, takes_special_tokens
from rmeval.rendering.special_tokens import adds_bos, with_special_tokens
from rmeval.rendering.tokenizer import LoadedTokenizer, load_tokenizer, of_tokenizer
from rmeval.rendering.variables import check_variables, variables_of
from rmeval.rendering.visibility import CONTENT, Hidden, Visibility
from rmeval.types import Conversation

__all__ = ["Boundary", "Rendered", "Renderer", "TokenArray"]

logger = logging.getLogger(__name__)

_CHUNK = 256
_DEFAULT = Conventions()
_COMPARED = 8
"""Number of conversations whose tokens are compared with those of the tokenizer's other candidate."""


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
        conventions: Conventions = _DEFAULT,
    ) -> None:
        """Load the tokenizer.

        Args:
            source: Path or hub id.
            chat_template: Path of a Jinja file, or name of an included template, that replaces the tokenizer's own.
            chat: Whether a template is required; if not, an existing template is not tested.
            template_kwargs: Values of variables of the template.
            boundary: How to find the beginning of the response, see `rmeval.rendering.boundary`; None if not needed.
            revision: Full commit hash on the hub.
            trust_remote_code: Whether code that comes with the tokenizer may run.
            tokenizer_kwargs: Options of the tokenizer's class.
            allowed: Roles that the template may leave out.
            sources: The tokenizer's local files.
            loaded: The tokenizer, if it is already loaded and may be changed; the source is then its name.
            conventions: The place of system messages, and the ends of a sequence.

        Raises:
            ModelError: If there is no tokenizer or no template, or the template does not use these variables.
        """
        self.sources = tuple(sources)
        self._source = source
        self._boundary = boundary
        self._allowed = frozenset(allowed)
        self._conventions = conventions
        self._visibility = Visibility(self._plain)
        self.tokenizer, self.tokens = loaded or _loaded(source, revision, trust_remote_code, tokenizer_kwargs)
        if chat_template is not None:
            self.tokenizer.chat_template = read_template(chat_template)
        self.tokenizer.chat_template = _bounded(self.tokenizer.chat_template, source)
        self._as_text = takes_special_tokens(self.tokenizer.chat_template)
        if self._as_text:
            self.tokenizer.apply_chat_template = with_special_tokens(self.tokenizer)
        self._template_kwargs = dict(template_kwargs)
        if template_kwargs:
            check_variables(self.tokenizer.chat_template, template_kwargs, source)
            # Every rendering with this tokenizer passes these variables.
            self.tokenizer.apply_chat_template = partial(self.tokenizer.apply_chat_template, **template_kwargs)
        self.forget()
        # `Preparation` checks lengths, so transformers' warning about long sequences is not needed.
        self.tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
        self._example = self._tried() if chat else None

    def _tried(self) -> str:
        """An example rendered by the template, or the reason why it cannot be rendered.

        Raises:
            ModelError: If there is no template, or it does not show the response.
        """
        if not self.tokenizer.chat_template:
            raise ModelError(
                f"the tokenizer of {self._source} has no chat template, so conversations cannot be rendered: "
                "give the template of the model's training as `chat_template` FILE (Jinja) or NAME (see `rmeval list "
                "templates`), or a tokenizer that has it as `tokenizer`"
            )
        self.refuse_broken()
        talk, other_talk = (
            [{"role": "user", "content": "PROMPT"}, {"role": "assistant", "content": response}]
            for response in ("RESPONSE", "ANOTHER ONE")
        )
        self._conventions.check(self.tokenizer, self._by_template([talk], ())[0], self._source)
        example, other = self._chunk([talk, other_talk], ())
        self._warn_of_no_bos(example)
        if example.error is None and np.array_equal(example.tokens, other.tokens):
            raise ModelError(
                f"the chat template of {self._source} does not show the response, so all responses would get the same "
                "score: give another template with `chat_template`"
            )
        return example.error or str(self.tokenizer.decode(example.tokens))

    def _warn_of_no_bos(self, example: Rendered) -> None:
        """Log a warning if sequences lack the BOS that the tokenizer adds to any text."""
        bos = self.tokenizer.bos_token_id
        chosen = self._conventions.bos_tokens is not None
        if example.error is not None or chosen or bos is None or bos in example.tokens[:1]:
            return
        if adds_bos(self.tokenizer):
            logger.warning(
                "the chat template of %s writes no BOS, which its tokenizer adds to any text: if the model was trained "
                "on texts that were tokenised after rendering, give `bos_tokens` 1",
                self._source,
            )

    def refuse_broken(self) -> None:
        """Raise a ModelError for a template that cannot render any conversation."""
        source = self._source
        template = self.tokenizer.chat_template
        # transformers uses the template named tool_use for conversations with tools.
        if isinstance(template, dict) and not {"default", "tool_use"} & template.keys():
            raise ModelError(
                f"the tokenizer of {source} has chat templates named {', '.join(template)} but no default: "
                "give the template of the model's training as `chat_template` FILE (Jinja)"
            )
        try:
            tokenise(self.tokenizer, [[{"role": "user", "content": "PROMPT"}]], ())
        except jinja2.TemplateSyntaxError as error:
            raise ModelError(
                f"the chat template of {source} is not a valid Jinja template (line {error.lineno}: "
                f"{reason_of(error)}): give another template with `chat_template`"
            ) from error
        except (jinja2.TemplateError, *LOADING_ERRORS):
            pass  # It may render other conversations.

    def render(self, conversations: Sequence[Conversation], tools: Sequence[Tools] | None = None) -> list[Rendered]:
        """Render and tokenise conversations that end in a response, with the special tokens of the template only.

        Args:
            conversations: The conversations.
            tools: The tools of each conversation; None if there are no tools.

        Raises:
            ModelError: If the template does not show the messages of a role.
        """
        tools = tools or [()] * len(conversations)
        arranged = [self._conventions.arranged(conversation) for conversation in conversations]
        kept = [number for number, (_, reason) in enumerate(arranged) if reason is None]
        found = [Rendered(np.empty(0, np.int32), reason) for _, reason in arranged]
        own = self._render(
            [[message.to_dict() for message in arranged[number][0]] for number in kept],
            [tools[number] for number in kept],
        )
        for number, one in zip(kept, own, strict=True):
            found[number] = one
        return found

    def _render(self, messages: list[list[dict[str, Any]]], tools: Sequence[Tools]) -> list[Rendered]:
        self.note_hidden(self._visibility.count(messages, tools))
        rendered: list[Rendered] = []
        for chunk, own in _by_tools(messages, tools):
            rendered += self._chunk(chunk, own)
        good = [number for number, one in enumerate(rendered) if one.error is None]
        if self._boundary != "reward-bench" and (first := good[:_COMPARED]):
            # The boundary reward-bench adds and cuts tokens, so its tokens differ from those of the text.
            self.compare_tokens(
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

    def compare_tokens(self, texts: Callable[[], Sequence[str]], tokens: Sequence[Sequence[int]]) -> None:
        """Compare the tokens of the first conversations with those of the tokenizer's other candidate, once.

        Args:
            texts: Returns the conversations as text.
            tokens: Their token ids.
        """
        if self._as_text or self._conventions.changes_ends:
            # The other candidate tokenises the text alone.
            shown = texts()
            self.tokens.check(lambda: shown, of_tokenizer(self.tokenizer)(shown))
        else:
            self.tokens.check(texts, tokens)

    def note_hidden(self, counts: Counter[Hidden]) -> None:
        """Count the parts of conversations that the template does not show.

        Args:
            counts: Number of conversations with each part that is not shown.

        Raises:
            ModelError: If a part is the content of a role that may not be left out.
        """
        dropped = sorted({role for part, role in counts if part == CONTENT} - self._allowed)
        if dropped:
            raise ModelError(
                f"the template of {self._source} does not show messages of the role {_either(dropped)}, so the model "
                "would not read them: give a template that does (`chat_template`, or `comparison` for a "
                "comparator), rename the role in the data (`roles` for pairs), or allow leaving them out with "
                + " ".join(f"`allow_dropped_roles` {shlex.quote(role)}" for role in dropped)
            )
        self._hidden.update(counts)

    def warn_of_hidden(self) -> None:
        """Log a warning for each part that was not shown since `forget`."""
        for name, count in self.not_shown().items():
            logger.warning("the template of %s does not show %s (%d conversations)", self._source, name, count)

    def not_shown(self) -> dict[str, int]:
        """Parts that were not shown since `forget`, with the number of conversations."""
        return {(f"{part} of the role {role}" if role else part): count for (part, role), count in self._hidden.items()}

    def _plain(self, conversations: list[Any], tools: list[Any]) -> list[Sequence[int] | None]:
        """Token ids of the template alone; None for a conversation that it rejects."""
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
        """A copy that finds the beginning of responses."""
        other = copy.copy(self)
        other._boundary = boundary
        other.forget()
        return other

    def ends_with(self, token: int) -> bool:
        """Whether a conversation ends with a token."""
        talk = [{"role": "user", "content": "PROMPT"}, {"role": "assistant", "content": "RESPONSE"}]
        (one,) = self._chunk([talk], ())
        return bool(one.tokens[-1:].tolist() == [token])

    def forget(self) -> None:
        """Clear the facts about rendered conversations."""
        self._facts: dict[str, Any] = {}
        self._total = hashlib.sha256()
        self._hidden: Counter[Hidden] = Counter()

    def _chunk(self, chunk: list[list[dict[str, Any]]], tools: Tools) -> list[Rendered]:
        return [self._conventions.ended(self.tokenizer, one) for one in self._by_template(chunk, tools)]

    def _by_template(self, chunk: list[list[dict[str, Any]]], tools: Tools) -> list[Rendered]:
        """Token ids as the template writes them; one by one if it rejects a conversation."""
        try:
            if self._boundary is not None:
                return BOUNDARIES[self._boundary](self.tokenizer, chunk, tools)
            asks = self._conventions.question is not None
            encoded = tokenise(self.tokenizer, [self._conventions.asked(one) for one in chunk], tools, asks)
        except MemoryError:
            raise  # The conversation is not the cause.
        except (jinja2.TemplateError, *LOADING_ERRORS) as error:
            if len(chunk) > 1:
                return [one for conversation in chunk for one in self._by_template([conversation], tools)]
            reason = f"the chat template rejects this conversation: {reason_of(error)}"
            return [Rendered(np.empty(0, np.int32), reason)]
        return [
            Rendered(
                np.array(tokens, dtype=np.int32),
                None if tokens else "the chat template renders this conversation to nothing",
            )
            for tokens in encoded
        ]

    def note(self, sequences: Sequence[TokenArray]) -> None:
        """Record facts about rendered conversations for the manifest."""
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
        """The variables of the template without a given value."""
        return sorted((variables_of(self.tokenizer.chat_template or "") or set()) - self._template_kwargs.keys())

    @property
    def limit(self) -> int | None:
        """The tokenizer's limit in tokens, if it states one (many state a number near 1e30, which means no limit)."""
        limit = self.tokenizer.model_max_length
        return int(limit) if isinstance(limit, int | float) and limit < 1e9 else None

    def identity(self) -> dict[str, Any]:
        """Digest of the template, in which the date is fixed, and the values of its variables."""
        stated = self.tokenizer.chat_template
        template = hashlib.sha256(json.dumps(with_date(stated) if stated else stated).encode()).hexdigest()[:32]
        return {
            "template": template,
            **({"template_kwargs": self._template_kwargs} if self._template_kwargs else {}),
            **self._conventions.identity(),
        }

    def facts(self) -> dict[str, Any]:
        """An example, the source of the tokens, and the first conversation since `forget` with a hash of all."""
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
            f"the tokenizer of {source} cannot be loaded ({reason_of(error)}): give another tokenizer with `tokenizer`"
        ) from error


def _either(roles: Sequence[str]) -> str:
    return " or ".join(map(repr, roles))


def _by_tools(
    messages: Sequence[list[dict[str, Any]]], tools: Sequence[Tools]
) -> Iterator[tuple[list[list[dict[str, Any]]], Tools]]:
    """Consecutive conversations with the same tools, in chunks to render together."""
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
            f"the chat template of {source} is a {type(template).__name__}, not a text: give the template of the "
            "model's training as `chat_template` FILE (Jinja)"
        )
    return ChatTemplate(template, f"the chat template of {source}") if template else template
