"""The trackers' own clients with their local stores, and every-eval-ever's own schema and checks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rmeval import evaluate
from rmeval.push import LoggedRun, logged_run, runs_to_share
from rmeval.store.manifest import read_manifest, write_json
from tests.integration.environments import environment, home, locked, run_in, variables

HERE = Path(__file__).parent
FORMAT = "every-eval-ever==0.3.0 --hash=sha256:564b8bc624c1f822f749a769dc69dc058a736e83d920cbeb147c3a30d3152317"
SCORER = HERE.parents[1] / "examples" / "scorer.py"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    for model in ("baseline:longest", f"{SCORER}:Overlap"):
        evaluate(model, "rm-bench-synthetic", benchmark_options={"size": 40}, out=out)
    return out


def push(runs: Path, *options: object, **more: str) -> str:
    done = run_in("trackers", "-m", "rmeval", "push", runs, *map(str, options), **more)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def reading(*arguments: str, **more: str) -> list[dict[str, Any]]:
    done = run_in("trackers", HERE / "tracker_readings.py", *arguments, **more)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return sorted(found, key=lambda one: str(one["id"]))


def expected(runs: Path) -> list[LoggedRun]:
    return sorted(map(logged_run, runs_to_share(runs)), key=lambda one: one.id)


def change(runs: Path) -> None:
    """Change the facts of one run, as another session does."""
    folder = next(iter(sorted(runs.rglob("run.json")))).parent
    manifest = read_manifest(folder)
    write_json(folder / "run.json", {**manifest, "sessions": [{**manifest["sessions"][0], "rmeval": "9.9.9"}]})


def test_wandb_has_the_values_offline(runs: Path, tmp_path: Path) -> None:
    more = {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path)}
    assert push(runs, "--wandb", "team/rewards", **more) == "team/rewards in wandb: 2 of 2 runs logged\n"
    found = reading("wandb", str(tmp_path), **more)
    for one, run in zip(found, expected(runs), strict=True):
        assert (one["id"], one["entity"], one["project"]) == (run.id, "team", "rewards")
        assert {name: one["values"][name] for name in run.values} == dict(run.values)
        assert {name: one["facts"][name] for name in run.facts} == dict(run.facts)
        # Nothing about this machine.
        assert str(runs) not in one["all"]
        assert "requirements.txt" not in one["all"]
    # Once more with the same ids, which update the same two runs when they are synced.
    push(runs, "--wandb", "team/rewards", **more)
    assert {one["id"] for one in reading("wandb", str(tmp_path), **more)} == {run.id for run in expected(runs)}


def test_wandb_without_a_key_is_one_sentence(runs: Path, tmp_path: Path) -> None:
    more = {"WANDB_DIR": str(tmp_path), "HOME": str(tmp_path), "WANDB_API_KEY": "", "WANDB_MODE": "online"}
    done = run_in("trackers", "-m", "rmeval", "push", runs, "--wandb", "rewards", **more)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: wandb does not accept the runs (No API key configured")
    assert "Traceback" not in done.stderr


def test_trackio_has_the_values_once(runs: Path, tmp_path: Path) -> None:
    more = {"TRACKIO_DIR": str(tmp_path)}
    assert push(runs, "--trackio", "rewards", **more) == "rewards in trackio: 2 of 2 runs logged\n"
    assert "no change" in push(runs, "--trackio", "rewards", **more)
    found = {one["id"]: one for one in reading("trackio", "rewards", **more)}
    assert len(found) == 2
    for run in expected(runs):
        (row,) = found[run.name]["rows"]
        assert {name: row[name] for name in run.values} == dict(run.values)
        assert found[run.name]["facts"].items() >= run.facts.items()


def test_trackio_without_its_server_states_it(runs: Path, tmp_path: Path) -> None:
    more = {"TRACKIO_DIR": str(tmp_path), "TRACKIO_SERVER_URL": "http://127.0.0.1:9/?write_token=planted0123456789"}
    done = run_in("trackers", "-m", "rmeval", "push", runs, "--trackio", "rewards", **more)
    assert "could not be sent to the remote server" in done.stderr
    assert "planted0123456789" not in done.stdout + done.stderr


def test_mlflow_has_the_values_once(runs: Path, tmp_path: Path) -> None:
    more = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/store.db"}
    assert push(runs, "--mlflow", "rewards", **more) == "rewards in mlflow: 2 of 2 runs logged\n"
    assert "no change" in push(runs, "--mlflow", "rewards", **more)
    for one, run in zip(reading("mlflow", "rewards", **more), expected(runs), strict=True):
        assert one["id"] == run.id
        assert one["values"] == dict(run.values)
        assert set(one["history"].values()) == {1}
        assert one["facts"].items() >= run.facts.items()
        assert one["status"] == "FINISHED"
        assert not {"mlflow.user", "mlflow.source.name"} & one["facts"].keys()
    change(runs)
    assert push(runs, "--mlflow", "rewards", **more) == "rewards in mlflow: 1 of 2 runs logged\n"
    assert "9.9.9" in [one["facts"]["rmeval"] for one in reading("mlflow", "rewards", **more)]
    assert len(reading("mlflow", "rewards", **more)) == 2


def test_mlflow_without_its_server_is_one_sentence(runs: Path) -> None:
    more = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    done = run_in("trackers", "-m", "rmeval", "push", runs, "--mlflow", "rewards", **more)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith("error: mlflow does not accept the runs (API request to http://127.0.0.1:9")


def test_files_are_valid_by_every_eval_evers_own_schema_and_checks(runs: Path, tmp_path: Path) -> None:
    wheel = every_eval_ever()
    push(runs, "--every-eval-ever", tmp_path, "--evaluator", "The lab")
    more = variables({}) | {"PYTHONPATH": str(wheel)}
    script = [environment("trackers") / "python", HERE / "every_eval_ever_checks.py", tmp_path]
    done = subprocess.run(script, env=more, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    reports = json.loads(done.stdout)
    assert len(reports) == 2
    for report in reports.values():
        assert (report["valid"], report["errors"]) == (True, [])
        # Only that the developers of these two models are not known.
        assert [one["loc"] for one in report["warnings"]] == ["model_info"]
    # The checks notice what is wrong.
    file = next(tmp_path.rglob("*.json"))
    log = json.loads(file.read_text())
    log["evaluation_results"][0]["score_details"]["score"] = 2.0
    file.write_text(json.dumps(log))
    done = subprocess.run(script, env=more, capture_output=True, text=True, check=False)
    assert not json.loads(done.stdout)[file.name]["valid"]


def every_eval_ever() -> Path:
    """The package's wheel, which states a later Python than it needs for this."""
    folder = home() / "wheels"
    with locked(folder / "lock"):
        if not (found := [*folder.glob("every_eval_ever-0.3.0-*.whl")]):
            (folder / "every-eval-ever.txt").write_text(FORMAT)
            options = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--python-version", "3.12")
            place = ("-d", folder, "-r", folder / "every-eval-ever.txt")
            subprocess.run([sys.executable, "-m", "pip", "download", "-qq", *options, *place], check=True)
            found = [*folder.glob("every_eval_ever-0.3.0-*.whl")]
    return found[0]
