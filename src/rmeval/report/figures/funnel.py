"""Figure of a build's funnel: problems that each stage has kept and left out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmeval.report.figures.style import COLOURS, Theme, bare, check, drawing, label, save

if TYPE_CHECKING:
    from rmeval.build.report.report import BuildReport

__all__ = ["draw_funnel"]


def draw_funnel(found: BuildReport, path: Path, theme: Theme = "light") -> None:
    """Draw one bar for each stage: the problems that it has kept by domain, then those that it has left out.

    Args:
        found: The report.
        path: File to write; its suffix determines the format.
        theme: For light or dark backgrounds.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    check(path, theme)
    stages = list(dict.fromkeys(one.stage for one in found.funnel))
    domains = list(dict.fromkeys(one.domain for one in found.funnel))
    with drawing(theme, 7.2, 0.42 * len(stages) + 1.3) as (figure, ink):
        axes = figure.subplots()
        bare(axes, ink)
        for place, stage in enumerate(stages):
            own = {one.domain: one for one in found.funnel if one.stage == stage}
            start = 0
            for number, domain in enumerate(domains):
                kept = own[domain].kept if domain in own else 0
                name = label(domain) if not place else None
                axes.barh(place, kept, left=start, height=0.62, color=COLOURS[number % len(COLOURS)], label=name)
                start += kept
            lost = sum(sum(one.left_out.values()) for one in own.values())
            name = "left out" if not place else None
            edge: dict[str, Any] = {"edgecolor": ink.faint, "hatch": "///", "linewidth": 0.8 if lost else 0.0}
            axes.barh(place, lost, left=start, height=0.62, color="none", label=name, **edge)
            axes.text(start + lost, place, f"  {start}", va="center", fontsize=8, color=ink.text)
        axes.set_yticks(range(len(stages)), stages, fontsize=8)
        axes.set_ylim(len(stages) - 0.5, -0.5)
        axes.margins(x=0.08)
        axes.set_xlabel("problems (the number: kept)", fontsize=8)
        figure.legend(fontsize=7.5, ncols=6, loc="outside lower center")
        figure.suptitle(f"problems of {label(found.name)}", fontsize=9.5)
        save(figure, path)
