"""Scoring a sample of a bundle's items again finds scores that were invented together with their numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import rmeval
from rmeval.results import Verification, bundle_run, verify_run
from rmeval.results.checks import Check, State
from rmeval.runs.rescore import Rescoring
from rmeval.types import Observation
from tests.command import command
from tests.forger import Forger, failing


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the model that comes with rmeval."""
    out = tmp_path_factory.mktemp("runs")
    run = rmeval.evaluate("rmeval/tiny", "rm-bench-synthetic", out=out, size=16, device="cpu").path
    bundle_run(run, out / "tiny.rmeval.zip")
    return out / "tiny.rmeval.zip"


def rescored(found: Verification) -> Check:
    return next(check for check in found.checks if check.name == "rescored")


def test_the_scores_of_the_model(bundle: Path) -> None:
    found = verify_run(bundle, further=Rescoring("rmeval/tiny", 6))
    assert found.holds
    assert "6 items scored again with rmeval/tiny, whose weights are those that the identity states" in (
        rescored(found).detail
    )


def test_invented_scores(bundle: Path, tmp_path: Path) -> None:
    """Better scores with all numbers computed again: nothing else can find them."""
    forger = Forger(bundle, tmp_path)
    forger.journal(lambda seen: replace(seen, values={"score": float(str(seen.values["score"])) + 3.0}))
    file = forger.submit()
    assert verify_run(file).holds
    assert failing(verify_run(file, further=Rescoring("rmeval/tiny", 6))) == {"rescored"}


def test_one_invented_score_is_found_if_its_item_is_drawn(bundle: Path, tmp_path: Path) -> None:
    forger = Forger(bundle, tmp_path)
    changed: list[str] = []

    def one_score(seen: Observation) -> Observation:
        if changed and changed[0] != seen.key:
            return seen
        changed.append(seen.key)
        return replace(seen, values={"score": -50.0})

    forger.journal(one_score)
    file = forger.submit()
    assert failing(verify_run(file, further=Rescoring("rmeval/tiny", 1_000))) == {"rescored"}


def test_another_model(bundle: Path) -> None:
    found = verify_run(bundle, further=Rescoring("baseline:longest", 4))
    assert rescored(found).state is State.WRONG
    assert "whose weights are not those that the identity states" in rescored(found).detail


def test_the_command_line(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "verify", bundle, "--rescore", 3, "--model", "rmeval/tiny")
    assert done.code == 0
    assert "3 items scored again" in done.out
    alone = command(capsys, "verify", bundle, "--rescore", 3)
    assert alone.code == 2
    assert "--rescore and --model need each other" in alone.err
