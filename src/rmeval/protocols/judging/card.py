"""Cards of judges' protocols: the prompt, the labels, and how a verdict is read, as data."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, is_dataclass
from functools import cached_property
from typing import Any, Literal

from rmeval.protocols.judging.asked import Form, Sampling
from rmeval.protocols.judging.options import Order

__all__ = ["MOST", "JudgeCard", "Kind", "Several", "compiled", "letters_of"]

Kind = Literal["pair", "best", "rate", "rate-all"]
"""What one question is about: two responses, the best of several, one response, or a rating of each of several."""
Several = Literal["same", "last", "listed"]
"""Which of several verdicts in one output counts: `same`: all must be equal; `last`: that of the last line with one;
`listed`: the first of the card's labels that occurs anywhere. Otherwise the output is unparsed."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST = len(_LETTERS)
"""Most responses of which a judge can choose the best."""
_NOT_IN_DIGEST = ("name", "about", "source", "note", "sampling", "rule")
"""Fields that change no verdict, or that a run's identity states by themselves."""


def letters_of(count: int) -> tuple[str, ...]:
    """Names of some responses in prompts, in the order in which they are presented: letters, or numbers if many."""
    return tuple(_LETTERS[:count]) if count <= MOST else tuple(str(number + 1) for number in range(count))


@dataclass(frozen=True)
class JudgeCard:
    """A judge's protocol as data.

    Attributes:
        name: Name and version, such as `five-way@1`.
        kind: What one question is about.
        reads: How the verdict is read: from a text, from the probabilities of labels, or from a decision API.
        prompt: Jinja template of the user's turn.
        system: Jinja template of the system message; empty for none.
        roles: Roles in which a judge of two responses gets them, after the turns of the conversation as they are, if
            its chat template has such roles; the prompt is empty then.
        about: What the judge does, in one line.
        source: Where labels and scale come from.
        note: What else a reader of numbers should know.
        labels: By label: for pairs the probability that the response presented first is better (1, 0.5 or 0), for
            ratings that are read from probabilities the rating; empty for `best`, whose labels are letters.
        strengths: By label: how strong a preference is, where the labels differ in it.
        descriptions: By label: what it means, for decision APIs.
        question: Question of a decision API.
        scored: Whether a decision API gets a question for a score on levels instead of a choice.
        verdict: How an output states a label, such as `[[{label}]]`.
        find: Regular expression whose first group is the label; by default `verdict` with any label.
        bare: Whether an output that consists of a label only, or a last line such as `Verdict: A`, is a verdict, if
            there is no other.
        several: Which of several verdicts in one output counts.
        scale: Lowest and highest rating.
        json_field: Key of the verdict in an output that is a JSON object.
        members: Name of each response in that object, such as `model-{number}`.
        schema: JSON schema of the output.
        min_label_mass: Smallest total probability of the labels; with less, an output is unparsed.
        variables: Texts for the templates, such as a rubric.
        orders: In which orders responses can be presented, the default first.
        sampling: How the judge writes, unless the user decides otherwise.
        rule: Name of the score rule that is part of the protocol; empty for the benchmark's own.
    """

    name: str
    kind: Kind
    reads: Form
    prompt: str
    system: str = ""
    roles: tuple[str, ...] = ()
    about: str = ""
    source: str = ""
    note: str = ""
    labels: Mapping[str, float] = field(default_factory=dict)
    strengths: Mapping[str, float] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    question: str = ""
    scored: bool = False
    verdict: str = ""
    find: str = ""
    bare: bool = False
    several: Several = "same"
    scale: tuple[float, float] | None = None
    json_field: str = ""
    members: str = "{letter}"
    schema: Mapping[str, Any] | None = None
    min_label_mass: float = 0.5
    variables: Mapping[str, str] = field(default_factory=dict)
    orders: tuple[Order, ...] = ("both", "seeded")
    sampling: Sampling = field(default_factory=Sampling)
    rule: str = ""

    @cached_property
    def digest(self) -> str:
        """12 hex digits of everything that changes verdicts."""
        own = {name: value for name, value in self.to_dict().items() if name not in _NOT_IN_DIGEST}
        # Options of a decision are shown in the order of the labels, and the rule `listed` reads in that order.
        own |= {"labels": list(self.labels.items())} if self.labels else {}
        return hashlib.sha256(json.dumps(own, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON, without fields that have their defaults; `card_of` reads it."""
        fields, found = type(self).__dataclass_fields__, json.loads(json.dumps(asdict(self)))
        return {name: value for name, value in found.items() if value != _default(fields[name])}

    def names(self, count: int) -> tuple[str, ...]:
        """The labels of the verdicts on some responses: those of the card, or a letter for each response."""
        return letters_of(count) if self.kind == "best" else tuple(self.labels)

    def member_names(self, count: int) -> tuple[str, ...]:
        """The name of each response in an output that is a JSON object."""
        return tuple(
            self.members.replace("{letter}", letter).replace("{number}", str(number))
            for number, letter in enumerate(letters_of(count), start=1)
        )

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """The regular expression that finds labels in texts; None if the card has none."""
        if self.find:
            return compiled(self.find)
        if not self.verdict:
            return None
        names = sorted(self.names(MOST), key=len, reverse=True)
        label = "|".join(map(re.escape, names)) if names else _ANY_NUMBER
        before, after = map(re.escape, self.verdict.split("{label}"))
        return re.compile(rf"{before}{_AROUND}({label}){_AROUND}{after or _END}")

    def written(self, label: str) -> str:
        """An output that states a label, as the prompt demands it."""
        return json.dumps({self.json_field: label}) if self.json_field else self.verdict.replace("{label}", label)


def compiled(find: str) -> re.Pattern[str]:
    """A user's regular expression, without Python's warnings on what a later version may read otherwise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(find)


_AROUND = r"[\s*_`\"']{0,4}"
"""Emphasis and spaces around a label."""
_ANY_NUMBER = r"[-+\u2212\u2013]?[0-9][0-9.,]*(?:\s*(?:/|out of)\s*[0-9.]+)?"
_END = r"(?![\w<>=%/]|\s*[-\u2013/,.]?\s*[0-9%])"
"""The end of a label that nothing follows: no longer word, no range and no percentage."""


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return list(field.default) if isinstance(field.default, tuple) else field.default
    return None if field.default_factory is MISSING else json.loads(json.dumps(_plain(field.default_factory())))


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
