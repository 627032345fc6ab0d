"""Padding that adds length to a response and no content."""

from __future__ import annotations

from dataclasses import replace

from rmeval.types import Response

__all__ = ["OPENING", "padded", "padded_response"]

OPENING = "Thank you for the question. The answer follows below, written out so that it is easy to read."
_CLOSINGS = (
    "That is the whole answer.",
    "Nothing beyond what is stated above is needed, and nothing is added to it here.",
    "The text above is meant to be read from its beginning to its end, in the order in which it is written.",
    "Please take the time that you need to read it, and read it again wherever that is useful to you.",
    "The question has been taken as it was written, and the answer is given in the same spirit.",
    "These closing lines only mark the end of the answer and leave its content exactly as it stands.",
    "If something in the text above deserves a second look, it can be found where it was first stated.",
    "The answer therefore remains what it was before these lines: neither more nor less is claimed.",
    "It may help to keep the question in view while reading, since the answer refers to it throughout.",
    "With that, the reply to the question is complete, and it can be used in the form in which it is given.",
    "As a final remark, the lines that follow the answer repeat none of its points and change none of them.",
    "Thank you again for the question, and for reading the answer up to this point.",
)
_RATIO = 1.5
"""Length of a padded text relative to the original, where the sentences are enough for it."""
_FEWEST = 4
"""Number of closing sentences that every padded text has."""


def padded(text: str) -> str:
    """Return a text with an opening and closing sentences that say nothing.

    The original text is contained as it is. There are as many closing sentences as make the text half as long again, at
    least four and at most twelve, each once.
    """
    closing: list[str] = []
    for sentence in _CLOSINGS:
        if len(closing) >= _FEWEST and len(OPENING) + len(" ".join(closing)) >= (_RATIO - 1) * len(text):
            break
        closing.append(sentence)
    return f"{OPENING}\n\n{text}\n\n{' '.join(closing)}"


def padded_response(response: Response) -> Response | None:
    """Return a response with a padded text; None if it has no text, such as a tool call."""
    if not response.text.strip():
        return None
    text = padded(response.text)
    message = response.message
    return replace(response, text=text, message=None if message is None else replace(message, content=text))
