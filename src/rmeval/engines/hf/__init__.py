"""The engine on Hugging Face transformers: rendering, batching, and the network itself."""

from __future__ import annotations

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

__all__ = ["ENCODERS", "LOADING_ERRORS"]

LOADING_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
    TypeError,
    ValueError,
)
"""What transformers raises on a checkpoint that is damaged or not what it claims, as the damage will have it."""
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
"""Types that pool by themselves, and do not look for padding tokens to do it."""
