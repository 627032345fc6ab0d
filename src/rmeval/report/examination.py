"""Terminal output of the findings of rmeval doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from rmeval.messages import count_of
from rmeval.report.terminal import Line, make_console, new_grid, passage, stacked

if TYPE_CHECKING:
    from rmeval.doctor.checkpoint import Examination
    from rmeval.doctor.sandbox import SandboxExamination

__all__ = ["print_examination", "print_sandbox"]

_MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "problem": ("PROBLEM", "bold red")}


def print_examination(found: Examination) -> None:
    """Print the findings of rmeval doctor."""
    read = "  ".join(f"{text!r} ({token})" for text, token in found.read)
    lines = [
        Line(
            f"{found.model}: {count_of(found.responses, 'response')}, {count_of(found.decisions, 'decision')}", "bold"
        ),
        Line(),
        Line("the first conversation as the network receives it", "dim"),
        passage(found.rendered),
        Line(),
        Line.assemble(("its last three tokens: ", "dim"), read),
        Line(),
    ]
    ways = new_grid("scored", "dtype", "largest difference", "changed decisions", "near-ties")
    for way in found.ways:
        ways.add_row(way.name, way.dtype, f"{way.difference:.2g}", str(way.flips), str(way.near_ties))
    findings = Table.grid(padding=(0, 2, 0, 0))
    for finding in found.findings:
        text = [Line(finding.text), *([Line(f"  {finding.advice}", "dim")] if finding.advice else [])]
        findings.add_row(Line(*_MARKS[finding.level]), stacked(*text))
    note = Line("near-ties: decisions with a margin below four times the effect of batching", "dim")
    make_console().print(*lines, *([ways, note, Line()] if found.ways else []), findings, sep="\n")


def print_sandbox(found: SandboxExamination) -> None:
    """Print the attacks of rmeval doctor on the sandbox."""
    attacks = Table.grid(padding=(0, 2, 0, 0))
    for one in found.attacks:
        mark = Line("contained", "green") if one.contained else Line("NOT CONTAINED", "bold red")
        attacks.add_row(mark, stacked(Line(one.name), *([Line(f"  {one.reason}", "dim")] if one.reason else [])))
    held = sum(one.contained for one in found.attacks)
    how = {"bubblewrap": "bubblewrap", "process": "processes with limits, without bubblewrap"}[found.isolation]
    summary = Line(f"{held} of {len(found.attacks)} attacks contained ({how})", "bold")
    make_console().print(attacks, Line(), summary, sep="\n")
