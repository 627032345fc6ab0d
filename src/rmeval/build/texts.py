"""What stages read in the answers of models: whole responses, parts between tags, and closed verdicts in JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rmeval.build.answers import Answer
from rmeval.protocols.judging.reading import json_objects, without_reasoning

__all__ = ["enclosed", "response_text", "tagged", "verdicts_in"]


def response_text(answer: Answer) -> str | None:
    """The text of an answer without its reasoning; None if there is no complete text."""
    if not answer.ok:
        return None
    text = without_reasoning(answer.text)
    return (text.strip() or None) if text is not None else None


def tagged(text: str, name: str) -> list[str]:
    """What stands between each pair of tags, such as `<text>` and `</text>`, without the spaces around it."""
    return [found.strip() for found in re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL | re.IGNORECASE)]


def enclosed(text: str, name: str) -> str | None:
    """What stands between the tags of a name, which the text may contain within; None if there is not one such part."""
    depth, found, start = 0, list[str](), 0
    for tag in re.finditer(rf"<(/?){name}>", text, re.IGNORECASE):
        if not tag[1]:
            start = start if depth else tag.end()
            depth += 1
        elif depth:
            depth -= 1
            if not depth:
                found.append(text[start : tag.start()].strip())
    return found[0] if len(found) == 1 and not depth and found[0] else None


def verdicts_in(text: str, labels: Mapping[str, Sequence[str]], presented: Sequence[str] = ()) -> dict[str, str] | None:
    """The verdicts in the JSON object that a judge wrote; None if there is none, or two objects contradict each other.

    Args:
        text: The judge's text, without reasoning.
        labels: The values that each field may have, in any case of letters; a field without values is any text, and
            may be missing.
        presented: The texts that the judge has read.
    """
    for objects in json_objects(text, presented):
        found = [read for one in objects if (read := _verdicts(one, labels)) is not None]
        closed = [{name: read[name] for name, values in labels.items() if values} for read in found]
        if found:
            return found[-1] if all(one == closed[0] for one in closed) else None
    return None


def _verdicts(found: Mapping[str, object], labels: Mapping[str, Sequence[str]]) -> dict[str, str] | None:
    read = {}
    for name, values in labels.items():
        value = found.get(name)
        text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if values:
            text = text.casefold()
            if text not in values:
                return None
        read[name] = text
    return read
