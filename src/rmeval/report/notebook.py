"""What notebooks show of results: their views as HTML. Importing this module registers it."""

from __future__ import annotations

from rmeval.report.comparison import comparison_view
from rmeval.report.html import html_text
from rmeval.report.run import run_view
from rmeval.report.wrong import wrong_view
from rmeval.results.compare import ModelComparison
from rmeval.results.examples import WrongExamples
from rmeval.results.notebook import html_of
from rmeval.results.result import Result

__all__: list[str] = []


@html_of.register
def _(value: Result) -> str:
    return html_text([run_view(value)])


@html_of.register
def _(value: ModelComparison) -> str:
    return html_text([comparison_view(value)])


@html_of.register
def _(value: WrongExamples) -> str:
    return html_text([wrong_view(value)])
