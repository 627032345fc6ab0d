"""Builds that are killed in every stage, and started again: the same files, and no answer is paid for twice."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from rmeval.build.answers import AnswerLog
from rmeval.build.folder import BuildFolder
from rmeval.build.registry import STAGES
from tests.build.known import own_code, own_math
from tests.build.scripted import ScriptedModel
from tests.build.scripted_styles import rewriting
from tests.build.towns import Towns, requests, towns
from tests.command import running
from tests.http_server import Answer, Received, Scripted, serve

pytestmark = pytest.mark.slow

IN_FLIGHT = 8
CONFIG = """
name: killed
licence: CC-BY-4.0
seed: 5
models:
  writer: {{model: "{url}/v1", served_model: scripted, options: {{concurrency: 8}}}}
  judge: {{model: "{url}/v1", served_model: scripted, options: {{concurrency: 8}}}}
  compliant: {{model: "{url}/v1", served_model: scripted, options: {{concurrency: 8}}}}
styles: {{max_dropped: 0}}
domains:
  code: {{recipe: code, problems: {{file: code.jsonl}}, responses: {{samples: 5}}}}
  math: {{recipe: math, problems: {{file: math.jsonl}}, responses: {{samples: 5}}}}
  chat: {{recipe: chat, problems: {{file: chat.jsonl}}}}
  response: {{recipe: safety-response, problems: {{file: response.jsonl}}}}
  refuse: {{recipe: safety-refuse, problems: {{file: refuse.jsonl}}}}
"""


@dataclass
class Both:
    """One server for all recipes."""

    known: ScriptedModel
    towns: Towns

    def __call__(self, request: Received) -> Answer:
        text = "\n".join(one["content"] for one in request.json["messages"]) if request.body else ""
        return self.known(request) if not text or self.known.knows(text) else self.towns(request)


@contextmanager
def serving() -> Iterator[Scripted]:
    model = ScriptedModel([*own_code(4), *own_math(6)], wait=0.02)
    rewriting(model)
    with serve(Both(model, Towns({"wrong answer": 0.2, "thinking": 0.3}))) as server:
        yield server


def write(folder: Path, server: Scripted) -> Path:
    rows = {
        "code": [one.row for one in own_code(4)],
        "math": [one.row for one in own_math(6)],
        "chat": towns(4),
        "response": requests(3, "response"),
        "refuse": requests(3, "refuse"),
    }
    for name, own in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in own))
    (folder / "config.yaml").write_text(CONFIG.format(url=server.url))
    return folder / "config.yaml"


def calls(server: Scripted) -> list[bytes]:
    return [one.body for one in list(server.received) if one.path.endswith("chat/completions")]


def files(out: Path) -> dict[str, bytes]:
    """All results of a build: those of the stages, and the benchmark."""
    stages = [BuildFolder(out).of(name) for name in STAGES]
    found = [folder / name for folder in stages for name in ("records.jsonl", "dropped.jsonl")]
    found += [path for path in out.glob("benchmark*/**/*") if path.is_file()]
    return {str(path.relative_to(out)): path.read_bytes() for path in found}


def ended(config: Path, out: Path) -> None:
    process = running("build", config, "-o", out)
    _, text = process.communicate(timeout=300)
    assert process.returncode in (0, 1), text  # 1: so few problems do not pass the gates.
    assert not (out / "lock").exists() or "lock" not in text


def killed(config: Path, out: Path, when: Callable[[], bool]) -> bool:
    """Whether the build was killed at a moment before its end."""
    process = running("build", config, "-o", out, "--break-lock")
    while process.poll() is None and not when():
        time.sleep(0.002)
    process.kill()
    process.communicate()
    return process.returncode == -9


def moments(out: Path, server: Scripted, plain: Sequence[int], runs: int) -> dict[str, Callable[[], bool]]:
    """When builds are killed, in order.

    Args:
        out: The build's folder.
        server: The server.
        plain: Number of calls of a whole build after the second and after the third stage.
        runs: Bytes of its log of runs of code.
    """
    folder = BuildFolder(out)

    def made(count: int) -> Callable[[], bool]:
        return lambda: len(calls(server)) >= count

    def grown(least: int) -> Callable[[], bool]:
        return lambda: size_of(out / "verdicts") > least

    return {
        "problems": lambda: (out / "lock").exists(),
        "responses, first calls": made(2),
        "responses, half of the calls": made(plain[0] // 2),
        "responses, first runs of code": grown(0),
        "responses, more runs of code": grown(runs // 2),
        "styles, first calls": made(plain[0] + 5),
        "styles, half of the calls": made((plain[0] + plain[1]) // 2),
        "review": lambda: (folder.of("styles") / "stage.json").is_file(),
        "assemble": lambda: (folder.of("review") / "stage.json").is_file(),
        "assemble, files": lambda: any(out.glob("benchmark*/*")) or any(out.glob(".benchmark*")),
    }


def test_a_build_killed_in_every_stage_is_the_same(tmp_path: Path) -> None:
    plain, again = tmp_path / "plain", tmp_path / "killed"
    plain.mkdir()
    again.mkdir()
    with serving() as server:
        config = write(plain, server)
        ended(config, plain / "out")
        once = calls(server)
        stages = [BuildFolder(plain / "out").read(name) for name in ("responses", "styles")]
        counts = [stage.facts["calls"] for stage in stages if stage is not None]
    assert len(once) == len(set(once)) >= sum(counts)  # One that is cut off is sent again with twice its limit.

    runs = size_of(plain / "out" / "verdicts")

    with serving() as server:
        config, out = write(again, server), again / "out"
        lost, stopped = 0, list[str]()
        for name, moment in moments(out, server, [counts[0], sum(counts)], runs).items():
            before = logged(out)
            sent = len(calls(server))
            if killed(config, out, moment):
                stopped.append(name)
            # Each call that is not in the log was in flight, or its batch was being written.
            lost_here = len(calls(server)) - sent - (logged(out) - before)
            assert 0 <= lost_here <= 2 * IN_FLIGHT, (name, lost_here)
            lost += lost_here
        ended(config, out)
        every = calls(server)
        assert len(stopped) >= 8, stopped
        assert set(every) == set(once)
        assert len(every) - len(set(every)) <= lost
        assert files(out) == files(plain / "out")


def logged(out: Path) -> int:
    """Number of answers in the log."""
    return len(AnswerLog(out / "answers")) if (out / "answers").is_dir() else 0


def size_of(folder: Path) -> int:
    """Bytes of all files; one that is replaced meanwhile counts as none."""
    sizes = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            sizes += path.stat().st_size if path.is_file() else 0
    return sizes
