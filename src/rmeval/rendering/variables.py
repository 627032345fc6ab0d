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
"""Arguments of `apply_chat_template`, which sets these variables itself."""
_FUNCTIONS = {"raise_exception", "strftime_now"}
"""Functions that transformers adds to the template's namespace."""
_GENERATION = re.compile(r"\{%[-+]?\s*(end)?generation\s*[-+]?%\}")
"""A block tag of transformers around the assistant's messages."""


def check_variables(template: str | Mapping[str, str] | None, given: Mapping[str, Any], source: str) -> None:
    """Check that a template uses the variables that a user sets.

    Args:
        template: The template, or several by name.
        given: The variables' values.
        source: Path or hub id of the tokenizer, for messages.

    Raises:
        ModelError: If there is no template, it does not use a variable, or a value is not valid in JSON.
    """
    names = ", ".join(given)
    if not template:
        raise ModelError(f"the tokenizer of {source} has no chat template to use {names}: leave `template_kwargs` out")
    if own := [name for name in given if name in _OWN]:
        raise ModelError(
            f"`template_kwargs` sets {', '.join(own)}, which rmeval sets itself when it renders a conversation: "
            "leave it out"
        )
    try:
        json.dumps(dict(given), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"`template_kwargs` cannot be written to the manifest ({error}): give values that JSON can represent"
        ) from error
    known = variables_of(template)
    if known is not None and (unknown := [name for name in given if name not in known]):
        has = f"its variables are {', '.join(sorted(known))}" if known else "it has no variables"
        raise ModelError(
            f"the chat template of {source} does not use {', '.join(unknown)}, so `template_kwargs` would have no "
            f"effect: {has}"
        )


def variables_of(template: str | Mapping[str, str]) -> set[str] | None:
    """The names that a template, or any of several, reads and does not set; None if one cannot be parsed."""
    templates: Iterable[str] = [template] if isinstance(template, str) else template.values()
    environment = jinja2.Environment(extensions=["jinja2.ext.loopcontrols"])
    found: set[str] = set()
    try:
        for one in templates:
            found |= jinja2.meta.find_undeclared_variables(environment.parse(_GENERATION.sub("", one)))
    except jinja2.TemplateSyntaxError:
        return None  # Rendering it raises its own error.
    return found - _OWN - _FUNCTIONS
