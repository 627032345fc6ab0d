"""Options that several commands share, and the objects built from their values."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmeval.cli.model_options import MODEL_OPTIONS
from rmeval.cli.values import json_values, key_values, places, value_of
from rmeval.errors import RmevalError

if TYPE_CHECKING:
    from rmeval.benchmarks import Benchmark, FoundBenchmark
    from rmeval.runs.select import Selection

DATA = "Data"
WHICH = "Which items"
OUT = "Output"


def _option(panel: str) -> Callable[..., Any]:
    def option(text: str, *names: str, minimum: int | None = None) -> Any:
        return typer.Option(*names, help=text, min=minimum, rich_help_panel=panel)

    return option


class Format(StrEnum):
    """How tables are written."""

    table = "table"
    md = "md"
    latex = "latex"
    csv = "csv"
    json = "json"


_data, _which = _option(DATA), _option(WHICH)


_MODEL_ARGUMENT = typer.Argument(
    help="Hub id, folder, http://HOST:PORT, any-llm:PROVIDER/MODEL, file.py:Class, rmeval/tiny, or "
    "baseline:random, longest, shortest, markdown.",
    show_default=False,
)
Model = Annotated[str, _MODEL_ARGUMENT]
OptionalModel = Annotated[str | None, _MODEL_ARGUMENT]
Benchmarks = Annotated[
    list[str],
    typer.Option(
        "-b",
        "--benchmark",
        help="Benchmark, core, skywork7, all, a suite.yaml, or a folder of rmeval build. Repeatable.",
    ),
]
Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        help="File, folder or hub id of the data. Default: the pinned source. BENCHMARK=PLACE for one of several.",
        rich_help_panel=DATA,
    ),
]
Out = Annotated[str, typer.Option("-o", "--out", help="Folder of runs.", rich_help_panel=OUT)]
StoreText = Annotated[
    bool, typer.Option("--store-text", help="Store prompts and responses in the run folder.", rich_help_panel=OUT)
]
Conversations = Annotated[
    Path,
    typer.Argument(
        help="JSONL with messages, or prompt and response or responses (also JSON, CSV, parquet); - is standard input."
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.", rich_help_panel=OUT)]
Roles = Annotated[str | None, _data("The file's role names, such as human=user,gpt=assistant.", "--roles")]
IgnoreKeys = Annotated[
    str | None, _data("Keys of messages, and columns, to exclude, such as name,history.", "--ignore-keys")
]
Variant = Annotated[str | None, typer.Option(help="Which score to use if a model returns several.")]
PolicyName = Annotated[
    str | None,
    typer.Option(
        "--rule",
        "--policy",
        help="Score rule for ties and failures, such as half-ties@1. Does not run the model again.",
    ),
]
OwnBenchmark = Annotated[
    str | None,
    typer.Option(
        "--benchmark",
        help="file.py:Class of the benchmark of these runs; rmeval runs such code only if this option names it.",
    ),
]
OwnProtocol = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        help="file.py:Class of the protocol of these runs; rmeval runs such code only if this option names it.",
    ),
]
ReportFormat = Annotated[
    Format | None,
    typer.Option(
        "--format", help="Format of the tables. Default: by the ending of -o, else table.", rich_help_panel=OUT
    ),
]
ReportFile = Annotated[
    Path | None, typer.Option("-o", "--out", help="File; standard output if not given.", rich_help_panel=OUT)
]
Plots = Annotated[Path | None, typer.Option(help="Folder to write figures to.")]
Dark = Annotated[bool, typer.Option("--dark", help="Use colours for a dark background.")]
BreakLock = Annotated[
    bool, typer.Option("--break-lock", help="Take over the lock of a process that has ended.", rich_help_panel=OUT)
]
# Options of every command that loads a benchmark; `rmeval.cli.own_options` adds those that benchmarks define.
_ITEM_OPTIONS: dict[str, tuple[Any, Any]] = {
    "set": (
        Annotated[
            list[str] | None,
            _data("NAME=VALUE for an option of a custom benchmark, such as level=3. Repeatable.", "--set"),
        ],
        None,
    ),
    "subset": (Annotated[list[str] | None, _which("Subset or section. Repeatable.")], None),
    "cells": (Annotated[list[str] | None, _which("Kind of comparison, such as diagonal. Repeatable.")], None),
    "n_items": (Annotated[int | None, _which("Number of items to draw at random.", minimum=1)], None),
    "seed": (Annotated[int, _which("Seed of the draw, and of generated benchmarks.", minimum=0)], 0),
    "limit": (Annotated[int | None, _which("Number of items to take from the start.", minimum=1)], None),
    "items": (
        Annotated[str | None, _which("File with a column id: the items to take, as from rmeval estimate --choose.")],
        None,
    ),
}


def takes_model_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the model options; they reach it together, as `options: dict[str, Any]`."""
    return takes(function, "options", MODEL_OPTIONS, _model_options, stated=True)


def takes_some_model_options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command some of the model options, likewise."""
    table = {name: MODEL_OPTIONS[name] for name in names}
    return lambda function: takes(function, "options", table, _model_options, stated=True)


def takes_item_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options that select items; they reach it together, as `wanted: Wanted`."""
    return takes(function, "wanted", _ITEM_OPTIONS, Wanted)


def _model_options(given: dict[str, Any]) -> dict[str, Any]:
    kwargs = {name: json_values(given[name], name) for name in _KWARGS if name in given}
    roles = {name: tuple(given[name] or ()) for name in ("allow_dropped_roles",) if name in given}
    return given | kwargs | roles


_KWARGS = ("judge_kwargs", "model_kwargs", "template_kwargs", "tokenizer_kwargs")
"""Options that are given as KEY=VALUE, with values in JSON."""


def takes(
    function: Callable[..., None],
    name: str,
    table: dict[str, tuple[Any, Any]],
    build: Callable[[dict[str, Any]], Any],
    stated: bool = False,
) -> Callable[..., None]:
    """Puts the options of a table in place of the parameter `name`, whose value is built from theirs.

    If `stated`, it is built only from those of the command line: a card must not replace a default that is written out.
    """

    @functools.wraps(function)
    def command(**given: Any) -> None:
        values = {option: given.pop(option, default) for option, (_, default) in table.items()}
        if stated and (context := given.pop("context", None)) is not None:
            values = {one: values[one] for one in values if context.get_parameter_source(one).name != "DEFAULT"}
        function(**{name: build(values)}, **given)

    own = [p for p in inspect.signature(function, eval_str=True).parameters.values() if p.name != name]
    if stated:
        own.append(inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context))
    added = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for option, (annotation, default) in table.items()
    ]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + added
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


class Wanted:
    """Benchmarks and which of their items, as the command line says; `values` has the options."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.values = given

    @property
    def given(self) -> list[str]:
        """The options that are given, as on the command line."""
        names = [name for name, (_, default) in _ITEM_OPTIONS.items() if self.values[name] not in (default, [])]
        return [f"--{name.replace('_', '-')}" for name in names]

    def load(self, names: Sequence[str], data: Sequence[str] | None) -> list[Benchmark]:
        """The benchmarks of some names and suites, without their items.

        Args:
            names: Names of benchmarks and suites, `file.py:Class`, and YAML files of suites.
            data: Where the data are, see `places`; it goes before what a suite says.

        Raises:
            RmevalError: If an option is given that none of them takes.
        """
        from rmeval.benchmarks import find_benchmark
        from rmeval.benchmarks.suites import expand

        entries = {entry.name: entry for entry in expand(names)}
        found = [find_benchmark(name) for name in entries]
        told = places(data, {one.name: one.reads_data for one in found})
        given = self._own_options()
        if unknown := [option for option in given if not any(option in one.takes for one in found)]:
            raise RmevalError(_nobody_takes(unknown[0], found))
        return [
            one.load(
                entry.data if told[one.name] is None else told[one.name],
                **{"seed": self.values["seed"]}
                | {name: value_of(one.takes[name], given[name]) for name in given if name in one.takes}
                | dict(entry.options),
            )
            for one, entry in zip(found, entries.values(), strict=True)
        ]

    def _own_options(self) -> dict[str, Any]:
        """The options that benchmarks define, by name, as text."""
        found: dict[str, Any] = {}
        for name, text in key_values(self.values["set"] or (), "--set").items():
            if (plain := name.replace("-", "_")) in found:
                raise RmevalError(f"--set repeats {plain}: give each option once")
            found[plain] = text
        return found

    def one(self, name: str, data: str | Sequence[str] | None) -> Benchmark:
        """The only benchmark of a name.

        Raises:
            RmevalError: If it is a suite of several.
        """
        found = self.load([name], [data] if isinstance(data, str) else data)
        if len(found) > 1:
            raise RmevalError(f"{name} is a suite of {len(found)} benchmarks: name one of them")
        return found[0]

    def selection(self, n_items: int | None = None) -> Selection:
        """Which of a benchmark's items; `n_items` of them if the command line does not say how many."""
        from rmeval.data.item_list import read_item_list
        from rmeval.runs.select import Selection

        given = self.values
        listed = None if given["items"] is None else read_item_list(given["items"])
        number = n_items if (given["n_items"], given["limit"], listed) == (None, None, None) else given["n_items"]
        subsets, cells = (tuple(given[name] or ()) for name in ("subset", "cells"))
        return Selection(subsets, number, given["seed"], given["limit"], listed, cells)


def _nobody_takes(option: str, found: Sequence[FoundBenchmark]) -> str:
    """The sentence for an option that none of the benchmarks takes."""
    from rmeval.benchmarks import BUILTIN, find_benchmark

    owners = [name for name in BUILTIN if option in find_benchmark(name).takes]
    if owners:
        flag = f"--{option.replace('_', '-')}"
        only = f"only {' and '.join(owners)} {'takes' if len(owners) == 1 else 'take'} {flag}"
        return f"{only}: leave it out, or choose {' or '.join(owners)}"
    there = [f"{name} ({one.help})" if one else name for own in found for name, one in own.takes.items()]
    names = " and ".join(one.name for one in found)
    return f"{names} takes no option {option}: " + (f"choose from {', '.join(there)}" if there else "leave it out")
