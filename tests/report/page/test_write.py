"""The files of a report, for each kind of run."""

from __future__ import annotations

import csv
import json
import re
import resource
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import rmeval
from rmeval.errors import RunError
from rmeval.report import run_view, write_report
from rmeval.report.cells import Number, value_text
from tests.http_server import serve
from tests.judge_server import judged_pairs, scripted_judge
from tests.report.page.samples import EVIL, hostile_runs
from tests.report.test_model_names import NAMES, write_runs


class Page(HTMLParser):
    """The texts of a page outside style, its headings, and everything that could run or load something."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.inside: list[str] = []
        self.text = ""
        self.active: list[str] = []
        self.headings: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.marked: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name == "href" and tag == "a":
                self.links.append(value or "")
            elif (
                name.startswith("on") or name in ("style", "src", "srcdoc", "action") or "javascript:" in (value or "")
            ):
                self.active.append(f"{tag} {name}")
        if tag in ("script", "iframe", "object", "embed", "base", "form", "img"):
            self.active.append(tag)
        if tag in ("meta", "link", "br", "input"):
            self.inside.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.inside:
            return
        self.text += data
        if self.inside and self.inside[-1] in ("h1", "h2", "h3"):
            self.headings.append(data)
        if "mark" in self.inside:
            self.marked.append(data)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> tuple[rmeval.Result, Path]:
    """A run with a style-substance matrix, and its report."""
    out = tmp_path_factory.mktemp("matrix")
    run = rmeval.evaluate("baseline:markdown", "rm-bench-synthetic", out=out / "runs", size=40)
    write_report(run, out / "report", command="rmeval report runs -o report")
    return run, out / "report"


def test_one_run_has_all_files(matrix: tuple[rmeval.Result, Path]) -> None:
    folder = matrix[1]
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"report.html", "report.md", "report.tex", "tables/rm-bench-synthetic/run-levels.csv"} <= names
    for kind in ("numbers", "parts", "styles", "verbosity", "refusals", "scores", "calibration"):
        for ending in ("svg", "png"):
            assert f"figures/rm-bench-synthetic-{kind}.{ending}" in names
    page = Page(folder / "report.html")
    assert page.active == []
    assert page.headings[:3] == ["Reward models on rm-bench-synthetic", "rm-bench-synthetic", "baseline:markdown"]
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_numbers_are_those_of_the_views(matrix: tuple[rmeval.Result, Path]) -> None:
    run, folder = matrix
    text = Page(folder / "report.html").text
    cells = [c for table in run_view(run).tables for row in table.rows for c in row.cells if isinstance(c, Number)]
    assert len(cells) > 20
    for cell in cells:
        assert value_text(cell) in text
    with (folder / "tables/rm-bench-synthetic/run-levels.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert float(rows["chat"]["Hard"]) == run.value("hard", "chat")
    assert rows["chat"]["model"] == "baseline:markdown"


def test_the_method_and_the_commands_are_stated(matrix: tuple[rmeval.Result, Path]) -> None:
    run, folder = matrix
    for name in ("report.html", "report.md"):
        text = (folder / name).read_text().replace("\\", "")
        for part in (
            f"rmeval {rmeval.__version__}",
            "rmeval report runs -o report",
            f"rmeval show {run.path}",
            "rmeval run baseline:markdown -b rm-bench-synthetic --set size=40 --set languages=en -o",
            run.records[0].formula,
            "a tie counts as lost",
            run.manifest["identity"]["contents"],
            "baseline:markdown@1",
        ):
            assert part in text, (name, part)


def test_the_command_makes_the_same_run_again(
    matrix: tuple[rmeval.Result, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shlex

    from rmeval.report.page.method import run_command
    from tests.command import command

    words = shlex.split(run_command(matrix[0]))
    done = command(capsys, *words[1:-1], tmp_path / "again")
    assert done.code == 0, done.err
    (again,) = (tmp_path / "again").rglob("run.json")
    assert again.parent.name == matrix[0].path.name


def test_equal_runs_give_equal_bytes(matrix: tuple[rmeval.Result, Path], tmp_path: Path) -> None:
    run, folder = matrix
    for path in write_report(run, tmp_path / "again", command="rmeval report runs -o report"):
        assert path.read_bytes() == (folder / path.relative_to(tmp_path / "again")).read_bytes(), path


def test_several_models_are_compared_and_benchmarks_too(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", NAMES[:3])
    for name in ("longest", "shortest"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=tmp_path / "runs", size=40)
        rmeval.evaluate(f"baseline:{name}", "pairs", tmp_path / "runs.jsonl", out=tmp_path / "runs")
    write_report(tmp_path / "runs", tmp_path / "report", examples=1, title="Five models", figures=False)
    page = Page(tmp_path / "report/report.html")
    assert page.headings[0] == "Five models"
    assert page.headings.count("Comparison of models") == 2
    assert "All benchmarks" in page.headings
    # The best model comes first.
    place = page.headings.index(NAMES[0])
    assert place < page.headings.index(NAMES[2])
    assert "discordant" in page.text
    assert page.marked
    with (tmp_path / "report/tables/pairs/run-numbers.csv").open() as file:
        assert len({row["model"] for row in csv.DictReader(file)}) == 5
    assert len(page.ids) == len(set(page.ids))


def test_a_judge_with_failures(tmp_path: Path) -> None:
    known = judged_pairs(60, tmp_path / "pairs.jsonl", seed=1)
    with serve(scripted_judge(known, accuracy=0.7, position_bias=0.3, failure_rate=0.1, seed=3)) as server:
        rmeval.evaluate(
            server.url, "pairs", tmp_path / "pairs.jsonl", protocol="five-way", out=tmp_path / "runs", store_text=True
        )
    write_report(tmp_path / "runs", tmp_path / "report")
    page = Page(tmp_path / "report/report.html")
    for part in (
        "not publishable",
        "outputs without a verdict, by status",
        "order of responses, over all comparisons",
        "verdict depends on the order",
        "I cannot decide between the two of them.",
        "five-way@1",
    ):
        assert part in page.text, part
    assert not list((tmp_path / "report/figures").glob("*scores*"))
    assert list((tmp_path / "report/figures").glob("*calibration.svg"))


def test_candidates_of_best_of_n(tmp_path: Path) -> None:
    rows = [
        {
            "id": str(n),
            "prompt": f"{n}?",
            "responses": [f"{'a' * (n * k % 5 + 1)}" for k in range(4)],
            "gold": [1, 0, 0, 1],
        }
        for n in range(8)
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("longest", "random"):
        rmeval.evaluate(f"baseline:{name}", "best-of-n", tmp_path / "data.jsonl", out=tmp_path / "runs")
    write_report(tmp_path / "runs", tmp_path / "report")
    assert (tmp_path / "report/figures/best-of-n-curves.svg").exists()
    assert "best picked" in Page(tmp_path / "report/report.html").text


def test_an_unfinished_run_and_one_without_scores(tmp_path: Path) -> None:
    runs = write_runs(tmp_path / "runs", NAMES[:2])
    first, second = sorted(path.parent for path in runs.rglob("run.json"))
    for folder in (first, second):
        manifest = json.loads((folder / "run.json").read_text())
        manifest = {key: value for key, value in manifest.items() if key != "sha256"} | {"status": "running"}
        (folder / "run.json").write_text(json.dumps(manifest))
    for path in [*(second / "journal").iterdir(), second / "metrics.json", second / "scores.parquet"]:
        path.unlink(missing_ok=True)
    write_report(runs, tmp_path / "report", figures=False)
    text = Page(tmp_path / "report/report.html").text
    assert "is unfinished: its numbers are of the items that it has scored" in text
    assert "a run is excluded" in text


def test_a_damaged_run_is_left_out_and_named(tmp_path: Path) -> None:
    runs = write_runs(tmp_path / "runs", NAMES[:2])
    broken = min(path.parent for path in runs.rglob("run.json"))
    (broken / "run.json").write_text("{")
    write_report(runs, tmp_path / "report", figures=False)
    assert "a run is excluded" in Page(tmp_path / "report/report.html").text
    with pytest.raises(RunError, match="is damaged"):
        write_report(broken, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_run_of_a_benchmark_that_is_not_installed_is_left_out(tmp_path: Path) -> None:
    runs = [
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", size=24, out=tmp_path / "runs").path
        for name in ("longest", "shortest")
    ]
    fields = json.loads((runs[0] / "run.json").read_text())
    del fields["sha256"]
    fields["benchmark"] |= {"spec": "other-package", "id": "other-package"}
    (runs[0] / "run.json").write_text(json.dumps(fields))
    (runs[0] / "metrics.json").unlink()
    write_report(tmp_path / "runs", tmp_path / "report", figures=False)
    text = Page(tmp_path / "report/report.html").text
    assert "a run is excluded: there is no benchmark 'other-package'" in text
    assert "baseline:shortest" in text


def test_examples_are_as_many_as_wanted(tmp_path: Path) -> None:
    runs = hostile_runs(tmp_path / "x")
    for count, there in ((0, False), (2, True)):
        write_report(runs, tmp_path / str(count), examples=count, figures=False)
        assert ("misjudged:" in Page(tmp_path / f"{count}/report.html").text) == there
    with pytest.raises(RunError, match="`examples` must be 0 or more"):
        write_report(runs, tmp_path / "y", examples=-1)


def test_without_matplotlib_there_are_no_figures(
    matrix: tuple[rmeval.Result, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    monkeypatch.setattr(sys, "meta_path", [one for one in sys.meta_path if "PathFinder" not in repr(one)])
    paths = write_report(matrix[0], tmp_path / "report")
    monkeypatch.undo()
    assert not [path for path in paths if path.suffix in (".svg", ".png")]
    page = Page(tmp_path / "report/report.html")
    assert "there are no figures, because matplotlib is missing: pip install 'rmeval[plots]'" in page.text
    assert "baseline:markdown" in page.headings


def test_only_a_report_is_replaced(matrix: tuple[rmeval.Result, Path], tmp_path: Path) -> None:
    run, _ = matrix
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="is a file: give a folder with `out`"):
        write_report(run, tmp_path / "file")
    for overwrite in (False, True):
        with pytest.raises(RunError, match="has other files in it: give a new folder"):
            write_report(run, tmp_path, overwrite=overwrite)
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    write_report(run, tmp_path / "empty", examples=0, figures=False)
    with pytest.raises(RunError, match="has a report in it: give another folder with `out`, or `overwrite`"):
        write_report(run, tmp_path / "empty", examples=0, figures=False)
    (tmp_path / "empty/tables/old.csv").write_text("old")
    write_report(run, tmp_path / "empty", examples=0, figures=False, overwrite=True)
    assert not (tmp_path / "empty/tables/old.csv").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"file", "empty"}


def test_a_full_disk_leaves_nothing_behind(matrix: tuple[rmeval.Result, Path], tmp_path: Path) -> None:
    """A limit on file size stops writes, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(RunError, match=r"there is no space left to write|cannot be written \(File too large\)"):
            write_report(matrix[0], tmp_path / "report")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_hostile_names_and_texts_stay_text(tmp_path: Path) -> None:
    runs = hostile_runs(tmp_path / "x")
    write_report(runs, tmp_path / "report", title=EVIL, command=f"rmeval report {EVIL!r}")
    page = Page(tmp_path / "report/report.html")
    assert page.active == []
    assert {link[:1] for link in page.links} == {"#"}
    assert "<script>alert(1)</script> [red] \\x1b[31m \\u202e \\input{/etc/passwd}" in page.text
    assert "\\end{tabular}" in page.text
    assert "characters left out" in page.text  # Of the answer of 2 MB.
    for path in (tmp_path / "report").rglob("*"):
        if path.suffix in (".html", ".md", ".tex", ".csv"):
            raw = path.read_text()
            assert "\x1b" not in raw, path
            assert "\u202e" not in raw, path
            assert len(raw) < 6_000_000, path
    markdown = (tmp_path / "report/report.md").read_text()
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    assert not re.search(r"<(script|a|img src=\"http)", rendered)
    tex = (tmp_path / "report/report.tex").read_text()
    assert "\\input" not in tex
    assert tex.count("\\end{document}") == 1
    csv.field_size_limit(10_000_000)
    for path in (tmp_path / "report/tables").rglob("*.csv"):
        for row in csv.reader(path.read_text().splitlines()):
            assert not [cell for cell in row if cell.startswith(("=", "@"))], path
