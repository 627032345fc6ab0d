"""Chat templates as transformers renders them, with bounds and a fixed date."""

from __future__ import annotations

import datetime
import inspect
import re
from typing import Any

import jinja2
import transformers
from transformers.utils import chat_template_utils

from rmeval.errors import ModelError
from rmeval.rendering.metering import bounded

__all__ = ["ChatTemplate", "today", "with_date"]

_DATE = datetime.date(2024, 7, 26)
"""The day that templates get which write today's date: a score must not depend on the day it is made on. It is the one
that Llama 3.1's template falls back to."""
_CALL = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")


def today(format: str) -> str:  # noqa: A002  It is called by this name.
    """`strftime_now` of chat templates, for a fixed day."""
    # The seconds since 1970 are those of this machine's time zone otherwise.
    return _DATE.strftime(re.sub(r"%(%|s)", lambda code: "1721952000" if code[1] == "s" else "%%", format))


def with_date(template: Any) -> Any:
    """The template, or templates by name, with the date written into its plain calls; its digest is taken of this."""
    if isinstance(template, dict):
        return {name: with_date(one) for name, one in template.items()}
    return _CALL.sub(lambda call: repr(today(call[2])), template)


class ChatTemplate(str):
    """A chat template that transformers compiles as it is done here."""

    def __new__(cls, text: str, where: str) -> ChatTemplate:
        """Takes the template's text, and what to call it in messages."""
        made = super().__new__(cls, text)
        made._where = where
        made._compiled = None
        return made

    _where: str
    _compiled: jinja2.Template | None

    def compiled(self) -> jinja2.Template:
        """The template in the environment of transformers, with bounds and a fixed date."""
        if self._compiled is None:
            # Of an empty template: compiling computes what is constant, for which there are no bounds yet.
            environment = inspect.unwrap(_compile)("").environment
            environment.globals["strftime_now"] = today
            self._compiled = bounded(environment, self._where).from_string(str(self))
        return self._compiled


if not hasattr(chat_template_utils, "_compile_jinja_template"):
    raise ModelError(
        f"transformers {transformers.__version__} compiles chat templates in another way than rmeval expects, so that "
        "they would have no bounds: install an earlier version, or a later rmeval"
    )
_compile = chat_template_utils._compile_jinja_template


def _compile_either(template: str) -> jinja2.Template:
    return template.compiled() if isinstance(template, ChatTemplate) else _compile(template)


# transformers makes placeholders of functions among a template's variables, so that its own can't be replaced there.
chat_template_utils._compile_jinja_template = _compile_either
