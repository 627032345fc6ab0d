"""What a file of candidates contains: pass@k, and how many candidates are right, wrong, or neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmeval.messages import count_of, percent
from rmeval.results.frames import frame_of
from rmeval.results.notebook import html_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CandidateSummary", "PassAt"]


@dataclass(frozen=True, slots=True)
class PassAt:
    """pass@k of the problems of a subset.

    Attributes:
        scope: The subset, or `all`.
        k: Number of candidates.
        value: The probability that one of k candidates is right, as the mean over problems; NaN without problems.
        ci: Its 95% interval; None without problems.
        n_problems: Number of problems, the same for each k.
    """

    scope: str
    k: int
    value: float
    ci: tuple[float, float] | None
    n_problems: int


@dataclass(frozen=True)
class CandidateSummary:
    """What a file of candidates contains.

    Attributes:
        file: The file.
        writer: Name of the model that wrote them; empty where the file names none.
        n: Largest number of candidates of a problem.
        n_problems: Number of problems.
        n_responses: Number of candidates.
        n_unverified: Number of those whose quality is not known.
        n_incomplete: Number of problems with such a candidate, which best-of-N leaves out.
        n_cut_off: Number of those that their limit of tokens cut off, also if they are right; None where only the file
            is known.
        outcomes: Number of candidates by what was found of them; empty where nothing was verified.
        passes: pass@k for k = 1, 2, 4 and so on up to the largest k of which at least 90% of the problems have
            candidates of known quality; the others are left out of all of them. For k = 1 and the largest in each of
            several subsets.
        left_out: Number of problems without candidates, by reason.
        n_failed: Number of candidates that are missing because their calls failed.
        calls: Number of calls of this process.
        cost: Their cost in dollars; None without prices.
    """

    file: Path
    writer: str
    n: int
    n_problems: int
    n_responses: int
    n_unverified: int
    n_incomplete: int
    n_cut_off: int | None
    outcomes: Mapping[str, int]
    passes: tuple[PassAt, ...]
    left_out: Mapping[str, int]
    n_failed: int = 0
    calls: int = 0
    cost: float | None = None

    def share(self, outcome: str) -> float:
        """The share of candidates with an outcome; NaN without candidates."""
        return self.outcomes.get(outcome, 0) / self.n_responses if self.n_responses else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; a number that is not known is null."""
        passes = [asdict(one) | {"value": None if one.value != one.value else one.value} for one in self.passes]
        counts = {"outcomes": dict(self.outcomes), "left_out": dict(self.left_out)}
        return {**asdict(self), "file": str(self.file), "passes": passes, **counts}

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each k and subset."""
        return frame_of([asdict(one) for one in self.passes])

    def __repr__(self) -> str:
        counts = f"{count_of(self.n_responses, 'candidate')} of {count_of(self.n_problems, 'problem')}"
        passes = [f"pass@{one.k} {percent(one.value)}" for one in self.passes if one.scope == "all"]
        return f"{self.file}: {', '.join([counts, *passes[:1], *passes[1:][-1:]])}"

    def _repr_html_(self) -> str | None:
        return html_of(self)
