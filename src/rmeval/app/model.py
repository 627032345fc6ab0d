"""The page of a model: what is known about it, and its numbers on each benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rmeval.app.filters import Params, first_of
from rmeval.app.index import IndexedRun
from rmeval.app.pages import address
from rmeval.app.viewer import Viewer
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.models.cards import descriptor_of
from rmeval.published import Place, places_of
from rmeval.report.cells import clean
from rmeval.report.html import html_text
from rmeval.report.run import run_view
from rmeval.results.result import Result

__all__ = ["ModelView", "ShownRun", "model_view"]


_NOTHING = Markup()


@dataclass(frozen=True, slots=True)
class ShownRun:
    """A run on the page of its model.

    Attributes:
        key: Key of the run.
        title: Name of the benchmark.
        problem: Why there are no numbers; empty if there are.
        numbers: Its tables.
        has_matrix: Whether the benchmark has a style-substance matrix, which can be drawn.
        places: Its places on further published boards, one sentence each.
        links: Names and addresses of its items and of its analysis.
    """

    key: str
    title: str
    problem: str = ""
    numbers: Markup = _NOTHING
    has_matrix: bool = False
    places: Sequence[str] = ()
    links: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class ModelView:
    """The page.

    Attributes:
        name: The model's name.
        facts: Names and texts of what is known about it.
        runs: Its runs.
    """

    name: str
    facts: Sequence[tuple[str, str]]
    runs: Sequence[ShownRun]


def model_view(viewer: Viewer, params: Params) -> ModelView:
    """Return what the page of an address shows.

    Raises:
        DataError: If there is no such model.
    """
    name = first_of(params, "name")
    own = [run for run in viewer.index.runs() if run.model == name]
    if not own:
        raise DataError(f"there is no run of a model {quoted(name)}: choose one on the leaderboard")
    return ModelView(clean(name), list(_facts(name, own)), [_run(viewer, run) for run in own])


def _facts(name: str, runs: Sequence[IndexedRun]) -> Iterator[tuple[str, str]]:
    yield "kind", ", ".join(dict.fromkeys(clean(run.kind) for run in runs if run.kind))
    if (found := descriptor_of(name)) is None:
        return
    size = "" if found.parameters is None else f"{found.parameters:g} billion parameters"
    facts = (
        ("size", size),
        ("base model", found.base_model),
        ("method", found.method),
        ("training data", found.training_data),
        ("licence", found.licence),
        ("source of these facts", found.source),
    )
    yield from ((label, clean(text)) for label, text in facts if text)


def _run(viewer: Viewer, run: IndexedRun) -> ShownRun:
    title, result = clean(run.title or f"run {run.folder.name}"), viewer.result(run)
    if not isinstance(result, Result):
        return ShownRun(run.key, title, result)
    return ShownRun(
        run.key,
        title,
        numbers=Markup(html_text([run_view(result)])),
        has_matrix=any(record.metric == "easy" for record in result.records),
        # The place on the main board is among the notes below the numbers.
        places=[_place(place) for place in places_of(result)[1:]],
        links=[
            ("misjudged items", address("/items", run=run.key, outcome="wrong")),
            ("all items", address("/items", run=run.key)),
            ("biases and calibration", address("/analysis", run=run.key)),
        ],
    )


def _place(place: Place) -> str:
    """A sentence on the place, with the rows near it that contradict themselves."""
    marked = ", ".join(row.model for row in place.marked)
    return clean(f"{place.sentence} (these among its ranks: {marked})" if marked else place.sentence)
