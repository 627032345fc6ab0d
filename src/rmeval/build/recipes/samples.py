"""Samples of solutions: drawn, sorted by what checks found, and kept as candidates of both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import Field

from rmeval.build.answers import Answer
from rmeval.build.config import Options
from rmeval.build.prompt_files import PromptFile
from rmeval.build.records import Candidate, Check, Dropped, Problem, Record, Side
from rmeval.build.stage import PlannedCalls
from rmeval.build.tools import Ask, Tools
from rmeval.messages import count_of
from rmeval.protocols.judging.reading import without_reasoning

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
]

SIDES: Mapping[Side, str] = {"chosen": "right", "rejected": "wrong"}
"""What a response of each side is found to be."""
_OUTPUT_TOKENS = 400
"""Tokens of a solution, for estimates."""
_LETTERS_PER_TOKEN = 4
_UNUSABLE = {"refused": "refused", "cut": "cut off", "overlength": "too long a prompt", "error": "failed call"}


class SampleOptions(Options):
    """Options of recipes that draw samples.

    Attributes:
        samples: Number of solutions that the writer samples for each problem.
        temperature: Temperature of these samples; a high one gives right and wrong solutions of more problems.
        keep: Largest number of candidates of each side that style control may use.
    """

    samples: int = Field(8, ge=2)
    temperature: float = Field(1.0, ge=0)
    keep: int = Field(1, ge=1)


@dataclass(frozen=True, slots=True)
class Sample:
    """One response of the writer.

    Attributes:
        number: Its number, from 0.
        call: Key of its call.
        text: The response without reasoning; empty if it is not usable.
        unusable: Why there is no text.
    """

    number: int
    call: str
    text: str
    unusable: str = ""


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
    answers = iter(tools.ask(asks, what))
    return [[_sample(*one) for one in enumerate(islice(answers, options.samples))] for _ in problems]


def _sample(number: int, answer: Answer) -> Sample:
    if answer.status != "ok":
        return Sample(number, answer.key, "", _UNUSABLE[answer.status])
    text = without_reasoning(answer.text)
    if text is None:
        return Sample(number, answer.key, "", "reasoning without an end")
    return Sample(number, answer.key, text.strip(), "" if text.strip() else "empty")


def kept(
    record: Record,
    found: Sequence[tuple[Sample, Finding]],
    options: SampleOptions,
    by: str,
    prompt: PromptFile,
    model: str,
) -> Record | Dropped:
    """The record with its first candidates of each side, or the reason why a side has none.

    Args:
        record: The record.
        found: Its samples, those of each side in the order of preference.
        options: How many are kept.
        by: Name of the check.
        prompt: What the samples were written for.
        model: Name of the writer.
    """
    candidates: list[Candidate] = []
    for side, state in SIDES.items():
        for number, (sample, one) in enumerate(distinct(found, state)[: options.keep]):
            check = Check(by, "pass", one.detail)
            origin = (model, prompt.version, sample.call, sample.number)
            candidates.append(Candidate(f"{side}-{number}", side, sample.text, None, *origin, checks=(check,)))
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
