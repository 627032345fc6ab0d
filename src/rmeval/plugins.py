"""Look-up of objects by name: built-in tables, entry points of other packages, and `file.py:Name`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeGuard

from rmeval.errors import RmevalError
from rmeval.messages import shortened

__all__ = ["fault_in_file", "is_file_spec", "load_object", "one_line", "package_of", "registered"]

_FILE = "rmeval_file_"
"""How the names of modules begin that are made of a `file.py`."""
_LONGEST = 1_000
"""Maximum number of characters of an exception's message; a run stores one message for each failure."""


def is_file_spec(spec: object) -> TypeGuard[str]:
    """Return whether `spec` has the form `path/to/file.py:Name`."""
    if not isinstance(spec, str):
        return False
    path, colon, name = spec.rpartition(":")
    return bool(colon) and path.endswith(".py") and name.isidentifier()


def one_line(error: BaseException) -> str:
    """Format the type and the message of an exception of other code on one line of bounded length."""
    return shortened(f"{type(error).__name__}: {' '.join(str(error).split())}", _LONGEST)


def fault_in_file(error: BaseException) -> str | None:
    """The last line of a `file.py:Name` in an exception's traceback, with the exception; None if there is none."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if str(frame.f_globals.get("__name__")).startswith(_FILE):
            return f"{frame.f_code.co_filename} line {line} failed ({one_line(error)}): correct the file"
    return None


def registered(group: str, builtin: Mapping[str, str]) -> dict[str, str]:
    """Return the names of an entry-point group and the object that each refers to.

    Args:
        group: Entry-point group that other packages add to, such as `rmeval.benchmarks`.
        builtin: rmeval's own names, which other packages cannot replace.

    Returns:
        A mapping from name to `module:Object`.
    """
    return {entry.name: entry.value for entry in entry_points(group=group)} | dict(builtin)


def package_of(target: str) -> str:
    """Return the installed packages that contain a module, as `name==version`; the module if no package contains it."""
    from importlib.metadata import packages_distributions, version

    package = target.partition(":")[0].partition(".")[0]
    return " ".join(f"{name}=={version(name)}" for name in packages_distributions().get(package, ())) or package


def load_object(spec: str) -> Any:
    """Import the object of `module:Object` or `path/to/file.py:Object`.

    Raises:
        RmevalError: If the file or the name does not exist, or the import of the file or package fails.
    """
    where, _, name = spec.rpartition(":")
    if not where.endswith(".py"):
        return _of_package(where, name)
    path = Path(where)
    if not path.is_file():
        raise RmevalError(f"there is no file {where}: check the path before the colon in {spec}")
    module_spec = importlib.util.spec_from_file_location(f"{_FILE}{path.stem}", path)
    if module_spec is None or module_spec.loader is None:
        raise RmevalError(f"{where} cannot be imported as Python: check its name")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module
    try:
        module_spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise RmevalError(f"{where} cannot be imported ({one_line(error)}): correct the file") from error
    try:
        return getattr(module, name)
    except AttributeError:
        raise RmevalError(f"{where} defines no {name}: check the name after the colon in {spec}") from None


def _of_package(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except RmevalError:
        raise
    except (Exception, SystemExit) as error:
        if module.partition(".")[0] == "rmeval":
            raise
        raise RmevalError(
            f"{module}:{name}, which an installed package adds to rmeval, cannot be imported ({one_line(error)}): "
            "update that package or remove it"
        ) from error
