"""The command `rmeval` and its subcommands."""

from __future__ import annotations

from typing import Annotated

import typer

from rmeval._version import __version__
from rmeval.cli.analyze import analyze_command
from rmeval.cli.audit import audit_command
from rmeval.cli.bon import bon_command
from rmeval.cli.build.app import build_app
from rmeval.cli.bundle import bundle_command
from rmeval.cli.candidates import candidates_command
from rmeval.cli.card import card_command
from rmeval.cli.cascade import cascade_command
from rmeval.cli.cite import cite_command
from rmeval.cli.compare import compare_command
from rmeval.cli.correlate import correlate_command
from rmeval.cli.demo import demo_command
from rmeval.cli.doctor import doctor_command
from rmeval.cli.errata import errata_command
from rmeval.cli.errors import errors_command
from rmeval.cli.estimate import estimate_command
from rmeval.cli.export import export_command
from rmeval.cli.import_ import import_command
from rmeval.cli.items import items_command
from rmeval.cli.jury import jury_command
from rmeval.cli.leaderboard import leaderboard_app
from rmeval.cli.list_ import list_command
from rmeval.cli.output import echo
from rmeval.cli.own_options import ItemCommand
from rmeval.cli.parity import parity_command
from rmeval.cli.plan import plan_command
from rmeval.cli.push import push_command
from rmeval.cli.report import report_command
from rmeval.cli.run import run_command
from rmeval.cli.score import score_command
from rmeval.cli.show import show_command
from rmeval.cli.style_control import style_control_command
from rmeval.cli.sweep import sweep_command
from rmeval.cli.sweep_model import sweep_model_command
from rmeval.cli.token_scores import token_scores_command
from rmeval.cli.variance import variance_command
from rmeval.cli.verify import verify_command
from rmeval.cli.view import view_command

__all__ = ["app"]

app = typer.Typer(
    name="rmeval",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""
Evaluate reward models.

A MODEL is a hub id, a folder, a server's address, `rmeval/tiny`, your own `file.py:Class`, or a baseline such as
`baseline:longest`.

Start with:

    rmeval demo

    rmeval list benchmarks

    rmeval run ./my-checkpoint -b pairs --data my_prefs.jsonl

    rmeval show runs/

    rmeval compare runs/
""",
)


def _version(wanted: bool) -> None:
    if wanted:
        echo(f"rmeval {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the command itself."""


app.command("run", cls=ItemCommand, no_args_is_help=True)(run_command)
app.command("sweep", cls=ItemCommand, no_args_is_help=True)(sweep_command)
app.command("sweep-model", hidden=True)(sweep_model_command)  # The process that `sweep` starts for each model.
app.command("score", no_args_is_help=True)(score_command)
app.command("token-scores", no_args_is_help=True)(token_scores_command)
app.command("profile", hidden=True, no_args_is_help=True)(token_scores_command)  # Its name before 0.2.
app.command("import", cls=ItemCommand, no_args_is_help=True)(import_command)
app.command("show", no_args_is_help=True)(show_command)
app.command("errors", no_args_is_help=True)(errors_command)
app.command("analyze", no_args_is_help=True)(analyze_command)
app.command("view", no_args_is_help=True)(view_command)
app.command("compare", no_args_is_help=True)(compare_command)
app.command("report", no_args_is_help=True)(report_command)
app.command("estimate", no_args_is_help=True)(estimate_command)
app.command("bon", no_args_is_help=True)(bon_command)
app.command("cascade", no_args_is_help=True)(cascade_command)
app.command("correlate", no_args_is_help=True)(correlate_command)
app.command("candidates", no_args_is_help=True)(candidates_command)
app.command("jury", no_args_is_help=True)(jury_command)
app.command("variance", no_args_is_help=True)(variance_command)
app.command("plan", no_args_is_help=True)(plan_command)
app.command("style-control", no_args_is_help=True)(style_control_command)
app.command("push", no_args_is_help=True)(push_command)
app.command("cite", no_args_is_help=True)(cite_command)
app.command("bundle", no_args_is_help=True)(bundle_command)
app.command("verify", no_args_is_help=True)(verify_command)
app.command("items", cls=ItemCommand, no_args_is_help=True)(items_command)
app.command("errata", no_args_is_help=True)(errata_command)
app.command("doctor", cls=ItemCommand, no_args_is_help=True)(doctor_command)
app.command("audit", cls=ItemCommand, no_args_is_help=True)(audit_command)
app.command("parity", cls=ItemCommand, no_args_is_help=True)(parity_command)
app.command("export", no_args_is_help=True)(export_command)
app.add_typer(build_app, name="build")
app.add_typer(leaderboard_app, name="leaderboard")
app.command("list")(list_command)
app.command("card", no_args_is_help=True)(card_command)
app.command("demo")(demo_command)
