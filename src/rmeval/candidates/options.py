"""How candidates are written and verified."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from rmeval.build.config import BuildConfig, DomainConfig, ModelRole, parsed
from rmeval.build.problems.options import LayoutName, ProblemOptions
from rmeval.build.prompt_files import PromptFile, packaged_prompts, read_prompt
from rmeval.errors import DataError, RmevalError
from rmeval.models.options import ModelOptions
from rmeval.protocols.judging import JudgeOptions
from rmeval.transport import ServerOptions

__all__ = ["NAME", "By", "Verify", "WriterOptions", "config_of"]

NAME = "candidates"
"""The domain of the problems."""
By = Literal["key", "tests", "none"]
Verify = Literal["auto", "key", "tests", "none"]
"""What decides on quality; `auto`: the tests of a problem, and its key where it has no tests."""
_BUDGET = ("max_cost", "max_requests", "max_tokens", "prices")
_PROMPTS: Mapping[By, str] = {"key": "math/solve", "tests": "code/solve"}
_DEFAULTS = (ModelOptions(), ServerOptions(), JudgeOptions())
_HAS_PROBLEM = re.compile(r"\{[{%][^}]*\bproblem\b")
_PLAIN = PromptFile("plain", "{{ problem }}", "plain")


@dataclass(frozen=True)
class WriterOptions:
    """How candidates are written and verified.

    Attributes:
        writer: The language model: address of an OpenAI-compatible server, folder, hub id, or
            `any-llm:PROVIDER/MODEL`.
        n: Number of candidates of each problem.
        temperature: Temperature.
        top_p: Share of the probability from which tokens are drawn.
        max_new_tokens: Limit of a candidate in tokens, its reasoning included.
        seed: Seed of sampling; each candidate has its own.
        prompt: Template of the prompt; by default that of the recipe `math` or `code` of `rmeval build`, or the problem
            itself where nothing is verified.
        layout: Layout of the problems, see `rmeval build`.
        columns: The file's names of columns, by those of the layout.
        limit: Number of problems to take from the start.
        model: Further options of `rmeval.load_model`, such as `{"concurrency": 16, "max_cost": 5}`.
        accept_failures: Whether to leave out candidates whose calls failed.
    """

    writer: str
    n: int = 16
    temperature: float = 0.7
    top_p: float = 1.0
    max_new_tokens: int = 2048
    seed: int = 0
    prompt: Path | None = None
    layout: LayoutName = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    model: Mapping[str, Any] = field(default_factory=dict)
    accept_failures: bool = False

    def __post_init__(self) -> None:
        """Check what no other part checks.

        Raises:
            RmevalError: If an option is wrong.
        """
        if self.n < 1 or (self.limit is not None and self.limit < 1):
            raise RmevalError("`n` and `limit` must be 1 or more: correct them")
        if self.n > 1 and not self.temperature > 0:
            raise RmevalError(
                "`temperature` 0 writes the same text again and again: give a temperature above 0, or `n` 1"
            )

    def prompt_for(self, by: By) -> PromptFile:
        """The template of the prompt of a problem that is verified in some way.

        Raises:
            DataError: If it cannot be read.
        """
        if self.prompt is not None:
            found = read_prompt(self.prompt.stem, self.prompt)
            if not _HAS_PROBLEM.search(found.text):
                raise DataError(f"the prompt {self.prompt} has no {{{{ problem }}}}: add it")
            return found
        return packaged_prompts()[_PROMPTS[by]] if by in _PROMPTS else _PLAIN


def config_of(problems: Path, options: WriterOptions | None, require_sandbox: bool = True) -> BuildConfig:
    """The config of a build that has these problems and this writer, which the stages of a build read.

    Args:
        problems: The file of problems.
        options: How candidates are written; None if they are only verified.
        require_sandbox: Whether code runs only in bubblewrap.

    Raises:
        RmevalError: If an option is wrong.
    """
    own = options or WriterOptions("")
    given = _changed(own.model)
    file = ProblemOptions(file=str(problems.absolute()), layout=own.layout, columns=dict(own.columns))
    values = {
        "name": NAME,
        "seed": own.seed,
        "models": {"writer": _role(own, given)} if options is not None else {},
        "domains": {NAME: DomainConfig(recipe="math", problems=file)},
        "sandbox": {"require": require_sandbox},
    }
    budget = {name: given[name] for name in _BUDGET if name in given}
    if "prices" in budget:
        budget["prices"] = Path(budget["prices"])
    return parsed(BuildConfig, values, "the writer").with_budget(**budget)


def _role(options: WriterOptions, given: Mapping[str, Any]) -> ModelRole:
    values = {
        "model": options.writer,
        "served_model": given.get("served_model"),
        "temperature": float(options.temperature),
        "top_p": float(options.top_p),
        "max_new_tokens": options.max_new_tokens,
        "options": {name: value for name, value in given.items() if name not in (*_BUDGET, "served_model")},
    }
    return parsed(ModelRole, values, "the writer")


def _changed(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the model that do not have their default, on which the identity of a call depends."""
    known = {one.name: getattr(own, one.name) for own in _DEFAULTS for one in fields(own)}
    return {name: value for name, value in given.items() if name not in known or value != known[name]}
