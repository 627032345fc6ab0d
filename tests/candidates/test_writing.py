"""Candidates that a scripted model writes: their quality, and calls that are made once."""

from __future__ import annotations

import json
import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rmeval.build.answers import AnswerLog
from rmeval.candidates import plan_candidates, write_candidates
from rmeval.candidates.tasks import log_folder
from rmeval.errors import DataError, ModelError, RmevalError, RunError
from tests.candidates.writers import calls, code_and_maths, lines, options_for, sums, write_rows
from tests.command import running
from tests.http_server import Answer, Received, json_answer, serve

SUMS = [{"id": str(n), "prompt": f"What is {n} + {n + 1}?", "answer": str(2 * n + 1)} for n in range(6)]


def test_quality_is_what_is_known_of_each_candidate(tmp_path: Path) -> None:
    problems, model = code_and_maths(tmp_path)
    with serve(model) as server:
        found = write_candidates(problems, tmp_path / "c.jsonl", options_for(server, 10))
    rows = lines(tmp_path / "c.jsonl")
    assert [row["id"] for row in rows] == [row["id"] for row in lines(problems)]
    compared: Counter[bool | None] = Counter()
    for row in rows:
        assert len(row["responses"]) == len(row["gold"]) == len(row["outcomes"]) == 10
        truth = model.truth[row["id"].partition("-")[2]] if row["subset"] == "math" else {}
        truth = truth or model.truth[row["id"].partition("-")[2]]
        for text, gold in zip(row["responses"], row["gold"], strict=True):
            known = truth[text].right if text in truth else None
            compared[known] += 1
            if known is not None and gold is not None:
                assert gold == known, (row["id"], text)
            assert known is None or gold is not None, (row["id"], text)
        assert ("answers" in row) == (row["subset"] == "math")
    assert compared[True] > 20 and compared[False] > 20
    counts = Counter(outcome for row in rows for outcome in row["outcomes"])
    assert found.outcomes == counts
    assert found.n_responses == 80
    assert counts["right"] == sum(gold == 1 for row in rows for gold in row["gold"])
    assert model.repeated() == 0, "a candidate that is cut off is not written again"
    assert {one.scope for one in found.passes} == {"all", "code", "math"}


def test_a_larger_n_writes_only_the_new_candidates(tmp_path: Path) -> None:
    problems, out = write_rows(tmp_path / "p.jsonl", SUMS), tmp_path / "c.jsonl"
    with serve(sums) as server:
        write_candidates(problems, out, options_for(server, 4))
        few, first = lines(out), len(calls(server))
        assert first == 24
        options = options_for(server, 7)
        planned = plan_candidates(problems, out, options)
        found = write_candidates(problems, out, options)
        assert (planned.done, planned.calls) == (24, 18)
        assert len(calls(server)) - first == found.calls == 18
        for row, earlier in zip(lines(out), few, strict=True):
            assert row["responses"][:4] == earlier["responses"]
            assert len(set(row["responses"])) == 7, "each candidate has its own seed"
        assert write_candidates(problems, out, options_for(server, 2)).calls == 0
        assert [row["responses"] for row in lines(out)] == [row["responses"][:2] for row in few]
        again = write_candidates(problems, out, replace(options_for(server, 2), seed=1))
        assert again.calls == 12, "another seed draws other candidates"


def test_a_smaller_n_is_complete_after_a_budget_is_spent(tmp_path: Path) -> None:
    problems, out = write_rows(tmp_path / "p.jsonl", SUMS), tmp_path / "c.jsonl"
    with serve(sums) as server:
        with pytest.raises(ModelError, match="`max_requests` is 20"):
            write_candidates(problems, out, options_for(server, 8, model={"max_requests": 20, "concurrency": 1}))
        assert not out.exists()
        sent = len(calls(server))
        found = write_candidates(problems, out, options_for(server, 2))
        assert (len(calls(server)), found.calls) == (sent, 0)
        assert found.n_responses == 12


def test_calls_that_failed_leave_fewer_candidates(tmp_path: Path) -> None:
    def failing(request: Received) -> Answer:
        if request.path.endswith("completions") and request.json["seed"] % 3 == 0:
            return json_answer({"error": {"message": "no"}}, 500)
        return sums(request)

    problems, out = write_rows(tmp_path / "p.jsonl", SUMS), tmp_path / "c.jsonl"
    with serve(failing) as server:
        options = options_for(server, 6)
        with pytest.raises(ModelError, match="use `accept_failures`"):
            write_candidates(problems, out, options)
        found = write_candidates(problems, out, replace(options, accept_failures=True))
    rows = lines(out)
    assert found.n_failed == 36 - sum(len(row["responses"]) for row in rows) > 0
    assert all(len(row["responses"]) == len(row["gold"]) for row in rows)
    with serve(sums) as server:
        whole = write_candidates(problems, out, options_for(server, 6))
        assert (whole.n_failed, whole.calls) == (0, found.n_failed)


def test_a_key_that_cannot_be_compared_costs_no_call(tmp_path: Path) -> None:
    rows = [*SUMS[:2], {"id": "x", "prompt": "What is 4 + 5?", "answer": "\\begin{cases} a"}]
    with serve(sums) as server:
        found = write_candidates(write_rows(tmp_path / "p.jsonl", rows), tmp_path / "c.jsonl", options_for(server, 2))
        assert len(calls(server)) == 4
    assert found.left_out == {"key that cannot be compared": 1}


def test_without_verification_there_is_no_quality(tmp_path: Path) -> None:
    problems = write_rows(tmp_path / "p.jsonl", [{"prompt": "Add 1 and 2."}, {"prompt": "Add 1 and 3."}])
    with serve(sums) as server:
        with pytest.raises(DataError, match="no key in a column 'answer' and no 'tests'"):
            write_candidates(problems, tmp_path / "c.jsonl", options_for(server, 2))
        found = write_candidates(problems, tmp_path / "c.jsonl", options_for(server, 2), verify="none")
        (body, *_) = [json.loads(one) for one in calls(server)]
    assert [one["content"] for one in body["messages"]] == ["Add 1 and 2."], "the problem itself is the prompt"
    assert not {"gold", "answers", "outcomes"} & lines(tmp_path / "c.jsonl")[0].keys()
    assert (found.passes, found.n_unverified) == ((), 4)


def test_a_prompt_file_replaces_the_packaged_one(tmp_path: Path) -> None:
    problems, own = write_rows(tmp_path / "p.jsonl", SUMS), tmp_path / "own.jinja"
    own.write_text("Be brief.\n---\n{{ problem }} Box it.")
    with serve(sums) as server:
        write_candidates(problems, tmp_path / "c.jsonl", options_for(server, 1, prompt=own))
        texts = {json.loads(one)["messages"][-1]["content"] for one in calls(server)}
        assert texts == {f"{row['prompt']} Box it." for row in SUMS}
        own.write_text("Solve it.")
        with pytest.raises(DataError, match=r"has no \{\{ problem \}\}: add it"):
            write_candidates(problems, tmp_path / "c.jsonl", options_for(server, 1, prompt=own))


def test_a_file_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    problems, out = write_rows(tmp_path / "p.jsonl", SUMS), tmp_path / "c.jsonl"
    out.write_text("mine")
    with serve(sums) as server:
        options = options_for(server, 1)
        with pytest.raises(RunError, match="exists: give `overwrite`"):
            write_candidates(problems, out, options)
        assert calls(server) == []
        write_candidates(problems, out, options, overwrite=True)
        write_candidates(problems, out, options)
        out.write_text(out.read_text() + "mine")
        with pytest.raises(RunError, match="has changed since rmeval wrote it"):
            write_candidates(problems, out, options)
        with pytest.raises(RmevalError, match="the writer was scripted at earlier starts, and now is other"):
            write_candidates(problems, out, options_for(server, 1, model={"served_model": "other"}), overwrite=True)


def test_no_call_is_paid_for_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    problems = write_rows(tmp_path / "p.jsonl", SUMS)
    (tmp_path / "folder.jsonl").mkdir()
    with serve(sums) as server:
        for out, message in ((problems, "is the file that is read"), (tmp_path / "folder.jsonl", "is a folder")):
            with pytest.raises(RunError, match=message):
                write_candidates(problems, out, options_for(server, 1), overwrite=True)
        assert calls(server) == []
    assert lines(problems) == SUMS


def test_empty_candidates_are_stated(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def silent(request: Received) -> Answer:
        if request.path == "/v1/models":
            return json_answer({"data": [{"id": "silent"}]})
        choice = {"message": {"role": "assistant", "content": None}, "finish_reason": "stop"}
        return json_answer({"model": "silent", "choices": [choice]})

    with serve(silent) as server:
        write_candidates(write_rows(tmp_path / "p.jsonl", SUMS), tmp_path / "c.jsonl", options_for(server, 2))
    assert any(text.startswith("all candidates are empty, and") for text in caplog.messages)


def test_a_full_disk_keeps_the_answers_that_are_stored(tmp_path: Path) -> None:
    """A limit on file size stops writes, as a full disk does."""
    problems, out = write_rows(tmp_path / "p.jsonl", SUMS), tmp_path / "c.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with serve(sums) as server:
        write_candidates(problems, out, options_for(server, 4))
        earlier = out.read_bytes()
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * len(earlier), before[1]))
        try:
            with pytest.raises(RunError, match="there is no space left to write"):
                write_candidates(problems, out, options_for(server, 40))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert out.read_bytes() == earlier
        assert write_candidates(problems, out, options_for(server, 4)).calls == 0
        assert out.read_bytes() == earlier
        assert write_candidates(problems, out, options_for(server, 40)).n_responses == 240


@pytest.mark.slow
def test_a_killed_command_continues_without_a_call_that_was_answered(tmp_path: Path) -> None:
    plain, again = tmp_path / "plain.jsonl", tmp_path / "killed.jsonl"
    log = log_folder(again)
    problems, model = code_and_maths(tmp_path, 3, wait=0.2)
    moments: list[Callable[[], bool]] = [
        lambda: any(log.glob("answers/journal/*")),
        lambda: any(log.glob("verdicts/journal/*")),
    ]
    lost = 0
    with serve(model) as server:
        arguments = ("candidates", problems, "--writer", f"{server.url}/v1", "--n", 8, "--concurrency", 4)
        for moment in moments:
            process, sent = running(*arguments, "-o", again), len(calls(server))
            known = len(AnswerLog(log / "answers")) if log.exists() else 0
            while process.poll() is None and not moment():
                time.sleep(0.005)
            process.kill()
            process.communicate()
            assert process.returncode == -9
            assert not again.exists()
            lost += len(calls(server)) - sent - (len(AnswerLog(log / "answers")) - known)
        process = running(*arguments, "-o", again)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        every = calls(server)
        assert len(set(every)) == 48
        assert len(every) - len(set(every)) == lost < 24, "only those that were in flight are sent again"
        assert write_candidates(problems, plain, options_for(server, 8)).calls == 48
    assert plain.read_bytes() == again.read_bytes()
