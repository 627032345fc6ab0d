"""A commented config: every option at its default, with its explanation from the class that defines it."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from rmeval.build.config import BuildConfig, DomainConfig, ModelRole, Role
from rmeval.build.problems.options import ProblemOptions
from rmeval.build.registry import PARTS, RECIPES
from rmeval.build.stage import find_recipe
from rmeval.errors import DataError
from rmeval.messages import chosen_from

__all__ = ["OFF", "config_text"]

OFF = "safety-refuse"
"""The recipe that is left out unless it is named, since it needs a model that answers harmful requests."""
_ADDRESS = "http://localhost:8000/v1"
_WIDTH = 116
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
_ROLES: Mapping[Role, str] = {
    "writer": "The model that writes the responses.",
    "rewriter": "The model that changes their style; by default the writer.",
    "judge": "The model that checks texts where no test or key can.",
    "compliant": "A model that answers harmful requests, for safety-refuse.",
}
_HEAD = """\
# Config of `rmeval build`. Each option is at its default: leave out what you do not change.
#   rmeval build {file} --dry-run    counts calls, tokens and cost
#   rmeval build {file}              builds the benchmark; killed at any moment, it continues where it stopped
"""


@dataclass(frozen=True)
class _Nested:
    """Options that stand below their name.

    Attributes:
        kind: Their class.
        given: Values other than the defaults.
    """

    kind: type[BaseModel]
    given: Mapping[str, Any]


@dataclass(frozen=True)
class _Lines:
    """Lines that stand below a name."""

    lines: Sequence[str]


_SECTION = re.compile(r"((?:^# .*\n)+(?:name|models|prices|domains|styles|review|sandbox|assemble):)", re.MULTILINE)
"""Options after an empty line."""


def config_text(
    name: str, file: str, recipes: Sequence[str], files: Mapping[str, str], prompts: str | None = None
) -> str:
    """Write a config with one domain for each recipe.

    Args:
        name: Name of the benchmark.
        file: Path of the config, for its first lines.
        recipes: The recipes; a domain has the name of its recipe.
        files: The file of problems of each.
        prompts: Folder of prompt files.

    Raises:
        DataError: If there is no such recipe.
    """
    for one in recipes:
        if one not in RECIPES:
            raise DataError(f"there is no recipe {one!r}: {chosen_from(one, RECIPES)}")
    domains: list[str] = []
    for one in recipes:
        domains += [f"{one}:", *_indented(_options(_domain(one, files[one])))]
    if OFF not in recipes:
        domains += _commented(_off(files.get(OFF, f"{OFF}.jsonl")))
    parts = {part: _Nested(_found(place), {}) for part, place in PARTS.items()}
    given = {
        "name": name,
        "prompts": prompts,
        "models": _Lines(list(_models(recipes))),
        "domains": _Lines(domains),
        **parts,
    }
    lines = _options(_Nested(BuildConfig, given))
    body = "".join(f"{line}\n" for line in lines)
    return _HEAD.format(file=file) + _SECTION.sub(r"\n\1", body)


def _domain(recipe: str, file: str) -> _Nested:
    domain = DomainConfig(recipe=recipe, problems=ProblemOptions(file=file))
    given = {
        "recipe": recipe,
        "problems": _Nested(ProblemOptions, {"file": file}),
        "responses": _Nested(find_recipe(domain).Options, {}),
    }
    return _Nested(DomainConfig, given)


def _off(file: str) -> Iterator[str]:
    yield "The domain safety-refuse needs the model `compliant`, and is off unless you turn it on."
    yield f"{OFF}:"
    yield f"  recipe: {OFF}"
    yield f"  problems: {{file: {json.dumps(file)}}}"


def _models(recipes: Sequence[str]) -> Iterator[str]:
    """The roles that the recipes call, and the others as comments."""
    called = {role for one in recipes for role in find_recipe(DomainConfig(recipe=one, problems=_NO_PROBLEMS)).roles}
    for role in get_args(Role):
        yield f"# {_ROLES[role]}"
        if role == "writer":
            yield f"{role}:"
            yield from _indented(_options(_Nested(ModelRole, {"model": _ADDRESS})))
        else:
            line = f"{role}: {{model: {json.dumps(_ADDRESS)}}}"
            yield line if role in called else f"# {line}"


_NO_PROBLEMS = ProblemOptions(file="-")


def _options(nested: _Nested) -> Iterator[str]:
    """The options of a class, each below its explanation."""
    about = _about(nested.kind)
    for name, field in nested.kind.model_fields.items():
        if field.exclude:
            continue
        yield from _commented(textwrap.wrap(about[name], _WIDTH - 2, break_long_words=False, break_on_hyphens=False))
        value = nested.given.get(name, field.get_default(call_default_factory=True))
        if isinstance(value, BaseModel):
            value = _Nested(type(value), {one: getattr(value, one) for one in type(value).model_fields})
        if isinstance(value, _Nested):
            below = list(_options(value))
            yield f"{name}:" if below else f"{name}: {{}}"
            yield from _indented(below)
        elif isinstance(value, _Lines):
            yield f"{name}:"
            yield from _indented(value.lines)
        else:
            yield f"{name}: {json.dumps(value, ensure_ascii=False)}"


def _about(kind: type[BaseModel]) -> dict[str, str]:
    """The explanations of a class's options, from its docstring and those of its bases."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        _, _, attributes = inspect.cleandoc(one.__doc__ or "").partition("Attributes:\n")
        for name, text in _ATTRIBUTE.findall(attributes):
            found[name] = " ".join(text.split())
    return found


def _found(place: str) -> type[BaseModel]:
    module, _, name = place.partition(":")
    found: type[BaseModel] = getattr(importlib.import_module(module), name)
    return found


def _indented(lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _commented(lines: Sequence[str] | Iterator[str]) -> list[str]:
    return [f"# {line}" for line in lines]
