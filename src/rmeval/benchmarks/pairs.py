"""Preference pairs from any source: a prompt, a chosen response and a rejected one."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rmeval.benchmarks import Benchmark, Card, Option
from rmeval.benchmarks.base import PAIR
from rmeval.benchmarks.locate import SUFFIXES, find_files
from rmeval.data.conversations import INPUT_COLUMNS, MessageReader, is_empty, list_of_texts, mapping_of_texts, tools_of
from rmeval.data.digests import conversation_digest
from rmeval.data.rows import Row, iterate_rows
from rmeval.errors import DataError
from rmeval.extras import need_extra
from rmeval.hub import is_hub_id, offline_without_hub
from rmeval.limits import limit
from rmeval.messages import quoted, shortened
from rmeval.metrics.outcomes import outcomes
from rmeval.metrics.records import accuracy_record
from rmeval.types import Conversation, Evidence, Item, Message, Record, Response, ScoreRule

__all__ = ["Pairs"]

logger = logging.getLogger(__name__)

FORMULA = "accuracy@1"
COLUMNS = ("prompt", "chosen", "rejected", "subset", "id", "system", "history", "tools")


class Pairs(Benchmark):
    """Preference pairs from a local file, a folder of files, or a data set on the hub."""

    card = Card(
        id="pairs",
        title="Preference pairs",
        measures="The better response is the one that the data mark as chosen.",
        source="your own data (`data`)",
        revision=None,
        licence="that of the data",
        paper="",
        citation="",
        formulas=(FORMULA,),
    )

    spec = "pairs"
    takes = (
        Option("columns", "mapping", "the data's column names, such as prompt=question,chosen=good"),
        Option("roles", "mapping", "the data's role names, such as human=user,gpt=assistant"),
        Option("ignore_keys", "words", "keys of messages, and columns, to exclude, such as name,history"),
        Option("split", "text", "the split of a data set on the hub"),
        Option("config", "text", "the configuration of a data set on the hub"),
    )

    def __init__(
        self,
        data: str | None = None,
        columns: Mapping[str, str] | None = None,
        split: str | None = None,
        config: str | None = None,
        roles: Mapping[str, str] | None = None,
        ignore_keys: Sequence[str] | None = None,
    ) -> None:
        """Store the source of the pairs and its options.

        Args:
            data: JSONL, JSON, CSV or parquet file, a folder of them, or a hub id.
            columns: The data's names for `prompt`, `chosen`, `rejected`, `subset`, `id`, `system`, `history` and
                `tools`, if they differ.
            split: Split of a hub data set; `train` if None.
            config: Configuration of a hub data set.
            roles: The data's role names, mapped to those of chat templates, such as `{"human": "user"}`.
            ignore_keys: Keys of messages, and columns, to exclude although they may belong to the input.

        Raises:
            DataError: If `columns` has an unknown name, or an option has the wrong type.
        """
        texts = {"split": split, "config": config} | dict(columns if isinstance(columns, Mapping) else {})
        if wrong := [option for option, value in texts.items() if not (value is None or isinstance(value, str))]:
            raise DataError(f"{wrong[0]} of pairs must be a string, not {quoted(texts[wrong[0]])}")
        if columns is not None and not isinstance(columns, Mapping):
            raise DataError(f"columns must be a mapping, such as {{'prompt': 'question'}}, not {quoted(columns)}")
        unknown = set(columns or {}) - set(COLUMNS)
        if unknown:
            raise DataError(
                f"`columns` has no {shortened(', '.join(sorted(unknown)))}: choose from {', '.join(COLUMNS)}, as in "
                "prompt=question"
            )
        given = list((columns or {}).values())
        if twice := next((name for name in given if given.count(name) > 1), None):
            raise DataError(f"`columns` uses the column {quoted(twice)} twice: use each once")
        taken = (
            {name for name in COLUMNS if name not in (columns or {})} & set(given) & {"prompt", "chosen", "rejected"}
        )
        if taken:
            raise DataError(f"`columns` uses the column {taken.pop()!r} twice: use each once")
        self._reader = MessageReader(mapping_of_texts(roles, "roles"), list_of_texts(ignore_keys, "ignore_keys"))
        self.data, self.split, self.config = data, split, config
        self.columns = {name: name for name in COLUMNS} | dict(columns or {})
        self._unread = [name for name in INPUT_COLUMNS if name not in self.columns.values()]

    def load(self) -> Iterator[Item]:
        """Read the pairs one by one. Pairs with equal contexts form a cluster; an id is the row's id or number."""
        subsets: set[str] = set()
        most = limit("SUBSETS")
        for number, row in enumerate(self._rows()):
            item = self._item(row, number)
            subsets.add(item.subset)
            if "all" in subsets and len(subsets) > 1:
                raise DataError(
                    f"{row.where}: some pairs have a subset, others none or 'all', which stands for all pairs: give "
                    "each a subset"
                )
            if len(subsets) > most:
                raise DataError(
                    f"{row.where}: there are more than {most:,} subsets (RMEVAL_MAX_SUBSETS), and each has its own "
                    "accuracy: give a column with few names, with `columns` subset=NAME"
                )
            yield item

    def _rows(self) -> Iterable[Row]:
        if self.data is None:
            raise DataError("pairs needs data: give a file, a folder or a hub id with `data`")
        place = Path(self.data)
        if place.is_dir():
            return (row for path in find_files(place) for row in iterate_rows(path))
        if place.exists() or not is_hub_id(self.data) or place.name.endswith(SUFFIXES):
            if self.split or self.config:
                raise DataError(
                    f"`split` and `config` are for data on the hub, and {self.data} is a local file: leave them out"
                )
            return iterate_rows(place)
        return _hub_rows(self.data, self.config, self.split or "train")

    def _item(self, row: Row, number: int) -> Item:
        chosen_context, chosen = self._side(row, "chosen")
        rejected_context, rejected = self._side(row, "rejected")
        if chosen_context is None or rejected_context is None:
            prompt = self._begin(row, self._prompt(row))
            chosen_context, rejected_context = chosen_context or prompt, rejected_context or prompt
        if chosen_context != rejected_context:
            raise DataError(
                f"{row.where}: chosen and rejected belong to different conversations: make the messages before the "
                "last equal"
            )
        subset, name = (self._name(row, column) for column in ("subset", "id"))
        tools = tools_of(self._unless_ignored(row, "tools"), row.place(self.columns["tools"]))
        self._reader.refuse_columns(row.fields, self._unread, (*chosen_context, chosen, rejected), row.where)
        return Item(
            id=str(number) if name is None else name,
            subset="all" if subset is None else subset,
            prompt=chosen_context,
            responses=(_response(chosen, 1.0), _response(rejected, 0.0)),
            comparisons=PAIR,
            cluster=conversation_digest(chosen_context, tools),
            tools=tools,
        )

    def _optional(self, row: Row, name: str) -> Any:
        """Return the value of an optional column, which is required if `columns` names it."""
        column = self.columns[name]
        return row.fields.get(column) if column == name else row.get(column)

    def _name(self, row: Row, name: str) -> str | None:
        """Return the value of a column with a name; None if it is missing or an empty cell of CSV."""
        return None if self._optional(row, name) in (None, "") else row.name(self.columns[name])

    def _unless_ignored(self, row: Row, name: str) -> Any:
        return None if self.columns[name] in self._reader.ignored else self._optional(row, name)

    def _side(self, row: Row, side: str) -> tuple[Conversation | None, Message]:
        """Return context and response of a side: messages that end with the response, or a string after the prompt.

        The context is None for a string.
        """
        column = self.columns[side]
        value = row.get(column)
        messages = None
        if isinstance(value, str):
            messages = self._reader.listed(value, row.place(column))
            if messages is None:
                return None, Message("assistant", value)
        elif not isinstance(value, list):
            raise row.wrong(column, "a string or a list of messages", value)
        messages = messages or row.conversation(column, self._reader)
        if not messages or messages[-1].role != "assistant":
            raise DataError(f"{row.where}: column {column!r} must end with a message of the role assistant")
        context = messages[:-1]
        prompt = self.columns["prompt"]
        if prompt not in self._reader.ignored and not is_empty(row.fields.get(prompt)):
            context = self._joined(row, context)
        if not context:
            raise DataError(f"{row.where}: there is no prompt before the response in {column!r}: add a column 'prompt'")
        return self._begin(row, context), messages[-1]

    def _prompt(self, row: Row) -> Conversation:
        return row.conversation(self.columns["prompt"], self._reader)

    def _joined(self, row: Row, context: Conversation) -> Conversation:
        """Return the conversation before the response, from a prompt and the messages before the response."""
        # A list that begins with the assistant contains only the response; the conversation is then in the prompt.
        if all(message.role == "assistant" for message in context):
            return (*self._prompt(row), *context)
        prompt = self._prompt(row)
        if all(message.role == "system" for message in prompt) and context[0].role != "system":
            return (*prompt, *context)
        shorter, longer = sorted((prompt, context), key=len)
        if any(_alike(longer[start:], shorter) for start in range(len(longer) - len(shorter) + 1)):
            return longer
        raise DataError(
            f"{row.where}: the column {self.columns['prompt']!r} contradicts the messages before the response: make "
            f"them equal, or exclude the column with `ignore_keys` {self.columns['prompt']}"
        )

    def _begin(self, row: Row, context: Conversation) -> Conversation:
        """Return the conversation, preceded by the messages of the columns `system` and `history`."""
        system, history = self._unless_ignored(row, "system"), self._unless_ignored(row, "history")
        if not is_empty(history):
            earlier = self._reader.history(history, row.place(self.columns["history"]))
            first = next((place for place, message in enumerate(context) if message.role != "system"), len(context))
            context = (*context[:first], *earlier, *context[first:])
        if is_empty(system):
            return context
        system = row.text(self.columns["system"])
        given = [message.content for message in context if message.role == "system"]
        if not given:
            return (Message("system", system), *context)
        if given == [system]:
            return context
        raise DataError(
            f"{row.where}: the column {self.columns['system']!r} contradicts the system message of the prompt: make "
            f"them equal, or exclude the column with `ignore_keys` {self.columns['system']}"
        )

    def aggregate(
        self, items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule, intervals: bool = True
    ) -> list[Record]:
        """Compute the accuracy by subset, if there are subsets, and over all pairs."""
        found = outcomes(items, evidence, rule)
        records = [
            accuracy_record(self.card.id, rule, name, part, FORMULA)
            for name, part in found.by_subset()
            if name != "all"
        ]
        return [*records, accuracy_record(self.card.id, rule, "all", found, FORMULA)]


def _alike(longer: Conversation, shorter: Conversation) -> bool:
    """Return whether a conversation begins with another, ignoring white space around texts."""
    return all(
        replace(one, content=one.content.strip()) == replace(two, content=two.content.strip())
        for one, two in zip(longer, shorter, strict=False)
    )


def _response(message: Message, gold: float) -> Response:
    return Response(message.content, gold, message=message if message.extras else None)


def _hub_rows(name: str, config: str | None, split: str) -> Iterator[Row]:
    try:
        import datasets
    except ImportError as error:
        raise need_extra(error, f"the data set {name}") from error
    logger.warning("reading %s from the hub or the local cache; licence: see its page on the hub", name)
    try:
        with offline_without_hub(name, "dataset"):
            table = datasets.load_dataset(name, config, split=split)
    except datasets.exceptions.DatasetNotFoundError as error:
        raise DataError(
            f"the data set {name} is not on the hub, or needs a login: check the spelling "
            "(a local file needs its path), or log in with 'hf auth login' or HF_TOKEN"
        ) from error
    except ConnectionError as error:
        raise DataError(
            f"the data set {name} is not available because the hub cannot be reached: check the connection, or give a "
            "local file"
        ) from error
    except ValueError as error:
        raise DataError(f"the data set {name} cannot be read ({error}): check `split` and `config`") from error
    return (Row(dict(fields), f"{name} {split} row {number}") for number, fields in enumerate(table))
