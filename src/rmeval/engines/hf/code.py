"""Code that comes with a checkpoint: finds the network's class, and adapts it to transformers 5."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from transformers.dynamic_module_utils import get_class_from_dynamic_module

from rmeval.errors import ModelError
from rmeval.loading import LOADING_ERRORS
from rmeval.messages import shortened

__all__ = [
    "HEADS",
    "any_error",
    "check_names",
    "check_numbers",
    "complete_class",
    "is_own_class",
    "own_class",
    "passed_over",
    "restore_unsaved",
]

HEADS = ("AutoModelForSequenceClassification", "AutoModel", "AutoModelForTokenClassification")
"""Entries of a config's `auto_map` under which reward models are published."""
_WORDS = ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM")
_OTHER_USES = ("LM", "LMHeadModel", "ForQuestionAnswering", "ForMultipleChoice", "ForConditionalGeneration")
_SAYS_WORDS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


def own_class(config: Any, language_model: bool) -> tuple[str, str] | None:
    """The checkpoint's own class for the way in which it is run, if there is one.

    Args:
        config: The checkpoint's config.
        language_model: Whether it is run as a language model.

    Returns:
        The auto class under which the class is listed, and the reference `module.Class` or `owner/name--module.Class`.
    """
    named: Mapping[str, Any] = getattr(config, "auto_map", None) or {}
    entries = {name: str(reference) for name, reference in named.items() if isinstance(reference, str)}
    if language_model:
        return next(((name, entries[name]) for name in _WORDS if name in entries), None)
    stated = tuple(config.architectures or ())
    for name, reference in entries.items():
        own = reference.rpartition(".")[2]
        if name.startswith("AutoModel") and own in stated and not own.endswith(_SAYS_WORDS):
            return name, reference
    if any(name.endswith("ForSequenceClassification") for name in stated):
        return _first(entries, HEADS[:1])
    return _first(entries, HEADS)


def _first(entries: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, str] | None:
    return next(((name, entries[name]) for name in names if name in entries), None)


def passed_over(config: Any, language_model: bool, head: str | None) -> tuple[str, str] | None:
    """The class that a config names although a class of transformers is loaded, if any, and what to do about it.

    Args:
        config: The checkpoint's config.
        language_model: Whether it is run as a language model.
        head: Name of the head that is attached to its body, if any.
    """
    own = own_class(config, language_model)
    if own is not None:
        return own[1], "read that code, and if you trust it, give `trust_remote_code`"
    if language_model:
        return None
    named: Mapping[str, Any] = getattr(config, "auto_map", None) or {}
    for name, reference in named.items():
        # Configs of classifiers keep the entries of the language models from which they were trained.
        if name.startswith("AutoModel") and not name.endswith(_OTHER_USES) and isinstance(reference, str):
            return reference, "if that class computes the score, its name belongs in the config's architectures"
    stated = tuple(config.architectures or ())
    published = head not in (None, "score") or hasattr(config, "value_head_prefix")
    if stated and not published and not set(stated) & set(dir(transformers)):
        return stated[0], "no code for it comes with the checkpoint, so compare some scores with its authors'"
    return None


def check_names(config: Any, source: str) -> None:
    """Check that a config lists its classes in the format of transformers.

    Raises:
        ModelError: If it does not.
    """
    names, own = config.architectures, getattr(config, "auto_map", None)
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise ModelError(
            f"the config of {source} has architectures={names!r}, which must be a list of names: correct it"
        )
    if own is not None and not isinstance(own, dict):
        raise ModelError(
            f"the config of {source} has auto_map={own!r}, which must map auto classes to classes: correct it"
        )


def check_numbers(stated: Mapping[str, Any], source: str) -> None:
    """Check that numbers are plausible: transformers would create a name for each of 10^30 labels, for example.

    Args:
        stated: The values of the config, or the user's values that replace them.
        source: Where the values come from, for the message.

    Raises:
        ModelError: If a number is too large.
    """
    for name, value in stated.items():
        most = _MOST_LABELS if name in ("num_labels", "_num_labels") else _MOST
        if isinstance(value, int) and abs(value) > most:
            raise ModelError(f"{source} has {name}={shortened(value, 40)}, more than {most}: correct it")
        if isinstance(value, Mapping):
            check_numbers(value, source)


_MOST, _MOST_LABELS = 2**53, 1_000_000


@contextmanager
def any_error() -> Iterator[None]:
    """Convert any error that a checkpoint's own code raises into one of `LOADING_ERRORS`."""
    try:
        yield
    except LOADING_ERRORS:
        raise
    except (Exception, SystemExit) as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from error


def is_own_class(model: Any) -> bool:
    """Whether a network's class is not part of transformers."""
    return not type(model).__module__.startswith("transformers.")


def complete_class(reference: str, source: str, revision: str | None, code_revision: str | None = None) -> None:
    """Load a class that comes with a checkpoint, and patch its construction to work with transformers 5.

    Classes written for transformers 4 may never call `post_init`. Since transformers 5 that call sets an attribute that
    loading weights needs (`all_tied_weights_keys`), so such classes cannot be loaded without it. They may also list the
    names of tied weights, where transformers 5 needs a mapping.

    Args:
        reference: `module.Class`, or `owner/name--module.Class`.
        source: Path or hub id of the checkpoint.
        revision: Its commit on the hub.
        code_revision: The commit of the code's repository, if the code is in another repository.
    """
    own: Any = get_class_from_dynamic_module(reference, source, revision=revision, code_revision=code_revision)
    construct = own.__init__
    if getattr(construct, "ends_in_post_init", False):
        return

    @functools.wraps(construct)
    def whole(self: Any, *given: Any, **named: Any) -> None:
        construct(self, *given, **named)
        if "all_tied_weights_keys" not in vars(self):
            self.post_init()

    ends = own.post_init

    def end(self: Any) -> None:
        if isinstance(self._tied_weights_keys, list | tuple):
            self._tied_weights_keys = _tied(self)
        ends(self)

    whole.ends_in_post_init = True  # type: ignore[attr-defined]
    own.__init__, own.post_init = whole, end


def restore_unsaved(model: Any) -> None:
    """Restore tensors that a checkpoint does not hold and that its own class computes in `__init__`.

    transformers 5 constructs networks without allocating memory, and then fills in the checkpoint's tensors. Other
    tensors that a class computes in `__init__` are undefined: buffers that are not saved, such as a mean by which
    scores are shifted, and plain attributes. They are copied from a second instance, constructed without weights.

    Args:
        model: A network whose class comes with its checkpoint.
    """
    lacking = {name: module for name, module in model.named_modules() if _is_own(module) and _unsaved(module)}
    if not lacking:
        return
    from accelerate import init_empty_weights  # type: ignore[import-untyped]

    before = torch.get_default_dtype()
    torch.set_default_dtype(model.dtype)
    try:
        with init_empty_weights(include_buffers=False):
            again = dict(type(model)(copy.deepcopy(model.config)).named_modules())
    finally:
        torch.set_default_dtype(before)
    for name, module in lacking.items():
        for own in _unsaved(module):
            setattr(module, own, getattr(again[name], own).to(model.device))


def _is_own(module: Any) -> bool:
    return not type(module).__module__.startswith(("torch.", "transformers."))


def _unsaved(module: Any) -> list[str]:
    """Names of a module's tensors that are never saved in a checkpoint."""
    plain = [name for name, value in vars(module).items() if isinstance(value, torch.Tensor)]
    return sorted(module._non_persistent_buffers_set) + plain


def _tied(model: Any) -> dict[str, str]:
    """A mapping of weights tied to the embeddings, as transformers 5 needs it; transformers 4 used a list of names."""
    own = [name for name in model._tied_weights_keys if name in dict(model.named_parameters(remove_duplicate=False))]
    if not own:
        return {}
    table = model.get_input_embeddings().weight
    return dict.fromkeys(own, next(name for name, weight in model.named_parameters() if weight is table))
