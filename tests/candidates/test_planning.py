"""What writing candidates would send is what it sends."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from rmeval.candidates import plan_candidates, write_candidates
from rmeval.errors import ModelError
from tests.candidates.test_writing import SUMS
from tests.candidates.writers import calls, options_for, sums, write_rows
from tests.http_server import serve


def test_nothing_is_sent_and_the_estimate_follows_the_first_answers(tmp_path: Path) -> None:
    problems, out, prices = write_rows(tmp_path / "p.jsonl", SUMS), tmp_path / "c.jsonl", tmp_path / "prices.toml"
    prices.write_text('["scripted"]\ninput = 1000.0\noutput = 2000.0\n')
    model = {"prices": str(prices), "served_model": "scripted"}
    with serve(sums) as server:
        options = options_for(server, 5, model=model, max_new_tokens=100)
        found = plan_candidates(problems, out, options)
        assert server.received == []
        assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
        assert (found.items, found.requests, found.calls, found.model) == (6, 30, 30, "scripted")
        assert math.isnan(found.cost) and math.isnan(found.output_tokens)
        assert found.most_cost == pytest.approx((found.input_tokens * 1000 + 30 * 100 * 2000) / 1e6)
        written = write_candidates(problems, out, options_for(server, 2, model=model, max_new_tokens=100))
        assert written.cost == pytest.approx(12 * (20 * 1000 + 9 * 2000) / 1e6)
        found = plan_candidates(problems, out, options)
        sent = len(calls(server))
        assert (found.done, found.calls, found.recorded) == (12, 18, 12)
        assert found.input_tokens == pytest.approx(18 * 20, abs=1)
        assert found.output_tokens == 18 * 9
        assert found.cost == pytest.approx(18 * (20 * 1000 + 9 * 2000) / 1e6, rel=0.01)
        write_candidates(problems, out, options)
        assert len(calls(server)) - sent == found.calls
        prices.write_text('["another"]\ninput = 1.0\noutput = 2.0\n')
        with pytest.raises(ModelError, match="has no price of the model 'scripted'"):
            plan_candidates(problems, out, options)
