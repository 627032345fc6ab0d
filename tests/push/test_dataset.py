"""Commits to a data set, by the real client, to a hub on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from rmeval.errors import RmevalError
from rmeval.push import plan_dataset, runs_to_share
from rmeval.push.run_files import run_files
from rmeval.results import open_run
from tests.writable_hub import WritableHub

RESULTS = "datasets/me/results"


def test_a_data_set_is_created_private_with_a_folder_for_each_run(
    hub: WritableHub, scored: Path, longest: Path
) -> None:
    runs = runs_to_share([scored, longest])
    sent = plan_dataset(runs, "me/results").send()
    assert hub.created == {RESULTS: "private"}
    assert sent.url.startswith(f"{hub.endpoint}/{RESULTS}/commit/")
    expected = {f"{run.name}/{name}": content for run in runs for name, content in run_files(run).items()}
    there = hub.files(RESULTS, "main")
    assert expected.items() <= there.items()
    assert there.keys() - expected.keys() == {"README.md"}
    folder = hub.root / RESULTS / runs[0].name
    assert open_run(folder).records == open_run(scored).records


def test_the_card_tells_the_hub_where_the_scores_are(hub: WritableHub, longest: Path) -> None:
    plan_dataset(runs_to_share(longest), "me/results").send()
    metadata = hub.files(RESULTS, "main")["README.md"].decode().split("---")[1]
    (config,) = YAML(typ="safe", pure=True).load(metadata)["configs"]
    found = [path.relative_to(hub.root / RESULTS) for path in (hub.root / RESULTS).glob(config["data_files"])]
    assert [path.name for path in found] == ["scores.parquet"]


def test_a_public_data_set_is_created_public(hub: WritableHub, longest: Path) -> None:
    plan_dataset(runs_to_share(longest), "me/results", public=True).send()
    assert hub.created == {RESULTS: "public"}


def test_the_same_runs_again_send_nothing(hub: WritableHub, longest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rmeval.push.commit._PATHS", 3)  # Of four files.
    runs = runs_to_share(longest)
    plan_dataset(runs, "me/results").send()
    hub.requests.clear()
    plan = plan_dataset(runs, "me/results")
    assert (dict(plan.files), len(plan.unchanged)) == ({}, 4)
    assert "no change" in plan.send().done
    assert hub.writes == []
    assert len(hub.commits) == 1


def test_only_new_and_changed_files_are_sent(hub: WritableHub, scored: Path, longest: Path) -> None:
    (run,) = runs_to_share(longest)
    plan_dataset([run], "me/results").send()
    damaged = hub.root / RESULTS / run.name / "scores.parquet"
    damaged.write_bytes(damaged.read_bytes() + b"x")
    plan_dataset(runs_to_share([scored, longest]), "me/results").send()
    (other,) = runs_to_share(scored)
    assert hub.commits[-1].files.keys() == {
        *(f"{other.name}/{name}" for name in ("run.json", "metrics.json", "scores.parquet")),
        f"{run.name}/scores.parquet",
    }


def test_a_card_of_the_user_is_never_replaced(hub: WritableHub, longest: Path) -> None:
    (hub.root / RESULTS).mkdir(parents=True)
    (hub.root / RESULTS / "README.md").write_text("mine")
    plan_dataset(runs_to_share(longest), "me/results").send()
    assert hub.files(RESULTS, "main")["README.md"] == b"mine"
    assert "README.md" not in hub.commits[-1].files
    assert hub.created == {}


def test_a_data_set_of_somebody_else_gets_a_pull_request_or_an_error(
    hub: WritableHub, scored: Path, longest: Path
) -> None:
    theirs = hub.root / "datasets" / "you" / "results"
    theirs.mkdir(parents=True)
    (theirs / "README.md").write_text("theirs")
    before = hub.files("datasets/you/results", "main")
    with pytest.raises(RmevalError, match=r"the token may not write to the data set you/results: .*`pr`"):
        plan_dataset(runs_to_share(longest), "you/results").send()
    assert hub.commits == []
    sent = plan_dataset(runs_to_share(longest), "you/results", pr=True).send()
    assert sent.url == f"{hub.endpoint}/datasets/you/results/discussions/1"
    # The same runs again change nothing; another run goes to the same pull request.
    assert "no change" in plan_dataset(runs_to_share(longest), "you/results", pr=True).send().done
    plan = plan_dataset(runs_to_share([longest, scored]), "you/results", pr=True)
    assert plan.how == "commit of 3 files to the open pull request 1"
    plan.send()
    assert [one.number for one in hub.pulls] == [1]
    assert len(hub.pulls[0].files) == 6
    assert hub.files("datasets/you/results", "main") == before
    # A closed one is not opened again.
    hub.pulls[0].status = "closed"
    plan_dataset(runs_to_share(longest), "you/results", pr=True).send()
    assert [one.number for one in hub.pulls] == [1, 2]


def test_a_pull_request_needs_a_data_set(hub: WritableHub, longest: Path) -> None:
    with pytest.raises(RmevalError, match="the data set you/results does not exist: leave out `pr`"):
        plan_dataset(runs_to_share(longest), "you/results", pr=True)


def test_an_owner_is_never_another_one(hub: WritableHub, longest: Path) -> None:
    """A data set that is missing under another owner is not created under the user's name."""
    with pytest.raises(RmevalError, match="may not write to the data set you/results"):
        plan_dataset(runs_to_share(longest), "you/results").send()
    assert hub.created == {}
    assert hub.commits == []
