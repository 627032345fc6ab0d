"""Writing made-up files in the shapes in which others publish theirs, and importing them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rmeval.benchmarks import load_benchmark
from rmeval.importers.run import import_scores
from rmeval.results.result import Result, derive

Rows = Sequence[dict[str, Any]]


def written(file: Path, content: Any) -> Path:
    """Rows as JSON Lines or, as anything else, JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in content))
    else:
        file.write_text(json.dumps(content))
    return file


def brought(file: Path, benchmark: str, data: Path | None = None, **options: Any) -> Result:
    """A file imported; its numbers are the same read from the run folder."""
    found = load_benchmark(benchmark, None if data is None else str(data))
    result = import_scores(file, found, file.parent / "runs", items_from_scores=data is None, **options)
    again = derive(result.path)
    assert [record.value for record in again.records] == [record.value for record in result.records]
    assert again.notes == result.notes
    return result
