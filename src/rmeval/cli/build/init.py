"""`rmeval build init`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.build.extra import need_build
from rmeval.cli.output import echo
from rmeval.cli.printed import check_files

__all__ = ["init_command"]


def init_command(
    domains: Annotated[
        list[str] | None,
        typer.Argument(
            help="Domains: chat, code, math, safety-response or safety-refuse. Default: all but safety-refuse, which "
            "is written as a comment."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write.")] = Path("my-bench.yaml"),
    prompts: Annotated[
        Path | None, typer.Option(help="Folder to copy the packaged prompts to, so that you can edit them.")
    ] = None,
    overwrite: o.Overwrite = False,
    demo: Annotated[bool, typer.Option("--demo", help="Also write a few problems of each domain, to try it.")] = False,
) -> None:
    """Write a commented config, in which each option has its default.

    rmeval build init math code -o my-bench.yaml

    rmeval build init chat --prompts my-prompts
    """
    need_build()
    from rmeval.build.config_text import OFF, config_text
    from rmeval.build.prompt_files import packaged_prompts
    from rmeval.build.registry import RECIPES

    recipes = list(dict.fromkeys(domains or [one for one in RECIPES if one != OFF]))
    files = {one: out.with_name(f"{one}.jsonl") for one in recipes}
    folder = None if prompts is None else os.path.relpath(prompts, out.parent)
    text = config_text(_name(out), str(out), recipes, {one: file.name for one, file in files.items()}, folder)
    written = {out: text}
    if demo:
        written |= {file: _demo(one) for one, file in files.items()}
    if prompts is not None:
        written |= {prompts / f"{name}.jinja": one.text for name, one in packaged_prompts().items()}
    check_files(*written, overwrite=overwrite)
    for path, contents in written.items():
        _write(path, contents)
    shown = [path for path in written if prompts is None or prompts not in path.parents]
    echo(*(f"written: {path}" for path in shown))
    if prompts is not None:
        echo(f"written: {len(written) - len(shown)} prompts in {prompts}")
    missing = [str(file) for file in files.values() if not file.exists()]
    if missing:
        echo(f"the problems are still missing: write {', '.join(missing)}, or correct `file` in {out}")


def _name(out: Path) -> str:
    """The name of a benchmark from the name of its config."""
    return re.sub(r"[^a-z0-9._-]+", "-", out.stem.lower()).strip("-._")[:80] or "my-bench"


def _demo(recipe: str) -> str:
    from importlib.resources import files

    return (files("rmeval.build") / "demo" / f"{recipe}.jsonl").read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    from rmeval.errors import explain_os_error
    from rmeval.files import replacing_text

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing_text(path) as file:
            file.write(text)
    except OSError as error:
        raise explain_os_error(error, str(path)) from error
