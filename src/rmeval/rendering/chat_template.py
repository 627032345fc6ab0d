"""Chat templates as transformers renders them, with limits and a fixed date."""

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
"""The date for templates that write today's date, because a score must not depend on the current date. Llama 3.1's
template uses this date by default."""
_CALL = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")


def today(format: str) -> str:  # noqa: A002  Templates pass it by this name.
    """Format the fixed date; the function `strftime_now` of chat templates."""
    # Otherwise %s would depend on this machine's time zone.
    return _DATE.strftime(re.sub(r"%(%|s)", lambda code: "1721952000" if code[1] == "s" else "%%", format))


def with_date(template: Any) -> Any:
    """The template, or templates by name, with calls of `strftime_now` replaced by the date; used for its digest."""
    if isinstance(template, dict):
        return {name: with_date(one) for name, one in template.items()}
    return _CALL.sub(lambda call: repr(today(call[2])), template)


class ChatTemplate(str):
    """A chat template that transformers compiles with `compiled`."""

    def __new__(cls, text: str, where: str) -> ChatTemplate:
        """Create a template from its text, with its name in messages."""
        made = super().__new__(cls, text)
        made._where = where
        made._compiled = None
        return made

    _where: str
    _compiled: jinja2.Template | None

    def compiled(self) -> jinja2.Template:
        """The compiled template in the environment of transformers, with limits and a fixed date."""
        if self._compiled is None:
            # The environment of an empty template: compiling evaluates constants, and limits do not apply yet.
            environment = inspect.unwrap(_compile)("").environment
            environment.globals["strftime_now"] = today
            self._compiled = bounded(environment, self._where).from_string(str(self))
        return self._compiled


if not hasattr(chat_template_utils, "_compile_jinja_template"):
    raise ModelError(
        f"transformers {transformers.__version__} compiles chat templates in a way that rmeval does not support, so "
        "they would have no limits: install an earlier version of transformers, or a later rmeval"
    )
_compile = chat_template_utils._compile_jinja_template


def _compile_either(template: str) -> jinja2.Template:
    return template.compiled() if isinstance(template, ChatTemplate) else _compile(template)


# transformers replaces functions among a template's variables by placeholders, so they cannot be passed as variables.
chat_template_utils._compile_jinja_template = _compile_either
