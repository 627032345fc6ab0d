"""`rmeval build` as a user meets it."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from rmeval.build.registry import RECIPES, STAGES
from tests.build.test_dry_run import write
from tests.build.test_pipeline import calls, script
from tests.cli.test_commands import Capture
from tests.command import command, process, running
from tests.http_server import Answer, Received, serve
from tests.test_imports import WITHOUT


def test_init_writes_a_config_that_can_be_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command(capsys, "build", "init", "math", "--demo", "--prompts", "words", "-o", "own/my.yaml")
    assert done.code == 0, done.err
    assert done.out.splitlines()[:2] == ["written: own/my.yaml", "written: own/math.jsonl"]
    assert (tmp_path / "words" / "math" / "solve.jinja").is_file()
    done = command(capsys, "build", "own/my.yaml", "--until", "problems")
    assert done.code == 0, done.err
    assert [line.split()[:3] for line in done.out.splitlines() if line.startswith("problems")] == [
        ["problems", "6", "0"]
    ]
    (tmp_path / "words" / "math" / "solve.jinja").write_text("Own words: {{ problem }}")
    done = command(capsys, "build", "own/my.yaml", "--dry-run")
    assert (done.code, "nothing was sent" in done.out) == (0, True), done.err
    done = command(capsys, "build", "init", "math", "-o", "own/my.yaml")
    assert (done.code, done.err) == (
        2,
        "error: own/my.yaml exists: give --overwrite to replace it, or choose another file with -o\n",
    )
    done = command(capsys, "build", "init", "math", "-o", "other.yaml", "--prompts", "words")
    assert (done.code, "exists" in done.err) == (2, True)
    assert not (tmp_path / "other.yaml").exists()
    done = command(capsys, "build", "init", "maths")
    assert (done.code, "there is no recipe 'maths': did you mean math" in done.err) == (2, True)
    done = command(capsys, "build", "init", "math", "-o", "bare/b.yaml")
    assert "the problems are still missing: write bare/math.jsonl" in done.out


def test_the_demo_problems_are_of_every_recipe(tmp_path: Path) -> None:
    from importlib.resources import files

    from rmeval.sandbox import Sandbox, TestSuite
    from tests.build.problems.samples import problems_of

    for recipe in RECIPES:
        rows = [
            json.loads(line) for line in (files("rmeval.build") / "demo" / f"{recipe}.jsonl").read_text().splitlines()
        ]
        found = problems_of(tmp_path, rows)
        assert len(found) == len(rows) >= 3
        assert all(one.answer for one in found) == (recipe == "math")
        for one in found if recipe == "code" else ():
            verdict = Sandbox().verify(f"def {one.tests['entry_point']}(*_): return 'nothing'", TestSuite(**one.tests))
            assert verdict.status == "fail", "its tests run, and something wrong does not pass"


def test_a_build_prints_its_stages(tmp_path: Path, capsys: Capture) -> None:
    with serve(script) as server:
        write(tmp_path, server)
        arguments = ("build", tmp_path / "config.yaml", "-o", tmp_path / "out")
        planned = json.loads(command(capsys, *arguments, "--dry-run", "--until", "responses", "--json").out)
        assert [(one["stage"], one["calls"]) for one in planned["stages"]] == [("responses", 32)]
        done = command(capsys, *arguments, "--until", "responses")
        assert done.code == 0, done.err
        assert "32 calls of this command" in done.out
        rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines() if line.split()[:1]}
        kept, dropped, made = map(int, rows["responses"][:3])
        assert (kept + dropped, made) == (8, 32)
        assert "sample" in " ".join(rows["responses"][3:]), "reasons are stated"
        found = json.loads(command(capsys, *arguments, "--until", "responses", "--json").out)
        assert (found["calls"], found["stages"]["responses"]["kept"]) == (0, kept)
        assert calls(server) == 32
        done = command(capsys, *arguments, "--dry-run")
        assert "styles rewriter scripted" in " ".join(done.out.split())
        assert "licence" not in done.err
        path = tmp_path / "config.yaml"
        path.write_text(path.read_text().replace("licence: MIT", ""))
        assert "the config states no `licence`" in command(capsys, *arguments, "--dry-run").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--until", "response"), "--until is 'response', which is no stage: did you mean responses"),
        (("--max-cost", "0"), "--max-cost must be above 0"),
        (("--max-cost", "1"), "--max-cost needs the prices of the models: give a price file with --prices"),
        (("--prices", "none.toml"), "the price file"),
        (("--max-requests", "5"), "--max-requests is 5"),
        (("-o", "{folder}/problems.jsonl"), "problems.jsonl"),
        (
            ("-o", "{folder}/other"),
            "has the build of other, and the config that of sums: choose another folder with -o",
        ),
        (("-o", "{folder}/locked"), "--break-lock"),
    ],
)
def test_what_the_user_must_change(tmp_path: Path, capsys: Capture, arguments: tuple[str, ...], message: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "build.json").write_text('{"name": "other"}')
    (tmp_path / "locked").mkdir()
    held = {"host": "elsewhere", "boot": "x", "pid": 1, "started": 0, "time": "2026-01-01T00:00:00Z", "token": "a"}
    (tmp_path / "locked" / "lock").write_text(json.dumps(held))
    given = [one.format(folder=tmp_path) for one in arguments]
    out = () if "-o" in given else ("-o", str(tmp_path / "out"))
    with serve(script) as server:
        write(tmp_path, server)
        done = command(capsys, "build", tmp_path / "config.yaml", *out, *given)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


def slow(request: Received) -> Answer:
    found = script(request)
    return Answer(**{**vars(found), "wait": 0.05}) if request.path.endswith("completions") else found


@pytest.mark.slow
def test_an_interrupted_build_keeps_its_answers(tmp_path: Path, capsys: Capture) -> None:
    with serve(slow) as server:
        write(tmp_path, server, "max_tokens: 1000000", problems=60)
        started = running("build", tmp_path / "config.yaml", "-o", tmp_path / "out", "--until", "responses")
        while calls(server) < 40 and started.poll() is None:
            time.sleep(0.02)
        started.send_signal(signal.SIGINT)
        _, errors = started.communicate(timeout=60)
        assert started.returncode == 130
        assert "stopped: the build keeps every answer; run the same command again to continue" in errors
        before = calls(server)
        assert before < 240
        assert not (tmp_path / "out" / "lock").exists()
        arguments: tuple[Any, ...] = ("build", tmp_path / "config.yaml", "-o", tmp_path / "out")
        planned = json.loads(command(capsys, *arguments, "--dry-run", "--until", "responses", "--json").out)
        done = command(capsys, *arguments, "--until", "responses", "--json")
        assert json.loads(done.out)["calls"] == planned["stages"][0]["calls"] < 240


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    for package, arguments in (("datasketch", ["build", "x.yaml"]), ("py3langid", ["build", "init"])):
        done = process("-c", WITHOUT.format(extras=(package,), arguments=arguments))
        assert done.returncode == 2
        assert done.stderr == f"error: the builder needs the package {package}: pip install 'rmeval[build]'\n"
    done = process("-c", WITHOUT.format(extras=("datasketch", "py3langid"), arguments=["build", "--help"]))
    assert done.returncode == 0, done.stderr


def test_the_help_names_every_stage(capsys: Capture) -> None:
    done = command(capsys, "build", "run", "--help")
    assert all(name in done.out for name in STAGES)
