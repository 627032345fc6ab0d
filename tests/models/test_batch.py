"""Judges by batch files: what is written, and results in any order, partly missing, failed, twice, or of others."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.errors import ModelError, OpenBatchError
from rmeval.models.judge.batch import BatchFile
from rmeval.results.result import Result
from tests.command import command
from tests.http_server import Received, Script, json_answer, serve
from tests.judge_server import CHAT, Known, judged_pairs, reply_of, scripted_judge

PAIRS = 12
CALLS = 2 * PAIRS


@pytest.fixture
def table(tmp_path: Path) -> dict[str, Known]:
    return judged_pairs(PAIRS, tmp_path / "pairs.jsonl", seed=1)


@pytest.fixture
def judge(table: dict[str, Known]) -> Script:
    return scripted_judge(table, accuracy=0.7, position_bias=0.2, seed=3)


def lines(*files: Path) -> list[Any]:
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def write(file: Path, results: Iterable[Any]) -> Path:
    file.write_text("".join(f"{json.dumps(one)}\n" for one in results))
    return file


def answered(calls: Iterable[Any], script: Script) -> list[Any]:
    """The results of calls, as a batch returns them."""
    found = []
    for number, call in enumerate(calls):
        answer = script(Received(number, "POST", call["url"], {}, json.dumps(call["body"]).encode()))
        assert isinstance(answer.body, bytes)
        response = {"status_code": answer.status, "request_id": f"r{number}", "body": json.loads(answer.body)}
        found.append({"id": f"batch_{number}", "custom_id": call["custom_id"], "response": response, "error": None})
    return found


def failed(call: Any, status: int | None, message: str) -> Any:
    """The result of a call that was not run: with an HTTP status, or as a batch that expired states it."""
    if status is None:
        return {"id": "1", "custom_id": call["custom_id"], "response": None, "error": {"code": message}}
    response = {"status_code": status, "request_id": "r", "body": {"error": {"message": message}}}
    return {"id": "1", "custom_id": call["custom_id"], "response": response, "error": None}


def run(folder: Path, out: str = "runs", model: str = "scripted", **options: Any) -> Result:
    data = str(folder / "pairs.jsonl")
    return rmeval.evaluate(model, "pairs", data=data, protocol="five-way", out=folder / out, **options)


def calls_of(folder: Path, name: str = "calls.jsonl", **options: Any) -> list[Any]:
    """The calls that a run writes."""
    with pytest.raises(OpenBatchError, match="run this batch, and give the files that it returns as `batch_in`"):
        run(folder, batch_out=str(folder / name), **options)
    return lines(folder / name)


def verdicts(result: Result) -> list[tuple[Any, ...]]:
    found = [
        (line["key"], line["status"], line.get("values"), line.get("choice"))
        for file in sorted((result.path / "journal").glob("*.jsonl"))
        for line in map(json.loads, file.read_text().splitlines())
    ]
    return sorted(found, key=str)


def test_a_batch_has_the_numbers_of_a_run(tmp_path: Path, judge: Script) -> None:
    calls = calls_of(tmp_path)
    assert len(calls) == len({call["custom_id"] for call in calls}) == CALLS
    assert {(call["method"], call["url"]) for call in calls} == {("POST", CHAT)}
    assert not (tmp_path / "runs" / "pairs").exists()
    results = answered(calls, judge)
    random.Random(5).shuffle(results)
    by_batch = run(tmp_path, batch_in=(str(write(tmp_path / "results.jsonl", results)),))
    with serve(judge) as server:
        live = run(tmp_path, "live", base_url=server.url)
        bodies = [one.json for one in server.received if one.path == CHAT]
    assert sorted(map(json.dumps, bodies)) == sorted(json.dumps(call["body"]) for call in calls)
    assert verdicts(by_batch) == verdicts(live)
    assert by_batch.manifest["identity"] == live.manifest["identity"]
    assert [record.value for record in by_batch.records] == [record.value for record in live.records]
    assert by_batch.manifest["sessions"][-1]["batch"] == {"results": CALLS, "errors": 0, "contradicted": 0}


def test_what_is_missing_is_written_to_the_next_batch(tmp_path: Path, judge: Script) -> None:
    calls = calls_of(tmp_path)
    part = write(tmp_path / "part.jsonl", answered(calls[:14], judge))
    with pytest.raises(OpenBatchError, match=f"^{CALLS - 14} requests have no result in the batch files"):
        run(tmp_path, batch_in=(str(part),))
    rest = calls_of(tmp_path, "rest.jsonl")
    assert rest == calls[14:]
    done = run(tmp_path, batch_in=(str(write(tmp_path / "rest-results.jsonl", answered(rest, judge))),))
    assert done.manifest["status"] == "complete"
    assert len(verdicts(done)) == CALLS


def test_results_and_the_next_batch_in_one_command(tmp_path: Path, judge: Script) -> None:
    calls = calls_of(tmp_path)
    results = answered(calls[:9], judge) + [failed(call, None, "batch_expired") for call in calls[9:15]]
    results += [failed(call, 400, "the prompt is too long") for call in calls[15:17]]
    file = write(tmp_path / "part.jsonl", results)
    rest = calls_of(tmp_path, "rest.jsonl", batch_in=(str(file),))
    # What expired is written again; what was refused for itself is an error.
    assert rest == calls[9:15] + calls[17:]
    done = run(tmp_path, batch_in=(str(write(tmp_path / "more.jsonl", answered(rest, judge))), str(file)))
    statuses = [status for _, status, *_ in verdicts(done)]
    assert (statuses.count("ok"), statuses.count("error")) == (CALLS - 2, 4)
    assert "HTTP 400: the prompt is too long" in "".join(file.read_text() for file in (done.path / "journal").iterdir())
    assert calls_of(tmp_path, "again.jsonl") == calls[15:17]


def test_a_status_that_is_no_number_is_a_failure(tmp_path: Path, judge: Script) -> None:
    calls = calls_of(tmp_path)
    results = answered(calls, judge)
    results[0]["response"]["status_code"] = "200"
    file = write(tmp_path / "results.jsonl", results)
    assert calls_of(tmp_path, "again.jsonl", batch_in=(str(file),)) == calls[:1]
    assert [status for _, status, *_ in verdicts(run(tmp_path, "other", batch_in=(str(file),)))].count("error") == 1


def test_files_that_are_given_twice_change_nothing(tmp_path: Path, judge: Script) -> None:
    file = str(write(tmp_path / "results.jsonl", answered(calls_of(tmp_path), judge)))
    first = run(tmp_path, batch_in=(file, file))
    again = run(tmp_path, batch_in=(file,))
    assert verdicts(first) == verdicts(again)
    assert len(verdicts(again)) == CALLS
    assert first.manifest["sessions"][-1]["batch"]["contradicted"] == 0


def test_of_two_results_the_answer_counts_and_of_two_answers_the_first(tmp_path: Path, judge: Script) -> None:
    calls = calls_of(tmp_path)
    other = [reply_of("[[A=B]]") for _ in calls]
    ties = [
        one | {"response": {"status_code": 200, "body": body}}
        for one, body in zip(answered(calls, judge), other, strict=True)
    ]
    results = [failed(calls[0], 500, "overloaded"), *answered(calls, judge), *ties[:5]]
    done = run(tmp_path, batch_in=(str(write(tmp_path / "results.jsonl", results)),))
    assert done.manifest["sessions"][-1]["batch"] == {"results": CALLS, "errors": 0, "contradicted": 5}
    assert all(status == "ok" and choice in (0, 1) for _, status, _, choice in verdicts(done))


def test_an_output_that_is_cut_off_runs_once_more_with_twice_the_budget(tmp_path: Path, judge: Script) -> None:
    def short(request: Received) -> Any:
        return json_answer(reply_of("I think that", finish="length"))

    calls = calls_of(tmp_path)
    first = write(tmp_path / "first.jsonl", answered(calls[:8], short) + answered(calls[8:], judge))
    again = calls_of(tmp_path, "again.jsonl", batch_in=(str(first),))
    assert [call["custom_id"] for call in again] == [f"{call['custom_id']}.2" for call in calls[:8]]
    assert {call["body"]["max_tokens"] for call in again} == {2 * calls[0]["body"]["max_tokens"]}
    second = write(tmp_path / "second.jsonl", answered(again[:3], short) + answered(again[3:], judge))
    done = run(tmp_path, batch_in=(str(first), str(second)))
    statuses = [status for _, status, *_ in verdicts(done)]
    assert (statuses.count("ok"), statuses.count("no_verdict")) == (CALLS - 3, 3)


def used(result: Result, status: str) -> list[Any]:
    """The tokens of the requests with a status."""
    journal = sorted((result.path / "journal").glob("*.jsonl"))
    return [line["usage"] for line in lines(*journal) if line.get("status") == status]


def test_a_second_call_that_fails_is_written_again(tmp_path: Path, judge: Script) -> None:
    def short(request: Received) -> Any:
        return json_answer(reply_of("I think that", finish="length"))

    first = write(tmp_path / "first.jsonl", answered(calls_of(tmp_path), short))
    again = calls_of(tmp_path, "again.jsonl", batch_in=(str(first),))
    results = [failed(call, None, "batch_expired") for call in again[:5]] + answered(again[5:], judge)
    second = write(tmp_path / "second.jsonl", results)
    rest = calls_of(tmp_path, "rest.jsonl", batch_in=(str(first), str(second)))
    assert rest == again[:5]
    third = write(tmp_path / "third.jsonl", answered(rest, judge))
    done = run(tmp_path, batch_in=(str(first), str(second), str(third)))
    assert [status for _, status, *_ in verdicts(done)] == ["ok"] * CALLS


def test_outputs_that_are_cut_off_twice_count_their_tokens_once(tmp_path: Path, judge: Script) -> None:
    answer = reply_of("I think that", finish="length")

    def short(request: Received) -> Any:
        return json_answer(answer)

    first = write(tmp_path / "first.jsonl", answered(calls_of(tmp_path), short))
    again = calls_of(tmp_path, "again.jsonl", batch_in=(str(first),))
    second = write(tmp_path / "second.jsonl", answered(again[:3], short) + answered(again[3:], judge))
    both = run(tmp_path, "both", batch_in=(str(first), str(second)))
    alone = run(tmp_path, "alone", batch_in=(str(second),))
    assert verdicts(both) == verdicts(alone)
    own = answer["usage"]["completion_tokens"]
    assert used(alone, "no_verdict") == 3 * [{"output_tokens": own}]
    assert used(both, "no_verdict") == 3 * [{"output_tokens": 2 * own}]


def test_a_large_batch_is_split(tmp_path: Path) -> None:
    file = BatchFile(tmp_path / "calls.jsonl", most_lines=10)
    file.write((f"call {number}", {"n": number}) for number in range(25))
    file.write([("call 3", {"n": 3})])
    assert [path.name for path in file.files] == ["calls.jsonl", "calls-2.jsonl", "calls-3.jsonl"]
    assert [len(lines(path)) for path in file.files] == [10, 10, 5]
    assert [call["body"]["n"] for call in lines(*file.files)] == list(range(25))
    by_size = BatchFile(tmp_path / "sized.jsonl", most_bytes=1000)
    by_size.write((f"call {number}", {"text": "x" * 300}) for number in range(7))
    assert [len(lines(path)) for path in by_size.files] == [2, 2, 2, 1]
    assert max(path.stat().st_size for path in by_size.files) <= 1000


def lines_of(results: Iterable[Any]) -> str:
    return "".join(f"{json.dumps(one)}\n" for one in results)


def of_another_judge(results: list[Any]) -> str:
    return lines_of(one | {"custom_id": "0" * 12 + one["custom_id"][12:]} for one in results)


def of_another_program(results: list[Any]) -> str:
    return lines_of(one | {"custom_id": "request-1"} for one in results)


def calls_again(results: list[Any]) -> str:
    return lines_of({"custom_id": one["custom_id"], "url": CHAT, "body": {}} for one in results)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (of_another_judge, "line 1 belongs to another run"),
        (of_another_program, "line 1 has the custom_id 'request-1', which rmeval did not write"),
        (calls_again, "line 1 is a call and not its result"),
        (lambda results: lines_of([*results[:3], ["x"]]), "line 4 is not a result of a batch"),
        (lambda results: json.dumps(results[0])[:50], "line 1 is not JSON"),
        (lambda results: lines_of(results[:1]) + json.dumps(results[1])[:99], "line 2 is not JSON"),
    ],
    ids=["another judge", "another program", "calls", "a list", "cut in line 1", "cut at the end"],
)
def test_other_files_are_refused(tmp_path: Path, judge: Script, text: Callable[[list[Any]], str], message: str) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text(text(answered(calls_of(tmp_path), judge)))
    with pytest.raises(ModelError, match=message) as caught:
        run(tmp_path, batch_in=(str(file),))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs" / "pairs").exists()


@pytest.mark.parametrize("options", [{"model": "another"}, {"temperature": 0.5}, {"max_new_tokens": 50}])
def test_results_of_another_model_or_sampling_are_refused(tmp_path: Path, judge: Script, options: Any) -> None:
    file = write(tmp_path / "results.jsonl", answered(calls_of(tmp_path), judge))
    with pytest.raises(ModelError, match="belongs to another run"):
        run(tmp_path, batch_in=(str(file),), **options)


def test_the_command_line(tmp_path: Path, judge: Script, capsys: pytest.CaptureFixture[str]) -> None:
    given = (
        "run",
        "scripted",
        "--protocol",
        "five-way",
        "-b",
        "pairs",
        "--data",
        tmp_path / "pairs.jsonl",
        "-o",
        tmp_path,
    )
    calls, results = tmp_path / "calls.jsonl", tmp_path / "results.jsonl"
    done = command(capsys, *given, "--batch-out", calls)
    assert done.code == 0, done.err
    assert f"pairs: {CALLS} requests have no result: {CALLS} calls written to {calls}; " in done.out.replace("\n", " ")
    assert "--batch-in" in done.out
    again = command(capsys, *given, "--batch-out", calls)
    assert (again.code, "remove it, or name another --batch-out" in again.err) == (2, True)
    write(results, answered(lines(calls)[:-1], judge))
    part = command(capsys, *given, "--batch-in", results)
    assert (part.code, "1 request has no result in the batch files" in part.err) == (2, True), part.err
    write(results, answered(lines(calls), judge))
    done = command(capsys, *given, "--batch-in", results)
    assert done.code == 0, done.err
    missing = command(capsys, *given, "--batch-in", tmp_path / "none.jsonl")
    assert (missing.code, "correct --batch-in" in missing.err) == (2, True)
    scalar = command(capsys, "run", "baseline:longest", *given[4:], "--batch-out", tmp_path / "x.jsonl")
    assert (scalar.code, "does not use --batch-out: leave it out" in scalar.err) == (2, True), scalar.err
