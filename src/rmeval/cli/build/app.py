"""`rmeval build`: a group of commands, of which `run` is the default."""

from __future__ import annotations

import typer
from typer.core import TyperGroup

from rmeval.cli.build.exchange import export_items_command, import_reviews_command
from rmeval.cli.build.init import init_command
from rmeval.cli.build.report import report_command
from rmeval.cli.build.review import review_command
from rmeval.cli.build.run import build_command

__all__ = ["build_app"]


class _RunByDefault(TyperGroup):
    """A group that takes a config in the place of a subcommand."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Insert `run` before what is no subcommand."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


build_app = typer.Typer(
    cls=_RunByDefault,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""
Build a benchmark like RM-Bench for your own domain or language.

    rmeval build init math -o my-bench.yaml

    rmeval build my-bench.yaml --dry-run

    rmeval build my-bench.yaml

    rmeval build report my-bench
""",
)
build_app.command("run", no_args_is_help=True)(build_command)
build_app.command("init")(init_command)
build_app.command("report", no_args_is_help=True)(report_command)
build_app.command("review", no_args_is_help=True)(review_command)
build_app.command("export", no_args_is_help=True)(export_items_command)
build_app.command("import", no_args_is_help=True)(import_reviews_command)
