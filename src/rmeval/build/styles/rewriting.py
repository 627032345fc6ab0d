"""Rewriting: rounds of attempts, in which each text is rewritten, measured and verified again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from rmeval.build.config import BuildConfig
from rmeval.build.recipes.stage import recipe_options
from rmeval.build.records import Candidate, Check, Dropped, Record, Side
from rmeval.build.rounds import Failed, Written, confirmed, write
from rmeval.build.stage import find_recipe
from rmeval.build.styles.draft import CONCISE, MARKDOWN, PLAIN, SIDES, Draft, Slot
from rmeval.build.styles.options import style_options
from rmeval.build.styles.rules import measure, out_of_style
from rmeval.build.texts import enclosed
from rmeval.build.tools import Ask, Tools
from rmeval.types import STYLES

__all__ = ["Rewriting"]

Wanted = tuple[Draft, Slot]


class Rewriting:
    """Rewrites the responses of one domain.

    Attributes:
        options: The domain's options of style control.
        failures: Number of attempts that failed, by reason.
    """

    def __init__(self, domain: str, config: BuildConfig, tools: Tools) -> None:
        """Find the domain's recipe and options.

        Args:
            domain: The domain's name.
            config: The config.
            tools: Calls and sandbox.

        Raises:
            DataError: If an option is wrong.
        """
        self.options = style_options(config, domain)
        self.failures: Counter[str] = Counter()
        self._domain, self._tools = domain, tools
        self._name, self._recipe = config.domains[domain].recipe, find_recipe(config.domains[domain])
        self._recipe_options = recipe_options(config, domain)

    def drafts(self, records: Sequence[Record]) -> tuple[list[Draft], list[Dropped]]:
        """Rewrite all records; where the first responses cannot be rewritten, the next ones are tried.

        Returns:
            The drafts with all texts, and the other problems with the reason.
        """
        done: list[Draft] = []
        last: dict[str, Draft] = {}
        for place in range(max((_most(record) for record in records), default=0)):
            finished = {draft.record.key for draft in done}
            own = [
                Draft(record, _bases(record, place), _longer(record, self._tools.config.seed))
                for record in records
                if record.key not in finished and place < _most(record)
            ]
            for attempt in range(self.options.attempts):
                self._rewrite(_wanted(own, (CONCISE, PLAIN), self.options), attempt)
                self._rewrite(_wanted(own, (MARKDOWN,), self.options), attempt)
            done += [draft for draft in own if draft.choices(self.options)]
            last |= {draft.record.key: draft for draft in own if not draft.choices(self.options)}
        finished = {draft.record.key for draft in done}
        failed = {key: draft.why(self.options) for key, draft in last.items() if key not in finished}
        return done, [Dropped(key, why.reason, why.detail) for key, why in failed.items()]

    def _rewrite(self, wanted: Sequence[Wanted], attempt: int) -> None:
        """Add what one attempt finds to the drafts."""
        asks = [self._ask(draft, slot, attempt) for draft, slot in wanted]
        found: list[tuple[Wanted, Candidate]] = []
        for (draft, slot), one in zip(wanted, write(asks, self._tools, f"{self._domain}: styles"), strict=True):
            candidate = one if isinstance(one, Failed) else self._candidate(draft, slot, one)
            if isinstance(candidate, Failed):
                self._fail(draft, slot, candidate)
            else:
                found.append(((draft, slot), candidate))
        texts = [(draft.record.problem, candidate) for (draft, _), candidate in found]
        checks = self._recipe.check(texts, self._recipe_options, self._tools)
        for ((draft, slot), candidate), own in zip(found, checks, strict=True):
            verified = confirmed(candidate.with_checks(*own))
            if isinstance(verified, Failed):
                self._fail(draft, slot, verified)
            else:
                draft.found[slot].append(verified)

    def _fail(self, draft: Draft, slot: Slot, why: Failed) -> None:
        draft.failed[slot] = why
        self.failures[why.reason] += 1

    def _ask(self, draft: Draft, slot: Slot, attempt: int) -> Ask:
        side, style = slot
        base = draft.bases[side]
        # The text with markdown has the words of the plain one, so that the two differ in markdown only.
        source = draft.found[side, PLAIN][-1] if style == MARKDOWN else base
        values: dict[str, Any] = {
            "recipe": self._name,
            "side": side,
            "language": draft.record.problem.language,
            "problem": draft.record.problem.prompt,
            "text": source.text,
            "words": draft.words(slot, self.options),
            "error": None if base.change is None else asdict(base.change),
        }
        prompt = self._tools.prompts.get(f"styles/{style}")
        return Ask(self._recipe.rewriters[side], prompt, values, attempt, self.options.temperature)

    def _candidate(self, draft: Draft, slot: Slot, written: Written) -> Candidate | Failed:
        """The rewriting if it is in style and keeps what it must keep word by word."""
        side, style = slot
        base, text = draft.bases[side], enclosed(written.text, "text")
        if text is None:
            return Failed("the rewriting has a wrong form", "it needs one <text>")
        if (fault := out_of_style(style, text, self.options)) is not None:
            return fault
        if (kept := self._recipe.substance(base.text)) != self._recipe.substance(text):
            return Failed("the rewriting changed the substance", f"it must keep {(kept or 'nothing')[:100]}")
        check = Check("style", "pass", str(measure(text)))
        candidate = written.candidate(f"{base.id}/{style}", side, text)
        return replace(candidate, style=style, parent=base.id, change=base.change, checks=(check,))


def _wanted(drafts: Sequence[Draft], styles: Sequence[str], options: Any) -> list[Wanted]:
    """The slots of some styles that need a further rewriting, and whose source exists."""
    return [
        (draft, slot)
        for draft in drafts
        for slot in draft.needed(options)
        if slot[1] in styles and (slot[1] != MARKDOWN or draft.found[slot[0], PLAIN])
    ]


def _most(record: Record) -> int:
    return max(len(record.of("chosen")), len(record.of("rejected")))


def _longer(record: Record, seed: int) -> dict[str, Side]:
    """The side that should be longer, drawn for each style."""
    draw = random.Random(f"{seed} {record.key} longer")
    return {style: draw.choice(SIDES) for style in STYLES}


def _bases(record: Record, place: int) -> Mapping[Side, Candidate]:
    """The response of each side at a place, the last one where there are fewer."""
    return {side: (own := record.of(side))[min(place, len(own) - 1)] for side in SIDES}
