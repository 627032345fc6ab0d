"""Results for hubs, trackers and exchange formats; nothing is sent unless a user names the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.push.commit import HubPlan, Sent
    from rmeval.push.dataset import plan_dataset
    from rmeval.push.every_eval_ever import every_eval_ever_files, write_files
    from rmeval.push.model_results import plan_model
    from rmeval.push.run_files import SharedRun, runs_to_share
    from rmeval.push.trackers import LoggedRun, log_runs, logged_run
    from rmeval.push.values import logged_values, metric_name
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.push.commit": ("HubPlan", "Sent"),
            "rmeval.push.dataset": ("plan_dataset",),
            "rmeval.push.every_eval_ever": ("every_eval_ever_files", "write_files"),
            "rmeval.push.model_results": ("plan_model",),
            "rmeval.push.run_files": ("SharedRun", "runs_to_share"),
            "rmeval.push.trackers": ("LoggedRun", "log_runs", "logged_run"),
            "rmeval.push.values": ("logged_values", "metric_name"),
        },
    )

__all__ = [
    "HubPlan",
    "LoggedRun",
    "Sent",
    "SharedRun",
    "every_eval_ever_files",
    "log_runs",
    "logged_run",
    "logged_values",
    "metric_name",
    "plan_dataset",
    "plan_model",
    "runs_to_share",
    "write_files",
]
