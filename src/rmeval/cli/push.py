"""`rmeval push`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo
from rmeval.errors import RmevalError

if TYPE_CHECKING:
    from rmeval.push.commit import HubPlan, Sent
    from rmeval.push.run_files import SharedRun

__all__ = ["push_command"]

_HUB, _TRACKERS, _FILES = "Hugging Face hub", "Trackers", "Files"


class RelationshipName(StrEnum):
    """What the evaluator is to the developer of the model, as in every-eval-ever."""

    first_party = "first_party"
    third_party = "third_party"
    collaborative = "collaborative"
    other = "other"


Runs = Annotated[list[Path], typer.Argument(help="Run folders, or folders that contain runs.")]
ToDataset = Annotated[
    str | None,
    typer.Option(help="OWNER/NAME of a data set; created, and private, if it is missing.", rich_help_panel=_HUB),
]
ToModel = Annotated[
    str | None,
    typer.Option(help="OWNER/NAME of the model's repository; opens a pull request.", rich_help_panel=_HUB),
]
Pr = Annotated[bool, typer.Option("--pr", help="Open a pull request on the data set.", rich_help_panel=_HUB)]
Public = Annotated[bool, typer.Option("--public", help="Make a created data set public.", rich_help_panel=_HUB)]
TaskId = Annotated[
    str | None,
    typer.Option(help="Task of the benchmark's data set on the hub. Default: its only one.", rich_help_panel=_HUB),
]
EveryEvalEver = Annotated[
    Path | None, typer.Option(help="Folder for files in the schema of every-eval-ever.", rich_help_panel=_FILES)
]
Evaluator = Annotated[str, typer.Option(help="Who made the runs, for every-eval-ever.", rich_help_panel=_FILES)]
RelationshipOption = Annotated[
    RelationshipName,
    typer.Option(help="What the evaluator is to the model's developer.", rich_help_panel=_FILES),
]
Wandb = Annotated[
    str | None, typer.Option(help="PROJECT or ENTITY/PROJECT of Weights & Biases.", rich_help_panel=_TRACKERS)
]
Trackio = Annotated[str | None, typer.Option(help="Project of trackio.", rich_help_panel=_TRACKERS)]
Mlflow = Annotated[str | None, typer.Option(help="Experiment of MLflow.", rich_help_panel=_TRACKERS)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, and send nothing.")]


def push_command(
    runs: Runs,
    to_dataset: ToDataset = None,
    pr: Pr = False,
    public: Public = False,
    to_model: ToModel = None,
    task_id: TaskId = None,
    every_eval_ever: EveryEvalEver = None,
    evaluator: Evaluator = "unknown",
    relationship: RelationshipOption = RelationshipName.other,
    wandb: Wandb = None,
    trackio: Trackio = None,
    mlflow: Mlflow = None,
    dry_run: DryRun = False,
    rule: o.PolicyName = None,
    benchmark: o.OwnBenchmark = None,
    protocol: o.OwnProtocol = None,
) -> None:
    """Share the numbers of runs on the Hugging Face hub, in trackers, or in an interchange format.

    Only the targets that are named receive something, and no prompts or responses. A second push of the same run
    changes nothing.

    rmeval push runs/ --to-dataset me/my-results --dry-run
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.push.run_files import runs_to_share

    show_warnings()
    trackers = {"wandb": wandb, "trackio": trackio, "mlflow": mlflow}
    projects = {name: project for name, project in trackers.items() if project is not None}
    _check(to_dataset, to_model, every_eval_ever, projects, pr or public, task_id)
    shared = runs_to_share(runs, rule, benchmark, protocol)
    files = _interchange(shared, evaluator, relationship.value) if every_eval_ever is not None else {}
    plans = list(_plans(shared, to_dataset, to_model, pr, public, task_id, not dry_run))
    if dry_run:
        _show(shared, files, every_eval_ever, projects, plans)
        return
    for sent in _send(shared, files, every_eval_ever, projects, plans):
        echo(f"{sent.target}: {sent.done}" + (f": {sent.url}" if sent.url else ""))


def _check(
    to_dataset: str | None,
    to_model: str | None,
    every_eval_ever: Path | None,
    projects: Mapping[str, str],
    of_dataset: bool,
    task_id: str | None,
) -> None:
    if not (to_dataset or to_model or every_eval_ever or projects):
        raise RmevalError(
            "no target is named: give --to-dataset, --to-model, --every-eval-ever, --wandb, --trackio or --mlflow"
        )
    if of_dataset and not to_dataset:
        raise RmevalError("--pr and --public are for a data set: give --to-dataset, or leave them out")
    if task_id is not None and not to_model:
        raise RmevalError("--task-id is for a model's page: give --to-model, or leave it out")


def _interchange(runs: tuple[SharedRun, ...], evaluator: str, relationship: Any) -> dict[str, bytes]:
    from rmeval.push.every_eval_ever import every_eval_ever_files

    return every_eval_ever_files(runs, evaluator=evaluator, relationship=relationship)


def _plans(
    runs: tuple[SharedRun, ...],
    to_dataset: str | None,
    to_model: str | None,
    pr: bool,
    public: bool,
    task_id: str | None,
    write: bool,
) -> Iterator[HubPlan]:
    """Plan the commits before anything is sent, so that an error of one target comes before a commit to another."""
    urls: dict[str, str] = {}
    if to_dataset is not None:
        from rmeval.push.dataset import dataset_url, plan_dataset

        yield plan_dataset(runs, to_dataset, pr=pr, public=public, write=write)
        urls = {run.name: dataset_url(to_dataset, run) for run in runs}
    if to_model is not None:
        from rmeval.push.model_results import plan_model

        yield plan_model(runs, to_model, task_id=task_id, source_urls=urls, write=write)


def _send(
    runs: tuple[SharedRun, ...],
    files: Mapping[str, bytes],
    folder: Path | None,
    projects: Mapping[str, str],
    plans: list[HubPlan],
) -> Iterator[Sent]:
    if folder is not None:
        from rmeval.push.every_eval_ever import write_files

        yield write_files(files, folder)
    for tracker, project in projects.items():
        from rmeval.push.trackers import log_runs, logged_run

        yield log_runs(tracker, project, [logged_run(run) for run in runs])
    for plan in plans:
        for note in plan.notes:
            echo(f"note: {note}", err=True)
        yield plan.send()


def _show(
    runs: tuple[SharedRun, ...],
    files: Mapping[str, bytes],
    folder: Path | None,
    projects: Mapping[str, str],
    plans: list[HubPlan],
) -> None:
    """Print what would be sent: every text in full, and of a table its size."""
    if folder is not None:
        echo(f"the folder {folder}:")
        _show_files(files)
    for tracker, project in projects.items():
        from rmeval.push.trackers import logged_run

        for run in map(logged_run, runs):
            echo(f"{project} in {tracker}: run {run.name}")
            echo(*(f"  {name}: {fact}" for name, fact in run.facts.items()))
            echo(*(f"  {name} = {value:.6g}" for name, value in run.values.items()))
    for plan in plans:
        echo(f"{plan.target}: {plan.how}", f"  message: {plan.title}")
        echo(*(f"    {line}" for line in plan.description.splitlines()))
        _show_files(plan.files)
        echo(*(f"  unchanged: {path}" for path in plan.unchanged))
        for note in plan.notes:
            echo(f"note: {note}", err=True)
    echo("dry run: nothing was sent")


def _show_files(files: Mapping[str, bytes]) -> None:
    for path, content in sorted(files.items()):
        echo(f"  {path}: {len(content):,} bytes")
        if not path.endswith(".parquet"):
            echo(*(f"    {line}" for line in content.decode("utf-8", "replace").splitlines()))
