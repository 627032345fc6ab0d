"""Make preference pairs in which the better response has the fancier style in a given share of pairs.

python -m examples.style_bias.preferences --dose 90 -o prefs.jsonl
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from examples.style_bias.balance import matched, style_counts, style_log_odds, weights

from rmeval.benchmarks.synthetic import BLOCK, generate
from rmeval.benchmarks.synthetic.language import load_language
from rmeval.files import replacing_text
from rmeval.types import STYLES, FloatArray, Item

__all__ = ["CURES", "DOMAINS", "Pair", "TrainingSet", "labelled", "make_pairs", "training_set"]

DOMAINS = ("math", "code", "safety")
"""The domains in which a model of this size learns to distinguish right from wrong; it does not learn chat."""
CURES = ("none", "matched", "weighted", "rewritten", "covariate")
FIRST_SEED = -1_000_000
"""Seed of the generator for seed 0; `rmeval/tiny` was trained on seeds from -1 to about -30."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A right and a wrong response in different styles, and both contents in each other's style."""

    prompt: str
    chosen: str
    rejected: str
    swapped: tuple[str, str]

    @property
    def rewritten(self) -> Pair:
        """The pair with exchanged styles and the same contents."""
        return Pair(self.prompt, *self.swapped, (self.chosen, self.rejected))


@dataclass(frozen=True)
class TrainingSet:
    """Pairs with weights, and log-odds that style explains.

    Attributes:
        pairs: The pairs.
        weight: float64[pairs], with mean 1.
        offset: float64[pairs], added to the difference of scores in the loss.
    """

    pairs: tuple[Pair, ...]
    weight: FloatArray
    offset: FloatArray


def make_pairs(seed: int, number: int, dose: float) -> list[Pair]:
    """Generate pairs from names and operands that the benchmark never uses.

    Seeds draw different items; doses of one seed have the same items and differ only in which side is fancier.

    Args:
        seed: Seed, at least 0.
        number: Number of pairs.
        dose: Share of pairs in which the chosen response has the fancier style.
    """
    random = np.random.default_rng(seed)
    return [_pair(item, random, dose) for item in _items(seed, number)]


@cache
def _items(seed: int, number: int) -> tuple[Item, ...]:
    """Generate items, which the doses of a seed share."""
    # One of four items is of chat.
    size = -(-number * (len(DOMAINS) + 1) // (len(DOMAINS) * BLOCK)) * BLOCK
    items = generate(FIRST_SEED - seed, size, [load_language("en")], training=True)
    return tuple(item for item in items if item.subset.startswith(DOMAINS))[:number]


def _pair(item: Item, random: np.random.Generator, dose: float) -> Pair:
    plainer, fancier = sorted(random.choice(len(STYLES), 2, replace=False).tolist())
    chosen, rejected = (fancier, plainer) if random.random() < dose else (plainer, fancier)
    right, wrong = ([item.responses[side + style].text for style in (chosen, rejected)] for side in (0, len(STYLES)))
    return Pair(item.prompt[0].content, right[0], wrong[1], (right[1], wrong[0]))


def labelled(seed: int, number: int, hasty: range, share: float) -> list[Pair]:
    """Make pairs, some of which have the labels of hasty annotators.

    Args:
        seed: Seed of the pairs.
        number: Number of pairs.
        hasty: Positions of the pairs that hasty annotators label.
        share: Share of these pairs with a plainer better response for which they choose the fancier one.
    """
    random = np.random.default_rng(seed)
    # The same pairs, but with the fancier style for the better response of each.
    fancier = make_pairs(seed, number, dose=1.0)
    return [
        replace(pair, chosen=pair.rejected, rejected=pair.chosen)
        if place in hasty and pair.chosen != other.chosen and random.random() < share
        else pair
        for place, (pair, other) in enumerate(zip(make_pairs(seed, number, dose=0.5), fancier, strict=True))
    ]


def training_set(pairs: Sequence[Pair], cure: str, seed: int) -> TrainingSet:
    """Apply a cure to biased pairs.

    `matched` keeps a subset that is balanced in style, `weighted` weighs pairs, `rewritten` adds each pair with
    exchanged styles, and `covariate` explains a part of each preference by style: the model is trained on the rest, and
    the covariate is dropped afterwards (He, Zha and Wang 2019, arXiv 1908.10763, "fit the residual"; Clark, Yatskar and
    Zettlemoyer 2019, arXiv 1909.03683, "bias product").
    """
    sides = [pair.chosen for pair in pairs], [pair.rejected for pair in pairs]
    counts = np.stack([style_counts(texts) for texts in sides], axis=1)
    kept, weight, offset = list(pairs), np.ones(len(pairs)), np.zeros(len(pairs))
    if cure == "matched":
        kept = [pairs[place] for place in matched(counts, np.random.default_rng(seed)).tolist()]
    elif cure == "weighted":
        weight = weights(counts)
    elif cure == "rewritten":
        kept += [pair.rewritten for pair in pairs]
    elif cure == "covariate":
        offset = style_log_odds(counts)
    return TrainingSet(tuple(kept), np.resize(weight, len(kept)), np.resize(offset, len(kept)))


def main() -> None:
    """Write pairs as JSON Lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dose", type=float, default=90, help="pairs whose chosen response is fancier, in %%")
    parser.add_argument("--pairs", type=int, default=640)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    with replacing_text(options.out) as file:
        for pair in make_pairs(options.seed, options.pairs, options.dose / 100):
            row = {"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
