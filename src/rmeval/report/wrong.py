"""The view of wrong examples, for `rmeval errors`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rmeval.data.differing_words import compared
from rmeval.messages import count_of
from rmeval.report.cells import COUNT, Cell, Number, Passage, Unit
from rmeval.report.views import Row, Table, View
from rmeval.report.words import without_middles
from rmeval.results.examples import JudgedResponse, Tally, UnreadOutput, WrongExample, WrongExamples

__all__ = ["wrong_view"]

_PROMPT, _RESPONSE, _WRITTEN = 700, 1_200, 2_400
"""Characters of prompts, of responses and of what a judge wrote that are shown without `full`."""
_AROUND = 120
"""Characters of a response that are shown before and after each difference."""
_FACTS = ("outcome", "margin", "subset", "cell", "problem", "erratum")
_TEXTS = ("prompt", "chosen", "rejected")
_JUDGE = "judge"
_SIDES = ("score", "gold", "source")


def wrong_view(found: WrongExamples, full: bool = False) -> View:
    """Return the view of wrong examples: one block each, with the two responses side by side.

    Args:
        found: The examples.
        full: Whether to show whole texts; otherwise long ones state how many characters are left out.
    """
    about = [] if found.variant == "score" else [f"score: {found.variant}"]
    if found.examples:
        about.append("marked: the words in which the two responses differ")
    if found.examples and not found.scored:
        about.append("margin: the model's preference for the chosen response (0, 0.5 or 1) less one half")
    several = len(found.tallies) > 1
    tables = (_table(tally, [one for one in found if one.model == tally.model], full) for tally in found.tallies)
    return View(
        found.benchmark,
        (*tables, *([_unread(found.unread, full)] if found.unread else [])),
        model="" if several else found.model,
        data=" and ".join(tally.model for tally in found.tallies) if several else "",
        about=tuple(about),
        notes=found.notes,
        source=None if several else found.path,
    )


def _table(tally: Tally, examples: Sequence[WrongExample], full: bool) -> Table:
    two = tally.right_model is not None
    sides = (*_SIDES, "other_score") if two else _SIDES
    # What only programs read; rows name their models where there are two.
    extra = (
        *(("model", "right_model") if two else ()),
        "members",
        *(f"{side}_{name}" for name in sides for side in _TEXTS[1:]),
    )
    facts = (*_FACTS, f"margin of {tally.right_model}") if two else _FACTS
    keys = (
        "cluster" if name == "problem" else "other_margin" if name.startswith("margin of") else name for name in facts
    )
    texts = (*_TEXTS, *([_JUDGE] if any(one.judge is not None for one in examples) else []))
    rows = (
        Row(
            f"{number}. {one.item}",
            (
                *_facts(one),
                *_passages(one, full),
                *([_written(one, full)] if _JUDGE in texts else []),
                *([one.model, one.right_model] if two else []),
                Number(one.members, unit=COUNT),
                *(_plain(getattr(own, name)) for name in sides for own in (one.chosen, one.rejected)),
            ),
            one.item,
        )
        for number, one in enumerate(examples, 1)
    )
    return Table(
        "wrong",
        ("", *facts, *texts, *extra),
        tuple(rows),
        title=_title(tally, len(examples)),
        layout="blocks",
        extra=extra,
        keys=("item", *keys, *texts, *extra),
    )


def _unread(outputs: Sequence[UnreadOutput], full: bool) -> Table:
    """The table of outputs without a verdict."""
    rows = (
        Row(f"{number}. {one.item}", (one.status, one.order, str(one.vote + 1), _judge_text(one.text, full)), one.item)
        for number, one in enumerate(outputs, 1)
    )
    columns = ("status", "order", "vote", _JUDGE)
    title = f"outputs without a verdict: {len(outputs)} shown; order: the responses as the prompt presents them"
    return Table("unread", ("", *columns), tuple(rows), title=title, layout="blocks", keys=("item", *columns))


def _title(tally: Tally, shown: int) -> str:
    wrong = tally.losses + tally.ties
    whose = f"{tally.right_model} right, {tally.model} wrong: " if tally.right_model else ""
    parts = f"{_plural(tally.losses, 'loss', 'losses')}, {count_of(tally.ties, 'tie')}"
    text = f"{whose}{wrong} of {count_of(tally.comparisons, 'comparison')} ({parts})"
    if not tally.right_model:
        text = f"misjudged: {text}"
    return text if shown == wrong else f"{text}; {shown} shown, worst margin first"


def _plural(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _facts(one: WrongExample) -> Iterator[Cell]:
    yield one.outcome
    yield Number(one.margin, unit=_exact(one))
    yield one.subset
    yield one.cell
    yield one.cluster if one.cluster != one.item else None
    yield one.erratum
    if one.other_margin is not None:
        yield Number(one.other_margin, unit=_exact())


def _passages(one: WrongExample, full: bool) -> Iterator[Passage]:
    prompt = ((one.prompt, False),)
    yield Passage(one.prompt, prompt if full else without_middles(prompt, _PROMPT, _PROMPT // 3))
    sides = compared(one.chosen.text, one.rejected.text)
    names = ("chosen", "rejected" if one.members == 2 else f"rejected (best of {one.members - 1})")
    for place, (name, own, parts) in enumerate(zip(names, (one.chosen, one.rejected), sides, strict=True)):
        shown = parts if full else without_middles(parts, _RESPONSE, _AROUND)
        yield Passage(own.text, shown, _caption(name, own, one), -1 if place else 1)


def _written(one: WrongExample, full: bool) -> Passage | None:
    """What the judge wrote; nothing of it is marked."""
    return None if one.judge is None else _judge_text(one.judge, full)


def _judge_text(text: str, full: bool) -> Passage:
    parts = ((text, False),)
    return Passage(text, parts if full else without_middles(parts, _WRITTEN, _WRITTEN // 3))


def _plain(value: float | str | None) -> Cell:
    return Number(value, unit=_exact()) if isinstance(value, float | int) else value


def _caption(name: str, own: JudgedResponse, one: WrongExample) -> str:
    unit = _exact(one)
    facts = [
        *([f"score {unit.value(own.score)}"] if own.score is not None else []),
        *([f"{one.right_model} {unit.value(own.other_score)}"] if own.other_score is not None else []),
        *([f"gold {own.gold:g}"] if own.gold is not None else []),
        *([own.source] if own.source else []),
    ]
    return f"{name}: {', '.join(facts)}" if facts else name


def _exact(one: WrongExample | None = None) -> Unit:
    """Return a unit with enough digits to make two unequal scores look unequal."""
    scores = {own.score for own in (one.chosen, one.rejected) if own.score is not None} if one else set()
    digits = next((k for k in range(4, 17) if len({f"{score:.{k}g}" for score in scores}) == len(scores)), 17)
    text = f"{{:.{digits}g}}".format
    return Unit(text, text)
