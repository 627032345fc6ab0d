"""Full-text search: the words of items, and what a reader types as a query of them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from rmeval.app.index.schema import storable, transaction
from rmeval.results.texts import stream_item_texts
from rmeval.store.run import StoredRun
from rmeval.types import Item

__all__ = ["LONGEST_INDEXED", "add_words", "items_without_words", "match_of"]

LONGEST_INDEXED = 100_000
"""Characters of a response or prompt that are searchable."""
_EXCERPT = 160
_CHUNK = 4096
"""Items of a transaction."""
_LONGEST_QUERY = 1_000
_MOST_WORDS = 20
_QUOTED = re.compile(r'"([^"]*)"|(\S+)')
_IDEOGRAPH = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Letters of scripts that are written without spaces: each is a word, and a query of several is a phrase."""
_WORD = re.compile(r"\w")


def items_without_words(connection: sqlite3.Connection, run: int) -> dict[int, int]:
    """The ids of the items of a run whose words are not in the index, by their positions in the run."""
    question = (
        "SELECT position, item FROM scored JOIN item ON item.id = scored.item WHERE run = ? AND NOT has_words "
        "ORDER BY position"
    )
    return dict(connection.execute(question, (run,)).fetchall())


def add_words(
    connection: sqlite3.Connection, run: StoredRun, missing: Mapping[int, int], data: Mapping[str, str]
) -> Iterator[int]:
    """Insert the words of some items, in transactions of a few thousand items; yield their numbers.

    Args:
        connection: The index.
        run: A run that has these items.
        missing: Ids of the items, by position in the run.
        data: Where to read texts, by benchmark; under "" for all others.

    Raises:
        RmevalError: If texts are not available.
    """
    place = data.get(run.benchmark.card.id, data.get(""))
    texts = iter(stream_item_texts(run, missing, place))
    while part := sorted((missing[position], item) for position, item in islice(texts, _CHUNK)):
        with transaction(connection):
            # Another process may have added them meanwhile.
            fresh = [(own, item) for own, item in part if _lacks(connection, own)]
            rows = [(own, _prompt(item), _responses(item)) for own, item in fresh]
            connection.executemany("INSERT INTO words (rowid, prompt, responses) VALUES (?, ?, ?)", rows)
            begun = [(_excerpt(item), own) for own, item in fresh]
            connection.executemany("UPDATE item SET has_words = 1, excerpt = ? WHERE id = ?", begun)
        yield len(part)


def _lacks(connection: sqlite3.Connection, item: int) -> bool:
    return bool(connection.execute("SELECT NOT has_words FROM item WHERE id = ?", (item,)).fetchone()[0])


def _excerpt(item: Item) -> str:
    """The beginning of the last message of the prompt, which says what the item is about."""
    whole = item.prompt[-1].content if item.prompt else ""
    words = " ".join(whole[: 4 * _EXCERPT].split())
    is_cut = len(words) > _EXCERPT or len(whole) > 4 * _EXCERPT
    return storable(f"{words[:_EXCERPT].rstrip()}…" if is_cut else words)


def _prompt(item: Item) -> str:
    return _spaced(message.content for message in item.prompt)


def _responses(item: Item) -> str:
    return _spaced(one.message.content if one.message is not None else one.text for one in item.responses)


def _spaced(texts: Iterable[str]) -> str:
    text = storable("\n\n".join(one[:LONGEST_INDEXED] for one in texts))
    return text if text.isascii() else _split(text)


def _split(text: str) -> str:
    return _IDEOGRAPH.sub(r" \g<0> ", text)


def match_of(typed: str) -> str | None:
    """Return the query of an item's words: every word and every phrase in double quotes must occur; None if empty.

    Everything else that SQLite's query language knows is text here, such as `NEAR`, `*`, `-` and `column:`.
    """
    found = [phrase or word for phrase, word in _QUOTED.findall(storable(typed[:_LONGEST_QUERY]))]
    kept: Sequence[str] = [one.replace('"', " ") for one in found if _WORD.search(one)][:_MOST_WORDS]
    return " ".join(f'"{_split(one)}"' for one in kept) or None
