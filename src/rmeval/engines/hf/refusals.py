"""Errors for checkpoints that cannot be loaded, or whose weights do not match their config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rmeval.engines.hf.checkpoint import Checkpoint
from rmeval.errors import ModelError, reason_of

__all__ = ["cannot_load", "untrained", "wrong_shapes"]


def cannot_load(checkpoint: Checkpoint, error: BaseException, language_model: bool = False) -> ModelError:
    """The error of a checkpoint that transformers does not load."""
    where = checkpoint.source
    if "trust_remote_code" in str(error):
        return ModelError(f"{where} comes with its own code: read it, and if you trust it, give `trust_remote_code`")
    if "problem_type" in str(error):
        return ModelError(
            f"{where} has a problem_type in config.json that does not fit its number of outputs, which transformers "
            "refuses: copy the checkpoint to a folder, and remove problem_type from config.json there"
        )
    kind = "language model" if language_model else "sequence classifier"
    return ModelError(f"{where} cannot be loaded as a {kind} ({reason_of(error)}): check that it is one")


def wrong_shapes(checkpoint: Checkpoint, wrong: Sequence[Sequence[Any]], labels: bool, advice: str) -> ModelError:
    """The error of weights whose shape differs from the config's.

    Args:
        checkpoint: The checkpoint.
        wrong: Names of weights, each with the stored shape and the shape by the config where they are known.
        labels: Whether the user gave the number of outputs.
        advice: Further advice, appended to the message.
    """
    name, stored, built = (*wrong[0], None, None)[:3]
    outputs = "a reward model saved without its number of outputs needs `model_kwargs` num_labels=1"
    if labels:
        outputs = "leave num_labels out, and combine several outputs into one score with `reduce`"
    shapes = f" ({name})"
    if built:
        shapes = f": {name} is {tuple(stored)} in the checkpoint and {tuple(built)} by the config"
    return ModelError(
        f"{checkpoint.source}: weights and config disagree in shape{shapes}"
        f"{', and others' if len(wrong) > 1 else ''}; {outputs}{advice}"
    )


def untrained(
    checkpoint: Checkpoint, missing: Sequence[str], language_model: bool, advice: str, generates: bool = False
) -> ModelError:
    """The error of weights that are missing from the checkpoint.

    Args:
        checkpoint: The checkpoint.
        missing: Names of the missing weights.
        language_model: Whether it is run as a language model.
        advice: Further advice, appended to the message.
        generates: Whether its config states a language model.
    """
    if generates and not language_model:
        return ModelError(
            f"{checkpoint.source} is a language model and has no trained weights for {', '.join(missing[:3])}, so its "
            "scores would be random: choose how to read it with `head` (the name of its head, or logit:YES-NO for the "
            f"logits of two tokens), `ref_model` or `kind` implicit (its implicit reward), or `kind` "
            f"comparator (letters){advice}"
        )
    wanted = "a sequence classifier (language models: `ref_model` or `kind` implicit; other heads: `head`)"
    if language_model:
        wanted = "a language model"
    return ModelError(
        f"{checkpoint.source} has no trained weights for {', '.join(missing[:3])}"
        f"{' and others' if len(missing) > 3 else ''}, so its scores would be random: "
        f"give a checkpoint that was saved as {wanted}{advice}"
    )
