"""The interfaces of stages and recipes."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rmeval.build.config import BuildConfig, DomainConfig, Options, Role
from rmeval.build.records import Candidate, Check, Dropped, Problem, Record, Side
from rmeval.build.registry import RECIPES, STAGES, StageName
from rmeval.build.tools import Tools
from rmeval.errors import DataError
from rmeval.messages import chosen_from

__all__ = ["REWRITERS", "PlannedCalls", "Recipe", "Stage", "by_domain", "find_recipe", "find_stage"]

REWRITERS: Mapping[Side, Role] = {"chosen": "rewriter", "rejected": "rewriter"}
"""The same model for both sides."""


@dataclass(frozen=True, slots=True)
class PlannedCalls:
    """Calls that a stage is going to make, for `--dry-run`.

    Attributes:
        role: Which model is called.
        calls: Number of calls, if none fails and no text is rejected.
        most: Number of calls if every attempt is needed.
        input_tokens: Estimated tokens of all `calls` prompts.
        output_tokens: Estimated tokens of their answers.
    """

    role: Role
    calls: int
    most: int
    input_tokens: int
    output_tokens: int


class Stage(Protocol):
    """One stage: a function of the records of the stage before, the config, and the answers to its calls.

    It keeps no state of its own: the same records, config and answers give the same result, so that a stage that is
    killed runs again, and its calls are answered from the log.
    """

    def run(self, records: Sequence[Record], config: BuildConfig, tools: Tools) -> Iterable[Record | Dropped]:
        """Yield each record with what this stage adds, or the reason why it is left out, in any order.

        Raises:
            RmevalError: If the user must change something.
        """
        ...

    def options(self, config: BuildConfig) -> Any:
        """The part of the config, as JSON types, that the result depends on."""
        ...

    def planned(self, records: Sequence[Record], config: BuildConfig) -> list[PlannedCalls]:
        """The calls for some records; records of an estimated number may lack what the stage before adds."""
        ...


class Recipe(Protocol):
    """How the responses of a domain are made and checked.

    Attributes:
        Options: Class of its options, the part `responses` of a domain.
        roles: The models that it calls, so that a config without one of them is an error before the first call.
        rewriters: Which model changes the style of each side's responses.
    """

    Options: type[Options]
    roles: tuple[Role, ...]
    rewriters: Mapping[Side, Role]

    def respond(self, records: Sequence[Record], options: Any, tools: Tools) -> Iterable[Record | Dropped]:
        """Yield each record with at least one verified candidate of each side, or why it is left out."""
        ...

    def check(self, texts: Sequence[tuple[Problem, Candidate]], options: Any, tools: Tools) -> list[tuple[Check, ...]]:
        """Check whether each text is still what its side says; used again after each rewriting.

        Args:
            texts: Problems and candidates, whose earlier checks do not matter.
            options: The recipe's options.
            tools: Calls and sandbox.

        Returns:
            For each text, its checks: at least one.
        """
        ...

    def substance(self, text: str) -> str | None:
        """What each rewriting must keep word by word, such as the code or the final answer; None if a check decides."""
        ...

    def planned(self, records: Sequence[Record], options: Any) -> list[PlannedCalls]:
        """The calls that `respond` needs for some problems."""
        ...

    def planned_checks(self, texts: int, options: Any) -> list[PlannedCalls]:
        """The calls that `check` needs for a number of texts."""
        ...


def find_stage(name: StageName) -> Stage:
    """Return a stage."""
    found: Stage = _load(STAGES[name])()
    return found


def find_recipe(domain: DomainConfig) -> Recipe:
    """Return a domain's recipe.

    Raises:
        DataError: If there is no such recipe.
    """
    if domain.recipe not in RECIPES:
        raise DataError(f"there is no recipe {domain.recipe!r}: {chosen_from(domain.recipe, RECIPES)}")
    found: Recipe = _load(RECIPES[domain.recipe])()
    return found


def by_domain(records: Iterable[Record]) -> Mapping[str, list[Record]]:
    """The records of each domain, in their order."""
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.problem.domain, []).append(record)
    return found


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
