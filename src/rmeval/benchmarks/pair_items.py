"""Items of preference pairs: the conversation before the responses, and the responses, from the columns of a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rmeval.benchmarks.base import PAIR
from rmeval.benchmarks.shapes.reading import Columns, PairRow
from rmeval.data.conversations import INPUT_COLUMNS, MessageReader, is_empty, is_said, tools_of
from rmeval.data.dialogues import is_dialogue
from rmeval.data.digests import conversation_digest
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.types import Conversation, Item, Message, Response

__all__ = ["DifferentConversationsError", "PairReader"]


_CONVERSATIONS = ("messages", "conversations", "conversation", "dialogue")
"""Columns that may contain the conversation beside the prompt and the responses."""


class DifferentConversationsError(DataError):
    """The chosen and the rejected response belong to different conversations."""


class PairReader:
    """Reads the pairs of rows with the same columns."""

    def __init__(self, columns: Columns, reader: MessageReader) -> None:
        """Store the columns by role, and the reader of messages."""
        self._columns, self._reader, self._turns = columns.of, reader, columns.turns
        self._optionals = {
            role: column
            for role, column in columns.of.items()
            if role in ("subset", "id", "system", "history", "tools") and column not in reader.ignored
        }
        self._beside = {name for name in _CONVERSATIONS if name not in self._columns.values()} - reader.ignored
        self._checked = False
        self._unread = [name for name in INPUT_COLUMNS if name not in self._columns.values()]

    def item(self, pair: PairRow) -> Item:
        """Return the item of a pair: two responses, the better one first.

        Raises:
            DifferentConversationsError: If the conversations before the responses differ.
            DataError: If the row cannot be read.
        """
        row = pair.row
        chosen_context, chosen = self._side(row, "chosen")
        rejected_context, rejected = self._side(row, "rejected")
        if chosen_context is None or rejected_context is None:
            prompt = self._begin(row, self._prompt(row))
            if not self._checked:
                self._checked = True
                self._note_repeated(row, prompt, (chosen, rejected))
            chosen_context, rejected_context = chosen_context or prompt, rejected_context or prompt
        if chosen_context != rejected_context:
            raise DifferentConversationsError(
                f"{row.where}: chosen and rejected belong to different conversations: make the messages before the "
                "last equal"
            )
        subset, name = (self._name(row, column) for column in ("subset", "id"))
        tools = tools_of(self._optional(row, "tools"), row.place(self._columns.get("tools", "tools")))
        said = (*chosen_context, chosen, rejected)
        self._reader.refuse_columns(row.fields, self._unread, said, row.where)
        if not row.fields.keys().isdisjoint(self._beside):
            self._note_unread(row, said)
        return Item(
            id=(str(pair.number) if name is None else name) + pair.suffix,
            subset="all" if subset is None else subset,
            prompt=chosen_context,
            responses=(_response(chosen, 1.0), _response(rejected, 0.0)),
            comparisons=PAIR,
            cluster=conversation_digest(chosen_context, tools),
            tools=tools,
        )

    def _note_repeated(self, row: Row, prompt: Conversation, responses: Conversation) -> None:
        """Note that both responses of the first row begin with the prompt, which the model would then read twice."""
        text = prompt[-1].content.strip() if prompt and isinstance(prompt[-1].content, str) else ""
        if text and all(isinstance(one.content, str) and one.content.lstrip().startswith(text) for one in responses):
            self._reader.note(
                "repeated",
                "%s: both responses begin with the text of the prompt, which the model then reads twice: if the "
                "responses should not contain it, exclude the column with `ignore_keys` %s",
                row.where,
                self._columns.get("prompt", "prompt"),
            )

    def _note_unread(self, row: Row, said: Conversation) -> None:
        """Note a column with a conversation that is not read, if it has other texts than the pair."""
        for name in self._beside & row.fields.keys():
            if isinstance(value := row.fields[name], list) and not is_said(value, said):
                self._reader.note(
                    f"unread {name}",
                    "%s has texts that are not in the pair, and rmeval does not read it: to use it as the prompt, give "
                    "`columns` prompt=%s",
                    row.place(name),
                    name,
                )

    def _optional(self, row: Row, role: str) -> Any:
        """Return the value of an optional column, required if its name is unusual; None if ignored."""
        column = self._optionals.get(role)
        if column is None:
            return None
        return row.fields.get(column) if column == role else row.get(column)

    def _name(self, row: Row, role: str) -> str | None:
        """Return the value of a column with a name; None if it is missing, ignored or an empty cell of CSV."""
        return None if self._optional(row, role) in (None, "") else row.name(self._columns[role])

    def _side(self, row: Row, side: str) -> tuple[Conversation | None, Message]:
        """Return context and response of a side: messages that end with the response, or a string after the prompt.

        The context is None for a string.
        """
        column = self._columns[side]
        value = row.get(column)
        messages = None
        if isinstance(value, str):
            messages = self._reader.listed(value, row.place(column))
            if messages is None:
                if is_dialogue(value):
                    self._reader.note(
                        "dialogue",
                        "%s is a dialogue in one text beside a prompt, which rmeval reads as the response: to read the "
                        "turns, exclude the prompt with `ignore_keys` %s",
                        row.place(column),
                        self._columns.get("prompt", "prompt"),
                    )
                return None, Message("assistant", value)
        elif isinstance(value, dict):
            inside = value["messages"] if value.keys() == {"messages"} else [value]
            messages = self._reader.conversation(inside, row.place(column))
        elif not isinstance(value, list):
            raise row.wrong(column, "a string or a list of messages", value)
        messages = messages or row.conversation(column, self._reader)
        if not messages or messages[-1].role != "assistant":
            raise DataError(f"{row.where}: column {column!r} must end with a message of the role assistant")
        context = messages[:-1]
        prompt = self._columns.get("prompt")
        if prompt is not None and prompt not in self._reader.ignored and not is_empty(row.fields.get(prompt)):
            context = self._joined(row, context)
        if not context:
            raise DataError(f"{row.where}: there is no prompt before the response in {column!r}: add a column 'prompt'")
        return self._begin(row, context), messages[-1]

    def _prompt(self, row: Row) -> Conversation:
        return row.prompt(self._columns.get("prompt", "prompt"), self._reader, self._turns)

    def _joined(self, row: Row, context: Conversation) -> Conversation:
        """Return the conversation before the response, from a prompt and the messages before the response."""
        # A list that begins with the assistant contains only the response; the conversation is then in the prompt.
        if all(message.role == "assistant" for message in context):
            return (*self._prompt(row), *context)
        prompt = self._prompt(row)
        if all(message.role == "system" for message in prompt) and context[0].role != "system":
            return (*prompt, *context)
        shorter, longer = sorted((prompt, context), key=len)
        more = len(longer) - len(shorter)
        # The response follows the last message, so if the prompt has more messages, the others must be its end.
        starts = range(more + 1) if longer is context else (more,)
        if any(_alike(longer[start:], shorter) for start in starts):
            return longer
        raise DataError(
            f"{row.where}: the column {self._columns['prompt']!r} contradicts the messages before the response: make "
            f"them equal, or exclude the column with `ignore_keys` {self._columns['prompt']}"
        )

    def _begin(self, row: Row, context: Conversation) -> Conversation:
        """Return the conversation, preceded by the messages of the columns `system` and `history`."""
        system, history = self._optional(row, "system"), self._optional(row, "history")
        if not is_empty(history):
            earlier = self._reader.history(history, row.place(self._columns["history"]))
            first = next((place for place, message in enumerate(context) if message.role != "system"), len(context))
            context = (*context[:first], *earlier, *context[first:])
        if is_empty(system):
            return context
        system = row.text(self._columns["system"])
        given = [message.content for message in context if message.role == "system"]
        if not given:
            return (Message("system", system), *context)
        if given == [system]:
            return context
        raise DataError(
            f"{row.where}: the column {self._columns['system']!r} contradicts the system message of the prompt: make "
            f"them equal, or exclude the column with `ignore_keys` {self._columns['system']}"
        )


def _alike(longer: Conversation, shorter: Conversation) -> bool:
    """Return whether a conversation begins with another, ignoring white space around texts."""
    return all(
        replace(one, content=one.content.strip()) == replace(two, content=two.content.strip())
        for one, two in zip(longer, shorter, strict=False)
    )


def _response(message: Message, gold: float) -> Response:
    return Response(message.content, gold, message=message if message.extras else None)
