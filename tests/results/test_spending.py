"""Prices in plans, estimates and runs that stop early."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.errors import RunError
from tests.command import command
from tests.http_server import serve
from tests.judge_server import judged_pairs, scripted_judge

PRICES = '["*"]\ninput = 2.0\noutput = 8.0\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of a judge on 60 items: one with recorded costs, and two that are not complete."""
    out = tmp_path_factory.mktemp("spending")
    (out / "prices.toml").write_text(PRICES)
    table = judged_pairs(60, out / "pairs.jsonl", seed=3)
    given: dict[str, Any] = {"data": out / "pairs.jsonl", "protocol": "five-way"}
    with serve(scripted_judge(table, accuracy=0.8, seed=1)) as server:
        rmeval.evaluate(server.url, "pairs", out=out / "priced", prices=str(out / "prices.toml"), **given)
        rmeval.evaluate(server.url, "pairs", out=out / "plain", n_items=30, **given)
        rmeval.evaluate(server.url, "pairs", out=out / "stopped", until=0.4, prices=str(out / "prices.toml"), **given)
    rmeval.evaluate("baseline:longest", "pairs", out=out / "cheap", data=out / "pairs.jsonl")
    return out


def recorded(folder: Path) -> tuple[float, int]:
    """The dollars that a run has recorded, and the number of its requests."""
    run = rmeval.open_run(folder)
    lines = [line for file in (run.path / "journal").iterdir() for line in file.read_text().splitlines()]
    server = run.manifest["sessions"][0]["server"]
    return server["cost"], len(lines)


def test_a_plan_costs_what_its_pilot_did(folder: Path) -> None:
    cost, requests = recorded(folder / "priced")
    assert cost > 0
    found = rmeval.plan(folder / "priced", width=0.1)
    assert found.price_per_1000 == pytest.approx(1000 * cost / requests, rel=1e-5)
    (goal,) = found.goals
    assert goal.requests == 2 * (goal.items or 0)
    assert goal.price == pytest.approx((goal.requests or 0) * cost / requests, rel=1e-5)
    assert any(note.startswith("the price of requests is that of scripted") for note in found.notes)
    # The same tokens at the same prices, where no cost is recorded.
    priced = rmeval.plan(folder / "plain", width=0.1, prices=folder / "prices.toml")
    assert priced.price_per_1000 == pytest.approx(found.price_per_1000, rel=0.1)
    assert rmeval.plan(folder / "plain", width=0.1).price_per_1000 is None
    given = rmeval.plan(folder / "priced", width=0.1, price_per_1000=7.0)
    assert given.price_per_1000 == 7.0
    with pytest.raises(RunError, match="`prices` and `price_per_1000` are two prices"):
        rmeval.plan(folder / "priced", width=0.1, price_per_1000=7.0, prices="x")
    with pytest.raises(RunError, match="`prices` is for a pilot"):
        rmeval.plan(accuracy=0.8, width=0.1, prices="x")


def test_an_estimate_states_the_money_that_the_cheap_run_saves(folder: Path) -> None:
    found = rmeval.estimate(folder / "cheap", folder / "plain", prices=folder / "prices.toml")
    assert found.price > 0
    assert math.isnan(found.cheap_price)
    assert found.money_saved == pytest.approx(found.worth * found.price)
    assert math.isnan(rmeval.estimate(folder / "cheap", folder / "plain").price)


def test_the_commands_print_money(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prices = ("--prices", folder / "prices.toml")
    done = command(capsys, "estimate", "--cheap", folder / "cheap", "--expensive", folder / "plain", *prices)
    assert done.code == 0, done.err
    assert "saved by the cheap run" in done.out
    done = command(capsys, "plan", folder / "plain", "--width", 10, *prices, "--json")
    assert json.loads(done.out)["price_per_1000"] > 0


def test_a_run_that_stops_states_what_it_did_not_spend(folder: Path) -> None:
    run = rmeval.open_run(folder / "stopped")
    stopped = run.manifest["selection"]["stopped"]
    left = 60 - stopped["problems"]
    assert left > 0
    cost, _ = recorded(folder / "stopped")
    each = cost / stopped["problems"]
    assert (
        f"not spent: about {each * left:.2g} dollars for {left} items, at {each:.2g} dollars for an item" in run.notes
    )


def test_a_cascade_with_costs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rmeval.cascade(folder / "cheap", folder / "priced")
    assert math.isnan(found.cheap.cost)
    cost, _ = recorded(folder / "priced")
    assert found.expensive.cost == pytest.approx(cost / 60, rel=1e-5)
    assert any("has recorded no tokens" in note for note in found.notes)
    both = rmeval.cascade(folder / "plain", folder / "priced", prices=folder / "prices.toml", budget=5.0)
    assert both.points[-1].cost == pytest.approx(both.cheap.cost + both.expensive.cost)
    assert both.points[0].cost == pytest.approx(both.cheap.cost)
    assert 1000 * both.chosen.cost <= 5.0
    done = command(
        capsys, "cascade", folder / "plain", folder / "priced", *("--prices", folder / "prices.toml", "--budget", 5)
    )
    assert "dollars for 1,000 items, by the prices of" in " ".join(done.out.split())
