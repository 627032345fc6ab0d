"""Reports: views of results, and renderers for terminals, files and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.report.across import (
        across_view,
    )
    from rmeval.report.analysis import (
        analysis_view,
    )
    from rmeval.report.audit import (
        audit_view,
    )
    from rmeval.report.best_of_n import (
        best_of_n_view,
    )
    from rmeval.report.candidates import (
        candidates_view,
    )
    from rmeval.report.cascade import (
        cascade_view,
    )
    from rmeval.report.cells import (
        Number,
        Passage,
    )
    from rmeval.report.comparison import (
        comparison_view,
    )
    from rmeval.report.correlate import (
        correlations_view,
    )
    from rmeval.report.csv_ import (
        csv_text,
    )
    from rmeval.report.estimate import (
        chosen_view,
        estimate_view,
    )
    from rmeval.report.figures.analysis import (
        draw_analysis,
    )
    from rmeval.report.figures.best_of_n import (
        draw_best_of_n,
    )
    from rmeval.report.figures.cascade import (
        draw_cascade,
    )
    from rmeval.report.figures.comparison import (
        draw_comparison,
    )
    from rmeval.report.figures.correlate import (
        draw_correlations,
    )
    from rmeval.report.figures.matrix import (
        draw_matrix,
    )
    from rmeval.report.figures.plan import (
        draw_plan,
    )
    from rmeval.report.figures.style_control import (
        draw_style_control,
    )
    from rmeval.report.figures.trainings import (
        draw_trainings,
    )
    from rmeval.report.html import (
        html_text,
    )
    from rmeval.report.item_analysis import (
        item_analysis_view,
    )
    from rmeval.report.json_ import (
        json_value,
    )
    from rmeval.report.jury import (
        jury_view,
    )
    from rmeval.report.latex import (
        latex_text,
    )
    from rmeval.report.leads import (
        leads_view,
    )
    from rmeval.report.markdown import (
        markdown_text,
    )
    from rmeval.report.page.write import (
        write_report,
    )
    from rmeval.report.parity import (
        parity_view,
    )
    from rmeval.report.plan import (
        plan_view,
    )
    from rmeval.report.ranking import (
        runs_views,
    )
    from rmeval.report.run import (
        run_view,
    )
    from rmeval.report.style_control import (
        style_control_view,
    )
    from rmeval.report.terminal import (
        views_text,
    )
    from rmeval.report.trainings import (
        trainings_view,
    )
    from rmeval.report.variance import (
        variance_view,
    )
    from rmeval.report.views import (
        Row,
        Table,
        View,
    )
    from rmeval.report.wrong import (
        wrong_view,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.report.across": ("across_view",),
            "rmeval.report.analysis": ("analysis_view",),
            "rmeval.report.audit": ("audit_view",),
            "rmeval.report.best_of_n": ("best_of_n_view",),
            "rmeval.report.candidates": ("candidates_view",),
            "rmeval.report.cascade": ("cascade_view",),
            "rmeval.report.jury": ("jury_view",),
            "rmeval.report.cells": (
                "Number",
                "Passage",
            ),
            "rmeval.report.comparison": ("comparison_view",),
            "rmeval.report.csv_": ("csv_text",),
            "rmeval.report.estimate": (
                "chosen_view",
                "estimate_view",
            ),
            "rmeval.report.figures.analysis": ("draw_analysis",),
            "rmeval.report.figures.best_of_n": ("draw_best_of_n",),
            "rmeval.report.figures.cascade": ("draw_cascade",),
            "rmeval.report.correlate": ("correlations_view",),
            "rmeval.report.figures.comparison": ("draw_comparison",),
            "rmeval.report.figures.correlate": ("draw_correlations",),
            "rmeval.report.figures.matrix": ("draw_matrix",),
            "rmeval.report.figures.plan": ("draw_plan",),
            "rmeval.report.figures.style_control": ("draw_style_control",),
            "rmeval.report.figures.trainings": ("draw_trainings",),
            "rmeval.report.html": ("html_text",),
            "rmeval.report.item_analysis": ("item_analysis_view",),
            "rmeval.report.json_": ("json_value",),
            "rmeval.report.latex": ("latex_text",),
            "rmeval.report.leads": ("leads_view",),
            "rmeval.report.markdown": ("markdown_text",),
            "rmeval.report.page.write": ("write_report",),
            "rmeval.report.parity": ("parity_view",),
            "rmeval.report.plan": ("plan_view",),
            "rmeval.report.ranking": ("runs_views",),
            "rmeval.report.run": ("run_view",),
            "rmeval.report.style_control": ("style_control_view",),
            "rmeval.report.terminal": ("views_text",),
            "rmeval.report.trainings": ("trainings_view",),
            "rmeval.report.variance": ("variance_view",),
            "rmeval.report.views": (
                "Row",
                "Table",
                "View",
            ),
            "rmeval.report.wrong": ("wrong_view",),
        },
    )

__all__ = [
    "Number",
    "Passage",
    "Row",
    "Table",
    "View",
    "across_view",
    "analysis_view",
    "audit_view",
    "best_of_n_view",
    "candidates_view",
    "cascade_view",
    "chosen_view",
    "comparison_view",
    "correlations_view",
    "csv_text",
    "draw_analysis",
    "draw_best_of_n",
    "draw_cascade",
    "draw_comparison",
    "draw_correlations",
    "draw_matrix",
    "draw_plan",
    "draw_style_control",
    "draw_trainings",
    "estimate_view",
    "html_text",
    "item_analysis_view",
    "json_value",
    "jury_view",
    "latex_text",
    "leads_view",
    "markdown_text",
    "parity_view",
    "plan_view",
    "run_view",
    "runs_views",
    "style_control_view",
    "trainings_view",
    "variance_view",
    "views_text",
    "write_report",
    "wrong_view",
]
