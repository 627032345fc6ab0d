"""Renders the Jinja templates of judges' prompts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

__all__ = ["rendered"]


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """The text of a template, without spaces at both ends.

    Args:
        template: The template.
        values: Its variables.

    Raises:
        jinja2.TemplateError: If the template is wrong, or uses a variable that does not exist.
    """
    return _constant(template) if _is_constant(template) else _compiled(template).render(values).strip()


def _is_constant(template: str) -> bool:
    return not any(mark in template for mark in ("{{", "{%", "{#"))


@lru_cache(maxsize=64)
def _constant(template: str) -> str:
    return _compiled(template).render().strip()


@lru_cache(maxsize=64)
def _compiled(template: str) -> jinja2.Template:
    # jinja2 takes longer to import than all that only reads runs.
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
    )
    found = environment.from_string(template)
    # Each rendering copies the functions that every template has, which takes long from the chain that they come in.
    found.globals = dict(found.globals)
    return found
