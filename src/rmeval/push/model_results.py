"""Results as a pull request on a model's repository: `model-index` in its card, and `.eval_results/*.yaml`.

Both formats are those of `huggingface_hub` (`EvalResult` for the card, `EvalResultEntry` for the folder, specified in
https://github.com/huggingface/hub-docs/blob/main/eval_results.yaml).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rmeval.data.yaml_file import read_yaml
from rmeval.errors import DataError, RmevalError
from rmeval.hub import is_hub_id
from rmeval.metrics.composition import GAP, headline, parts
from rmeval.push.commit import HubPlan, check_repository, file_of, make_plan, open_pull_request
from rmeval.push.model_index import card_with_results
from rmeval.push.run_files import SharedRun
from rmeval.push.values import first_records
from rmeval.results.described import selection_text
from rmeval.types import Record

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

__all__ = ["hub_model", "plan_model"]

_CARD = "README.md"
_TASKS = "eval.yaml"
_TITLE = "Add evaluation results from rmeval"
_HUB_MODEL = re.compile(r"hub:([^@]+)@([0-9a-f]{7,40})")
_NOT_WHOLE = ("not comparable with published numbers", "not the whole of")
"""Beginnings of the notes on a run without all items of its benchmark."""


def hub_model(manifest: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the repository and the commit of a run's model; None if it did not come from the hub."""
    found = _HUB_MODEL.match(str(manifest["identity"].get("model")))
    return (found[1], found[2]) if found else None


def plan_model(
    runs: Sequence[SharedRun],
    repo: str,
    *,
    task_id: str | None = None,
    source_urls: Mapping[str, str] | None = None,
    write: bool = True,
) -> HubPlan:
    """Plan a pull request that adds runs of a model to its repository; an open one of the user is updated.

    Args:
        runs: The runs, from `runs_to_share`, each on all items of a benchmark.
        repo: The model's repository, `owner/name`.
        task_id: Id of the task in the `eval.yaml` of the benchmark's data set, if that has several tasks or none.
        source_urls: Addresses of the published runs, by the name of a run.
        write: Whether the plan will be sent, which needs a token.

    Raises:
        RmevalError: If the runs are not of this model, or the hub cannot be read.
    """
    check_repository(repo, "to_model")
    _check_runs(runs, repo)
    own = open_pull_request(repo, "model", _TITLE, write)
    revision = own or "main"
    urls = source_urls or {}
    notes: list[str] = []
    files: dict[str, bytes] = {}
    for run in runs:
        if (task := _task(run, task_id, notes)) is not None:
            files[f".eval_results/rmeval-{run.benchmark}.yaml"] = _eval_results(run, task, urls.get(run.name))
    card = file_of(repo, "model", _CARD, revision)
    text = "" if card is None else card.read_bytes().decode("utf-8", "surrogateescape")
    named = repo.partition("/")[2]
    files[_CARD] = card_with_results(
        text, named, lambda task_type: [one for run in runs for one in _index(run, task_type, urls.get(run.name))]
    ).encode("utf-8", "surrogateescape")
    plan = HubPlan(
        repo,
        "model",
        _TITLE,
        "\n".join(_description(run) for run in runs),
        files,
        revision=revision,
        new_pull_request=own is None,
        notes=tuple(notes),
    )
    return make_plan(plan, write)


def _check_runs(runs: Sequence[SharedRun], repo: str) -> None:
    seen: dict[str, SharedRun] = {}
    for run in runs:
        path, kind = run.result.path, run.manifest["model"]["kind"]
        if kind == "baseline":
            raise RmevalError(f"{path} is a run of a null baseline, not of {repo}: name the runs of that model")
        if (known := hub_model(run.manifest)) is not None and known[0].lower() != repo.lower():
            raise RmevalError(f"{path} is a run of {known[0]}, not of {repo}: name its runs, or its own repository")
        if part := selection_text(run.manifest["selection"]):
            raise RmevalError(f"{path} has only a part of the benchmark ({part}): share a run on all items")
        if note := next((one for one in run.result.notes if one.startswith(_NOT_WHOLE)), None):
            raise RmevalError(f"{path} has no numbers for a model's page ({note}): share a run on all items")
        if (other := seen.setdefault(run.benchmark, run)) is not run:
            raise RmevalError(f"{other.result.path} and {path} are runs on the same benchmark: name one of them")


def _shown(run: SharedRun) -> list[Record]:
    """The accuracies for a model's page: those on all items, and the main one of each part."""
    own = (record for record in first_records(run.result) if record.metric != GAP)
    found = {(record.metric, record.scope): record for record in own}
    wanted = [measure for measure in found if measure[1] == "all"]
    return [found[measure] for measure in dict.fromkeys([*wanted, *parts(found)])]


def _description(run: SharedRun) -> str:
    found = {(record.metric, record.scope): record for record in first_records(run.result)}
    top = headline(found)
    number = "" if top is None else f": {' '.join(top)} {100 * found[top].value:.1f}{_interval(found[top])}"
    return f"- {run.benchmark}, run {run.id}{number}"


def _interval(record: Record) -> str:
    return "" if record.ci is None else f" (95% interval {100 * record.ci[0]:.1f}-{100 * record.ci[1]:.1f})"


def _data_set(run: SharedRun) -> str | None:
    """The hub id of the benchmark's data; None if they do not come from the hub."""
    made = run.manifest["benchmark"]
    place = made.get("data") or made.get("source") or ""
    return place if "/" in place and is_hub_id(place) else None


def _revision(run: SharedRun) -> str | None:
    revision = run.manifest["benchmark"].get("revision")
    return revision if re.fullmatch(r"[0-9a-f]{7,40}", revision or "") else None


def _index(run: SharedRun, task_type: str, url: str | None) -> Iterator[EvalResult]:
    """Yield the numbers of a run as results of the card."""
    from huggingface_hub import EvalResult

    version = run.manifest["sessions"][-1].get("rmeval", "") if run.manifest["sessions"] else ""
    for record in _shown(run):
        yield EvalResult(
            task_type=task_type,
            task_name="Reward modeling",
            dataset_type=_data_set(run) or run.benchmark,
            dataset_name=run.benchmark,
            dataset_revision=_revision(run),
            dataset_args={"rmeval": version, "run": run.id, "rule": record.rule},
            metric_type="accuracy",
            metric_name=f"{record.metric} {record.scope}",
            metric_value=round(float(record.value), 6),
            source_name="Scores by rmeval" if url else None,
            source_url=url,
        )


def _task(run: SharedRun, task_id: str | None, notes: list[str]) -> str | None:
    """The id of the benchmark's task on the hub; None if its data set has no tasks, or the run no headline."""
    data_set = _data_set(run)
    if data_set is None or headline([(one.metric, one.scope) for one in first_records(run.result)]) is None:
        notes.append(f"no .eval_results for {run.benchmark}: it has no data set on the hub, or no number on all items")
        return None
    if task_id is not None:
        return task_id
    file = file_of(data_set, "dataset", _TASKS, optional=True)
    tasks = [] if file is None else _task_ids(read_yaml(file))
    if len(tasks) > 1:
        raise RmevalError(f"{data_set} has the tasks {', '.join(tasks)}: name one with `task_id`")
    if not tasks:
        notes.append(
            f"no .eval_results for {run.benchmark}: {data_set} is not registered as a benchmark on the hub (it has no "
            "tasks in eval.yaml); name the task with `task_id` once it is"
        )
        return None
    return tasks[0]


def _task_ids(content: Any) -> list[str]:
    tasks = content.get("tasks") if isinstance(content, dict) else None
    ids = [one.get("id") if isinstance(one, dict) else None for one in tasks] if isinstance(tasks, list) else []
    if not all(isinstance(one, str) and one for one in ids):
        raise DataError("a task in the data set's eval.yaml has no id: name the task with `task_id`")
    return [str(one) for one in ids]


def _eval_results(run: SharedRun, task: str, url: str | None) -> bytes:
    """The file of `.eval_results` for a run: its headline on one task."""
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml
    from ruamel.yaml import YAML

    found = {(record.metric, record.scope): record for record in first_records(run.result)}
    top = headline(found)
    data_set = _data_set(run)
    assert top is not None and data_set is not None
    session = run.manifest["sessions"][-1] if run.manifest["sessions"] else {}
    entry = EvalResultEntry(
        dataset_id=data_set,
        task_id=task,
        value=round(float(found[top].value), 6),
        dataset_revision=_revision(run),
        date=session.get("begun"),
        source_url=url,
        source_name="Scores by rmeval" if url else None,
        notes=_notes(found[top], session, run.id),
    )
    out = io.BytesIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = False, 10_000
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(eval_result_entries_to_yaml([entry]), out)
    return out.getvalue()


def _notes(record: Record, session: Mapping[str, Any], run: str) -> str:
    number = f"{record.metric} {record.scope}{_interval(record)}"
    return f"{number}, {record.rule}, rmeval {session.get('rmeval', 'of an unknown version')}, run {run}"
