"""Measure how far style separates chosen from rejected responses in preference data, and balance the data.

python examples/style_bias/balance.py prefs.jsonl                              # measure
python examples/style_bias/balance.py prefs.jsonl -o balanced.jsonl            # a matched subset
python examples/style_bias/balance.py prefs.jsonl -o weighted.jsonl --method weigh
python examples/style_bias/balance.py prefs.jsonl -o offset.jsonl --method covariate

It reads every layout that `rmeval run -b pairs` reads, and writes `prompt`, `chosen` and `rejected` as lists of
messages, which TRL's RewardTrainer takes. `weigh` adds a column `weight`; `covariate` adds a column `margin`, which
RewardTrainer subtracts from the difference of rewards: the log-odds that style explains, with the opposite sign.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

import rmeval
from rmeval.data.style import count_text
from rmeval.errors import DataError, RmevalError, explain_os_error
from rmeval.files import replacing_text
from rmeval.metrics.stats.preference_fit import folds_of, held_out_scores, preference_weights
from rmeval.types import FloatArray, IntArray

__all__ = [
    "Balance",
    "effective_number",
    "matched",
    "measure",
    "style_counts",
    "style_log_odds",
    "style_scores",
    "weights",
]

METHODS = ("match", "weigh", "covariate")
LENGTHS = np.log([1.1, 1.25, 1.5, 2.0, 3.0])
"""Edges of the classes of length ratios."""
MARKDOWN = np.array([3, 6, 12])
"""Edges of the classes of differences in the number of markdown elements."""
LARGEST = 10.0
"""Largest weight of a pair, relative to that of a pair with equal styles."""


def style_counts(texts: Sequence[str]) -> FloatArray:
    """Count characters and markdown elements of each text, float64[n, 2]."""
    counts = [count_text(text) for text in texts]
    return np.array([(one.characters, one.markdown) for one in counts], dtype=float).reshape(-1, 2)


def features(counts: FloatArray) -> FloatArray:
    """Return the differences of the two sides' styles that a linear model can use, float64[pairs, 4].

    Args:
        counts: float64[pairs, 2, 2], `style_counts` of the chosen and of the rejected response.
    """
    ratio = np.log1p(counts[:, 0, 0]) - np.log1p(counts[:, 1, 0])
    more = counts[:, 0, 1] - counts[:, 1, 1]
    return np.stack([ratio, np.sign(ratio), np.sign(more) * np.log1p(np.abs(more)), np.sign(more)], axis=1)


def _scale(differences: Any) -> FloatArray:
    size = np.sqrt(np.square(np.asarray(differences)).sum(axis=0) / max(differences.shape[0], 1))
    found: FloatArray = np.where(size > 0, size, 1.0)
    return found


def style_scores(counts: FloatArray, clusters: Sequence[str]) -> FloatArray:
    """Return how much likelier style makes the chosen response than the rejected one, in log-odds, float64[pairs].

    The linear model that scores a pair is fitted on pairs with other prompts.

    Args:
        counts: See `features`.
        clusters: The prompt of each pair.
    """
    found = features(counts)
    # A response has no features of its own here, so the rejected side stands for the origin.
    sides = np.concatenate([found, np.zeros_like(found)])
    pairs = np.stack([np.arange(len(found)), len(found) + np.arange(len(found))], axis=1)
    folds = folds_of(clusters)
    return held_out_scores(sides, pairs, np.concatenate([folds, folds]), _scale)[: len(found)]


def style_log_odds(counts: FloatArray) -> FloatArray:
    """Estimate the log-odds of each pair's order of styles by logistic regression, float64[pairs].

    The probability that, of two responses with these styles, the chosen one has the style that it has, is the
    propensity score of Rosenbaum and Rubin (1983, Biometrika 70:41), where the treatment is the style.
    """
    differences = features(counts)
    scale = _scale(differences)
    found: FloatArray = differences @ (preference_weights(differences / scale) / scale)
    return found


def weights(counts: FloatArray) -> FloatArray:
    """Return weights of pairs, with mean 1, under which style does not predict the chosen response.

    A weight is the inverse of the propensity, at most `LARGEST` times that of a pair with equal styles.
    """
    inverse = np.minimum(0.5 / expit(style_log_odds(counts)), LARGEST)
    found: FloatArray = inverse / inverse.mean()
    return found


def matched(counts: FloatArray, random: np.random.Generator) -> IntArray:
    """Choose a subset in which both orders of each difference in style are equally frequent.

    This is coarsened exact matching (Iacus, King and Porro 2012, Political Analysis 20:1): the pairs of a class have
    similar ratios of lengths and similar differences in markdown. Of a class and its mirror image, in which chosen and
    rejected are exchanged, the larger one loses pairs at random. Pairs with equal styles are kept.

    Returns:
        Positions of the chosen pairs, in order.
    """
    differences = features(counts)
    length = np.sign(differences[:, 1]) * (1 + np.digitize(np.abs(differences[:, 0]), LENGTHS))
    more = counts[:, 0, 1] - counts[:, 1, 1]
    markdown = np.sign(more) * (1 + np.digitize(np.abs(more), MARKDOWN))
    classes: dict[tuple[float, float], list[int]] = defaultdict(list)
    for place, key in enumerate(zip(length.tolist(), markdown.tolist(), strict=True)):
        classes[key].append(place)
    kept: list[int] = []
    for (one, two), places in classes.items():
        number = min(len(places), len(classes.get((-one, -two), ())))
        kept += random.choice(places, number, replace=False).tolist()
    return np.array(sorted(kept), dtype=np.int64)


def effective_number(weight: FloatArray) -> float:
    """Return the number of equally weighted pairs with the same precision (Kish 1965, "Survey Sampling")."""
    return float(weight.sum() ** 2 / np.square(weight).sum()) if len(weight) else 0.0


@dataclass(frozen=True)
class Balance:
    """Differences in style between chosen and rejected responses.

    Attributes:
        pairs: Number of pairs.
        effective: Number of equally weighted pairs with the same precision.
        longer: Weighted share of pairs whose chosen response is longer, of those with different lengths.
        ratio: Geometric mean of the ratio of lengths, chosen to rejected.
        fancier: Weighted share of pairs whose chosen response has more markdown, of those that differ.
        elements: Mean difference in the number of markdown elements.
        predicted: Weighted share of pairs whose chosen response a linear model of style prefers; ties count one half.
    """

    pairs: int
    effective: float
    longer: float
    ratio: float
    fancier: float
    elements: float
    predicted: float


def measure(counts: FloatArray, scores: FloatArray, weight: FloatArray | None = None) -> Balance:
    """Measure the balance of pairs.

    Args:
        counts: See `features`.
        scores: `style_scores` of these pairs; for a subset, those from all data, so that both numbers have one meaning.
        weight: float64[pairs]; equal if None.
    """
    own = np.ones(len(counts)) if weight is None else weight
    more = counts[:, 0] - counts[:, 1]
    return Balance(
        len(counts),
        effective_number(own),
        _share(more[:, 0], own),
        math.exp(_mean(features(counts)[:, 0], own)),
        _share(more[:, 1], own),
        _mean(more[:, 1], own),
        _mean(0.5 + 0.5 * np.sign(scores), own),
    )


def _share(difference: FloatArray, weight: FloatArray) -> float:
    known = difference != 0
    return _mean(difference[known] > 0, weight[known])


def _mean(values: FloatArray | np.ndarray[Any, np.dtype[np.bool_]], weight: FloatArray) -> float:
    return float(values @ weight / weight.sum()) if len(values) else math.nan


def table(columns: Mapping[str, Balance]) -> str:
    """Format balances side by side, as a Markdown table."""
    rows: dict[str, Callable[[Balance], str]] = {
        "pairs": lambda one: f"{one.pairs:,}",
        "effective number of pairs": lambda one: f"{one.effective:,.0f}",
        "chosen is longer, % of pairs that differ": lambda one: _percent(one.longer),
        "length, chosen / rejected": lambda one: f"{one.ratio:.2f}",
        "chosen has more markdown, % of pairs that differ": lambda one: _percent(one.fancier),
        "markdown elements, chosen - rejected": lambda one: f"{one.elements:+.2f}",
        "style alone predicts the chosen response, %": lambda one: _percent(one.predicted),
    }
    lines = [["", *columns], ["---", *["---:"] * len(columns)]]
    lines += [[name, *(show(one) for one in columns.values())] for name, show in rows.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f}"


def rows_of(items: Sequence[rmeval.Item]) -> list[dict[str, Any]]:
    """Return the pairs in the conversational format of TRL, and the tools, where there are any."""
    return [
        {
            "id": item.id,
            "subset": item.subset,
            "prompt": [message.to_dict() for message in item.prompt],
            **{name: [item.conversation(side)[-1].to_dict()] for side, name in enumerate(("chosen", "rejected"))},
            **({"tools": item.tools} if item.tools else {}),
        }
        for item in items
    ]


def balance(
    place: str, out: Path | None = None, method: str = "match", seed: int = 0, columns: Mapping[str, str] | None = None
) -> str:
    """Measure the pairs of a file, write balanced ones, and return the table.

    Args:
        place: File, folder or hub id of preference pairs.
        out: File to write, JSON Lines; None to measure only.
        method: One of `METHODS`.
        seed: Seed of the draw of matched pairs.
        columns: The data's column names, as for `rmeval run -b pairs`.

    Raises:
        RmevalError: If the data cannot be read or balanced, or the file cannot be written.
    """
    if seed < 0:
        raise DataError(f"--seed {seed} is negative: give 0 or more")
    if out is not None:
        _check(out, Path(place))
    items = list(rmeval.load_benchmark("pairs", place, columns=columns).load())
    sides = [[item.conversation(side)[-1].content for item in items] for side in (0, 1)]
    counts = np.stack([style_counts(texts) for texts in sides], axis=1)
    scores = style_scores(counts, [item.cluster for item in items])
    measured = {"all pairs": measure(counts, scores)}
    if out is None:
        return table(measured)
    if measured["all pairs"].longer in (0.0, 1.0):
        longer = "chosen" if measured["all pairs"].longer else "rejected"
        raise DataError(
            f"{place}: the {longer} response is longer in all pairs that differ, so no subset and no weights balance "
            "them: add pairs with the other order, such as the same responses rewritten in each other's style"
        )
    rows = rows_of(items)
    if method == "match":
        kept = matched(counts, np.random.default_rng(seed))
        measured["matched"] = measure(counts[kept], scores[kept])
        rows = [rows[position] for position in kept.tolist()]
    elif method == "weigh":
        weight = weights(counts)
        measured["weighted"] = measure(counts, scores, weight)
        rows = [row | {"weight": round(value, 6)} for row, value in zip(rows, weight.tolist(), strict=True)]
    else:
        explained = style_log_odds(counts)
        rows = [row | {"margin": round(-value, 6)} for row, value in zip(rows, explained.tolist(), strict=True)]
    try:
        with replacing_text(out) as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    except OSError as error:
        raise explain_os_error(error, str(out)) from error
    return table(measured)


def _check(out: Path, data: Path) -> None:
    """Refuse an output that is a folder, or would replace the data.

    Raises:
        DataError: If it is.
    """
    if out.is_dir():
        raise DataError(f"{out} is a folder: give the path of a file with -o")
    if out.exists() and data.exists() and out.resolve().is_relative_to(data.resolve()):
        raise DataError(f"{out} is also read, and would be replaced: give another file with -o")


def main() -> None:
    """Read the options, balance, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="file, folder or hub id of preference pairs")
    parser.add_argument("-o", "--out", type=Path, help="file to write, in JSON Lines")
    parser.add_argument("--method", choices=METHODS, default=METHODS[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw of matched pairs")
    parser.add_argument("--columns", help="the data's column names, such as chosen=good,rejected=bad")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        columns = dict(one.partition("=")[::2] for one in options.columns.split(",")) if options.columns else None
        sys.stdout.write(balance(options.data, options.out, options.method, options.seed, columns))
    except RmevalError as error:
        parser.exit(2, f"error: {error}\n")


if __name__ == "__main__":
    main()
