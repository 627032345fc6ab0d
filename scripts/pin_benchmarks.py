"""Write src/rmeval/results/pins.json: digests of the items of benchmarks, with which `rmeval verify` checks runs.

    python scripts/pin_benchmarks.py rm-bench=../shared/data/rm-bench evalbiasbench=../shared/data/evalbiasbench

Each argument names a benchmark and its data; without data, the pinned source is read. Entries of other benchmarks stay.
Only subsets whose number of items is the one that the benchmark's card states are pinned.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rmeval.benchmarks import load_benchmark
from rmeval.results.pins import entry_of, pins_of_items

FILE = Path(__file__).resolve().parents[1] / "src" / "rmeval" / "results" / "pins.json"


def main() -> None:
    """Pin the benchmarks that the command line names."""
    known = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    for argument in sys.argv[1:]:
        name, _, place = argument.partition("=")
        benchmark = load_benchmark(name, place or None)
        counts, revision = benchmark.card.counts, benchmark.card.revision
        found = pins_of_items(benchmark.load())
        kept = {subset: pin for subset, pin in found.items() if counts.get(subset) == pin.items}
        for subset in found.keys() - kept.keys():
            sys.stdout.write(f"{name}: {subset} is left out: {found[subset].items} items, not {counts.get(subset)}\n")
        if kept:
            # A copy need not be of the revision that the card names.
            known[name] = [entry_of(kept, "a copy" if place else benchmark.card.source, None if place else revision)]
            sys.stdout.write(f"{name}: {', '.join(f'{own} {pin.items}' for own, pin in kept.items())}\n")
    FILE.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
