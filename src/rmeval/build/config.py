"""The config of a build, which a YAML file contains."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, Field, PrivateAttr, ValidationError, field_validator, model_validator

from rmeval.build.options import Options
from rmeval.build.problems.options import FilterOptions, ProblemOptions
from rmeval.data.yaml_file import Lines, read_yaml
from rmeval.errors import DataError
from rmeval.messages import chosen_from, quoted, shortened
from rmeval.models import is_address

__all__ = ["BuildConfig", "DomainConfig", "ModelRole", "Options", "Role", "load_config", "parsed"]

Role = Literal["writer", "rewriter", "judge", "compliant"]
"""What a model does: `writer` writes the responses, `rewriter` changes their style (by default the writer), `judge`
checks texts, `compliant` answers harmful requests."""
Model = TypeVar("Model", bound=BaseModel)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_WRITING = frozenset(
    (
        "chat_template",
        "dtype",
        "judge_kwargs",
        "model_kwargs",
        "revision",
        "template_kwargs",
        "tokenizer",
        "tokenizer_kwargs",
    )
)


class ModelRole(Options):
    """A model that is called.

    Attributes:
        model: Address of an OpenAI-compatible server, a folder, a hub id, or `any-llm:PROVIDER/MODEL`.
        served_model: Name at the server, if it serves several models.
        temperature: Temperature, unless a stage has its own.
        top_p: Share of the probability from which tokens are drawn.
        max_new_tokens: Limit of an answer in tokens; one that is cut off is sent once more with twice the limit.
        options: Further options of `rmeval.load_model`, such as `{"concurrency": 16, "api_key_env": "MY_KEY"}`.
    """

    model: str
    served_model: str | None = None
    temperature: float = Field(0.7, ge=0, le=10)
    top_p: float = Field(1.0, gt=0, le=1)
    max_new_tokens: int = Field(2048, ge=1)
    options: dict[str, Any] = Field(default={})

    @property
    def name(self) -> str:
        """Its name, without the address of its server, which may change between two starts of a build."""
        return self.served_model or ("served" if is_address(self.model) else self.model)

    @property
    def writing(self) -> dict[str, Any]:
        """The options that change what it writes; the others only change how it is called."""
        return {name: value for name, value in sorted(self.options.items()) if name in _WRITING}


class DomainConfig(Options):
    """One domain of the benchmark.

    Attributes:
        recipe: How its responses are made: `chat`, `code`, `math`, `safety-response`, `safety-refuse`.
        problems: Where its problems come from.
        filters: Which of them are kept.
        responses: The recipe's own options.
        styles: Options of style control that differ from the benchmark's.
        licence: Licence of its problems, if it is not the benchmark's.
    """

    recipe: str
    problems: ProblemOptions
    filters: FilterOptions = FilterOptions()
    responses: dict[str, Any] = Field(default={})
    styles: dict[str, Any] = Field(default={})
    licence: str = ""


class BuildConfig(Options):
    """The whole config.

    Attributes:
        name: Name of the benchmark: lower case, digits, `.`, `_` and `-`.
        title: Its title in tables and on its card.
        language: Language of prompts and responses.
        licence: Its licence.
        seed: Seed of everything that is drawn.
        prompts: Folder of prompt files that replace packaged ones, relative to the config.
        models: The models by their role.
        prices: TOML file with dollars per million tokens for each model, relative to the config.
        max_cost: Largest cost of one run of the command in dollars.
        max_requests: Largest number of calls of one run of the command.
        max_tokens: Largest number of tokens of one run of the command.
        domains: The domains by name.
        styles: Options of style control.
        review: Options of human review.
        sandbox: Options of the sandbox.
        assemble: Options of the last stage.
        where: The config's folder; not a field of the file.
    """

    name: str
    title: str = ""
    language: str = Field("en", min_length=1)
    licence: str = ""
    seed: int = 0
    prompts: str | None = None
    models: dict[Role, ModelRole]
    prices: str | None = None
    max_cost: float | None = Field(None, gt=0)
    max_requests: int | None = Field(None, ge=1)
    max_tokens: int | None = Field(None, ge=1)
    domains: dict[str, DomainConfig] = Field(min_length=1)
    styles: dict[str, Any] = Field(default={})
    review: dict[str, Any] = Field(default={})
    sandbox: dict[str, Any] = Field(default={})
    assemble: dict[str, Any] = Field(default={})
    where: Path = Field(Path(), exclude=True, strict=False)
    _file: str = PrivateAttr("the config")
    _lines: Lines = PrivateAttr(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _usable(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("use lower-case letters, digits, '.', '_' and '-'")
        return name

    @model_validator(mode="after")
    def _has_names(self) -> BuildConfig:
        for name in self.domains:
            if not _NAME.fullmatch(name):
                raise ValueError(f"the domain {quoted(name)} needs lower-case letters, digits, '.', '_' and '-'")
        return self

    def with_budget(
        self,
        max_cost: float | None = None,
        max_requests: int | None = None,
        max_tokens: int | None = None,
        prices: Path | None = None,
    ) -> BuildConfig:
        """The config with another budget, where one is given.

        Args:
            max_cost: As in the config.
            max_requests: As in the config.
            max_tokens: As in the config.
            prices: The price file, relative to the current folder.

        Raises:
            DataError: If one is wrong.
        """
        if max_cost is not None and not max_cost > 0:
            raise DataError(f"`max_cost` must be above 0, not {max_cost:g}")
        given: dict[str, Any] = {"max_cost": max_cost, "max_requests": max_requests, "max_tokens": max_tokens}
        given |= {"prices": None if prices is None else str(prices.absolute())}
        found = self.model_copy(update={name: value for name, value in given.items() if value is not None})
        if found.max_cost is not None and found.prices is None:
            raise DataError("`max_cost` needs the prices of the models: give a price file with `prices`")
        return found

    def path(self, file: str) -> Path:
        """Resolve a path relative to the config."""
        return self.where / file

    def part(self, kind: type[Model], *place: str) -> Model:
        """Return a part of the config that its reader defines, such as `("domains", "math", "responses")`.

        Args:
            kind: The class of its options.
            place: The keys that lead to it.

        Raises:
            DataError: If an option is wrong.
        """
        found: Any = self
        for key in place:
            found = found[key] if isinstance(found, dict) else getattr(found, key)
        return parsed(kind, found, self._file, self._lines, place)

    def role(self, role: Role) -> ModelRole:
        """The model of a role; a rewriter that is not configured is the writer.

        Raises:
            DataError: If the config has none.
        """
        found = self.models.get(role) or (self.models.get("writer") if role == "rewriter" else None)
        if found is None:
            raise DataError(f"the config names no model with the role {role}: add it under `models`")
        return found


def load_config(path: Path) -> BuildConfig:
    """Read a config.

    Raises:
        DataError: If it cannot be read or is wrong; the message names the line and the field.
    """
    lines: Lines = {}
    document = read_yaml(path, lines)
    if not isinstance(document, dict):
        raise DataError(f"{path}: a config is a mapping with name, models and domains: see `rmeval build init`")
    if "where" in document:
        raise DataError(f"{path} line {lines['where',]}: there is no option `where`: leave it out")
    found = parsed(BuildConfig, {**document, "where": path.parent}, str(path), lines)
    found._file, found._lines = str(path), lines
    return found


def parsed(
    kind: type[Model], values: Mapping[str, Any], where: str, lines: Lines | None = None, above: tuple[str, ...] = ()
) -> Model:
    """Return checked options.

    Args:
        kind: The class of the options.
        values: The fields.
        where: File or part of it, for messages.
        lines: Line numbers by place.
        above: The place of the options themselves.

    Raises:
        DataError: If a field is missing, unknown, or has a wrong value.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        own = _place(values, first["loc"], first["type"] == "missing")
        raise DataError(_message(kind, first, own, above, where, lines or {})) from error


def _place(values: Any, location: Sequence[str | int], missing: bool) -> tuple[str | int, ...]:
    """The keys that lead to a wrong value, without the marks that pydantic adds for keys and alternatives."""
    found: list[str | int] = []
    for number, part in enumerate(location):
        inside = part in values if isinstance(values, Mapping) else isinstance(values, list) and isinstance(part, int)
        if inside:
            values = values[part]
        if inside or (missing and number == len(location) - 1):
            found.append(part)
    return tuple(found)


def _message(
    kind: type[BaseModel],
    first: Any,
    own: tuple[str | int, ...],
    above: tuple[str, ...],
    where: str,
    lines: Lines,
) -> str:
    place: tuple[str | int, ...] = (*above, *own)
    known = next((lines[place[:size]] for size in range(len(place), 0, -1) if place[:size] in lines), None)
    at = where if known is None else f"{where} line {known}"
    # With a colon, the command line does not show the field as an option of the same name.
    name = ".".join(map(str, place)) + (":" if len(place) == 1 else "")
    if first["type"] == "missing":
        return f"{at}: `{name}` is missing: add it"
    if first["type"] == "extra_forbidden":
        there = _fields(kind, own[:-1])
        return f"{at}: there is no option `{name}`: {chosen_from(str(place[-1]), there) if there else 'leave it out'}"
    reason = first["msg"].removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    given = first["input"]
    shown = f" is {shortened(repr(given), 80)}, and" if not isinstance(given, dict | BaseModel) else ""
    return f"{at}: `{name}`{shown} {reason}: correct it" if name else f"{at}: {reason}"


def _fields(kind: type[BaseModel], place: tuple[str | int, ...]) -> list[str]:
    """The options at a place of nested options."""
    found: Any = kind
    for part in place:
        field = found.model_fields.get(str(part)) if isinstance(found, type) and issubclass(found, BaseModel) else None
        # Below a mapping from names to options, the next part is a name.
        found = field.annotation if field is not None else _value_type(found)
        if found is None:
            return []
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        return []
    return [name for name, field in found.model_fields.items() if not field.exclude]


def _value_type(annotation: Any) -> Any:
    arguments = get_args(annotation)
    return arguments[-1] if len(arguments) > 1 else None
