"""Redaction of secrets, which are recognised by their names or by their form."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

__all__ = ["redacted", "secret_in", "secret_name"]

_SHOWN = "[redacted]"
_NAME = re.compile(
    r"(^|_)(token|auth|oauth|authorization|bearer|cookies?|cred(ential)?s?|headers?|jwt|keys?|"
    r"pass(words?|wd|phrase)|prox(y|ies)|pwd|secrets?)$|(api|access|private|secret)_?key(_id)?s?$|"
    r"(auth|access)tokens?$|(^|_)(access|api|auth|hf|refresh|session)_tokens$"
)
_PART_OF_TEXT = re.compile(
    r"(^|_)(bos|eos|unk|sep|pad|cls|mask|additional|special|extra|image|audio|video|boi|eoi|boa|eoa|mark|turn|"
    r"prefix|suffix|start|begin|end|stop|step|think|yes|no|true|false|good|bad|pos|neg|positive|negative|plus|minus|"
    r"right|wrong|correct|incorrect|score|reward|value|answer|response|label|class)s?_tokens?$|"
    r"(^|_)(chosen|rejected|prompt|text|sort|label|score|primary|column)_keys?$"
)
"""Names that contain "token" or "key" but are not secrets: pieces of text, and names of columns."""
_CERTAIN = re.compile(
    r"(^|_)(password|passwd|authorization|hf_token|auth_token|access_token|api_key|apikey|secret_key)$"
)
"""Names in rmeval's own files whose values are always secrets."""
_BEGIN = r"(?:(?<![A-Za-z0-9])|(?<=\\[abfnrtv])|(?<=\\x[0-9a-f]{2})|(?<=\\u[0-9a-f]{4}))"
"""The beginning of a word, also after an escaped control character and after `_`."""
_VALUES = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(_BEGIN + r"(hf|api_org)_[A-Za-z0-9]{20,}"),
    re.compile(_BEGIN + r"(sk-(proj|ant|or|svcacct|admin)-|[rs]k_(live|test)_)(?=[\w-]{0,40}[0-9])[\w-]{16,}"),
    re.compile(_BEGIN + r"sk-(?=[\w-]{0,40}?(?=[A-Za-z]*[0-9])[A-Za-z0-9]{16})[\w-]{20,}"),
    re.compile(_BEGIN + r"((gh[pousr]|gsk|r8|npm)_[A-Za-z0-9]{30,}|github_pat_\w{30,}|(glpat|nvapi|pypi)-[\w-]{20,})"),
    re.compile(_BEGIN + r"xox[a-z]-[A-Za-z0-9-]{10,}"),
    re.compile(_BEGIN + r"(AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{35}"),
    re.compile(_BEGIN + r"eyJ[\w-]{8,4000}\.[\w-]{8,4000}\.[\w-]{6,}"),
    re.compile(r"(?:(?<=[Bb]earer )|(?<=BEARER ))(?=\S{0,200}[0-9])[\w.~+/=-]{12,}"),
    re.compile(r"(?:(?<=uthorization: )|(?<=uthorization['\"]: ['\"]))[^\r\n,'\"}]+"),
    re.compile(r"(?<=://)[^\s/@:]{0,200}:[^\s/@]{1,200}(?=@)|(?<=://)(?=[^\s/@]{0,200}[0-9])[\w-]{16,200}(?=@)"),
    re.compile(
        r"(?i)(?<=[?&;])((?:[\w-]{0,40}[-_])?(?:token|api[-_]?key|key|sig|signature|password|passwd|secret|auth|credential))="
        r"[^&\s#'\"]+"
    ),
    re.compile(
        r"(?i)\b((?:\w{1,40}[-_])?(?:token|api[-_]?key|password|passwd|secret))(?:['\"]?\s?[=:]\s?['\"]?)"
        r"(?=[\w./+=-]{0,200}[0-9])(?=[\w./+=-]{0,200}[a-z])[\w./+=-]{12,}"
    ),
)
"""Patterns of secrets. In the last two, a group keeps the name before the secret."""
_FOLDERS = ("PWD", "OLDPWD")
"""Variables with which shells name the working directory; as other names they would mark passwords."""
_SHORTEST = 12
"""Minimum length of a secret from the environment that is redacted in other texts."""


@lru_cache(1024)
def secret_name(name: str) -> bool:
    """Return whether an option's name marks its value as a secret, in any notation: `HF_TOKEN`, `apiKey`, `api-key`."""
    plain = re.sub(r"[-. ]|(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return _NAME.search(plain) is not None and _PART_OF_TEXT.search(plain) is None


def secret_in(values: Mapping[str, Any]) -> str | None:
    """Return the first option whose name marks a secret or whose value contains one; None if there is none.

    Args:
        values: Options and their values, which may be nested.
    """
    for name, value in values.items():
        if secret_name(str(name)) or any(secret_name(key) for key in _keys(value)):
            return str(name)
        if any(redacted(text) != text for text in _texts(value)):
            return str(name)
    return None


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield str(name)
            yield from _keys(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _keys(one)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(one)


def redacted(value: Any) -> Any:
    """Replace each secret in a text, or in the texts of lists and mappings, with a mark.

    Secrets are texts with the form of a secret, such as access tokens, passwords in URLs and private keys, and the
    values of environment variables whose names mark secrets.
    """
    return _redacted(value, [secret for secret in _of_environment() if len(secret) >= _SHORTEST])


def _of_environment() -> Iterator[str]:
    return (value.strip() for name, value in os.environ.items() if secret_name(name) and name not in _FOLDERS)


def _redacted(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        for pattern in _VALUES:
            value = pattern.sub(_mark, value)
        for secret in secrets:
            value = value.replace(secret, _SHOWN)
        return value
    if isinstance(value, Mapping):
        return {
            name: _SHOWN if isinstance(one, str) and one and _is_certain(name) else _redacted(one, secrets)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return type(value)(_redacted(one, secrets) for one in value) if type(value) in (list, tuple) else value
    return value


def _is_certain(name: Any) -> bool:
    return isinstance(name, str) and _CERTAIN.search(name.replace("-", "_").lower()) is not None


def _mark(found: re.Match[str]) -> str:
    groups = found.re.groups
    name = found[1] if groups == 1 and found.re.flags & re.IGNORECASE else None
    return f"{name}={_SHOWN}" if name else _SHOWN
