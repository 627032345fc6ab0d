from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

import rmeval
from rmeval.errors import RunError
from rmeval.report.figures.matrix import draw_matrix
from tests.command import command

MAGIC = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> rmeval.Result:
    out = tmp_path_factory.mktemp("runs")
    return rmeval.evaluate("baseline:markdown", "rm-bench-synthetic", out=out, size=40)


@pytest.mark.parametrize("ending", sorted(MAGIC))
def test_formats(run: rmeval.Result, ending: str, tmp_path: Path) -> None:
    draw_matrix(run, tmp_path / f"m.{ending}")
    assert (tmp_path / f"m.{ending}").read_bytes().startswith(MAGIC[ending])


def test_the_picture_holds_the_numbers_and_is_the_same_each_time(run: rmeval.Result, tmp_path: Path) -> None:
    from matplotlib import rc_context

    with rc_context():
        for name in ("a.svg", "b.svg"):
            draw_matrix(run, tmp_path / name)
        draw_matrix(run, tmp_path / "dark.svg", "dark")
    first = (tmp_path / "a.svg").read_text()
    assert first == (tmp_path / "b.svg").read_text()
    assert first != (tmp_path / "dark.svg").read_text()
    # Glyphs are drawn as paths, each text preceded by a comment that holds it.
    ET.fromstring(first)
    title = "baseline:markdown on rm-bench-synthetic: accuracy in %"
    for text in (title, "66.7", "100.0", "0.0", "all domains", "safety"):
        assert f"<!-- {text} -->" in first, text


def test_of_several_scores_the_one_that_is_drawn_is_named(run: rmeval.Result, tmp_path: Path) -> None:
    several = replace(run, records=(*run.records, *(replace(one, variant="other") for one in run.records)))
    draw_matrix(several, tmp_path / "m.svg")
    title = "baseline:markdown on rm-bench-synthetic by score: accuracy in %"
    assert f"<!-- {title} -->" in (tmp_path / "m.svg").read_text()


def test_what_cannot_be_drawn_is_said(
    run: rmeval.Result, pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = rmeval.evaluate("baseline:longest", "pairs", pairs_file, out=tmp_path)
    with pytest.raises(RunError, match="has no style-substance matrix"):
        draw_matrix(other, tmp_path / "m.png")
    with pytest.raises(RunError, match=r"use a name that ends in \.png, \.svg, \.pdf"):
        draw_matrix(run, tmp_path / "m.gif")
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"figures cannot be written into .* is a file"):
        draw_matrix(run, tmp_path / "file" / "m.png")
    rmeval.evaluate("baseline:shortest", "pairs", pairs_file, out=tmp_path)
    several = command(capsys, "show", tmp_path, "--plot", tmp_path / "m.png")
    assert (several.code, "name one of them for --plot" in several.err) == (2, True)
    drawn = command(capsys, "show", run.path, "--plot", tmp_path / "m.png", "--dark")
    assert drawn.code == 0
    assert "drawn" in drawn.err
