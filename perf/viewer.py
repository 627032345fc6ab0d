"""Measure the viewer on many scored items: time and size of its index, time of its pages, memory.

python -m perf.viewer [--items 100000] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from perf.machine import machine
from rmeval.app.index import Index, ItemQuery

MODELS = ("baseline:longest", "baseline:shortest", "baseline:random")
TRIES = 7
INDEXING = """
import json, resource, sys, time
from pathlib import Path
from rmeval.app.index import IndexBuilder, Source
found = {}
with IndexBuilder(Path(sys.argv[2]), Source(Path(sys.argv[1]))) as builder:
    works = ("runs", builder.update), ("texts", lambda: list(builder.add_texts())), ("again", builder.update)
    for name, work in works:
        begun = time.process_time()
        work()
        found[name] = time.process_time() - begun
found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(found))
"""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, help="markdown file to add the table to")
    parser.add_argument("--items", type=int, default=100_000, help="number of pairs that each model has scored")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = list(_measured(Path(folder), given.items))
    text = "\n".join(lines)
    print(text)  # noqa: T201
    if given.out:
        with given.out.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")


def _measured(folder: Path, items: int) -> Iterator[str]:
    data, runs, index = folder / "pairs.jsonl", folder / "runs", folder / "index.sqlite"
    write_items(data, items)
    for model in MODELS:
        _python("-m", "rmeval", "run", model, "-b", "pairs", "--data", str(data), "-o", str(runs), "--store-text")
    made = json.loads(_python("-c", INDEXING, str(runs), str(index)))
    size = sum(file.stat().st_size for file in folder.glob("index.sqlite*")) / 1e6
    yield "\n### The viewer\n"
    yield (
        f"{len(MODELS)} models with {items:,} scored pairs each ({data.stat().st_size / 1e6:,.0f} MB of texts, stored "
        f"in the run folders), on {machine()}. Pages over HTTP from `rmeval view`, the median of {TRIES}.\n"
    )
    yield "Indexing in CPU seconds; pages in elapsed time.\n"
    yield "| what | time, size |"
    yield "|---|---|"
    yield f"| index of runs, items and margins | {made['runs']:.1f} s |"
    yield f"| index of the words of all texts, in the background | {made['texts']:.0f} s |"
    yield f"| update without a change | {1000 * made['again']:.0f} ms |"
    yield f"| size of the index | {size:,.0f} MB |"
    yield f"| peak memory of indexing | {made['peak']:,.0f} MB |"
    with _server(runs, index) as (address, process):
        for name, path in _pages(index):
            first, others = _times(address + path)
            yield f"| {name} | {1000 * median(others):.0f} ms (first {1000 * first:.0f} ms) |"
        yield f"| peak memory of the server | {_peak(process):,.0f} MB |"


def write_items(path: Path, size: int) -> None:
    """Write pairs of about 130 words from a vocabulary whose frequencies fall as in natural text, in twenty subsets."""
    draw = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(draw.choices(letters, k=draw.randint(2, 10))) for _ in range(20_000)]
    total, sums = 0.0, []
    for rank in range(len(words)):
        total += 1 / (rank + 10)
        sums.append(total)
    with path.open("w") as file:
        for number in range(size):
            prompt, chosen, rejected = (
                " ".join(draw.choices(words, cum_weights=sums, k=draw.randint(low, high)))
                for low, high in ((10, 40), (60, 200), (60, 200))
            )
            row = {"prompt": f"needle{number} {prompt}", "chosen": chosen, "rejected": rejected}
            file.write(json.dumps(row | {"id": f"item-{number}", "subset": f"part {number % 20}"}) + "\n")


def _pages(index: Path) -> Iterator[tuple[str, str]]:
    """Yield pages by what they show."""
    found = Index(index)
    longest, shortest, _ = sorted(found.runs(), key=lambda run: MODELS.index(run.model))
    query = ItemQuery(longest.key)
    # The page in the middle, by the key of a row there.
    middle = found.comparisons(ItemQuery(longest.key, margin=(0, float("inf"))), limit=1).rows[0]
    item, other = found.comparisons(query, limit=2).rows
    common, rare = " ".join(item.excerpt.split()[1:3]), item.excerpt.split()[0]
    found.close()

    def items(**fields: object) -> str:
        return f"items?{urlencode({'run': longest.key, **fields})}"

    yield "leaderboard", ""
    yield "items of a model, worst first", items()
    yield "deep page, in the middle", items(after=middle.key(query))
    yield "filter by subset and outcome", items(subset="part 7", outcome="wrong")
    yield "filter by margin and length", items(**{"margin-min": -20, "margin-max": 20, "sort": "-length"})
    yield "disagreement of two models", items(other=shortest.key)
    yield "search for two frequent words", items(q=common)
    yield "search for a word that occurs once", items(q=rare)
    # The first item of a run opens its folder, and each item reads its texts once.
    yield "an item with its texts", f"item/{item.item}?{urlencode({'run': longest.key, 'number': item.number})}"
    yield "the next item", f"item/{other.item}?{urlencode({'run': longest.key, 'number': other.number})}"


def _times(address: str) -> tuple[float, Sequence[float]]:
    found = []
    for _ in range(1 + TRIES):
        begun = time.perf_counter()
        with urllib.request.urlopen(address) as response:
            response.read()
        found.append(time.perf_counter() - begun)
    return found[0], found[1:]


@contextmanager
def _server(runs: Path, index: Path) -> Iterator[tuple[str, int]]:
    command = ["-m", "rmeval", "view", str(runs), "--index", str(index), "--no-browser"]
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield re.findall(r"http://\S+/", process.stdout.readline())[0], process.pid
        finally:
            process.terminate()


def _peak(process: int) -> float:
    """The peak memory of a process in MB."""
    state = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", state)[0]) / 1024


def _python(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True, env=os.environ)
    return done.stdout


if __name__ == "__main__":
    main()
