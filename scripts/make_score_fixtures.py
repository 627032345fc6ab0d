"""Write scores and expected numbers for the tests, without texts: `python scripts/make_score_fixtures.py FOLDER`.

FOLDER contains `data` and `fixtures`: result files as published by their authors, and numbers that the reference
implementations computed. The script writes ids, scores, verdicts, lengths and these numbers to `tests/data/scores`. It
replaces each text by a number; equal texts have equal numbers, so that items are matched as in the originals.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rmeval.benchmarks.reward_bench import RewardBench

OUT = Path(__file__).resolve().parents[1] / "tests" / "data" / "scores"
LEVELS = ("easy", "normal", "hard")
EXACT = 1e-12

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Number:
    """A number that rmeval must compute.

    Attributes:
        value: The number.
        metric: Metric of the number.
        scope: Scope of the number.
        variant: Variant of the number; the headline's if None.
    """

    value: float
    metric: str
    scope: str = "all"
    variant: str | None = None


@dataclass(frozen=True)
class Case:
    """A command and the numbers that it must compute.

    Attributes:
        name: Name of the test.
        source: Who computed or published the numbers.
        command: Arguments of `rmeval`; names of files refer to files in this folder.
        numbers: The numbers.
        tolerance: Largest accepted difference; more than `EXACT` if numbers were published with few digits.
    """

    name: str
    source: str
    command: Sequence[str]
    numbers: Sequence[Number]
    tolerance: float = EXACT


@dataclass
class Texts:
    """Placeholders with numbers that replace texts."""

    known: dict[str, str] = field(default_factory=dict)

    def __call__(self, text: str) -> str:
        """Return the placeholder of a text."""
        return self.known.setdefault(text, f"text {len(self.known)}")


@dataclass(frozen=True)
class Folder:
    """The input folder."""

    path: Path

    def rows(self, name: str) -> Any:
        """Return the content of a JSON or JSON Lines file, compressed or not."""
        path = self.path / name
        text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
        return [json.loads(line) for line in text.splitlines()] if ".jsonl" in name else json.loads(text)


def write(name: str, content: Any) -> str:
    """Write a file and return its name."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    (OUT / name).write_bytes(gzip.compress(text, 9, mtime=0) if name.endswith(".gz") else text + b"\n")
    return name


def rm_bench(read: Folder) -> Iterator[Case]:
    """Yield cases of RM-Bench's scripts: a total file with chat in place of math, ties, and a trained model."""
    reference = read.rows("fixtures/rm_bench_reference.json")
    code = {str(row["id"]): row["task_id"] for row in read.rows("data/rm-bench/code_filtered.json")}
    rows = []
    for row in reference["scores"]:
        domain, _, number = row["id"].rpartition("-")
        task = {"task_id": code[number]} if domain == "code" else {}
        rows += [_styles(own, number, row) | task for own in ([domain, "math"] if domain == "chat" else [domain])]
    total = next(own for name, own in reference["metrics"].items() if name.startswith("total"))
    numbers = [
        Number(reference["metrics"][domain][f"{level}_acc"], level, domain)
        for domain in ("chat", "code", "safety-response")
        for level in LEVELS
    ]
    numbers += [Number(total[domain], "average", domain) for domain in ("chat", "math", "code", "safety")]
    numbers += [Number(total[f"{level}_acc"], level) for level in LEVELS] + [Number(total["total_avg_acc"], "overall")]
    yield _both("rm-bench", reference["source"], rows, numbers)
    ties = reference["handmade"]
    rows = [_styles("chat", str(number), row) for number, row in enumerate(ties["rows"])]
    wanted = [Number(ties["metrics"][f"{level}_acc"], level, "chat") for level in LEVELS]
    yield _both("rm-bench-ties", reference["source"], rows, wanted)
    trained = read.rows("fixtures/real_rm_chat.json")
    rows = [_styles("chat", str(row["id"]), row) for row in trained["scores"]]
    wanted = [Number(value, level, "chat") for level, value in trained["metrics"].items()]
    yield _both("rm-bench-trained", trained["source"], rows, wanted)


def _styles(domain: str, number: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Create a row of RM-Bench: three responses per side, in the order of the styles."""
    sides = {side: [f"{side} {style} of {domain} {number}" for style in range(3)] for side in ("chosen", "rejected")}
    scores = {name: row[name] for name in ("score_chosen", "score_rejected")}
    return {"id": int(number), "domain": domain, "prompt": f"prompt {domain} {number}"} | sides | scores


def _both(name: str, source: str, rows: Rows, numbers: Sequence[Number]) -> Case:
    """Create a case whose file contains both the items and their scores."""
    file = write(f"{name}.json.gz", rows)
    return Case(name, source, ["import", file, "-b", "rm-bench", "--data", file], numbers)


def reward_bench(read: Folder) -> Iterator[Case]:
    """Yield cases of RewardBench's sections: pairs with the numbers of right decisions that subset accuracies imply."""
    reference = read.rows("fixtures/reward_bench_sections.json")
    for name, metrics, sections in (
        ("reward-bench-cost", reference["metrics"], reference["sections"]),
        ("reward-bench-partial", reference["partial_metrics"], reference["partial_sections"]),
    ):
        wanted = [Number(value, "section", section) for section, value in sections.items() if value]
        yield _pairs(name, reference["source"], metrics, wanted)
    place = "data/published/rm-r1-deepseek-32b/rewardbench"
    published = read.rows(f"{place}_sections.json")
    wanted = [Number(published[name], "section", name) for name in reference["SUBSET_MAPPING"]]
    wanted.append(Number(published["avg_Result_each_section"], "overall"))
    yield _pairs("reward-bench-rm-r1", "published with RM-R1 (32B)", read.rows(f"{place}_subsets.json"), wanted)


def _pairs(name: str, source: str, accuracies: Mapping[str, Any], wanted: list[Number]) -> Case:
    columns: dict[str, list[Any]] = {key: [] for key in ("id", "subset", "scores_chosen", "scores_rejected")}
    for subset, count in RewardBench.card.counts.items():
        if subset in accuracies:
            right = round(accuracies[subset] * count)
            if abs(right / count - accuracies[subset]) > EXACT:
                raise ValueError(f"{name}: {accuracies[subset]} of {subset} is not a share of {count} items")
            wanted.append(Number(accuracies[subset], "accuracy", subset))
            for number in range(count):
                # Every other wrong pair is a tie, which counts as lost.
                scores = (1.0, 0.0) if number < right else (0.0, float(number % 2))
                for key, value in zip(columns, (number, subset, *scores), strict=True):
                    columns[key].append(value)
    file = write(f"{name}.json.gz", columns | {"model": name, "model_type": "Seq. Classifier"})
    return Case(name, source, ["import", file, "-b", "reward-bench", "--items-from-scores"], wanted)


def math_prm(read: Folder) -> Iterator[Case]:
    """Yield a case of RewardMATH's scores of RewardBench's math-prm."""
    texts = Texts()
    data = [
        {"id": row["id"], "subset": row["subset"]} | {key: texts(row[key]) for key in ("prompt", "chosen", "rejected")}
        for row in read.rows("data/rewardbench/math-prm.jsonl")
    ]
    rows = [
        row | {"problem": texts(row["problem"])}
        for row in read.rows("data/dumps/rewardmath-rewardbench_internlm2.json.gz")
    ]
    items, scores = write("math-prm.json.gz", data), write("math-prm-internlm2.json.gz", rows)
    yield Case(
        "math-prm",
        "the share that RewardMATH's authors publish for internlm2-7b-reward",
        ["import", scores, "-b", "reward-bench", "--data", items],
        [Number(0.9284, "accuracy", "math-prm")],
        5e-5,
    )


def reward_bench_2(read: Folder) -> Iterator[Case]:
    """Yield cases of RewardBench 2's composite of Ties, and of best of four with ties at the top."""
    reference = read.rows("fixtures/reward_bench_2.json")
    ties = reference["ties_rows"]
    rolled = [row["scores"] for row in reference["reroll_rows"]]
    starts = range(0, len(rolled), 4)
    columns = {
        "id": [row["id"] for row in ties] + [str(start // 4) for start in starts],
        "subset": ["Ties"] * len(ties) + ["Focus"] * len(starts),
        "scores": [row["scores"] for row in ties] + [rolled[start : start + 4] for start in starts],
        "num_correct": [row["num_correct"] for row in ties] + [1] * len(starts),
    }
    results = reference["reroll_results"]
    yield Case(
        "reward-bench-2",
        reference["source"],
        ["import", write("reward-bench-2.json", columns), "-b", "reward-bench-2", "--items-from-scores"],
        [
            Number(reference["ties_overall"], "composite", "Ties"),
            Number(sum(results) / len(results), "accuracy", "Focus"),
        ],
    )


def judgebench(read: Folder) -> Iterator[Case]:
    """Yield a case of a judge's verdicts in both orders, by JudgeBench's rule."""
    texts = Texts()
    rows = [
        {key: row[key] for key in ("pair_id", "original_id", "source", "response_model", "label", "judge_name")}
        | {key: texts(row[key]) for key in ("question", "response_A", "response_B")}
        | {
            "judgments": [
                {"judgment": {"judge_model": own["judgment"]["judge_model"]}, "decision": own["decision"]}
                for own in row["judgments"]
            ]
        }
        for row in read.rows("data/dumps/judgebench-claude-arena_hard-claude-3-haiku.jsonl.gz")
    ]
    wanted = {"mmlu-pro": 0.3766, "livebench-reasoning": 0.2941, "livebench-math": 0.3235, "livecodebench": 0.0968}
    numbers = [Number(value, "accuracy", f"claude/{name}", "orders/net") for name, value in wanted.items()]
    yield Case(
        "judgebench",
        "what JudgeBench's own code gives for its published verdicts of claude-3-haiku (arena_hard)",
        ["import", write("judgebench.json.gz", rows), "-b", "judgebench", "--items-from-scores"],
        [Number(0.3222, "section", "claude", "orders/net"), *numbers],
        5e-5,
    )


def llmbar(read: Folder) -> Iterator[Case]:
    """Yield cases of judges' verdicts in each order, and of the mean of both."""
    orders = ("orders/first", "orders/second", "orders/mean")
    for name, scope, wanted in (
        ("Natural-GPT-4_Swap", "Natural", (0.94, 0.95, 0.945)),
        ("Natural-PaLM2_Vanilla", "Natural", (0.78, 0.88, 0.83)),
        ("Adversarial_Manual-GPT-4_Swap", "Manual", (0.7826, 0.8478, 0.8152)),
        ("Adversarial_Manual-PaLM2_Vanilla", "Manual", (0.6957, 0.6087, 0.6522)),
    ):
        texts = Texts()
        rows = [
            {key: texts(row[key]) for key in ("input", "output_1", "output_2")}
            | {"label": row["label"]}
            | {"results": [{order: {"winner": own["winner"]} for order, own in row["results"][-1].items()}]}
            for row in read.rows(f"data/dumps/llmbar/{name}.json.gz")
        ]
        yield Case(
            f"llmbar-{name}",
            "the statistics that LLMBar's authors publish beside these verdicts",
            ["import", write(f"llmbar-{name}.json.gz", rows), "-b", "llmbar", "--items-from-scores"],
            [Number(value, "accuracy", scope, order) for value, order in zip(wanted, orders, strict=True)],
            5e-5,
        )


def reward_math(read: Folder) -> Iterator[Case]:
    """Yield cases of steps' scores by four reductions, and of verdicts on pairs of solutions."""
    steps = write("reward-math-steps.json.gz", _problems(read, "Math_Shepherd_reward"))
    for rule, value in (("min", 0.1532), ("prod", 0.1718), ("last", 0.1822), ("mean", 0.1511)):
        yield Case(
            f"reward-math-{rule}",
            "what RewardMATH's own class gives for its published scores of Math-Shepherd",
            ["import", steps, "-b", "reward-math", "--items-from-scores", "--steps", rule],
            [Number(value, "accuracy")],
            5e-5,
        )
    pairs = write("reward-math-pairs.json.gz", _problems(read, "gpt4_pairwise_reward"))
    yield Case(
        "reward-math-pairs",
        "what RewardMATH's own class gives for its published verdicts of GPT-4",
        ["import", pairs, "-b", "reward-math", "--items-from-scores"],
        [Number(0.2981, "accuracy"), Number(0.7746, "pair_accuracy")],
        5e-5,
    )


def _problems(read: Folder, name: str) -> Rows:
    texts = Texts()
    return [row | {"problem": texts(row["problem"])} for row in read.rows(f"data/dumps/rewardmath-{name}.json.gz")]


def rmb(read: Folder) -> Iterator[Case]:
    """Yield cases of RMB's result file, and of published accuracies of its scenarios."""
    file = write("rmb-armorm.json.gz", read.rows("data/dumps/rmb-ArmoRM_first200.json.gz"))
    yield Case(
        "rmb",
        "the share of `is_correct` in the file that RMB's authors publish for ArmoRM, first 200 pairs",
        ["import", file, "-b", "rmb", "--items-from-scores"],
        [Number(0.815, "section", "pairwise/Helpfulness")],
    )
    for kind, part, key in (("Pairwise", "pairwise", "Overall_accuracy"), ("BoN", "bon", "BoN Final Accuracy")):
        for goal in ("Helpfulness", "Harmlessness"):
            content = read.rows(f"data/published/rm-r1-deepseek-32b/rmb_{kind}_set_{goal}.json")
            file = write(f"rmb-rm-r1-{part}-{goal}.json", content)
            yield Case(
                f"rmb-rm-r1-{part}-{goal}",
                "published with RM-R1 (32B)",
                ["show", file, "--from-subsets", "--json"],
                [Number(content[0][key], "section", f"{part}/{goal}")],
            )


def evalbiasbench(read: Folder) -> Iterator[Case]:
    """Yield a case of preferring the longer response: pairs of texts with the lengths of the original ones."""
    texts = Texts()
    parts = read.rows("data/evalbiasbench/biasbench.json")
    content = {
        part: [
            {"bias": row["bias"], "instruction": texts(row["instruction"]), "label": row["label"]}
            | {"response1": "1" * len(row["response1"]), "response2": "2" * len(row["response2"])}
            for row in rows
        ]
        for part, rows in parts.items()
    }
    wanted = dict(zip(parts, (0.0, 0.2857, 0.4615, 0.3333, 0.25, 0.3333), strict=True))
    yield Case(
        "evalbiasbench-longest",
        "what run_bench.py of ncsoft/offsetbias gives for a rule that takes the longer response",
        ["run", "baseline:longest", "-b", "evalbiasbench", "--data", write("evalbiasbench.json.gz", content)],
        [Number(21 / 80, "accuracy"), *(Number(value, "accuracy", part) for part, value in wanted.items())],
        5e-5,
    )


MAKERS = (rm_bench, reward_bench, math_prm, reward_bench_2, judgebench, llmbar, reward_math, rmb, evalbiasbench)


def cases(read: Folder) -> Iterable[Case]:
    """Yield all cases and write their files."""
    for make in MAKERS:
        yield from make(read)


def main() -> None:
    """Write the files and `expected.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with `data` and `fixtures`")
    OUT.mkdir(parents=True, exist_ok=True)
    found = [asdict(case) for case in cases(Folder(parser.parse_args().folder))]
    (OUT / "expected.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
