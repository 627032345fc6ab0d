"""Complete records with known right and wrong texts, and builds that contain them, without calls."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rmeval.build import BuildConfig, BuildFolder, Candidate, Check, Dropped, Problem, Record, Source, StageResult
from rmeval.build.answers import AnswerLog
from rmeval.build.assemble.stage import AssembleStage
from rmeval.build.config import load_config
from rmeval.build.pipeline import silent
from rmeval.build.records import Side
from rmeval.build.registry import StageName
from rmeval.build.tools import Tools
from rmeval.types import STYLES

SIDES: tuple[Side, Side] = ("chosen", "rejected")
_THINGS = ("apples", "books", "candles", "drums", "forks", "gloves", "hats", "jars", "kites", "lamps", "mugs", "oars")
_PEOPLE = ("Ada", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal", "Ida", "Jon", "Kim", "Leo", "Mia", "Ned", "Ola")
_TOWNS = ("Aachen", "Bergen", "Cadiz", "Delft", "Evora", "Faro", "Ghent", "Hanko", "Izmir", "Jena", "Kobe", "Lund")


def problem(number: int, domain: str = "math") -> Problem:
    """An addition in words of its own."""
    draw = random.Random(f"{domain} {number}")
    a, b = draw.randint(10, 40), draw.randint(10, 40)
    (one, two), thing, town = draw.sample(_PEOPLE, 2), draw.choice(_THINGS), draw.choice(_TOWNS)
    prompt = f"In {town}, {one} has {a} {thing} for {two}, who owns {b}. How many {thing} are there (task {number})?"
    return Problem(
        f"{number:03d}", domain, prompt, Source("sums.jsonl", f"line {number + 1}", "MIT"), answer=str(a + b)
    )


def text(side: Side, style: str, answer: int, about: str) -> str:
    """A response in a style; the wrong one is off by one, in the same number of letters."""
    given = answer if side == "chosen" else answer + 1
    if style == "concise":
        return f"The answer for {about} is {given}."
    if style == "detailed_plain":
        return f"First we read {about}. Then we add both numbers with care. So the answer is {given}."
    return f"# Solution\n\n* We read **{about}**.\n* We add both numbers with care.\n\nSo the answer is **{given}**."


def record(number: int, domain: str = "math") -> Record:
    """A complete record."""
    own = problem(number, domain)
    checks = (Check("key", "pass"), Check("style", "pass"))
    return Record(
        own,
        tuple(
            Candidate(
                f"{side}-0/{style}",
                side,
                text(side, style, int(own.answer), f"{domain} {number}"),
                style,
                "rewriter",
                "styles/rewrite@00000000",
                f"call-{number}-{side}-{style}",
                parent=f"{side}-0",
                checks=checks,
            )
            for side in SIDES
            for style in STYLES
        ),
    )


def base(complete: Record) -> Record:
    """The record before style control."""
    return Record(
        complete.problem,
        tuple(
            replace(complete.of(side)[0], id=f"{side}-0", style=None, parent=None, model="writer", call=f"{side} call")
            for side in SIDES
        ),
    )


CONFIG = {
    "name": "sums",
    "title": "Sums",
    "licence": "CC-BY-4.0",
    "models": {"writer": {"model": "http://127.0.0.1:9/v1", "served_model": "scripted"}},
    "domains": {"math": {"recipe": "math", "problems": {"file": "sums.jsonl"}}},
}


def config_of(folder: Path, domains: Sequence[str] = ("math",), **fields: Any) -> BuildConfig:
    """A config in a folder."""
    one = {"recipe": "math", "problems": {"file": "sums.jsonl"}}
    found = CONFIG | {"domains": dict.fromkeys(domains, one)} | fields
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(json.dumps(found))
    return load_config(folder / "config.yaml")


def stages_of(records: Sequence[Record], dropped: Sequence[Dropped] = ()) -> dict[StageName, StageResult]:
    """The results of all stages before the last, of which the second has left some out."""
    used = {"role": "writer", "model": "scripted", "prompt": "math/solve@12345678", "calls": 8, "ok": 7}
    facts: dict[str, Any] = {"calls": 8, "used": [used | {"input_tokens": 400, "output_tokens": 200}]}
    problems = [Record(one.problem) for one in records]
    extra = [Record(problem(int(one.key.partition("/")[2]), one.key.partition("/")[0])) for one in dropped]
    return {
        "problems": StageResult(sorted([*problems, *extra], key=lambda one: one.key), (), "1", {}),
        "responses": StageResult([base(one) for one in records], dropped, "2", facts),
        "styles": StageResult(records, (), "3", {"calls": 0}),
        "review": StageResult(records, (), "4", {"calls": 0}),
    }


def assembled(
    config: BuildConfig, out: Path, records: Sequence[Record], dropped: Sequence[Dropped] = ()
) -> Mapping[str, Any]:
    """Run the last stage on some records in a folder that has all stages before; return its facts."""
    folder, stages = BuildFolder(out), stages_of(records, dropped)
    for name, result in stages.items():
        folder.write(name, result)
    with AnswerLog(out / "answers") as answers, AnswerLog(out / "verdicts") as verdicts:
        tools = Tools(config, folder, answers, verdicts, silent)
        tools.earlier = stages
        kept = list(AssembleStage().run(records, config, tools))
        facts = tools.take_facts()
    assert all(isinstance(one, Record) for one in kept)
    folder.write("assemble", StageResult(records, (), "5", facts))
    return facts
