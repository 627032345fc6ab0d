"""Records: what a stage hands on to the next, with where each text comes from and what has checked it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

__all__ = ["Candidate", "Change", "Check", "CheckStatus", "Dropped", "Problem", "Record", "Side", "Source"]

Side = Literal["chosen", "rejected"]
CheckStatus = Literal["pass", "fail", "unsure"]
"""`unsure`: the check could not decide, which counts as not verified."""
_OF_FORM = frozenset({"diff", "style"})
"""Checks of a text's form, which do not see whether it is right."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a problem comes from.

    Attributes:
        data: The file or data set.
        row: Its place there, such as `line 12` or a task's name.
        licence: Its licence, as the user states it.
    """

    data: str
    row: str
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A prompt, with what decides whether a response is right.

    Attributes:
        id: Id, unique within the benchmark, without its domain.
        domain: Name of the domain in the config.
        prompt: The user's turn.
        source: Where it comes from.
        language: The language of prompt and responses, such as `en`.
        answer: The key, such as the final answer of a maths problem; empty where there is none.
        tests: The fields of a `TestSuite`; empty where there are none.
        meta: Further fields of the source that later stages or users read.
    """

    id: str
    domain: str
    prompt: str
    source: Source
    language: str = "en"
    answer: str = ""
    tests: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The id that is unique among all domains."""
        return f"{self.domain}/{self.id}"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check of a text.

    Attributes:
        by: What checked it: `tests`, `key`, `diff`, `refusal`, `judge:NAME`, `style` or `reviewer:NAME`.
        status: Whether the text is what its side says: right for chosen, wrong for rejected. `pass` means that it is.
        detail: What was found, in one line.
    """

    by: str
    status: CheckStatus
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """The error that was injected into a chosen response.

    Attributes:
        before: The words that were replaced.
        after: The words that replace them.
        about: What is wrong now, in one sentence.
    """

    before: str
    after: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A response, and its provenance.

    Attributes:
        id: Id, unique within its record, such as `rejected-1` or `chosen-0/concise`.
        side: Whether it is right (`chosen`) or wrong (`rejected`).
        text: The response.
        style: One of `rmeval.types.STYLES`; None before style control.
        model: Name of the model that wrote it.
        prompt: Prompt file and digest of its text, such as `code/solve@1f0c22ab`.
        call: Key of the call that returned it.
        sample: Number of the sample, from 0.
        parent: Id of the candidate that it was made from.
        change: The error that was injected.
        checks: All checks of it.
    """

    id: str
    side: Side
    text: str
    style: str | None = None
    model: str = ""
    prompt: str = ""
    call: str = ""
    sample: int = 0
    parent: str | None = None
    change: Change | None = None
    checks: tuple[Check, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether a check of what it states passed, and no check failed or could not decide."""
        decides = any(check.by not in _OF_FORM for check in self.checks)
        return decides and all(check.status == "pass" for check in self.checks)

    def with_checks(self, *checks: Check) -> Candidate:
        """The candidate with further checks."""
        return replace(self, checks=(*self.checks, *checks))


@dataclass(frozen=True, slots=True)
class Record:
    """A problem with the responses that exist so far.

    Attributes:
        problem: The problem.
        candidates: The responses: none after the first stage, both sides after the second, each side in each style
            after the third.
    """

    problem: Problem
    candidates: tuple[Candidate, ...] = ()

    @property
    def key(self) -> str:
        """The problem's id among all domains."""
        return self.problem.key

    def of(self, side: Side) -> list[Candidate]:
        """The candidates of one side."""
        return [one for one in self.candidates if one.side == side]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Record:
        """Return the record of what `to_dict` returned.

        Raises:
            KeyError, TypeError: If the value is something else.
        """
        problem = dict(value["problem"])
        problem["source"] = Source(**problem["source"])
        return cls(Problem(**problem), tuple(_candidate(one) for one in value["candidates"]))


def _candidate(value: Mapping[str, Any]) -> Candidate:
    found = dict(value)
    if found["change"] is not None:
        found["change"] = Change(**found["change"])
    found["checks"] = tuple(Check(**check) for check in found["checks"])
    return Candidate(**found)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A problem that a stage has left out.

    Attributes:
        key: The problem's id among all domains.
        reason: Why, in a few words that are equal for equal reasons, since the funnel counts them: `no right sample`.
        detail: What was found, in one line.
    """

    key: str
    reason: str
    detail: str = ""
