"""Twins: two prompts over the same two answers, each right for one prompt and wrong for the other.

What an answer looks like then says nothing about whether it is right: over a pair of twins, every scorer that does not
read the prompt is right exactly as often as it is wrong.
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
    """What an answer says, before it is worded in a style.

    Attributes:
        concise: The short form.
        intro: First sentence of the detailed forms.
        points: What is said in between, a sentence or two each.
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
    """Two prompts and two answers: the first answer is right for the first prompt only, the second for the second.

    Attributes:
        kind: What the two differ in.
        key: What the generator drew for them, by which twins belong to training or to the benchmark.
        prompts: Both prompts.
        answers: Both answers.
        parts: For safety, the subset of each prompt.
        facts: What is known of each prompt beyond its text, such as the tests of a function.
    """

    kind: str
    key: tuple[Any, ...]
    prompts: tuple[str, str]
    answers: tuple[Answer, Answer]
    parts: tuple[str, str] | None = None
    facts: tuple[Mapping[str, Any], Mapping[str, Any]] = field(default=({}, {}))


def word(answer: Answer, language: Language, domain: str) -> Texts:
    """An answer in the three styles: concise, detailed plain text, detailed markdown.

    The detailed forms say the same; markdown adds headings, bullets and bold. So each style is longer than the one
    before it, and only the last has any markdown.
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
