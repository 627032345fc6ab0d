"""Files of judges' verdicts, in one order or in both, and JudgeBench's outputs of reward models."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rmeval.benchmarks.llmbar import COUNTS as LLMBAR
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.importers.formats.base import (
    Form,
    Reading,
    Score,
    Verdict,
    has,
    number,
    pair_verdict,
    result_verdict,
    winner_of_pair,
)
from rmeval.importers.formats.index import plain, question_of
from rmeval.importers.formats.scores import OTHER_TEXTS, reward_bench_states, rmb_item
from rmeval.messages import quoted
from rmeval.protocols.judging.reading import is_refusal, without_reasoning
from rmeval.types import Item, Status

__all__ = ["FORMS", "judged_by"]

DECISIONS = {"A>B": 1.0, "B<A": 1.0, "B>A": 0.0, "A<B": 0.0, "A=B": 0.5, "B=A": 0.5}
"""Labels, and whether each means that response A is preferred."""
OTHER_LABEL = "the file's label differs from the benchmark's, and the benchmark's is used"


def judged_by(row: Row) -> str | None:
    """Return the model that JudgeBench's outputs name in each judgment, with the judge's prompt."""
    try:
        name = row.fields["judgments"][0]["judgment"]["judge_model"]
    except (LookupError, TypeError):
        return None
    if not isinstance(name, str) or not name:
        return None
    prompt = row.fields.get("judge_name")
    return f"{name} ({prompt})" if isinstance(prompt, str) and prompt and _model_scores(row, 0) is None else name


def _judgebench(row: Row, reading: Reading) -> Iterator[Score | Verdict]:
    """Read the decisions on a pair, or a reward model's scores; the second judgment has the swapped order."""
    item = reading.index.by_id.get(row.name("pair_id"))
    if item is None:
        return
    _check_pair(row, item, reading)
    judgments = row.get("judgments")
    if isinstance(judgments, list):
        judgments = [{"judgment": {"response": None}, "decision": None} if one is None else one for one in judgments]
    if not isinstance(judgments, list) or not 1 <= len(judgments) <= 2 or not all(map(_is_object, judgments)):
        raise row.wrong("judgments", "a list of one or two objects", judgments)
    if (scores := _model_scores(row, 0)) is not None:
        swapped = _model_scores(row, 1)
        if swapped is not None and swapped[::-1] != scores:
            reading.remark("the scores of the two orders differ, and those of the first order are used")
        said = DECISIONS.get(str(judgments[0].get("decision")))
        if said is not None and not math.isnan(sum(scores)) and said != _preferred(*scores):
            reading.remark("the decision contradicts the scores, and the scores are used")
        for place, score in enumerate(scores):
            yield Score(item.id, place, score)
        return
    if not all("decision" in judgment for judgment in judgments):
        raise DataError(
            f"{row.where}: the judgments contain neither scores of both responses nor a decision: add one of them"
        )
    for order, judgment in enumerate(judgments):
        decision = judgment["decision"]
        prefers = DECISIONS.get(decision.replace(" ", "").replace(">>", ">"), math.nan) if decision else math.nan
        own = judgment.get("judgment", {})
        status = _why_missing(own.get("response", "") if isinstance(own, dict) else own)
        # In the second judgment, A and B are swapped.
        yield pair_verdict(item, order, 1 - order, order, prefers, True, status)


_ERROR = "$ERROR$"
"""What RewardBench's scripts store instead of an output after a failed call."""


def _why_missing(text: Any, finish: Any = None) -> Status:
    """The status of an output without a verdict, as for judges that rmeval runs.

    Args:
        text: The output; None after a failed call.
        finish: Why the output ended, where the file states it.
    """
    if not isinstance(text, str) or text.strip() == _ERROR:
        return "error"
    answer = without_reasoning(text)
    if finish == "length" or answer is None:
        return "no_verdict"
    return "refused" if is_refusal(answer) else "unparsed"


def _preferred(one: float, other: float) -> float:
    """Return 1 if the first score is higher, 0 if the second is higher, 0.5 if they are equal."""
    return 0.5 if one == other else float(one > other)


def _is_object(value: Any) -> bool:
    decision = value.get("decision") if isinstance(value, dict) else 0
    return decision is None or isinstance(decision, str)


def _model_scores(row: Row, order: int) -> list[float] | None:
    """Return the scores of A and B in a reward model's judgment, in the order of presentation."""
    try:
        said = row.fields["judgments"][order]
        scores = said["judgment"].get("scores")
        # In forks with ratings and a decision, the decision is the verdict, unless a reward model made it.
        if scores is None and row.fields.get("judge_name") == "reward_model":
            scores = [said["judgment"]["score_A"], said["judgment"]["score_B"]]
    except (AttributeError, LookupError, TypeError):
        return None
    if scores is not None and not (isinstance(scores, list) and len(scores) == 2):
        raise DataError(f"{row.where}: 'scores' must contain two numbers, the scores of A and of B")
    return None if scores is None else [number(row, score) for score in scores]


def _check_pair(row: Row, item: Item, reading: Reading) -> None:
    """Raise an error for texts that differ from the item's; note a different label."""
    winner = winner_of_pair(row, item)
    columns = ("question", "response_A", "response_B")
    texts = (question_of(item), *(response.text for response in item.responses))
    for column, text in zip(columns, texts, strict=True):
        own = row.fields.get(column)
        if own is not None and (not isinstance(own, str) or own.strip() != text.strip()):
            raise DataError(
                f"{row.where}: its {column} differs from that of item {item.id}, which has its pair_id: check that "
                "`benchmark` and `data` match the verdicts"
            )
    if row.fields.get("label") not in (None, ("A>B", "B>A")[winner]):
        reading.remark(OTHER_LABEL)


def _as_they_are(rows: Sequence[Row], path: Path) -> Iterator[Row]:
    """Return the rows unchanged, as they contain the benchmark's columns."""
    yield from rows


def _responses_of(row: Row, prompt: str, columns: tuple[str, str], reading: Reading) -> tuple[Item, list[int]] | None:
    """Find the item with a row's prompt and two responses, and the positions of these in it."""
    texts = [row.text(column) for column in columns]
    item = reading.index.with_responses(row.text(prompt), texts)
    if item is None:
        return None
    first = int(item.responses[0].text.strip() != texts[0].strip())
    label, places = row.fields.get("label"), [first, 1 - first]
    if type(label) is int and label in (1, 2) and (item.responses[places[label - 1]].gold or 0) <= 0:
        reading.remark(OTHER_LABEL)
    return item, places


def _llmbar(row: Row, reading: Reading) -> Iterator[Verdict]:
    """Read the verdicts of the last entry of `results`; winners are outputs, in any order of presentation."""
    found = _responses_of(row, "input", ("output_1", "output_2"), reading)
    if found is None:
        return
    item, (one, other) = found
    results = row.get("results")
    last = results[-1] if isinstance(results, list) and results else None
    keys = [f"swap = {swapped}" for swapped in (False, True)]
    if not isinstance(last, dict) or not any(isinstance(last.get(key), dict) for key in keys):
        raise DataError(f"{row.where}: the last entry of 'results' must contain 'swap = False', 'swap = True' or both")
    for order, key in enumerate(keys):
        if isinstance(last.get(key), dict):
            prefers = _winner(last[key].get("winner"))
            output = last[key].get("completion", "")
            said = output if isinstance(output, list) and len(output) == 2 else (output, None)
            yield pair_verdict(item, one, other, order, prefers, order == 0, _why_missing(*said))


def _winner(value: Any) -> float:
    """Return 1 for the first response, 0 for the second, 0.5 for a tie, NaN for anything else."""
    text = str(value).strip().lower()
    return {"1": 1.0, "2": 0.0, "tie": 0.5, "equal": 0.5, "draw": 0.5}.get(text, math.nan)


def _llmbar_states(rows: Sequence[Row], path: Path) -> Iterator[Row]:
    """Yield the rows with their set, from a folder's name or a word of the file's name."""
    words = {*re.split(r"[-_ .]+", path.name), *(folder.name for folder in path.absolute().parents)}
    sets = [name for name in LLMBAR if name in words]
    for place, row in enumerate(rows):
        own = [row.fields["_part"]] if "_part" in row.fields else sets
        if len(own) != 1 or own[0] not in LLMBAR:
            raise DataError(
                f"{path} does not name a set of LLMBar: name the file or its folder after one of {', '.join(LLMBAR)}"
            )
        yield Row(row.fields | {"_part": own[0], "_number": place}, row.where)


def _run_bench(row: Row, reading: Reading) -> Iterator[Verdict]:
    """Read whether the judge was right, in the original and in the swapped order (offsetbias, `run_bench.py`)."""
    found = _responses_of(row, "instruction", ("response1", "response2"), reading)
    if found is None:
        return
    item, places = found
    label, result = row.label("label"), row.get("result")
    if not isinstance(result, dict) or not any(isinstance(result.get(key), dict) for key in ("orig", "swap")):
        raise row.wrong("result", "an object with 'orig', 'swap' or both", result)
    for order, key in enumerate(("orig", "swap")):
        if isinstance(own := result.get(key), dict):
            right = _run_bench_right(row, own, reading)
            said = str(own.get("prediction"))
            if order == 0 and said in ("1", "2") and (said == str(label)) != (right == 1.0):
                reading.remark("prediction and label contradict is_correct, and is_correct is used")
            yield pair_verdict(item, places[label - 1], places[2 - label], order, right, (order == 0) == (label == 1))


def _run_bench_right(row: Row, result: Mapping[str, Any], reading: Reading) -> float:
    """Return 1 for a right verdict, 0 for a wrong one, 0.5 for a tie; NaN if it is wrong but names no response."""
    right = result.get("is_correct")
    if right not in (0, 0.5, 1):
        raise DataError(f"{row.where}: 'is_correct' must be true or false, not {quoted(right)}")
    prediction = result.get("prediction")
    if right or str(prediction).strip().lower() in ("1", "2", "a", "b"):
        return float(right)
    if _winner(prediction) == 0.5:
        reading.remark("the file counts a tie as wrong, and it is imported as a missing verdict")
    return math.nan


def _run_bench_biases(rows: Sequence[Row], path: Path) -> Iterator[Row]:
    """Yield rows of EvalBiasBench, numbered within each bias."""
    seen: Counter[str] = Counter()
    for row in rows:
        bias = row.text("bias")
        yield Row(row.fields | {"_number": seen[bias]}, row.where)
        seen[bias] += 1


def _run_bench_parts(columns: Callable[[Row], dict[str, Any]]) -> Callable[[Sequence[Row], Path], Iterator[Row]]:
    """Return a function that yields rows in another benchmark's columns, numbered within each part."""

    def stated(rows: Sequence[Row], path: Path) -> Iterator[Row]:
        seen: Counter[str] = Counter()
        for row in rows:
            part = row.text("_part")
            yield Row(columns(row) | {"_part": part, "_number": seen[part]}, row.where)
            seen[part] += 1

    return stated


def _as_llmbar(row: Row) -> dict[str, Any]:
    names = {"instruction": "input", "response1": "output_1", "response2": "output_2", "label": "label"}
    return {name: row.get(own) for own, name in names.items()}


def _as_hhh(row: Row) -> dict[str, Any]:
    marks = [int(row.label("label") == place) for place in (1, 2)]
    return {
        "input": row.get("instruction"),
        "targets": {"choices": [row.get("response1"), row.get("response2")], "labels": marks},
    }


def _results(row: Row, reading: Reading) -> Iterator[Verdict]:
    """Read results of RewardBench's generative script, which counts an unreadable verdict one half."""
    item, by_texts = reading.index.find(row, [row.optional_name("subset") or ""])
    if item is None:
        return
    if by_texts:
        reading.remark(OTHER_TEXTS)
    value = row.get("results")
    right = float(value) if isinstance(value, bool) else number(row, value)
    if not math.isnan(right) and right not in (0.0, 0.5, 1.0):
        raise DataError(f"{row.where}: 'results' must be 1, 0, or 0.5 for an unreadable verdict")
    if right == 0.5:
        reading.remark(
            "the file counts one half, as RewardBench's script does for an unreadable verdict, and it is imported as a "
            "missing verdict (`rule` half-failures@1 counts it one half)"
        )
    yield result_verdict(row, item, 0, math.nan if right == 0.5 else right, None)


def _rm_r1(row: Row, reading: Reading) -> Iterator[Verdict]:
    """Read RM-R1's result on a pair of RMB (a list has several pairs), with its output."""
    item = rmb_item(row, reading)
    if item is None:
        return
    chosen, rejected = (_last_text(row, side) for side in ("text_chosen", "text_rejected"))
    wrong = [k for k, response in enumerate(item.responses) if k and response.text.strip() == rejected]
    if item.responses[0].text.strip() != chosen or not wrong:
        raise DataError(
            f"{row.where}: its texts are not responses of item {item.id}, which has its uid and category: check "
            "`benchmark` and `data`"
        )
    # A list may contain a text twice: each row with this text belongs to a different response.
    place = next((k for k in wrong if not reading.again(f"{item.id} {k}")), wrong[0])
    swapped = row.fields.get(_SHUFFLED)
    if not isinstance(swapped, bool | None):
        raise row.wrong(_SHUFFLED, "true or false", swapped)
    right = _rm_r1_right(row, swapped, reading)
    status = _why_missing(row.fields.get("answers", ""))
    yield pair_verdict(item, 0, place, 0, right, None if swapped is None else not swapped, status)


_SHUFFLED = "Is_Chosen_Answer_Shuffled_toPositionB"


def _rm_r1_right(row: Row, swapped: Any, reading: Reading) -> float:
    """Return the result; NaN for an output without a verdict (no letter, or both), which RM-R1 counts as wrong."""
    value, text = row.get("results"), row.fields.get("answers")
    if value not in (0, 0.5, 1):
        raise DataError(f"{row.where}: 'results' must be 1, 0, or 0.5 for a tie, not {quoted(value)}")
    if value == 0.5:
        reading.remark("the file counts a tie one half (`rule` shared-ties@1 does the same)")
        return 0.5
    if isinstance(text, str):
        letters = set(re.findall(r"\[\[([AB])\]\]", text))
        if len(letters) != 1:
            return float(value) or math.nan
        if isinstance(swapped, bool) and ((letters == {"B"}) == swapped) != bool(value):
            reading.remark("the letter in the output contradicts the result, and the result is used")
    return float(value)


def _last_text(row: Row, column: str) -> str:
    """Return the text of the last message of a conversation; a plain text is returned unchanged."""
    value = row.get(column)
    return plain(value[-1:] if isinstance(value, list) else value).strip()


def _rm_r1_states(rows: Sequence[Row], path: Path) -> Iterator[Row]:
    """Yield pairs and lists in RMB's columns."""
    lists: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        uid = row.name("pair_uid" if "pair_uid" in row.fields else "bon_uid")
        lists.setdefault((row.text("category_path"), uid), []).append(row)
    for (category, uid), own in lists.items():
        conversation = own[0].get("text_chosen")
        if not isinstance(conversation, list) or not all(isinstance(message, dict) for message in conversation):
            raise own[0].wrong("text_chosen", "a list of messages", conversation)
        prompt = [{name: message.get(name) for name in ("role", "content")} for message in conversation[:-1]]
        best, *others = ({"answer": _last_text(row, side)} for row, side in _sides(own))
        fields = {"category_path": category, "conversation_input": prompt}
        if "pair_uid" in own[0].fields:
            yield Row(fields | {"pair_uid": uid, "chosen": best, "reject": others[0]}, own[0].where)
        else:
            yield Row(fields | {"bon_uid": uid, "bon_best": best, "loser_list": others}, own[0].where)


def _sides(rows: Sequence[Row]) -> Iterator[tuple[Row, str]]:
    yield rows[0], "text_chosen"
    for row in rows:
        yield row, "text_rejected"


FORMS = (
    Form(
        "JudgeBench's outputs ('judgments')",
        has("pair_id", "judgments"),
        _judgebench,
        states={"judgebench": _as_they_are},
    ),
    Form(
        "LLMBar's results",
        has("input", "output_1", "output_2", "results"),
        _llmbar,
        verdicts=True,
        states={"llmbar": _llmbar_states},
    ),
    Form(
        "offsetbias' run_bench files",
        has("instruction", "response1", "response2", "result"),
        _run_bench,
        verdicts=True,
        states={
            "evalbiasbench": _run_bench_biases,
            "llmbar": _run_bench_parts(_as_llmbar),
            "hhh-alignment": _run_bench_parts(_as_hhh),
        },
    ),
    Form(
        "RM-R1's logs of RMB",
        lambda there: bool(there & {"pair_uid", "bon_uid"}) and there >= {"results", "text_chosen", "text_rejected"},
        _rm_r1,
        verdicts=True,
        states={"rmb": _rm_r1_states},
    ),
    Form(
        "RewardBench's generative results ('results')",
        lambda there: "results" in there and not any("score" in name for name in there),
        _results,
        verdicts=True,
        states={"reward-bench": reward_bench_states},
    ),
)
