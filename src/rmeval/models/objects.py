"""Models that the calling program holds: objects, functions, and networks of transformers with their tokenizers."""

from __future__ import annotations

import functools
import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

from rmeval.engines import InMemory
from rmeval.errors import ModelError
from rmeval.models import ModelOptions, refuse, unknown_state
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
)
"""Options that say how a checkpoint is loaded."""


class PythonObject(Plugin):
    """Calls a function, or a method of an object, that the calling program holds.

    Nothing shows what its scores depend on, so that each run with it is a run of its own.
    """

    def __init__(self, given: Any, options: ModelOptions) -> None:
        self._given = given
        name = _name_of(given)
        super().__init__(name, name, options)
        if self._owner is not None:
            self._check_method()

    @property
    def takes_kwargs(self) -> bool:
        """Whether it is called with `model_kwargs`: a function is, an object is made already."""
        return self._owner is None

    def _check_method(self) -> None:
        """Raises a ModelError for a method of this name that takes something else."""
        method = getattr(self._given, self._method_name)
        try:
            signature = inspect.signature(method)
        except ValueError:
            return  # Of a function that is not written in Python.
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
        """One that no other run has."""
        return super().identity() | {"model": f"{self.name} {unknown_state()}"}

    def facts(self) -> dict[str, Any]:
        """What it is."""
        return {"target": f"{type(self._given).__module__}.{type(self._given).__qualname__}"}


def hold(given: object, options: ModelOptions) -> InMemory | PythonObject:
    """What runs an object of the calling program.

    Args:
        given: `(model, tokenizer)`, a function, or an object with one of the methods of `Plugin`.
        options: How to run it.

    Raises:
        ModelError: If it is something else, or an option is not for it.
    """
    if isinstance(given, tuple):
        held = _pair(given)
        refuse(options, _LOADING, f"{held.name}, which is in memory,")
        return held
    _refuse(given)
    found = PythonObject(given, options)
    taken = {"batch_size", "against", *(("model_kwargs",) if found.takes_kwargs else ())}
    refuse(options, [one for one in ModelOptions.__dataclass_fields__ if one not in taken], found.name)
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
    """The options, with a reference that is `(model, tokenizer)` or a `Path` in the form that models take.

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
    """Refuses a network whose class makes no score, where its score is wanted.

    Raises:
        ModelError: If it is one.
    """
    if (options.head or "").startswith("logit:"):
        return
    own = _network_class(held.model)
    if options.head is not None:
        raise ModelError(f"{held.name} is read by its class {own.__name__}: leave `head` out, or give logit:TOKEN")
    if own.__module__.startswith("transformers.") and "ForSequenceClassification" not in own.__name__:
        raise ModelError(
            f"{held.name} is a {own.__name__}, which has no head that makes a score: give a "
            "...ForSequenceClassification, or of a language model `ref_model` (an implicit reward), `kind` implicit or "
            "comparator, or `head` logit:TOKEN"
        )


def _refuse(given: object) -> None:
    """Refuses what is no model, with what to do about it.

    Raises:
        ModelError: If it is none.
    """
    what, kind = f"of the type {type(given).__name__}", _kind(given)
    if inspect.isclass(given):
        what, advice = f"the class {given.__name__}", f"give an object of it, such as {given.__name__}()"
    elif kind:
        what, advice = f"{what}, which is {_ADVICE[kind][0]}", _ADVICE[kind][1]
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
    "module": ("a network that is not of transformers", "give an object with a method score(conversations)"),
}


def _kind(given: object) -> str:
    """What something of transformers or torch is, without importing either."""
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
    """Whether an object is of a class of a package, by the names of its class and that one's bases."""
    return any(base.__name__ == name and base.__module__.partition(".")[0] == package for base in type(given).__mro__)


def _has_method(given: object) -> bool:
    return any(callable(getattr(given, name, None)) for name in METHODS)


def _is_function(given: object) -> bool:
    """Whether it is a function, or an object that is called with parameters that have names."""
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
    """What a network was loaded from, as a checkpoint there would be called, or the name of its class."""
    place = str(model.config._name_or_path or "")
    if not place:
        return _network_class(model).__name__
    path = Path(place)
    return path.resolve().name if path.is_dir() or path.is_absolute() else place.replace("/", "__")


def _network_class(model: Any) -> type:
    """The network's class, of a PEFT model that of the network that its layers are in."""
    return type(model.get_base_model() if _is(model, "peft", "PeftModel") else model)
