"""Experiment trackers: wandb, trackio and MLflow, each through its own client, which the user installs.

A tracker receives the numbers of `rmeval.push.values` and a few facts about the run, and nothing of this machine: its
own collection of host names, source code, packages and system metrics is off.
"""

from __future__ import annotations

import importlib
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from types import ModuleType
from typing import Any, Protocol

from rmeval.data.digests import digest
from rmeval.errors import RmevalError, reason_of
from rmeval.push.commit import Sent
from rmeval.push.run_files import SharedRun
from rmeval.push.values import logged_facts, logged_values
from rmeval.redaction import redacted

logger = logging.getLogger(__name__)

__all__ = ["TRACKERS", "LoggedRun", "Tracker", "log_runs", "logged_run"]

_DIGEST = "rmeval_digest"
"""Where a tracker keeps the digest of a run's values and facts, so that the same ones are logged once."""


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """What a tracker receives of a run.

    Attributes:
        id: An id of ASCII letters, digits and `-`, the same for each push of the run.
        name: Benchmark, model and id of the run.
        values: Numbers by name.
        facts: What the numbers are of.
    """

    id: str
    name: str
    values: Mapping[str, float]
    facts: Mapping[str, str]

    @property
    def digest(self) -> str:
        """A digest of values and facts."""
        return digest({"values": dict(self.values), "facts": dict(self.facts)})


class Tracker(Protocol):
    """A tracker's client."""

    def log(self, project: str, run: LoggedRun) -> bool:
        """Log a run in a project; return False if the project has it already."""


def logged_run(run: SharedRun) -> LoggedRun:
    """Return what trackers receive of a run."""
    facts = redacted(logged_facts(run.manifest))
    return LoggedRun(f"rmeval-{digest(run.name)[:16]}", run.name, logged_values(run.result), facts)


def log_runs(tracker: str, project: str, runs: list[LoggedRun]) -> Sent:
    """Log runs with a tracker.

    Args:
        tracker: `wandb`, `trackio` or `mlflow`.
        project: The project; of MLflow the experiment.
        runs: What it receives.

    Raises:
        RmevalError: If its package is missing, or it does not accept a run.
    """
    if not project.strip():
        raise RmevalError(f"`{tracker}` is empty: name a project")
    client = TRACKERS[tracker](_client(tracker))
    with _errors(tracker):
        new = sum([client.log(project, run) for run in runs])
    done = f"{new} of {len(runs)} runs logged" if new else "no change: it has these runs already"
    return Sent(f"{project} in {tracker}", done)


def _client(tracker: str) -> ModuleType:
    try:
        return importlib.import_module(tracker)
    except ImportError as error:
        raise RmevalError(f"`{tracker}` needs the package {error.name or tracker}: pip install {tracker}") from error


@contextmanager
def _errors(tracker: str) -> Iterator[None]:
    """Turn errors of a tracker's client into one sentence, its warnings into notes, and hide what it prints."""
    own: list[type[BaseException]] = [OSError, ValueError, RuntimeError, TimeoutError, sqlite3.Error]
    if tracker == "wandb":
        own.append(importlib.import_module("wandb.errors").Error)
    if tracker == "mlflow":
        own.append(importlib.import_module("mlflow.exceptions").MlflowException)
    log = logging.getLogger(tracker)
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        with redirect_stdout(StringIO()), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            yield
        for text in dict.fromkeys(
            reason_of(Warning(one.message)) for one in warned if issubclass(one.category, UserWarning)
        ):
            logger.warning("%s: %s", tracker, redacted(text))
    except tuple(own) as error:
        raise RmevalError(
            f"{tracker} does not accept the runs ({redacted(reason_of(error))}): check its login, address and project, "
            "then run the same command again; the results stay in the run folder"
        ) from error
    finally:
        log.setLevel(level)


class _Wandb:
    """Weights & Biases; a run of the same id is updated, so that nothing is duplicated."""

    def __init__(self, client: Any) -> None:
        self._wandb = client

    def log(self, project: str, run: LoggedRun) -> bool:
        """Log a run; `project` may be ENTITY/PROJECT."""
        entity, _, name = project.rpartition("/")
        settings = self._wandb.Settings(
            console="off",
            disable_code=True,
            disable_git=True,
            init_timeout=30,
            save_code=False,
            silent=True,
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )
        with self._wandb.init(
            entity=entity or None,
            project=name,
            id=run.id,
            name=run.name,
            resume="allow",
            settings=settings,
            config=dict(run.facts),
        ) as made:
            if made.summary.get(_DIGEST) == run.digest:
                return False
            made.config.update(dict(run.facts), allow_val_change=True)
            made.summary.update({**run.values, _DIGEST: run.digest})
        return True


class _Trackio:
    """Trackio; its local database shows whether a run is logged already."""

    def __init__(self, client: Any) -> None:
        self._trackio = client

    def log(self, project: str, run: LoggedRun) -> bool:
        """Log a run under its name."""
        there = self._known(project, run.name)
        if there.get(_DIGEST) == run.digest:
            return False
        made = self._trackio.init(
            project=project,
            name=run.name,
            config={**run.facts, _DIGEST: run.digest},
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        made.log(dict(run.values))
        self._trackio.finish()
        return True

    def _known(self, project: str, name: str) -> Mapping[str, Any]:
        try:
            runs = self._trackio.Api().runs(project)
        except ValueError:  # There is no such project yet.
            return {}
        return next((one.config or {} for one in runs if one.name == name), {})


class _Mlflow:
    """MLflow; a tag shows whether an experiment has a run already."""

    def __init__(self, client: Any) -> None:
        # Its own number of retries takes minutes if the server is not there.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        self._client = client.MlflowClient()

    def log(self, project: str, run: LoggedRun) -> bool:
        """Log a run in an experiment, which is created if it does not exist."""
        entities = importlib.import_module("mlflow.entities")
        experiment = self._client.get_experiment_by_name(project)
        place = self._client.create_experiment(project) if experiment is None else experiment.experiment_id
        there = self._client.search_runs([place], f"tags.rmeval_run = '{run.id}'")
        if there and there[0].data.tags.get(_DIGEST) == run.digest:
            return False
        if there:
            known = there[0].info.run_id
        else:
            known = self._client.create_run(place, run_name=run.name, tags={"rmeval_run": run.id}).info.run_id
        now = there[0].info.end_time + 1 if there and there[0].info.end_time else 0
        metrics = [entities.Metric(name, value, now, 0) for name, value in run.values.items()]
        for start in range(0, len(metrics), _MLFLOW_BATCH):
            self._client.log_batch(known, metrics=metrics[start : start + _MLFLOW_BATCH])
        for name, fact in (*run.facts.items(), (_DIGEST, run.digest)):  # Tags, because a parameter cannot change.
            self._client.set_tag(known, name, fact)
        self._client.set_terminated(known)
        return True


_MLFLOW_BATCH = 500
"""Half of the number of metrics that MLflow accepts in a batch."""

TRACKERS: Mapping[str, type[_Wandb] | type[_Trackio] | type[_Mlflow]] = {
    "wandb": _Wandb,
    "trackio": _Trackio,
    "mlflow": _Mlflow,
}
"""The trackers by the name of their package."""
