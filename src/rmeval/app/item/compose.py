"""Puts the page of an item together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rmeval.app.explorer import named_runs
from rmeval.app.filters import Filter, Params, first_of
from rmeval.app.heat import Heat, heat_of
from rmeval.app.index import Index, Key, ModelScores
from rmeval.app.item.focus import Focus, outcome_of, response_label, signed
from rmeval.app.item.source import ItemSource, OpenedItem
from rmeval.app.item.view import ItemView, ModelRow, ShownMessage, ShownResponse
from rmeval.app.token_store import ModelKey, TokenStore
from rmeval.data.differing_words import Parts
from rmeval.errors import DataError
from rmeval.messages import quoted, visible
from rmeval.results.wrong import message_text, response_text
from rmeval.web.texts import Shown, compared_texts, shown

__all__ = ["LONGEST_SHOWN", "ItemPages"]

LONGEST_SHOWN = 200_000
"""Characters of a text that a page shows, unless the reader asks for the whole text."""
_MOST_COLUMNS = 12
"""Responses whose scores are shown side by side; of items with more, only the two that are compared."""
_LONGEST_FACT = 500
_CLOSE = 1e-3
"""By how much the last token score may differ from the score in the run, relative to it: batches and kernels differ."""


@dataclass(frozen=True, slots=True)
class ItemPages:
    """Where the pages of items come from.

    Attributes:
        index: The index.
        source: Reads items and their texts.
        store: Token scores.
    """

    index: Index
    source: ItemSource
    store: TokenStore

    def view(self, key: str, params: Params) -> ItemView:
        """Return what the page of an item shows.

        Args:
            key: Key of the item.
            params: The fields of the address.

        Raises:
            RmevalError: If the address names something that does not exist, or the run cannot be read.
        """
        return self._page(key, params).view()

    def compute(self, key: str, params: Params) -> str:
        """Compute the token scores of a page's responses, and return the address of the page.

        Raises:
            RmevalError: If they cannot be computed.
        """
        page = self._page(key, params)
        if not page.opened.has_texts:
            raise DataError(page.opened.note)
        self.store.compute(page.model, page.opened.item, page.focus.sides)
        return page.focus.address(against=page.against)

    def _page(self, key: str, params: Params) -> _Page:
        own = self.index.item(key)
        known = self.index.scores(key) if own is not None else ()
        if own is None or not known:
            raise DataError(f"there is no item {quoted(key, 60)}: start from the list of items")
        chosen = Filter.of(params, known[0].run.key)
        one = next((one for one in known if one.run.key == chosen.query.run), None)
        if one is None:
            raise DataError(f"the run {quoted(chosen.query.run, 60)} does not have this item: choose another one")
        opened = self.source.open(one.run, own, one.position)
        return _Page(self, known, opened, Focus.of(own, opened.item, one, chosen, params), params)


@dataclass(frozen=True, slots=True)
class _Page:
    """What the parts of a page are made from.

    Attributes:
        pages: Where pages come from.
        known: What each run says of the item.
        opened: The item.
        focus: The comparison.
        params: The fields of the address.
    """

    pages: ItemPages
    known: Sequence[ModelScores]
    opened: OpenedItem
    focus: Focus
    params: Params

    @property
    def model(self) -> ModelKey:
        return ModelKey.of(self.opened.run.manifest)

    @property
    def against(self) -> str:
        return first_of(self.params, "against")

    @property
    def _is_markdown(self) -> bool:
        return first_of(self.params, "view") == "markdown"

    def view(self) -> ItemView:
        focus, run = self.focus, self.focus.model.run
        item, one = focus.item, focus.comparison
        columns = tuple(range(len(item.responses))) if len(item.responses) <= _MOST_COLUMNS else focus.sides
        names = named_runs([own.run for own in self.known])
        responses, grid = tuple(self._responses()), focus.grid()
        heat, heat_note = self._heat()
        return ItemView(
            visible(item.id),
            visible(run.title),
            names[run.key],
            visible(item.subset),
            "" if one is None else visible(one.tag),
            "" if one is None or one.gold is None else outcome_of(focus.margin),
            signed(focus.margin),
            tuple(self._facts()),
            visible(self.opened.erratum),
            tuple(self._prompt()),
            visible(self.opened.note),
            responses,
            any("<mark>" in (own.html or "") for own in responses),
            self._is_markdown,
            tuple(response_label(item, index) for index in columns),
            tuple(self._models(columns, names)),
            grid,
            tuple(focus.comparisons()) if grid is None else (),
            tuple(focus.others()),
            heat,
            heat_note,
            heat is None and self.opened.has_texts and self.pages.store.can_run(self.model),
            tuple(self._judges(names)),
            self._links(),
        )

    def _facts(self) -> Iterator[tuple[str, str]]:
        item = self.focus.item
        known = {"problem": item.cluster, "group": item.group or "", **{str(k): v for k, v in item.meta.items()}}
        for name, value in known.items():
            text = value if isinstance(value, str) else repr(value)
            if value not in ("", None, item.id) and (self.opened.has_texts or name != "problem"):
                yield visible(name)[:60], visible(text[:_LONGEST_FACT])

    def _cut(self, text: str) -> tuple[str, str]:
        """A text as far as the page shows it, and what is left out."""
        if len(text) <= LONGEST_SHOWN or first_of(self.params, "whole") == "1":
            return text, ""
        return text[:LONGEST_SHOWN], f"the first {LONGEST_SHOWN:,} of {len(text):,} characters"

    def _shown(self, parts: Parts, note: str) -> tuple[Shown, str]:
        found = shown(parts, self._is_markdown)
        return found, "; ".join(filter(None, (note, found.note)))

    def _prompt(self) -> Iterator[ShownMessage]:
        for message in self.focus.item.prompt if self.opened.has_texts else ():
            text, left = self._cut(message_text(message))
            found, note = self._shown(((text, False),), left)
            yield ShownMessage(visible(message.role), found.html, found.is_rendered, note)

    def _responses(self) -> Iterator[ShownResponse]:
        item, sides, one = self.focus.item, self.focus.sides, self.focus.comparison
        cut = [self._cut(response_text(item.responses[index])) for index in sides]
        parts: list[Parts] = [((text, False),) for text, _ in cut]
        if len(cut) == 2:
            parts = list(compared_texts(cut[0][0], cut[1][0]))
        decided = one is not None and one.gold is not None
        for place, (index, own, (_, left)) in enumerate(zip(sides, parts, cut, strict=True)):
            heading = ("Chosen response", "Rejected response")[place] if decided else f"Response {index + 1}"
            found, note = self._shown(own, left)
            html = found.html if self.opened.has_texts else None
            score = _score(self.focus.model.scores[index])
            yield ShownResponse(heading, self._about(index), score, html, found.is_rendered, note)

    def _about(self, index: int) -> str:
        one = self.focus.item.responses[index]
        facts = [f"response {index + 1}", (one.style or "").replace("_", " "), one.source or ""]
        facts += [] if one.gold is None else [f"gold {one.gold:g}"]
        return visible(", ".join(filter(None, facts)))[:_LONGEST_FACT]

    def _models(self, columns: Sequence[int], names: Mapping[str, str]) -> Iterator[ModelRow]:
        focus = self.focus
        decided = focus.comparison is not None and focus.comparison.gold is not None
        for one in self.known:
            margin = None if focus.number is None else one.margins.get(focus.number)
            yield ModelRow(
                names[one.run.key],
                focus.address(run=one.run.key, against=self.against),
                one.run.key == focus.model.run.key,
                tuple(_score(one.scores[index]) for index in columns),
                signed(margin),
                outcome_of(margin) if decided else "",
            )

    def _heat(self) -> tuple[Heat | None, str]:
        """The token scores of both responses, and a note if they are not those of the run."""
        focus = self.focus
        if not self.opened.has_texts or len(focus.sides) < 2:
            return None, ""
        found = [self.pages.store.find(self.model, focus.item, index) for index in focus.sides]
        known = [one for one in found if one is not None and len(one.scores)]
        if len(known) < len(found):
            return None, ""
        texts = [focus.item.responses[index].text for index in focus.sides]
        heat = heat_of(list(zip(known, texts, strict=True)))
        scores = [float(focus.model.scores[index]) for index in focus.sides]
        ends = [float(one.scores[-1]) for one in known]
        if all(
            math.isnan(score) or math.isclose(score, end, rel_tol=_CLOSE, abs_tol=_CLOSE)
            for score, end in zip(scores, ends, strict=True)
        ):
            return heat, ""
        return heat, (
            f"The token scores end at {' and '.join(map(_score, ends))}, but the scores of the run are "
            f"{' and '.join(map(_score, scores))}: they are of other weights, another number format or other options."
        )

    def _judges(self, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """What the model and the one that it is compared with wrote, if they are judges."""
        sides, query = self.focus.sides, self.focus.chosen.query
        if not self.opened.has_texts or len(sides) < 2:
            return
        for one in self.known:
            if one.run.key in (query.run, query.other):
                text = self.pages.source.judge_output(one.run, self.opened, *sides)
                if text:
                    cut, note = self._cut(text)
                    yield names[one.run.key], visible(cut, lines=True) + (f"\n({note})" if note else "")

    def _links(self) -> dict[str, str]:
        focus = self.focus
        view = "" if self._is_markdown else "markdown"
        links = {
            "list": Filter(focus.chosen.query).items,
            "previous": "",
            "next": "",
            "permalink": focus.permalink,
            "view": focus.address(view=view, against=self.against),
            "whole": focus.address(whole="1", against=self.against),
            "compute": focus.address(against=self.against).replace("?", "/token-scores?", 1),
        }
        if at := first_of(self.params, "at"):
            links |= self._around(Key.of(at))
        return links

    def _around(self, at: Key) -> dict[str, str]:
        """The addresses of the comparisons before and after a place in the list, and of the list from there."""
        query, index = self.focus.chosen.query, self.pages.index
        before = index.comparisons(query, before=at, limit=1).rows
        after = index.comparisons(query, after=at, limit=1).rows
        kept = {"view": "markdown" if self._is_markdown else ""}
        found = {
            name: Filter(query).item(rows[0].item, rows[0].number, rows[0].key(query), **kept)
            for name, rows in (("previous", before), ("next", after))
            if rows
        }
        if before:
            found["list"] = Filter(query, after=before[0].key(query)).items
        return found


def _score(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4g}"
