"""Style-control scores of policies: their win rates against a baseline, adjusted for length and markdown."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.errors import RunError
from rmeval.messages import chosen_from, percent
from rmeval.metrics.stats.arena_hard import ROUNDS, Rows, reference_style
from rmeval.metrics.stats.bootstrap import REPLICATES
from rmeval.metrics.stats.fixed_step import ITERATIONS
from rmeval.metrics.stats.intervals import MIN_CLUSTERS
from rmeval.metrics.stats.style_control import FEATURES, OUTCOMES, Battles, Controlled, control_style, differences
from rmeval.predict.answer_style import TOKENS
from rmeval.predict.arena_hard import JudgmentFolder, find_folder
from rmeval.predict.judged_policies import JudgedPolicies, Wanted
from rmeval.results.frames import frame_of
from rmeval.results.notebook import html_of
from rmeval.store.manifest import finite
from rmeval.types import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["METHODS", "PolicyStyle", "StyleControl", "StyleWeight", "style_control_scores"]

METHODS = ("style-control@1", "arena-hard@1")
_FEWEST = 40
"""Smallest number of resamples that reaches beyond both ends of a 95% interval."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class PolicyStyle:
    """One policy against the baseline.

    Attributes:
        model: The policy.
        questions: Number of questions.
        battles: Number of battles: two of each question, and three instead of one for a strong verdict.
        mean_score: Share of battles that it wins; a tie counts one half.
        mean_score_ci: Its interval.
        uncontrolled: Its win rate by Bradley and Terry's model.
        uncontrolled_ci: Its interval.
        controlled: Its win rate with control of style, where its style differs from the baseline's as much as the
            average policy does. NaN if it cannot be estimated, as for the next two numbers.
        controlled_ci: Its interval.
        equal_style: Its win rate with control of style, where its style equals the baseline's.
        equal_style_ci: Its interval.
        style_control_score: (controlled - uncontrolled) / uncontrolled; below 0 if style helps the policy more than it
            helps others.
        style_control_score_ci: Its interval.
        relative_length: Mean length of its answers divided by that of the baseline's.
    """

    model: str
    questions: int
    battles: int
    mean_score: float
    mean_score_ci: Interval | None
    uncontrolled: float
    uncontrolled_ci: Interval | None
    controlled: float
    controlled_ci: Interval | None
    equal_style: float
    equal_style_ci: Interval | None
    style_control_score: float
    style_control_score_ci: Interval | None
    relative_length: float


@dataclass(frozen=True)
class StyleWeight:
    """Effect of one feature of style on the judge's verdicts.

    Attributes:
        feature: Length, header, list or bold.
        weight: Change in log-odds of a win for one standard deviation of the difference; NaN if it is not in the model.
        ci: Its interval.
    """

    feature: str
    weight: float
    ci: Interval | None


@dataclass(frozen=True)
class StyleControl:
    """Style-control scores of policies.

    Attributes:
        name: Name of the folder.
        folders: The folders.
        method: `style-control@1` or `arena-hard@1`.
        judges: The judges.
        categories: The categories of the questions.
        baseline: The model that all policies are compared with.
        chosen: How the baseline was chosen.
        policies: The policies, highest uncontrolled win rate first.
        weights: Effects of the features of style.
        questions: Number of questions.
        battles: Number of battles.
        incomplete: Number of judgments that lack a verdict.
        unanswered: Number of judgments without the style of an answer.
        unit: Unit of length if styles were counted from texts; empty if they are the files' metadata.
        confidence: Confidence of the intervals.
        resamples: Number of resamples.
        seed: Their seed.
        gradient: Norm of the gradient at the estimates; NaN if there are none or the method does not measure it.
        notes: Notes for the reader, one sentence each.
    """

    name: str
    folders: tuple[Path, ...]
    method: str
    judges: tuple[str, ...]
    categories: tuple[str, ...]
    baseline: str
    chosen: str
    policies: tuple[PolicyStyle, ...]
    weights: tuple[StyleWeight, ...]
    questions: int
    battles: int
    incomplete: int
    unanswered: int
    unit: str
    confidence: float
    resamples: int
    seed: int
    gradient: float
    notes: tuple[str, ...] = field(repr=False)

    def policy(self, name: str) -> PolicyStyle:
        """Return the numbers of a policy.

        Raises:
            RunError: If it has none.
        """
        for one in self.policies:
            if one.model == name:
                return one
        raise RunError(f"there is no policy {name!r} here: {chosen_from(name, [one.model for one in self.policies])}")

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON types; a number that cannot be estimated is None."""
        found: dict[str, Any] = finite(asdict(self))
        return found | {"folders": [str(folder) for folder in self.folders]}

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each policy."""
        return frame_of([asdict(one) for one in self.policies])

    def __repr__(self) -> str:
        lines = [f"{self.name}  {self.method} against {self.baseline}, judged by {', '.join(self.judges)}"]
        lines += [
            f"  {one.model}: {percent(one.uncontrolled)}, with style control {percent(one.controlled)}"
            + ("" if math.isnan(one.style_control_score) else f" (score {100 * one.style_control_score:+.1f}%)")
            for one in self.policies
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str | None:
        return html_of(self)


def style_control_scores(
    folders: str | Path | Iterable[str | Path],
    *,
    judges: Collection[str] | None = None,
    baseline: str | None = None,
    categories: Collection[str] | None = None,
    policies: Collection[str] | None = None,
    method: str = METHODS[0],
    resamples: int = REPLICATES,
    seed: int = 0,
) -> StyleControl:
    """Compute style-control scores of policies from judgments in Arena-Hard-Auto's layout.

    A folder contains `model_judgment/JUDGE/POLICY.jsonl` and `model_answer/MODEL.jsonl`.

    Args:
        folders: One or several folders.
        judges: The judges; all verdicts of several judges count. Required if there are several.
        baseline: The baseline. By default that of Arena-Hard-Auto for the category, if it has answers here; else the
            only model that has answers and no judgments.
        categories: Categories of questions. By default all with one baseline, hard_prompt's if there are several.
        policies: The policies; all by default. Controlled numbers depend on the policies that are judged together.
        method: `style-control@1`: fitted to convergence, with 95% intervals over resampled questions. `arena-hard@1`:
            as the reference computes it, see `rmeval.metrics.stats.arena_hard`.
        resamples: Number of resamples of `style-control@1`.
        seed: Seed of the resamples.

    Raises:
        DataError: If a file is broken, or judgments or answers are missing.
        RunError: If an option is not valid.
    """
    if method not in METHODS:
        raise RunError(f"`method` {method!r} is unknown: {chosen_from(method, METHODS)}")
    if resamples and resamples < _FEWEST:
        raise RunError(
            f"`resamples` {resamples} is too few for 95% intervals: give {_FEWEST} or more, or 0 for no intervals"
        )
    paths = [folders] if isinstance(folders, str | Path) else list(folders)
    if not paths:
        raise RunError("no folder is given: give a folder in Arena-Hard-Auto's layout")
    found = [find_folder(Path(path)) for path in paths]
    wanted = Wanted(judges, baseline, categories, policies)
    return _result(JudgedPolicies(found, wanted), found, method, resamples, seed)


def _result(
    judged: JudgedPolicies, folders: Sequence[JudgmentFolder], method: str, resamples: int, seed: int
) -> StyleControl:
    policies = tuple(sorted({one.policy for one in judged.rows}))
    own, battles, rows = _battles(judged, policies)
    if method == METHODS[0]:
        found = control_style(battles, resamples, seed)
    else:
        found, resamples = reference_style(battles, rows, policies, judged.baseline, seed), ROUNDS
    lengths = _relative_lengths(own, battles.policy, len(policies))
    numbers = [_policy(name, place, found, battles, lengths[place]) for place, name in enumerate(policies)]
    numbers.sort(key=lambda row: (-row.uncontrolled, row.model))
    weights = [StyleWeight(name, *found.weights.at(place)) for place, name in enumerate(FEATURES)]
    questions = len(np.unique(battles.question))
    return StyleControl(
        name=folders[0].path.resolve().name,
        folders=tuple(folder.path for folder in folders),
        method=method,
        judges=judged.judges,
        categories=judged.categories,
        baseline=judged.baseline,
        chosen=judged.chosen,
        policies=tuple(numbers),
        weights=tuple(weights),
        questions=questions,
        battles=int(battles.number.sum()),
        incomplete=judged.incomplete,
        unanswered=judged.unanswered,
        unit=judged.answers.unit,
        confidence=found.confidence,
        resamples=resamples,
        seed=seed,
        gradient=found.gradient,
        notes=(*judged.notes, *_remarks(found, battles, policies, judged.answers.unit, method)),
    )


def _battles(judged: JudgedPolicies, policies: Sequence[str]) -> tuple[FloatArray, Battles, Rows]:
    """Return the lengths of both answers of each group of battles, the battles, and their order in the files."""
    order = sorted({(one.policy, one.question) for one in judged.rows})
    group = {key: place for place, key in enumerate(order)}
    rows = [(group[one.policy, one.question], round(2 * score)) for one in judged.rows for score in one.scores]
    numbered = Rows(*np.array(rows).T)
    outcomes = np.zeros((len(order), len(OUTCOMES)))
    np.add.at(outcomes, tuple(numbered), 1)
    styles = judged.answers.styles
    own: FloatArray = np.array([styles[policy][question] for policy, question in order], float)
    base: FloatArray = np.array([styles[judged.baseline][question] for _, question in order], float)
    questions = {name: place for place, name in enumerate(sorted({question for _, question in order}))}
    places = {name: place for place, name in enumerate(policies)}
    battles = Battles(
        np.array([places[policy] for policy, _ in order]),
        np.array([questions[question] for _, question in order]),
        outcomes,
        differences(own, base),
    )
    return np.stack([own[:, 0], base[:, 0]]), battles, numbered


def _relative_lengths(lengths: FloatArray, policy: IntArray, policies: int) -> list[float]:
    own, base = (np.bincount(policy, one, policies) for one in lengths)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: list[float] = (own / base).tolist()
    return found


def _policy(name: str, place: int, found: Controlled, battles: Battles, length: float) -> PolicyStyle:
    groups = battles.policy == place
    return PolicyStyle(
        name,
        int(groups.sum()),
        int(battles.number[groups].sum()),
        *found.mean.at(place),
        *found.uncontrolled.at(place),
        *found.controlled.at(place),
        *found.equal.at(place),
        *found.score.at(place),
        length,
    )


def _remarks(found: Controlled, battles: Battles, policies: Sequence[str], unit: str, method: str) -> Iterator[str]:
    if unit:
        yield (
            "answers without metadata: markdown is counted as Arena-Hard-Auto counts it, and length in "
            f"{unit}{'' if unit == TOKENS else '; numbers are not comparable with those of its metadata'}"
        )
    if method == METHODS[1] and not all(found.used):
        yield "a feature of style does not vary: Arena-Hard-Auto has no controlled numbers then"
    yield from _missing(found, policies, method)
    if len(policies) == 1:
        yield (
            "with one policy, controlled is its win rate at its own mean difference of style, so its score is near 0: "
            "judge several policies, or use equal style"
        )
    counts = np.bincount(battles.policy)
    if counts.min() < counts.max():
        yield f"policies are judged on different numbers of questions ({counts.min()} to {counts.max()})"
    if method == METHODS[1]:
        yield (
            f"as Arena-Hard-Auto computes it: each fit takes at most {ITERATIONS} steps, and may end before it "
            "converges; 90% intervals treat all battles as independent"
        )
    elif counts.min() < MIN_CLUSTERS:
        yield f"a policy with fewer than {MIN_CLUSTERS} questions has no intervals"


def _missing(found: Controlled, policies: Sequence[str], method: str) -> Iterator[str]:
    """Yield what cannot be estimated, and why."""
    for name, used in zip(FEATURES, found.used, strict=True):
        if method == METHODS[0] and not used and not all(found.one_sided):
            yield f"{name} is not in the model, because it does not vary, or policies and other features determine it"
    for name, one_sided in zip(policies, found.one_sided, strict=True):
        if one_sided:
            yield f"{name} wins all its battles or loses all: its win rate with style control has no finite estimate"
    if found.separated:
        yield "style separates wins from losses, so weights and controlled win rates are infinite: judge more questions"
    if found.failed:
        yield (
            f"{percent(found.failed)}% of resamples have no finite estimates, and count as beyond both ends of all "
            "intervals"
        )
