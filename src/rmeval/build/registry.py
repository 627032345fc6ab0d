"""The stages and the recipes: their names and their classes."""

from __future__ import annotations

from typing import Literal

__all__ = ["PARTS", "RECIPES", "STAGES", "StageName"]

StageName = Literal["problems", "responses", "styles", "review", "assemble"]
STAGES: dict[StageName, str] = {
    "problems": "rmeval.build.problems.stage:ProblemStage",
    "responses": "rmeval.build.recipes.stage:ResponseStage",
    "styles": "rmeval.build.styles.stage:StyleStage",
    "review": "rmeval.build.review.stage:ReviewStage",
    "assemble": "rmeval.build.assemble.stage:AssembleStage",
}
"""The stages in their order."""
RECIPES: dict[str, str] = {
    "chat": "rmeval.build.recipes.chat:ChatRecipe",
    "code": "rmeval.build.recipes.code:CodeRecipe",
    "math": "rmeval.build.recipes.math:MathRecipe",
    "safety-response": "rmeval.build.recipes.safety:ShouldRespond",
    "safety-refuse": "rmeval.build.recipes.safety:ShouldRefuse",
}
"""The recipes by name."""
PARTS: dict[str, str] = {
    "styles": "rmeval.build.styles.options:StyleOptions",
    "review": "rmeval.build.review.stage:ReviewOptions",
    "sandbox": "rmeval.build.sandbox_options:SandboxOptions",
    "assemble": "rmeval.build.assemble.stage:AssembleOptions",
}
"""The parts of a config whose options others define, and their classes."""
