"""Candidates of a real language model: SmolLM2, which rmeval runs itself, on sums."""

from __future__ import annotations

from pathlib import Path

from rmeval.candidates import WriterOptions, write_candidates
from tests.candidates.writers import lines, write_rows

PROBLEMS = [
    {"id": "pens", "prompt": "Ada has 3 pens and buys 4 more. How many pens does she have?", "answer": "7"},
    {"id": "eggs", "prompt": "A box has 6 eggs. How many eggs are in 2 boxes?", "answer": "12"},
    {"id": "town", "prompt": "Is 5 larger than 3? Answer yes or no.", "answer": "yes"},
]


def test_a_local_model_writes_candidates_that_go_on(real_models: Path, tmp_path: Path) -> None:
    problems, out = write_rows(tmp_path / "p.jsonl", PROBLEMS), tmp_path / "c.jsonl"
    options = WriterOptions(str(real_models / "smollm2"), 2, temperature=0.8, max_new_tokens=48)
    found = write_candidates(problems, out, options)
    rows = lines(out)
    assert (found.calls, found.n_responses, sum(found.outcomes.values())) == (6, 6, 6)
    assert all(row["responses"][0] != row["responses"][1] for row in rows), "each candidate has its own seed"
    assert all(gold in (0, 1, None) for row in rows for gold in row["gold"])
    more = write_candidates(problems, out, WriterOptions(options.writer, 3, temperature=0.8, max_new_tokens=48))
    assert more.calls == 3
    assert [row["responses"][:2] for row in lines(out)] == [row["responses"] for row in rows]
