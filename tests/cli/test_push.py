from __future__ import annotations

from pathlib import Path

import pytest

from rmeval import evaluate
from tests.command import command
from tests.push.conftest import SCORER, TOKEN, enter
from tests.writable_hub import serve_writable

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    return evaluate("baseline:longest", "rm-bench-synthetic", benchmark_options={"size": 40}, out=out).path


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "no target is named: give --to-dataset, --to-model, --every-eval-ever, --wandb, --trackio or --mlflow"),
        (("--to-dataset", "results"), "--to-dataset must be OWNER/NAME of a repository on the hub, not 'results'"),
        (("--to-model", "https://x.y/z"), "--to-model must be OWNER/NAME of a repository on the hub"),
        (("--pr", "--mlflow", "x"), "--pr and --public are for a data set: give --to-dataset, or leave them out"),
        (("--public", "--to-model", "a/b"), "--pr and --public are for a data set"),
        (("--task-id", "x", "--wandb", "y"), "--task-id is for a model's page: give --to-model, or leave it out"),
        (("--wandb", " "), "--wandb is empty: name a project"),
        (("--relationship", "friend", "--wandb", "y"), "--relationship 'friend' is unknown: choose one of first_party"),
    ],
)
def test_a_wrong_target_is_one_sentence(capsys: Capture, run: Path, options: tuple[str, ...], sentence: str) -> None:
    done = command(capsys, "push", run, *options)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("option", "package"),
    [
        ("wandb", "wandb"),
        ("trackio", "trackio"),
        ("mlflow", "mlflow"),
        ("to-dataset", "huggingface_hub"),
        ("to-model", "huggingface_hub"),
    ],
)
def test_a_client_that_is_not_installed(
    capsys: Capture, run: Path, monkeypatch: pytest.MonkeyPatch, option: str, package: str
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    done = command(capsys, "push", run, f"--{option}", "my/project")
    assert (done.code, done.err) == (2, f"error: --{option} needs the package {package}: pip install {package}\n")


def test_a_dry_run_prints_what_would_be_sent(
    capsys: Capture, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command(capsys, "push", run, "--wandb", "me/rewards", "--every-eval-ever", "out", "--dry-run")
    assert done.code == 0, done.err
    assert f"me/rewards in wandb: run rm-bench-synthetic/baseline-longest/{run.name}" in done.out
    assert "  rm-bench-synthetic/easy/all = 1.0\n" in done.out
    assert '    "schema_version": "0.3.0",' in done.out
    assert done.out.endswith("dry run: nothing was sent\n")
    assert list(tmp_path.iterdir()) == []


def test_files_are_written(capsys: Capture, run: Path, tmp_path: Path) -> None:
    push = ("push", run, "--every-eval-ever", tmp_path / "out", "--evaluator", "me")
    assert command(capsys, *push).out == f"the folder {tmp_path / 'out'}: 1 of 1 files written\n"
    assert "no change" in command(capsys, *push).out
    assert len(list((tmp_path / "out" / "data").rglob("*.json"))) == 1


def test_runs_that_are_not_there(capsys: Capture, tmp_path: Path) -> None:
    done = command(capsys, "push", tmp_path / "absent", "--wandb", "x")
    assert (done.code, "is not a run folder (it does not exist)" in done.err) == (2, True)


def test_a_dry_run_of_the_hub_prints_what_is_then_sent(
    capsys: Capture, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_writable(tmp_path / "hub", {TOKEN: "me"}) as hub:
        enter(monkeypatch, hub, tmp_path / "cache")
        push = ("push", run, "--to-dataset", "me/results")
        dry = command(capsys, *push, "--dry-run")
        assert dry.code == 0, dry.err
        assert hub.writes == []
        assert "the data set me/results: new private repository, and commit of 4 files\n" in dry.out
        assert command(capsys, *push).code == 0
        for path, content in hub.commits[0].files.items():
            assert f"  {path}: {len(content):,} bytes\n" in dry.out
            if not path.endswith(".parquet"):
                assert "".join(f"    {line}\n" for line in content.decode().splitlines()) in dry.out
        again = command(capsys, *push, "--dry-run")
        assert again.out.count("  unchanged: ") == 4
        assert "bytes" not in again.out


def test_a_link_to_a_private_data_set_is_noted(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = evaluate(f"{SCORER}:Overlap", "rm-bench-synthetic", benchmark_options={"size": 40}, out=tmp_path / "runs")
    with serve_writable(tmp_path / "hub", {TOKEN: "me"}) as hub:
        enter(monkeypatch, hub, tmp_path / "cache")
        (hub.root / "models/you/rm").mkdir(parents=True)
        push = ("push", own.path, "--to-model", "you/rm", "--to-dataset", "me/results")
        done = command(capsys, *push)
        assert done.code == 0, done.err
        assert "the pull request links to the data set me/results, which is private" in done.err
        assert f"{hub.endpoint}/datasets/me/results/tree/main/" in hub.pulls[0].files["README.md"].decode()
        # A target that is wrong ends the command before anything is sent to another one.
        (hub.root / "models/you/rm/README.md").write_text("---\n[\n---\n")
        hub.pulls[0].status, before = "closed", len(hub.commits)
        done = command(capsys, *push[:-1], "me/others")
        assert (done.code, len(hub.commits)) == (2, before)
        assert "the metadata of the model's README.md are not valid YAML" in done.err
