"""`rmeval candidates` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.candidates.test_writing import SUMS
from tests.candidates.writers import calls, lines, sums, write_rows
from tests.cli.test_commands import Capture
from tests.command import command, process
from tests.http_server import serve
from tests.test_imports import WITHOUT


def test_candidates_are_written_shown_and_scored(tmp_path: Path, capsys: Capture) -> None:
    problems, out = write_rows(tmp_path / "p.jsonl", SUMS), tmp_path / "c.jsonl"
    with serve(sums) as server:
        arguments = ("candidates", problems, "--writer", f"{server.url}/v1", "-o", out)
        planned = json.loads(command(capsys, *arguments, "-n", 8, "--dry-run", "--json").out)
        assert (planned["calls"], calls(server)) == (48, [])
        done = command(capsys, *arguments, "-n", 8)
        assert done.code == 0, done.err
        assert "48 calls of this command" in done.out
        shown = {line.split()[0]: line.split()[1:] for line in done.out.splitlines() if line.split()[:1]}
        golds = [gold for row in lines(out) for gold in row["gold"]]
        assert int(shown["right"][0]) == sum(golds)
        assert shown["1"][0] == f"{100 * sum(golds) / 48:.1f}"
        assert f"next: rmeval run MODEL -b best-of-n --data {out}" in done.err
        found = json.loads(command(capsys, *arguments, "-n", 8, "--json").out)
        assert (found["calls"], found["n_responses"], found["outcomes"]["right"]) == (0, 48, sum(golds))
    done = command(capsys, "run", "baseline:longest", "-b", "best-of-n", "--data", out, "-o", tmp_path / "runs")
    assert done.code == 0, done.err
    bare = [{name: row[name] for name in ("id", "prompt", "reference", "responses")} for row in lines(out)]
    done = command(capsys, "candidates", write_rows(tmp_path / "bare.jsonl", bare), "-o", tmp_path / "again.jsonl")
    assert done.code == 0, done.err
    assert [row["answers"] for row in lines(tmp_path / "again.jsonl")] == [row["answers"] for row in lines(out)]


WRITER = ("--writer", "http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        (SUMS, (*WRITER, "--retries", 0), "http://127.0.0.1:9/v1 cannot be reached"),
        (SUMS, (*WRITER, "--temperature", 0), "give a temperature above 0, or --n 1"),
        (SUMS, (*WRITER, "--temperature", "inf"), "temperature:` is inf, and input should be less than or equal to 10"),
        (
            SUMS,
            (*WRITER, "--max-cost", 1),
            "--max-cost needs the prices of the models: give a price file",
        ),
        (SUMS, (*WRITER, "--verify", "tests"), "there are no tests in a column 'tests', which --verify tests needs"),
        (SUMS, (*WRITER, "--columns", "prompt=question"), "column 'question' is missing"),
        (SUMS, ("--writer", "baseline:longest"), "baseline:longest is no language model that writes texts"),
        (SUMS, (), "column 'responses' is missing"),
        (SUMS, ("--seed", 3), "--seed is for calls of a language model: name it with --writer"),
        (SUMS, ("--dry-run",), "--dry-run is for calls of a language model"),
        ([{"prompt": "?", "responses": ["a"]}], WRITER, "has responses already, which --writer would write again"),
        ([{"prompt": 1, "answer": "2"}], WRITER, "column 'prompt' must be a string or a list of messages"),
    ],
)
def test_what_the_user_must_change(
    tmp_path: Path, capsys: Capture, rows: list[dict[str, object]], arguments: tuple[object, ...], message: str
) -> None:
    done = command(capsys, "candidates", write_rows(tmp_path / "p.jsonl", rows), "-o", tmp_path / "c.jsonl", *arguments)
    assert (done.code, message in done.err) == (2, True), done.err
    assert done.err.startswith("error: ") and done.err.count("\n") == 1
    assert not (tmp_path / "c.jsonl").exists()


def test_a_package_that_is_missing_is_named(tmp_path: Path) -> None:
    problems = write_rows(tmp_path / "p.jsonl", SUMS)
    for package, what in (("datasketch", "the command candidates"), ("math_verify", "comparing mathematical answers")):
        arguments = ["candidates", str(problems), *WRITER, "-o", str(tmp_path / "c.jsonl")]
        done = process("-c", WITHOUT.format(extras=(package,), arguments=arguments))
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {what} needs the package {package.replace('_', '-')}: ")


def test_code_needs_bubblewrap_unless_the_user_does_without(tmp_path: Path) -> None:
    rows = [{"prompt": "Write double(x).", "tests": ["assert double(2) == 4"]}]
    rows = [row | {"responses": ["```python\ndef double(x): return 2 * x\n```"]} for row in rows]
    given, out = write_rows(tmp_path / "given.jsonl", rows), tmp_path / "c.jsonl"
    arguments = ("-m", "rmeval", "candidates", given, "-o", out)
    (tmp_path / "bin").mkdir()
    done = process(*arguments, PATH=str(tmp_path / "bin"))
    assert (done.returncode, "bubblewrap is not installed" in done.stderr) == (2, True), done.stderr
    done = process(*arguments, "--no-sandbox", PATH=str(tmp_path / "bin"))
    assert done.returncode == 0, done.stderr
    assert lines(out)[0]["gold"] == [1]
