"""Code: samples that pass their tests, and near misses that fail them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Literal

from pydantic import Field

from rmeval.build import config
from rmeval.build.config import Role
from rmeval.build.prompt_files import packaged_prompts
from rmeval.build.recipes.code_check import CodeCheck, Solution
from rmeval.build.recipes.samples import (
    SIDES,
    Finding,
    Sample,
    SampleOptions,
    distinct,
    draw_samples,
    kept,
    planned_samples,
    status_of,
    with_findings,
)
from rmeval.build.records import Candidate, Check, Dropped, Problem, Record, Side
from rmeval.build.stage import REWRITERS, PlannedCalls
from rmeval.build.tools import Tools
from rmeval.errors import DataError
from rmeval.solutions.code_blocks import main_block

__all__ = ["CodeOptions", "CodeRecipe", "prompt_values", "refuse_missing_compilers"]

_PROMPT = "code/solve"
_SPELT = {"python": "Python", "cpp": "C++", "java": "Java", "javascript": "JavaScript", "rust": "Rust", "go": "Go"}
_TOKEN = re.compile(r"\w+|[^\w\s]")
_MOST_TOKENS = 3000
"""Tokens of a solution that are compared, since the time grows with their square."""


class CodeOptions(SampleOptions):
    """Options of `code`.

    Attributes:
        repeats: Further runs of each response that is kept; one with another verdict is flaky, and is left out.
        timeouts: Whether code that exceeds a limit of time, memory or output is `wrong`, or `skip`: neither.
        syntax_errors: Whether code that does not compile is `wrong`, or `skip`: neither.
    """

    repeats: int = Field(2, ge=0)
    timeouts: Literal["skip", "wrong"] = "skip"
    syntax_errors: Literal["skip", "wrong"] = "skip"


Found = list[tuple[Sample, Finding]]


class CodeRecipe:
    """Keeps responses whose code passes its tests, and such whose code fails them, near misses first."""

    Options: type[config.Options] = CodeOptions
    roles: tuple[Role, ...] = ("writer",)
    rewriters: Mapping[Side, Role] = REWRITERS

    def respond(self, records: Sequence[Record], options: Any, tools: Tools) -> Iterable[Record | Dropped]:
        """Sample solutions, run their tests, and keep some of each side."""
        tested = [record for record in records if record.problem.tests]
        yield from (Dropped(record.key, "no tests") for record in records if not record.problem.tests)
        if tested:
            tools.need_sandbox()
        refuse_missing_compilers([one.problem for one in tested], "leave such problems out with `filters`")
        prompt = tools.prompts.get(_PROMPT)
        samples = draw_samples([one.problem for one in tested], prompt, prompt_values, options, tools, "solutions")
        check = _check(options, tools)
        found = _first(tested, samples, check)
        ordered = _near_misses_first(tested, found, check)
        final = _repeated(tested, ordered, options.keep, check)
        counts = Counter(one.state for own in final for _, one in own)
        for domain in dict.fromkeys(record.problem.domain for record in tested):
            tools.note(**{f"samples of {domain}": dict(sorted(counts.items()))})
        for record, own in zip(tested, final, strict=True):
            yield kept(record, own, options, "tests")

    def check(self, texts: Sequence[tuple[Problem, Candidate]], options: Any, tools: Tools) -> list[tuple[Check, ...]]:
        """Run the tests of each text, as often as for the responses."""
        solutions = [Solution(problem, candidate.text) for problem, candidate in texts]
        check = _check(options, tools)
        found = check.again(solutions, check.first(solutions, "tests"), "tests, repeated")
        return [(status_of(candidate.side, one, "tests"),) for (_, candidate), one in zip(texts, found, strict=True)]

    def substance(self, text: str) -> str | None:
        """The code, without comments."""
        return main_block(text)

    def planned(self, records: Sequence[Record], options: Any) -> list[PlannedCalls]:
        """One call for each sample."""
        return planned_samples([one.problem for one in records], packaged_prompts()[_PROMPT], options)

    def planned_checks(self, texts: int, options: Any) -> list[PlannedCalls]:
        """No calls: tests run on this machine."""
        return []


def refuse_missing_compilers(problems: Sequence[Problem], instead: str) -> None:
    """Make sure that solutions can be run, before calls are paid.

    Args:
        problems: Problems with tests.
        instead: What to do if no toolchain can be installed.

    Raises:
        DataError: If a language has no toolchain here.
    """
    from rmeval.sandbox import toolchains

    for problem in problems:
        language = _language(problem)
        if language not in toolchains():
            raise DataError(
                f"{problem.key} is a problem in {_SPELT.get(language, language)}, for which there is no toolchain on "
                f"this machine: install one, or {instead}"
            )


def _language(problem: Problem) -> str:
    return str(problem.tests.get("language", "python"))


def prompt_values(problem: Problem) -> dict[str, Any]:
    """The variables of a prompt for a problem; the programming language is Python where there are no tests."""
    language = _language(problem)
    return {
        "problem": problem.prompt,
        "language": problem.language,
        "programming_language": _SPELT.get(language, language),
        "entry_point": problem.tests.get("entry_point", ""),
    }


def _check(options: CodeOptions, tools: Tools) -> CodeCheck:
    return CodeCheck(tools, options.timeouts, options.syntax_errors, options.repeats)


def _first(records: Sequence[Record], samples: Sequence[Sequence[Sample]], check: CodeCheck) -> list[Found]:
    """What one run of the tests finds of each sample."""
    solutions = [
        Solution(record.problem, sample.text)
        for record, own in zip(records, samples, strict=True)
        for sample in own
        if sample.text
    ]
    return with_findings(samples, check.first(solutions, "tests"))


def _near_misses_first(records: Sequence[Record], found: Sequence[Found], check: CodeCheck) -> list[Found]:
    """Sort wrong samples by the share of assertions that hold, and by the distance of their code from a right one."""
    # Only where there is a choice.
    choices = [
        (number, sample)
        for number, own in enumerate(found)
        if any(one.state == "right" for _, one in own) and sum(one.state == "wrong" for _, one in own) > 1
        for sample, one in own
        if one.state == "wrong"
    ]
    solutions = [Solution(records[number].problem, sample.text) for number, sample in choices]
    shares = iter(check.shares(solutions, "near misses"))
    ranks: dict[tuple[int, int], tuple[float, float]] = {}
    for number, sample in choices:
        right = [_tokens(records[number], other) for other, one in found[number] if one.state == "right"]
        nearest = min(_distance(_tokens(records[number], sample), other) for other in right)
        ranks[number, sample.number] = (-next(shares), nearest)
    return [
        sorted(own, key=lambda pair: (*ranks.get((number, pair[0].number), (0.0, 0.0)), pair[0].number))
        for number, own in enumerate(found)
    ]


def _tokens(record: Record, sample: Sample) -> list[str]:
    return _TOKEN.findall(Solution(record.problem, sample.text).code.text)[:_MOST_TOKENS]


def _distance(code: Sequence[str], other: Sequence[str]) -> float:
    """The share of tokens that differ."""
    return 1 - SequenceMatcher(None, code, other, autojunk=False).ratio()


def _repeated(records: Sequence[Record], found: Sequence[Found], keep: int, check: CodeCheck) -> list[Found]:
    """Repeat the tests of the samples that would be kept, and of the next ones in place of those that are flaky."""
    current = [dict(own) for own in found]
    done: set[tuple[int, int]] = set()
    while True:
        wanted = [
            (number, sample)
            for number, own in enumerate(current)
            for sample in _first_of_each_side(own, keep)
            if (number, sample.number) not in done
        ]
        if not wanted:
            return [list(own.items()) for own in current]
        solutions = [Solution(records[number].problem, sample.text) for number, sample in wanted]
        first = [current[number][sample] for number, sample in wanted]
        for (number, sample), one in zip(wanted, check.again(solutions, first, "tests, repeated"), strict=True):
            current[number][sample] = one
            done.add((number, sample.number))


def _first_of_each_side(found: Mapping[Sample, Finding], keep: int) -> list[Sample]:
    """The samples that would be kept; none where a side has none."""
    sides = [[sample for sample, _ in distinct(found.items(), state)] for state in SIDES.values()]
    return [sample for side in sides for sample in side[:keep]] if all(sides) else []
