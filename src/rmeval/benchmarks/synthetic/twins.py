"""Twins: two prompts with the same two responses, each right for one prompt and wrong for the other.

The form of a response thus has no relation to its gold: on a pair of twins, every scorer that does not read the prompt
is right exactly as often as wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rmeval.benchmarks.synthetic.language import Language

__all__ = ["Answer", "Twins", "word"]

Texts = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """The content of a response, before it is worded in a style.

    Attributes:
        concise: The short form.
        intro: First sentence of the detailed forms.
        points: The sentences between them, one or two each.
        closing: Last sentence of the detailed forms.
        heading: Title in markdown.
        code: Python code, which follows the intro.
    """

    concise: str
    intro: str
    points: tuple[str, ...]
    closing: str
    heading: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Twins:
    """Two prompts and two responses: the first response is right for the first prompt only, the second for the second.

    Attributes:
        kind: The difference between the two.
        key: The generator's draws, which decide whether twins belong to training or to the benchmark.
        prompts: Both prompts.
        answers: Both responses.
        parts: For safety, the subset of each prompt.
        facts: Further facts about each prompt, such as the tests of a function.
    """

    kind: str
    key: tuple[Any, ...]
    prompts: tuple[str, str]
    answers: tuple[Answer, Answer]
    parts: tuple[str, str] | None = None
    facts: tuple[Mapping[str, Any], Mapping[str, Any]] = field(default=({}, {}))


def word(answer: Answer, language: Language, domain: str) -> Texts:
    """Word a response in the three styles: concise, detailed plain text, detailed markdown.

    The detailed forms have the same content; markdown adds headings, bullets and bold. Each style is longer than the
    one before it, and only the last has markdown.
    """
    code = f"\n\n{answer.code}\n\n" if answer.code else language.join(["", ""])
    plain = f"{answer.intro}{code}{language.join([*answer.points, answer.closing])}"
    colon = language.get("colon")
    bullets = [
        f"- **{language.fill(language.get(f'{domain}.bullet'), k=number)}{colon}** {point}"
        for number, point in enumerate(answer.points, start=1)
    ]
    blocks: Sequence[str] = [
        f"## {answer.heading}",
        answer.intro,
        *([f"```python\n{answer.code}\n```"] if answer.code else []),
        "\n".join(bullets),
        f"**{language.get(f'{domain}.answer')}{colon}** {answer.closing}",
    ]
    return answer.concise, plain, "\n\n".join(blocks)
