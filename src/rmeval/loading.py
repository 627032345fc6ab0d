"""What other packages raise while they load a checkpoint or a tokenizer, or run a network."""

from __future__ import annotations

from pickle import PickleError

# The base of what its HTTP client raises.
from huggingface_hub import errors
from safetensors import SafetensorError

__all__ = ["LOADING_ERRORS"]

LOADING_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    errors.EntryNotFoundError,
    errors.HTTPError,  # type: ignore[attr-defined]  # The base of what its HTTP client raises.
    ImportError,
    LookupError,
    MemoryError,
    NameError,
    OSError,
    PickleError,
    RuntimeError,
    SafetensorError,
    errors.StrictDataclassError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What transformers and torch raise while they load a checkpoint or run its network: on damage, on input that it is not
meant for, and from code that comes with it. Every place that turns such an error into a sentence uses this list."""
