"""What a checkpoint's config and files state about it, for the engines that run checkpoints of transformers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rmeval.engines.base import Description, Place, TokenSequence
from rmeval.engines.hf.network import Network
from rmeval.errors import ModelError

__all__ = ["check_vocabulary", "described"]


def described(network: Network) -> Description:
    """The properties of a network's checkpoint."""
    checkpoint = network.checkpoint
    return Description(
        checkpoint.name,
        Place(checkpoint.source, checkpoint.revision),
        checkpoint.fingerprint,
        checkpoint.sources,
        network.limit,
        network.vocabulary,
        network.generates,
        network.config.is_encoder_decoder,
        network.score_token,
    )


def check_vocabulary(network: Network, sequences: Sequence[TokenSequence]) -> None:
    """Check that a network has an embedding for every token.

    Raises:
        ModelError: If it has not.
    """
    if (known := network.vocabulary) is None:
        return
    largest = max((int(np.max(sequence)) for sequence in sequences), default=0)
    if largest >= known:
        over = network.checkpoint.adapter is not None
        base = ", or the adapter's base model with `base_model`" if over else ""
        raise ModelError(
            f"the tokenizer yields token {largest}, but {network.checkpoint.source} has {known} tokens: "
            f"it belongs to another model; give the right tokenizer with `tokenizer`{base}"
        )
