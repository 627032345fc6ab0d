"""Models given as Python objects: functions, objects with a method, and networks with their tokenizers."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rmeval.engines import InMemory
from rmeval.errors import ModelError
from rmeval.models import unknown_state
from rmeval.models.options import ModelOptions, refuse, refuse_all_but
from rmeval.models.plugin import METHODS, Plugin

__all__ = ["PythonObject", "check_head", "hold", "with_held_reference"]

_ACCEPTED = (
    "give a hub id, a folder, file.py:Class, baseline:longest, (model, tokenizer) of transformers, a function, or an "
    f"object with a method {', '.join(METHODS[:-1])} or {METHODS[-1]}"
)
_LOADING = (
    "revision",
    "tokenizer",
    "tokenizer_kwargs",
    "model_kwargs",
    "base_model",
    "trust_remote_code",
    "sequential",
    "layout",
)
"""Options of loading a checkpoint."""


class PythonObject(Plugin):
    """Calls a function, or a method of an object.

    The state on which its scores depend is unknown, so every run with it gets its own folder.
    """

    def __init__(self, given: Any, options: ModelOptions) -> None:
        self._given = given
        name = _name_of(given)
        super().__init__(name, name, options)
        if self._owner is not None:
            self._check_method()

    @property
    def takes_kwargs(self) -> bool:
        """Whether it accepts `model_kwargs`, as functions do."""
        return self._owner is None

    def _check_method(self) -> None:
        """Raise a ModelError if the method does not take one list, as that of a scikit-learn model."""
        method = getattr(self._given, self._method_name)
        try:
            signature = inspect.signature(method)
        except ValueError:
            return  # The method is not written in Python.
        try:
            signature.bind([], **({"tools": []} if "tools" in signature.parameters else {}))
        except TypeError as error:
            raise ModelError(
                f"the method {self._method_name} of {self.name} does not take one list ({error}): {_ACCEPTED}"
            ) from error

    def _find(self) -> Any:
        return self._given

    def _owner_of(self, found: Any) -> Any:
        return None if _is_function(found) else found

    def _made(self) -> Any:
        return self._given

    def identity(self) -> dict[str, Any]:
        """An identity that no other run has."""
        return super().identity() | {"model": f"{self.name} {unknown_state()}"}

    def facts(self) -> dict[str, Any]:
        """The type of the object."""
        return {"target": f"{type(self._given).__module__}.{type(self._given).__qualname__}"}


def hold(given: object, options: ModelOptions) -> InMemory | PythonObject:
    """Make a model, or a network in memory, from a Python object.

    Args:
        given: `(model, tokenizer)`, a function, or an object with a method `score`, `compare` or `answer`.
        options: How to run it.

    Raises:
        ModelError: If it is something else, or does not use one of the options.
    """
    if options.card not in ("auto", "none"):
        raise ModelError(
            f"`card` {options.card} is for checkpoints, and the model is an object in memory: leave `card` out, and "
            f"give the options that it sets (`rmeval card {options.card}` lists them)"
        )
    if isinstance(given, tuple):
        held = _pair(given)
        refuse(options, _LOADING, f"{held.name}, which is in memory,")
        return held
    _refuse(given)
    found = PythonObject(given, options)
    taken = {"batch_size", "against", *(("model_kwargs",) if found.takes_kwargs else ())}
    refuse_all_but(taken, options, found.name)
    return found


def _pair(given: tuple[Any, ...]) -> InMemory:
    kinds = tuple(_kind(one) for one in given)
    if kinds != ("model", "tokenizer"):
        what = f"({', '.join(type(one).__name__ for one in given)})"
        advice = "give (model, tokenizer), a PreTrainedModel and its tokenizer"
        if kinds == ("tokenizer", "model"):
            advice = "give them in the other order, (model, tokenizer)"
        elif len(kinds) == 2 and kinds[1] == "tokenizer":
            advice += "; of what a trainer wraps around a model give the model inside, such as model.module"
        elif kinds == ("model", "processor"):
            advice = "give (model, processor.tokenizer)"
        raise ModelError(f"the model is {what}: {advice}")
    model, tokenizer = given
    return InMemory(model, tokenizer, _network_name(model))


def with_held_reference(options: ModelOptions) -> ModelOptions:
    """The options, with `ref_model` as a string or a network in memory.

    Raises:
        ModelError: If it is something else.
    """
    given = options.ref_model
    if given is None or isinstance(given, str):
        return options
    if isinstance(given, Path):
        return replace(options, ref_model=str(given))
    if not isinstance(given, tuple):
        raise ModelError(f"`ref_model` is a {type(given).__name__}: give a hub id, a folder or (model, tokenizer)")
    refuse(options, ("ref_revision",), "a reference that is in memory")
    return replace(options, ref_model=_pair(given))


def check_head(held: InMemory, options: ModelOptions) -> None:
    """Check that a network that is scored by its own head has one.

    Raises:
        ModelError: If its class has no head that computes a score.
    """
    if (options.head or "").startswith("logit:"):
        return
    own = _network_class(held.model)
    if options.head is not None:
        raise ModelError(f"{held.name} is read by its class {own.__name__}: leave `head` out, or give logit:TOKEN")
    if own.__module__.startswith("transformers.") and "ForSequenceClassification" not in own.__name__:
        raise ModelError(
            f"{held.name} is a {own.__name__}, which has no head that computes a score: give a model of a class "
            "...ForSequenceClassification; or for a language model `ref_model` (an implicit reward), `kind` implicit "
            "or comparator, or `head` logit:TOKEN"
        )


def _refuse(given: object) -> None:
    """Check that an object can be a model.

    Raises:
        ModelError: If it cannot; the message states what to give instead.
    """
    what, kind = f"of the type {type(given).__name__}", _kind(given)
    if inspect.isclass(given):
        what, advice = f"the class {given.__name__}", f"give an object of it, such as {given.__name__}()"
    elif kind:
        what, advice = f"{what}, which is {_ADVICE[kind][0]}", _ADVICE[kind][1]
    elif isinstance(given, Iterable) and _has_method(given):
        what, advice = f"{what}, which is data", f"{_ACCEPTED}; data belong into `data`"
    elif _has_method(given) or _is_function(given):
        return
    else:
        what, advice = what if given is not None else "None", _ACCEPTED
    raise ModelError(f"the model is {what}: {advice}")


_ADVICE = {
    "model": ("a network without its tokenizer", "give (model, tokenizer)"),
    "tokenizer": ("a tokenizer", "give (model, tokenizer)"),
    "processor": ("a processor", "give (model, processor.tokenizer)"),
    "pipeline": ("a pipeline", "give (pipeline.model, pipeline.tokenizer)"),
    "module": ("not a network of transformers", "give an object with a method score(conversations)"),
}


def _kind(given: object) -> str:
    """The kind of an object of transformers or torch, found without importing them; empty for any other."""
    if _is_model(given):
        return "model"
    for kind, (package, name) in _KINDS.items():
        if _is(given, package, name):
            return kind
    return "module" if _is(given, "torch", "Module") and not _has_method(given) else ""


_KINDS = {
    "tokenizer": ("transformers", "PreTrainedTokenizerBase"),
    "processor": ("transformers", "ProcessorMixin"),
    "pipeline": ("transformers", "Pipeline"),
}


def _is_model(given: object) -> bool:
    return _is(given, "transformers", "PreTrainedModel") or _is(given, "peft", "PeftModel")


def _is(given: object, package: str, name: str) -> bool:
    """Whether an object is an instance of a class, by the names of its classes and their packages."""
    return any(base.__name__ == name and base.__module__.partition(".")[0] == package for base in type(given).__mro__)


def _has_method(given: object) -> bool:
    return any(callable(getattr(given, name, None)) for name in METHODS)


def _is_function(given: object) -> bool:
    """Whether it is a function, or an object whose `__call__` has named parameters."""
    if not callable(given) or _has_method(given):
        return False
    if inspect.isroutine(given):
        return True
    try:
        parameters = inspect.signature(given).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters)


def _name_of(given: Any) -> str:
    """The name of a function, or of an object's class."""
    while isinstance(given, functools.partial):
        given = given.func
    return str(given.__name__ if inspect.isroutine(given) else type(given).__name__)


def _network_name(model: Any) -> str:
    """The name that a checkpoint at the place it was loaded from would have, or the name of its class."""
    place = str(model.config._name_or_path or "")
    if not place:
        return _network_class(model).__name__
    path = Path(place)
    return path.resolve().name if path.is_dir() or path.is_absolute() else place.replace("/", "__")


def _network_class(model: Any) -> type:
    """The class of a network; for a PEFT model, that of its base."""
    return type(model.get_base_model() if _is(model, "peft", "PeftModel") else model)
