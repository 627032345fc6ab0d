"""Exceptions that other packages raise while they load a checkpoint or a tokenizer, or run a network."""

from __future__ import annotations

from pickle import PickleError

# The base class of its HTTP client's errors.
from huggingface_hub import errors
from safetensors import SafetensorError

__all__ = ["LOADING_ERRORS"]

LOADING_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    errors.EntryNotFoundError,
    errors.HTTPError,  # type: ignore[attr-defined]  # The base class of its HTTP client's errors.
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
"""Exceptions of transformers and torch for damaged checkpoints, unsupported input, and custom code of a checkpoint. All
code that turns such an exception into a one-sentence error uses this list."""
