"""Measure the similarity of prompts of two seeds of rm-bench-synthetic: `python scripts/near_duplicates.py 0 1`.

For each prompt of the second seed, the script finds the most similar prompt of the first in the same domain, by Jaccard
similarity of word trigrams, and repeats this with names and numbers masked, which shows how often wordings repeat.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

import numpy as np

import rmeval
from rmeval.types import Item

Shingles = frozenset[tuple[str, ...]]


def shingles(text: str, masked: bool) -> Shingles:
    """Return the word trigrams of a text."""
    words = re.findall(r"\w+|[^\w\s]", text)
    if masked:
        words = [
            "0" if word.isdigit() else "X" if word[:1].isupper() and place else word for place, word in enumerate(words)
        ]
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def nearest(one: Sequence[Item], other: Sequence[Item], masked: bool) -> list[float]:
    """Return, for each item of `other`, its largest similarity to any item of `one`."""
    known = [shingles(item.prompt[0].content, masked) for item in one]
    found = []
    for item in other:
        own = shingles(item.prompt[0].content, masked)
        found.append(max(len(own & old) / len(own | old) for old in known))
    return found


def main() -> None:
    """Print one line per domain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seeds", type=int, nargs=2)
    parser.add_argument("--size", type=int, default=2000)
    options = parser.parse_args()
    sets = [rmeval.load_benchmark("rm-bench-synthetic", seed=seed, size=options.size).load() for seed in options.seeds]
    for domain in ("chat", "math", "code", "safety"):
        one, other = ([item for item in items if item.subset.startswith(domain)] for items in sets)
        same = len({item.prompt for item in one} & {item.prompt for item in other})
        line = f"{domain:7} identical {same}"
        for masked in (False, True):
            values = np.array(nearest(one, other, masked))
            line += (
                f"; {'masked ' if masked else ''}nearest: median {np.median(values):.2f}, "
                f"95th percentile {np.quantile(values, 0.95):.2f}, at least 0.8: {np.mean(values >= 0.8):.1%}"
            )
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
