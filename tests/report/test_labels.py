"""Names in pictures: no formulas, on one line, cut where they are long, and none is left out."""

from __future__ import annotations

import json
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import rmeval
from rmeval.importers.run import import_scores
from rmeval.report.figures.analysis import draw_analysis
from rmeval.report.figures.comparison import draw_compared
from rmeval.report.figures.style import label
from tests.samples import pair_rows

FORMULAS = ["$\\frac{1}{$", "$$", "$\\mathrm{x", "a^b_{c", "back\\slash 5%", "_hidden"]
OTHERS = ["\x1b]0;x\x07", "two\nlines", "n" * 200, "a-->b", "שלום"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of models with such names on subsets with such names."""
    folder = tmp_path_factory.mktemp("labels")
    names = [*FORMULAS, *OTHERS]
    rows = [row | {"id": n, "subset": names[n % len(names)]} for n, row in enumerate(pair_rows(44))]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    benchmark = rmeval.load_benchmark("pairs", str(folder / "data.jsonl"))
    for place, name in enumerate(names):
        scores = [{"item_id": n, "response": k, "score": (n + place) % 3 - k} for n in range(44) for k in (0, 1)]
        (folder / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in scores))
        import_scores(folder / "scores.jsonl", benchmark, folder / "runs", name=name)
    return folder / "runs"


def texts(path: Path) -> str:
    """What an SVG says in the comments before its letters; it is XML that can be read."""
    ET.fromstring(path.read_text())
    return path.read_text()


def test_comparisons(runs: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (path,) = draw_compared(rmeval.compare([runs]), tmp_path, ending="svg")
    found = texts(path)
    for name in FORMULAS:
        assert f"<!-- {label(name)} -->" in found, name
    for shown in ("\\x1b]0;x\\x07", "two\\nlines", f"{'n' * 22}\N{HORIZONTAL ELLIPSIS}{'n' * 21}"):
        assert f"<!-- {shown} -->" in found, shown


@pytest.mark.parametrize("model", ["1", "two-lines"])
def test_analyses(runs: Path, tmp_path: Path, model: str) -> None:
    folder = next(path for path in (runs / "pairs").iterdir() if model in path.name)
    found = rmeval.analyze(folder)
    assert len(draw_analysis(found, tmp_path, ending="svg")) == 3
    name = label(found.manifest["model"]["name"])
    assert f"<!-- {name} -->" in texts(tmp_path / "length.svg"), "the legend has it"
    assert f"<!-- {name} on pairs" in texts(tmp_path / "scores.svg")
    assert "<!-- two\\nlines (4 + 4) -->" in texts(tmp_path / "scores.svg")


def test_a_name_that_begins_with_a_line_is_in_the_legend(runs: Path, tmp_path: Path) -> None:
    folder = next(path for path in (runs / "pairs").iterdir() if "hidden" in path.name)
    draw_analysis(rmeval.analyze(folder), tmp_path, ending="svg")
    assert "<!--  _hidden -->" in texts(tmp_path / "length.svg")


def test_labels_are_short() -> None:
    for name in ("x" * 10_000, "\x1b" * 10_000, "\u202e模" * 5000):
        assert len(label(name)) == 44
        assert len(label(name, 24)) == 24
    assert label("x" * 44) == "x" * 44
    assert label("$a$") == "$a$"
