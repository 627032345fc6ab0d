"""Options of another kind of model: the sentence says how to get that kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rmeval.errors import ModelError
from rmeval.models import load_model
from rmeval.models.options import COMPARATOR_OPTIONS, IMPLICIT_OPTIONS
from tests.checkpoints import make_checkpoint
from tests.command import command

VALUES: dict[str, Any] = {
    "ref_revision": "main",
    "beta": 0.1,
    "boundary": "reward-bench",
    "sequential": True,
    "comparison": "letters",
    "against": "chosen",
}
COMMAND_LINE = {"sequential": ["--sequential"]}


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("models") / "policy", "causal")


@pytest.mark.parametrize("name", [name for name in IMPLICIT_OPTIONS if name != "ref_model"])
def test_options_of_implicit_rewards_name_the_reference(name: str, policy: Path) -> None:
    with pytest.raises(
        ModelError,
        match=rf"^a classifier does not use `{name}`: leave it out, or .* `ref_model` .* or `kind` implicit$",
    ):
        load_model(str(policy), **{name: VALUES[name]})


@pytest.mark.parametrize("name", COMPARATOR_OPTIONS)
def test_options_of_comparators_name_the_kind(name: str, policy: Path) -> None:
    with pytest.raises(
        ModelError, match=rf"^a classifier does not use `{name}`: leave it out, or .* `kind` comparator$"
    ):
        load_model(str(policy), **{name: VALUES[name]})
    with pytest.raises(ModelError, match=rf"^an implicit reward does not use `{name}`: .* `kind` comparator$"):
        load_model(str(policy), kind="implicit", **{name: VALUES[name]})


def test_a_reference_for_a_classifier(policy: Path) -> None:
    with pytest.raises(ModelError, match=r"does not use `ref_model`: leave it out, or .* `kind` implicit or auto$"):
        load_model(str(policy), kind="classifier", ref_model=str(policy))
    with pytest.raises(ModelError, match=r"^a comparator does not use `beta`: leave it out, or .* `ref_model`"):
        load_model(str(policy), kind="comparator", beta=0.1)
    with pytest.raises(ModelError, match=r"^an implicit reward does not use `head`: leave it out, or for a model with"):
        load_model(str(policy), kind="implicit", head="v_head")


@pytest.mark.parametrize("name", VALUES)
def test_the_command_line_names_flags(
    name: str, policy: Path, pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flag = f"--{name.replace('_', '-')}"
    given = COMMAND_LINE.get(name, [flag, str(VALUES[name])])
    done = command(capsys, "run", policy, *given, "-b", "pairs", "--data", pairs_file, "-o", tmp_path / "runs")
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert f"does not use {flag}: leave it out, or " in line
    assert ("--kind comparator" if name in COMPARATOR_OPTIONS else "--ref-model") in line
    assert not (tmp_path / "runs").exists()


def test_a_language_model_without_a_head_has_three_ways(
    policy: Path, pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = command(capsys, "run", policy, "-b", "pairs", "--data", pairs_file, "-o", tmp_path / "runs")
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert "policy is a language model and has no trained weights for score.weight, so its scores would be" in line
    ways = ["--head logit:", "--ref-model", "--kind comparator"]
    assert [way for way in ways if way.partition(" ")[0] in line and way.rpartition(" ")[2].rstrip(":") in line] == ways
    assert not (tmp_path / "runs").exists(), "it was refused before it scored anything"


def test_the_three_ways_work(
    policy: Path, pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make_checkpoint(tmp_path / "base", "causal", seed=5)
    rows = [json.loads(line) for line in pairs_file.read_text().splitlines()][:2]
    (tmp_path / "two.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for way in (["--head", "logit:A"], ["--ref-model", base], ["--kind", "comparator", "--min-label-mass", 0]):
        arguments = ["-b", "pairs", "--data", tmp_path / "two.jsonl", "-o", tmp_path / "runs"]
        done = command(capsys, "run", policy, *way, *arguments)
        assert done.code == 0, done.err
