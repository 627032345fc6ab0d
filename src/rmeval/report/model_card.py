"""View of what is known of a model before it is loaded, for `rmeval card`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rmeval.models.about import AboutModel
from rmeval.models.cards import Card
from rmeval.protocols.judging.card_file import find_card
from rmeval.report.cells import Number
from rmeval.report.run import measure_name
from rmeval.report.views import Row, Table, View

__all__ = ["STATUSES", "model_card_view"]

STATUSES = {
    "verified": "scores equal those of published code, which ran outside rmeval on small checkpoints of this layout",
    "layout-only": "loaded and read as the source states it; no published code was run to compare scores",
    "unloadable": "cannot be loaded",
}
"""What the status of a card means."""
_LARGEST = 7
"""Numbers of a board that are shown."""


def model_card_view(found: AboutModel) -> View:
    """Return the view of a model's card: what is done and why, facts, and published numbers."""
    tables = (_reading(found), _facts(found), _published(found), _known(found))
    card = found.card
    status = "" if card is None else f"{card.name}: {card.status}"
    return View(
        "card",
        tuple(one for one in tables if one is not None),
        model=found.name,
        data=status,
        about=tuple(_about(found)),
        notes=tuple(_notes(found)),
    )


def _about(found: AboutModel) -> Iterator[str]:
    card = found.card
    if card is not None:
        yield f"{card.status}: {STATUSES[card.status]}"
        if card.reference:
            yield f"reference: {card.reference}; largest difference of a score in float32: {card.difference:.1e}"
        if card.reason:
            yield card.reason.removesuffix(".")
        yield f"layout: {card.source}"
    yield f"card: {found.found}"
    if found.members:
        yield f"models: {', '.join(found.members)}"
    if found.command:
        yield f"run it: {found.command}"


def _notes(found: AboutModel) -> Iterator[str]:
    if found.card is not None:
        yield from (note.removesuffix(".") for note in found.card.notes)
    for board, row in found.published:
        yield from (f"{board.name}: {note}" for note in row.notes)


def _reading(found: AboutModel) -> Table | None:
    if found.card is None or found.card.status == "unloadable":
        return None
    rows = [Row(name, (value, default)) for name, value, default in _ways(found, found.card)]
    return Table(
        "reading",
        ("", "value", "without the card"),
        tuple(rows),
        title="how it is loaded and read",
        keys=("name", "value", "default"),
        left=("value", "without the card"),
    )


def _ways(found: AboutModel, card: Card) -> Iterator[tuple[str, str, str]]:
    """Yield each way of loading and reading, its value, and the value without the card."""
    yield "score", card.about, ""
    if (head := card.head) is not None:
        yield "layers", " ".join(head.layers), "found by their names"
        if head.gate:
            yield "gate", " ".join(head.gate), "none"
            first = f"at the first token of the last occurrence of {list(head.gate_at)}"
            yield "gate is read", first if head.gate_at else "at the last token", ""
        rest = {name: value for name, value in head.to_dict().items() if name not in ("layers", "gate", "gate_at")}
        for name, value in rest.items():
            yield name, _text(value), ""
    if card.steps is not None:
        for name, value in card.steps.to_dict().items():
            yield f"steps: {name}", _text(value), ""
    for one in found.settings:
        yield one.name, _text(one.value), _text(one.default)
        if one.name == "protocol" and (protocol := find_card(one.value)) is not None:
            yield "prompt", f"{protocol.about} ({protocol.note})" if protocol.note else protocol.about, ""
    set_by_card = {one.name.partition(" ")[0] for one in found.settings}
    for name, default in _DEFAULTS.items():
        if name not in set_by_card and not (set_by_card & {"protocol", "dialect"}):
            unread = name == "chat_template" and card.load.get("comparison") in _WITHOUT_CHAT
            yield name, "none: the comparison renders prompt and responses" if unread else default, ""


_WITHOUT_CHAT = ("pairrm", "better-pairrm", "steamshp")
"""Comparisons that do not render with a chat template."""
_DEFAULTS = {
    "chat_template": "the tokenizer's own",
    "dtype": "the format of the checkpoint",
    "max_length": "the limit of the model",
    "trust_remote_code": "no: code of the checkpoint does not run",
}
"""What rmeval does where a card says nothing."""


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _facts(found: AboutModel) -> Table | None:
    facts = found.descriptor
    if facts is None:
        return None
    named = {
        "kind": facts.kind,
        "base model": facts.base_model,
        "parameters": f"{facts.parameters:g} billion" if facts.parameters else "",
        "method": facts.method,
        "training data": facts.training_data,
        "licence": facts.licence,
        "source": facts.source,
    }
    rows = tuple(Row(name, (value,)) for name, value in named.items() if value)
    return Table("facts", ("", "value"), rows, title="facts", layout="bare", left=("value",))


def _published(found: AboutModel) -> Table | None:
    rows = []
    for board, row in found.published:
        parts = [measure for measure in row.values if measure != board.headline]
        shown = ([board.headline] if board.headline in row.values else []) + parts[: _LARGEST - 1]
        mark = " *" if row.contradicts else ""
        rows += [
            Row(board.id, (f"{measure_name(measure)}{mark}", Number(row.values[measure]), board.date))
            for measure in shown
        ]
    if not rows:
        return None
    notes = tuple(dict.fromkeys(f"{board.id}: {board.source}" for board, _ in found.published))
    marked = (
        ("*: the row contradicts itself or its source",) if any(row.contradicts for _, row in found.published) else ()
    )
    return Table(
        "published",
        ("board", "number", "value", "date"),
        tuple(rows),
        title="published numbers",
        notes=(*notes, *marked),
        left=("number", "date"),
    )


def _known(found: AboutModel) -> Table | None:
    if found.card is None or not found.card.known:
        return None
    rows = tuple(Row(one.what, (f"{one.value:g}", one.source)) for one in found.card.known)
    return Table("known", ("", "value", "source"), rows, title="known scores", left=("source",))
