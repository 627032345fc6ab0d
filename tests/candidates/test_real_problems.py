"""Candidates of published problems, whose files are read as they are; a scripted model knows which are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from rmeval.candidates import write_candidates
from tests.build.known import Known, gsm8k, humaneval, math_algebra, mbpp, with_mutants
from tests.build.scripted import ScriptedModel
from tests.candidates.writers import QUICK, lines, options_for, write_rows
from tests.http_server import serve

pytestmark = pytest.mark.slow

FILES: dict[str, Callable[[Path], list[Known]]] = {
    "humaneval": lambda shared: with_mutants(humaneval(shared, 8)),
    "mbpp": lambda shared: with_mutants(mbpp(shared, 8)),
    "gsm8k": lambda shared: gsm8k(shared, 8),
    "math": lambda shared: math_algebra(shared, 8),
}


@pytest.mark.parametrize("layout", FILES)
def test_no_wrong_candidate_is_right_and_no_right_one_is_wrong(layout: str, shared: Path, tmp_path: Path) -> None:
    known = FILES[layout](shared)
    problems = write_rows(tmp_path / "p.jsonl", [one.row for one in known])
    model = ScriptedModel(known, code=QUICK)
    with serve(model) as server:
        found = write_candidates(problems, tmp_path / "c.jsonl", options_for(server, 8))
    assert found.n_problems == len(known) > 3
    truths = {text: truth.right for own in model.truth.values() for text, truth in own.items()}
    compared: Counter[tuple[bool | None, int | None]] = Counter()
    for row in lines(tmp_path / "c.jsonl"):
        compared.update((truths.get(text), gold) for text, gold in zip(row["responses"], row["gold"], strict=True))
    assert not compared[True, 0] and not compared[False, 1], compared
    assert compared[True, 1] > 10 and compared[False, 0] > 5
    # What is neither, such as code that depends on chance, does not count as right.
    assert sum(count for (_, gold), count in compared.items() if gold is None) < found.n_responses / 5
