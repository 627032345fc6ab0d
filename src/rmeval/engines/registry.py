"""The registry of engines: built-in engines, engines of installed packages, and `file.py:Name`."""

from __future__ import annotations

from rmeval.engines.base import Engine, EngineOptions, InMemory
from rmeval.engines.outside import Outside
from rmeval.errors import ModelError, RmevalError
from rmeval.extras import need_extra
from rmeval.messages import chosen_from
from rmeval.plugins import is_file_spec, load_object, one_line, registered

__all__ = ["engine_names", "open_engine"]

_BUILTIN = {
    "hf": "rmeval.engines.hf.engine:open_checkpoint",
    "ray": "rmeval.engines.ray.engine:open_replicas",
    "vllm": "rmeval.engines.vllm.engine:open_checkpoint",
}
"""The function that opens each engine; the name is also the extra that installs its dependencies."""
_IN_MEMORY = {"hf": "rmeval.engines.hf.in_memory:open_model"}
"""The function that opens a network in memory, of the engines that can run one."""


def engine_names() -> dict[str, str]:
    """Names of engines, and the callable that opens each from a model's place and `EngineOptions`."""
    return registered("rmeval.engines", _BUILTIN)


def open_engine(spec: str | InMemory, options: EngineOptions, name: str = "hf") -> Engine:
    """Open a checkpoint with an engine; weights are loaded when something is read.

    Args:
        spec: The model's place: a folder, a hub id, or a network in memory.
        options: How to load and run it.
        name: The engine's name, or `file.py:Name`.

    Raises:
        ModelError: If there is no such engine, or no checkpoint that it can run.
        RmevalError: If a package that it needs is not installed.
    """
    names = engine_names()
    if isinstance(spec, InMemory):
        if name not in _IN_MEMORY:
            raise ModelError(f"the engine {name} runs checkpoints, and {spec} is in memory: leave `engine` out")
        names = _IN_MEMORY
    if name not in names and not is_file_spec(name):
        raise ModelError(f"there is no engine {name!r}: {chosen_from(name, names)}, or give file.py:Class")
    try:
        make = load_object(names.get(name, name))
    except ModuleNotFoundError as error:
        raise need_extra(error, f"the model {spec}", name) from error
    try:
        engine: Engine = make(spec, options)
    except RmevalError:
        raise
    except Exception as error:
        if name in _BUILTIN:
            raise
        # Third-party code may raise anything.
        raise ModelError(f"the engine {name} cannot be opened for {spec} ({one_line(error)}): correct it") from error
    return engine if name in _BUILTIN else Outside(engine)
