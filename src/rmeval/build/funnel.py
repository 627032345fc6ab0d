"""The funnel of a build: how many problems each stage has kept and left out, and what its calls used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rmeval.build.folder import StageResult
from rmeval.build.registry import StageName

__all__ = ["FunnelStep", "Used", "funnel_of", "used_of"]


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """What a stage has kept and left out of one domain.

    Attributes:
        stage: The stage.
        domain: The domain.
        kept: Number of problems that go on.
        left_out: Number of problems that do not, by reason, the most frequent first.
    """

    stage: StageName
    domain: str
    kept: int
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Used:
    """What a stage's calls of one model with one prompt used, whichever processes made them.

    Attributes:
        stage: The stage.
        role: The model's role.
        model: Its name.
        prompt: Prompt file and digest of its text.
        calls: Number of distinct calls.
        ok: Number of calls with a complete text.
        input_tokens: Tokens of their prompts.
        output_tokens: Tokens of their answers.
        cost: Dollars, at the prices of the config; None without.
    """

    stage: StageName
    role: str
    model: str
    prompt: str
    calls: int
    ok: int
    input_tokens: int
    output_tokens: int
    cost: float | None = None


def funnel_of(stages: Mapping[StageName, StageResult]) -> list[FunnelStep]:
    """Return the counts of each stage and domain, in the order of the stages; domains by name."""
    found = []
    for stage, result in stages.items():
        kept = Counter(record.problem.domain for record in result.records)
        reasons: dict[str, Counter[str]] = {}
        for one in result.dropped:
            reasons.setdefault(one.key.partition("/")[0], Counter())[one.reason] += 1
        for domain in sorted({*kept, *reasons}):
            own = sorted(reasons.get(domain, Counter()).items(), key=lambda reason: (-reason[1], reason[0]))
            found.append(FunnelStep(stage, domain, kept[domain], dict(own)))
    return found


def used_of(stages: Mapping[StageName, StageResult]) -> list[Used]:
    """Return what the calls of each stage used."""
    facts: list[tuple[StageName, Mapping[str, Any]]] = [
        (stage, own) for stage, result in stages.items() for own in result.facts.get("used", ())
    ]
    return [Used(stage, **own) for stage, own in facts]
