"""A scorer of one's own: any class with a method `score(conversations)` can be evaluated.

rmeval run examples/scorer.py:Overlap -b pairs --data examples/pairs.jsonl
"""

from __future__ import annotations

import re

Conversation = list[dict[str, str]]


class Overlap:
    """Prefers answers that use the words of the question and waste few others; knows nothing."""

    def score(self, conversations: list[Conversation]) -> list[float]:
        """One number for each conversation, higher for better answers."""
        return [self._overlap(one[-2]["content"], one[-1]["content"]) for one in conversations]

    def _overlap(self, question: str, answer: str) -> float:
        asked, said = (set(re.findall(r"\w+", text.lower())) for text in (question, answer))
        return len(asked & said) / max(len(asked | said), 1)
