"""Find inconsistent rows of two public leaderboards: `python scripts/check_published.py FOLDER`.

FOLDER contains `rewardbench-v1-leaderboard.csv` and `rm-bench-leaderboard.csv`, in the columns of the leaderboards
(huggingface.co/spaces/allenai/reward-bench, github.com/THU-KEG/RM-Bench-Leaderboard). The script recomputes averages
from the columns that they average. A row is inconsistent if no numbers that round to its columns have its average.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmeval.metrics.scoring.sections import SECTIONS, overall, overall_with_prior

DOMAINS = ("Chat", "Math", "Code", "Safety")
LEVELS = ("Easy", "Normal", "Hard")
PRIOR = "Prior Sets (0.5 weight)"
WITH_PRIOR, FOUR, FEWER = "sections and prior", "four sections", "fewer sections"
_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Scored:
    """A row of RewardBench's leaderboard.

    Attributes:
        model: The model's name.
        score: The published Score.
        computed: Value of the reference's rule for the row's columns (`get_average_over_rewardbench` of
            `analysis/get_benchmark_results.py`): the mean of the existing columns, with weight 1 for a section and 0.5
            for the prior.
        plain: The mean of the sections alone.
        formula: The columns that the rule averages: `WITH_PRIOR`, `FOUR` or `FEWER`.
    """

    model: str
    score: float
    computed: float
    plain: float
    formula: str

    @property
    def contradicts(self) -> bool:
        """Whether the Score differs from the computed one by more than rounding of both to four digits can explain."""
        return abs(self.score - self.computed) > 1e-4 + _SLACK


@dataclass(frozen=True, slots=True)
class Averaged:
    """A row of RM-Bench's leaderboard, in percent.

    Attributes:
        model: The model's name.
        domains: Mean of the four domains, None unless all exist.
        levels: Mean of Easy, Normal and Hard, None unless all exist.
        overall: The published Overall.
        averages: Names of published averages that differ from the mean of their parts, or lack some parts.
        flagged: Whether the leaderboard marks the row as possibly wrong.
        upside_down: Whether Hard is above Easy.
    """

    model: str
    domains: float | None
    levels: float | None
    overall: float
    averages: tuple[str, ...]
    flagged: bool
    upside_down: bool

    @property
    def contradicts(self) -> bool:
        """Whether the row is inconsistent.

        Domains and levels are means of the same 36 numbers, and both equal the Overall (by the leaderboard's
        definition, and `compute_accuracy` in the reference's `scripts/utils.py`); with numbers of one digit they differ
        by at most 0.1.
        """
        means = [mean for mean in (self.domains, self.levels) if mean is not None]
        numbers = [*means, self.overall]
        return bool(self.averages) or _apart(min(numbers), max(numbers))


def reward_bench_rows(rows: Sequence[Mapping[str, str]]) -> list[Scored]:
    """Check the rows of RewardBench's leaderboard.

    Args:
        rows: Rows with the columns `model`, `Score`, the four sections and `PRIOR`; empty values are missing.
    """
    found = []
    for row in rows:
        sections = {name: value for name in SECTIONS if (value := _number(row[name])) is not None}
        prior = _number(row[PRIOR])
        plain = sum(sections.values()) / len(sections)
        kinds = ((WITH_PRIOR, overall_with_prior(sections, prior)), (FOUR, overall(sections)), (FEWER, plain))
        formula, computed = next((kind, float(value)) for kind, value in kinds if value is not None)
        found.append(Scored(row["model"], float(row["Score"]), computed, plain, formula))
    return found


def rm_bench_rows(rows: Sequence[Mapping[str, str]]) -> list[Averaged]:
    """Check the rows of RM-Bench's leaderboard.

    Args:
        rows: Rows with the columns `model`, `DOMAINS`, `LEVELS`, `Domain Avg`, `Difficulty Avg`, `Overall` and
            `Potentially Score Mismatch`; empty values are missing.
    """
    found = []
    for row in rows:
        domains, levels = _mean(row, DOMAINS), _mean(row, LEVELS)
        averages = tuple(
            name
            for name, mean in (("Domain Avg", domains), ("Difficulty Avg", levels))
            if (published := _number(row[name])) is not None and (mean is None or _apart(mean, published))
        )
        easy, hard = _number(row["Easy"]), _number(row["Hard"])
        upside_down = easy is not None and hard is not None and hard > easy
        flagged = row["Potentially Score Mismatch"] == "True"
        found.append(Averaged(row["model"], domains, levels, float(row["Overall"]), averages, flagged, upside_down))
    return found


def report(folder: Path) -> Iterator[str]:
    """Yield the lines of the report on both leaderboards."""
    scored = reward_bench_rows(_read(folder / "rewardbench-v1-leaderboard.csv"))
    kinds = ", ".join(f"{count} of {kind}" for kind, count in Counter(row.formula for row in scored).items())
    yield f"RewardBench: {len(scored)} rows; the Score should be the mean of {kinds}"
    lower = [row.plain - row.computed for row in scored if row.formula == WITH_PRIOR and not row.contradicts]
    yield (
        f"the prior lowers the Score of {sum(gap > 0 for gap in lower)} of {len(lower)} rows that count one, "
        f"by {sum(lower) / len(lower):.4f} on average"
    )
    for one in scored:
        if one.contradicts:
            yield f"  {one.model}: {one.score:.4f}, but {one.computed:.4f} from {one.formula}, {one.plain:.4f} without"
    averaged = rm_bench_rows(_read(folder / "rm-bench-leaderboard.csv"))
    full = sum(row.domains is not None and row.levels is not None for row in averaged)
    yield f"RM-Bench: {len(averaged)} rows, {full} with all domains and levels"
    for row in averaged:
        if row.contradicts:
            wrong = f"; {', '.join(row.averages)} is not the mean of its parts" if row.averages else ""
            flag = "" if row.flagged else "; not flagged"
            means = f"domains {_shown(row.domains)}, levels {_shown(row.levels)}"
            yield f"  {row.model}: {means}, overall {row.overall:.1f}{wrong}{flag}"
    for row in averaged:
        if row.domains is None and row.levels is None:
            yield f"  {row.model}: nothing to compute its overall {row.overall:.1f} from"
        if row.upside_down:
            yield f"  {row.model}: Hard is above Easy"


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for line in report(parser.parse_args().folder):
        sys.stdout.write(line + "\n")


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _number(text: str) -> float | None:
    return float(text) if text.strip() else None


def _mean(row: Mapping[str, str], names: Sequence[str]) -> float | None:
    values = [_number(row[name]) for name in names]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(names) else None


def _apart(one: float, other: float) -> bool:
    """Return whether two averages in percent differ by more than rounding to one digit can explain."""
    return abs(one - other) > 0.1 + _SLACK


def _shown(mean: float | None) -> str:
    return "unknown" if mean is None else f"{mean:.2f}"


if __name__ == "__main__":
    main()
