"""Attacks with mutated inputs of every format (bytes and structure) through the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.attacks.harness import Share, Tally, call, last_line
from scripts.attacks.mutations import mutated
from tests.benchmarks.test_tiny_on_all import MADE
from tests.samples import pair_rows, reward_bench_rows, rm_bench_rows

from rmeval.data.reading import iterate_fields

SECONDS = 20
LONG = 4000
"""Maximum number of characters of an error message."""


def inputs(share: Share) -> Tally:
    """Mutate valid inputs of all formats, and run the commands that read them."""
    tally = Tally("mutated inputs")
    known = list(cases(share.folder))
    for case in known:
        done = call(case.arguments(case.path))
        assert done.code == 0, f"the valid input of {case.name}: {last_line(done)}"
    for number in range(share.tries):
        case = known[number % len(known)]
        suffix, data, forbidden = mutated(case.data, case.names, case.lines, share.dice)
        own = share.folder / f"try{number % 7}" / case.path.parent.name
        own.mkdir(parents=True, exist_ok=True)
        file = own / (case.path.name.partition(".")[0] + suffix)
        file.write_bytes(data)
        shutil.rmtree(share.folder / "runs", ignore_errors=True)
        done = call(case.arguments(file), seconds=SECONDS)
        fault = done.fault or ("refused" if done.code else None)
        if done.code == 0 and forbidden:
            fault = f"misread ({forbidden})"
        elif len(done.err) > LONG and done.code == 2:
            fault = "long error"
        tally.add(fault, f"{case.name} {number}: {last_line(done)}")
        file.unlink()
    return tally


NAMES = {
    "pairs": ("id", "subset"),
    "reward-bench": ("id", "subset"),
    "reward-bench-2": ("id", "subset"),
    "rm-bench": ("id", "domain"),
    "judgebench": ("pair_id",),
    "reward-math": ("problem_id",),
    "ppe-preference": ("question_id",),
    "ppe-correctness": ("question_id", "model_name"),
}
"""Columns with names, by benchmark."""


STATED: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "rb": (
        "reward-bench",
        [{"subset": "hep-go", "id": k, "scores_chosen": 1.5, "scores_rejected": [0.5]} for k in range(2)],
    ),
    "rb results": ("reward-bench", [{"subset": "hep-go", "id": k, "results": k / 2} for k in range(3)]),
    "rb2": (
        "reward-bench-2",
        [{"subset": "Math", "id": k, "scores": [1, 0.5, 0, 2], "num_correct": 1} for k in range(2)],
    ),
    "rb2 full": (
        "reward-bench-2",
        [
            {
                "subset": "Math",
                "id": k,
                "full_scores": [[1, 2], [0], [0], [2]],
                "num_correct": 1,
                "refused": [False] * 4,
            }
            for k in range(2)
        ],
    ),
    "rmb": (
        "rmb",
        [
            {
                "pair_uid": f"u{k}",
                "category_path": "Pairwise_set/Helpfulness/Chat/Discussion",
                "chosen_reward": 1.5,
                "reject_reward": k,
            }
            for k in range(2)
        ],
    ),
    "rm-r1": (
        "rmb",
        [
            {
                "pair_uid": "u",
                "category_path": "Pairwise_set/Helpfulness/Chat/Discussion",
                "results": 1,
                "text_chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
                "text_rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "b"}],
                "answers": "[[A]]",
                "Is_Chosen_Answer_Shuffled_toPositionB": False,
            }
        ],
    ),
    "judgebench": (
        "judgebench",
        [
            {
                "pair_id": "p",
                "source": "mmlu-pro-law",
                "response_model": "gpt-4o-2024-05-13",
                "question": "q",
                "response_A": "a",
                "response_B": "b",
                "label": "A>B",
                "judgments": [
                    {"judgment": {"judge_model": "m", "response": "x"}, "decision": "A>B"},
                    {"judgment": {"judge_model": "m"}, "decision": "B>A"},
                ],
            }
        ],
    ),
    "run_bench": (
        "evalbiasbench",
        [
            {
                "bias": "length bias",
                "instruction": "i",
                "response1": "a",
                "response2": "b",
                "label": 1,
                "result": {
                    "orig": {"prediction": "1", "is_correct": True},
                    "swap": {"prediction": "2", "is_correct": False},
                },
            }
        ],
    ),
    "reward-math": (
        "reward-math",
        [{"problem": "p", "solution_reference": ["h", "b", "c"], "score": [[0.5, 1], [0.1], [0.2]]}],
    ),
    "reward-math verdicts": (
        "reward-math",
        [{"problem": "p", "solution_reference": ["b", "c"], "score": ["A", "B"], "chosen_position": ["A", "A"]}],
    ),
    "llmbar": (
        "llmbar",
        [
            {
                "input": "i",
                "output_1": "a",
                "output_2": "b",
                "label": 1,
                "results": [{"swap = False": {"winner": "1"}, "swap = True": {"winner": "2"}}],
            }
        ],
    ),
}
"""Result files that contain their items: the benchmark, and rows."""
SCORED: list[dict[str, Any]] = [
    {"prompt": "q", "response": "a", "extra": {"a": [1]}},
    {
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
        "tools": '[{"name": "f"}]',
    },
    {"prompt": "q", "responses": ["a", "b"]},
]


@dataclass(frozen=True)
class Case:
    """A valid input.

    Attributes:
        name: Name of the input.
        path: File of the input.
        command: The command that reads it, with `None` in place of the file.
        names: Columns with names.
        data: Content of the file.
        lines: Whether the file is JSON Lines.
    """

    name: str
    path: Path
    command: Sequence[object]
    names: tuple[str, ...]
    data: Any
    lines: bool

    def arguments(self, file: Path) -> list[object]:
        """Return the command for a file."""
        return [file if part is None else part for part in self.command]


def cases(folder: Path) -> Iterator[Case]:
    """Yield valid inputs of all kinds; the data of benchmarks first."""
    out: list[object] = ["-o", folder / "runs"]
    made = dict(MADE)
    made["rm-bench"] = lambda own: _json(own / "chat_filtered.json", rm_bench_rows("chat", 2))
    made["reward-bench"] = lambda own: _lines(own / "rb.jsonl", reward_bench_rows({"hep-go": 2, "donotanswer": 2}))
    for name, make in made.items():
        own = folder / name
        own.mkdir()
        place = make(own)
        files = [place] if place.is_file() else [path for path in sorted(place.rglob("*")) if path.is_file()]
        for path in files[:2]:
            command = ["run", "baseline:longest", "-b", name, "--data", None, *out]
            yield _case(name, path, command, NAMES.get(name, ()))
    pairs: list[object] = ["-b", "pairs", "--data", _lines(folder / "p.jsonl", pair_rows(3))]
    ids = [str(row.get("id", k)) for k, row in enumerate(pair_rows(3))]
    ours = [{"item_id": name, "response": k, "score": k + 0.5} for name in ids for k in (0, 1)]
    chosen = [{"id": name, "chosen_score": 1.5, "rejected_score": 0.5} for name in ids]
    yield _case("import ours", _lines(folder / "ours.jsonl", ours), ["import", None, *pairs, *out], ("item_id", "id"))
    yield _case("import chosen", _lines(folder / "chosen.jsonl", chosen), ["import", None, *pairs, *out], ("id",))
    for name, (benchmark, rows) in STATED.items():
        path = _json(folder / f"{name} Natural.json", rows)
        more = ["--steps", "min"] if name == "reward-math" else []
        yield _case(f"import {name}", path, ["import", None, "-b", benchmark, "--items-from-scores", *more, *out])
    score = ["score", "baseline:longest", None, "-o", folder / "scored.jsonl"]
    yield _case("score", _lines(folder / "s.jsonl", SCORED), score)
    accuracies = {"model": "m", "llmbar-natural": 0.5, "hep-go": 0.7, "hep-python": 1, "math-prm": 0.2}
    yield _case("subsets", _json(folder / "acc.json", accuracies), ["show", None, "--from-subsets"])


def _json(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


def _lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _case(name: str, path: Path, command: Sequence[object], names: tuple[str, ...] = ()) -> Case:
    if path.suffix == ".parquet":
        return Case(name, path, command, names, [fields for fields, _ in iterate_fields(path)], True)
    text = path.read_text()
    try:
        return Case(name, path, command, names, json.loads(text), False)
    except ValueError:
        return Case(name, path, command, names, [json.loads(line) for line in text.splitlines() if line.strip()], True)
