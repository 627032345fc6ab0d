"""Attempts: what failed is tried again with another sample, all of a round in one batch of calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rmeval.build.records import Candidate, Side
from rmeval.build.texts import response_text
from rmeval.build.tools import Ask, Tools

__all__ = ["Failed", "Written", "confirmed", "first_found", "write"]

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Failed:
    """Why an attempt failed.

    Attributes:
        reason: In a few words that are equal for equal reasons.
        detail: What was found, in one line.
    """

    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


@dataclass(frozen=True, slots=True)
class Written:
    """A text with its provenance.

    Attributes:
        text: The text without reasoning.
        ask: The call.
        key: The call's key.
        model: The name of the model.
    """

    text: str
    ask: Ask
    key: str
    model: str

    def candidate(self, name: str, side: Side, text: str | None = None) -> Candidate:
        """A candidate with this provenance.

        Args:
            name: Its id.
            side: Its side.
            text: Its text, if that is only a part of what was written.
        """
        own = self.text if text is None else text
        return Candidate(name, side, own, None, self.model, self.ask.prompt.version, self.key, self.ask.sample)


def write(asks: Sequence[Ask], tools: Tools, what: str) -> list[Written | Failed]:
    """Call models, and return the text of each answer, or why there is none."""
    found: list[Written | Failed] = []
    for ask, answer in zip(asks, tools.ask(asks, what), strict=True):
        text = response_text(answer)
        if text is None:
            reason = "its reasoning has no end" if answer.ok else _ENDS[answer.status]
            found.append(Failed(reason, answer.error or ""))
        else:
            found.append(Written(text, ask, answer.key, tools.name_of(ask.role)))
    return found


def confirmed(candidate: Candidate) -> Candidate | Failed:
    """The candidate if all its checks passed, and otherwise what the first other one found."""
    failed = next((check for check in candidate.checks if check.status != "pass"), None)
    return candidate if failed is None else Failed(f"{failed.by} did not confirm it", failed.detail)


_ENDS = {
    "ok": "the answer is empty",
    "refused": "the server refused the call",
    "cut": "the answer is longer than its limit of tokens",
    "overlength": "the prompt is too long for the model",
    "error": "the call failed",
}


def first_found(
    keys: Sequence[str], attempts: int, attempt: Callable[[Sequence[str], int], Mapping[str, Found | Failed]]
) -> tuple[dict[str, Found], dict[str, Failed]]:
    """Try until something is found for each key, or all attempts have failed.

    Args:
        keys: What is looked for.
        attempts: Number of attempts.
        attempt: Tries all of the given keys, with the number of the attempt.

    Returns:
        What was found by key, and the last failure of each other key.
    """
    found: dict[str, Found] = {}
    failed: dict[str, Failed] = {}
    for number in range(attempts):
        still = [key for key in keys if key not in found]
        if not still:
            break
        for key, one in attempt(still, number).items():
            if isinstance(one, Failed):
                failed[key] = one
            else:
                found[key] = one
    return found, {key: failed[key] for key in keys if key not in found}
