"""Conversations to token ids, by the tokenizer's own chat template and in the same call."""

from __future__ import annotations

import copy
import datetime
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jinja2
import numpy as np
from transformers import AutoTokenizer

from rmeval.engines.hf import LOADING_ERRORS
from rmeval.engines.hf.boundary import BOUNDARIES, Boundary, Rendered, TokenArray, tokenise
from rmeval.engines.hf.variables import check_variables, variables_of
from rmeval.errors import ModelError
from rmeval.types import Conversation

__all__ = ["Boundary", "Rendered", "Renderer", "TokenArray"]

_CHUNK = 256
_TODAY = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")
_DATE = datetime.date(2024, 7, 26)
"""The day that templates which write today's date are told: a score must not depend on the day it is made on. It is the
one that Llama 3.1's template falls back to."""


class Renderer:
    """A tokenizer with its chat template."""

    def __init__(
        self,
        source: str,
        chat_template: str | None,
        boundary: Boundary | None = None,
        chat: bool = True,
        template_kwargs: Mapping[str, Any] = MappingProxyType({}),
        **load: Any,
    ) -> None:
        """Loads the tokenizer.

        Args:
            source: Path or hub id.
            chat_template: Path of a Jinja file that replaces the tokenizer's own template.
            chat: Whether it must have a template; one that need not is used as it is.
            template_kwargs: Values of variables of the template.
            boundary: How to find where an answer begins, see `rmeval.engines.hf.boundary`; None where nobody asks.
            **load: Passed to `AutoTokenizer.from_pretrained`.

        Raises:
            ModelError: If there is no tokenizer or no template, or the template has no such variables.
        """
        self._boundary, self._source = boundary, source
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(source, **load)
        except Exception as error:  # The tokenizers library raises bare Exceptions on broken files.
            raise ModelError(
                f"the tokenizer of {source} cannot be loaded ({_first_line(error)}): give one with --tokenizer"
            ) from error
        if chat_template is not None:
            path = Path(chat_template)
            if not path.is_file():
                raise ModelError(f"there is no chat template {chat_template}: give the path of a Jinja file")
            try:
                self.tokenizer.chat_template = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ModelError(
                    f"the chat template {chat_template} cannot be read ({error}): save it as UTF-8"
                ) from error
        self._template_kwargs = dict(template_kwargs)
        if template_kwargs:
            check_variables(self.tokenizer.chat_template, template_kwargs, source)
            # Whoever lays out a conversation with this tokenizer gives them.
            self.tokenizer.apply_chat_template = partial(self.tokenizer.apply_chat_template, **template_kwargs)
        self.forget()
        self._example: str | None = None
        # We count what is too long ourselves; it is neither cut nor run by accident.
        self.tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
        if not chat:
            if self.tokenizer.chat_template:
                self.tokenizer.chat_template = _fix_date(self.tokenizer.chat_template)
            return
        if not self.tokenizer.chat_template:
            raise ModelError(
                f"the tokenizer of {source} has no chat template, so how to lay a conversation out is unknown: "
                "give the one it was trained with as --chat-template FILE (Jinja), or a tokenizer that has it "
                "as --tokenizer"
            )
        self.tokenizer.chat_template = _fix_date(self.tokenizer.chat_template)
        self.refuse_broken()
        example, other = (
            self._chunk([[{"role": "user", "content": "PROMPT"}, {"role": "assistant", "content": answer}]])[0]
            for answer in ("ANSWER", "ANOTHER ONE")
        )
        self._example = example.error or self.tokenizer.decode(example.tokens)
        if example.error is None and np.array_equal(example.tokens, other.tokens):
            raise ModelError(
                f"the chat template of {source} leaves the answer out, so that all would get one score: "
                "give another with --chat-template"
            )

    def refuse_broken(self) -> None:
        """Raises a ModelError for a template that lays out no conversation at all."""
        source = self._source
        template = self.tokenizer.chat_template
        # transformers takes the one called tool_use for conversations with tools.
        if isinstance(template, dict) and not {"default", "tool_use"} & template.keys():
            raise ModelError(
                f"the tokenizer of {source} has chat templates called {', '.join(template)} and no default: "
                "give the one it was trained with as --chat-template FILE (Jinja)"
            )
        try:
            tokenise(self.tokenizer, [[{"role": "user", "content": "PROMPT"}]])
        except jinja2.TemplateSyntaxError as error:
            raise ModelError(
                f"the chat template of {source} is no Jinja template (line {error.lineno}: {_first_line(error)}): "
                "give another with --chat-template"
            ) from error
        except (jinja2.TemplateError, *LOADING_ERRORS):
            pass  # It may take other conversations.

    def render(self, conversations: Sequence[Conversation]) -> list[Rendered]:
        """Renders and tokenises conversations that end in an answer, with the special tokens that the template has."""
        rendered: list[Rendered] = []
        for start in range(0, len(conversations), _CHUNK):
            chunk = [
                [{"role": message.role, "content": message.content} for message in conversation]
                for conversation in conversations[start : start + _CHUNK]
            ]
            rendered += self._chunk(chunk)
        self.note([one.tokens for one in rendered if one.error is None])
        if parted := sum(one.parted for one in rendered):
            self._facts["prompt_parted"] = self._facts.get("prompt_parted", 0) + parted
        return rendered

    def with_boundary(self, boundary: Boundary) -> Renderer:
        """The same, looking for where answers begin."""
        other = copy.copy(self)
        other._boundary = boundary
        other.forget()
        return other

    def ends_with(self, token: int) -> bool:
        """Whether a conversation ends with a token."""
        talk = [{"role": "user", "content": "PROMPT"}, {"role": "assistant", "content": "ANSWER"}]
        (one,) = self._chunk([talk])
        return bool(one.tokens[-1:].tolist() == [token])

    def forget(self) -> None:
        """Begins the facts about what is rendered anew."""
        self._facts: dict[str, Any] = {}
        self._total = hashlib.sha256()

    def _chunk(self, chunk: list[list[dict[str, str]]]) -> list[Rendered]:
        try:
            if self._boundary is not None:
                return BOUNDARIES[self._boundary](self.tokenizer, chunk)
            encoded = tokenise(self.tokenizer, chunk)
        except (jinja2.TemplateError, *LOADING_ERRORS) as error:
            if len(chunk) > 1:
                return [one for conversation in chunk for one in self._chunk([conversation])]
            reason = f"the chat template refuses this conversation: {_first_line(error)}"
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
        template = hashlib.sha256(json.dumps(self.tokenizer.chat_template).encode()).hexdigest()[:32]
        return {
            "template": template,
            **({"template_kwargs": self._template_kwargs} if self._template_kwargs else {}),
        }

    def facts(self) -> dict[str, Any]:
        """The template's layout, and since `forget` the first conversation and a hash of all."""
        return {**({"template_example": self._example} if self._example else {}), **self._facts}


def _fix_date(template: Any) -> Any:
    """The template (or templates by name) with calls for today's date replaced by a date."""
    if isinstance(template, dict):
        return {name: _fix_date(one) for name, one in template.items()}
    return _TODAY.sub(lambda call: repr(_DATE.strftime(call[2])), template)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
