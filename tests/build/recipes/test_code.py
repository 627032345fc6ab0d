"""The recipe of code: which samples are right, wrong, or neither, and which are kept."""

from __future__ import annotations

import contextlib
import itertools
import json
import resource
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rmeval.build import BuildFolder, Candidate, StageResult, build, load_config
from rmeval.build.answers import AnswerLog
from rmeval.build.pipeline import silent
from rmeval.build.tools import Tools
from rmeval.errors import DataError, RmevalError
from rmeval.sandbox import TestSuite, toolchains
from tests.http_server import Answer, Received, json_answer, serve

TESTS = ["assert f(1) == 2", "assert f(5) == 6", "assert f(-3) == -2", "assert f(0) == 1"]
CONFIG = """
name: code
models:
  writer: {{model: "{url}/v1", served_model: scripted, options: {{concurrency: 1}}}}
sandbox: {{{limits}}}
domains:
  code:
    recipe: code
    problems: {{file: problems.jsonl}}
    responses: {options}
"""
RIGHT = "def f(x):\n    return x + 1"


def responses(
    folder: Path, texts: Sequence[str], options: str = "", row: dict[str, Any] | None = None, limits: str = "wall: 3"
) -> StageResult:
    """The second stage of one problem whose samples are these texts."""
    problem = row or {"id": "f", "prompt": "Write a function f that adds one.", "tests": TESTS}
    (folder / "problems.jsonl").write_text(f"{json.dumps(problem)}\n")
    each, lock = itertools.cycle(texts), threading.Lock()

    def script(request: Received) -> Answer:
        if request.path == "/v1/models":
            return json_answer({"data": [{"id": "scripted"}]})
        with lock:
            message = {"role": "assistant", "content": next(each)}
        return json_answer({"model": "scripted", "choices": [{"message": message, "finish_reason": "stop"}]})

    with serve(script) as server:
        own = f"{{samples: {len(texts)}{options}}}"
        (folder / "config.yaml").write_text(CONFIG.format(url=server.url, options=own, limits=limits))
        with contextlib.suppress(DataError):  # If no problem is left.
            build(load_config(folder / "config.yaml"), folder / "out", until="responses")
    found = BuildFolder(folder / "out").read("responses")
    assert found is not None
    return found


def calls_of(folder: Path, change: str) -> tuple[int, str]:
    """The calls that a build with a changed sandbox makes before its error, and the error."""
    (folder / "problems.jsonl").write_text(json.dumps({"id": "f", "prompt": "Write f.", "tests": TESTS}) + "\n")
    with serve(lambda _: json_answer({"data": [{"id": "scripted"}]})) as server:
        text = CONFIG.format(url=server.url, options="{samples: 2}", limits="wall: 3")
        (folder / "config.yaml").write_text(text.replace("{wall: 3}", change))
        with pytest.raises(RmevalError) as error:
            build(load_config(folder / "config.yaml"), folder / "out", until="responses")
        return sum(one.path.endswith("completions") for one in server.received), str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("{wal: 3}", "there is no option `sandbox.wal`: did you mean wall?"),
        ("{readable: [/no/such/folder]}", "there is no file or folder /no/such/folder"),
    ],
)
def test_a_sandbox_that_cannot_run_costs_no_call(tmp_path: Path, change: str, message: str) -> None:
    calls, error = calls_of(tmp_path, change)
    assert calls == 0
    assert message in error


def block(code: str) -> str:
    return f"```python\n{code}\n```"


def kept(found: StageResult) -> tuple[list[Candidate], list[Candidate]]:
    (record,) = found.records
    return record.of("chosen"), record.of("rejected")


def states(found: StageResult) -> dict[str, int]:
    """How many samples are right, wrong, or something else."""
    counts: dict[str, int] = found.facts["samples of code"]
    return counts


def test_near_misses_come_first(tmp_path: Path) -> None:
    far, nearer, near = (
        "def f(x):\n    return 'no'",
        "def f(x):\n    return 2 if x == 1 else 0",
        RIGHT.replace("x + 1", "abs(x) + 1"),
    )
    late = "def f(x):\n    result = abs(x)\n    result = result + 1\n    return result"
    found = responses(tmp_path, [block(code) for code in (far, late, nearer, RIGHT, near)], ", keep: 3")
    chosen, rejected = kept(found)
    assert [one.text for one in chosen] == [block(RIGHT)]
    # Both pass three of four assertions, and the first has fewer words that differ from right code.
    assert [one.text for one in rejected] == [block(near), block(late), block(nearer)]
    assert [one.id for one in rejected] == ["rejected-0", "rejected-1", "rejected-2"]
    assert rejected[0].checks[0].by == "tests"
    assert "assert f(-3) == -2" in rejected[0].checks[0].detail
    assert rejected[0].prompt.startswith("code/solve@")
    assert states(found) == {"right": 1, "wrong": 4}


def test_the_whole_response_is_kept_without_reasoning(tmp_path: Path) -> None:
    right = f"It adds one:\n\n{block(RIGHT)}\n\nFor example:\n\n{block('print(f(1))')}"
    wrong = block(RIGHT.replace("+", "-"))
    chosen, rejected = kept(responses(tmp_path, [f"<think>\n{wrong}\n</think>\n\n{right}", wrong]))
    assert chosen[0].text == right
    assert rejected[0].text == wrong


HELPER = "def g(x):\n    return x + 1"
NEITHER = {
    "syntax error": block("def f(x:\n    return"),
    "empty function": block("def f(x):\n    pass"),
    "no code": "One has to add one.",
    "several solutions": f"{block(RIGHT)}\n\n{block(RIGHT.replace('+', '-'))}",
    "flaky": block(f"import random\n\n{RIGHT}"),
    "over the limit of time": block("def f(x):\n    while True:\n        pass"),
    "unclear": f"{block(HELPER)}\n\n{block(RIGHT.replace('x + 1', 'g(x)'))}",
    "not verified": block("import numpy\n\n\ndef f(x):\n    return numpy.add(x, 1)"),
    "its reasoning has no end": "<think>\nLet me see.",
}


def test_what_is_neither_right_nor_wrong(tmp_path: Path) -> None:
    found = responses(tmp_path, list(NEITHER.values()))
    assert states(found) == dict.fromkeys(NEITHER, 1)
    (dropped,) = found.dropped
    assert dropped.reason == "no verified sample"
    assert dropped.detail.startswith("of 9 samples: ")
    assert "1 flaky" in dropped.detail


def test_other_limits_decide_anew(tmp_path: Path) -> None:
    large = block("def f(x):\n    return x + len(bytearray(200 << 20)) - (200 << 20) + 1")
    texts = [large, block("def f(x):\n    return x")]
    few = responses(tmp_path, texts, limits=f"memory: {128 << 20}")
    assert states(few) == {"over the limit of memory": 1, "wrong": 1}
    more = responses(tmp_path, texts, limits=f"memory: {512 << 20}")
    assert states(more) == {"right": 1, "wrong": 1}


def test_a_missing_compiler_is_found_before_the_first_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tests = {"kind": "program", "language": "go", "entry_point": "f", "code": "func main() {}"}
    (tmp_path / "problems.jsonl").write_text(json.dumps({"id": "f", "prompt": "Write f.", "tests": tests}))
    text = CONFIG.format(url="http://127.0.0.1:9", options="{}", limits="wall: 3")
    (tmp_path / "config.yaml").write_text(text)
    monkeypatch.setenv("PATH", str(tmp_path))
    toolchains.cache_clear()
    try:
        with pytest.raises(
            DataError, match="code/f is a problem in Go, for which there is no toolchain on this machine"
        ):
            build(load_config(tmp_path / "config.yaml"), tmp_path / "out", until="responses")
    finally:
        toolchains.cache_clear()


def test_code_that_cannot_be_run_here_ends_the_build(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(url="http://127.0.0.1:9", options="{}", limits="wall: 3"))
    suite = TestSuite("io", language="python", cases=(("", "1"),))
    jobs = [("print(1)", suite), ("print(2)", suite)]
    free = resource.getrlimit(resource.RLIMIT_NOFILE)
    with AnswerLog(tmp_path / "a") as answers, AnswerLog(tmp_path / "v") as verdicts:
        tools = Tools(load_config(tmp_path / "config.yaml"), BuildFolder(tmp_path), answers, verdicts, silent)
        assert tools.sandbox
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 1, free[1]))
        try:
            with pytest.raises(RmevalError, match="2 runs of code of 2 were not possible here") as found:
                tools.verify(jobs, "tests")
            assert "`accept_failures`" in str(found.value)
            tools.accept_failures = True
            assert [one.status for one in tools.verify(jobs, "tests")] == ["unavailable"] * 2
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, free)
        assert tools.take_facts()["unavailable"] == 2
        # They were not stored, so that they run now.
        assert [one.status for one in tools.verify(jobs, "tests")] == ["pass", "fail"]
        assert "unavailable" not in tools.take_facts()


def test_timeouts_and_syntax_errors_are_wrong_if_configured(tmp_path: Path) -> None:
    texts = [block(RIGHT), NEITHER["syntax error"], NEITHER["over the limit of time"]]
    found = responses(tmp_path, texts, ", keep: 2, timeouts: wrong, syntax_errors: wrong, repeats: 0")
    assert states(found) == {"right": 1, "wrong": 2}
    assert {one.text for one in kept(found)[1]} == set(texts[1:])


def test_other_verdicts_in_further_runs_are_flaky(tmp_path: Path) -> None:
    # Its name of the class in memory has an address that differs from process to process.
    lucky = "class A:\n    pass\n\n\ndef f(x):\n    return x + (int(repr(A())[-6:-5], 16) % 2 == 0)"
    found = responses(tmp_path, [block(lucky), block(RIGHT), block(RIGHT.replace("1", "2"))], ", repeats: 12, keep: 2")
    assert states(found) == {"flaky": 1, "right": 1, "wrong": 1}


def test_a_problem_without_tests_is_left_out(tmp_path: Path) -> None:
    found = responses(tmp_path, [block(RIGHT)] * 2, row={"id": "f", "prompt": "Write a function f."})
    assert [one.reason for one in found.dropped] == ["no tests"]


def test_one_side_alone_is_not_enough(tmp_path: Path) -> None:
    for code, reason in ((RIGHT, "no wrong sample"), (RIGHT.replace("1", "2"), "no right sample")):
        folder = tmp_path / reason
        folder.mkdir()
        assert [one.reason for one in responses(folder, [block(code)] * 2).dropped] == [reason]


def test_what_the_problem_gives_is_there_when_a_solution_runs(tmp_path: Path) -> None:
    given = "from typing import List\n\n\ndef one() -> int:\n    return 1\n\n\ndef f(x: int) -> int:\n    'Add one.'\n"
    tests = "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(4) == 5\n"
    row = {"task_id": "T/0", "prompt": given, "entry_point": "f", "test": tests, "canonical_solution": ""}
    right = block("def f(x: int) -> List[int]:\n    return x + one()")
    wrong = block("def f(x):\n    return x - one()")
    same = block("def one():\n    return 1\n\n\ndef f(x):\n    return one() + x")
    changed = block("def one():\n    return 2\n\n\ndef f(x):\n    return x + 1")
    found = responses(tmp_path, [right, wrong, same, changed], ", keep: 4", row)
    chosen, rejected = kept(found)
    assert [one.text for one in chosen] == [right, same]
    assert [one.text for one in rejected] == [wrong]
    assert states(found)["unclear"] == 1


def test_a_server_that_ignores_the_temperature_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    responses(tmp_path, [block(RIGHT)] * 2)
    assert "all samples of each problem are the same text" in caplog.text


def test_different_samples_are_not_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    responses(tmp_path, [block(RIGHT), block(RIGHT.replace("1", "2"))])
    assert caplog.text == ""
