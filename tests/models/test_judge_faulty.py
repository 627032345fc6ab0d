"""A judge of known accuracy, biases and failure rate behind a server that spoils 30% of all calls."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.metrics.stats.intervals import wilson
from rmeval.store.journal import read_journal
from rmeval.store.run import read_run
from tests.http_server import Answer, Received, Scripted, serve
from tests.judge_server import CHAT, Known, faulty, judged_pairs, scripted_judge

pytestmark = pytest.mark.slow

ITEMS = 500
PLANTED: dict[str, Any] = {"accuracy": 0.8, "position_bias": 0.15, "verbosity_bias": 0.2, "failure_rate": 0.06}


def evaluated(server: Scripted, tmp_path: Path, out: str, **options: Any) -> rmeval.Result:
    return rmeval.evaluate(
        server.url,
        "pairs",
        data=str(tmp_path / "pairs.jsonl"),
        protocol="five-way",
        out=tmp_path / out,
        read_timeout=0.3,
        retries=8,
        **options,
    )


def exported(result: rmeval.Result) -> list[str]:
    """Every observation but for what depends on the way to it, sorted."""
    every = [one for batch in read_journal(result.path / "journal") for one in batch]
    return sorted(json.dumps([one.key, one.status, one.values, one.choice, one.error, one.usage]) for one in every)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Known]]:
    folder = tmp_path_factory.mktemp("pairs")
    return folder, judged_pairs(ITEMS, folder / "pairs.jsonl", seed=3)


@pytest.fixture(scope="module")
def behind_faults(pairs: tuple[Path, dict[str, Known]]) -> tuple[rmeval.Result, list[Received]]:
    folder, table = pairs
    script = faulty(scripted_judge(table, **PLANTED, seed=5), share=0.3, seed=7)
    with serve(script) as server:
        result = evaluated(server, folder, "faulty", store_text=True)
        return result, [one for one in server.received if one.path == CHAT]


def test_every_item_has_a_status_and_none_is_lost_or_twice(
    behind_faults: tuple[rmeval.Result, list[Received]], pairs: tuple[Path, dict[str, Known]]
) -> None:
    result, sent = behind_faults
    every = [one for batch in read_journal(result.path / "journal") for one in batch]
    assert Counter(Counter(one.key for one in every).values()) == {1: 2 * ITEMS}
    assert {one.status for one in every} == {"ok", "unparsed"}
    server = result.manifest["sessions"][0]["server"]
    spoilt = sum(server["retries"].values())
    assert set(server["retries"]) == {"429", "500", "503", "body", "cut", "timeout"}
    # Each of 1,000 calls comes until it is answered: 1,000 / 0.7 requests on average.
    assert len(sent) == 2 * ITEMS + spoilt
    assert len(sent) == pytest.approx(2 * ITEMS / 0.7, rel=0.06)
    assert len({one.body for one in sent}) == 2 * ITEMS
    assert (server["calls"], server["failed"]) == (2 * ITEMS + 1, {})


def test_faults_change_no_verdict(
    behind_faults: tuple[rmeval.Result, list[Received]], pairs: tuple[Path, dict[str, Known]]
) -> None:
    folder, table = pairs
    with serve(scripted_judge(table, **PLANTED, seed=5)) as server:
        plain = evaluated(server, folder, "plain")
    assert exported(plain) == exported(behind_faults[0])
    assert [one.to_dict() for one in plain.records] == [one.to_dict() for one in behind_faults[0].records]


def test_the_planted_numbers_are_recovered(
    behind_faults: tuple[rmeval.Result, list[Received]], pairs: tuple[Path, dict[str, Known]]
) -> None:
    result = behind_faults[0]
    accuracy, position, verbosity, failures = PLANTED.values()
    # The formulas of tests.judge_server.Planted.
    both = (1 - failures) * (position / 2 + (1 - position) * (verbosity / 2 + (1 - verbosity) * accuracy))
    low, high = result.record("accuracy").ci or (0.0, 0.0)
    assert low <= both <= high
    run = read_run(result.path)
    assert run.observations.choice is not None
    choice = run.observations.choice[run.requests.rows].reshape(ITEMS, 2)  # Each pair in one order and the other.
    said = choice >= 0
    decided = choice[said.all(axis=1)]
    assert within(decided[:, 0] == decided[:, 1], position)
    assert within(decided.ravel() == 0, 0.5 + position / 2, np.repeat(np.arange(len(decided)), 2))
    assert within(~said.ravel(), failures)


def within(seen: Any, planted: float, clusters: Any = None) -> bool:
    """Whether a planted share is in the interval of an observed one."""
    interval, _ = wilson(seen.astype(float), np.arange(len(seen)) if clusters is None else clusters)
    assert interval is not None
    return interval[0] <= planted <= interval[1]


def test_the_verbosity_bias_is_recovered(
    behind_faults: tuple[rmeval.Result, list[Received]], pairs: tuple[Path, dict[str, Known]]
) -> None:
    """Where verdicts agree in both orders: how much more often the better response wins if it is the longer one."""
    folder, _ = pairs
    texts = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    longer = {row["id"]: len(row["chosen"]) > len(row["rejected"]) for row in texts}
    wrong = {one.item for one in rmeval.wrong_examples(behind_faults[0].path, n=ITEMS, variant="orders/agree")}
    wins = {side: [name not in wrong for name, own in longer.items() if own is side] for side in (True, False)}
    difference = np.mean(wins[True]) - np.mean(wins[False])
    error = np.sqrt(sum(np.var(own) / len(own) for own in wins.values()))
    _, position, verbosity, failures = PLANTED.values()
    assert abs(difference - (1 - position) * verbosity * (1 - failures) ** 2) < 2.5 * error


def test_the_same_export_whatever_the_concurrency(tmp_path: Path) -> None:
    """With sampling, votes and a deterministic server, which answers later calls sooner."""
    table = judged_pairs(60, tmp_path / "pairs.jsonl", seed=3)
    whole = scripted_judge(table, **PLANTED, instability=0.5, seed=5)

    def script(request: Received) -> Answer:
        return replace(whole(request), wait=0.02 * (request.number % 7 == 0))

    found = []
    for concurrency in (1, 8, 64):
        with serve(script) as server:
            out = f"runs {concurrency}"
            found.append(evaluated(server, tmp_path, out, concurrency=concurrency, votes=2, temperature=0.7))
            assert 1 <= server.most <= concurrency
            assert (server.most > 1) == (concurrency > 1)
    exports = [exported(one) for one in found]
    assert len(exports[0]) == 240
    assert exports[0] == exports[1] == exports[2]
    records = [[one.to_dict() for one in result.records] for result in found]
    assert records[0] == records[1] == records[2]
