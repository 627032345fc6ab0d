"""View of style-control scores: win rates of policies without and with control of style, and what style does."""

from __future__ import annotations

from rmeval.messages import count_of
from rmeval.predict.style_control import StyleControl
from rmeval.report.cells import COUNT, DECIMALS, DIFFERENCE, LOG_ODDS, Number
from rmeval.report.views import Row, Table, View

__all__ = ["style_control_view"]


def style_control_view(found: StyleControl) -> View:
    """Return the view of style-control scores."""
    unit = "battles" if found.method == "arena-hard@1" else "questions"
    return View(
        found.name,
        (_policies(found), _weights(found)),
        about=(
            f"{count_of(found.battles, 'battle')} on {count_of(found.questions, 'question')} "
            f"({', '.join(found.categories)}), judged by {', '.join(found.judges)}",
            f"baseline: {found.baseline}, {found.chosen}",
            f"{found.method}; in %, with {100 * found.confidence:.0f}% intervals from {found.resamples} resamples of "
            f"{unit} (seed {found.seed})",
        ),
        notes=found.notes,
    )


def _policies(found: StyleControl) -> Table:
    rows = tuple(
        Row(
            one.model,
            (
                Number(one.uncontrolled, one.uncontrolled_ci),
                Number(one.controlled, one.controlled_ci),
                Number(one.equal_style, one.equal_style_ci),
                Number(one.style_control_score, one.style_control_score_ci, DIFFERENCE),
                Number(one.relative_length, unit=DECIMALS),
                Number(one.questions, unit=COUNT),
                Number(one.battles, unit=COUNT),
                Number(one.mean_score, one.mean_score_ci),
            ),
        )
        for one in found.policies
    )
    extra = ("battles", "mean score")
    return Table(
        "policies",
        ("", "win rate", "controlled", "equal style", "style-control score", "length", "questions", *extra),
        rows,
        "win rates against the baseline",
        (
            "controlled: where the difference of style is that of the average battle; equal style: where there is none",
            "style-control score: (controlled - win rate) / win rate, higher is better",
            "length: mean length of answers, divided by that of the baseline",
        ),
        extra=extra,
        keys=(
            "model",
            "uncontrolled",
            "controlled",
            "equal_style",
            "style_control_score",
            "relative_length",
            "questions",
            "battles",
            "mean_score",
        ),
    )


def _weights(found: StyleControl) -> Table:
    rows = tuple(Row(one.feature, (Number(one.weight, one.ci, LOG_ODDS),)) for one in found.weights)
    note = "change in the log-odds of a win for one standard deviation of the difference of style"
    return Table("style", ("", "weight"), rows, "effects of style on the verdicts", (note,), keys=("feature", "weight"))
