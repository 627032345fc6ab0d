"""Decision APIs: the form of their requests and answers, as pure functions.

They answer a typed question about a text by probabilities, without writing anything. What they call `confidence` is
never read: it is a margin at one server, and a product with the labels' mass at another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from rmeval.errors import ModelError
from rmeval.messages import chosen_from, shortened
from rmeval.protocols.judging import Prompt
from rmeval.transport import Usage
from rmeval.transport.dialects import AnswerError

__all__ = ["DECISION_DIALECTS", "Decided", "DecisionDialect", "find_decision_dialect", "used_tokens"]

_ID = "verdict"
"""Name of the only question of a call."""
_NEAR_ONE = 1.001


class Decided(NamedTuple):
    """The answer to a question.

    Attributes:
        probabilities: The probability of each label.
        label_mass: Total probability of the labels among all tokens; None if the server does not state it.
        diagnostics: What else the server states of the answer, as numbers.
        refused: Whether the model refused; there are no probabilities then.
        version: Version of the server's prompt; None if it does not state one.
    """

    probabilities: Mapping[str, float]
    label_mass: float | None = None
    diagnostics: Mapping[str, float] = {}
    refused: bool = False
    version: str | None = None


class _Found(NamedTuple):
    """The parts of an answer, as the server names them."""

    answer: Any
    label_mass: Any = None
    diagnostics: Any = None
    version: Any = None


@dataclass(frozen=True, slots=True)
class DecisionDialect:
    """A decision API.

    Attributes:
        name: Name and version.
        route: Route of the calls, after the version of the API.
        most: Largest number of options of a choice, and of levels of a score.
        body: Makes the body of a call besides the model.
        find: Finds the parts of an answer.
    """

    name: str
    route: str
    most: Mapping[str, int]
    body: Callable[[Prompt], dict[str, Any]]
    find: Callable[[Any], _Found]

    def check(self, prompt: Prompt) -> None:
        """Check that the API takes as many options.

        Raises:
            ModelError: If there are too many.
        """
        if len(prompt.labels) > (most := self.most[prompt.kind]):
            what = "options" if prompt.kind == "choice" else "levels"
            raise ModelError(
                f"{self.name} takes at most {most} {what} of a question, and the protocol's has {len(prompt.labels)}: "
                "choose items with fewer responses, or another `protocol`"
            )

    def read(self, prompt: Prompt, data: Any) -> Decided:
        """The answer to a prompt's question.

        Raises:
            AnswerError: If the answer lacks something, or is not that of this question.
        """
        found = self.find(data)
        version = None if found.version is None else str(found.version)
        if _field(found.answer, "type") == "refusal":
            return Decided({}, refused=True, version=version)
        if found.answer["type"] != prompt.kind:
            raise AnswerError(f"the answer is a {shortened(found.answer['type'], 40)}, not a {prompt.kind}")
        names = prompt.labels if prompt.kind == "choice" else [str(level) for level in range(len(prompt.labels))]
        given = _by_name(_field(found.answer, "probabilities"))
        if set(given) != set(names):
            raise AnswerError(
                f"the answer has probabilities of {shortened(', '.join(map(str, given)), 80)}, not of "
                f"{shortened(', '.join(names), 80)}"
            )
        values = {label: _probability(given[name]) for label, name in zip(prompt.labels, names, strict=True)}
        if not 0 < math.fsum(values.values()) <= _NEAR_ONE:
            raise AnswerError(f"the probabilities of the answer sum to {math.fsum(values.values()):.4g}")
        mass = None if found.label_mass is None else min(_probability(found.label_mass), 1.0)
        return Decided(values, mass, _numbers(found.diagnostics), version=version)


def _field(data: Any, name: str) -> Any:
    if not isinstance(data, Mapping) or name not in data:
        raise AnswerError(f"the answer has no {name}: {shortened(data, 80)}")
    return data[name]


def _by_name(given: Any) -> dict[Any, Any]:
    """Probabilities by name; OpenAI's API lists them, with the number of a level as its value."""
    if isinstance(given, list):
        named = [(_field(one, "value"), _field(one, "probability")) for one in given]
        found = {str(name) if type(name) is int else name: value for name, value in named}
        if len(found) == len(named):
            return found
    if isinstance(given, Mapping):
        return dict(given)
    raise AnswerError(f"the probabilities of the answer are {shortened(given, 80)}")


def _probability(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value <= _NEAR_ONE:
        raise AnswerError(f"the answer has the probability {shortened(value, 40)}")
    return float(value)


def _numbers(given: Any) -> dict[str, float]:
    """The numbers and truth values of a server's diagnostics, besides the labels' mass."""
    if not isinstance(given, Mapping):
        return {}
    known = {name: float(value) for name, value in given.items() if isinstance(value, bool | int | float)}
    return {name: value for name, value in known.items() if math.isfinite(value) and name != "label_mass"}


def _text(prompt: Prompt) -> str:
    """What the question is about."""
    return "\n\n".join(message.content for message in prompt.messages)


def _options(prompt: Prompt) -> list[tuple[str, str | None]]:
    """Each label with its description."""
    descriptions = prompt.descriptions or ("",) * len(prompt.labels)
    return [(label, said or None) for label, said in zip(prompt.labels, descriptions, strict=True)]


def _levels(prompt: Prompt) -> list[str]:
    return [said or label for label, said in _options(prompt)]


def _system_one(prompt: Prompt) -> dict[str, Any]:
    criteria = dict(_options(prompt)) if prompt.kind == "choice" else _levels(prompt)
    question = {"type": prompt.kind, "instructions": prompt.question, "criteria": criteria}
    return {"state": _text(prompt), "questions": {_ID: question}}


def _find_system_one(data: Any) -> _Found:
    stated = data.get("diagnostics") if isinstance(data, Mapping) else None
    own = stated.get(_ID) if isinstance(stated, Mapping) else None
    mass = own.get("label_mass") if isinstance(own, Mapping) else None
    return _Found(_field(_field(data, "answers"), _ID), mass, own)


def _sglang(prompt: Prompt) -> dict[str, Any]:
    question: dict[str, Any] = {"id": _ID, "type": prompt.kind, "question": prompt.question}
    if prompt.kind == "choice":
        named = [{"name": label, "description": said} for label, said in _options(prompt)]
        question["options"] = [{name: value for name, value in one.items() if value is not None} for one in named]
    else:
        question["levels"] = _levels(prompt)
    return {"input": _text(prompt), "questions": [question]}


def _find_sglang(data: Any) -> _Found:
    answer = _field(_field(data, "answers"), _ID)
    return _Found(answer, _field(answer, "label_mass"), None, _field(data, "prompt_format_version"))


def _openai(prompt: Prompt) -> dict[str, Any]:
    name, place = ("choices", "value") if prompt.kind == "choice" else ("levels", "label")
    options = [{place: label} | ({} if said is None else {"description": said}) for label, said in _options(prompt)]
    question = {"type": prompt.kind, "name": _ID, "instructions": prompt.question, name: options}
    return {"input": _text(prompt), "questions": [question]}


def _find_openai(data: Any) -> _Found:
    answers = _field(data, "answers")
    if not isinstance(answers, list) or len(answers) != 1:
        raise AnswerError(f"the answer has no list of one answer: {shortened(answers, 80)}")
    return _Found(answers[0])


SGLANG = DecisionDialect("sglang-decisions@1", "decisions", {"choice": 26, "score": 10}, _sglang, _find_sglang)
SYSTEM_ONE = DecisionDialect("systemone@1", "systemone", {"choice": 26, "score": 10}, _system_one, _find_system_one)
OPENAI = DecisionDialect("openai-decisions@1", "decisions", {"choice": 255, "score": 10}, _openai, _find_openai)
DECISION_DIALECTS = {one.name: one for one in (SGLANG, SYSTEM_ONE, OPENAI)}
"""The dialects by name, in the order in which they are tried."""


def find_decision_dialect(name: str) -> DecisionDialect:
    """The dialect of a name, with or without its version.

    Raises:
        ModelError: If there is none.
    """
    found = next((one for own, one in DECISION_DIALECTS.items() if name in (own, own.partition("@")[0])), None)
    if found is None:
        names = ["auto", *DECISION_DIALECTS]
        raise ModelError(f"there is no dialect {shortened(name, 40)!r} of decisions: {chosen_from(name, names)}")
    return found


def used_tokens(data: Any) -> Usage | None:
    """The tokens that a server counted for an answer."""
    counted = data.get("usage") if isinstance(data, Mapping) else None
    if not isinstance(counted, Mapping):
        return None
    tokens = counted.get("input_tokens", counted.get("prompt_tokens"))
    written = counted.get("output_tokens", counted.get("completion_tokens", 0))
    whole = type(tokens) is int and type(written) is int and tokens >= 0 and written >= 0
    return Usage(tokens, written) if whole else None
