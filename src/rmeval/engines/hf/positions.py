"""How many tokens a network takes, by its config."""

from __future__ import annotations

from typing import Any

__all__ = ["most_positions"]


def most_positions(config: Any) -> int | None:
    """Positions that a network was built for; None if its config does not say."""
    text = config.get_text_config()
    limit = getattr(text, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None
