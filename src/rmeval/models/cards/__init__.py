"""Cards of published models, a file for each family; no card is read before it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.models.cards.card import Card, all_cards, card_of, find_card
    from rmeval.models.cards.descriptor import Descriptor, all_descriptors, descriptor_of
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.models.cards.card": ("Card", "all_cards", "card_of", "find_card"),
            "rmeval.models.cards.descriptor": ("Descriptor", "all_descriptors", "descriptor_of"),
        },
    )

__all__ = ["Card", "Descriptor", "all_cards", "all_descriptors", "card_of", "descriptor_of", "find_card"]
