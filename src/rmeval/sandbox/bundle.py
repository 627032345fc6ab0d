"""Compiles the modules that run in a sandbox into one file, which Python loads without searching or compiling."""

from __future__ import annotations

import importlib.util
import marshal
from functools import cache
from pathlib import Path
from types import CodeType

__all__ = ["bundle"]

_SCRIPT = """
import marshal, sys
for name, code in {codes!r}.items():
    module = sys.modules[name] = type(sys)(name)
    exec(marshal.loads(code), module.__dict__)
module.main()
"""
_INSIDE = "rmeval.sandbox.inside"


@cache
def bundle(main: str) -> bytes:
    """Return the bytes of a `.pyc` file that runs the function `main` of a module.

    Args:
        main: Name of the module in `rmeval.sandbox.inside`.
    """
    codes = {f"{_INSIDE}.{name}": marshal.dumps(_compiled(name)) for name in ("values", main)}
    script = compile(_SCRIPT.format(codes=codes), main, "exec")
    # Twelve bytes of flags, time and size, which Python does not check in a file that it runs.
    return importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(script)


def _compiled(name: str) -> CodeType:
    path = Path(__file__).with_name("inside") / f"{name}.py"
    found: CodeType = compile(path.read_bytes(), name, "exec", dont_inherit=True, optimize=2)
    return found
