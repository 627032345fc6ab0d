"""Print the table of docs/architectures.md: tiny classifiers of transformers compared with their own forward.

`python scripts/check_architectures.py [MODEL_TYPE ...]`. Each classifier has random weights. Its scores of a few
conversations are compared with those of its own forward on the same tokens, one sequence at a time and without padding.
The exit code is 1 if a difference is larger than rounding.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.architectures import ALL, BOTH, DECODERS, Comparison, compare, make_classifier

MOST = 1e-4
"""Maximum rounding difference of a score in float32, in units of the scores' standard deviation or 1."""


def main(kinds: list[str]) -> int:
    """Compare, print, and return the exit code."""
    wrong = 0
    print("| model type | class | read at | prefixes shared | tokens against tokenizer.json | largest difference |")  # noqa: T201
    print("|---|---|---|---|---|---|")  # noqa: T201
    for kind, found in compared(kinds or list(ALL)):
        outcome = found.refusal or f"{found.difference:.1e}"
        cells = (kind, found.architecture, place(kind, found), "yes" if found.shared else "", found.tokens, outcome)
        print(f"| {' | '.join(cells)} |")  # noqa: T201
        wrong += found.difference > MOST * max(1.0, found.spread)
    return int(wrong > 0)


def compared(kinds: list[str]) -> Iterator[tuple[str, Comparison]]:
    """Yield each model type with its comparison."""
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder:
            yield kind, compare(make_classifier(Path(folder) / "m", kind))


def place(kind: str, found: Comparison) -> str:
    """Describe where the score is read."""
    if not found.read.startswith("own forward"):
        return found.read
    if kind in DECODERS:
        return found.read
    return f"{found.read} ({'end-of-text token' if kind in BOTH else 'it pools'})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
