"""Simulate audits of judges with planted biases, and print a Markdown table.

    python -m scripts.simulations.audit --replications 200 --pairs 150

Every judge's biases have a known size. The audit is the real one: its runs, its prompts, its numbers. *coverage*: how
often the 95% interval contains the true value. *found*: how often the audit reports the effect; without one, how often
it reports an effect that does not exist.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rmeval.benchmarks import Benchmark
from rmeval.benchmarks.base import PAIR
from rmeval.benchmarks.card import Card
from rmeval.models.judge.model import Judge
from rmeval.protocols.judging import Asked, JudgeOptions, Output
from rmeval.protocols.registry import judge_protocol
from rmeval.robustness import Audit, Probing, audit_model
from rmeval.runs.select import Selection
from rmeval.types import Item, Message, Record, Response, ScoreRule

__all__ = ["BIASED", "FAIR", "MIXED", "Biases", "audited", "simulated", "truths"]

OWN = "planted-7b"
"""The source of the responses of the judge's family."""


@dataclass(frozen=True)
class Biases:
    """Probabilities with which a judge decides otherwise than by quality, one after the other.

    Attributes:
        accuracy: Probability of a right verdict where no bias decides.
        failure: Of an output without a verdict, for each request.
        instability: Of a verdict by lot, for each request and vote.
        position: Of a verdict for the first response, for each pair.
        own: Of a verdict for the response of the judge's family, for each pair that has one.
        verbosity: Of a verdict for the longer response, for each pair.
        wording: Of another verdict with another wording, for each request and wording.
    """

    accuracy: float = 0.8
    failure: float = 0.0
    instability: float = 0.0
    position: float = 0.0
    own: float = 0.0
    verbosity: float = 0.0
    wording: float = 0.0


FAIR = Biases(failure=0.01, instability=0.05)
MIXED = Biases(0.8, 0.01, 0.05, position=0.2)
BIASED = Biases(0.85, 0.01, 0.05, position=0.2, own=0.3, verbosity=0.15, wording=0.1)


def truths(own: Biases) -> dict[tuple[str, str], float]:
    """The true value of each effect, over all judges and pairs with these biases.

    A verdict by lot changes a repetition half of the time; of two requests, either may be by lot.
    """
    stable, free = 1 - own.instability, 1 - own.position
    lot = 0.5 * (1 - stable**2)
    # Half of the pairs have a response of the family, and it is as often better as worse.
    family = own.own / 2
    right = own.position / 2 + free * (family / 2 + (1 - family) * own.accuracy)
    turned = stable * own.wording * (1 - 2 * right)
    return {
        ("position", "prefers the first response"): 0.5 + stable * own.position / 2,
        ("position", "verdicts that the order changes"): lot + stable**2 * own.position,
        ("verbosity", "prefers the padded response"): 0.5 + stable * free * (1 - family) * own.verbosity / 2,
        ("self-preference", "prefers its own response"): 0.5 + stable * free * own.own / 2,
        ("repeats", "verdicts that a repetition changes"): lot,
        ("wording", "verdicts that a wording changes"): lot + stable**2 * own.wording,
        ("wording", "changes beyond those of repetitions"): stable**2 * own.wording,
        **{("wording", f"accuracy with wording {number}, minus its own"): turned for number in (1, 2, 3)},
    }


class Planted:
    """A backend that writes verdicts in the labels of `five-way`, the same for the same request."""

    name = "planted"

    def __init__(self, own: Biases, seed: int) -> None:
        self._own, self._seed = own, seed

    def identity(self) -> dict[str, Any]:
        """The biases."""
        return {"model": f"planted {self._own} {self._seed}"}

    def facts(self) -> dict[str, Any]:
        """None."""
        return {}

    def outputs(self, asked: Iterable[Asked]) -> Iterator[list[tuple[Asked, Output]]]:
        """Yield each request with its output."""
        for one in asked:
            yield [(one, Output(self._verdict(one), usage={"tokens": 100, "output_tokens": 5}))]

    def _verdict(self, one: Asked) -> str:
        texts, wording = one.request.responses, one.prompt.messages[0].content[:30]
        if self._draw("failure", *texts, one.request.vote, wording) < self._own.failure:
            return "no verdict"
        first = self._prefers_first(texts, one.request.vote, wording)
        return "[[A>B]]" if first else "[[B>A]]"

    def _prefers_first(self, texts: Sequence[str], vote: int, wording: str) -> bool:
        own = self._own
        if self._draw("instability", *texts, vote, wording) < own.instability:
            return self._draw("lot", *texts, vote, wording) < 0.5
        pair = sorted(_mark(text) for text in texts)
        changed = self._draw("wording", *texts, wording) < own.wording and not wording.startswith("You compare")
        return self._steady(texts, pair) != changed

    def _steady(self, texts: Sequence[str], pair: Sequence[str]) -> bool:
        own, mine = self._own, [OWN in text for text in texts]
        if self._draw("position", *pair) < own.position:
            return True
        if mine[0] != mine[1] and self._draw("own", *pair) < own.own:
            return mine[0]
        if len(texts[0]) != len(texts[1]) and self._draw("verbosity", *pair) < own.verbosity:
            return len(texts[0]) > len(texts[1])
        return ("good" in texts[0]) == (self._draw("accuracy", *pair) < own.accuracy)

    def _draw(self, *parts: object) -> float:
        return int.from_bytes(blake2b(repr((self._seed, parts)).encode(), digest_size=8).digest()) / 2**64


def _mark(text: str) -> str:
    """What identifies a response, with and without padding."""
    return next(word for word in text.split() if word.startswith("ref-"))


class MarkedPairs(Benchmark):
    """Pairs of responses of equal length; half of the responses of half of the pairs are of the judge's family."""

    card = Card("marked", "Marked pairs", "The better one is good.", "made", None, "none", "", "", generated=True)

    def __init__(self, count: int) -> None:
        self._count = count

    def load(self) -> Iterator[Item]:
        """Yield the pairs: four kinds of sources in turn, so that own responses are as often better as worse."""
        for number in range(self._count):
            sources = [(OWN, "other-8b"), ("other-8b", OWN), ("other-8b", "third-9b"), ("third-9b", "other-8b")]
            better, worse = sources[number % 4]
            yield Item(
                f"{number}",
                "all",
                (Message("user", f"Question {number}"),),
                (
                    Response(f"ref-{number}a {better:>10} good {'x' * 60}", 1.0, None, better),
                    Response(f"ref-{number}b {worse:>10} poor {'x' * 60}", 0.0, None, worse),
                ),
                PAIR,
                f"{number}",
            )

    def aggregate(self, items: Any, evidence: Any, rule: ScoreRule, intervals: bool = True) -> list[Record]:
        """No numbers: the audit computes its own."""
        return []


def audited(own: Biases, pairs: int, seed: int, folder: Path) -> Audit:
    """The audit of one planted judge."""
    judge = Judge(Planted(own, seed), judge_protocol(JudgeOptions("five-way", temperature=1.0)))
    return audit_model(judge, MarkedPairs(pairs), Selection(), folder, Probing(family=OWN))


@dataclass
class Tally:
    """What a number of audits shows of one effect."""

    audits: int = 0
    covered: int = 0
    found: int = 0
    value: float = 0.0


def simulated(
    own: Biases, pairs: int, replications: int, where: Path | None = None
) -> tuple[dict[tuple[str, str], Tally], float]:
    """Audit planted judges, and count for each effect how often the interval contains the truth.

    Returns:
        The tallies, and the mean share of false ones among the effects that an audit reports.
    """
    true, tallies, false = truths(own), defaultdict[tuple[str, str], Tally](Tally), 0.0
    for seed in range(replications):
        with TemporaryDirectory(dir=where) as folder:
            done = audited(own, pairs, seed, Path(folder))
        for one in done.effects:
            tally = tallies[one.probe, one.name]
            low, high = one.ci or (math.nan, math.nan)
            value = true.get((one.probe, one.name), 0.0)
            tally.audits += 1
            tally.value += one.value
            tally.covered += low <= value <= high
            tally.found += one.conclusion == "found"
        wrong = [one for one in done.found if true.get((one.probe, one.name), one.null) == one.null]
        false += len(wrong) / max(len(done.found), 1)
    return dict(tallies), false / replications


def main(arguments: Sequence[str]) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=150)
    parser.add_argument("--folder", type=Path, default=None, help="Folder of temporary runs; one in memory is fast.")
    given = parser.parse_args(arguments)
    for name, own in (("without biases", FAIR), ("with a position bias", MIXED), ("with biases", BIASED)):
        tallies, false = simulated(own, given.pairs, given.replications, given.folder)
        lines = [
            f"{name}, {given.pairs} pairs; mean share of false effects among those found: {100 * false:.1f}",
            "| effect | true | mean | coverage | found |",
            "|---|---|---|---|---|",
        ]
        true = truths(own)
        for (probe, effect), one in tallies.items():
            value = true.get((probe, effect))
            if value is None and probe == "self-preference":
                continue  # Rates of each kind of pair are descriptions.
            shares = (100 * (value or 0.0), 100 * one.value / one.audits, 100 * one.covered / one.audits)
            found = "" if probe == "repeats" or "that" in effect else f"{100 * one.found / one.audits:.1f}"
            lines.append(f"| {probe}: {effect} | " + " | ".join(f"{share:.1f}" for share in shares) + f" | {found} |")
        sys.stdout.write("\n".join([*lines, "", ""]))


if __name__ == "__main__":
    main(sys.argv[1:])
