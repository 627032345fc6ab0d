"""Twins: two prompts with the same two responses, each right for one prompt and wrong for the other.

The form of a response is thus unrelated to its gold: on a pair of twins, every scorer that does not read the prompt is
right exactly as often as wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rmeval.benchmarks.synthetic.language import Language

__all__ = ["Content", "Twins", "word"]

Texts = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a response, from which `word` makes its three styles.

    Attributes:
        concise: The short form.
        intro: First sentence of the detailed forms.
        points: The points between them, of one or two sentences each.
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
        contents: The contents of both responses.
        parts: For safety, the subset of each prompt.
        facts: Further facts about each prompt, such as the tests of a function.
    """

    kind: str
    key: tuple[Any, ...]
    prompts: tuple[str, str]
    contents: tuple[Content, Content]
    parts: tuple[str, str] | None = None
    facts: tuple[Mapping[str, Any], Mapping[str, Any]] = field(default=({}, {}))


def word(content: Content, language: Language, domain: str) -> Texts:
    """Write a response in the three styles: concise, detailed plain text, detailed markdown.

    The detailed forms have the same content; markdown adds headings, bullets and bold. Each style is longer than the
    one before it, and only the last has markdown.
    """
    code = f"\n\n{content.code}\n\n" if content.code else language.join(["", ""])
    plain = f"{content.intro}{code}{language.join([*content.points, content.closing])}"
    colon = language.get("colon")
    bullets = [
        f"- **{language.fill(language.get(f'{domain}.bullet'), k=number)}{colon}** {point}"
        for number, point in enumerate(content.points, start=1)
    ]
    blocks: Sequence[str] = [
        f"## {content.heading}",
        content.intro,
        *([f"```python\n{content.code}\n```"] if content.code else []),
        "\n".join(bullets),
        f"**{language.get(f'{domain}.answer')}{colon}** {content.closing}",
    ]
    return content.concise, plain, "\n\n".join(blocks)
