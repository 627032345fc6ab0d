"""The variables of a chat template that a user can set."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import jinja2
import jinja2.meta
from transformers import PreTrainedTokenizerBase

from rmeval.errors import ModelError

__all__ = ["check_variables", "variables_of"]

_OWN = {"self", "kwargs", "messages", *inspect.signature(PreTrainedTokenizerBase.apply_chat_template).parameters}
"""What `apply_chat_template` takes itself, and gives the template."""
_FUNCTIONS = {"raise_exception", "strftime_now"}
"""What transformers adds to the names that a template can use."""
_GENERATION = re.compile(r"\{%[-+]?\s*(end)?generation\s*[-+]?%\}")
"""A block of transformers' own, around what the assistant says."""


def check_variables(template: str | Mapping[str, str] | None, given: Mapping[str, Any], source: str) -> None:
    """Checks that a template uses the variables that a user sets.

    Args:
        template: The template, or several by name.
        given: The variables' values.
        source: Where the tokenizer is from, for messages.

    Raises:
        ModelError: If there is no template, a variable is not one that it uses, or a value is none of JSON.
    """
    names = ", ".join(given)
    if not template:
        raise ModelError(
            f"the tokenizer of {source} has no chat template that could use {names}: leave `template_kwargs` out"
        )
    if own := [name for name in given if name in _OWN]:
        raise ModelError(
            f"rmeval itself decides about {', '.join(own)} when it lays out a conversation: "
            "leave that out of `template_kwargs`"
        )
    try:
        json.dumps(dict(given), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"`template_kwargs` are written into the manifest, and cannot be ({error}): give values that JSON can "
            "represent"
        ) from error
    known = variables_of(template)
    if known is not None and (unknown := [name for name in given if name not in known]):
        has = f"its variables are {', '.join(sorted(known))}" if known else "it has no variables"
        raise ModelError(
            f"the chat template of {source} does not use {', '.join(unknown)}, so that `template_kwargs` would change "
            f"nothing: {has}"
        )


def variables_of(template: str | Mapping[str, str]) -> set[str] | None:
    """The names that a template, or one of several, reads and does not set; None where one cannot be parsed."""
    templates: Iterable[str] = [template] if isinstance(template, str) else template.values()
    environment = jinja2.Environment(extensions=["jinja2.ext.loopcontrols"])
    found: set[str] = set()
    try:
        for one in templates:
            found |= jinja2.meta.find_undeclared_variables(environment.parse(_GENERATION.sub("", one)))
    except jinja2.TemplateSyntaxError:
        return None  # It cannot be rendered either, which has a message of its own.
    return found - _OWN - _FUNCTIONS
