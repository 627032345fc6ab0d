"""Which judgments of policies count: their judges, categories, policies and baseline, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rmeval.errors import DataError, RunError
from rmeval.messages import chosen_from, count_of
from rmeval.predict.arena_hard import Judgment, JudgmentFolder, read_answers, read_judgments

__all__ = ["JudgedPolicies", "Wanted"]

_BASELINES = {
    "hard_prompt": "o3-mini-2025-01-31",
    "coding": "o3-mini-2025-01-31",
    "math": "o3-mini-2025-01-31",
    "creative_writing": "gemini-2.0-flash-001",
    "arena-hard-v0.1": "gpt-4-0314",
}
"""Baselines of Arena-Hard-Auto (utils/judge_utils.py, commit 196f6b8)."""
_FIRST = "hard_prompt"
"""The category that Arena-Hard-Auto shows by default."""
_SHOWN = 3


@dataclass(frozen=True)
class Wanted:
    """Selection from the folders; None stands for the default.

    Attributes:
        judges: The judges.
        baseline: The baseline.
        categories: The categories of questions.
        policies: The policies.
    """

    judges: Collection[str] | None
    baseline: str | None
    categories: Collection[str] | None
    policies: Collection[str] | None


class JudgedPolicies:
    """The judgments that count, with the styles of both answers of each.

    Attributes:
        judges: The judges.
        categories: The categories of the questions.
        baseline: The model that all policies are compared with.
        chosen: How the baseline was chosen.
        rows: The judgments.
        answers: Styles of the answers.
        incomplete: Number of judgments that lack a verdict.
        unanswered: Number of judgments without the style of an answer.
        notes: Notes for the reader.
    """

    def __init__(self, folders: Sequence[JudgmentFolder], wanted: Wanted) -> None:
        self._folders, self._wanted = folders, wanted
        self.notes: list[str] = []
        self.judges = self._chosen_judges()
        read = read_judgments(folders, self.judges)
        if read.repeated:
            self.notes.append(f"{count_of(read.repeated, 'judgment')} repeated with equal verdicts: counted once")
        self.categories = self._chosen_categories([one.category for one in read.complete])
        rows = self._of_policies([one for one in read.complete if one.category in self.categories])
        self.baseline, self.chosen = "", ""
        judged = {one.policy for one in read.complete} | {policy for policy, _ in read.incomplete}
        self.answers = read_answers(folders, lambda models: self._needed(rows, judged, models))
        self.rows = self._with_styles([one for one in rows if one.policy != self.baseline])
        names = {one.policy for one in rows}
        lacking = Counter(policy for policy, category in read.incomplete if category in self.categories)
        self.incomplete = sum(count for policy, count in lacking.items() if self._wanted_policy(policy))
        if self.incomplete:
            named = ", ".join(
                f"{policy} {lacking[policy]}" for policy in sorted(lacking) if self._wanted_policy(policy)
            )
            self.notes.append(f"{count_of(self.incomplete, 'judgment')} without two verdicts left out ({named})")
        if self.baseline in names:
            self.notes.append(f"judgments of {self.baseline} left out, because it is the baseline")

    def _wanted_policy(self, name: str) -> bool:
        return self._wanted.policies is None or name in self._wanted.policies

    def _chosen_judges(self) -> tuple[str, ...]:
        there = sorted({judge for folder in self._folders for judge in folder.judges})
        if self._wanted.judges:
            for judge in self._wanted.judges:
                if judge not in there:
                    raise RunError(f"`judges`: {judge!r} has no judgments here: {chosen_from(judge, there)}")
            return tuple(sorted(set(self._wanted.judges)))
        if len(there) > 1:
            raise RunError(f"there are judgments of several judges ({', '.join(there)}): choose with `judges`")
        return tuple(there)

    def _chosen_categories(self, of_rows: Sequence[str]) -> tuple[str, ...]:
        counts = Counter(of_rows)
        if not counts:
            raise DataError("no judgment has two verdicts: check the scores of the games")
        if self._wanted.categories:
            for category in self._wanted.categories:
                if category not in counts:
                    raise RunError(
                        f"`categories`: {category!r} has no judgments: {chosen_from(category, sorted(counts))}"
                    )
            return tuple(sorted(set(self._wanted.categories)))
        known = {category: _BASELINES.get(category) for category in counts}
        if self._wanted.baseline is None and len(set(known.values())) > 1:
            if _FIRST not in counts:
                listed = ", ".join(f"{name} {known[name] or 'unknown'}" for name in sorted(known))
                raise RunError(f"the categories have different baselines ({listed}): choose with `categories`")
            left = sorted(name for name in counts if known[name] != known[_FIRST])
            for name in left:
                self.notes.append(
                    f"{count_of(counts.pop(name), 'judgment')} of the category {name} left out, because its baseline "
                    "is another: choose the category to see it"
                )
        return tuple(sorted(counts))

    def _of_policies(self, rows: list[Judgment]) -> list[Judgment]:
        there = {one.policy for one in rows}
        for name in self._wanted.policies or ():
            if name not in there:
                raise RunError(f"`policies`: {name!r} has no judgments: {chosen_from(name, sorted(there))}")
        return [one for one in rows if self._wanted_policy(one.policy)]

    def _needed(
        self, rows: Sequence[Judgment], judged: Collection[str], models: Collection[str]
    ) -> set[tuple[str, str]]:
        """Choose the baseline, and return model and question of each answer that is needed."""
        self.baseline, self.chosen = self._chosen_baseline(judged, models)
        needed = {(model, one.question) for one in rows for model in (one.policy, self.baseline)}
        return {(model, question) for model, question in needed if model in models}

    def _chosen_baseline(self, judged: Collection[str], models: Collection[str]) -> tuple[str, str]:
        if not models:
            raise DataError(f"{self._folders[0].path} has no answers: add model_answer/MODEL.jsonl")
        given = self._wanted.baseline
        if given is not None:
            if given not in models:
                raise RunError(f"`baseline` {given!r} has no answers here: {chosen_from(given, sorted(models))}")
            return given, "as given"
        known = {_BASELINES.get(category) for category in self.categories}
        own = next(iter(known)) if len(known) == 1 else None
        if own in models:
            return str(own), f"Arena-Hard-Auto's for {self.categories[0]}"
        others = sorted(set(models) - set(judged)) if len(known) == 1 else []
        if len(others) == 1:
            return others[0], "the only model with answers and without judgments"
        raise RunError(
            f"the baseline of {', '.join(self.categories)} is not known: give `baseline`, the model that the judge "
            f"compares all policies with (models with answers: {', '.join(sorted(models))})"
        )

    def _with_styles(self, rows: list[Judgment]) -> list[Judgment]:
        """Return the judgments whose two answers have styles, and note the others."""
        styles, base = self.answers.styles, self.answers.styles.get(self.baseline, {})
        missing: dict[str, list[str]] = {}
        kept = []
        for one in rows:
            lacking = [
                model
                for model, own in ((one.policy, styles.get(one.policy, {})), (self.baseline, base))
                if one.question not in own
            ]
            for model in lacking:
                missing.setdefault(model, []).append(one.question)
            kept += [] if lacking else [one]
        self.unanswered = len(rows) - len(kept)
        for model, ids in sorted(missing.items()):
            ids = sorted(set(ids))
            more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
            self.notes.append(
                f"{model} has no answer to {count_of(len(ids), 'judged question')} ({', '.join(ids[:_SHOWN])}{more}): "
                "their judgments left out"
            )
        if not kept:
            raise DataError(f"no judged answer has a style: add the answers of policies and {self.baseline}")
        return kept
