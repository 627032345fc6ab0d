"""Measure how long `rmeval report` takes for several models on one benchmark.

python -m perf.report [--models N] [--size N] [--out FOLDER]

The runs are of baselines with noise on generated items in RM-Bench's shape, and store texts; the default size is about
that of RM-Bench. The figures are of the whole command in a new process, with imports: the time, and the processor time,
which is less than it where other processes take the processors too.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rmeval
from perf.machine import machine
from rmeval.testing import Noisy


def make_runs(folder: Path, models: int, size: int) -> None:
    """Run baselines with growing noise."""
    for number in range(models):
        name = ("longest", "shortest", "markdown")[number % 3]
        model = Noisy(rmeval.load_model(f"baseline:{name}"), sigma=20.0 * (number + 1), seed=number)
        model.name = f"model-{number + 1}"
        rmeval.evaluate(model, "rm-bench-synthetic", out=folder, size=size, store_text=True)


def main() -> None:
    """Print the time, the size of the report, and the machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--size", type=int, default=1328)
    parser.add_argument("--out", type=Path, default=None, help="keep the report in this folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_runs(folder / "runs", given.models, given.size)
        out = given.out or folder / "report"
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        words = [sys.executable, "-m", "rmeval", "report", str(folder / "runs"), "-o", str(out)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        taken, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        files = [path for path in out.rglob("*") if path.is_file()]
        page = (out / "report.html").stat().st_size
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{given.models} models, {given.size} items: {taken:.1f} s, of which {busy:.1f} s of a processor")  # noqa: T201
    print(f"{len(files)} files, page {page / 1e6:.1f} MB")  # noqa: T201
    print(machine())  # noqa: T201


if __name__ == "__main__":
    main()
