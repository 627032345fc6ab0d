"""Forms of files of scores: what the references of several benchmarks write, matched to items."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmeval.benchmarks.source import Row
from rmeval.digests import digest
from rmeval.errors import DataError
from rmeval.types import Item, Response

__all__ = ["ItemIndex", "Place", "form_of", "judged_by"]

_WORD = re.compile(r"\w+")

Place = tuple[str, int]
"""An item's id and the index of one of its responses."""
Form = Callable[[Row, "ItemIndex", Path], Iterator[tuple[Place, float]]]
"""The scores of a row of a file; none if it belongs to no item."""


def form_of(row: Row) -> Form:
    """What reads rows like this one.

    Raises:
        DataError: If it holds no scores of a known form.
    """
    if "item_id" in row.fields:
        return _ours
    if "score_chosen" in row.fields:
        return _rm_bench
    if "scores_chosen" in row.fields:
        return _reward_bench
    if "judgments" in row.fields:
        return _judgebench
    if "scores" in row.fields:
        return _reward_bench_2
    if "score" in row.fields and "solution_reference" in row.fields:
        return _reward_math
    raise DataError(
        f"{row.where}: no scores here: there must be 'item_id', 'response' and 'score', or "
        "RM-Bench's 'score_chosen' and 'score_rejected', or RewardBench's 'scores_chosen' and 'scores_rejected', "
        "or RewardBench 2's 'scores', or JudgeBench's 'judgments', or RewardMATH's 'score' and 'solution_reference'"
    )


def _ours(row: Row, index: ItemIndex, path: Path) -> Iterator[tuple[Place, float]]:
    item = index.by_id.get(str(row.get("item_id")))
    if item is None:
        return
    place = row.get("response")
    if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < len(item.responses):
        raise DataError(f"{row.where}: 'response' must be a number from 0 to {len(item.responses) - 1}, not {place!r}")
    yield (item.id, place), _number(row, row.get("score"))


def _rm_bench(row: Row, index: ItemIndex, path: Path) -> Iterator[tuple[Place, float]]:
    item = index.find(row, [str(row.fields.get("domain", "")), *_name_starts(path)])
    if item is None:
        return
    chosen, rejected = _numbers(row, "score_chosen"), _numbers(row, "score_rejected")
    if len(chosen) != len(rejected) or len(chosen) + len(rejected) != len(item.responses):
        raise DataError(
            f"{row.where}: {len(chosen)} chosen and {len(rejected)} rejected scores for the "
            f"{len(item.responses)} answers of item {item.id}"
        )
    for place, score in enumerate([*chosen, *rejected]):
        yield (item.id, place), score


def _reward_bench(row: Row, index: ItemIndex, path: Path) -> Iterator[tuple[Place, float]]:
    item = index.find(row, [str(row.fields.get("subset", ""))])
    if item is None:
        return
    if len(item.responses) != 2:
        raise DataError(
            f"{row.where}: one chosen and one rejected score for the {len(item.responses)} answers of {item.id}"
        )
    for place, column in enumerate(("scores_chosen", "scores_rejected")):
        (score,) = _numbers(row, column, 1)
        yield (item.id, place), score


def _reward_bench_2(row: Row, index: ItemIndex, path: Path) -> Iterator[tuple[Place, float]]:
    """A list of scores a row, of right answers first; its `results` are not those of Ties, and so left alone."""
    item = index.by_id.get(f"{row.fields.get('subset')}/{row.get('id')}")
    if item is None:
        return
    scores, right = _numbers(row, "scores"), sum((response.gold or 0) > 0 for response in item.responses)
    if row.fields.get("num_correct", right) != right:
        raise DataError(
            f"{row.where}: {row.fields['num_correct']} right answers where the item has {right}: the scores are of "
            "other data"
        )
    if len(scores) != len(item.responses):
        raise DataError(f"{row.where}: {len(scores)} scores for the {len(item.responses)} answers of item {item.id}")
    for place, score in enumerate(scores):
        yield (item.id, place), score


def _judgebench(row: Row, index: ItemIndex, path: Path) -> Iterator[tuple[Place, float]]:
    """The scores of A and B, of reward models' judgments; those of judges are verdicts."""
    item = index.by_id.get(row.text("pair_id"))
    if item is None:
        return
    try:
        scores = row.fields["judgments"][0]["judgment"]["scores"]
        values = [_number(row, scores[0]), _number(row, scores[1])]
    except (LookupError, TypeError) as error:
        raise DataError(
            f"{row.where}: these judgments hold no scores of both answers: only a reward model's can be imported"
        ) from error
    for place, score in enumerate(values):
        yield (item.id, place), score


def judged_by(row: Row) -> str | None:
    """The model that JudgeBench's outputs name in each judgment; their files' names hold much else."""
    try:
        name = row.fields["judgments"][0]["judgment"]["judge_model"]
    except (LookupError, TypeError):
        return None
    return name if isinstance(name, str) and name else None


def _reward_math(row: Row, index: ItemIndex, path: Path) -> Iterator[tuple[Place, float]]:
    """A list of scores a problem, beside the models that wrote the solutions.

    Several solutions by one model are taken in the order of the data: in no number do wrong ones differ.
    """
    if "chosen_position" in row.fields:
        raise DataError(f"{row.where}: these are verdicts on pairs: only scores of single solutions can be imported")
    writers, scores = row.texts("solution_reference"), row.get("score")
    if not isinstance(scores, list) or len(scores) != len(writers):
        raise DataError(f"{row.where}: 'score' must hold a number for each of the {len(writers)} solutions")
    if any(isinstance(score, list) and len(score) != 1 for score in scores):
        raise DataError(
            f"{row.where}: these are scores of steps: make one of each solution's, such as their product or the least"
        )
    near = index.by_prompt.get(row.text("problem"), ())
    item = next((item for item in near if sorted(map(_writer, item.responses)) == sorted(writers)), None)
    if item is not None:
        places = _by_writer(item, row)
        for writer, score in zip(writers, scores, strict=True):
            yield (item.id, places[writer].pop(0)), _number(row, score)
    elif near:
        raise DataError(
            f"{row.where}: its solutions are not by the models of item {near[0].id}: the scores are of other data"
        )


def _by_writer(item: Item, row: Row) -> dict[str, list[int]]:
    """Which answers of an item each model wrote, none of them both a right and a wrong one."""
    places: dict[str, list[int]] = {}
    for place, response in enumerate(item.responses):
        own = places.setdefault(_writer(response), [])
        if own and item.responses[own[0]].gold != response.gold:
            raise DataError(
                f"{row.where}: {_writer(response)!r} wrote right and wrong solutions of item {item.id}: give rows of "
                "'item_id', 'response' and 'score' instead"
            )
        own.append(place)
    return places


def _writer(response: Response) -> str:
    return response.source or ""


def _name_starts(path: Path) -> list[str]:
    """What an RM-Bench result file's name may begin with: `safety-refuse` in `safety-refuse_filtered_model.json`."""
    return [path.name.partition("_")[0]]


def _number(row: Row, value: Any) -> float:
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{row.where}: a score must be a number, not {value!r}")
    try:
        return float(value)
    except OverflowError as error:
        raise DataError(f"{row.where}: a score must be a number that fits a float") from error


def _numbers(row: Row, column: str, length: int | None = None) -> list[float]:
    value = row.get(column)
    values = value if isinstance(value, list) else [value]
    if length is not None and len(values) != length:
        raise DataError(f"{row.where}: {column!r} must hold one number, not {len(values)}")
    return [_number(row, entry) for entry in values]


@dataclass(frozen=True, slots=True)
class ItemIndex:
    """Items by id, by their texts, by their prompt, and by the rarest word in them."""

    by_id: Mapping[str, Item]
    by_text: Mapping[str, Item]
    by_prompt: Mapping[str, Sequence[Item]]
    by_word: Mapping[str, Sequence[Item]]

    @classmethod
    def of(cls, items: Sequence[Item]) -> ItemIndex:
        """Sorts items in, with their texts."""
        words = {item.id: set(_WORD.findall(" ".join(_flat(item)))) for item in items}
        count = Counter(word for found in words.values() for word in found)
        by_word: dict[str, list[Item]] = {}
        by_prompt: dict[str, list[Item]] = {}
        for item in items:
            by_prompt.setdefault(item.prompt[-1].content, []).append(item)
            rarest = min(words[item.id], key=lambda word: (count[word], word), default="")
            by_word.setdefault(rarest, []).append(item)
        by_text = {_texts_digest(*_texts(item)): item for item in items}
        return cls({item.id: item for item in items}, by_text, by_prompt, by_word)

    def find(self, row: Row, parts: Sequence[str]) -> Item | None:
        """The item of a row of chosen and rejected answers, or None.

        Args:
            row: The row.
            parts: Subsets that its id may be of.
        """
        if "id" in row.fields:
            number = str(row.fields["id"])
            names = [number, *(f"{part}/{number}" for part in parts if part)]
            item = next((self.by_id[name] for name in names if name in self.by_id), None)
            if item is not None:
                if not _agrees(row, item):
                    raise DataError(
                        f"{row.where}: its texts are not those of item {item.id}: the scores are of other data"
                    )
                return item
        chosen, rejected = (row.fields.get(side) for side in ("chosen", "rejected"))
        prompt = row.fields.get("prompt")
        if isinstance(prompt, str) and _is_text(chosen) and _is_text(rejected):
            item = self.by_text.get(_texts_digest(prompt, chosen, rejected))
            if item is not None:
                return item
        if "text_chosen" in row.fields:
            return self._rendered(row)
        if chosen is None and "id" not in row.fields:
            raise DataError(f"{row.where}: there is neither an 'id' nor texts to match the scores to an item by")
        return None

    def _rendered(self, row: Row) -> Item | None:
        """The item whose prompt and answers occur in the row's rendered conversations; the longest, if several do."""
        sides = [_plain(row.fields.get(side)) for side in ("text_chosen", "text_rejected")]
        words = {"", *_WORD.findall(" ".join(sides))}
        near = [item for word in words for item in self.by_word.get(word, ())]
        found = [item for item in near if _occurs(item, sides)]
        return max(found, key=lambda item: sum(map(len, _flat(item))), default=None)


def _flat(item: Item) -> list[str]:
    return [item.prompt[-1].content, *(response.text for response in item.responses)]


def _texts(item: Item) -> tuple[str, Any, Any]:
    half = len(item.responses) // 2
    chosen, rejected = ([response.text for response in part] for part in (item.responses[:half], item.responses[half:]))
    pair = half == 1
    return item.prompt[-1].content, chosen[0] if pair else chosen, rejected[0] if pair else rejected


def _texts_digest(prompt: str, chosen: Any, rejected: Any) -> str:
    return digest([prompt, chosen, rejected])


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(text, str) for text in value))


def _plain(value: Any) -> str:
    """A rendered conversation as text; some files hold message lists instead."""
    if isinstance(value, list):
        return "\n".join(str(message.get("content", "")) for message in value if isinstance(message, dict))
    return value if isinstance(value, str) else ""


def _occurs(item: Item, sides: Sequence[str]) -> bool:
    prompt = item.prompt[-1].content.strip()
    return all(
        prompt in side and response.text.strip() in side for side, response in zip(sides, item.responses, strict=False)
    )


def _agrees(row: Row, item: Item) -> bool:
    """Whether the texts that the row holds, if any, are the item's."""
    prompt, chosen, rejected = _texts(item)
    if "text_chosen" in row.fields:
        return _occurs(item, [_plain(row.fields["text_chosen"]), _plain(row.fields.get("text_rejected"))])
    wanted = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    return all(row.fields[name] == text for name, text in wanted.items() if name in row.fields)
