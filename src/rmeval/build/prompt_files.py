"""Prompt files: templates of everything that models read, which users can replace.

A prompt file is a Jinja template that contains the user's turn. A part above a line `---` is the system's turn. The
packaged files are in `prompts/`; a file of the same name in the user's folder of prompts replaces one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from rmeval.data.digests import digest
from rmeval.errors import DataError, reason_of
from rmeval.messages import chosen_from, quoted
from rmeval.protocols.judging import rendered
from rmeval.types import Message

__all__ = ["PromptFile", "PromptFiles", "packaged_prompts", "read_prompt"]

_SUFFIX = ".jinja"
_BORDER = re.compile(r"^---\s*$", re.MULTILINE)
_DIGITS = 8
_TEMPLATE_ERRORS = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError, MemoryError)
"""Errors of expressions in a template, such as a division by zero."""


@dataclass(frozen=True, slots=True)
class PromptFile:
    """One prompt.

    Attributes:
        name: Its path without suffix, such as `code/solve`.
        text: The template.
        where: Its path, for messages.
    """

    name: str
    text: str
    where: str

    @property
    def version(self) -> str:
        """Name and digest, such as `code/solve@1f0c22ab`."""
        return f"{self.name}@{digest(self.text)[:_DIGITS]}"

    def messages(self, values: Mapping[str, Any]) -> tuple[Message, ...]:
        """Fill the template in.

        Args:
            values: Its variables.

        Raises:
            DataError: If the template is wrong, or uses a variable that does not exist.
        """
        from jinja2 import TemplateError

        above, _, below = self._parts()
        try:
            system, user = rendered(above, values), rendered(below, values)
        except (TemplateError, *_TEMPLATE_ERRORS) as error:
            raise DataError(
                f"the prompt {self.where} cannot be filled in ({reason_of(error)}): its variables are "
                f"{', '.join(sorted(values))}"
            ) from error
        if not user.strip():
            raise DataError(f"the prompt {self.where} has no text for the user's turn: write it")
        return (*([Message("system", system)] if system else []), Message("user", user))

    def _parts(self) -> tuple[str, str, str]:
        if (border := _BORDER.search(self.text)) is None:
            return "", "", self.text
        return self.text[: border.start()], "---", self.text[border.end() :]


class PromptFiles:
    """The prompts of a build: the packaged ones, and the user's own, which take precedence."""

    def __init__(self, folder: Path | None = None) -> None:
        """Store the folder; files are read when they are used.

        Args:
            folder: The user's folder of prompts.

        Raises:
            DataError: If it contains a prompt that no stage uses, which is a misspelt name.
        """
        self._folder = folder
        self._own: dict[str, PromptFile] = {}
        for name in _names(folder) if folder is not None else ():
            if name not in packaged_prompts():
                raise DataError(f"{folder}/{name}{_SUFFIX} replaces no prompt: {chosen_from(name, packaged_prompts())}")

    def get(self, name: str) -> PromptFile:
        """Return the prompt of a name, such as `code/solve`.

        Raises:
            DataError: If its file cannot be read.
        """
        if name not in self._own:
            path = None if self._folder is None else self._folder / f"{name}{_SUFFIX}"
            has_own = path is not None and path.is_file()
            self._own[name] = read_prompt(name, path) if path and has_own else packaged_prompts()[name]
        return self._own[name]

    def versions(self) -> list[str]:
        """Name and digest of each prompt."""
        return [self.get(name).version for name in sorted(packaged_prompts())]


def packaged_prompts() -> dict[str, PromptFile]:
    """The packaged prompts by name."""
    if not _packaged:
        root = Path(str(files("rmeval.build") / "prompts"))
        _packaged.update({name: read_prompt(name, root / f"{name}{_SUFFIX}") for name in _names(root)})
    return _packaged


_packaged: dict[str, PromptFile] = {}


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise DataError(f"there is no folder {quoted(str(folder))}: correct `prompts:` in the config")
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob(f"*{_SUFFIX}"))


def read_prompt(name: str, path: Path) -> PromptFile:
    """Read a prompt file.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        return PromptFile(name, path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the prompt {path} cannot be read ({reason_of(error)}): correct the file") from error
