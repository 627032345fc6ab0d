"""Lookup of items by id, by texts, or by texts within rendered conversations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rmeval.data.digests import digest
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.types import Item

__all__ = ["ItemIndex", "agrees", "place_holder", "plain", "question_of"]

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class ItemIndex:
    """Index of items by id, by all their texts, by their responses, by their prompt, and by their rarest word."""

    by_id: Mapping[str, Item]
    by_text: Mapping[str, list[Item]]
    by_responses: Mapping[str, list[Item]]
    by_prompt: Mapping[str, list[Item]]
    by_word: Mapping[str, list[Item]]

    @classmethod
    def of(cls, items: Sequence[Item]) -> ItemIndex:
        """Index items by their texts."""
        words = {item.id: set(_WORD.findall(" ".join(_flat(item)))) for item in items}
        count = Counter(word for found in words.values() for word in found)
        return cls(
            {item.id: item for item in items},
            _grouped((_texts_digest(*_texts(item)), item) for item in items),
            _grouped((_responses_digest(response.text for response in item.responses), item) for item in items),
            _grouped((question_of(item), item) for item in items),
            _grouped((min(words[item.id], key=count.__getitem__, default=""), item) for item in items),
        )

    def find(self, row: Row, parts: Sequence[str]) -> tuple[Item | None, bool]:
        """Find the item of a row of chosen and rejected responses, and whether another item has the row's id.

        Args:
            row: The row.
            parts: Subsets that may contain the row's id.

        Raises:
            DataError: If the item with the row's id has other texts and no item has the row's texts, or if the row has
                neither an id nor texts.
        """
        named = next((self.by_id[name] for name in _names(row, parts) if name in self.by_id), None)
        if named is not None and agrees(row, named) is not False:
            return named, False
        if (item := self.with_texts(row)) is not None:
            return item, named is not None
        if named is not None:
            raise DataError(
                f"{row.where}: its texts differ from those of item {named.id}, which has its id, and no other item has "
                "them: check that `benchmark` and `data` match the scores"
            )
        if not row.fields.keys() & {"id", "item_id", "chosen", "text_chosen", "text"}:
            raise DataError(f"{row.where}: the row has neither an 'id' nor texts that identify an item: add an 'id'")
        return None, False

    def with_texts(self, row: Row) -> Item | None:
        """Find the item with the texts of a row of chosen and rejected responses."""
        prompt, chosen, rejected = (_listed(row.fields.get(column)) for column in ("prompt", "chosen", "rejected"))
        whole = len(prompt) == 1 and _are_texts([*prompt, *chosen, *rejected])
        if whole and (same := self.by_text.get(_texts_digest(prompt[0], chosen, rejected))):
            return same.pop(0) if len(same) > 1 else same[0]  # Each of several items with equal texts is returned once.
        sides = _sides(row)
        return self._rendered(sides) if sides else None

    def with_responses(self, prompt: str, responses: Sequence[str]) -> Item | None:
        """Find the item with these responses, in any order, whose question is `prompt` or occurs in it."""
        near = self.by_responses.get(_responses_digest(responses), [])
        exact = [item for item in near if question_of(item).strip() == prompt.strip()]
        fits = exact or [item for item in near if question_of(item).strip() in prompt]
        item = fits[0] if fits else None
        if len(fits) > 1 and item is not None:  # Each of several items with equal texts is returned once.
            near.remove(item)
        return item

    def _rendered(self, sides: Sequence[str]) -> Item | None:
        """Find the item whose prompt and responses occur in rendered conversations; the longest of several."""
        words = {"", *_WORD.findall(" ".join(sides))}
        near = [item for word in words for item in self.by_word.get(word, ())]
        found = [item for item in near if len(item.responses) == len(sides) and _occurs(item, sides)]
        return max(found, key=lambda item: sum(map(len, _flat(item))), default=None)


def _grouped(pairs: Iterable[tuple[str, Item]]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for key, item in pairs:
        found.setdefault(key, []).append(item)
    return found


def _names(row: Row, parts: Sequence[str]) -> list[str]:
    own = next((name for column in ("item_id", "id") if (name := row.optional_name(column)) is not None), None)
    return [] if own is None else [own, *(f"{part}/{own}" for part in parts if part)]


def agrees(row: Row, item: Item) -> bool | None:
    """Return whether a row's texts are the item's; None if the row or the item has no texts."""
    if item.responses[0].text == place_holder(0):
        return None
    if sides := _sides(row):
        return len(sides) == len(item.responses) and _occurs(item, sides)
    prompt, chosen, rejected = _texts(item)
    wanted: dict[str, Any] = {"prompt": [prompt], "chosen": chosen, "rejected": rejected}
    stated = {name: row.fields[name] for name in wanted if row.fields.get(name) is not None}
    return all(_listed(text) == wanted[name] for name, text in stated.items()) if stated else None


def question_of(item: Item) -> str:
    """Return the last message before the response; empty if there is none."""
    return item.prompt[-1].content if item.prompt else ""


def _flat(item: Item) -> list[str]:
    return [question_of(item), *(response.text for response in item.responses)]


def _texts(item: Item) -> tuple[str, list[str], list[str]]:
    """Return the prompt, the better responses and the other responses."""
    right = [response.text for response in item.responses if (response.gold or 0) > 0]
    wrong = [response.text for response in item.responses if not (response.gold or 0) > 0]
    return question_of(item), right, wrong


def _listed(value: Any) -> list[Any]:
    """Return texts as a list; for a list of messages, the text of the last message."""
    if not isinstance(value, list):
        return [] if value is None else [value]
    if value and isinstance(value[-1], dict):
        return [value[-1].get("content")]
    return value


def _texts_digest(prompt: str, chosen: Sequence[str], rejected: Sequence[str]) -> str:
    return digest([prompt, list(chosen), list(rejected)])


def _responses_digest(texts: Iterable[str]) -> str:
    return digest(sorted(text.strip() for text in texts))


def _are_texts(values: Sequence[Any]) -> bool:
    return all(isinstance(text, str) for text in values)


def place_holder(number: int) -> str:
    """Return the placeholder for the text of a response that a file lacks; all have the same length."""
    return f"(answer {number:03d}, not in the file)"


def plain(value: Any) -> str:
    """Return a rendered conversation as text; some files contain lists of messages instead."""
    if isinstance(value, list):
        return "\n".join(str(message.get("content", "")) for message in value if isinstance(message, dict))
    return value if isinstance(value, str) else ""


def _sides(row: Row) -> list[str]:
    """Return the rendered conversations of a row, one for each response; empty if it has none."""
    if "text_chosen" in row.fields:
        return [plain(row.fields[side]) for side in ("text_chosen", "text_rejected") if side in row.fields]
    for column in ("text", "texts"):
        value = row.fields.get(column)
        if isinstance(value, list) and len(value) > 1 and not (isinstance(value[0], dict) and "role" in value[0]):
            return [plain(text) for text in value]
    return []


def _occurs(item: Item, sides: Sequence[str]) -> bool:
    prompt = question_of(item).strip()
    return all(
        prompt in side and response.text.strip() in side for side, response in zip(sides, item.responses, strict=True)
    )
