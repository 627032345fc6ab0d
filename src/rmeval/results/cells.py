"""Names of cells: the kinds of comparisons of a benchmark, by their tags."""

from __future__ import annotations

from collections.abc import Sequence

from rmeval.errors import DataError
from rmeval.messages import quoted, shortened
from rmeval.metrics.scoring.style_substance import COMPARISONS, LEVELS, level_of
from rmeval.types import STYLES

__all__ = ["cells_named"]

_STYLED = frozenset(one.tag for one in COMPARISONS)


def cells_named(tags: Sequence[str], names: Sequence[str]) -> frozenset[str]:
    """Return the tags that some names of cells stand for; all tags if there are no names.

    Where the tags are those of the style-substance matrix, `row:column` is a cell (`concise:detailed markdown`, or by
    number `1:3`), and `easy`, `normal` (also `diagonal`) and `hard` are three cells each.

    Args:
        tags: The tags of the benchmark's comparisons.
        names: Names of cells.

    Raises:
        DataError: If a name stands for none.
    """
    levels = {
        level: frozenset(tag for tag in tags if tag in _STYLED and level_of(tag) == level) for level in LEVELS[:3]
    }
    named = {level: own for level, own in levels.items() if own} | {tag: frozenset([tag]) for tag in tags}
    named |= {"diagonal": named["normal"]} if levels["normal"] else {}
    known = {_plain(name): own for name, own in named.items()} | named
    found: frozenset[str] = frozenset()
    for name in names:
        own = next((known[way] for way in (name, _plain(name), _numbered(name)) if way in known), None)
        if own is None:
            there = ", ".join(map(shortened, [*tags, *(level for level in levels if level in named)]))
            raise DataError(f"there is no cell {quoted(name)}: choose from {there}")
        found |= own
    return found or frozenset(tags)


def _plain(name: str) -> str:
    return name.strip().lower().replace(":", "/").replace(" ", "_").replace("-", "_")


def _numbered(name: str) -> str:
    """Return the tag of a cell that is named by the numbers of its row and column, such as `1:3`."""
    return "/".join(_STYLES.get(part, part) for part in _plain(name).split("/"))


_STYLES = {str(number): style for number, style in enumerate(STYLES, 1)}
