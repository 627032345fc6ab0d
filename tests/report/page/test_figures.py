"""Figures inside a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rmeval
from rmeval.report.figures.heat import draw_heat
from rmeval.report.figures.matrix import draw_matrix
from rmeval.report.page.figures import inline_svg


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> rmeval.Result:
    return rmeval.evaluate("baseline:markdown", "rm-bench-synthetic", out=tmp_path_factory.mktemp("runs"), size=40)


def test_a_figure_has_no_style_and_own_ids(run: rmeval.Result, tmp_path: Path) -> None:
    draw_matrix(run, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert 'style="' in text
    one, other = (inline_svg(text, name, "A & B") for name in ("one", "other"))
    assert "style" not in one
    assert "<!--" not in one
    assert "purl.org" not in one
    assert one.startswith('<svg role="img" aria-label="A &amp; B" viewBox="0 0 ')
    ids = set(re.findall(r' id="([^"]+)"', one))
    assert ids
    assert ids.isdisjoint(re.findall(r' id="([^"]+)"', other))
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', one))
    assert used
    assert used <= ids


def test_colours_are_those_of_the_theme_but_for_those_that_numbers_stand_on(run: rmeval.Result, tmp_path: Path) -> None:
    records = {(one.metric, one.scope): one for one in run.records}
    draw_heat({"m": records}, "title", tmp_path / "heat.svg")
    found = inline_svg((tmp_path / "heat.svg").read_text(), "heat", "")
    assert 'fill="var(--text)"' in found
    assert 'fill="var(--paper)"' in found
    assert 'fill="#1768ad"' in found  # A cell of 100%, with a white number in both themes.
    assert 'fill="#fefefe"' in found
    assert "#1f2328" not in found


def test_an_attribute_cannot_end_itself() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1" width="1pt" height="1pt">{}</svg>'
    found = inline_svg(svg.format('<g id="a&quot;&gt;&lt;script&gt;"><script>alert(1)</script></g>'), "x", '"><script>')
    assert "<script" not in found
    assert 'aria-label="&quot;&gt;&lt;script&gt;"' in found
