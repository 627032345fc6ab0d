"""Labels of models with long names, and tables that hold at any width."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from pathlib import Path

import pytest
from rich.console import Console

import rmeval
from rmeval.importers.run import import_scores
from rmeval.report.comparison import comparison_view
from rmeval.report.html import html_text
from rmeval.report.json_ import json_value
from rmeval.report.labels import short_labels
from rmeval.report.latex import latex_text
from rmeval.report.markdown import markdown_text
from rmeval.report.terminal import new_grid, rendered, views_text
from tests.samples import pair_rows

NAMES = (
    "research-group-one/Very-Long-Model-Name-27B-v0.2",
    "research-group-one/Very-Long-Model-Name-27B-v0.2-preview",
    "another-organisation/Some-3.1-Thing-3-8B-Reward-Model-Full",
    "third-technologies/ABC-ORM-Thing3.1-70B-Preference",
    "fourth-research/Some-3.1-Other-70B-Reward-HF",
    "fifth-uploads/ABC-Some-3.1-8B-Instruct-Scale",
    "sixth-checkpoints/DEF-Some3.2-3B-rewardmodel-ft-v2",
    "seventh-community/ghilm2-20b-reward-sft-mixed-v1.5",
)


def write_runs(out: Path, names: tuple[str, ...] = NAMES, count: int = 40) -> Path:
    """Imported runs of models of falling quality on the same pairs."""
    out.mkdir(parents=True, exist_ok=True)
    data = out.parent / f"{out.name}.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in pair_rows(count)))
    benchmark = rmeval.load_benchmark("pairs", str(data))
    for place, name in enumerate(names):
        drawn = random.Random(place)
        rows = [
            {"item_id": str(n), "response": k, "score": drawn.gauss((2 - place / 4) * (1 - k), 1)}
            for n in range(count)
            for k in (0, 1)
        ]
        (out.parent / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        import_scores(out.parent / "scores.jsonl", benchmark, out, name=name)
    return out


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_runs(tmp_path_factory.mktemp("names") / "runs")


def test_short_names_are_their_own_labels() -> None:
    assert short_labels(["baseline:longest", "org/small"]) == ["baseline:longest", "org/small"]


def test_a_name_is_shortened_to_its_end() -> None:
    names = ["some-long-organisation/Tiny-RM", "another-long-organisation/Big-RM"]
    assert short_labels(names) == ["Tiny-RM", "Big-RM"]
    names = ["org/Long-Reward-Model-V2-Qwen3-0.6B", "org/Long-Reward-Model-V2-Llama-3.1-8B", "baseline:longest"]
    assert short_labels(names) == ["Qwen3-0.6B", "Llama-3.1-8B", "baseline:longest"]
    again = [f"a-long-organisation/a-long-reward-model ({run})" for run in ("0a1b2c", "3d4e5f")]
    assert short_labels(again) == ["0a1b2c", "3d4e5f"]
    steps = [f"runs/my-reward-model/checkpoint-{step}" for step in (500, 1000)]
    assert short_labels(steps) == ["checkpoint-500", "checkpoint-1000"]
    steps = [f"my-own-long-reward-model-step-{step}" for step in (500, 1000)]
    assert short_labels(steps) == ["step-500", "step-1000"], "a number alone would be no name"
    again = [f"a-long-organisation/reward-model ({run})" for run in ("012345", "678901")]
    assert short_labels(again) == ["model (012345)", "model (678901)"]
    # One of these names begins the other.
    assert short_labels(["org/Very-Long-Model-Name-27B", "org/Very-Long-Model-Name-27B-x"]) == ["27B", "27B-x"]


def test_long_names_are_letters() -> None:
    assert short_labels(NAMES) == list("ABCDEFGH")
    assert short_labels([NAMES[0], "baseline:longest"]) == ["A", "baseline:longest"]
    assert short_labels([*NAMES[:2], "A"]) == ["v0.2", "v0.2-preview", "A"]
    assert short_labels([*NAMES[1:4], "A", "C"]) == ["B", "D", "E", "A", "C"]
    assert short_labels(["A", "same", "same"]) == ["A", "B", "C"], "as names do that differ in secrets"
    many = [f"{'x' * 30}{n}y" for n in range(60)]
    labels = short_labels(many)
    assert (labels[25:28], labels[52], len(set(labels))) == (["Z", "AA", "AB"], "BA", 60)


def test_files_of_values_have_full_names(runs: Path) -> None:
    (found,) = rmeval.compare([runs])
    view = comparison_view(found)
    rows = json_value([view])[0]["rows"]
    assert {row["name"] for row in rows if row["table"] == "ranking" and "null" not in row["name"]} == set(NAMES)
    assert all(name in row for row in rows if row["table"] == "numbers" for name in NAMES)
    first, second = (entry.name for entry in found.entries[:2])
    assert f"{first} - {second}" in {row["name"] for row in rows if row["table"] == "differences"}
    for text in (markdown_text([view]), latex_text([view]), views_text([view]), html_text([view])):
        assert all(text.replace("\\", "").count(name) >= 1 for name in NAMES)


@pytest.mark.parametrize("width", [40, 80, 100, 140])
def test_every_line_of_numbers_has_a_label(runs: Path, width: int) -> None:
    (found,) = rmeval.compare([runs])
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(rendered(comparison_view(found)), crop=False)
    text = console.export_text()
    for name in NAMES:
        assert re.search(rf"^[A-H]  {re.escape(name)} *$", text, re.MULTILINE), name
    lines = text.split("other numbers; ")[1].splitlines()
    numbers = [line for line in lines if re.search(r"\d\.\d", line)]
    assert all(line.startswith(("even ", "odd ")) for line in numbers)
    assert {line.split()[0] for line in numbers} == {"even", "odd"}
    shown = [re.sub(r"\s+[a-h]*", " ", line) for line in numbers]
    assert sum(len(re.findall(r"\d\.\d", line)) for line in shown) == 16
    assert max(map(len, (line.rstrip() for line in numbers))) <= width


def test_columns_that_do_not_fit_are_in_further_blocks() -> None:
    grid = new_grid("", *(f"column{n}" for n in range(6)))
    grid.add_row("name", *(f"{n}.0" for n in range(6)))
    console = Console(width=26, file=io.StringIO(), record=True)
    console.print(grid)
    lines = [line.split() for line in console.export_text().splitlines()]
    assert lines == [
        ["column0", "column1"],
        ["name", "0.0", "1.0"],
        [],
        ["column2", "column3"],
        ["name", "2.0", "3.0"],
        [],
        ["column4", "column5"],
        ["name", "4.0", "5.0"],
    ]


@pytest.mark.parametrize("width", [1, 10, 17])
def test_a_table_wider_than_the_terminal_keeps_its_first_column(width: int) -> None:
    grid = new_grid("", "number")
    grid.add_row("first-model", "45.7 37.3-54.4")
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(grid, crop=False)
    assert "first-model 45.7 37.3-54.4" in console.export_text()


def test_names_are_broken_between_words() -> None:
    grid = new_grid("model", "accuracy")
    for name in NAMES:
        grid.add_row(name, "45.7 37.3-54.4")
    console = Console(width=50, file=io.StringIO(), record=True)
    console.print(grid, crop=False)
    text = console.export_text()
    words = set(re.findall(r"[\w.]+", " ".join(NAMES)))
    shown = re.sub(r"45\.7 37\.3-54\.4|model +accuracy", "", text)
    assert set(re.findall(r"[\w.]+", shown)) == words


@pytest.mark.parametrize("name", ["0123456789abcdef" * 6, "模型/" + "很长的名字" * 8, "x" * 25 + " y"])
def test_words_without_end_leave_room_for_numbers(name: str) -> None:
    grid = new_grid("model", "accuracy", "items")
    grid.add_row(name, "45.7 37.3-54.4", "60")
    console = Console(width=60, file=io.StringIO(), record=True)
    console.print(grid, crop=False)
    text = console.export_text()
    assert "45.7 37.3-54.4" in text.splitlines()[1]
    assert text.splitlines()[1].rstrip().endswith("60")
    shown = re.sub(r"model|accuracy|items|45\.7 37\.3-54\.4|60(?=\s*$)|\s", "", text, flags=re.MULTILINE)
    assert shown == name.replace(" ", "")


def test_a_ranking_shows_long_names_in_full(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.command import command

    out = command(capsys, "show", runs).out
    assert all(name in out for name in NAMES)
    rows = list(csv.DictReader(io.StringIO(command(capsys, "show", runs, "--format", "csv").out)))
    assert {row["model"] for row in rows} == set(NAMES)
