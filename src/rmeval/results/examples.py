"""Misjudged comparisons with their texts, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from rmeval.results.frames import frame_of
from rmeval.results.notebook import html_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["JudgedResponse", "Tally", "UnreadOutput", "WrongExample", "WrongExamples"]


@dataclass(frozen=True)
class JudgedResponse:
    """One of the two responses of a misjudged comparison.

    Attributes:
        text: The response, with its tool calls.
        score: The model's score; None if the model compares responses without scores.
        gold: The response's gold; None where the data state only which response is better.
        source: The model or person that wrote it, if the data name one.
        other_score: The other model's score, where two models disagree.
    """

    text: str
    score: float | None
    gold: float | None
    source: str | None = None
    other_score: float | None = None


@dataclass(frozen=True)
class WrongExample:
    """A comparison that a model misjudges.

    Attributes:
        item: The item's id.
        outcome: `loss`, or `tie` if the model prefers neither response.
        margin: The score of the chosen response less that of the rejected one, so 0 or less. For a model that compares
            responses, its preference for the chosen one less one half.
        model: The model that misjudges it.
        subset: The item's subset.
        cell: The comparison's tag, such as `concise/detailed_markdown`.
        cluster: The underlying problem.
        prompt: The messages before the response, with the names of the tools.
        chosen: The better response.
        rejected: The response that the model prefers; of several, the one with the best score.
        members: Number of responses in the comparison.
        right_model: The model that judges it right, where two models disagree.
        other_margin: The margin of that model.
        erratum: What `rmeval errata` states of the item.
        judge: What a judge wrote of the two responses, in each order, if the run stores texts.
    """

    item: str
    outcome: Literal["loss", "tie"]
    margin: float
    model: str
    subset: str
    cell: str
    cluster: str
    prompt: str
    chosen: JudgedResponse
    rejected: JudgedResponse
    members: int = 2
    right_model: str | None = None
    other_margin: float | None = None
    erratum: str | None = None
    judge: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the example as plain JSON types: one value per column, with whole texts."""
        found: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for side in ("chosen", "rejected"):
            own: JudgedResponse = found[side]
            found[side] = own.text
            found |= {f"{side}_{name}": getattr(own, name) for name in ("score", "gold", "source", "other_score")}
        return found


@dataclass(frozen=True)
class Tally:
    """Number of comparisons that one model misjudges.

    Attributes:
        model: The model.
        losses: Comparisons in which it prefers another response to the better one.
        ties: Comparisons in which it prefers neither.
        comparisons: Number of comparisons with scores, right ones included.
        right_model: The model that judges these right, where two models disagree.
    """

    model: str
    losses: int
    ties: int
    comparisons: int
    right_model: str | None = None


@dataclass(frozen=True)
class UnreadOutput:
    """An output of a judge that states no verdict.

    Attributes:
        item: The item's id.
        status: `unparsed`, `refused` or `no_verdict`.
        order: Numbers of the responses, from 1, in the order in which the prompt presents them.
        vote: Which of several votes it is, from 0.
        text: What the judge wrote.
    """

    item: str
    status: str
    order: str
    vote: int
    text: str


@dataclass(frozen=True)
class WrongExamples(Sequence[WrongExample]):
    """Misjudged comparisons, worst margin first; where two models disagree, first those that the run's model misjudges.

    Attributes:
        benchmark: The benchmark's id.
        model: The run's model.
        variant: The score of the model that decides.
        examples: The examples.
        tallies: How many there are in all, for the model, or for each of two models.
        notes: Notes for the reader, one sentence each.
        path: The run folder.
        scored: Whether the model gives scores; otherwise it compares responses.
        unread: Outputs of a judge without a verdict, as many as examples at most, if the run stores texts.
    """

    benchmark: str
    model: str
    variant: str
    examples: tuple[WrongExample, ...]
    tallies: tuple[Tally, ...]
    notes: tuple[str, ...]
    path: Path
    scored: bool = True
    unread: tuple[UnreadOutput, ...] = ()

    def __len__(self) -> int:
        return len(self.examples)

    @overload
    def __getitem__(self, index: int) -> WrongExample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[WrongExample]: ...
    def __getitem__(self, index: int | slice) -> WrongExample | Sequence[WrongExample]:
        return self.examples[index]

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each example, with whole texts."""
        return frame_of([one.to_dict() for one in self.examples])

    def __repr__(self) -> str:
        lines = [f"{self.benchmark}  {self.model}: {len(self.examples)} wrong examples"]
        lines += [f"  {one.item}  {one.cell}  {one.outcome}  margin {one.margin:.3g}" for one in self.examples[:_LINES]]
        return "\n".join([*lines, *(["  ..."] if len(self.examples) > _LINES else [])])

    def _repr_html_(self) -> str | None:
        return html_of(self)


_LINES = 5
"""Examples in the representation as text."""
