"""Dialects that a user describes in a TOML file: any JSON over HTTP."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmeval.errors import ModelError
from rmeval.messages import chosen_from, shortened
from rmeval.redaction import secret_in
from rmeval.transport.dialects.answers import entries, field, numbers
from rmeval.transport.dialects.base import AnswerError, Form, Input, Traits, Values

__all__ = ["TomlDialect", "read_dialect"]

_ONE: dict[str, Form] = {"{tokens}": "tokens", "{text}": "text", "{messages}": "messages"}
"""The placeholders of one input."""
_SEVERAL: dict[str, Form] = {"{lists of tokens}": "tokens", "{texts}": "text"}
"""The placeholders of a list of inputs."""
_MODEL = "{model}"
_KEYS = {"path": str, "score": str, "body": dict, "raw": dict, "activated": dict, "adds_special_tokens": bool}
_NEEDED = ("path", "score", "body")


@dataclass(frozen=True, slots=True)
class TomlDialect:
    """A dialect from a file."""

    traits: Traits
    digest: str
    template: Mapping[str, Any]
    raw: Mapping[str, Any]
    activated: Mapping[str, Any]
    score: tuple[str | int, ...]

    @property
    def identity(self) -> str:
        """Its name, and the digest of the file."""
        return f"{self.traits.name} sha256:{self.digest}"

    def body(self, form: Form, inputs: Sequence[Input], model: str | None, raw: bool = True) -> dict[str, Any]:
        """The template with the inputs in place of their placeholder, and the keys that switch the activation."""
        values: dict[str, Any] = {_MODEL: model}
        values |= dict.fromkeys(_ONE, inputs[0]) | {name: list(inputs) for name in _SEVERAL}
        filled = _filled({**self.template, **(self.raw if raw else self.activated)}, values)
        assert isinstance(filled, dict)
        return filled

    def read(self, data: Any, count: int) -> list[Values]:
        """The values at the path of the score."""
        what = ".".join(map(str, self.score))
        if "*" not in self.score:
            return [numbers(field(data, *self.score), what)]
        place = self.score.index("*")
        before, after = self.score[:place], self.score[place + 1 :]
        found = entries(field(data, *before) if before else data, count, ".".join(map(str, before)) or "the body")
        indices = [one.get("index") for one in found if isinstance(one, dict)]
        if any(index is not None for index in indices) and indices != list(range(count)):
            raise AnswerError(f"the answer's indices {shortened(indices, 80)} are not in the order of the inputs")
        return [numbers(field(one, *after) if after else one, what) for one in found]


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return values.get(value, value)
    if isinstance(value, Mapping):
        return {key: _filled(one, values) for key, one in value.items()}
    return [_filled(one, values) for one in value] if isinstance(value, list) else value


def read_dialect(file: Path) -> TomlDialect:
    """The dialect of a file.

    Raises:
        ModelError: If the file cannot be read, or lacks a part.
    """
    try:
        content = file.read_bytes()
        stated = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise ModelError(f"the dialect {file} cannot be read ({error.strerror or error}): check the path") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"the dialect {file} cannot be read as TOML ({error}): correct it") from error
    _check(file, stated)
    template = stated["body"]
    used = set(_texts(template)) & {*_ONE, *_SEVERAL}
    if len(used) != 1:
        raise ModelError(
            f"the dialect {file} has {len(used)} places of the input in [body]: write one of "
            f"{', '.join([*_ONE, *_SEVERAL])} as a value"
        )
    (place,) = used
    score = tuple(int(key) if re.fullmatch(r"\d+", key) else key for key in stated["score"].split("."))
    several = place in _SEVERAL
    if several != ("*" in score) or score.count("*") > 1:
        raise ModelError(
            f"the dialect {file} sends {'a list of inputs' if several else 'one input'}, so `score` must have "
            f"{'one * in place of the position, such as data.*.score' if several else 'no *, such as data.0.score'}"
        )
    form = (_ONE | _SEVERAL)[place]
    if form == "text" and "adds_special_tokens" not in stated:
        raise ModelError(
            f"the dialect {file} sends texts: add adds_special_tokens = true if the server adds BOS or other special "
            "tokens to a text, else false"
        )
    raw, activated = stated.get("raw", {}), stated.get("activated", {})
    return TomlDialect(
        Traits(
            f"file:{file.stem}",
            stated["path"].lstrip("/"),
            (form,),
            (form,) if several else (),
            switch="flag" if raw != activated else "none",
            adds_special_tokens=stated.get("adds_special_tokens", False),
            fix=f"{'correct' if raw else 'add'} [raw] in {file}",
        ),
        hashlib.sha256(content).hexdigest()[:32],
        template,
        raw,
        activated,
        score,
    )


def _check(file: Path, stated: Mapping[str, Any]) -> None:
    for name, value in stated.items():
        if name not in _KEYS:
            raise ModelError(f"the dialect {file} has an unknown key {name!r}: {chosen_from(name, _KEYS)}")
        if not isinstance(value, _KEYS[name]):
            kind = {str: "a text", dict: "a table", bool: "true or false"}[_KEYS[name]]
            raise ModelError(f"the dialect {file}: {name} must be {kind}, not {shortened(value, 80)}")
    if missing := [name for name in _NEEDED if not stated.get(name)]:
        raise ModelError(f"the dialect {file} lacks {' and '.join(missing)}: add it")
    if secret := secret_in(stated):
        raise ModelError(
            f"the dialect {file} contains what looks like a secret ({secret}): put the key into the environment "
            "variable that `api_key_env` names, which rmeval sends as a bearer token"
        )


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _texts(one)]
