"""Final answers of mathematical solutions: read, put into one form, and compared where that needs no algebra."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from rmeval.solutions.keys import boxes, final_line

__all__ = [
    "Equality",
    "Number",
    "compared",
    "final_answers",
    "last_answer",
    "needs_algebra",
    "normalised",
    "number_of",
    "words_of",
]

Equality = Literal["equal", "different", "unclear"]
"""`unclear`: a right answer may be written in this way, so that it counts as neither right nor wrong."""
_NEAR = Fraction(1, 100)
"""Numbers that differ by less may be the same value, rounded."""
_MOST_DIGITS = 400
_LAYOUT = re.compile(
    r"\\left(?![a-z])|\\right(?![a-z])|\\displaystyle|\\[!,;:> ]|\\q?quad|\\(?:big|Big|bigg|Bigg)[lr]?(?![a-z])"
)
_TEXT = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox|operatorname)\s*\{([^{}]*)\}")
_ASSIGNED = re.compile(r"\s*(?:[a-zA-Z]|\\[a-z]+)(?:_\{?\w+\}?)?\s*=\s*([^=]+)")
_NUMBER = re.compile(r"(?P<sign>[+-]?)\s*(?P<whole>\d+(?:\.\d*)?|\.\d+)")
_QUOTIENT = re.compile(r"(?P<sign>[+-]?)\s*(?:\\frac\s*\{?\s*(\d+)\s*\}?\s*\{?\s*(\d+)\s*\}?|(\d+)\s*/\s*(\d+))")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
_PART = re.compile(r"\\frac(\d)(\d)")
_UNIT = re.compile(
    r"(?P<value>.*?[\d}])\s*(?P<unit>\\%|%|\^\s*\{?\\circ\}?|\\circ|°"
    r"|(?:\\(?:text|mathrm|mbox|textrm)\s*\{[^{}\d]{2,}\}|[a-zA-Z]{4,}|[ckm]m|kg|mph)(?:\s*\^\s*\{?[23]\}?)?)"
)
"""A number and its unit. One or two letters after a number are variables rather than units."""
_NO_UNIT = re.compile(r"\b(?:or|and|more|less|than|to|at|plus|minus|times|base|pi)\b|,")
_WORDS = re.compile(r"[^\W\d_]+")
_STATED = re.compile(r"\banswer(?:\*\*)?\s*(?:is|:)(?:\*\*)?\s*:?\s*([^\n]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Number:
    """A rational number in an answer.

    Attributes:
        value: The number.
        unit: What follows it, such as `%` or `cm`.
        before: Whether a dollar sign stands before it.
    """

    value: Fraction
    unit: str = ""
    before: bool = False


def final_answers(text: str) -> list[str]:
    r"""Return the final answers that a solution states: what its boxes contain, or the last line `#### answer`.

    Boxes with the same content, apart from layout, are one answer. There should be one.
    """
    found = boxes(text)
    if not found and (line := final_line(text)) is not None:
        found = [line]
    return list({normalised(one): one for one in reversed(found)}.values())[::-1]


def last_answer(text: str) -> str | None:
    r"""Return the answer that a solution states last, as evaluations of language models read it; None without one.

    The last box counts (`last_boxed_only_string` in the code of Hendrycks et al. 2021, arXiv:2103.03874), without a box
    the last line `#### answer` of GSM8K, and without both the last sentence "The answer is ..." (Wei et al. 2022,
    arXiv:2201.11903), if what it names is a number, a formula or one word.
    """
    if found := final_answers(text):
        return found[-1]
    for stated in reversed(_STATED.findall(text)):
        answer = re.split(r"\.(?:\s|$)", stated.replace("**", "").strip(), maxsplit=1)[0].strip()
        if re.search(r"[\d\\]", answer) or re.fullmatch(r"\(?\w+\)?", answer):
            return answer
    return None


def normalised(answer: str) -> str:
    """An answer without dollar signs around it, layout, spaces at its ends, and a final dot."""
    found = answer.strip().strip("$").strip()
    for opening, closing in (("\\(", "\\)"), ("\\[", "\\]")):
        if found.startswith(opening) and found.endswith(closing):
            found = found[len(opening) : -len(closing)]
    found = found.replace(",\\!", ",").replace("{,}", ",").replace("\u2212", "-")
    found = re.sub(r"\\[dt]frac(?![a-z])", r"\\frac", _LAYOUT.sub(" ", found))
    found = _PART.sub(r"\\frac{\1}{\2}", found)
    found = re.sub(r"\{\d{1,3}(?:,\d{3})+\}", lambda one: one[0].replace(",", ""), found)
    return " ".join(found.split()).removesuffix(".").strip()


def number_of(answer: str) -> Number | None:
    r"""The number that a normalised answer is, such as `x = 1,200`, `\$3.50`, `5 \text{ cm}` or `\frac{1}{2}`."""
    found = assigned[1].strip() if (assigned := _ASSIGNED.fullmatch(answer)) is not None else answer
    dollar = re.match(r"-?\s*\\?\$", found) is not None
    found = re.sub(r"\\?\$", "", found).strip()
    unit = ""
    if (parts := _UNIT.fullmatch(found)) is not None and not _NO_UNIT.search(parts["unit"]):
        found, unit = parts["value"].strip(), _plain_unit(parts["unit"])
    if _GROUPED.fullmatch(found):
        found = found.replace(",", "")
    if len(found) > _MOST_DIGITS:
        return None
    if (decimal := _NUMBER.fullmatch(found)) is not None:
        return Number(Fraction(decimal["sign"] + decimal["whole"]), unit, dollar)
    if (quotient := _QUOTIENT.fullmatch(found)) is None:
        return None
    above, below = (int(one) for one in quotient.groups()[1:] if one is not None)
    return Number((-1 if quotient["sign"] == "-" else 1) * Fraction(above, below), unit, dollar) if below else None


def _plain_unit(unit: str) -> str:
    if "circ" in unit or unit == "°":
        return "degrees"
    return " ".join(_TEXT.sub(r"\1", unit).replace("\\", "").lower().split())


def words_of(answer: str) -> frozenset[str] | None:
    r"""The words of an answer that is text, such as `\text{Monday}` or `(B)`; None if it is something else."""
    inner = _TEXT.sub(r" \1 ", answer)
    if "\\" in inner or re.search(r"[\d=^_+*/<>|-]", inner):
        return None
    words = _WORDS.findall(inner)
    is_text = inner != answer or any(len(word) > 3 for word in words) or re.fullmatch(r"\(?[A-H]\)?", inner.strip())
    return frozenset(word.casefold() for word in words) if words and is_text else None


def needs_algebra(key: str) -> bool:
    """Whether answers can be compared with a normalised key only by algebra."""
    return number_of(key) is None and words_of(key) is None


def compared(key: str, answer: str) -> Equality | None:
    """Compare an answer with a key, both normalised; None if that needs algebra."""
    if key.replace(" ", "") == answer.replace(" ", ""):
        return "equal"
    wanted, given = number_of(key), number_of(answer)
    if wanted is not None and given is not None:
        # A list in another order, not a number with groups of digits.
        is_list = "," in key and sorted(key.split(",")) == sorted(answer.split(","))
        return "unclear" if is_list else _numbers(wanted, given)
    words, own = words_of(key), words_of(answer)
    if words is None and own is None:
        return None
    return "unclear" if words is None or own is None else _words(words, own)


def _words(wanted: frozenset[str], given: frozenset[str]) -> Equality:
    if wanted == given:
        return "equal"
    # `not even` and `even`, `Fri` and `Friday`.
    alike = any(one.startswith(other) or other.startswith(one) for one in wanted for other in given)
    # `ACF` and `A, C, F`; `B` and the text of the choice B.
    letters = sorted("".join(wanted)) == sorted("".join(given))
    labels = all(len(one) == 1 for one in wanted) != all(len(one) == 1 for one in given)
    return "unclear" if alike or letters or labels else "different"


def _numbers(wanted: Number, given: Number) -> Equality:
    one, other = wanted.value, given.value
    alike = wanted.unit == given.unit or not wanted.unit or not given.unit
    if one == other:
        return "equal" if alike else "unclear"
    if wanted.unit != given.unit or wanted.before != given.before:
        return "unclear"  # 1 hour is 60 minutes.
    is_whole = one.denominator == other.denominator == 1
    if abs(one - other) <= _NEAR * abs(one) and not is_whole:
        return "unclear"
    # Percent, cents, and the like.
    return "unclear" if one != 0 and other / one in (100, Fraction(1, 100)) else "different"
