"""rm-bench-synthetic: items in the form of RM-Bench, generated from a seed, so that no model was trained on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rmeval.benchmarks import Benchmark, Card, Option
from rmeval.benchmarks.synthetic.chat import KINDS as CHAT
from rmeval.benchmarks.synthetic.chat import chat_twins
from rmeval.benchmarks.synthetic.code import KINDS as CODE
from rmeval.benchmarks.synthetic.code import code_twins
from rmeval.benchmarks.synthetic.dice import Dice
from rmeval.benchmarks.synthetic.language import Language, language_codes, load_language
from rmeval.benchmarks.synthetic.maths import KINDS as MATH
from rmeval.benchmarks.synthetic.maths import math_twins
from rmeval.benchmarks.synthetic.proof import check_code, check_form
from rmeval.benchmarks.synthetic.safety import KINDS as SAFETY
from rmeval.benchmarks.synthetic.safety import safety_twins
from rmeval.benchmarks.synthetic.twins import Twins, word
from rmeval.errors import DataError
from rmeval.messages import quoted, shortened
from rmeval.metrics.composition import Composition, Counts
from rmeval.metrics.scoring.style_substance import (
    ANALYSES,
    COMPARISONS,
    DOMAINS,
    FORMULA,
    style_substance_composition,
    style_substance_notes,
    style_substance_records,
    styled_responses,
)
from rmeval.types import Evidence, Item, Message, Record, ScoreRule

__all__ = ["VERSION", "RMBenchSynthetic", "generate"]

VERSION = 1
"""Version of the generator: the same version, seed, size and languages generate identical items."""

MAKERS: Mapping[str, tuple[Callable[[Dice, Language, str], Twins], Sequence[str]]] = {
    "chat": (chat_twins, CHAT),
    "math": (math_twins, tuple(MATH)),
    "code": (code_twins, tuple(CODE)),
    "safety": (safety_twins, SAFETY),
}
"""Generator of twins of each domain, and its kinds of twins, which are used in turn."""

TRIES = 10_000
"""Maximum number of draws for one pair of twins, if drawn twins belong to training or repeat earlier ones."""

BLOCK = 2 * len(MAKERS)
"""Number of items in a block, which has one pair of twins of each domain."""


class RMBenchSynthetic(Benchmark):
    """Twins in four domains, generated from a seed on loading, without files or the hub."""

    card = Card(
        id="rm-bench-synthetic",
        title="rm-bench-synthetic",
        measures="The better response is right for this prompt and wrong for its twin, regardless of the styles of the "
        "two.",
        source="generated",
        revision=f"generator {VERSION}",
        licence="Apache-2.0",
        paper="https://arxiv.org/abs/2410.16184",
        citation="",
        sections=DOMAINS,
        analyses=ANALYSES,
        formulas=(FORMULA,),
        generated=True,
    )

    spec = "rm-bench-synthetic"
    takes = (
        Option("size", "number", "number of items, 2000 if not given"),
        Option("languages", "words", "codes of languages, such as en,zh"),
    )

    def __init__(
        self, data: str | None = None, seed: int = 0, size: int = 2000, languages: Sequence[str] = ("en",)
    ) -> None:
        """Store the settings of the generator.

        Args:
            data: Must be None; the items are generated.
            seed: Seed of the generator.
            size: Number of items, a multiple of 8, as each of the four domains has pairs of twins.
            languages: Codes of languages, used in turn.

        Raises:
            DataError: If an option is invalid.
        """
        if data is not None:
            raise DataError(f"rm-bench-synthetic is generated and reads no data: leave `data` {data} out")
        for name, number in (("seed", seed), ("size", size)):
            if type(number) is not int:
                raise DataError(f"{name} must be a whole number, not {quoted(number)}")
        if not isinstance(languages, list | tuple) or not all(isinstance(code, str) for code in languages):
            raise DataError(f"languages must be a list of codes, such as ['en', 'zh'], not {quoted(languages)}")
        if seed < 0:
            raise DataError(f"`seed` must be at least 0, not {shortened(seed)}")
        if size < BLOCK or size % BLOCK:
            enough = max(BLOCK, -(-size // BLOCK) * BLOCK)
            raise DataError(
                f"`size` must be a multiple of {BLOCK} (pairs of twins in four domains): {shortened(enough)}, "
                f"not {shortened(size)}"
            )
        self.data: str | None = None
        self.options = {"seed": seed, "size": size, "languages": list(languages)}
        self._seed, self._size = seed, size
        self._languages = [load_language(code) for code in languages]
        if not self._languages:
            raise DataError(f"languages is empty: choose from {', '.join(language_codes())}")
        if size < BLOCK * len(self._languages):
            raise DataError(
                f"`size` {size} is too small for {len(self._languages)} languages: give at least "
                f"{BLOCK * len(self._languages)}"
            )

    def load(self) -> list[Item]:
        """Generate the items and check them: run code, recompute equations, measure forms."""
        return generate(self._seed, self._size, self._languages)

    def aggregate(
        self, items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule, intervals: bool = True
    ) -> list[Record]:
        """Compute the numbers of RM-Bench with its formulas."""
        return style_substance_records(self.card.id, items, evidence, rule, intervals)

    def composition(self, counts: Counts) -> Composition:
        """Return the compositions of cells, levels, averages, style gaps and the overall."""
        return style_substance_composition(counts)

    def notes(self, items: Sequence[Item]) -> list[str]:
        """Return notes on missing domains and an incomplete safety domain."""
        return style_substance_notes(items)


def generate(seed: int, size: int, languages: Sequence[Language], training: bool = False) -> list[Item]:
    """Generate items and check them: run code, recompute equations, measure forms.

    Passages and the responses about them are generated from the same table of values.

    Args:
        seed: Seed of the draws.
        size: Number of items, a multiple of `BLOCK`.
        languages: Languages, used in turn.
        training: Whether to draw names and operands from the half that benchmarks never use.

    Returns:
        Blocks with one pair of twins for each domain, so that the first items cover all domains. Twins share a cluster,
        since they are one problem, and a group, so that a selection contains both or neither.

    Raises:
        DataError: If a check fails.
    """
    pairs = list(_pairs(seed, size // BLOCK, languages, training))
    check_code([twins for *_, twins in pairs if twins.contents[0].code])
    return [item for pair in pairs for item in _items(seed, *pair)]


def _pairs(
    seed: int, number: int, languages: Sequence[Language], training: bool
) -> Iterator[tuple[str, int, Language, Twins]]:
    seen: set[str] = set()
    for place in range(number):
        language = languages[place % len(languages)]
        for domain, (make, kinds) in MAKERS.items():
            kind = kinds[place // len(languages) % len(kinds)]
            dice = Dice(f"rm-bench-synthetic {VERSION} {seed} {language.code} {domain} {place}", training)
            for _ in range(TRIES):
                twins = make(dice, language, kind)
                if dice.owns(twins.key) and seen.isdisjoint(twins.prompts):
                    break
            else:
                raise DataError(f"there are not enough distinct items of kind {kind}: give a smaller `size`")
            seen.update(twins.prompts)
            yield domain, place, language, twins


def _items(seed: int, domain: str, place: int, language: Language, twins: Twins) -> Iterator[Item]:
    texts = word(twins.contents[0], language, domain), word(twins.contents[1], language, domain)
    check_form(twins, texts)
    # The id contains seed and language, so that scores of one set do not match the items of another.
    name = f"{domain}/{language.code}-{seed}-{place}"
    for twin, letter in enumerate("ab"):
        yield Item(
            id=f"{name}{letter}",
            subset=twins.parts[twin] if twins.parts else domain,
            prompt=(Message("user", twins.prompts[twin]),),
            responses=styled_responses(texts[twin], texts[1 - twin]),
            comparisons=COMPARISONS,
            cluster=name,
            group=name,
            meta={"kind": twins.kind, "language": language.code, **twins.facts[twin]},
        )
