"""`rmeval demo`."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo

__all__ = ["demo_command"]

MODEL = "rmeval/tiny"


def demo_command(
    out: o.Out = "runs",
    size: Annotated[int | None, typer.Option(help="Number of items. Default: 2000.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for the items.")] = 0,
) -> None:
    """Evaluate a small reward model that is included in the package on a generated benchmark.

    The model prefers correct responses, and also long ones with markdown. The matrix shows both effects.
    """
    from rmeval.benchmarks import GENERATED
    from rmeval.cli.run import run_command

    own = "".join(f" {name} {shlex.quote(str(value))}" for name, value in _given(out, size, seed).items())
    echo(f"$ rmeval run {MODEL} -b {GENERATED}{own}", "")
    options = [] if size is None else [f"size={size}"]
    run_command(model=MODEL, benchmark=[GENERATED], out=out, seed=seed, set=options)
    echo(
        "",
        "Easy: the better response has the fancier style. Normal: both have the same. Hard: the worse one has it.",
        "A model that scores only substance has three equal numbers; one that scores only style: Easy 100, Hard 0.",
        f"Next: {_program()} run YOUR/MODEL -b {GENERATED}",
    )


def _program() -> str:
    """How the program is called here: by its name, if that finds it."""
    found = shutil.which("rmeval")
    return "rmeval" if found and Path(found).resolve() == Path(sys.argv[0]).resolve() else sys.argv[0]


def _given(out: str, size: int | None, seed: int) -> dict[str, Any]:
    given = {"--size": size, "--seed": seed or None, "-o": None if out == "runs" else out}
    return {name: value for name, value in given.items() if value is not None}
