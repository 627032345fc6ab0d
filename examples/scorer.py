"""A custom scorer: rmeval evaluates any class with a method `score(conversations)`.

rmeval run examples/scorer.py:Overlap -b pairs --data examples/pairs.jsonl
"""

from __future__ import annotations

import re

Conversation = list[dict[str, str]]


class Overlap:
    """Prefers responses that use the words of the prompt and few others, regardless of their meaning."""

    def score(self, conversations: list[Conversation]) -> list[float]:
        """Return one number per conversation, higher for better responses."""
        return [self._overlap(one[-2]["content"], one[-1]["content"]) for one in conversations]

    def _overlap(self, prompt: str, response: str) -> float:
        first, second = (set(re.findall(r"\w+", text.lower())) for text in (prompt, response))
        return len(first & second) / max(len(first | second), 1)
