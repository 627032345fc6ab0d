"""What the page shows of an item, as plain values for its template."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from markupsafe import Markup

from rmeval.build.records import Candidate, Record
from rmeval.build.review.page.session import Session
from rmeval.build.review.questions import VERDICTS, Question, ReviewVerdict
from rmeval.data.differing_words import Parts
from rmeval.messages import visible
from rmeval.web.texts import as_written, compared_texts, shown

__all__ = ["ALL", "Asked", "ItemView", "Pair", "ShownText", "item_view", "question_at"]

ALL = "all"
"""The tab with the texts of all styles."""
_TITLES = {"concise": "Concise", "detailed_plain": "Detailed", "detailed_markdown": "Detailed, markdown", ALL: "All"}
_ANSWERS = ("Correct", "Incorrect", "Unsure")
_PLACES = ("first", "second")
"""Names of the two responses in addresses and forms, which do not reveal their sides."""


@dataclass(frozen=True, slots=True)
class ShownText:
    """One response.

    Attributes:
        heading: What it is called.
        claim: What the build claims of it; empty if that is hidden.
        html: Its text.
        is_rendered: Whether its markdown is rendered.
        note: What is missing in this view; empty if nothing is.
        change: The injected error: what stood there, what stands there now, and what is wrong; None if hidden.
        facts: How it was made and checked; empty if that is hidden.
    """

    heading: str
    claim: str
    html: Markup
    is_rendered: bool
    note: str = ""
    change: tuple[str, str, str] | None = None
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """The two responses in one style.

    Attributes:
        title: Name of the style.
        texts: The responses as they stand side by side; None where a side has no such text.
    """

    title: str
    texts: tuple[ShownText | None, ShownText | None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the page shows it.

    Attributes:
        place: Its name in forms: `first`, `second` or `styles`.
        label: The question.
        answers: Each verdict, and what its button says.
        verdict: This reviewer's verdict so far; empty if there is none.
        comment: This reviewer's comment.
        texts: Digest of the texts that it is about.
        others: What the others found, for the person who decides between them.
    """

    place: str
    label: str
    answers: tuple[tuple[ReviewVerdict, str], ...]
    verdict: str
    comment: str
    texts: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item as the page shows it.

    Attributes:
        key: Its key.
        domain: Its domain.
        prompt: The prompt.
        material: Titles and texts of what decides whether a response is right, such as the key and the tests.
        tabs: Names and titles of the tabs.
        tab: Name of the tab that is shown.
        pairs: The responses of that tab.
        questions: The questions.
        active: Place of the question that keys answer.
    """

    key: str
    domain: str
    prompt: Markup
    material: tuple[tuple[str, str], ...]
    tabs: tuple[tuple[str, str], ...]
    tab: str
    pairs: tuple[Pair, ...]
    questions: tuple[Asked, ...]
    active: str


def item_view(session: Session, record: Record, tab: str, markdown: bool, active: str = "") -> ItemView:
    """Return what the page shows of an item.

    Args:
        session: The reviewer's session.
        record: The item.
        tab: Name of a tab; another name shows the first one.
        markdown: Whether markdown is rendered.
        active: Place of the question that keys answer; by default the first without a verdict.
    """
    pairs = _pairs(session, record)
    tabs = [(name, _TITLES.get(name, f"Sample {name}")) for name in pairs]
    tabs += [(ALL, _TITLES[ALL])] if len(pairs) > 1 else []
    tab = tab if tab in dict(tabs) else tabs[0][0]
    shown = pairs if tab == ALL else {tab: pairs[tab]}
    asked = tuple(_questions(session, record))
    open_ones = [one.place for one in asked if not one.verdict]
    places = [one.place for one in asked]
    return ItemView(
        record.key,
        record.problem.domain,
        as_written(((record.problem.prompt, False),)),
        tuple(_material(record)),
        tuple(tabs),
        tab,
        tuple(Pair(dict(tabs)[name], _pair(session, pair, markdown)) for name, pair in shown.items()),
        asked,
        active if active in places else next(iter([*open_ones, *places]), ""),
    )


def _pairs(session: Session, record: Record) -> dict[str, tuple[Candidate | None, Candidate | None]]:
    """The responses side by side, by the names of their tabs: styles, or numbers before style control."""
    left, right = (record.of(side) for side in session.sides(record))
    if any(one.style for one in record.candidates):
        first, second = ({one.style: one for one in column} for column in (left, right))
        names = [style for style in _TITLES if style in first or style in second]
        return {name: (first.get(name), second.get(name)) for name in names}
    return {str(place): (one, other) for place, (one, other) in enumerate(zip_longest(left, right), 1)}


def question_at(session: Session, record: Record, place: str) -> Question | None:
    """The question at a place of the form; None if there is none."""
    return _places(session, record).get(place)


def _places(session: Session, record: Record) -> dict[str, Question]:
    names: dict[Question, str] = {**dict(zip(session.sides(record), _PLACES, strict=True)), "styles": "styles"}
    return {names[question]: question for question in session.questions(record)}


def _heading(session: Session, place: int) -> str:
    return f"Response {'AB'[place]}" if session.mode == "blind" else ("Chosen response", "Rejected response")[place]


def _label(session: Session, place: str) -> str:
    if place == "styles":
        return "Same substance in all styles?"
    if session.mode == "blind":
        return f"Is response {'AB'[_PLACES.index(place)]} correct?"
    return f"Is the {'chosen' if place == _PLACES[0] else 'rejected'} response correct?"


def _questions(session: Session, record: Record) -> Iterator[Asked]:
    verdicts = session.verdicts(record)
    for place, question in _places(session, record).items():
        own = verdicts[question]
        others: tuple[str, ...] = ()
        if session.adjudicates:
            found = session.standings(record)[question].reviews.items()
            others = tuple(f"{name}: {one.verdict}{f' ({one.comment})' if one.comment else ''}" for name, one in found)
        verdict, comment = (own.verdict, own.comment) if own is not None else ("", "")
        answers = tuple(zip(VERDICTS, ("Yes", "No", "Unsure") if question == "styles" else _ANSWERS, strict=True))
        yield Asked(place, _label(session, place), answers, verdict, comment, session.texts(record, question), others)


def _pair(
    session: Session, pair: tuple[Candidate | None, Candidate | None], markdown: bool
) -> tuple[ShownText | None, ShownText | None]:
    first, second = (one.text if one is not None else "" for one in pair)
    both = pair[0] is not None and pair[1] is not None
    parts = compared_texts(first, second) if both else (((first, False),), ((second, False),))
    found = [
        None if one is None else _text(session, one, _heading(session, place), parts[place], markdown)
        for place, one in enumerate(pair)
    ]
    return found[0], found[1]


def _text(session: Session, one: Candidate, heading: str, parts: Parts, markdown: bool) -> ShownText:
    html, is_rendered, note = shown(parts, markdown)
    if session.mode == "blind":
        return ShownText(heading, "", html, is_rendered, note)
    claim = "claimed correct" if one.side == "chosen" else "claimed incorrect"
    return ShownText(heading, claim, html, is_rendered, note, *_provenance(one))


def _provenance(one: Candidate) -> tuple[tuple[str, str, str] | None, tuple[str, ...]]:
    """The injected error, and how a text was made and checked; both reveal its side."""
    change = None
    if (own := one.change) is not None:
        change = visible(own.before), visible(own.after), visible(own.about)
    facts = [f"{check.by}: {check.status}{f' ({check.detail})' if check.detail else ''}" for check in one.checks]
    facts += [f"{name}: {value}" for name, value in (("model", one.model), ("prompt", one.prompt)) if value]
    return change, tuple(map(visible, facts))


def _material(record: Record) -> Iterator[tuple[str, str]]:
    problem = record.problem
    if problem.answer:
        yield "Key", visible(problem.answer, lines=True)
    if problem.tests:
        yield "Tests", visible(_tests(problem.tests), lines=True)
    source = [problem.source.data, problem.source.row, problem.source.licence]
    yield "Source", visible(", ".join(filter(None, source)))


def _tests(tests: Mapping[str, Any]) -> str:
    """The fields of a test suite, with program text as it is."""
    return "\n".join(
        f"{name}:\n{value}\n" if isinstance(value, str) and "\n" in value else f"{name}: {_plain(value)}"
        for name, value in tests.items()
        if value not in ("", [], ())
    )


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
