"""Measure memory and time of a run on many pairs, with a model that takes no time.

python -m perf.pairs [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np

SIZES = (100_000, 1_000_000)
WORDS = ("the", "of", "and", "to", "in", "is", "that", "it", "was", "for", "on", "are", "as", "with", "they", "at")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, help="markdown file to add the table to")
    given = parser.parse_args()
    lines = [
        "\n### Many pairs\n",
        "`rmeval run baseline:longest -b pairs`, and the computation of all numbers for the same number of scored "
        "pairs, with a bootstrap.\n",
        "| pairs | peak memory | CPU | numbers |",
        "|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            data = Path(folder) / f"{size}.jsonl"
            write_pairs(data, size)
            peak, seconds = run(data, Path(folder) / str(size))
            lines.append(f"| {size:,} | {peak:.0f} MB | {seconds:.0f} s | {numbers(size):.1f} s |")
            print(lines[-1], file=sys.stderr)  # noqa: T201
    text = "\n".join(lines)
    print(text)  # noqa: T201
    if given.out:
        with given.out.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")


def write_pairs(path: Path, size: int) -> None:
    """Write pairs of ten to thirty words, in twenty subsets, with ids."""
    draw = random.Random(0)
    with path.open("w") as file:
        for number in range(size):
            prompt, chosen, rejected = (" ".join(draw.choices(WORDS, k=draw.randint(10, 30))) for _ in range(3))
            row = {"prompt": f"{number} {prompt}", "chosen": chosen, "rejected": rejected}
            names = {"id": str(uuid.UUID(int=draw.getrandbits(128))), "subset": f"part {number % 20}"}
            file.write(json.dumps(row | names) + "\n")


def run(data: Path, out: Path) -> tuple[float, float]:
    """Return peak memory in MB and CPU seconds of a whole run in its own process."""
    command = [
        sys.executable,
        "-m",
        "rmeval",
        "run",
        "baseline:longest",
        "-b",
        "pairs",
        "--data",
        str(data),
        "-o",
        str(out),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the run on {data} failed")
    return usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def numbers(size: int) -> float:
    """Return CPU seconds from scores to records, with null baselines and intervals."""
    from rmeval.baselines import NULL_SCORES
    from rmeval.benchmarks.pairs import Pairs
    from rmeval.data.tables import EvidenceTable, ItemTableBuilder, Shape
    from rmeval.metrics.outcomes import OFFICIAL
    from rmeval.metrics.records import null_evidence, with_null
    from rmeval.types import Comparison, Response

    builder = ItemTableBuilder()
    shape = builder.code(Shape((Response("", 1.0), Response("", 0.0)), (Comparison((0, 1), 0),), None, "{}"))
    for number in range(size):
        builder.add_shape(str(number), f"part {number % 20}", str(number), shape)
    table = builder.table()
    draw = np.random.default_rng(0)
    counts = {name: draw.integers(1, 500, 2 * size).astype(np.int32) for name in ("characters", "markdown")}
    evidence = EvidenceTable(table, "score", draw.normal(size=2 * size))
    benchmark = Pairs("none")
    start = time.process_time()
    null = {name: benchmark.aggregate(table, null_evidence(name, table, counts), OFFICIAL) for name in NULL_SCORES}
    with_null(benchmark.aggregate(table, evidence, OFFICIAL), null)
    return time.process_time() - start


if __name__ == "__main__":
    main()
