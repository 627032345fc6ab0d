"""`rmeval report`."""

from __future__ import annotations

from pathlib import Path

import pytest

import rmeval
from tests.command import command, process


def test_a_report_is_written_and_states_its_command(
    pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rmeval.evaluate("baseline:longest", "pairs", pairs_file, out=tmp_path / "runs")
    words = ("report", tmp_path / "runs", "-o", tmp_path / "report", "--title", "A title", "--no-figures", "-n", "1")
    done = command(capsys, *words)
    assert (done.code, done.out) == (0, f"{tmp_path}/report/report.html\n"), done.err
    text = (tmp_path / "report/report.html").read_text()
    assert "<title>A title</title>" in text
    assert f"rmeval report {tmp_path}/runs -o {tmp_path}/report --title &#x27;A title&#x27; --no-figures -n 1" in text
    again = command(capsys, *words)
    assert (again.code, again.out) == (2, "")
    assert again.err.strip().endswith("has a report in it: give another folder with -o, or --overwrite to replace it")
    assert command(capsys, *words, "--overwrite").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere", "-o", "x"), "nowhere is not a run folder (it does not exist)"),
        ((".", "-o", "x"), "there are no runs in ."),
        (("runs", "-o", "file"), "file is a file: give a folder with -o"),
        (("runs", "-o", "file/x"), "file is a file: give a folder with -o"),
        (("runs", "-o", "x", "--rule", "none"), "'none' is not a score rule"),
        (("runs", "-o", "x", "--variant", "none"), "none"),
    ],
)
def test_bad_input_is_one_sentence(
    words: tuple[str, ...],
    said: str,
    pairs_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("in the way")
    if words[0] == "runs":
        rmeval.evaluate("baseline:longest", "pairs", pairs_file, out="runs")
    done = command(capsys, "report", *words)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert said in done.err
    assert not (tmp_path / "x").exists()


def test_torch_is_not_loaded(pairs_file: Path, tmp_path: Path) -> None:
    rmeval.evaluate("baseline:longest", "pairs", pairs_file, out=tmp_path / "runs")
    code = (
        "import sys; from rmeval.report import write_report; "
        f"write_report({str(tmp_path / 'runs')!r}, {str(tmp_path / 'out')!r}, figures=False); "
        "print('torch' in sys.modules)"
    )
    assert process("-c", code).stdout.strip() == "False"
