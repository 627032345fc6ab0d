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
from rmeval.importers.run import import_scores
from tests.importers.formats.files import Rows, written
from tests.importers.formats.test_scores import best_of_4, math_data, math_prm, math_rows, rmb_data, rmb_row
from tests.importers.formats.test_verdicts import judged, llmbar_rows, rmb_logs, run_bench_rows
from tests.samples import reward_bench_rows


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
@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("form", "change", "sentence"),
    [
        ("run_bench", {"label": True}, "the label must be 1 or 2, the number of the better response, not True"),
        ("run_bench", {"label": 1.0}, "the label must be 1 or 2, the number of the better response, not 1.0"),
        ("rm-r1", {"Is_Chosen_Answer_Shuffled_toPositionB": "False"}, "must be true or false, not a string"),
        ("reward-bench", {"id": float("nan")}, "column 'id' must be a name or a whole number, not nan"),
        ("reward-bench", {"subset": ["hep-go"]}, "column 'subset' must be a name or a whole number, not a list"),
        ("reward-bench-2", {"id": 1.0}, "column 'id' must be a name or a whole number, not 1.0"),
        ("judges", {"pair_id": True}, "column 'pair_id' must be a name"),
    ],
)
def test_values_that_would_be_taken_for_others(
    form: str, change: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    rows, benchmark, data = FORMS[form]
    changed = written(tmp_path / "scores.json", [row | change for row in rows()])
    given = data()
    source = load_benchmark(benchmark, str(written(tmp_path / "data.json", given)) if given else None)
    with pytest.raises(RmevalError, match=sentence):
        import_scores(changed, source, tmp_path / "runs", items_from_scores=not given)


def test_a_number_of_right_answers_below_none(tmp_path: Path) -> None:
    rows = [row | {"num_correct": -1} for row in FORMS["reward-bench-2"][0]()]
    file = written(tmp_path / "scores.json", rows)
    with pytest.raises(RmevalError, match="the number of right responses"):
        import_scores(file, load_benchmark("reward-bench-2"), tmp_path / "runs", items_from_scores=True)


def test_a_key_twice_in_a_file_of_scores(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('[{"id": 1, "subset": "hep-go", "scores_chosen": 1, "scores_chosen": 2}]')
    with pytest.raises(RmevalError, match=r"scores.json: an object has the key 'scores_chosen' twice"):
        import_scores(
            tmp_path / "scores.json", load_benchmark("reward-bench"), tmp_path / "runs", items_from_scores=True
        )
