"""`rmeval plan`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rmeval
from rmeval.report.html import html_text
from rmeval.report.plan import plan_view
from tests.command import command

OPTIONS = ("plan", "--accuracy", "80", "--discordance", "20", "--difference", "2", "--width", "3")


def test_it_prints_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, *OPTIONS, "--models", "5", "--price-per-1000", "2.5", "--requests-per-item", "2")
    found = rmeval.plan(accuracy=0.8, discordance=0.2, difference=0.02, width=0.03, models=5)
    assert (done.code, done.err) == (0, "")
    number = found.goals[0].problems or 0
    row = next(line for line in done.out.splitlines() if line.startswith("to detect this difference"))
    assert row.split()[4:] == [
        f"{number:,}", "2.0", "80.0", f"{100 * found.goals[0].simulated:.1f}", f"{100 * found.goals[0].width:.1f}",
        f"{number:,}", f"{2 * number:,}", f"{2 * number * 2.5 / 1000:,.2f}",
    ]  # fmt: skip
    assert "5 models: 10 tests, corrected (Holm), each at a level of 0.5%" in done.out
    assert f"{number:,} problems" in done.out


def test_points_are_shares_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, *OPTIONS, "--json")
    found = json.loads(done.out)
    assert (found["accuracy"], found["difference"], found["tests"]) == (0.8, 0.02, 1)
    assert found == rmeval.plan(accuracy=0.8, discordance=0.2, difference=0.02, width=0.03).to_dict()
    rows = json.loads(command(capsys, *OPTIONS, "--format", "json").out)[0]["rows"]
    assert {row["table"] for row in rows} == {"assumptions", "goals", "curve"}
    assert [row["goal"] for row in rows if row["table"] == "goals"] == ["difference", "width"]


def test_files_and_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, *OPTIONS, "-o", tmp_path / "plan.md", "--plots", tmp_path / "plots", "--dark")
    assert (done.code, done.err) == (0, f"drawn: {tmp_path}/plots/plan.png\nwritten: {tmp_path}/plan.md\n")
    assert (tmp_path / "plots" / "plan.png").read_bytes().startswith(b"\x89PNG")
    assert "| to detect this difference |" in (tmp_path / "plan.md").read_text()
    none = command(capsys, "plan", "--discordance", "20", "--difference", ".001", "--plots", tmp_path)
    assert (none.code, "the plan has no curve to draw" in none.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--accuracy", "80"), "there is no goal: give --difference (the smallest difference that matters to you)"),
        (("--accuracy", "180", "--difference", "2"), "--accuracy must be above 0 and below 100, not 180"),
        (("--accuracy", "80", "--difference", "nan"), "--difference must be above 0 and below 100, not nan"),
        (("--accuracy", "80", "--width", "3", "--power", "20"), "--power must be at least 50%, not 20.0%"),
        (("--accuracy", "80", "--width", "3", "--models", "1"), "--models must be at least 2, not 1"),
    ],
)
def test_usage(options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "plan", *options)
    assert (done.code, done.out, said in done.err) == (2, "", True)
    assert done.err.count("\n") == 1


def test_notebooks_show_the_tables() -> None:
    found = rmeval.plan(discordance=0.2, difference=0.05)
    shown = found._repr_html_()
    assert shown is not None and "to detect this difference" in shown
    assert "simulated" in html_text([plan_view(found)])
    assert repr(found).splitlines()[0] == "plan from assumptions"
