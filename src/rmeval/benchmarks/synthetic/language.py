"""Wordings of one language, as data: `languages/<code>.toml` beside this file."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from rmeval.benchmarks.synthetic.dice import Dice
from rmeval.errors import DataError

__all__ = ["Language", "language_codes", "load_language"]


class Language:
    """Texts with slots in one language, by the names of the TOML file's tables."""

    def __init__(self, code: str, data: Mapping[str, Any]) -> None:
        self.code = code
        self._data = data

    def get(self, path: str) -> Any:
        """Return the value at a dotted path, such as `math.ledger.gain`."""
        return functools.reduce(lambda table, key: table[key], path.split("."), self._data)

    def fill(self, text: str, **slots: Any) -> str:
        """Fill a text's slots with values; a capitalised slot gets the capitalised value."""
        capitals = {key[0].upper() + key[1:]: _capital(str(value)) for key, value in slots.items()}
        return text.format(**(capitals | slots))

    def draw(self, dice: Dice, path: str, **slots: Any) -> str:
        """Draw one of the texts at a path and fill its slots."""
        return self.fill(dice.choice(self.get(path)), **slots)

    def join(self, sentences: Sequence[str]) -> str:
        """Join sentences with the language's separator."""
        separator: str = self._data["join"]
        return separator.join(sentences)

    def name(self, dice: Dice) -> str:
        """Draw an invented name of one word, from the half that these dice may use."""
        names = self._data["names"]
        while True:
            syllables = {
                "onset": dice.choice(names["onsets"]),
                "vowel": dice.choice(names["vowels"]),
                "middle": dice.choice(names["middles"]),
                "vowel2": dice.choice(names["vowels"]),
                "coda": dice.choice(names["codas"]),
            }
            name: str = names["pattern"].format(**syllables)
            if dice.owns(name) and name not in names["avoid"]:
                return name

    def names(self, dice: Dice, number: int) -> list[str]:
        """Draw several distinct names."""
        found: list[str] = []
        while len(found) < number:
            if (name := self.name(dice)) not in found:
                found.append(name)
        return found

    def person(self, dice: Dice) -> str:
        """Draw an invented given name and family name."""
        given, family = self.names(dice, 2)
        return self.fill(self.get("names.full"), given=given, family=family)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def language_codes() -> list[str]:
    """Return the codes of the available languages."""
    return sorted(file.name.removesuffix(".toml") for file in _FOLDER.iterdir() if file.name.endswith(".toml"))


@functools.cache
def load_language(code: str) -> Language:
    """Load a language's wordings.

    Raises:
        DataError: If there are no wordings for the language.
    """
    if code not in language_codes():
        raise DataError(f"rm-bench-synthetic has no language {code!r}: choose from {', '.join(language_codes())}")
    return Language(code, tomllib.loads((_FOLDER / f"{code}.toml").read_text(encoding="utf-8")))


_FOLDER = files("rmeval.benchmarks.synthetic") / "languages"
