"""Pull requests on a model's repository, by the real client, to a hub on this machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import parse_eval_result_entries
from huggingface_hub.repocard import ModelCard
from ruamel.yaml import YAML

from rmeval import evaluate
from rmeval.errors import DataError, RmevalError
from rmeval.push import SharedRun, plan_model, runs_to_share
from rmeval.results import open_run
from tests.push.conftest import DATA, SCORER, card_results
from tests.writable_hub import WritableHub

MODEL = "models/you/rm"
CARD = "---\nlicense: mit # mine\npipeline_tag: text-ranking\n---\n# A model\n"
ENTRY = ".eval_results/rmeval-rm-bench.yaml"


@pytest.fixture
def runs(scored: Path) -> tuple[SharedRun, ...]:
    return runs_to_share(scored)


@pytest.fixture
def model(hub: WritableHub) -> WritableHub:
    (hub.root / MODEL).mkdir(parents=True)
    (hub.root / MODEL / "README.md").write_text(CARD)
    return hub


def register(hub: WritableHub, *tasks: str) -> None:
    (hub.root / DATA).mkdir(parents=True)
    listed = "".join(f"  - id: {task}\n" for task in tasks)
    (hub.root / DATA / "eval.yaml").write_text(f"name: RM-Bench\ntasks:\n{listed}" if tasks else "name: RM-Bench\n")


def yaml_of(content: bytes) -> Any:
    return YAML(typ="safe", pure=True).load(content.decode())


def test_a_pull_request_with_both_formats(model: WritableHub, scored: Path, runs: tuple[SharedRun, ...]) -> None:
    register(model, "rm_bench")
    url = {runs[0].name: "https://huggingface.co/datasets/me/results"}
    sent = plan_model(runs, "you/rm", source_urls=url).send()
    assert sent.url == f"{model.endpoint}/you/rm/discussions/1"
    (pull,) = model.pulls
    assert pull.files.keys() == {"README.md", ENTRY}
    assert model.files(MODEL, "main") == {"README.md": CARD.encode()}
    result = open_run(scored)
    (entry,) = parse_eval_result_entries(yaml_of(pull.files[ENTRY]))
    assert (entry.dataset_id, entry.task_id, entry.source_url) == ("THU-KEG/RM-Bench", "rm_bench", url[runs[0].name])
    assert entry.value == pytest.approx(result.value("overall"), abs=1e-6)
    assert entry.notes is not None
    assert scored.name in entry.notes
    card = ModelCard(pull.files["README.md"].decode())
    values = {one.metric_name: one.metric_value for one in card_results(str(card))}
    assert values["hard all"] == pytest.approx(result.value("hard"), abs=1e-6)
    assert values["average chat"] == pytest.approx(result.value("average", "chat"), abs=1e-6)
    assert not [name for name in values if name and name.startswith(("cell", "style_gap"))]
    assert {one.task_type for one in card_results(str(card))} == {"text-ranking"}
    assert card.text == "# A model\n"
    assert model.commits[-1].description.startswith(f"- rm-bench, run {scored.name}: overall all ")


def test_the_same_run_again_sends_nothing_and_another_updates_the_pull_request(
    model: WritableHub, runs: tuple[SharedRun, ...]
) -> None:
    register(model, "rm_bench")
    plan_model(runs, "you/rm").send()
    model.requests.clear()
    assert "no change" in plan_model(runs, "you/rm").send().done
    assert model.writes == []
    later = replace(runs[0], manifest={**runs[0].manifest, "sessions": [{"rmeval": "9.9.9"}]})
    plan = plan_model([later], "you/rm")
    assert plan.how == "commit of 2 files to the open pull request 1"
    plan.send()
    assert len(model.pulls) == 1
    card = ModelCard(model.pulls[0].files["README.md"].decode())
    versions = [one.dataset_args["rmeval"] for one in card_results(str(card)) if one.dataset_args]
    assert set(versions) == {"9.9.9"}


def test_a_pull_request_of_another_user_is_left_alone(model: WritableHub, runs: tuple[SharedRun, ...]) -> None:
    plan_model(runs, "you/rm").send()
    model.pulls[0].author = "somebody"
    before = dict(model.pulls[0].files)
    plan_model(runs, "you/rm").send()
    assert [one.author for one in model.pulls] == ["somebody", "me"]
    assert model.pulls[0].files == before


def test_a_merged_pull_request_is_not_opened_again(model: WritableHub, runs: tuple[SharedRun, ...]) -> None:
    plan_model(runs, "you/rm").send()
    (model.root / MODEL / "README.md").write_bytes(model.pulls[0].files["README.md"])
    model.pulls[0].status = "merged"
    assert "no change" in plan_model(runs, "you/rm").send().done
    assert len(model.pulls) == 1


def test_tasks_of_the_data_set_on_the_hub(model: WritableHub, runs: tuple[SharedRun, ...]) -> None:
    plan = plan_model(runs, "you/rm")
    assert ENTRY not in plan.files
    assert "THU-KEG/RM-Bench is not registered as a benchmark on the hub" in plan.notes[0]
    assert yaml_of(plan_model(runs, "you/rm", task_id="mine").files[ENTRY])[0]["dataset"]["task_id"] == "mine"
    register(model, "one", "two")
    with pytest.raises(RmevalError, match="has the tasks one, two: name one with `task_id`"):
        plan_model(runs, "you/rm")
    assert yaml_of(plan_model(runs, "you/rm", task_id="two").files[ENTRY])[0]["dataset"]["task_id"] == "two"
    (model.root / DATA / "eval.yaml").write_text("tasks:\n- name: x\n")
    model.served[DATA] = "1" * 40
    with pytest.raises(DataError, match=r"eval\.yaml has no id"):
        plan_model(runs, "you/rm")


def test_a_model_without_a_card_gets_one(model: WritableHub, runs: tuple[SharedRun, ...]) -> None:
    (model.root / MODEL / "README.md").unlink()
    plan_model(runs, "you/rm").send()
    card = ModelCard(model.pulls[0].files["README.md"].decode())
    assert card.data.get("model_name") == "rm"
    assert {one.task_type for one in card_results(str(card))} == {"text-classification"}


def test_other_runs_are_refused(
    model: WritableHub, runs: tuple[SharedRun, ...], longest: Path, tmp_path: Path, rm_bench_folder: Path
) -> None:
    (run,) = runs
    identity = {**run.manifest["identity"], "model": "hub:other/model@0123456"}
    with pytest.raises(RmevalError, match="is a run of other/model, not of you/rm"):
        plan_model([replace(run, manifest={**run.manifest, "identity": identity})], "you/rm")
    with pytest.raises(RmevalError, match="is a run of a null baseline"):
        plan_model(runs_to_share(longest), "you/rm")
    scorer = f"{SCORER}:Overlap"
    part = evaluate(scorer, "rm-bench-synthetic", n_items=20, benchmark_options={"size": 40}, out=tmp_path / "part")
    with pytest.raises(RmevalError, match=r"has only a part of the benchmark \(20 items at random"):
        plan_model(runs_to_share(part.path), "you/rm")
    few = evaluate(scorer, "rm-bench", data=str(rm_bench_folder), out=tmp_path / "few")
    with pytest.raises(RmevalError, match="has no numbers for a model's page"):
        plan_model(runs_to_share(few.path), "you/rm")
    with pytest.raises(RmevalError, match="are runs on the same benchmark: name one"):
        plan_model([run, replace(run, id="another")], "you/rm")
    with pytest.raises(RmevalError, match="the model you/none is not on the hub"):
        plan_model(runs, "you/none")
    assert model.commits == []


def test_a_benchmark_from_a_file_names_no_data_set_of_the_hub(model: WritableHub, runs: tuple[SharedRun, ...]) -> None:
    made = {**runs[0].manifest["benchmark"], "data": "my-data.json"}
    plan = plan_model([replace(runs[0], manifest={**runs[0].manifest, "benchmark": made})], "you/rm", task_id="t")
    assert ENTRY not in plan.files
    assert json.loads(json.dumps(yaml_of(plan.files["README.md"].split(b"---")[1])))["model-index"][0]["results"][0][
        "dataset"
    ]["type"] == ("rm-bench")
