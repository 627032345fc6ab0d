"""What notebooks show of results: their views as HTML. Importing this module registers it."""

from __future__ import annotations

from dataclasses import replace

from rmeval.candidates.summary import CandidateSummary
from rmeval.messages import count_of
from rmeval.predict.curves import BestOfNCurves
from rmeval.predict.policy_correlation import Correlations
from rmeval.predict.style_control import StyleControl
from rmeval.predict.trainings import TrainingsComparison
from rmeval.report.across import across_view
from rmeval.report.analysis import analysis_view
from rmeval.report.audit import audit_view
from rmeval.report.best_of_n import best_of_n_view
from rmeval.report.candidates import candidates_view
from rmeval.report.cascade import cascade_view
from rmeval.report.comparison import comparison_view
from rmeval.report.correlate import correlations_view
from rmeval.report.estimate import estimate_view
from rmeval.report.html import html_text
from rmeval.report.item_analysis import item_analysis_view
from rmeval.report.jury import jury_view
from rmeval.report.leads import leads_view
from rmeval.report.plan import plan_view
from rmeval.report.run import headline_of, measure_name, number_of, run_view
from rmeval.report.style_control import style_control_view
from rmeval.report.trainings import trainings_view
from rmeval.report.variance import variance_view
from rmeval.report.views import Table, View
from rmeval.report.wrong import wrong_view
from rmeval.results.across import AcrossBenchmarks
from rmeval.results.analyze import Analysis
from rmeval.results.cascade import Cascade
from rmeval.results.compare import ModelComparison
from rmeval.results.estimate import Estimate
from rmeval.results.examples import WrongExamples
from rmeval.results.goals import Plan
from rmeval.results.item_analysis import ItemAnalysis
from rmeval.results.jury import Jury
from rmeval.results.leads import Leads
from rmeval.results.notebook import html_of
from rmeval.results.result import Result
from rmeval.results.variance import VarianceStudy
from rmeval.robustness.audit import Audit

__all__: list[str] = []

_ROWS = 30
"""Rows of a table: it stands among the other output of a notebook."""


@html_of.register
def _(value: Result) -> str:
    view = run_view(value)
    top = headline_of(value.records)
    if view.headline is None and top is not None:
        view = replace(view, headline=(measure_name((top.metric, top.scope)), number_of(top)))
    # The first table with columns holds the main numbers; to_pandas() has all of them.
    last = next((k for k, table in enumerate(view.tables) if table.layout != "lines"), len(view.tables))
    return html_text([_short(replace(view, tables=view.tables[: last + 1]))])


@html_of.register
def _(value: Plan) -> str:
    return html_text([_short(plan_view(value))])


@html_of.register
def _(value: Analysis) -> str:
    return html_text([_short(analysis_view(value))])


@html_of.register
def _(value: ModelComparison) -> str:
    view = comparison_view(value)
    notes = tuple(note for note in value.notes if note != value.absent)
    # The ranking and the differences; to_pandas() has the other numbers.
    return html_text([_short(replace(view, tables=view.tables[:2], notes=notes))])


@html_of.register
def _(value: Estimate) -> str:
    return html_text([estimate_view(value)])


@html_of.register
def _(value: Audit) -> str:
    return html_text([audit_view(value)])


@html_of.register
def _(value: Cascade) -> str:
    return html_text([_short(cascade_view(value))])


@html_of.register
def _(value: Correlations) -> str:
    return html_text([_short(correlations_view(value))])


@html_of.register
def _(value: BestOfNCurves) -> str:
    return html_text([_short(best_of_n_view(value))])


@html_of.register
def _(value: CandidateSummary) -> str:
    return html_text([_short(candidates_view(value))])


@html_of.register
def _(value: Jury) -> str:
    return html_text([_short(jury_view(value))])


@html_of.register
def _(value: VarianceStudy) -> str:
    return html_text([variance_view(value)])


@html_of.register
def _(value: StyleControl) -> str:
    return html_text([_short(style_control_view(value))])


@html_of.register
def _(value: TrainingsComparison) -> str:
    return html_text([_short(trainings_view(value))])


@html_of.register
def _(value: AcrossBenchmarks) -> str:
    return html_text([across_view(value)])


@html_of.register
def _(value: ItemAnalysis) -> str:
    return html_text([item_analysis_view(value)])


@html_of.register
def _(value: WrongExamples) -> str:
    return html_text([wrong_view(value)])


@html_of.register
def _(value: Leads) -> str:
    return html_text([_short(leads_view(value))])


def _short(view: View) -> View:
    return replace(view, tables=tuple(_shortened(table) for table in view.tables))


def _shortened(table: Table) -> Table:
    """Return the table with its strong rows and the first others, and a note on how many are left out."""
    left = len(table.rows) - _ROWS
    if left <= 0:
        return table
    rows = sorted(range(len(table.rows)), key=lambda k: (not table.rows[k].strong, k))[:_ROWS]
    note = f"{count_of(left, 'more row')}: to_pandas() has all"
    return replace(table, rows=tuple(table.rows[k] for k in sorted(rows)), notes=(*table.notes, note))
