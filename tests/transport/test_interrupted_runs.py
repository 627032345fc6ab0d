"""`rmeval run` of a served model, ended by ctrl-C or by the server, and continued."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import rmeval
from tests.command import command, running
from tests.http_server import Answer, Received, Scripted, hang, json_answer, serve
from tests.models.served import routed, vllm_like


def arguments(url: str, tmp_path: Path) -> list[Any]:
    data = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"prompt {n}", "chosen": f"response {n} a", "rejected": f"response {n} b"} for n in range(60)]
    data.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return [
        "run",
        url,
        "-b",
        "pairs",
        "--data",
        data,
        "-o",
        tmp_path / "runs",
        "--concurrency",
        "4",
    ]


CHECKED = 1
"""Conversations that a process sends once more to check that the server's template shows every role."""


def is_item(request: Received) -> bool:
    """Whether a request contains an unchanged conversation of the data; others check the server."""
    return b'"content":"prompt ' in request.body and b'"content":"response ' in request.body


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_all_that_came_and_the_next_run_asks_for_the_rest(
    number: int, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = routed(**vllm_like())
    sent: list[bytes] = []
    waiting: list[bytes] = []
    held = threading.Event()

    def script(request: Received) -> Answer:
        if not is_item(request):
            return whole(request)
        if len(sent) >= 50:  # From here on no answer comes; all earlier ones have arrived once four calls wait.
            waiting.append(request.body)
            if len(waiting) == 4:
                held.set()
            return hang()
        sent.append(request.body)
        return whole(request)

    with serve(script) as server:
        run = arguments(server.url, tmp_path)
        victim = running(*run)
        assert held.wait(30)
        victim.send_signal(number)
        _, error = victim.communicate(timeout=60)
        assert victim.returncode == code, error
        assert "Traceback" not in error
        first = len(server.received)
        server.script = whole
        assert command(capsys, *run).code == 0
        again = {one.body for one in server.received[first:] if is_item(one)}
    assert len(sent) == 50
    assert len(again & set(sent)) <= CHECKED
    result = rmeval.open_run(tmp_path / "runs")
    assert result.record("accuracy").n_items == 60


def test_a_server_that_refuses_from_some_call_on_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = routed(**vllm_like())
    sent: list[bytes] = []

    def script(request: Received) -> Answer:
        if is_item(request):
            if len(sent) >= 40:
                return json_answer({"error": {"message": "Your key has expired"}}, 401)
            sent.append(request.body)
        return whole(request)

    with serve(script) as server:
        run = arguments(server.url, tmp_path)
        stopped = command(capsys, *run)
        assert stopped.code == 2
        assert "refuses access (HTTP 401: Your key has expired)" in stopped.err
        assert "--api-key-env" in stopped.err
        first = len(server.received)
        server.script = whole
        assert command(capsys, *run).code == 0
        again = {one.body for one in server.received[first:] if is_item(one)}
    assert len(sent) == 40
    assert len(again & set(sent)) <= CHECKED
    assert rmeval.open_run(tmp_path / "runs").record("accuracy").n_items == 60


def test_a_budget_ends_a_run_and_a_larger_one_continues_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = Scripted(routed(**vllm_like()))
    server.start()
    run = arguments(server.url, tmp_path)
    stopped = command(capsys, *run, "--max-requests", "60")
    assert stopped.code == 2
    assert "the budget is spent (--max-requests is 60" in stopped.err
    assert len(server.received) == 60
    assert command(capsys, *run).code == 0
    server.stop()
    bodies = Counter(one.body for one in server.received if is_item(one))
    assert len(bodies) == 120
    assert sum(bodies.values()) - 120 <= 2 * CHECKED
    assert rmeval.open_run(tmp_path / "runs").record("accuracy").n_items == 60
