"""Reads verdicts in what judges write: labels, numbers and JSON, without reasoning and without what judges quote."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from rmeval.data.json_text import parse_json
from rmeval.protocols.judging.card import JudgeCard, Several

__all__ = [
    "is_refusal",
    "json_objects",
    "json_verdict",
    "label_in",
    "list_in",
    "normal",
    "number_of",
    "rating_in",
    "without_reasoning",
]

_PLAIN: dict[int, int | str | None] = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys((*range(0x2000, 0x200B), 0x3000, 0xA0), " "),
    **dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xAD)),
}
"""Plain letters, digits, signs and spaces for full-width ones and others, and nothing for hidden characters."""
_SPACES = re.compile(r"[ \t]{3,}")
_ESCAPED = re.compile(r"\\([\[\]<>=*_])")

_OPENING = re.compile(
    r"^[^\S\n]*(?:<\s*(?:think|thinking|thought|thoughts|reasoning|reflection|seed:think)\s*>|\[THINK\]|\u25c1think\u25b7"
    r"|<\|START_THINKING\|>|<\|begin_of_thought\|>|<unused94>|<\|channel\|?>\s*(?:analysis|commentary|thought)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_CLOSING = re.compile(
    r"<\s*/\s*(?:think|thinking|thought|thoughts|reasoning|reflection|seed:think)\s*>|\[/THINK\]|\u25c1/think\u25b7"
    r"|<\|END_THINKING\|>|<\|end_of_thought\|>|<unused95>|<channel\|>"
    r"|<\|channel\|>\s*final\s*<\|message\|>",
    re.IGNORECASE,
)
"""Marks around reasoning, as language models and servers write them."""


def without_reasoning(text: str) -> str | None:
    """What a judge wrote after its reasoning; None if the reasoning does not end.

    Reasoning begins at the beginning of the text or of a line. A text may contain only its end, because some chat
    templates open it in the prompt.
    """
    ends = [found.end() for found in _CLOSING.finditer(text)]
    rest = text[ends[-1] :] if ends else text
    return None if _OPENING.search(rest) else rest


def normal(text: str) -> str:
    """A text with plain letters for full-width ones, without escapes, hidden characters and long spaces."""
    plain = html.unescape(text)
    plain = plain if plain.isascii() else plain.translate(_PLAIN)
    plain = _ESCAPED.sub(r"\1", plain) if "\\" in plain else plain
    return _SPACES.sub(" ", plain) if "   " in plain or "\t" in plain else plain


_REFUSALS = re.compile(
    r"\s*(?:(?:i(?:'m| am) )?(?:very |so |really )?sorry[,.;:!]?\s*(?:but\s+)?|unfortunately,?\s+"
    r"|i apologi[sz]e[^.\n]{0,40}[,.]\s*(?:but\s+)?)?(?:as an ai[^.\n]{0,40},\s*)?"
    r"i(?:'m| am)?\s*(?:can(?:not|'t)|won't|will not|must decline|have to decline|not able|unable|not comfortable)"
    r"\s+(?:to\s+)?(?:with\s+)?"
    r"(?:assist|help|comply|fulfil+|provide|evaluat|judg|compar|engag|continu|do that|rat|answer)",
    re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """Whether a text without a verdict begins as refusals do, such as "I'm sorry, but I can't assist with that"."""
    return _REFUSALS.match(normal(text[:_BEGINNING]).replace("\u2019", "'")) is not None


_BEGINNING = 500
"""Letters of an output among which a refusal begins."""


def label_in(text: str, card: JudgeCard, count: int, presented: Sequence[str] = ()) -> str | None:
    """The label that a text states as its verdict; None if it states none, or several that the card does not allow.

    Args:
        text: The text, without reasoning.
        card: The protocol's card.
        count: Number of responses.
        presented: The texts that the judge has read. A verdict that is quoted from one of them does not count.
    """
    text, labels = normal(text), card.names(count)
    found = [
        (place, label) for place, label in _stated(text, card, presented) if label in labels or card.several == "same"
    ]
    if not found:
        return _bare_label(text, labels) if card.bare else None
    label = _decided([(text.count("\n", 0, place), label) for place, label in found], card.several, labels)
    return label if label in labels else None


def _stated(text: str, card: JudgeCard, presented: Sequence[str]) -> list[tuple[int, str]]:
    """Each verdict in a text with its place, except those that are quoted."""
    pattern = card.pattern
    if pattern is None:
        return []
    text = _without_echoes(text, card)
    shown = [own for one in presented if pattern.search(own := normal(one))]
    every = [found for found in islice(pattern.finditer(text), _MOST_VERDICTS + 1) if found[1] is not None]
    if len(every) > _MOST_VERDICTS:
        return []
    return [
        (found.start(1), " ".join(found[1].split()))
        for found in every
        if not any(_is_quoted(text, found, one) for one in shown)
    ]


_MOST_VERDICTS = 500
"""An output with more verdicts is a repetition without end."""


def _without_echoes(text: str, card: JudgeCard) -> str:
    """A text without the lines of the prompt that list the verdicts, and without its paragraphs that name one."""
    assert card.pattern is not None
    echoed = [line for line in _lines_with_verdicts(card.system, card.prompt, card.pattern) if line in text]
    several = len({found[1] for line in echoed for found in card.pattern.finditer(line)}) > 1
    for line in echoed:
        # A judge may state its verdict in the words of the prompt, but not in a whole paragraph of it.
        if several or len(line) > _PARAGRAPH:
            text = text.replace(line, " " * len(line))
    return text


@lru_cache(maxsize=64)
def _lines_with_verdicts(system: str, prompt: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    lines = (line.strip() for part in (system, prompt) for line in normal(part).splitlines())
    return tuple(line for line in lines if len(line) > _CONTEXT and pattern.search(line))


_PARAGRAPH = 80
"""Letters of a line that is no verdict in the words of the prompt."""


_CONTEXT = 12
"""Letters on one side of a verdict that are compared with what the judge has read."""
_QUOTES = '"`\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d'


def _is_quoted(text: str, found: re.Match[str], shown: str) -> bool:
    """Whether a verdict is part of a quotation from a text that the judge has read: between quotes, or word by word."""
    verdict, start, end = found[0], found.start(), found.end()
    if verdict not in shown:
        return False
    before, after = text[:start].rpartition("\n")[2], text[end:].partition("\n")[0]
    if sum(letter in _QUOTES for letter in before) % 2 and any(letter in _QUOTES for letter in after):
        return True
    before, after = before[-_CONTEXT:], after[:_CONTEXT]
    return (len(before.strip()) > _CONTEXT // 2 and before + verdict in shown) or (
        len(after.strip()) > _CONTEXT // 2 and verdict + after in shown
    )


def _decided(found: Sequence[tuple[int, Any]], several: Several, labels: Sequence[Any] = ()) -> Any:
    """The verdict of several, given with their lines; None if they contradict each other."""
    if several == "listed":
        stated = {value for _, value in found}
        return next((label for label in labels if label in stated), None)
    last = max(line for line, _ in found)
    values = {value for line, value in found if several == "same" or line == last}
    return values.pop() if len(values) == 1 else None


_DECORATION = " \t*_`#>\"'~"


def _last_line(text: str) -> str:
    lines = [own for line in text.splitlines() if (own := line.strip(_DECORATION))]
    return lines[-1] if lines else ""


_SAYS = r"(?:the |my |your )?(?:final |overall |total )?(?:{})(?: is)?\s*[:=]?\s*"
_SAYS_LABEL = _SAYS.format("verdict|winner|decision|judge?ment")
_SAYS_RATING = _SAYS.format("rating|score|grade|mark|verdict")
_LEAD = re.compile(rf"{_SAYS_LABEL}[*_`\"']*\s*", re.IGNORECASE)


def _bare_label(text: str, labels: Sequence[str]) -> str | None:
    """The label that the whole text consists of, or the last line after a word such as "Verdict".

    Any other line with a letter may be the solution of a multiple-choice question.
    """
    line = _last_line(text)
    if (lead := _LEAD.match(line)) is None and not _is_one_line(text):
        return None
    stated = (line[lead.end() :] if lead else line).strip(_DECORATION + ".")
    stated = _IN_BRACKETS.sub(r"\1", stated).strip(_DECORATION)
    return stated if stated in labels else None


def _is_one_line(text: str) -> bool:
    return "\n" not in text.strip(_DECORATION + "\r\n")


_IN_BRACKETS = re.compile(r"[\[(]{1,2}([^\[\]()]*)[\])]{1,2}")


_NUMBER = r"(?P<number>[-+\u2212\u2013]?[0-9]+(?:[.,][0-9]+)?)"
_OF = r"(?:\s*\(?\s*(?:/|out\s+of|of)\s*(?P<of>[0-9]+(?:\.[0-9]+)?)\s*\)?)?"
_STATED = re.compile(rf"{_NUMBER}\s*[*_`\"']*{_OF}\s*(?:points?|stars?)?", re.IGNORECASE)


def number_of(text: str, scale: tuple[float, float]) -> float | None:
    """The rating that a text consists of, such as `8`, `7.5` or `8/10`; None if it is not a number of the scale."""
    found = _plain_number(text)
    return None if found is None else _in_scale(found, scale)


def _plain_number(text: str) -> re.Match[str] | None:
    return _STATED.fullmatch(text.strip(_DECORATION + "[]().:!"))


def _in_scale(found: re.Match[str], scale: tuple[float, float]) -> float | None:
    low, high = scale
    try:
        number = float(found["number"])
    except ValueError:  # A comma, which may separate decimals, thousands or numbers.
        return None
    if found["of"] is not None and float(found["of"]) != high:
        return None
    return number if low <= number <= high else None


_SENTENCE = re.compile(
    rf"(?<![\w.,/-]){_NUMBER}\s*[*_`]*\s*(?:/|out\s+of)\s*(?P<of>[0-9]+(?:\.[0-9]+)?)(?![\w/]|[.,][0-9])", re.IGNORECASE
)
_LINE = re.compile(rf"{_SAYS_RATING}[*_`\"'\[(]*\s*(?P<stated>[-+\u2212\u2013]?[0-9].{{0,40}})", re.IGNORECASE)


def rating_in(text: str, card: JudgeCard, presented: Sequence[str] = ()) -> float | None:
    """The rating that a text states; None if it states none of the scale, or several that the card does not allow.

    Ratings are read in the card's form of a verdict; without one there, from lines such as `Rating: 8/10`; without one
    there, from the last line, if it contains a number with the scale, such as `8 out of 10`, or if the whole text is a
    number. Any other line with a number may be the solution of a problem.
    """
    assert card.scale is not None
    text = normal(text)
    stated = _stated(text, card, presented)
    found = [(text.count("\n", 0, place), number_of(label, card.scale)) for place, label in stated]
    if not found and not card.find:
        found = list(_labelled_lines(text, card.scale))
    if not found and not card.find:
        line = _last_line(text)
        whole = _plain_number(line)
        if whole is not None and whole["of"] is None and not _is_one_line(text):
            return None
        numbers = list(_SENTENCE.finditer(line)) if whole is None else [whole]
        found = [(0, _in_scale(one, card.scale)) for one in numbers]
    number = _decided(found, card.several) if found else None
    return None if number is None else float(number)


def list_in(text: str, card: JudgeCard, presented: Sequence[str] = ()) -> list[str] | None:
    """The parts between commas of what a text states as its verdict; None if it states none, or several."""
    text = normal(text)
    stated = [(text.count("\n", 0, place), found) for place, found in _stated(text, card, presented)]
    found = _decided(stated, card.several) if stated else None
    return None if found is None else [part.strip() for part in found.split(",")]


_LONGEST_LINE = 200
"""Letters of a line that is a rating and nothing else."""


def _labelled_lines(text: str, scale: tuple[float, float]) -> Iterator[tuple[int, float | None]]:
    """The number of each line such as `Rating: 8/10`; None for a number outside the scale."""
    for place, line in enumerate(text.splitlines()):
        stated = _LINE.fullmatch(line.strip(_DECORATION + "-")) if len(line) < _LONGEST_LINE else None
        # A line that goes on after a number, such as "Score: 3 points were lost", is no rating.
        if stated is not None and (found := _plain_number(stated["stated"])) is not None:
            yield place, _in_scale(found, scale)


_FENCED = re.compile(r"```[a-zA-Z]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_MOST_LETTERS = 500_000
"""Letters that are read in search of objects, so that no output takes long."""


def json_verdict(text: str, card: JudgeCard, presented: Sequence[str] = ()) -> Any:
    """The value of the card's key in the JSON object that a text contains; None if there is none.

    The whole text is read, then what stands between fences, then each object within the text. An object within the text
    that is part of a presented text is a quotation.

    Args:
        text: The text, without reasoning.
        card: The protocol's card.
        presented: The texts that the judge has read.
    """
    for objects in json_objects(text, presented):
        values = [one[card.json_field] for one in objects if card.json_field in one]
        if values:
            differ = card.several == "same" and any(value != values[0] for value in values)
            return None if differ else values[-1]
    return None


def json_objects(text: str, presented: Sequence[str] = ()) -> Iterator[list[dict[str, Any]]]:
    """Yield the JSON object that is the whole text, then those between fences, then those within the text.

    Args:
        text: The text, without reasoning.
        presented: The texts that the judge has read; an object that is part of one is a quotation, and left out.
    """
    text = text.strip().lstrip("\ufeff")
    for parts in ([text], _FENCED.findall(text), _within(text)):
        own = [part for part in parts if part == text or not any(part.strip() in one for one in presented)]
        yield [found for part in own if (found := _object(part)) is not None]


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = parse_json(text, finite=True, control=True)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _within(text: str) -> list[str]:
    """The objects within a text, outermost first, in order."""
    found, place, left = [], text.find("{"), _MOST_LETTERS
    while place >= 0 and left > 0:
        end = _end_of_object(text, place)
        left -= (end or len(text)) - place
        if end and _object(text[place:end]) is not None:
            found.append(text[place:end])
        else:
            end = place + 1
        place = text.find("{", end)
    return found


def _end_of_object(text: str, place: int) -> int:
    """The place after the brace that closes the one at `place`; 0 if none does."""
    depth = 0
    for found in _BRACES.finditer(text, place):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return found.end()
    return 0


_BRACES = re.compile(r'"(?:[^"\\]|\\.)*"|[{}]')
