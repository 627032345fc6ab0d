"""Write the table of published models in docs/models.md from the cards.

python scripts/model_table.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from rmeval.models.cards import Card, all_cards
from rmeval.report.model_card import STATUSES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "models.md"
BEGIN, END = "<!-- cards: written by scripts/model_table.py -->\n", "<!-- end of cards -->\n"
SHOWN = 4
"""Ids of a family that the table names."""


def main() -> None:
    """Write the table; with --check, fail if the page has another one."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    new = f"{before}{BEGIN}{''.join(lines())}{END}{after}"
    if "--check" not in sys.argv:
        PAGE.write_text(new, encoding="utf-8")
    elif new != text:
        sys.exit("the table of models in docs/models.md is not that of the cards: run python scripts/model_table.py")


def lines() -> Iterator[str]:
    """Yield the lines of the section: what a status means, and a row of each family."""
    yield "\n"
    for status, meaning in STATUSES.items():
        yield f"* **{status}**: {meaning}.\n"
    yield "\n| card | models | status | how the score is read |\n|---|---|---|---|\n"
    cards = all_cards()
    for family in sorted((one for one in cards if not one.model), key=lambda one: one.name):
        members = [one.model for one in cards if one.model and one.name == family.name]
        yield f"| `{family.name}` | {models(family, members)} | {status_of(family)} | {cell(family.about)} |\n"
    yield "\n"


def models(family: Card, members: list[str]) -> str:
    """Return the ids that the files list, or the patterns of a family without any."""
    if not members:
        return ", ".join(f"ids like `{cell(pattern)}`" for pattern in family.patterns) or f"`--card {family.name}`"
    shown = ", ".join(f"`{name}`" for name in members[:SHOWN])
    return f"{shown} and {len(members) - SHOWN} more" if len(members) > SHOWN else shown


def status_of(family: Card) -> str:
    """Return the status with the largest difference of a score."""
    return f"verified ({family.difference:.1e})" if family.difference is not None else family.status


def cell(text: str) -> str:
    """Return a text that ends no cell."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
