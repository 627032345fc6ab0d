"""The command line as a user meets it: what is printed, and one sentence with exit code 2 where something is wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.command import command, process, running
from tests.samples import rm_bench_rows

Capture = pytest.CaptureFixture[str]


def test_run_and_show_print_the_same(rm_bench_folder: Path, tmp_path: Path, capsys: Capture) -> None:
    done = command(
        capsys, "run", "baseline:longest", "-b", "rm-bench", "--data", rm_bench_folder, "-o", tmp_path / "runs"
    )
    assert done.code == 0, done.err
    for part in (
        "rm-bench  baseline:longest",
        "Easy",
        "Hard",
        "safety-refuse",
        "chosen \\ rejected",
        "overall",
        "markdown",
    ):
        assert part in done.out
    assert "chat 4 instead of 129" in done.out.replace("\n", " ")
    assert command(capsys, "show", tmp_path / "runs").out == done.out
    records = json.loads(command(capsys, "show", tmp_path / "runs", "--json").out)
    assert set(records[0]) == {
        *("benchmark", "variant", "rule", "metric", "scope", "value", "ci", "ci_method"),
        *("n_items", "n_clusters", "weight", "ties", "failures", "null", "formula"),
    }
    assert {(r["metric"], r["scope"]) for r in records} >= {("overall", "all"), ("hard", "math"), ("average", "all")}
    assert "half-ties@1" in command(capsys, "show", tmp_path / "runs", "--rule", "half-ties@1").out


def test_several_runs_are_a_table_best_first(pairs_file: Path, tmp_path: Path, capsys: Capture) -> None:
    for name in ("longest", "shortest"):
        command(capsys, "run", f"baseline:{name}", "-b", "pairs", "--data", pairs_file, "-o", tmp_path / "runs")
    done = command(capsys, "show", tmp_path / "runs")
    assert done.code == 0, done.err
    rows = [line.split()[0] for line in done.out.splitlines() if line.startswith(("model", "baseline"))]
    assert rows == ["model", "baseline:shortest", "baseline:longest"]
    assert command(capsys, "show", *(tmp_path / "runs" / "pairs").iterdir()).out == done.out
    several = command(capsys, "show", tmp_path / "runs", "--json")
    assert (several.code, "holds 2 runs: name one of them" in several.err) == (2, True)


def test_two_benchmarks_in_one_command(
    rm_bench_folder: Path, pairs_file: Path, tmp_path: Path, capsys: Capture
) -> None:
    done = command(
        capsys,
        *("run", "baseline:markdown", "-b", "rm-bench", "-b", "pairs", "-o", tmp_path / "runs"),
        *("--data", f"rm-bench={rm_bench_folder}", "--data", f"pairs={pairs_file}", "--subset", "chat"),
    )
    assert done.code == 2
    assert "there is no subset 'chat': choose from even, odd" in done.err
    assert done.out == "", "all data are read before anything is scored"
    assert (
        command(
            capsys,
            *("run", "baseline:markdown", "-b", "rm-bench", "-b", "pairs", "-o", tmp_path / "runs"),
            *("--data", f"rm-bench={rm_bench_folder}", "--data", f"pairs={pairs_file}", "--n-items", 3, "--seed", 1),
        ).code
        == 0
    )


def test_import_and_oracle(rm_bench_folder: Path, tmp_path: Path, capsys: Capture) -> None:
    done = command(capsys, "import", "--oracle", "-b", "rm-bench", "--data", rm_bench_folder, "-o", tmp_path / "runs")
    assert done.code == 0, done.err
    assert "100.0" in done.out
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps({"item_id": f"chat/{n}", "response": 0, "score": 1}) + "\n" for n in range(4)))
    done = command(capsys, "import", file, "-b", "rm-bench", "--data", rm_bench_folder, "-o", tmp_path / "runs")
    assert "without a score (error)" in done.out


def test_score_keeps_rows_and_order(tmp_path: Path, capsys: Capture) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": "q", "responses": ["aaa", "b"], "extra": [1]},
        {"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}], "response": "cc"},
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "dddd"}]},
    ]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = command(capsys, "score", "baseline:longest", source, "-o", target)
    assert (done.code, done.out) == (0, f"3 rows in {target}\n")
    found = [json.loads(line) for line in target.read_text().splitlines()]
    assert found == [rows[0] | {"scores": [3.0, 1.0]}, rows[1] | {"score": 2.0}, rows[2] | {"score": 4.0}]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_score_goes_on_where_it_stopped(tmp_path: Path, capsys: Capture) -> None:
    scorer = tmp_path / "scorer.py"
    scorer.write_text(
        "import os, pathlib\n"
        "LOG = pathlib.Path(__file__).with_name('asked')\n"
        "class Mine:\n"
        "    def score(self, conversations):\n"
        "        asked = LOG.read_text().split() if LOG.exists() else []\n"
        "        if len(asked) == 3 and not os.environ.get('GO_ON'):\n"
        "            os.kill(os.getpid(), 9)\n"
        "        LOG.write_text(' '.join(asked + [c[-1]['content'] for c in conversations]))\n"
        "        return [1.0 for _ in conversations]\n"
    )
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps({"prompt": "q", "response": f"r{n}"}) + "\n" for n in range(6)))
    arguments = ("-m", "rmeval", "score", f"{scorer}:Mine", source, "-o", target, "--batch-size", 1)
    assert process(*arguments).returncode == -9
    assert (tmp_path / "out.jsonl.partial").is_dir()
    done = process(*arguments, GO_ON="1")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").read_text() == "r0 r1 r2 r3 r4 r5"
    assert len(target.read_text().splitlines()) == 6
    assert not (tmp_path / "out.jsonl.partial").exists()


def test_score_of_another_model_in_the_way(tmp_path: Path, capsys: Capture) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"prompt": "q", "response": "r"}\n')
    journal = tmp_path / "out.jsonl.partial" / "journal"
    journal.mkdir(parents=True)
    (journal / "0001.jsonl").write_text("{}\n")
    (journal.parent / "model.json").write_text('{"identity": "another"}')
    done = command(capsys, "score", "baseline:longest", source, "-o", target)
    assert done.code == 2
    assert "contains scores of another model or setting" in done.err
    # A run that was refused has none.
    (journal / "0001.jsonl").unlink()
    assert command(capsys, "score", "baseline:longest", source, "-o", target).code == 0


@pytest.mark.parametrize("target", ["/dev/null", "FOLDER", "FOLDER/none/out.jsonl"])
def test_score_replaces_no_device_and_no_folder(tmp_path: Path, capsys: Capture, target: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"prompt": "q", "response": "r"}\n')
    done = command(capsys, "score", "baseline:longest", source, "-o", target.replace("FOLDER", str(tmp_path)))
    assert done.code == 2
    assert "is not a file: give the path" in done.err or "there is no folder" in done.err
    assert Path("/dev/null").is_char_device()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_stopping_releases_the_lock_and_says_what_is_kept(tmp_path: Path, number: int, code: int) -> None:
    (tmp_path / "scorer.py").write_text(
        "import pathlib, threading\n"
        "class Slow:\n"
        "    def score(self, conversations):\n"
        "        pathlib.Path(__file__).with_name('begun').touch()\n"
        "        threading.Event().wait(60)\n"
    )
    data = tmp_path / "p.jsonl"
    data.write_text('{"prompt": "p", "chosen": "a", "rejected": "b"}\n')
    arguments = ["run", f"{tmp_path}/scorer.py:Slow", "-b", "pairs", "--data", data, "-o", tmp_path / "runs"]
    writing = running(*arguments)
    while not (tmp_path / "begun").exists() and writing.poll() is None:
        time.sleep(0.01)
    assert list((tmp_path / "runs").rglob("lock"))
    writing.send_signal(number)
    try:
        _, errors = writing.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        writing.kill()
        _, errors = writing.communicate()
    assert (writing.returncode, "the run keeps what it has scored" in errors) == (code, True), errors
    assert not list((tmp_path / "runs").rglob("lock"))


FINALISED = """
import os, signal, sys, time
from rmeval.cli import app
class Leaving:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(100):
            pass
def work(**options):
    Leaving()
    time.sleep(60)
app.app = work
from rmeval.cli import main
main()
"""


def test_a_signal_while_an_object_is_finalised_ends_the_command() -> None:
    """Python prints and drops what is raised there."""
    done = process("-c", FINALISED)
    assert done.returncode == 143, done.stderr
    assert done.stderr == "\nstopped\n"  # No command that could be continued.


def test_markup_in_data_is_text(tmp_path: Path, capsys: Capture) -> None:
    data = tmp_path / "p.jsonl"
    rows = [{"prompt": "p", "chosen": "aa", "rejected": "b", "subset": name} for name in ("[/]", "[red]x[/red]")]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = command(capsys, "run", "baseline:longest", "-b", "pairs", "--data", data, "-o", tmp_path / "runs")
    assert done.code == 0, done.err
    assert "[/]" in done.out
    assert "[red]x[/red]" in done.out


def test_list(capsys: Capture) -> None:
    assert "RM-Bench" in command(capsys, "list", "benchmarks", "--json").out
    cards = {card["id"]: card for card in json.loads(command(capsys, "list", "benchmarks", "--json").out)}
    assert (cards["rm-bench"]["items"], cards["reward-bench"]["items"]) == (1327, 2985)
    assert cards["reward-bench"]["revision"] == "47e72080fff14868833de674899b78b5426cb295"
    assert "rm-bench" in command(capsys, "list").out
    models = command(capsys, "list", "models").out
    assert "baseline:longest" in models
    assert "file.py:Class" in models


def test_help_teaches(capsys: Capture) -> None:
    top = command(capsys, "--help").out
    for word in ("run", "score", "import", "show", "list", "baseline:longest"):
        assert word in top
    assert "--on-overlength" in command(capsys, "run", "--help").out
    assert command(capsys, "--version").out.startswith("rmeval 0.")


def test_help_cuts_no_option(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """A terminal of 80 columns shows the whole name of each option of each command."""
    from rmeval.cli.app import app

    for variable, value in {"COLUMNS": "80", "LINES": "50"}.items():
        monkeypatch.setenv(variable, value)
    shown = {one.name: command(capsys, one.name, "--help").out for one in app.registered_commands}
    assert {max(map(len, text.splitlines())) for text in shown.values()} == {80}
    assert [name for name, text in shown.items() if "…" in text] == []


def test_bad_input_is_one_sentence(checkpoint: Path, tmp_path: Path, pairs_file: Path, capsys: Capture) -> None:
    """Every way to be wrong ends in one line on standard error, exit code 2, no traceback."""
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    broken = tmp_path / "broken.jsonl"
    broken.write_text(pairs_file.read_text() * 400 + '{"prompt": \n')
    column = tmp_path / "column.jsonl"
    column.write_text('{"prompt": "p", "chosen": "c"}\n')
    styles = tmp_path / "chat_filtered.json"
    styles.write_text(json.dumps([row | {"chosen": row["chosen"][:2]} for row in rm_bench_rows("chat", 1)]))
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    pairs = ("-b", "pairs", "--data")
    cases: list[tuple[tuple[object, ...], str]] = [
        (("run", "./no/such/model", *pairs, pairs_file), "there is no model at ./no/such/model"),
        (("run", checkpoint, *pairs, empty), "empty.jsonl is empty"),
        (("run", checkpoint, *pairs, broken), "broken.jsonl line 4801: broken JSON"),
        (("run", checkpoint, *pairs, column), "column 'rejected' is missing (the columns are prompt, chosen)"),
        (("run", checkpoint, *pairs, tmp_path / "none.jsonl"), "there is no file"),
        (("run", checkpoint, "-b", "pairs"), "pairs needs data"),
        (("run", checkpoint, "-b", "rm-bench", "--data", styles), "has 2 strings instead of 3, one per style"),
        (("run", checkpoint, *pairs, pairs_file, "-o", in_the_way / "x"), "choose a writable folder with -o"),
        (("run", checkpoint, *pairs, pairs_file, "--columns", "winner=a"), "--columns has no winner: choose"),
        (("run", checkpoint, *pairs, pairs_file, "--columns", "winner"), "--columns takes NAME=VALUE"),
        (("run", checkpoint, *pairs, pairs_file, "--on-overlength", "cut"), "there is no length policy 'cut'"),
        (
            ("run", checkpoint, *pairs, pairs_file, "--subset", "red"),
            "there is no subset 'red': choose from even, odd",
        ),
        (("run", checkpoint, "-b", "nobench"), "there is no benchmark 'nobench'"),
        (("run", checkpoint, *pairs, pairs_file, "--n-items", "x"), "--n-items must be a whole number, not 'x'; see"),
        (("run", checkpoint, *pairs, pairs_file, "--n-items", 0), "--n-items must be at least 1, not 0; see"),
        (("show", tmp_path, "--format", "xml"), "--format 'xml' is unknown: choose one of table, md"),
        (("run", "baseline:longest", *pairs, pairs_file, "--data", empty), "--data is given 2 times"),
        (("score", checkpoint, column, "-o", tmp_path / "o.jsonl"), "column 'response' is missing"),
        (("show", tmp_path), "is not a run folder"),
        (("run", "", *pairs, pairs_file), "argument 2 is empty"),
        (("run", checkpoint, "-b", "pairs", "--data", ""), "--data is empty"),
        (("run", checkpoint, *pairs, pairs_file, "--revision", "v1"), "is a local folder, which has no revisions"),
        (("run", checkpoint, "-b", "rm-bench", "--data", styles, "--split", "test"), "only pairs takes --split"),
        (("import", tmp_path / "none.json", "-b", "rm-bench", "--data", styles), "has 2 strings"),
    ]
    for arguments, sentence in cases:
        out = () if "-o" in arguments or arguments[0] in ("show", "score") else ("-o", tmp_path / "runs")
        done = command(capsys, *arguments, *out)
        assert done.code == 2, (arguments, done)
        assert sentence in done.err, (arguments, done.err)
        assert done.err.startswith("error: ") and done.err.count("\n") == 1, (arguments, done.err)
    assert "run with" not in command(capsys, "run").err


@pytest.mark.parametrize("given", [["show", ""], ["show", "runs", "--rule="], ["compare", "", "runs"]])
def test_an_empty_argument_is_not_the_current_folder(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command(capsys, *given)
    assert done.code == 2
    assert "is empty, as from a shell variable that is not set: give a value, or leave it out" in done.err
