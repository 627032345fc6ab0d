"""Families of language models, by their names: models that may prefer each other's responses."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["family_of"]

_FAMILIES = {
    "Claude": r"claude",
    "Cohere": r"command-?[ar]|aya|cohere",
    "DeepSeek": r"deepseek",
    "Falcon": r"falcon",
    "Gemini": r"gemini|gemma|bard|palm",
    "GLM": r"(?<![a-z])(chat)?glm",
    "GPT": r"gpt-?(3|4|5|o)|chatgpt|text-davinci|(?<![a-z])o[134](?![0-9a-z])|gpt-oss",
    "Grok": r"grok",
    "InternLM": r"internlm",
    "Kimi": r"kimi|moonshot",
    "Llama": r"llama|tulu|vicuna|alpaca|guanaco",
    "Mistral": r"mistral|mixtral|ministral|zephyr|magistral",
    "MPT": r"(?<![a-z])mpt",
    "Nemotron": r"nemotron",
    "OLMo": r"olmo",
    "Phi": r"(?<![a-z])phi-?[0-9]",
    "Qwen": r"qwen|qwq",
    "SmolLM": r"smollm",
    "Yi": r"(?<![a-z])yi-",
}
"""By family, a pattern of names; of several that occur in a name, the first one counts."""
_PATTERNS = {family: re.compile(pattern) for family, pattern in _FAMILIES.items()}


@lru_cache(maxsize=1 << 12)
def family_of(name: str) -> str | None:
    """Return the family of a language model, such as `Qwen` of `Qwen/Qwen3-8B`; None if the name does not state it.

    The owner of a repository does not count, unless the rest of the name states no family.

    Args:
        name: The name of a model, as a benchmark or a server writes it.
    """
    plain = name.lower().replace("_", "-").replace(" ", "-")
    for part in (plain.rpartition("/")[2], plain):
        places = [(found.start(), family) for family, own in _PATTERNS.items() if (found := own.search(part))]
        if places:
            return min(places)[1]
    return None
