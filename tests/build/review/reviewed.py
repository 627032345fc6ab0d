"""Finished builds up to style control, made without a model, for the tests of human review."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rmeval.build import BuildFolder, Candidate, Change, Check, Problem, Record, Source, StageResult
from rmeval.build.records import Side
from rmeval.types import STYLES

CAPITALS = {
    "France": "Paris",
    "Japan": "Tokyo",
    "Kenya": "Nairobi",
    "Peru": "Lima",
    "Norway": "Oslo",
    "Cuba": "Havana",
    "Egypt": "Cairo",
    "Chile": "Santiago",
}


def chat_text(country: str, capital: str, style: str | None) -> str:
    short = f"The capital of {country} is {capital}."
    long = f"{short} It is the seat of the government, and most of its ministries have their offices there."
    if style == "detailed_markdown":
        return f"## Answer\n\n**{short}**\n\n* It is the seat of the government.\n* Most ministries are there.\n"
    return short if style == "concise" else long


def chat_record(number: int, country: str, **texts: str) -> Record:
    """A record with an injected error; `texts` replaces texts by side and style, such as `chosen_concise`."""
    right, wrong = CAPITALS[country], f"New {CAPITALS[country]}"
    change = Change(right, wrong, f"the capital is {right}")
    problem = Problem(str(number), "chat", f"What is the capital of {country}?", Source("own", f"line {number}", "MIT"))
    candidates = []
    sides: tuple[tuple[Side, str], ...] = (("chosen", right), ("rejected", wrong))
    for side, capital in sides:
        for style in STYLES:
            text = texts.get(f"{side}_{style}", chat_text(country, capital, style))
            checks = (Check("judge:scripted", "pass", "as claimed"), Check("style", "pass"))
            own = change if side == "rejected" else None
            candidates.append(
                Candidate(
                    f"{side}-0/{style}", side, text, style, "scripted", "styles/x@1", "c", 0, f"{side}-0", own, checks
                )
            )
    return Record(problem, tuple(candidates))


def code_record(number: int) -> Record:
    """A record with code and tests."""
    tests = {"kind": "asserts", "language": "python", "code": "assert add(1, 2) == 3\nassert add(0, 0) == 0"}
    problem = Problem(str(number), "code", f"Write a function `add` (task {number}).", Source("own", "x"), tests=tests)
    sides: tuple[tuple[Side, str], ...] = (("chosen", "+"), ("rejected", "-"))
    candidates = [
        Candidate(
            f"{side}-0/{style}",
            side,
            f"Use this:\n\n```python\ndef add(a, b):\n    return a {sign} b  # {style}\n```\n",
            style,
            "scripted",
            parent=f"{side}-0",
            checks=(Check("tests", "pass", "2 of 2" if side == "chosen" else "0 of 2"),),
        )
        for side, sign in sides
        for style in STYLES
    ]
    return Record(problem, tuple(candidates))


def base_record(record: Record) -> Record:
    """The record before style control."""
    found = [
        replace(record.of(side)[1], id=f"{side}-0", style=None, parent=None, change=record.of(side)[1].change)
        for side in ("chosen", "rejected")
    ]
    return Record(record.problem, tuple(found))


def records_of(chat: int = 8, code: int = 4) -> list[Record]:
    found = [chat_record(number, country) for number, country in enumerate([*CAPITALS][:chat])]
    return sorted([*found, *map(code_record, range(code))], key=lambda one: one.key)


def write_build(folder: Path, records: list[Record] | None = None, needed: list[str] | None = None) -> BuildFolder:
    """A build whose style control has finished, and if `needed` is given, whose review waits for these items."""
    own = records_of() if records is None else records
    build = BuildFolder(folder)
    build.write("responses", StageResult([base_record(one) for one in own], [], "x", {}))
    build.write("styles", StageResult(own, [], "x", {}))
    if needed is not None:
        build.write("review", StageResult([], [], "x", {"waits": "x", "review": {"needed": needed}}))
    return build
