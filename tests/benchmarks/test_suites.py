from __future__ import annotations

import json
from pathlib import Path

import pytest

import rmeval
from rmeval.benchmarks import BUILTIN, find_benchmark, load_benchmark
from rmeval.benchmarks.suites import SUITES, Entry, expand
from rmeval.errors import DataError
from tests.command import command


def test_names_stand_for_benchmarks_each_once() -> None:
    assert expand(["pairs"]) == [Entry("pairs")]
    names = [entry.name for entry in expand(["reward-bench", "core", "core"])]
    assert names == ["reward-bench", "rm-bench", "reward-bench-2"]
    every = {entry.name for entry in expand(["all"])}
    assert every == set(BUILTIN) - {"pairs", "best-of-n", "rm-bench-synthetic"}
    assert set(SUITES["core"]) <= every
    assert expand(["mine.py:Mine", "rmb"]) == [Entry("mine.py:Mine"), Entry("rmb")]


def test_a_suite_runs_with_its_own_data_and_options(
    pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in pairs_file.read_text().splitlines()]
    renamed = [{"question": row["prompt"], "good": row["chosen"], "bad": row["rejected"]} for row in rows]
    (tmp_path / "prefs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in renamed))
    suite = tmp_path / "mine.yaml"
    suite.write_text(
        "about: before each release\n"
        "benchmarks:\n"
        "  - id: pairs\n"
        "    data: prefs.jsonl\n"
        "    columns: {prompt: question, chosen: good, rejected: bad}\n"
        "  - {id: rm-bench-synthetic, size: 40}\n"
    )
    done = command(capsys, "run", "baseline:longest", "-b", suite, "-o", tmp_path / "runs")
    assert done.code == 0, done.err
    assert "in short" in done.out
    manifests = [json.loads(path.read_text()) for path in (tmp_path / "runs").rglob("run.json")]
    assert {one["benchmark"]["id"] for one in manifests} == {"pairs", "rm-bench-synthetic"}
    (pairs,) = (tmp_path / "runs" / "pairs").rglob("run.json")
    assert rmeval.open_run(pairs.parent).record("accuracy").n_items == len(rows)
    # What the command line says of data goes before the suite.
    over = command(
        capsys, "run", "baseline:longest", "-b", suite, "--data", "pairs=nowhere.jsonl", "-o", tmp_path / "x"
    )
    assert (over.code, "there is no file nowhere.jsonl" in over.err) == (2, True)
    several = command(capsys, "items", suite)
    assert (several.code, "is a suite of 2 benchmarks: name one of them" in several.err) == (2, True)


def test_folders_named_after_benchmarks(
    rm_bench_folder: Path, pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "data"
    (root / "pairs").mkdir(parents=True)
    (root / "pairs" / "p.jsonl").write_text(pairs_file.read_text())
    (root / "rm-bench").symlink_to(rm_bench_folder)
    options = ["-b", "pairs", "-b", "rm-bench", "--data", root, "-o", tmp_path / "runs"]
    done = command(capsys, "run", "baseline:longest", *options)
    assert done.code == 0, done.err
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"pairs", "rm-bench"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"there is no file .*s\.yaml"),
        ("benchmarks: [a, b", r"s\.yaml line \d: broken YAML"),
        ("- rm-bench", "must contain a list under 'benchmarks'"),
        ("benchmarks: []", "must contain a list under 'benchmarks'"),
        ("benchmarks: [{data: x}]", "benchmark 1 must be a name, or a mapping with 'id'"),
        ("benchmarks: [{id: pairs, data: 3}]", "data of pairs must be a path or a hub id, not 3"),
        ("benchmarks: [pairs, pairs]", "pairs occurs twice"),
        ("benchmarks: [core]", "core is a suite: name its benchmarks, or give it beside this one with `benchmark`"),
        ("benchmarks: [other.yaml]", "other.yaml is a suite"),
        ("benchmarks: [{id: pairs, name: 1}]", "pairs has no option 'name'"),
        ("benchmarks: [{id: pairs, [1]: 2}]", "line 1: a key is not a string"),
        ("benchmarks: [{id: pairs, data: ''}]", "data of pairs must be a path or a hub id, not ''"),
    ],
)
def test_wrong_suites(text: str | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(DataError, match=message):
        expand([str(file)])


def test_files_of_code_are_found_from_the_suite_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "mine.py").touch()
    (tmp_path / "in" / "pairs").mkdir()
    (tmp_path / "in" / "s.yaml").write_text(
        "benchmarks: [{id: 'mine.py:Mine', data: pairs}, pairs, {id: rm-bench, data: no},"
        " {id: rmb, data: some/one}, {id: llmbar, data: some/one.json}]"
    )
    # Not what happens to be where the command is given.
    (tmp_path / "no").mkdir()
    monkeypatch.chdir(tmp_path)
    folder = Path("in")
    assert expand([str(folder / "s.yaml")]) == [
        Entry(str(folder / "mine.py:Mine"), str(folder / "pairs")),
        Entry("pairs"),
        Entry("rm-bench", str(folder / "no")),
        Entry("rmb", "some/one"),
        Entry("llmbar", str(folder / "some/one.json")),
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_what_a_file_says_of_a_benchmark_holds_for_its_bare_name(order: int, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("benchmarks: [{id: judgebench, data: some/one}]")
    assert expand([str(file), "judgebench"][::order]) == [Entry("judgebench", "some/one")]
    with pytest.raises(DataError, match="judgebench occurs twice: name each benchmark once"):
        expand([str(file), str(file)])


def test_an_option_that_a_benchmark_does_not_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("benchmarks: [{id: rm-bench, colour: red}]")
    done = command(capsys, "run", "baseline:longest", "-b", file, "-o", tmp_path / "runs")
    assert (done.code, "rm-bench has no option 'colour': leave it out" in done.err) == (2, True)


def test_the_list_says_what_is_verified(capsys: pytest.CaptureFixture[str]) -> None:
    listed = {row["id"]: row for row in json.loads(command(capsys, "list", "--json").out)}
    assert set(BUILTIN) <= set(listed)
    assert listed["pairs"]["verified"] == ""
    assert "scripts" in listed["rm-bench"]["verified"]
    shown = command(capsys, "list").out
    assert "verified" in shown
    assert "core: rm-bench, reward-bench, reward-bench-2" in shown


def test_the_page_of_benchmarks_has_each_as_its_card_says() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md").read_text()
    for name in BUILTIN:
        card = load_benchmark(name).card
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        items = f"{sum(card.counts.values()):,}" if card.counts else "any"
        assert [cell.strip() for cell in row.split("|")][3] == items
        assert row.endswith("| yes |" if card.verified else "| no |")
        assert not card.verified or f"* `{name}`: {card.verified}." in page


@pytest.mark.parametrize("name", ["RM-Bench", "rmbench", "rm_bench", "RM Bench", "rm-bench"])
def test_a_benchmark_in_other_letters(name: str) -> None:
    assert find_benchmark(name).name == "rm-bench"
    assert expand([name, "rm-bench"]) == [Entry("rm-bench")]


def test_names_that_differ_by_more_than_separators() -> None:
    assert find_benchmark("RewardBench2").name == "reward-bench-2"
    assert find_benchmark("rewardbench").name == "reward-bench"
    assert expand(["Core"]) == expand(["core"])
    for wrong, meant in {"rewardbnch": "reward-bench", "judge-bnch": "judgebench", "pair": "pairs"}.items():
        with pytest.raises(DataError, match=f"there is no benchmark '{wrong}': did you mean {meant}\\?"):
            find_benchmark(wrong)
    with pytest.raises(DataError, match="there is no benchmark 'mmlu': choose one of best-of-n, "):
        find_benchmark("mmlu")


def test_the_run_has_the_name_of_the_benchmark(
    rm_bench_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("RMBench", "rm-bench"):
        done = command(
            capsys, "run", "baseline:longest", "-b", name, "--data", rm_bench_folder, "-o", tmp_path / "runs"
        )
        assert done.code == 0, done.err
    (folder,) = (tmp_path / "runs" / "rm-bench" / "baseline-longest").iterdir()
    assert len(json.loads((folder / "run.json").read_text())["sessions"]) <= 2


def test_folders_for_some_of_the_benchmarks_only(
    rm_bench_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a folder of its own, a benchmark would read the files of the others."""
    root = tmp_path / "data"
    root.mkdir()
    (root / "RM-Bench").symlink_to(rm_bench_folder)
    options = ["run", "baseline:longest", "-b", "rm-bench", "-b", "reward-bench", "--data", root, "-o", tmp_path / "r"]
    done = command(capsys, *options)
    assert done.code == 2
    assert (
        f"{root} has a folder for rm-bench, but none for reward-bench: add one, give --data reward-bench=PLACE"
        in done.err
    )
    assert not (tmp_path / "r").exists()
    own = command(capsys, *options, "--data", f"RewardBench={tmp_path / 'none'}")
    assert (own.code, f"there is no file {tmp_path / 'none'}" in own.err) == (2, True)


def test_errors_of_one_of_several_benchmarks_name_it(
    pairs_file: Path, rm_bench_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text('{"a": 1}\n')
    done = command(
        *(capsys, "run", "baseline:longest", "-b", "rm-bench", "-b", "pairs", "-o", tmp_path / "runs"),
        *("--data", f"rm-bench={rm_bench_folder}", "--data", f"pairs={wrong}"),
    )
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "error: pairs: " in done.err
    assert str(wrong) in done.err
