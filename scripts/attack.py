"""Attack rmeval with disk failures, concurrent processes and hostile files, and count the faults.

python scripts/attack.py [--only NAME ...] [--scale 0.1] [--seed 0]

Each attack prints its number of tries and of faults by kind: `wrong` (a wrong number with exit code 0), `lost` (a
repeated command has another result than without the attack), `traceback`, `crash`, `hang`, `litter` (leftover files),
`no sentence` (exit code 2 without exactly one line `error: ...`). `refused` is not a fault: exit code 2 with a
sentence. The exit code is 1 if there was a fault.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.attacks import bombs, checkpoints, command_lines, folders, inputs, kills, races
from scripts.attacks.harness import Worker, spread, warm

ATTACKS: dict[str, tuple[Worker, int]] = {
    "flips": (folders.flips, 3000),
    "cuts": (folders.cuts, 1000),
    "operations": (kills.operations, 200),
    "moments": (kills.moments, 100),
    "targets": (races.targets, 3000),
    "growing": (races.growing, 1000),
    "swaps": (races.swaps, 100),
    "inputs": (inputs.inputs, 10_000),
    "command_lines": (command_lines.command_lines, 2000),
    "checkpoints": (checkpoints.checkpoints, 600),
    "bombs": (bombs.bombs, 2),
}
"""Attacks by name, each with its full number of tries."""


def show(line: str) -> None:
    """Print a line of the table immediately."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Run the requested attacks, and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=ATTACKS, default=list(ATTACKS))
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the full number of tries")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    warm()
    faults = 0
    show("| attack | tries | refused | faults | seconds |\n|---|---|---|---|---|")
    for name in given.only:
        worker, size = ATTACKS[name]
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="attack-") as folder:
            tally = spread(worker, Path(folder), given.seed, max(2, round(size * given.scale)))
        counts = {fault: count for fault, count in sorted(tally.counts.items()) if fault != "refused"}
        shown = ", ".join(f"{count} {fault}" for fault, count in counts.items()) or "0"
        seconds = time.monotonic() - start
        show(f"| {tally.name} | {tally.tries} | {tally.counts['refused']} | {shown} | {seconds:.0f} |")
        for example in tally.examples:
            sys.stderr.write(f"  {example}\n")
        faults += tally.faults
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
