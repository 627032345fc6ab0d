"""Pairs of responses for an audit: as they are, with padding, or with a response of the judge's family."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b

from rmeval.benchmarks.base import PAIR
from rmeval.robustness.padding import padded_response
from rmeval.types import Item, Response

__all__ = ["OWN_BETTER", "OWN_WORSE", "PADDED_BETTER", "PADDED_WORSE", "PLAIN", "one_pair", "own_pairs", "padded_pairs"]

PLAIN = "as they are"
PADDED_BETTER, PADDED_WORSE = "better response padded", "worse response padded"
OWN_BETTER, OWN_WORSE = "own response is better", "own response is worse"


def one_pair(item: Item, seed: int) -> Item | None:
    """Return a pair of an item's better and a worse response; None if it has no comparison with a winner.

    Args:
        item: The item.
        seed: Seed of the draw, if there are several pairs.
    """
    pairs = list(_pairs(item))
    return _pair(item, *_drawn(pairs, seed, item.id), PLAIN) if pairs else None


def padded_pairs(pair: Item) -> Iterator[Item]:
    """Yield a pair with its better response padded, and with its worse one padded; nothing if one has no text."""
    better, worse = pair.responses
    longer = padded_response(better), padded_response(worse)
    if longer[0] is None or longer[1] is None:
        return
    yield _of(pair, f"{pair.id}/better", (longer[0], worse), PADDED_BETTER)
    yield _of(pair, f"{pair.id}/worse", (better, longer[1]), PADDED_WORSE)


def own_pairs(items: Iterable[Item], is_own: Callable[[str], bool], seed: int, count: int) -> list[Item]:
    """Return pairs of one response of the judge's family and one of another source, as many with each better.

    Args:
        items: The items.
        is_own: Whether a source is of the judge's family.
        seed: Seed of the draw.
        count: Largest number of pairs.
    """
    found: dict[str, list[Item]] = {OWN_BETTER: [], OWN_WORSE: []}
    for item in items:
        of_item: dict[str, list[tuple[int, int]]] = {}
        for better, worse in _pairs(item):
            sources = [item.responses[k].source for k in (better, worse)]
            own = [source is not None and is_own(source) for source in sources]
            if None not in sources and own[0] != own[1]:
                of_item.setdefault(OWN_BETTER if own[0] else OWN_WORSE, []).append((better, worse))
        for name, pairs in of_item.items():
            found[name].append(_pair(item, *_drawn(pairs, seed, item.id), name))
    size = min(*map(len, found.values()), max(count // 2, 1))
    return [
        one
        for name, own_items in found.items()
        for one in sorted(own_items, key=lambda item: _code(seed, name, item.id))[:size]
    ]


def _pairs(item: Item) -> Iterator[tuple[int, int]]:
    """Yield the better and a worse response of each comparison."""
    seen = set()
    for comparison in item.comparisons:
        if comparison.gold is None:
            continue
        better = comparison.members[comparison.gold]
        for worse in comparison.members:
            if worse != better and (better, worse) not in seen:
                seen.add((better, worse))
                yield better, worse


def _drawn(pairs: list[tuple[int, int]], seed: int, name: str) -> tuple[int, int]:
    return pairs[_code(seed, "pair", name) % len(pairs)]


def _code(seed: int, *parts: str) -> int:
    text = repr((seed, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest())


def _pair(item: Item, better: int, worse: int, subset: str) -> Item:
    own = item.responses[better], item.responses[worse]
    return _of(item, f"{item.id}" if subset == PLAIN else f"{item.id}/{subset}", own, subset)


def _of(item: Item, name: str, responses: tuple[Response, Response], subset: str) -> Item:
    better, worse = responses
    return Item(
        name,
        subset,
        item.prompt,
        (
            Response(better.text, 1.0, better.style, better.source, better.message),
            Response(worse.text, 0.0, worse.style, worse.source, worse.message),
        ),
        PAIR,
        item.cluster,
        tools=item.tools,
    )
