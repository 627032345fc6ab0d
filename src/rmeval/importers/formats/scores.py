"""Files of scores: rmeval's own format, and those of several benchmarks' reference implementations."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.importers.formats.base import Form, Reading, Score, has, number, numbers
from rmeval.importers.formats.index import agrees, place_holder
from rmeval.messages import count_of, quoted, shortened
from rmeval.types import Item

__all__ = ["FORMS", "OTHER_TEXTS", "reward_bench_states", "rmb_item"]

PAIRS = (
    ("scores_chosen", "scores_rejected"),
    ("score_chosen", "score_rejected"),
    ("chosen_score", "rejected_score"),
    ("chosen_scores", "rejected_scores"),
    ("chosen_reward", "rejected_reward"),
    ("chosen_rewards", "rejected_rewards"),
    ("chosen_reward", "reject_reward"),
    ("reward_chosen", "reward_rejected"),
    ("rewards_chosen", "rewards_rejected"),
)
"""Names of the scores of the better and of the worse responses."""


def _of_pairs(columns: set[str]) -> tuple[str, str] | None:
    return next((pair for pair in PAIRS if columns.issuperset(pair)), None)


def _ours(row: Row, reading: Reading) -> Iterator[Score]:
    """Read a row for one response: the item's id, and the response's position or text."""
    item = reading.index.by_id.get(row.name("item_id"))
    if item is None:
        return
    place = row.get("response")
    if isinstance(place, str):
        place = _place(row, item, place)
    if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < len(item.responses):
        raise DataError(
            f"{row.where}: 'response' must be a number from 0 to {len(item.responses) - 1}, not {quoted(place)}"
        )
    yield Score(item.id, place, number(row, row.get("score")))


_PLACE = re.compile(r"\s*(\d{1,9})(\.0*)?\s*")


def _place(row: Row, item: Item, text: str) -> int:
    """Return the position of a response from its text or, as in CSV, from the digits of its number."""
    texts = [response.text for response in item.responses]
    digits = _PLACE.fullmatch(text)
    number = None if digits is None else int(digits[1])
    named = [place for place, own in enumerate(texts) if own == text]
    if number is not None and (not named or named == [number] or number >= len(texts)):
        return number if not named else named[0]
    if number is not None:
        raise DataError(
            f"{row.where}: 'response' {quoted(text)} is the number of one response of item {item.id} and the text of "
            "another: give JSON Lines, with numbers that are not in quotes"
        )
    if len(named) != 1:
        raise DataError(
            f"{row.where}: 'response' is the text of {len(named)} responses of item {item.id}: give its number, from 0 "
            f"to {len(texts) - 1}"
        )
    return named[0]


def _pairs(row: Row, reading: Reading) -> Iterator[Score]:
    """Read the scores of the better and of the worse responses, each a number or a list."""
    columns = _of_pairs(set(row.fields))
    if columns is None:
        raise DataError(
            f"{row.where}: the row has no scores of chosen and rejected responses, unlike the first row: add them"
        )
    parts = [*(row.optional_name(column) or "" for column in ("domain", "subset")), *_name_starts(reading.path)]
    item, by_texts = reading.index.find(row, parts)
    if item is None:
        return
    if by_texts:
        reading.remark(OTHER_TEXTS)
    chosen, rejected = (numbers(row, column) for column in columns)
    right = [place for place, response in enumerate(item.responses) if (response.gold or 0) > 0]
    if (len(chosen), len(rejected)) != (len(right), len(item.responses) - len(right)):
        raise DataError(
            f"{row.where}: the row has {len(chosen)} chosen and {len(rejected)} rejected scores, but item {item.id} "
            f"has {len(right)} chosen and {len(item.responses) - len(right)} rejected responses: check "
            "`benchmark` and `data`"
        )
    wrong = [place for place in range(len(item.responses)) if place not in right]
    _check_result(row, chosen, rejected, reading)
    for place, score in zip((*right, *wrong), (*chosen, *rejected), strict=True):
        yield Score(item.id, place, score)


OTHER_TEXTS = "the id belongs to an item with other texts, and the texts are used for matching"


def _check_result(row: Row, chosen: Sequence[float], rejected: Sequence[float], reading: Reading) -> None:
    """Add a note if the row's result contradicts its scores."""
    stated = next((row.fields[name] for name in ("is_correct", "results") if name in row.fields), None)
    single = len(chosen) == len(rejected) == 1
    if single and stated in (0, 1) and bool(stated) != (chosen[0] > rejected[0]):
        reading.remark("the stated result contradicts the scores, and the scores are used")


def _name_starts(path: Path) -> list[str]:
    """Return prefixes of a file's name, such as `safety-refuse` in `safety-refuse_filtered_model.json` (RM-Bench)."""
    return [path.name.partition("_")[0]]


def rmb_item(row: Row, reading: Reading) -> Item | None:
    """Find the item of a row with the uid and the category of RMB's data."""
    kind, _, scenario = row.text("category_path").partition("/")
    name = {"Pairwise_set": "pairwise", "BoN_set": "bon"}.get(kind, kind)
    uid = row.name("pair_uid" if "pair_uid" in row.fields else "bon_uid")
    found = (reading.index.by_id.get(f"{name}/{own}/{uid}") for own in (scenario, scenario.replace("_", " ")))
    return next((item for item in found if item is not None), None)


def _rmb(row: Row, reading: Reading) -> Iterator[Score]:
    """Read a row of RMB's result file: the rewards of a pair."""
    item = rmb_item(row, reading)
    if item is None:
        return
    columns = _of_pairs(set(row.fields)) or ("chosen_reward", "reject_reward")
    (chosen,), (rejected,) = (numbers(row, column, 1) for column in columns)
    _check_result(row, [chosen], [rejected], reading)
    yield Score(item.id, 0, chosen)
    yield Score(item.id, 1, rejected)


def _rmb_states(rows: Sequence[Row], path: Path) -> Iterator[Row]:
    for row in rows:
        uid = row.name("pair_uid")
        yield Row(
            {
                "pair_uid": uid,
                "category_path": row.get("category_path"),
                "conversation_input": f"(prompt of pair {uid}, not in the file)",
                "chosen": {"answer": place_holder(0)},
                "reject": {"answer": place_holder(1)},
            },
            row.where,
        )


def _reward_bench_2_item(row: Row, reading: Reading) -> Item | None:
    """Find the item with a row's subset and id; if these are not unique, the item with the row's texts."""
    name = _name(row)
    near = [reading.index.by_id[own] for own in _repeats(name, reading) if own in reading.index.by_id]
    several = len(near) > 1 or reading.times(_name, name) > 1
    known = [agrees(row, item) for item in near]
    if True in known:
        if several:
            reading.remark("the id occurs more than once in its subset, and the texts are used for matching")
        return near[known.index(True)]
    if (item := reading.index.with_texts(row)) is not None:
        reading.remark(OTHER_TEXTS)
        return item
    if False in known and "text" not in row.fields:
        raise DataError(
            f"{row.where}: its texts differ from those of item {name}, which has its id, and no other item has them: "
            "check that `benchmark` and `data` match the scores"
        )
    if near and several:
        reading.remark(
            "the id occurs more than once in its subset, as in some files of RewardBench 2, and no text identifies the "
            "item: excluded"
        )
        return None
    if False in known:  # A chat template may change the texts.
        reading.remark("the rendered texts do not contain those of the item, and the id is used for matching")
    return near[0] if near else None


def _repeats(name: str, reading: Reading) -> list[str]:
    """Return the ids of the items with one name in the data."""
    return [name, *(f"{name}.{k}" for k in range(2, 1 + max(2, reading.times(_name, name))))]


def _name(row: Row) -> str:
    return f"{row.optional_name('subset')}/{row.optional_name('id')}"


def _reward_bench_2(row: Row, reading: Reading) -> Iterator[Score]:
    """Read a list of scores for an item, right responses first; `results` are ignored, as they do not apply to Ties."""
    item = _reward_bench_2_item(row, reading)
    if item is None:
        return
    right = sum((response.gold or 0) > 0 for response in item.responses)
    if row.fields.get("num_correct", right) != right:
        raise DataError(
            f"{row.where}: 'num_correct' is {shortened(row.fields['num_correct'])}, but item {item.id} has "
            f"{count_of(right, 'right response')}: check that `benchmark` and `data` match the scores"
        )
    scores = _samples(row, reading) if "full_scores" in row.fields else [(s, False) for s in numbers(row, "scores")]
    if len(scores) != len(item.responses):
        raise DataError(
            f"{row.where}: the row has {count_of(len(scores), 'score')}, but item {item.id} has {len(item.responses)} "
            "responses: check that `benchmark` and `data` match the scores"
        )
    for place, (score, refused) in enumerate(scores):
        yield Score(item.id, place, score, "refused" if refused else "error")


def _samples(row: Row, reading: Reading) -> list[tuple[float, bool]]:
    """Return the mean of each response's valid sampled scores, and whether the model refused."""
    scores, errors, refused = (row.fields.get(name) for name in ("full_scores", "full_errors", "refused"))
    if not isinstance(scores, list) or not all(isinstance(own, list) for own in scores):
        raise row.wrong("full_scores", "a list of scores for each response", scores)
    if not isinstance(errors, list | None):
        raise row.wrong("full_errors", "a list for each response", errors)
    if not all(isinstance(mark, bool | None) for mark in (refused if isinstance(refused, list) else [refused])):
        raise row.wrong("refused", "true or false", refused)
    found = []
    missing = False
    for place, own in enumerate(scores):
        wrong = _at(errors, place)
        known = [
            value
            for k, sample in enumerate(own)
            if not _is_error(_at(wrong, k)) and math.isfinite(value := number(row, sample))
        ]
        missing |= len(known) < len(own)
        mean = math.fsum(known) / len(known) if known else math.nan
        found.append((mean, not known and bool(_at(refused, place) if isinstance(refused, list) else refused)))
    if missing:
        reading.remark("some samples are errors, and the mean excludes them")
    return found


def _at(values: Any, place: int) -> Any:
    return values[place] if isinstance(values, list) and place < len(values) else None


def _is_error(mark: Any) -> bool:
    return mark not in (None, False, 0, "", [], {})


def _reward_bench_2_states(rows: Sequence[Row], path: Path) -> Iterator[Row]:
    """Derive items without texts from the numbers of responses and of right responses, without repeated ids."""
    times = Counter(map(_name, rows))
    for row in (row for row in rows if times[_name(row)] == 1):
        scores = row.get("full_scores" if "full_scores" in row.fields else "scores")
        right = row.fields.get("num_correct", 1)
        if not isinstance(scores, list) or type(right) is not int or not 0 <= right <= len(scores):
            raise DataError(
                f"{row.where}: the row must have a list of scores, and in the optional 'num_correct' the number of "
                "right responses"
            )
        texts = [place_holder(place) for place in range(len(scores))]
        prompt = f"(prompt of {_name(row)}, not in the file)"
        own = {"subset": row.get("subset"), "id": row.get("id"), "prompt": prompt}
        yield Row(own | {"chosen": texts[:right], "rejected": texts[right:]}, row.where)


def reward_bench_states(rows: Sequence[Row], path: Path) -> Iterator[Row]:
    """Derive pairs without texts from RewardBench's results."""
    for row in rows:
        own = {"subset": row.get("subset"), "id": row.get("id"), "prompt": f"(prompt of {_name(row)}, not in the file)"}
        yield Row(own | {"chosen": place_holder(0), "rejected": place_holder(1)}, row.where)


FORMS = (
    Form(
        "RMB's results", lambda there: bool("pair_uid" in there and _of_pairs(there)), _rmb, states={"rmb": _rmb_states}
    ),
    Form(
        "RewardBench's or RM-Bench's results, or pairs of scores such as 'chosen_score' and 'rejected_score'",
        lambda there: _of_pairs(there) is not None,
        _pairs,
        states={"reward-bench": reward_bench_states},
    ),
    Form(
        "sampled scores ('full_scores')",
        has("full_scores"),
        _reward_bench_2,
        states={"reward-bench-2": _reward_bench_2_states},
    ),
    Form(
        "RewardBench 2's results ('scores')",
        has("scores", without=["item_id"]),
        _reward_bench_2,
        states={"reward-bench-2": _reward_bench_2_states},
    ),
    Form("rmeval's own scores", has("item_id"), _ours),
)
