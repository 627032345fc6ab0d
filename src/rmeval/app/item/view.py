"""What the page of an item shows, as plain values for its template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from rmeval.app.heat import Heat

__all__ = ["Cell", "Grid", "ItemView", "ModelRow", "ShownMessage", "ShownResponse", "Tab"]


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message of the prompt.

    Attributes:
        role: The speaker's role.
        html: Its text.
        is_rendered: Whether its markdown is rendered.
        note: What is not shown; empty if nothing is left out.
    """

    role: str
    html: Markup
    is_rendered: bool
    note: str


@dataclass(frozen=True, slots=True)
class ShownResponse:
    """One of the two responses side by side.

    Attributes:
        heading: What it is in the comparison.
        facts: Its number, style, source and gold.
        score: The chosen model's score.
        html: Its text; None if it is not available.
        is_rendered: Whether its markdown is rendered.
        note: What is not shown; empty if nothing is left out.
    """

    heading: str
    facts: str
    score: str
    html: Markup | None
    is_rendered: bool
    note: str


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model in the table of scores.

    Attributes:
        name: The model.
        address: The same page for this model.
        chosen: Whether it is the one whose page this is.
        scores: Its score of each response in the columns.
        margin: Its margin of this comparison.
        outcome: What it decides.
    """

    name: str
    address: str
    chosen: bool
    scores: tuple[str, ...]
    margin: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A comparison of the item in a matrix.

    Attributes:
        address: Its page.
        margin: The chosen model's margin.
        outcome: What that model decides.
        shown: Whether it is this page's comparison.
    """

    address: str
    margin: str
    outcome: str
    shown: bool


@dataclass(frozen=True, slots=True)
class Grid:
    """All comparisons of an item whose members are pairs: winners in rows, others in columns.

    Attributes:
        columns: Labels of the others.
        rows: Label of each winner, and its comparisons; None where two responses are not compared.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]


@dataclass(frozen=True, slots=True)
class Tab:
    """Another comparison of the item, or another response of the comparison.

    Attributes:
        address: Its page.
        label: What it is.
        shown: Whether it is what the page shows.
    """

    address: str
    label: str
    shown: bool


@dataclass(frozen=True, slots=True)
class ItemView:
    """The page.

    Attributes:
        name: The item's id.
        title: Name of the benchmark.
        model: Name of the model whose scores the page is about.
        subset: The item's subset.
        cell: The comparison's tag.
        outcome: What the model decides; empty if the item has no comparison.
        margin: By how much.
        facts: Names and values of what else is known of the item.
        erratum: What is wrong with the item according to `rmeval errata`; empty if nothing is known.
        prompt: The messages before the response; empty if texts are not available.
        note: Why texts are not available; empty if they are.
        responses: The two responses.
        has_marks: Whether differing words are marked.
        is_markdown: Whether the page is to render markdown.
        columns: Labels of the responses in the table of scores.
        models: The rows of that table.
        grid: The item's comparisons as a matrix; None if they are not several pairs.
        comparisons: The item's comparisons, if there are several and no matrix shows them.
        others: The responses that the winner can be shown beside, if there are several.
        heat: Token scores of both responses; None if they are not known.
        heat_note: A note on them; empty if there is none.
        can_run: Whether the model may be run to compute them.
        judges: The name of each judge, and what it wrote of the two responses.
        links: Addresses by name: `list`, `previous`, `next`, `permalink`, `view`, `whole` and `compute`; empty where
            there is none.
    """

    name: str
    title: str
    model: str
    subset: str
    cell: str
    outcome: str
    margin: str
    facts: tuple[tuple[str, str], ...]
    erratum: str
    prompt: tuple[ShownMessage, ...]
    note: str
    responses: tuple[ShownResponse, ...]
    has_marks: bool
    is_markdown: bool
    columns: tuple[str, ...]
    models: tuple[ModelRow, ...]
    grid: Grid | None
    comparisons: tuple[Tab, ...]
    others: tuple[Tab, ...]
    heat: Heat | None
    heat_note: str
    can_run: bool
    judges: tuple[tuple[str, str], ...]
    links: Mapping[str, str]
