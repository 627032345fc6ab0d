"""More conversations than are scored together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import rmeval
from rmeval.models import prepare


def scores(result: rmeval.Result) -> np.ndarray:
    return pq.read_table(result.path / "scores.parquet")["score"].to_numpy()


def test_windows_change_nothing(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rmeval.evaluate(
        str(checkpoint), "rm-bench-synthetic", size=40, out=tmp_path / "whole", on_overlength="skip"
    )
    monkeypatch.setattr(prepare, "WINDOW", 50)
    parts = rmeval.evaluate(
        str(checkpoint), "rm-bench-synthetic", size=40, out=tmp_path / "parts", on_overlength="skip"
    )
    np.testing.assert_allclose(scores(whole), scores(parts), rtol=0, atol=1e-5)
    one, other = (json.loads((run.path / "run.json").read_text())["sessions"][0] for run in (whole, parts))
    assert one["rendered_sha256"] == other["rendered_sha256"]
    assert one["prefix_sharing"]["tokens"] == other["prefix_sharing"]["tokens"]
    assert one["prefix_sharing"]["distinct"] <= other["prefix_sharing"]["distinct"] < other["prefix_sharing"]["tokens"]


def test_what_is_too_long_is_found_before_anything_is_scored(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "WINDOW", 2)
    data = tmp_path / "p.jsonl"
    rows = [{"prompt": f"p{n}", "chosen": "a", "rejected": "b " * (2000 if n == 9 else 1)} for n in range(10)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(rmeval.errors.ModelError, match=r"exceeded by 1 conversation \(the longest, of item 9"):
        rmeval.evaluate(str(checkpoint), "pairs", data, out=tmp_path / "runs", max_length=500)
    assert not list((tmp_path / "runs").rglob("*.jsonl"))
