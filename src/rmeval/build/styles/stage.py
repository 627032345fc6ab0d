"""The third stage: each side of each problem concise, detailed in plain text, and detailed with markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rmeval.build.config import BuildConfig, Role
from rmeval.build.recipes.stage import recipe_options
from rmeval.build.records import Dropped, Record
from rmeval.build.stage import PlannedCalls, by_domain, find_recipe
from rmeval.build.styles.balance import balance_facts, balanced
from rmeval.build.styles.draft import SIDES, SLOTS
from rmeval.build.styles.options import style_options
from rmeval.build.styles.rewriting import Rewriting
from rmeval.build.tools import Tools
from rmeval.types import STYLES

__all__ = ["StyleStage"]

_PROMPT_TOKENS, _TEXT_TOKENS = 250, 250
"""Estimates for `--dry-run`."""


class StyleStage:
    """Rewrites both sides of each problem in each style, verifies each text, and balances chosen against rejected."""

    def run(self, records: Sequence[Record], config: BuildConfig, tools: Tools) -> Iterable[Record | Dropped]:
        """Yield each record with one verified text for each side and style, or why it is left out."""
        balance: dict[str, Any] = {}
        failures: dict[str, dict[str, int]] = {}
        found: list[Record | Dropped] = []
        for name, own in by_domain(records).items():
            rewriting = Rewriting(name, config, tools)
            drafts, dropped = rewriting.drafts(own)
            choices = {draft.record.key: draft.choices(rewriting.options) for draft in drafts}
            kept = balanced(choices, rewriting.options)
            for draft in drafts:
                texts = kept.get(draft.record.key)
                if texts is None:
                    found.append(Dropped(draft.record.key, "left out for the balance of chosen and rejected"))
                else:
                    order = ((side, style) for side in SIDES for style in STYLES)
                    found.append(Record(draft.record.problem, tuple(texts[slot] for slot in order)))
            found += dropped
            balance[name] = balance_facts(list(kept.values()), rewriting.options)
            failures[name] = dict(sorted(rewriting.failures.items()))
        tools.note(balance=balance, failed_attempts=failures)
        return found

    def options(self, config: BuildConfig) -> Any:
        """The options of style control and of the recipe's checks, by domain."""
        return {
            name: [style_options(config, name).model_dump(), one.recipe, recipe_options(config, name).model_dump()]
            for name, one in config.domains.items()
        } | {"sandbox": config.sandbox}

    def planned(self, records: Sequence[Record], config: BuildConfig) -> list[PlannedCalls]:
        """A rewriting of each side in each style, and the recipe's checks of each."""
        found: list[PlannedCalls] = []
        for name, own in by_domain(records).items():
            options, recipe = style_options(config, name), find_recipe(config.domains[name])
            texts = len(own) * len(SLOTS) * options.variants
            roles = [recipe.rewriters[side] for side in SIDES]
            shares = {role: texts * roles.count(role) // len(roles) for role in dict.fromkeys(roles)}
            found += [_rewritings(role, calls, own, options.attempts) for role, calls in shares.items()]
            found += [
                PlannedCalls(one.role, one.calls, one.most * options.attempts, one.input_tokens, one.output_tokens)
                for one in recipe.planned_checks(texts, recipe_options(config, name))
            ]
        return found


def _rewritings(role: Role, calls: int, records: Sequence[Record], attempts: int) -> PlannedCalls:
    prompts = sum(len(one.problem.prompt) for one in records) // 4 // max(1, len(records))
    read = calls * (_PROMPT_TOKENS + _TEXT_TOKENS + prompts)
    return PlannedCalls(role, calls, calls * attempts, read, calls * _TEXT_TOKENS)
