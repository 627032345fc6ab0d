"""How the scripted model rewrites responses in a style: mostly as it should, and otherwise with a fault."""

from __future__ import annotations

import random
from dataclasses import replace

from tests.build.known import Known
from tests.build.scripted import Reply, ScriptedModel, Seen, Truth

__all__ = ["FAULTS", "rewriting"]

FAULTS = ("other side", "broken", "wrong style", "no tags", "no substance", "cut", "refused")
_FILLER = (
    "The task asks for exactly this, so nothing else has to be returned.",
    "Every part is used once, and no value is computed twice on the way.",
    "The first step prepares what the later ones need, and the last one combines it.",
    "Small inputs and large inputs are treated alike, which keeps the reasoning short.",
    "Each intermediate result follows from the one before without any further assumption.",
)


def rewriting(model: ScriptedModel) -> None:
    """Set the model's answers to the prompts of style control."""
    for style in ("concise", "detailed_plain", "detailed_markdown"):
        model.on(f"styles/{style}", lambda seen, style=style: _rewritten(model, seen, style))  # type: ignore[misc]


def _rewritten(model: ScriptedModel, seen: Seen, style: str) -> Reply | str:
    problem, draw = seen.problem, seen.draw
    text = seen.text.partition("<response>\n")[2].partition("\n</response>")[0]
    source = model.truth[problem.id][text]
    fault = "" if draw.random() < model.faithful else draw.choice(FAULTS)
    if fault == "refused":
        return Reply("I cannot help with that.", "content_filter")
    if fault == "cut":
        return Reply(f"<text>{text[: len(text) // 2]}", "length")
    truth = source
    if fault == "other side":
        truth = Truth("other side", not source.right, _other(problem, source, draw))
    elif fault == "broken":
        truth = Truth("broken", None if problem.kind == "code" else False, f"{source.core}\n)")
    elif fault == "no substance":
        truth = Truth("no substance", None, "")
    wanted = draw.choice(["concise", "detailed_markdown"]) if fault == "wrong style" else style
    written = _styled(problem, truth, wanted)
    model.learn(problem, written, replace(truth, kind=truth.kind if truth is source else fault))
    return written if fault == "no tags" else f"<text>\n{written}\n</text>"


def _other(problem: Known, source: Truth, draw: random.Random) -> str:
    return draw.choice(problem.wrong) if source.right else problem.right


def _styled(problem: Known, truth: Truth, style: str) -> str:
    """The core of a text in a style; its words depend on the style and the length of the core alone."""
    is_code = problem.kind == "code"
    core = f"```python\n{truth.core}\n```" if is_code else f"The answer is \\boxed{{{truth.core}}}."
    if not truth.core:
        core = "See above."
    # A prompt without the question must show which problem a text belongs to.
    about = f"This is about problem {problem.id}."
    if style == "concise":
        return f"{about}\n\n{core}"
    count = 3 + len(problem.right.split()) // 20
    filler = [_FILLER[number % len(_FILLER)] for number in range(count)]
    if style == "detailed_plain":
        return f"{about} {' '.join(filler)}\n\n{core}\n\n{_FILLER[0]}"
    listed = "\n".join(f"- {one}" for one in filler)
    return f"### Solution\n\n{about}\n\n{listed}\n\n{core}\n\n**Note:** {_FILLER[0]}"
