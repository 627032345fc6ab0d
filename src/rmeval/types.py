"""Data types that every layer shares: frozen dataclasses without behaviour that needs a model or a file.

`Item` holds the gold: which responses are known to be better (`Response.gold` and `Comparison.gold`).
`Request` is the input of a model, without gold; `Observation` is its output.
`Evidence` is the input of metrics; `Record` is one published number.
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
"""RM-Bench's three styles in the order of its lists (Liu et al. 2025, section 3.3), the plainest first."""

Status = Literal["ok", "unparsed", "refused", "no_verdict", "overlength", "error"]
"""Result of a request: a value; output that cannot be parsed, a refusal, or output that ends before a verdict; no
output, because the input is too long; or an error, after which the next run retries the request."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: Role of the speaker, such as `user` or `assistant`.
        content: The text; empty if the turn consists of tool calls only.
        name: Name of the speaker or the tool.
        tool_calls: The tool calls of an assistant's turn, as in the source.
        tool_call_id: Id of the call whose result a tool's turn contains.
        reasoning_content: Reasoning that the source stores separately from the content.
    """

    role: str
    content: str
    name: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    tool_call_id: str | None = None
    reasoning_content: str | None = None

    @property
    def extras(self) -> dict[str, Any]:
        """The fields of the message besides role and content, as JSON."""
        if not (self.name or self.tool_calls or self.tool_call_id or self.reasoning_content):
            return {}  # Fast path for nearly all messages.
        found = {key: value for key in MESSAGE_EXTRAS if (value := getattr(self, key))}
        return {key: list(value) if key == "tool_calls" else value for key, value in found.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the message in the form that chat templates and custom scorers receive."""
        return {"role": self.role, "content": self.content, **self.extras}


MESSAGE_EXTRAS = ("name", "tool_calls", "tool_call_id", "reasoning_content")
"""Keys of a message that are read besides `role` and `content`."""


Conversation = tuple[Message, ...]
"""A prompt of one or more messages, followed by the response to score."""


@dataclass(frozen=True, slots=True)
class Response:
    """One candidate response.

    Attributes:
        text: The text; empty if the item was read from a run folder without texts.
        gold: Quality, higher is better; 1 and 0 mean right and wrong; None if only comparisons are known.
        style: One of `STYLES`, or None.
        source: The model or person that wrote it.
        message: The response as a message, if it contains more than its text, such as tool calls.
    """

    text: str
    gold: float | None = None
    style: str | None = None
    source: str | None = None
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of responses with a known winner.

    Attributes:
        members: Indices into `Item.responses`.
        gold: Position of the winner in `members`; None for a tie according to the annotators.
        tag: Kind of comparison, for grouping, such as `concise/detailed_markdown`.
    """

    members: tuple[int, ...]
    gold: int | None = 0
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One prompt with its candidate responses and the comparisons among them.

    Attributes:
        id: Id of the item, unique within the benchmark.
        subset: The smallest reported part of the benchmark that contains the item.
        prompt: The messages before the response.
        responses: Candidate responses.
        comparisons: Comparisons with a known best response.
        cluster: The underlying problem, which is the unit of resampling.
        group: Name that items share if they are judged together; None otherwise.
        meta: Further fields of the source.
        tools: The tools that the responses may call, as JSON schemas.
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
        """Return the prompt followed by response `index` as the assistant's turn."""
        response = self.responses[index]
        return (*self.prompt, response.message or Message("assistant", response.text))

    def messages(self, order: Sequence[int]) -> tuple[Message, ...]:
        """Return some responses as messages; empty if none of them contains more than its text."""
        for index in order:
            if self.responses[index].message is not None:
                return tuple(self.conversation(each)[-1] for each in order)
        return ()


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a model. It contains no gold, so that no model receives any.

    Attributes:
        key: Digest of protocol, prompt, content, order, vote and judge; equal requests have equal keys and are run
            once.
        item: Id of the item that it belongs to (the first, if several items have equal requests).
        members: Indices into the item's responses, in the order in which they are presented.
        prompt: The messages before the responses.
        responses: The texts of the responses, in the order in which they are presented.
        vote: Number of the repetition, for models whose output is random.
        judge: Name of the judge, for juries.
        messages: The responses as messages, if one of them contains more than its text; otherwise empty.
        tools: The tools that the responses may call.
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
        """The prompt followed by the first presented response: the whole content of a pointwise request."""
        return (*self.prompt, self.messages[0] if self.messages else Message("assistant", self.responses[0]))


@dataclass(frozen=True, slots=True)
class Observation:
    """A model's result for one request, without regard to gold.

    Attributes:
        key: The request's key.
        status: `ok`, or why there is no complete result.
        values: Named numbers, such as `{"score": 0.1}` or `{"steps": (0.9, 0.2)}`: finite floats, or tuples of them.
        choice: Position of the preferred member as presented; -1 for a declared tie; None if the request has no choice.
        usage: Counts such as `{"tokens": 120}`.
        error: Description of the problem.
        sequence: 16 hex digits that identify the tokens that the model read; equal tokens have equal values.
        input_truncated: Whether the model read only part of its input.
        raw: What a judge wrote, for readers; it is not part of the journal.
    """

    key: str
    status: Status = "ok"
    values: Mapping[str, float | tuple[float, ...]] = field(default_factory=dict)
    choice: int | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    sequence: str | None = None
    input_truncated: bool = False
    raw: str | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A model's scores or preferences for one item, for one variant of its score.

    Attributes:
        item: The item's id.
        variant: Name of the value that the scores come from, such as `score`.
        scores: float64[n], one per response; NaN for a missing score.
        beats: float64[n, n]: 1 where the model prefers the row to the column, 0 where it prefers the column, 0.5 for a
            tie, NaN where unknown; None if it follows from `scores`.
        failures: Number of observations without a value, by status.
    """

    item: str
    variant: str
    scores: FloatArray
    beats: FloatArray | None = None
    failures: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScoreRule:
    """A named and versioned rule for how ties and failures count, as published numbers depend on it.

    Attributes:
        name: Name and version.
        tie: Credit for a comparison in which the winner shares the top score with others: `loss` gives 0, `share` gives
            1/k if k responses share the top score (one half in a pair).
        failure: `loss` counts a comparison with a missing score as lost, `exclude` excludes it from the average,
            `share` gives 1/k for a comparison of k responses (a credit that is not a comparison counts as lost).
    """

    name: str
    tie: Literal["loss", "share"]
    failure: Literal["loss", "exclude", "share"]


@dataclass(frozen=True, slots=True)
class Record:
    """One number, with everything that is needed to publish it.

    Attributes:
        benchmark: Benchmark id.
        variant: Name of the model's score.
        rule: Name of the score rule.
        metric: Name of the metric: `accuracy`, `easy`, `section`, `overall`, `cell:concise/detailed_plain`, ...
        scope: The part of the benchmark: a subset, a domain, a section or `all`.
        value: The number; accuracies are between 0 and 1.
        ci: 95% interval, or None if there are too few clusters.
        ci_method: Method of the interval.
        n_items: Number of items.
        n_clusters: Number of distinct underlying problems.
        weight: Weight of this scope in the average that contains it.
        ties: Number of comparisons in which the winner shares the top score.
        failures: Number of comparisons with a missing score.
        null: Values of the null baselines on the same items, with ties shared.
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
        """Return the record as plain JSON types, with the fields in the order above."""
        return asdict(self)
