"""The engine on Hugging Face transformers: batching, prefix trees, and the network itself."""

from __future__ import annotations

__all__ = ["ENCODERS"]

ENCODERS = frozenset(
    {
        "albert",
        "bert",
        "deberta",
        "deberta-v2",
        "distilbert",
        "electra",
        "modernbert",
        "mpnet",
        "roberta",
        "xlm-roberta",
    }
)
"""Model types that pool their own hidden states without looking for padding tokens."""
