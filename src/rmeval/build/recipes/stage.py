"""The second stage: the responses of each domain, by its recipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rmeval.build.config import BuildConfig, Role
from rmeval.build.records import Dropped, Record
from rmeval.build.sandbox_options import SandboxOptions
from rmeval.build.stage import PlannedCalls, by_domain, find_recipe
from rmeval.build.tools import Tools
from rmeval.errors import DataError

__all__ = ["ResponseStage", "recipe_options"]


class ResponseStage:
    """Runs the recipe of each domain."""

    def run(self, records: Sequence[Record], config: BuildConfig, tools: Tools) -> Iterable[Record | Dropped]:
        """Yield each record with verified candidates of both sides, or why it is left out."""
        for name, own in by_domain(records).items():
            recipe = find_recipe(config.domains[name])
            yield from recipe.respond(own, recipe_options(config, name), tools)

    def options(self, config: BuildConfig) -> Any:
        """Recipe and options of each domain, by domain.

        Raises:
            DataError: If an option is wrong, or a model is missing that a recipe calls.
        """
        for name in config.domains:
            refuse_missing_roles(config, name)
        domains = {
            name: [one.recipe, recipe_options(config, name).model_dump()] for name, one in config.domains.items()
        }
        config.part(SandboxOptions, "sandbox")
        return {"domains": domains, "sandbox": config.sandbox}

    def planned(self, records: Sequence[Record], config: BuildConfig) -> list[PlannedCalls]:
        """The calls of all recipes."""
        return [
            call
            for name, own in by_domain(records).items()
            for call in find_recipe(config.domains[name]).planned(own, recipe_options(config, name))
        ]


def refuse_missing_roles(config: BuildConfig, domain: str) -> None:
    """Make sure that the config names each model that a domain's recipe calls.

    Raises:
        DataError: If one is missing.
    """
    for role in find_recipe(config.domains[domain]).roles:
        if role not in config.models:
            raise DataError(
                f"the domain {domain} needs a model with the role {role}, {_USES[role]}: add `{role}` under `models`, "
                "or leave the domain out"
            )


_USES: dict[Role, str] = {
    "writer": "which writes its responses",
    "rewriter": "which changes their style",
    "judge": "which checks them",
    "compliant": "which answers harmful requests",
}


def recipe_options(config: BuildConfig, domain: str) -> Any:
    """The options of a domain's recipe.

    Raises:
        DataError: If one is wrong.
    """
    return config.part(find_recipe(config.domains[domain]).Options, "domains", domain, "responses")
