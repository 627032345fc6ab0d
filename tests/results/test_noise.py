"""The noise of margins: its formula, what is counted, and that a run folder states it without a model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.metrics.noise import within_noise
from rmeval.results.noise import noise_note, noise_of
from rmeval.results.result import derive
from rmeval.types import Comparison, Evidence, Item, Message, Response
from tests.command import process

SESSION = {
    "prefix_sharing": {"tokens": 9, "largest_difference": 2e-7, "plain_spread": 3e-7},
    "readout": {"read": "score at the last token", "difference": 1e-7},
}


def manifest(*sessions: Any, kind: str = "classifier", **identity: Any) -> dict[str, Any]:
    return {"model": {"name": "m", "kind": kind}, "identity": identity, "sessions": list(sessions)}


@pytest.mark.parametrize(
    ("made", "noise"),
    [
        (manifest(SESSION), 1.2e-6),
        (manifest({"prefix_sharing": "off: it has an encoder", "readout": {"difference": 0.25}}), 1.0),
        (manifest(SESSION, {"prefix_sharing": {"plain_spread": 0.5}}), 2.0),
        (manifest(SESSION, scale=-2.0), 2.4e-6),
        (manifest(SESSION, reduce="difference"), 2.4e-6),
        (manifest(SESSION, head="logit:YES-NO"), 2.4e-6),
        (manifest(SESSION, head="logit:YES"), 1.2e-6),
        (manifest(SESSION, reduce="weights:1,-3", scale=0.5), 2.4e-6),
        (manifest(SESSION, reduce="mean"), 1.2e-6),
        (manifest(SESSION, kind="implicit"), None),
        (manifest(kind="imported"), None),
        (manifest({}, {"prefix_sharing": "off: it was not asked for"}), None),
    ],
)
def test_the_formula(made: dict[str, Any], noise: float | None) -> None:
    assert noise_of(made) == (None if noise is None else pytest.approx(noise))


def item(name: str, subset: str, comparisons: tuple[Comparison, ...], count: int = 2) -> Item:
    responses = tuple(Response(f"{name} {k}") for k in range(count))
    return Item(name, subset, (Message("user", "q"),), responses, comparisons, name)


def test_what_is_counted() -> None:
    pair, human_tie = Comparison((0, 1), 0), Comparison((0, 1), None)
    best = Comparison((0, 1, 2), 1)
    scores = {
        "tie": ("chat", (pair,), [1.0, 1.0]),
        "won barely": ("chat", (pair,), [1.0 + 2**-20, 1.0]),
        "lost barely": ("chat", (pair,), [1.0, 1.0 + 2**-20]),
        "just outside": ("chat", (pair,), [1.0 + 2**-19, 1.0]),
        "missing": ("chat", (pair,), [math.nan, 1.0]),
        "infinite": ("chat", (pair,), [math.inf, math.inf]),
        "no winner": ("chat", (human_tie,), [1.0 + 2**-20, 1.0]),
        "best of three": ("maths", (best,), [1.0, 1.0 + 2**-20, 0.5]),
        "two ways": ("maths", (pair, pair), [1.0, 1.0 + 2**-20]),
        "clear": ("code", (pair,), [2.0, 1.0]),
    }
    items = [item(name, subset, own, len(values)) for name, (subset, own, values) in scores.items()]
    evidence = {name: Evidence(name, "score", np.array(values)) for name, (_, _, values) in scores.items()}
    table = EvidenceTable.of(ItemTable.of(items), evidence)
    assert within_noise(table, 2**-20) == {"chat": 2, "maths": 3}
    assert within_noise(table, 2**-19) == {"chat": 3, "maths": 3}
    assert within_noise(table, 0.0) == {}
    assert noise_note({"chat": 2, "maths": 3}, 2**-20) == (
        "within noise: 5 comparisons (maths 3, chat 2) with a margin above 0 and at most 9.5e-07, which, like ties, "
        "may be decided differently on another machine"
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> rmeval.Result:
    return rmeval.evaluate("rmeval/tiny", "rm-bench-synthetic", size=24, out=tmp_path_factory.mktemp("runs"))


def test_a_run_states_its_noise(run: rmeval.Result) -> None:
    assert run.noise is not None
    assert 0 < run.noise < 1e-4
    stored = json.loads((run.path / "metrics.json").read_text())
    assert (stored["noise"], stored["within_noise"]) == (run.noise, run.within_noise)
    opened = rmeval.open_run(run.path)
    assert (opened.noise, opened.within_noise, opened.notes) == (run.noise, run.within_noise, run.notes)
    assert derive(run.path).within_noise == run.within_noise


WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; sys.argv[0] = 'rmeval'; from rmeval.cli import main; main()"


def test_show_prints_the_count_without_a_model(run: rmeval.Result, tmp_path: Path) -> None:
    """Recorded differences of the size of bfloat16's make more comparisons uncertain, and no number changes."""
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(run.path, folder)
    made = json.loads((folder / "run.json").read_text())
    del made["sha256"]
    made["sessions"][0]["prefix_sharing"]["plain_spread"] = 0.05
    (folder / "run.json").write_text(json.dumps(made))
    (folder / "metrics.json").unlink()
    done = process("-c", WITHOUT_TORCH, "show", folder, COLUMNS="400")
    assert done.returncode == 0, done.stderr
    assert "within noise: " in done.stdout
    assert "with a margin above 0 and at most 0.2, which, like ties, may be decided" in " ".join(done.stdout.split())
    noisy = derive(folder)
    assert noisy.within_noise is not None
    assert noisy.within_noise > (run.within_noise or 0)
    assert noisy.records == run.records


def test_imported_scores_have_no_noise(pairs_file: Path, tmp_path: Path) -> None:
    result = rmeval.evaluate("baseline:longest", "pairs", pairs_file, out=tmp_path / "runs")
    assert (result.noise, result.within_noise) == (None, None)
    assert not any("within noise" in note for note in result.notes)
