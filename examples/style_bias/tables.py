"""Tables of the study, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from examples.style_bias.preferences import CURES, DOMAINS
from examples.style_bias.study import ALL, GAP, NUMBERS, Condition, Study

import rmeval
from rmeval.metrics.scoring.style_substance import COMPARISONS
from rmeval.metrics.stats.trainings import TrainingsMean
from rmeval.types import STYLES

__all__ = ["tables"]

SHORT = dict(zip(STYLES, ("concise", "plain", "markdown"), strict=True))
CELLS = tuple(comparison.tag for comparison in COMPARISONS)
TITLES = {"easy": "Easy", "normal": "Normal", "hard": "Hard", GAP: "style gap"}


def tables(study: Study) -> str:
    """Return the tables of doses, of cures, of domains and of cells, and the time that the models took."""
    rows = sorted(study.conditions, key=lambda one: (one.dose, CURES.index(one.cure)))
    doses = [one for one in rows if one.cure == "none"]
    cured = {one.dose for one in study.changes}
    by_dose = [[_percent(one), *(_level(study, one, name) for name in NUMBERS)] for one in doses]
    by_domain = [
        [str(one), *(_level(study, one, name, domain) for domain in DOMAINS for name in (GAP, "normal"))]
        for one in rows
    ]
    parts = [
        _table(["chosen is fancier, %", *TITLES.values()], by_dose),
        _table(
            ["dose, %", "cure", "pairs", "effective", "style gap", "Normal", "change of gap", "change of Normal"],
            [_cure(study, one) for one in rows if one.dose in cured],
        ),
        _table(["", *(f"{domain} {TITLES[name]}" for domain in DOMAINS for name in (GAP, "normal"))], by_domain),
    ]
    parts.append(_table(["chosen / rejected", *(_cell(tag) for tag in CELLS)], [_matrix(study, one) for one in rows]))
    minutes = sum(one.seconds for one in study.trained) / 60
    return "\n".join(
        [*parts, f"{len(study.trained)} models, seeds {_listed(study.seeds)}, {minutes:.1f} minutes of CPU time.\n"]
    )


def _cure(study: Study, one: Condition) -> list[str]:
    models = [each for each in study.trained if each.condition == one]
    changes = ["-", "-"]
    found = study.changes.get(one)
    if found is not None and found.differences:  # One seed has none.
        first, second = found.methods
        changes = [_change(found.difference(first, second, name, ALL).mean) for name in (GAP, "normal")]
    return [
        _percent(one),
        one.cure,
        f"{_mean(each.pairs for each in models):,.0f}",
        f"{_mean(each.effective for each in models):,.0f}",
        *(_level(study, one, name) for name in (GAP, "normal")),
        *changes,
    ]


def _cell(tag: str) -> str:
    """Return a short heading of a cell."""
    return " / ".join(SHORT[style] for style in tag.split("/"))


def _matrix(study: Study, one: Condition) -> list[str]:
    """Return the style-substance matrix of a condition: means over seeds and domains."""
    results = [rmeval.open_run(each.run) for each in study.trained if each.condition == one]
    means = [_mean(own.value(f"cell:{tag}", domain) for own in results for domain in DOMAINS) for tag in CELLS]
    return [str(one), *(f"{100 * mean:.1f}" for mean in means)]


def _level(study: Study, one: Condition, metric: str, scope: str = ALL) -> str:
    mean = study.levels.number(str(one), metric, scope).mean
    return _interval(f"{100 * mean.value:.1f}", mean)


def _change(mean: TrainingsMean) -> str:
    """Format a difference with its interval and its minimum detectable effect."""
    text = _interval(f"{100 * mean.value:+.1f}", mean)
    return text if mean.ci is None else f"{text} (MDE {100 * mean.mde:.1f})"


def _interval(text: str, mean: TrainingsMean) -> str:
    return text if mean.ci is None else f"{text} [{100 * mean.ci[0]:.1f}, {100 * mean.ci[1]:.1f}]"


def _percent(one: Condition) -> str:
    return f"{100 * one.dose:.0f}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _mean(values: Iterable[float]) -> float:
    own = list(values)
    return sum(own) / len(own)


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
