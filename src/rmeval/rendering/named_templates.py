"""Chat templates by name: those that other tools have as code, and files."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rmeval.errors import ModelError
from rmeval.messages import chosen_from

__all__ = ["NamedTemplate", "named_templates", "read_template", "takes_special_tokens", "with_own_tokens"]

logger = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent / "templates" / "chat"
_COMMENT = re.compile(r"\{#-?(.*?)-?#\}", re.DOTALL)
_TOKENIZER = re.compile(r"(special tokens:\s*)tokenizer\b")
_FIELD = re.compile(r"^\s*(about|source|special tokens):\s*(.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class NamedTemplate:
    """A chat template that is included in rmeval.

    Attributes:
        name: Its name, which is that of the tool it comes from.
        about: Which models use it.
        source: Repository, commit, file and name or function in it.
        special_tokens: Who writes BOS and EOS: the `template`, or the `tokenizer`, which adds them to the text.
        text: The template.
    """

    name: str
    about: str
    source: str
    special_tokens: str
    text: str


@cache
def named_templates() -> dict[str, NamedTemplate]:
    """The included templates by name."""
    found = {}
    for path in sorted(_FOLDER.glob("*.jinja"), key=lambda one: one.name.casefold()):
        name, text = path.name.removesuffix(".jinja"), path.read_text(encoding="utf-8")
        stated = _stated(text)
        found[name] = NamedTemplate(name, stated["about"], stated["source"], stated["special tokens"], text)
    return found


def takes_special_tokens(template: object) -> bool:
    """Whether a template states `special tokens: tokenizer` in a comment.

    The text is then tokenised with the special tokens that the tokenizer adds to any text, as tools do that render and
    tokenise in two steps.
    """
    return isinstance(template, str) and _stated(template).get("special tokens") == "tokenizer"


def with_own_tokens(template: str) -> str:
    """The template without the statement that the tokenizer adds special tokens."""
    return _COMMENT.sub(lambda comment: _TOKENIZER.sub(r"\1template", comment[0]), template)


def read_template(given: str) -> str:
    """The text of a chat template.

    Args:
        given: The path of a Jinja file, or the name of an included template; a file takes precedence.

    Raises:
        ModelError: If there is neither, or the file cannot be read.
    """
    path = Path(given)
    known = named_templates()
    if not path.is_file():
        if given in known:
            return known[given].text
        raise ModelError(
            f"there is no chat template {given}: give the path of a Jinja file, or a name: {chosen_from(given, known)}"
        )
    if given in known:
        logger.warning(
            "%s is a file in this folder and the name of a chat template of rmeval: the file is used; for the other "
            "one work in another folder",
            given,
        )
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"the chat template {given} cannot be read ({error}): save it as UTF-8") from error


def _stated(text: str) -> dict[str, str]:
    """What the comments of a template state."""
    return {field: value for comment in _COMMENT.findall(text) for field, value in _FIELD.findall(comment)}
