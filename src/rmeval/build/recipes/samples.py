"""Samples of solutions: drawn, sorted by what checks found, and kept as candidates of both sides."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pydantic import Field

from rmeval.build.config import Options
from rmeval.build.prompt_files import PromptFile
from rmeval.build.records import Candidate, Check, Dropped, Problem, Record, Side
from rmeval.build.rounds import Failed, Written, write
from rmeval.build.stage import PlannedCalls
from rmeval.build.tools import Ask, Tools
from rmeval.messages import count_of

__all__ = [
    "SIDES",
    "Finding",
    "Sample",
    "SampleOptions",
    "distinct",
    "draw_samples",
    "kept",
    "planned_samples",
    "status_of",
    "with_findings",
]

logger = logging.getLogger(__name__)

SIDES: Mapping[Side, str] = {"chosen": "right", "rejected": "wrong"}
"""What a response of each side is found to be."""
_OUTPUT_TOKENS = 400
"""Tokens of a solution, for estimates."""
_LETTERS_PER_TOKEN = 4


class SampleOptions(Options):
    """Options of recipes that draw samples.

    Attributes:
        samples: Number of solutions that the writer samples for each problem.
        temperature: Temperature of these samples; a high one gives right and wrong solutions of more problems.
        keep: Largest number of candidates of each side that style control may use.
    """

    samples: int = Field(8, ge=2, le=1000)
    temperature: float = Field(1.0, ge=0)
    keep: int = Field(1, ge=1)


@dataclass(frozen=True, slots=True)
class Sample:
    """One response of the writer.

    Attributes:
        number: Its number, from 0.
        text: The response without reasoning; empty if there is none.
        origin: The response with its provenance, or why there is none.
    """

    number: int
    text: str
    origin: Written | Failed = field(compare=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found of a text.

    Attributes:
        state: `right`, `wrong`, or in a few words why it counts as neither, such as `flaky`.
        detail: What was found, in one line.
    """

    state: str
    detail: str = ""


def draw_samples(
    problems: Sequence[Problem],
    prompt: PromptFile,
    values: Callable[[Problem], Mapping[str, Any]],
    options: SampleOptions,
    tools: Tools,
    what: str,
) -> list[list[Sample]]:
    """Sample solutions of each problem.

    Args:
        problems: The problems.
        prompt: The prompt.
        values: Its variables for a problem.
        options: Number of samples, and their temperature.
        tools: What calls the writer.
        what: What is done, for the progress bar.

    Raises:
        ModelError: If the writer cannot be called.
    """
    asks = [
        Ask("writer", prompt, values(problem), number, options.temperature)
        for problem in problems
        for number in range(options.samples)
    ]
    found = (Sample(ask.sample, _text(one), one) for ask, one in zip(asks, write(asks, tools, what), strict=True))
    samples = [list(islice(found, options.samples)) for _ in problems]
    several = [texts for own in samples if len(texts := [one.text for one in own if one.text]) > 1]
    if options.temperature > 0 and several and all(len(set(texts)) == 1 for texts in several):
        logger.warning(
            "all samples of each problem are the same text: the server of the writer seems to ignore the temperature, "
            "so that more samples change nothing"
        )
    return samples


def _text(written: Written | Failed) -> str:
    return "" if isinstance(written, Failed) else written.text


def with_findings(samples: Iterable[Sequence[Sample]], found: Iterable[Finding]) -> list[list[tuple[Sample, Finding]]]:
    """The samples of each problem with what is found of them.

    Args:
        samples: The samples.
        found: What checks found of those that have a text, in their order.
    """
    each = iter(found)
    return [
        [(one, Finding(one.origin.reason) if isinstance(one.origin, Failed) else next(each)) for one in own]
        for own in samples
    ]


def kept(record: Record, found: Sequence[tuple[Sample, Finding]], options: SampleOptions, by: str) -> Record | Dropped:
    """The record with its first candidates of each side, or the reason why a side has none.

    Args:
        record: The record.
        found: Its samples, those of each side in the order of preference.
        options: How many are kept.
        by: Name of the check.
    """
    candidates: list[Candidate] = []
    for side, state in SIDES.items():
        for number, (sample, one) in enumerate(distinct(found, state)[: options.keep]):
            assert isinstance(sample.origin, Written)
            candidate = sample.origin.candidate(f"{side}-{number}", side)
            candidates.append(candidate.with_checks(Check(by, "pass", one.detail)))
    sides = {one.side for one in candidates}
    if len(sides) == len(SIDES):
        return Record(record.problem, tuple(candidates))
    missing = [state for side, state in SIDES.items() if side not in sides]
    reason = "no verified sample" if len(missing) == len(SIDES) else f"no {missing[0]} sample"
    return Dropped(record.key, reason, _states(found))


def distinct(found: Iterable[tuple[Sample, Finding]], state: str) -> list[tuple[Sample, Finding]]:
    """The samples of a state, without those whose text is that of an earlier one."""
    own: dict[str, tuple[Sample, Finding]] = {}
    for sample, one in found:
        if one.state == state:
            own.setdefault(sample.text, (sample, one))
    return list(own.values())


def _states(found: Sequence[tuple[Sample, Finding]]) -> str:
    counts = Counter(one.state for _, one in found)
    return f"of {count_of(len(found), 'sample')}: " + ", ".join(f"{count} {state}" for state, count in counts.items())


def status_of(side: Side, found: Finding, by: str) -> Check:
    """The check of a text that claims to be of a side."""
    if found.state not in SIDES.values():
        detail = f"{found.state}: {found.detail}" if found.detail else found.state
        return Check(by, "unsure", detail)
    return Check(by, "pass" if found.state == SIDES[side] else "fail", found.detail)


def planned_samples(problems: Sequence[Problem], prompt: PromptFile, options: SampleOptions) -> list[PlannedCalls]:
    """The calls for samples of some problems."""
    count = len(problems) * options.samples
    letters = sum(len(one.prompt) + len(prompt.text) for one in problems) * options.samples
    return [PlannedCalls("writer", count, count, letters // _LETTERS_PER_TOKEN, count * _OUTPUT_TOKENS)]
