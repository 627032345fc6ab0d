"""The parts of the client that need no server: answers, what failures mean, budgets, options."""

from __future__ import annotations

import email.utils
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.errors import ModelError
from rmeval.transport import Call, ServerOptions, Usage
from rmeval.transport.answers import UnreadableError, Words, json_data
from rmeval.transport.attempts import Attempt, Pace, can_heal, is_fatal, retry_after
from rmeval.transport.budget import Budget, shared_budgets
from rmeval.transport.outage import Outage
from rmeval.transport.tally import Tally


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "No such model", "type": "x", "code": 404}}', "No such model"),
        (b'{"error": {"message": "No", "code": "model_not_found"}}', "No (model_not_found)"),
        (b'{"object": "error", "message": "too\\n long."}', "too long"),
        (b'{"error": "Input validation error", "error_type": "Validation"}', "Input validation error"),
        (b'{"detail": [{"loc": ["body", 0], "msg": "missing"}]}', "body.0: missing"),
        (b"Internal Server Error", "Internal Server Error"),
        (b"<html><head><title>502 Bad\nGateway</title></head></html>", "an HTML page, 502 Bad Gateway"),
        (b"<html></html>", "an HTML page"),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 100_000, "[" * 150 + " ... " + "[" * 150 + " (100000 characters)"),
    ],
)
def test_the_servers_own_words(body: bytes, words: str) -> None:
    assert Words("").of(body) == words


@given(
    st.recursive(
        st.none() | st.text() | st.integers() | st.floats(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_any_body_gives_one_short_line(data: Any) -> None:
    found = Words("").of(json.dumps({"error": data}).encode())
    assert len(found) < 400
    assert found.isprintable() or not found


@pytest.mark.parametrize(
    "body", [b"NaN", b'{"a": -Infinity}', b"1e999", b'{"a": 1, "a": 2}', b"[" * 5_000 + b"]" * 5_000]
)
def test_ambiguous_answers_are_no_data_and_are_not_asked_for_again(body: bytes) -> None:
    with pytest.raises(UnreadableError) as caught:
        json_data(body)
    assert caught.value.permanent


@pytest.mark.parametrize("body", [b"", b"{", b"hello", b"\xff", b'{"a": 1} x'])
def test_broken_answers_may_heal(body: bytes) -> None:
    with pytest.raises(UnreadableError) as caught:
        json_data(body)
    assert not caught.value.permanent


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("3", 3),
        (" 2.5 ", 2.5),
        ("9999999", 60),
        ("-5", 0),
        ("nan", 0),
        ("inf", 0),
        ("soon", 0),
        ("1e9", 0),
    ],
)
def test_retry_after_in_seconds(value: str | None, seconds: float) -> None:
    assert retry_after(value, 60.0) == seconds


@pytest.mark.parametrize(("ahead", "least", "most"), [(30, 25, 30), (-100, 0, 0), (10_000, 60, 60)])
def test_retry_after_as_a_date(ahead: float, least: float, most: float) -> None:
    date = email.utils.formatdate(time.time() + ahead, usegmt=True)
    assert least <= retry_after(date, 60.0) <= most


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529])
def test_statuses_that_heal(status: int) -> None:
    attempt = Attempt(fault="status", status=status, error="x")
    assert can_heal(attempt)
    assert not is_fatal(attempt, answered=False)


@pytest.mark.parametrize(
    ("status", "fatal"), [(400, False), (401, True), (403, True), (404, True), (405, True), (413, False)]
)
def test_statuses_that_do_not_heal(status: int, fatal: bool) -> None:
    attempt = Attempt(fault="status", status=status, error="x")
    assert not can_heal(attempt)
    assert is_fatal(attempt, answered=False) is fatal
    # After other answers, a refused access may be for the content of one call.
    assert is_fatal(attempt, answered=True) is (fatal and status != 403)


def test_waits_are_random_and_bounded() -> None:
    pace = Pace(first_wait=1.0, longest_wait=8.0)
    for number, most in ((0, 1.0), (1, 2.0), (2, 4.0), (3, 8.0), (10_000, 8.0)):
        waits = [pace.wait(number) for _ in range(200)]
        assert 0 <= min(waits) < most / 4
        assert 3 * most / 4 < max(waits) <= most


def test_patience_is_at_least_the_read_timeout_and_needs_several_calls() -> None:
    outage = Outage(Pace(patience=10.0), read_timeout=30.0)
    failed = Attempt(fault="timeout", error="no data")
    for now in range(0, 40, 10):
        outage.failed(1, failed, now - 5, now)
        assert outage.dead_for(failed, now) is None
    for call in (2, 3):
        outage.failed(call, failed, 40, 41)
    assert outage.dead_for(failed, 41) == 41
    outage.succeeded()
    outage.failed(1, failed, 50, 51)
    assert outage.dead_for(failed, 51) is None


def test_estimates_count_until_the_answer() -> None:
    budget = Budget(ServerOptions(max_tokens=100))
    call = Call(1, "x", tokens=40)
    assert budget.spent(call) is None
    budget.begin(call)
    budget.begin(call)
    assert budget.spent(call) is not None
    budget.end(call, Usage(5, 5))
    assert budget.spent(call) is None
    budget.end(call, None)
    assert (budget.usage, budget.in_flight, budget.requests) == (Usage(45, 5), 0, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[m", "cannot be read"),
        ("m = 1", "has no usable price of 'm'"),
        ("[m]\noutput = 1", "has no usable price"),
        ("[m]\ninput = -1", "has no usable price"),
        ("[m]\ninput = nan", "has no usable price"),
        ("[m]\ninput = 1\noutputs = 2", "has no usable price"),
    ],
)
def test_wrong_price_files(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(ModelError, match=words):
        Budget(ServerOptions(prices=str(tmp_path / "prices.toml")))


def test_a_model_without_a_price(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('["org/m"]\ninput = 0.5\noutput = 1\n')
    budget = Budget(ServerOptions(prices=str(file), max_cost=1.0))
    budget.check_price(Call(None, "classify", {"model": "org/m"}))
    probe = Call(None, "v1/models", method="GET")
    budget.check_price(probe)
    assert budget.spent(probe) is None
    for body, words in (
        ({"model": "other"}, r"the model 'other': add input and output under \["),
        ({}, r"calls that name no model: add input and output under \[\"\*\"\] for all models"),
    ):
        with pytest.raises(ModelError, match=rf"{re.escape(str(file))} has no price of {words}"):
            budget.check_price(Call(None, "classify", body))
    with pytest.raises(ModelError, match="cannot be read"):
        Budget(ServerOptions(prices=str(tmp_path / "none.toml")))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"concurrency": 0}, "`concurrency` is 0: choose a whole number of at least 1"),
        ({"concurrency": 2.5}, "`concurrency` is 2.5"),
        ({"retries": -1}, "`retries` is -1: choose a whole number of at least 0"),
        ({"timeout": 0}, "`timeout` is 0: choose a number above 0"),
        ({"read_timeout": float("nan")}, "`read_timeout` is nan"),
        ({"max_requests": 0}, "`max_requests` is 0"),
        ({"api_key_env": "a-key-0123456789"}, "`api_key_env` is no name of an environment variable (and is not shown"),
        ({"api_key_env": "hf_abcdefghijklmnopqrstuvwxyz"}, "`api_key_env` is no name of an environment variable"),
        ({"api_key_env": "A\nB"}, "`api_key_env` is no name of an environment variable"),
        ({"max_cost": 1.0}, "`max_cost` needs the prices of the model: name a price file with `prices`"),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=re.escape(words)) as refused:
        ServerOptions(**options)
    assert "0123456789" not in str(refused.value)


def test_latencies_are_within_a_few_percent() -> None:
    tally = Tally()
    for number in range(1, 1_001):
        tally.ended(Attempt(data=1), number / 1_000)
    assert tally.latency(0.5) == pytest.approx(0.5, rel=0.03)
    assert tally.latency(0.95) == pytest.approx(0.95, rel=0.03)
    assert Tally().latency(0.5) is None


def test_budgets_within_a_block_are_one() -> None:
    options = ServerOptions(max_requests=3)
    call = Call(1, "x")
    with shared_budgets():
        one, other = Budget(options), Budget(options)
    alone = Budget(options)
    for budget in (one, other, one):
        assert budget.spent(call) is None
        budget.begin(call)
    assert one.spent(call) == other.spent(call) == "`max_requests` is 3, and as many requests were sent"
    assert alone.spent(call) is None
    assert not other.nothing_in_flight
    one.end(call, None)
    one.end(call, None)
    assert not one.nothing_in_flight
    other.end(call, None)
    assert one.nothing_in_flight
    assert (one.requests, other.requests) == (2, 1)


def test_input_and_output_have_their_own_prices(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text('["*"]\ninput = 1\noutput = 10\n')
    budget = Budget(ServerOptions(prices=str(tmp_path / "prices.toml"), max_cost=0.003, max_tokens=10_000))
    call = Call(1, "x", tokens=1_000, output=100)
    budget.begin(call)
    # 0.002 are reserved for each.
    assert budget.spent(call) == "`max_cost` is 0.003, 0 was spent, and a call may cost 0.002"
    budget.end(call, Usage(900, 5))
    assert budget.cost == pytest.approx(0.00095)
    budget.begin(call)
    budget.end(call, None)  # Its connection was cut.
    assert budget.cost == pytest.approx(0.00295)
    assert (budget.usage, budget.estimated) == (Usage(1_900, 105), Usage(1_000, 100))
