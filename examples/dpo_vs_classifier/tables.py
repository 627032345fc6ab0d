"""Tables and figures of a study, from its run folders alone: torch is not needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from rmeval.predict import Trainings, TrainingsComparison, compare_trainings
from rmeval.report import draw_trainings, json_value, markdown_text, trainings_view

__all__ = ["METHODS", "compared", "write_report"]

METHODS = (
    ("classifier", "classifier", None),
    ("DPO with reference", "dpo", "dpo/sum"),
    ("DPO without reference, average", "dpo", "ref_free/avg"),
    ("DPO without reference, sum", "dpo", "ref_free/sum"),
)
"""Name of each method, the runs that it reads, and which of their scores."""
BASES = (("base, average", "ref_free/avg"), ("base, sum", "ref_free/sum"))
"""The base before any preferences, by its log-probabilities."""


def write_report(folder: Path, benchmark: str, seeds: int) -> None:
    """Write `report.md`, `report.json` and the figures of the benchmark and the held-out pairs."""
    found = {name: compared(folder, name, seeds) for name in (benchmark, "pairs")}
    views = [trainings_view(one) for one in found.values()]
    (folder / "report.md").write_text(f"{times(folder)}\n{markdown_text(views)}")
    (folder / "report.json").write_text(json.dumps(json_value(views), indent=1) + "\n")
    for theme in ("light", "dark"):
        draw_trainings(found[benchmark], folder / f"levels-{theme}.png", cast(Any, theme))
    print(f"{folder / 'report.md'}\n{folder / 'levels-light.png'}")  # noqa: T201


def compared(folder: Path, benchmark: str, seeds: int) -> TrainingsComparison:
    """Return the comparison of the methods on a benchmark."""

    def run(name: str) -> str:
        return str(json.loads((folder / "records" / f"{name}-{benchmark}.json").read_text())["run"])

    methods = [
        Trainings(name, [run(f"{kind}-{seed}") for seed in range(seeds)], variant) for name, kind, variant in METHODS
    ]
    return compare_trainings([*methods, *(Trainings(name, [run("base")], variant) for name, variant in BASES)])


def times(folder: Path) -> str:
    """Return the records of the trainings and of the machine as Markdown."""
    records = {file.stem: json.loads(file.read_text()) for file in sorted((folder / "records").glob("*.json"))}
    machine = records.pop("machine")
    lines = ["| step | CPU seconds | details |", "|---|---|---|"]
    for name, one in records.items():
        details = ", ".join(
            f"{key.replace('_', ' ')} {value}" for key, value in one.items() if key not in ("run", "cpu_seconds")
        )
        lines.append(f"| {name} | {one['cpu_seconds']} | {details} |")
    return "\n".join([*lines, "", ", ".join(f"{name} {value}" for name, value in machine.items()), ""])
