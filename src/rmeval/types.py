"""The vocabulary every layer shares: plain frozen data, no behaviour that needs a model or a file.

What is known to be better lives in `Item` (through `Response.gold` and `Comparison.gold`).
`Request` is the input of a model, without gold; `Observation` is its output.
`Evidence` is what metrics see of a model; `Record` is one published number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "MESSAGE_EXTRAS",
    "STYLES",
    "Comparison",
    "Conversation",
    "Evidence",
    "FloatArray",
    "IntArray",
    "Item",
    "Message",
    "Observation",
    "Record",
    "Request",
    "Response",
    "ScoreRule",
    "Status",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

STYLES = ("concise", "detailed_plain", "detailed_markdown")
"""RM-Bench's three styles in the order of its lists (Liu et al. 2025, section 3.3), plainest first."""

Status = Literal["ok", "unparsed", "refused", "no_verdict", "overlength", "error"]
"""What came back: an answer; text that is no answer, a refusal, or text that ends before the answer; nothing, because
the input is too long; or a failure, which the next run asks for again."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: Who speaks.
        content: What is said; empty where the turn is a tool call alone.
        name: The speaker's or the tool's name.
        tool_calls: The calls of an assistant's turn, as the source has them.
        tool_call_id: The call that a tool's turn answers.
        reasoning_content: Reasoning that the source keeps apart from the content.
    """

    role: str
    content: str
    name: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    tool_call_id: str | None = None
    reasoning_content: str | None = None

    @property
    def extras(self) -> dict[str, Any]:
        """What the message holds beside role and content, as JSON."""
        if not (self.name or self.tool_calls or self.tool_call_id or self.reasoning_content):
            return {}  # Nearly all messages are such.
        found = {key: value for key in MESSAGE_EXTRAS if (value := getattr(self, key))}
        return {key: list(value) if key == "tool_calls" else value for key, value in found.items()}

    def to_dict(self) -> dict[str, Any]:
        """The message as chat templates and the user's own scorers get it."""
        return {"role": self.role, "content": self.content, **self.extras}


MESSAGE_EXTRAS = ("name", "tool_calls", "tool_call_id", "reasoning_content")
"""Keys of a message that are read beside `role` and `content`."""


Conversation = tuple[Message, ...]
"""A prompt of one or more messages, followed by the answer under judgement."""


@dataclass(frozen=True, slots=True)
class Response:
    """One candidate answer.

    Attributes:
        text: The answer. Empty where an item was read back from a run folder that does not store texts.
        gold: Quality, higher is better; 1 and 0 stand for right and wrong; None where only comparisons are known.
        style: One of `STYLES`, or None.
        source: The model or person that wrote it.
        message: The answer as a message, where it holds more than its text, such as tool calls.
    """

    text: str
    gold: float | None = None
    style: str | None = None
    source: str | None = None
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A question with a known answer: which of these responses is the best?

    Attributes:
        members: Indices into `Item.responses`.
        gold: Position in `members` of the winner; None is a tie according to the annotators.
        tag: What kind of comparison it is, for grouping, such as `concise/detailed_markdown`.
    """

    members: tuple[int, ...]
    gold: int | None = 0
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One prompt with its candidate answers and the comparisons among them.

    Attributes:
        id: Unique within the benchmark.
        subset: The finest part of the benchmark that it is reported by.
        prompt: The messages before the answer.
        responses: Candidate answers.
        comparisons: Questions with known answers about them.
        cluster: The underlying problem, which is the unit that resampling draws.
        group: Items that are judged together share it; None otherwise.
        meta: Whatever else the source says about it.
        tools: The tools that the answers may call, as JSON schemas.
    """

    id: str
    subset: str
    prompt: Conversation
    responses: tuple[Response, ...]
    comparisons: tuple[Comparison, ...]
    cluster: str
    group: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Mapping[str, Any], ...] = ()

    def conversation(self, index: int) -> Conversation:
        """The prompt followed by response `index` as the assistant's turn."""
        response = self.responses[index]
        return (*self.prompt, response.message or Message("assistant", response.text))

    def messages(self, order: Sequence[int]) -> tuple[Message, ...]:
        """Some responses as messages; empty where none of them holds more than its text."""
        for index in order:
            if self.responses[index].message is not None:
                return tuple(self.conversation(each)[-1] for each in order)
        return ()


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model. It holds no gold, so that no model can see one.

    Attributes:
        key: Digest of protocol, prompt, content, order, vote and judge; equal questions have equal keys, and are asked
            once.
        item: Id of the item it came from (the first, if several ask the same).
        members: Indices into the item's responses, in the order in which they are presented.
        prompt: The messages before the answers.
        responses: The answers' texts, in the order in which they are presented.
        vote: Number of the repetition, for models that answer at random.
        judge: Name of the judge, for juries.
        messages: The answers as messages, where one holds more than its text; else empty.
        tools: The tools that the answers may call.
    """

    key: str
    item: str
    members: tuple[int, ...]
    prompt: Conversation
    responses: tuple[str, ...]
    vote: int = 0
    judge: str | None = None
    messages: tuple[Message, ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()

    @property
    def conversation(self) -> Conversation:
        """The prompt followed by the first presented answer: all there is to a pointwise request."""
        return (*self.prompt, self.messages[0] if self.messages else Message("assistant", self.responses[0]))


@dataclass(frozen=True, slots=True)
class Observation:
    """What came back for one request, and nothing about whether it is right.

    Attributes:
        key: The request's key.
        status: `ok`, or why there is no full answer.
        values: Named numbers, such as `{"score": 0.1}` or `{"steps": (0.9, 0.2)}`: finite floats, or tuples of them.
        choice: Position of the preferred member as presented; -1 for a declared tie; None if not asked.
        usage: Counts such as `{"tokens": 120}`.
        error: What went wrong, in words.
        sequence: 16 hex digits that stand for the tokens that the model read; equal tokens have one answer.
        input_truncated: Whether the model read only a part of its input.
    """

    key: str
    status: Status = "ok"
    values: Mapping[str, float | tuple[float, ...]] = field(default_factory=dict)
    choice: int | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    sequence: str | None = None
    input_truncated: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a model said about one item, under one variant of its score.

    Attributes:
        item: The item's id.
        variant: Name of the value the scores were taken from, such as `score`.
        scores: float64[n], one per response; NaN where there is none.
        beats: float64[n, n]: 1 where the row was preferred to the column, 0.5 for a tie, 0, NaN where unknown;
            None where it follows from `scores`.
        failures: How many observations gave no value, by status.
    """

    item: str
    variant: str
    scores: FloatArray
    beats: FloatArray | None = None
    failures: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScoreRule:
    """How ties and failures count; named and versioned, because published numbers depend on it.

    Attributes:
        name: Name and version.
        tie: Credit for a comparison in which the winner shares the top with others: `loss` gives 0,
            `share` gives 1/k where k responses share the top (one half in a pair).
        failure: `loss` counts a comparison without a score as lost, `exclude` leaves it out of the average, `share`
            gives 1/k for one among k responses (where what is counted is no comparison, it is lost).
    """

    name: str
    tie: Literal["loss", "share"]
    failure: Literal["loss", "exclude", "share"]


@dataclass(frozen=True, slots=True)
class Record:
    """One number, with all that is needed to publish it.

    Attributes:
        benchmark: Benchmark id.
        variant: Which of the model's scores.
        rule: Name of the rule for ties and failures.
        metric: What was measured: `accuracy`, `easy`, `section`, `overall`, `cell:concise/detailed_plain`, ...
        scope: What it was measured on: a subset, a domain, a section or `all`.
        value: The number; accuracies are between 0 and 1.
        ci: 95% interval, or None where there are too few clusters for one.
        ci_method: How the interval was made.
        n_items: Items behind it.
        n_clusters: Distinct underlying problems behind it.
        weight: Weight of this scope in the average above it.
        ties: Comparisons in which the model gave equal scores at the top.
        failures: Comparisons without a score.
        null: What the null baselines get on the same items, ties counted as shared.
        formula: Name and version of the formula.
    """

    benchmark: str
    variant: str
    rule: str
    metric: str
    scope: str
    value: float
    ci: tuple[float, float] | None
    ci_method: str | None
    n_items: int
    n_clusters: int
    weight: float
    ties: int
    failures: int
    null: Mapping[str, float]
    formula: str

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON types, fields in the order above."""
        return asdict(self)
