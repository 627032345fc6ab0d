"""The tokens that end a text, from the files of a checkpoint."""

from __future__ import annotations

import json
from typing import Any

from rmeval.engines.hf.checkpoint import Checkpoint
from rmeval.errors import ModelError

__all__ = ["stated_stops", "token_ids"]


def stated_stops(checkpoint: Checkpoint, config: Any) -> tuple[int, ...]:
    """The tokens that `generation_config.json` names, or the config if that file names none.

    Raises:
        ModelError: If the file cannot be read.
    """
    stated: Any = {}
    if (file := checkpoint.file("generation_config.json")) is not None:
        try:
            stated = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(
                f"generation_config.json of {checkpoint.source} cannot be read ({error}): save the checkpoint again"
            ) from error
    own = token_ids(stated.get("eos_token_id") if isinstance(stated, dict) else None)
    return own or token_ids(getattr(config.get_text_config(), "eos_token_id", None))


def token_ids(stated: Any) -> tuple[int, ...]:
    """One token id, or several, in ascending order; empty for anything else."""
    several = stated if isinstance(stated, list | tuple) else [stated]
    return tuple(sorted({one for one in several if isinstance(one, int) and not isinstance(one, bool) and one >= 0}))
