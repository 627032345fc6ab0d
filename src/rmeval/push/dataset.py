"""Results as a data set on the hub: a folder for each run, and a card that is written once."""

from __future__ import annotations

from collections.abc import Sequence

from rmeval.push.commit import HubPlan, check_repository, make_plan, open_pull_request
from rmeval.push.run_files import SharedRun, run_files

__all__ = ["dataset_url", "plan_dataset"]

_CARD = "README.md"
_TITLE = "Add results from rmeval"
_TEXT = """---
pretty_name: {name}
tags:
- reward-model
- rmeval
configs:
- config_name: scores
  data_files: "*/*/*/scores.parquet"
---

# {name}

Results of reward models, written by `rmeval push`. Each run has a folder `BENCHMARK/MODEL/ID/`:

- `metrics.json`: every number with its 95% interval, the null baselines on the same items, the score rule and the
  formula.
- `scores.parquet`: the score of each response, by the id of its item.
- `run.json`: model, benchmark, protocol, versions, and what `ID` is a digest of.

Prompts and responses are not part of it. `rmeval show FOLDER` shows the numbers of a downloaded copy.
"""


def plan_dataset(
    runs: Sequence[SharedRun], repo: str, *, pr: bool = False, public: bool = False, write: bool = True
) -> HubPlan:
    """Plan a commit of runs to a data set, which is created if it does not exist.

    Files that the data set has already are not sent again. Its `README.md` is written only if there is none.

    Args:
        runs: The runs, from `runs_to_share`.
        repo: The data set, `owner/name`.
        pr: Whether to open a pull request, for a data set of somebody else.
        public: Whether a created data set is public; otherwise it is private.
        write: Whether the plan will be sent, which needs a token.

    Raises:
        RmevalError: If the name is not valid, or the hub cannot be read.
    """
    check_repository(repo, "to_dataset")
    files = {f"{run.name}/{name}": content for run in runs for name, content in run_files(run).items()}
    own = open_pull_request(repo, "dataset", _TITLE, write) if pr else None
    card = {_CARD: _TEXT.format(name=repo.partition("/")[2]).encode()}
    plan = HubPlan(
        repo,
        "dataset",
        _TITLE,
        "Runs:\n" + "\n".join(f"- {run.name}" for run in runs),
        files | card,
        public=public,
        revision=own or "main",
        new_pull_request=pr and own is None,
    )
    return make_plan(plan, write, keep=(_CARD,))


def dataset_url(repo: str, run: SharedRun) -> str:
    """Return the address of a run's folder in a data set on the hub."""
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/datasets/{repo}/tree/main/{run.name}"
