"""Damaged files of every form: a sentence, or a run; never anything else."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rmeval.benchmarks import load_benchmark
from rmeval.errors import RmevalError
from rmeval.runs.imports import import_scores
from tests.data import reward_bench_rows
from tests.runs.forms.files import Rows, written
from tests.runs.forms.test_scores import best_of_4, math_data, math_prm, math_rows, rmb_data, rmb_row
from tests.runs.forms.test_verdicts import judged, llmbar_rows, rmb_logs, run_bench_rows


def pairwise() -> Rows:
    own = {"solution_reference": ["model-1"], "score": ["A"], "chosen_position": ["A"]}
    return [{"problem": f"What is {n}?"} | own for n in range(2)]


def steps() -> Rows:
    own = {"output": {"step_scores": [0.5, 0.25]}, "problem_id": 1}
    return [
        {"problem": row["prompt"], "eval_solution": row[kind].split("\n"), "solution_type": kind} | own
        for row in math_prm()
        for kind in ("chosen", "rejected")
    ]


def samples() -> Rows:
    own = {"k": 2, "full_scores": [[1, 2]] * 4, "full_errors": [[None, None]] * 4, "refused": [False] * 4}
    return [{"id": str(n), "subset": "Focus"} | own for n in range(2)]


def scored(names: dict[str, Any]) -> Callable[[], Rows]:
    return lambda: [row | names for row in reward_bench_rows({"hep-go": 2})]


FORMS: dict[str, tuple[Callable[[], Rows], str, Callable[[], Rows]]] = {
    "rmb": (lambda: [rmb_row("1", 2, 1), rmb_row("2", 1, 1)], "rmb", lambda: rmb_data(["1", "2"])),
    "rm-r1": (lambda: rmb_logs()[:4], "rmb", list),
    "reward-math": (lambda: math_rows(2, [[0.5, 1.0], [0.25]]), "reward-math", lambda: math_data(2, 2)),
    "pairwise": (pairwise, "reward-math", lambda: math_data(2, 2)),
    "steps": (steps, "reward-bench", math_prm),
    "judges": (lambda: judged(("A>B", "B>A"), ("A=B", None)), "judgebench", lambda: judged((), ())),
    "llmbar": (lambda: llmbar_rows(("1", "1"), ("2", None)), "llmbar", lambda: llmbar_rows(("", ""), ("", ""))),
    "run_bench": (lambda: run_bench_rows("length bias"), "evalbiasbench", lambda: run_bench_rows("length bias")),
    "generative": (scored({"results": 1}), "reward-bench", scored({})),
    "reward-bench": (scored({"scores_chosen": 1, "scores_rejected": [0.5]}), "reward-bench", scored({})),
    "reward-bench-2": (
        lambda: [best_of_4("Focus", str(n), f"{n}?") | {"scores": [1, 0, 0, 0], "num_correct": 1} for n in range(2)],
        "reward-bench-2",
        lambda: [best_of_4("Focus", str(n), f"{n}?") for n in range(2)],
    ),
    "samples": (samples, "reward-bench-2", lambda: [best_of_4("Focus", str(n), f"{n}?") for n in range(2)]),
    "ours": (
        lambda: [{"item_id": "hep-go/0", "response": k, "score": k} for k in range(2)],
        "reward-bench",
        scored({}),
    ),
}
WRONG: tuple[Any, ...] = (
    None,
    7,
    -1,
    0.5,
    True,
    "",
    "text",
    [],
    [1],
    ["a"],
    {},
    {"a": 1},
    [None],
    [[]],
    [{}],
    float("nan"),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a value, at any depth."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, own in inside for place in [(*path, key), *places(own, (*path, key))]]


def damaged(rows: Rows, number: int) -> Rows:
    """One value of a row replaced or removed."""
    random_ = random.Random(number)
    found = copy.deepcopy(list(rows))
    row = random_.choice(found)
    *above, last = random_.choice(places(row))
    inside: Any = row
    for key in above:
        inside = inside[key]
    if isinstance(inside, dict) and random_.random() < 0.3:
        del inside[last]
    else:
        inside[last] = random_.choice(WRONG)
    return found


@pytest.mark.parametrize("name", FORMS)
def test_a_damaged_file_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    rows, benchmark, data = FORMS[name]
    given = data()
    place = written(tmp_path / "Natural.jsonl", given) if given else None
    outcomes = set()
    for number in range(25):
        found = damaged(rows(), number)
        file = written(tmp_path / f"{number}_Natural_result.json", found)
        for own in {place, None}:
            bench = load_benchmark(benchmark, None if own is None else str(own))
            options: dict[str, Any] = {"items_from_scores": own is None, "name": str(number)}
            try:
                import_scores(file, bench, tmp_path / "runs", steps="min" if name == "steps" else None, **options)
                outcomes.add("a run")
            except RmevalError as error:
                assert "\n" not in str(error) and len(str(error)) < 600, json.dumps(found)
                outcomes.add("refused")
    assert outcomes == {"a run", "refused"}
