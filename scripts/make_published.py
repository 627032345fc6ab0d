"""Write the packaged facts of the public boards: `python scripts/make_published.py FOLDER`.

FOLDER contains `rm-bench-leaderboard.csv` and `rewardbench-v1-leaderboard.csv` in the columns of these boards, and, for
RewardBench 2, the folder `reward-bench` of JSON files in the interchange schema of Every Eval Ever (data of December
2025). A board whose source is missing keeps its facts. The tables of papers have no such source: they were written by
hand, and their TOML files name the tables.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

FACTS = Path(__file__).resolve().parents[1] / "src" / "rmeval" / "published" / "facts"

RM_BENCH = {
    "model": "model",
    "kind": "Model Type",
    "url": "url",
    "licence": "License Type",
    "flagged": "Potentially Score Mismatch",
    "overall all": "Overall",
    "average chat": "Chat",
    "average math": "Math",
    "average code": "Code",
    "average safety": "Safety",
    "easy all": "Easy",
    "normal all": "Normal",
    "hard all": "Hard",
    "mean of domains": "Domain Avg",
    "mean of levels": "Difficulty Avg",
}
REWARD_BENCH = {
    "model": "model",
    "kind": "model_type",
    "score": "Score",
    "section Chat": "Chat",
    "section Chat Hard": "Chat Hard",
    "section Safety": "Safety",
    "section Reasoning": "Reasoning",
    "prior": "Prior Sets (0.5 weight)",
}
REWARD_BENCH_2 = {
    "overall all": "Score",
    "accuracy Factuality": "Factuality",
    "accuracy Precise IF": "Precise IF",
    "accuracy Math": "Math",
    "accuracy Safety": "Safety",
    "accuracy Focus": "Focus",
    "composite Ties": "Ties",
}


def from_table(path: Path, columns: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the rows of a board's own CSV file under the names of the facts."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {name: row[own].strip() for name, own in columns.items()}


def from_interchange(folder: Path) -> list[dict[str, str]]:
    """Return the rows of RewardBench 2 among files of the interchange schema, the best first."""
    found = []
    # Some models' names end in .json too.
    for path in sorted(own for own in folder.rglob("*.json") if own.is_file()):
        stated = json.loads(path.read_text(encoding="utf-8"))
        if not stated["evaluation_id"].startswith("reward-bench-2/"):
            continue
        numbers = {own["evaluation_name"]: own["score_details"]["score"] for own in stated["evaluation_results"]}
        model = stated["model_info"]
        about = {"model": model["name"], "kind": model["additional_details"]["model_type"]}
        found.append(about | {name: str(numbers[own]) for name, own in REWARD_BENCH_2.items()})
    return sorted(found, key=lambda row: (-float(row["overall all"]), row["model"]))


def write(name: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Write the rows of a board."""
    with (FACTS / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    sys.stdout.write(f"{name}: {len(rows)} rows\n")


def main() -> None:
    """Write the facts of each board whose source is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    if (path := folder / "rm-bench-leaderboard.csv").exists():
        write("rm-bench", list(from_table(path, RM_BENCH)))
    if (path := folder / "rewardbench-v1-leaderboard.csv").exists():
        write("reward-bench", list(from_table(path, REWARD_BENCH)))
    if (path := folder / "reward-bench").is_dir():
        write("reward-bench-2", from_interchange(path))


if __name__ == "__main__":
    main()
