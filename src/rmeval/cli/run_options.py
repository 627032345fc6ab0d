"""Options of commands that read runs: which number, how runs are read, and where the output goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo_json
from rmeval.cli.views import check_output, write_views

if TYPE_CHECKING:
    from rmeval.report.views import View

__all__ = ["RunOutput", "takes_number_options", "takes_output_options", "takes_reading_options"]

_READING: dict[str, tuple[Any, Any]] = {
    "variant": (o.Variant, None),
    "rule": (o.PolicyName, None),
    "benchmark": (o.OwnBenchmark, None),
    "protocol": (o.OwnProtocol, None),
}
_NUMBER: dict[str, tuple[Any, Any]] = {
    "metric": (
        Annotated[str | None, typer.Option(help="The number, such as hard. Default: the benchmark's headline metric.")],
        None,
    ),
    "scope": (Annotated[str, typer.Option(help="Part of the benchmark that it is measured on, such as chat.")], "all"),
    **_READING,
}
_OUTPUT: dict[str, tuple[Any, Any]] = {
    "as_json": (Annotated[bool, typer.Option("--json", help="Print all fields as JSON.")], False),
    "form": (o.ReportFormat, None),
    "out": (o.ReportFile, None),
    "overwrite": (o.Overwrite, False),
}


@dataclass(frozen=True, slots=True)
class RunOutput:
    """Where a command's output goes.

    Attributes:
        as_json: Whether all fields are printed as JSON.
        form: The format of tables.
        file: The file; None for standard output.
        overwrite: Whether files may be replaced.
    """

    as_json: bool
    form: o.Format
    file: Path | None
    overwrite: bool

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> RunOutput:
        """Check the options before anything is computed.

        Raises:
            RmevalError: If they contradict each other, or a file exists.
        """
        form, file = check_output(given["form"], given["out"], given["as_json"], given["overwrite"])
        return cls(given["as_json"], form, file, given["overwrite"])

    def write(self, fields: Callable[[], Any], views: Callable[[], Sequence[View]]) -> None:
        """Write a result.

        Args:
            fields: Returns all its fields as JSON types.
            views: Returns its tables.
        """
        if self.as_json:
            echo_json(fields(), indent=1)
        else:
            write_views(views(), self.form, self.file)


def takes_reading_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of how runs are read; they reach it together, as `reading`."""
    return o.takes(function, "reading", _READING, dict)


def takes_number_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of a number and of how runs are read, as `number`."""
    return o.takes(function, "number", _NUMBER, dict)


def takes_output_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of its output, as `output`."""
    return o.takes(function, "output", _OUTPUT, RunOutput.of)
