"""What commands print on a terminal, at two widths, compared with the files in `golden/`.

`pytest tests/report/test_golden.py --rewrite-golden` writes the files anew; read their diff before you commit it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path

import pytest

import rmeval
from rmeval._version import __version__
from rmeval.importers.run import import_scores
from tests.benchmarks.test_ppe_preference import many, written
from tests.command import command, process
from tests.report.test_model_names import NAMES, write_runs
from tests.samples import pair_rows, reward_bench_rows, rm_bench_rows

GOLDEN = Path(__file__).parent / "golden"
WIDTHS = (80, 140)
CASES = {
    "show-synthetic": ("show", "runs/rm-bench-synthetic/baseline-longest"),
    "show-imported": ("show", "runs/pairs/imported"),
    "show-several": ("show", "runs"),
    "compare": ("compare", "runs"),
    "compare-margin": ("compare", "runs", "--margin", "20"),
    "compare-names": ("compare", "eight"),
    "compare-benchmarks": ("compare", "five"),
    "show-benchmarks": ("show", "five"),
    "analyze-synthetic": ("analyze", "runs/rm-bench-synthetic/baseline-longest"),
    "analyze-imported": ("analyze", "runs/pairs/imported"),
    "errors": ("errors", "runs/rm-bench-synthetic/baseline-longest", "--cell", "1:3", "--n", "2"),
    "errors-other": (
        *("errors", "runs/pairs/baseline-longest", "--n", "2", "--other", "runs/pairs/baseline-shortest"),
    ),
    "list-benchmarks": ("list", "benchmarks"),
}
HELP = {"help": ("--help",), "help-run": ("run", "--help")}
PIPED = ("compare-names", "show-benchmarks")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs of baselines, and one of imported scores of which some are missing and some are equal."""
    folder = tmp_path_factory.mktemp("golden")
    # Lines are broken where the whole path still counts, so its length must not depend on the number of test runs.
    folder /= "x" * max(1, 63 - len(str(folder)))
    folder.mkdir()
    data = folder / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in pair_rows(60)))
    for name in ("longest", "shortest", "random"):
        rmeval.evaluate(f"baseline:{name}", "pairs", data, out=folder / "runs", n_items=50)
    scores = [(n, k, (n * 7 % 11 - 5 * k) / 4) for n in range(60) for k in (0, 1) if (n, k) != (17, 1)]
    lines = [json.dumps({"item_id": str(n), "response": k, "score": score}) + "\n" for n, k, score in scores]
    (folder / "scores.jsonl").write_text("".join(lines))
    import_scores(folder / "scores.jsonl", rmeval.load_benchmark("pairs", str(data)), folder / "runs", name="imported")
    for name in ("longest", "markdown"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=folder / "runs", size=24)
    write_runs(folder / "eight", NAMES)
    (folder / "votes").mkdir()
    # Relative paths, because lines are broken before the folder's name is removed from them.
    with contextlib.chdir(folder):
        write_benchmarks(Path(), Path("five"))
    return folder


def write_benchmarks(folder: Path, out: Path) -> None:
    """Runs on five benchmarks, two of which are partial, one with a single run, and one with two data sets."""
    for name, start in (("helpful", 0), ("harmless", 60)):
        rows = pair_rows(100)[start : start + 40]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "rm").mkdir()
    for domain in ("chat", "math"):
        (folder / "rm" / f"{domain}_filtered.json").write_text(json.dumps(rm_bench_rows(domain, 12)))
    sections = {"alpacaeval-easy": 12, "mt-bench-easy": 12, "donotanswer": 12}
    (folder / "rb.jsonl").write_text("".join(json.dumps(row) + "\n" for row in reward_bench_rows(sections)))
    votes = written(folder / "votes", many(6))
    for model in ("longest", "shortest"):
        for benchmark, data in (("pairs", "helpful.jsonl"), ("pairs", "harmless.jsonl"), ("rm-bench", "rm")):
            rmeval.evaluate(f"baseline:{model}", benchmark, folder / data, out=out)
        rmeval.evaluate(f"baseline:{model}", "reward-bench", folder / "rb.jsonl", out=out)
        rmeval.evaluate(f"baseline:{model}", "rm-bench-synthetic", out=out, size=24)
    rmeval.evaluate("baseline:longest", "ppe-preference", votes, out=out)


def normalised(text: str, folder: Path) -> str:
    """A text without what differs from machine to machine: folders, identities, dates, the version, trailing spaces."""
    text = text.replace(f"{folder.resolve()}{os.sep}", "").replace(__version__, "VERSION")
    text = re.sub(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?", "DATE", text)
    text = re.sub(r"/[0-9a-f]{12}\b", "/IDENTITY", text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def terminal(width: int) -> dict[str, str]:
    """The environment of a terminal of this width without colours; rich ignores the width if there is no height."""
    return {"FORCE_COLOR": "1", "TERM": "dumb", "COLUMNS": str(width), "LINES": "50"}


def check(name: str, width: int, text: str, request: pytest.FixtureRequest) -> None:
    file = GOLDEN / f"{name}-{width}.txt"
    if request.config.getoption("rewrite_golden"):
        file.write_text(text)
    assert text == file.read_text()
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", CASES)
def test_output(
    name: str,
    width: int,
    place: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(place)
    for variable, value in terminal(width).items():
        monkeypatch.setenv(variable, value)
    done = command(capsys, *CASES[name])
    assert done.code == 0, done.err
    check(name, width, normalised(done.out, place), request)


@pytest.mark.parametrize("name", PIPED)
def test_piped(
    name: str,
    place: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(place)
    done = command(capsys, *CASES[name])
    assert done.code == 0, done.err
    check(name, 100, normalised(done.out, place), request)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", HELP)
def test_help(name: str, width: int, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    # Typer reads the width when it is imported.
    code = f"import sys; sys.argv = {['rmeval', *HELP[name]]}; from rmeval.cli import main; main()"
    done = process("-c", code, TERMINAL_WIDTH=str(width), PYTHONIOENCODING="utf-8", **terminal(width))
    assert done.returncode == 0, done.stderr
    check(name, width, normalised(done.stdout, tmp_path), request)


def test_each_file_has_a_case() -> None:
    names = {f"{name}-{width}.txt" for name in (*CASES, *HELP) for width in WIDTHS}
    names |= {f"{name}-100.txt" for name in PIPED}
    assert {path.name for path in GOLDEN.iterdir()} == names
