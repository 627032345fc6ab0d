"""The second stage: the responses of each domain, by its recipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rmeval.build.config import BuildConfig
from rmeval.build.records import Dropped, Record
from rmeval.build.stage import PlannedCalls, by_domain, find_recipe
from rmeval.build.tools import Tools

__all__ = ["ResponseStage", "recipe_options"]


class ResponseStage:
    """Runs the recipe of each domain."""

    def run(self, records: Sequence[Record], config: BuildConfig, tools: Tools) -> Iterable[Record | Dropped]:
        """Yield each record with verified candidates of both sides, or why it is left out."""
        for name, own in by_domain(records).items():
            recipe = find_recipe(config.domains[name])
            yield from recipe.respond(own, recipe_options(config, name), tools)

    def options(self, config: BuildConfig) -> Any:
        """Recipe and options of each domain, by domain."""
        domains = {
            name: [one.recipe, recipe_options(config, name).model_dump()] for name, one in config.domains.items()
        }
        return {"domains": domains, "sandbox": config.sandbox}

    def planned(self, records: Sequence[Record], config: BuildConfig) -> list[PlannedCalls]:
        """The calls of all recipes."""
        return [
            call
            for name, own in by_domain(records).items()
            for call in find_recipe(config.domains[name]).planned(own, recipe_options(config, name))
        ]


def recipe_options(config: BuildConfig, domain: str) -> Any:
    """The options of a domain's recipe.

    Raises:
        DataError: If one is wrong.
    """
    return config.part(find_recipe(config.domains[domain]).Options, "domains", domain, "responses")
