"""`rmeval push`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    targets = _Targets(to_dataset, pr, public, to_model, task_id, every_eval_ever, projects)
    targets.check()
    shared = runs_to_share(runs, rule, benchmark, protocol)
    files: dict[str, bytes] = {}
    if every_eval_ever is not None:
        from rmeval.push.every_eval_ever import every_eval_ever_files

        files = every_eval_ever_files(shared, evaluator=evaluator, relationship=relationship.value)
    # Before anything is sent, so that a wrong target of the hub ends the command first.
    plans = list(targets.plans(shared, write=not dry_run))
    if dry_run:
        _show(shared, files, targets, plans)
        return
    for sent in _send(shared, files, targets, plans):
        echo(f"{sent.target}: {sent.done}" + (f": {sent.url}" if sent.url else ""))


@dataclass(frozen=True, slots=True)
class _Targets:
    """What receives the runs."""

    data_set: str | None
    pr: bool
    public: bool
    model: str | None
    task_id: str | None
    folder: Path | None
    projects: Mapping[str, str]

    def check(self) -> None:
        """Check that there is a target, and that options belong to one.

        Raises:
            RmevalError: If not.
        """
        if self.data_set is None and self.model is None and self.folder is None and not self.projects:
            raise RmevalError(
                "no target is named: give --to-dataset, --to-model, --every-eval-ever, --wandb, --trackio or --mlflow"
            )
        if (self.pr or self.public) and self.data_set is None:
            raise RmevalError("--pr and --public are for a data set: give --to-dataset, or leave them out")
        if self.task_id is not None and self.model is None:
            raise RmevalError("--task-id is for a model's page: give --to-model, or leave it out")

    def plans(self, runs: tuple[SharedRun, ...], write: bool) -> Iterator[HubPlan]:
        """Yield the plans for the hub."""
        urls: dict[str, str] = {}
        notes: tuple[str, ...] = ()
        if self.data_set is not None:
            from rmeval.push.dataset import dataset_url, plan_dataset

            plan = plan_dataset(runs, self.data_set, pr=self.pr, public=self.public, write=write)
            urls = {run.name: dataset_url(self.data_set, run) for run in runs}
            if plan.missing and not plan.public:
                notes = (f"the pull request links to {plan.target}, which is private: others cannot open it",)
            yield plan
        if self.model is not None:
            from rmeval.push.model_results import plan_model

            plan = plan_model(runs, self.model, task_id=self.task_id, source_urls=urls, write=write)
            yield replace(plan, notes=(*plan.notes, *notes))


def _send(
    runs: tuple[SharedRun, ...], files: Mapping[str, bytes], targets: _Targets, plans: list[HubPlan]
) -> Iterator[Sent]:
    if targets.folder is not None:
        from rmeval.push.every_eval_ever import write_files

        yield write_files(files, targets.folder)
    for tracker, project in targets.projects.items():
        from rmeval.push.trackers import log_runs, logged_run

        yield log_runs(tracker, project, [logged_run(run) for run in runs])
    for plan in plans:
        for note in plan.notes:
            echo(f"note: {note}", err=True)
        yield plan.send()


def _show(runs: tuple[SharedRun, ...], files: Mapping[str, bytes], targets: _Targets, plans: list[HubPlan]) -> None:
    """Print what would be sent: every text in full, and of a table its size."""
    if targets.folder is not None:
        echo(f"the folder {targets.folder}:", *_listed(files))
    for tracker, project in targets.projects.items():
        from rmeval.push.trackers import logged_run

        for run in map(logged_run, runs):
            echo(f"{project} in {tracker}: run {run.name}")
            echo(*(f"  {name}: {fact}" for name, fact in run.facts.items()))
            echo(*(f"  {name} = {value!r}" for name, value in run.values.items()))
    for plan in plans:
        message = [f"  message: {plan.title}", *(f"    {line}" for line in plan.description.splitlines())]
        unchanged = (f"  unchanged: {path}" for path in plan.unchanged)
        echo(f"{plan.target}: {plan.how}", *(message if plan.files else ()), *_listed(plan.files), *unchanged)
        for note in plan.notes:
            echo(f"note: {note}", err=True)
    echo("dry run: nothing was sent")


def _listed(files: Mapping[str, bytes]) -> Iterator[str]:
    for path, content in sorted(files.items()):
        yield f"  {path}: {len(content):,} bytes"
        if not path.endswith(".parquet"):
            yield from (f"    {line}" for line in content.decode("utf-8", "replace").splitlines())
