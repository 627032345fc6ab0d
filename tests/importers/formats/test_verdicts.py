"""Judges' verdicts, in made-up files in the shapes in which they are published."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from rmeval.errors import DataError
from rmeval.importers.formats.base import pair_verdict
from rmeval.results.result import Result, derive
from rmeval.types import Comparison, Item, Message, Response
from tests.importers.formats.files import brought, written
from tests.samples import reward_bench_rows


def judged(*decisions: tuple[str | None, ...], label: str = "A>B", **more: Any) -> list[dict[str, Any]]:
    """Rows of JudgeBench's outputs, with the decisions on each pair."""
    return [
        {
            "pair_id": f"p{number}",
            "original_id": number,
            "source": "mmlu-pro-law",
            "question": f"How much is {number}?",
            "response_model": "gpt-4o-2024-05-13",
            "response_A": f"It is {number}.",
            "response_B": f"It is {number + 1}, surely.",
            "label": label,
            "judge_name": "arena_hard",
            "judgments": [{"judgment": {"judge_model": "some/judge"}, "decision": decision} for decision in own],
        }
        | more
        for number, own in enumerate(decisions)
    ]


def accuracies(result: Result, scope: str = "all") -> dict[str, float]:
    return {r.variant: r.value for r in result.records if (r.metric, r.scope) == ("accuracy", scope)}


def test_the_second_judgment_is_turned_back(tmp_path: Path) -> None:
    """A judge that always takes A is right in the one order and wrong in the other."""
    rows = judged(*[("A>B", "A>B")] * 3, ("A>B", "B>A"))
    found = accuracies(brought(written(tmp_path / "out.jsonl", rows), "judgebench"))
    assert found["orders/first"] == 1.0
    assert found["orders/second"] == found["orders/net"] == found["orders/agree"] == 0.25


def statuses(result: Result) -> dict[str, int]:
    """How many verdicts of a run have each status."""
    lines = [
        json.loads(line)["status"]
        for file in (result.path / "journal").iterdir()
        for line in file.read_text().splitlines()
    ]
    return dict(Counter(lines))


@pytest.mark.parametrize("label", ["A>B", "B>A"])
def test_the_net_rule(tmp_path: Path, label: str) -> None:
    """Wins less losses over both orders above zero, where what is missing counts for neither."""
    right, wrong = (label, "B>A" if label == "A>B" else "A>B")
    both = [(a, b) for a in (right, wrong, "A=B", None) for b in (right, wrong, "A=B", None)][:-1]
    # The second decision is as the judge saw it; the whole judgment may be missing, too.
    turned = {"A>B": "B>A", "B>A": "A>B", "A=B": "A=B", None: None}
    rows = judged(*[(a, turned[b]) for a, b in both], label=label)
    rows[3]["judgments"][1] = None
    result = brought(written(tmp_path / "out.jsonl", rows), "judgebench")
    won = [(a == right) - (a == wrong) + (b == right) - (b == wrong) > 0 for a, b in both]
    assert accuracies(result)["orders/net"] == sum(won) / len(won)
    # A judgment that is missing as a whole was a failed call.
    missing = sum((a is None) + (b is None) for a, b in both)
    assert statuses(result) == {"ok": 30 - missing, "unparsed": missing - 1, "error": 1}


def test_each_score_has_its_own_chance_level(tmp_path: Path) -> None:
    """Each pair of verdicts occurs once, so that each number is what random verdicts get."""
    labels = ("A>B", "B>A", "A=B")
    result = brought(written(tmp_path / "out.jsonl", judged(*product(labels, labels))), "judgebench")
    found = {one.variant: one for one in result.records if (one.metric, one.scope) == ("accuracy", "all")}
    assert set(found) == {"orders/net", "orders/mean", "orders/agree", "orders/first", "orders/second"}
    for variant, record in found.items():
        assert record.null["random"] == pytest.approx(record.value), variant
    assert found["orders/agree"].value == pytest.approx(1 / 9)


REASONS: dict[str, list[Any]] = {
    "unparsed": ["Both have their merits.", "[[A>B]] or rather [[B>A]]", "", "<think>Hm.</think> Neither."],
    "refused": ["I'm sorry, but I can't help with that.", "I cannot assist with this request."],
    "no_verdict": ["<think>First, response A"],
    "error": [None, "$ERROR$"],
}
"""Outputs without a verdict, by their status."""


def test_the_status_of_an_output_without_a_verdict(tmp_path: Path) -> None:
    texts = [text for texts in REASONS.values() for text in texts]
    rows = judged(*[("A>B", None)] * len(texts))
    for row, text in zip(rows, texts, strict=True):
        row["judgments"][1]["judgment"]["response"] = text
    result = brought(written(tmp_path / "out.jsonl", rows), "judgebench")
    wanted = {status: len(texts) for status, texts in REASONS.items()}
    assert statuses(result) == {"ok": len(texts), **wanted}
    ends = llmbar_rows(*[("1", None)] * (len(texts) + 1))
    for row, text in zip(ends, [*texts, "Output (a) is"], strict=True):
        row["results"][-1]["swap = True"]["completion"] = [text, "length" if text == "Output (a) is" else "stop"]
    result = brought(written(tmp_path / "Natural" / "result.json", ends), "llmbar")
    assert statuses(result) == {"ok": len(ends), **wanted, "no_verdict": wanted["no_verdict"] + 1}


def test_one_order_ties_and_what_is_missing(tmp_path: Path) -> None:
    rows = judged(("A>B",), ("B>A",), ("A=B",), (None,), ("A>>B",), ("C",))
    result = brought(written(tmp_path / "out.jsonl", rows), "judgebench")
    record = result.record("accuracy")
    assert (record.variant, record.value, record.ties, record.failures) == ("verdict", 2 / 6, 1, 2)
    # The rule for ties and for what is missing is chosen later.
    assert derive(result.path, "half-ties@1").value("accuracy") == 2.5 / 4
    assert any("the response shown first is preferred in 62.5% of the verdicts" in note for note in result.notes)


def test_judgebench_rows_in_any_order_of_a_subset(tmp_path: Path) -> None:
    rows = judged(*[("A>B", "B>A"), ("B>A", "A>B")] * 4)
    data = written(tmp_path / "data.jsonl", rows)
    random.Random(0).shuffle(rows)
    result = brought(written(tmp_path / "out.jsonl", rows[:5]), "judgebench", data)
    right = [row["judgments"][0]["decision"] == "A>B" for row in rows[:5]]
    assert result.value("accuracy") == sum(right) / 5
    assert "the scores cover 5 of 8 items: the others are excluded" in result.notes
    assert result.manifest["model"]["name"] == "some/judge (arena_hard)"


def test_what_a_judge_file_says_falsely(tmp_path: Path) -> None:
    rows = judged(("A>B",), ("B>A",))
    data = written(tmp_path / "data.jsonl", rows)
    result = brought(written(tmp_path / "out.jsonl", [rows[0] | {"label": "B>A"}, rows[1]]), "judgebench", data)
    assert "the file's label differs from the benchmark's, and the benchmark's is used: 1 row" in result.notes
    assert result.value("accuracy") == 0.5
    with pytest.raises(DataError, match=r"line 1: its response_A differs from that of item p0, which has its pair_id"):
        brought(written(tmp_path / "out.jsonl", [rows[0] | {"response_A": "no"}]), "judgebench", data)
    twice = [rows[0], rows[0] | {"judgments": rows[1]["judgments"]}]
    with pytest.raises(DataError, match="line 2: the pair of responses 0 and 1 of item p0 has a score or verdict"):
        brought(written(tmp_path / "out.jsonl", twice), "judgebench", data)


@pytest.mark.parametrize("fork", [False, True])
def test_scores_of_a_reward_model_in_both_orders(tmp_path: Path, fork: bool) -> None:
    def judgment(a: float, b: float) -> dict[str, Any]:
        scores: dict[str, Any] = {"score_A": a, "score_B": b} if fork else {"scores": [a, b]}
        return {"judgment": {"judge_model": "some/rm"} | scores, "decision": "A>B" if a > b else "B>A"}

    rows = judged((), (), judge_name="reward_model")
    rows[0]["judgments"] = [judgment(2.0, 1.0), judgment(1.0, 2.0)]
    rows[1]["judgments"] = [judgment(2.0, 3.0), judgment(2.5, 2.0)]
    result = brought(written(tmp_path / "out.jsonl", rows), "judgebench")
    assert (result.records[0].variant, result.value("accuracy")) == ("score", 0.5)
    assert "the scores of the two orders differ, and those of the first order are used: 1 row" in result.notes


def test_a_judge_that_rates_both_answers_decides(tmp_path: Path) -> None:
    """Where it decided nothing, its ratings are no scores: they may be of another kind than its decisions."""
    rows = judged(("A>B", "B>A"), ("B>A", None), (None, "B>A"), (None, None))
    for row in rows:
        for judgment in row["judgments"]:
            judgment["judgment"] |= {"score_A": 1, "score_B": 9, "rubric": "all"}
    result = brought(written(tmp_path / "out.jsonl", rows), "judgebench")
    assert (accuracies(result)["orders/net"], result.manifest["model"]["name"]) == (0.5, "some/judge (arena_hard)")


def test_scores_of_a_reward_model_that_contradict_its_decision(tmp_path: Path) -> None:
    rows = judged(("A>B",), ("B>A",), ("A=B",), ("A>B",), judge_name="reward_model")
    for row, scores in zip(rows, [[1, 2], [1, 2], [3, 3], [None, 1]], strict=True):
        row["judgments"][0]["judgment"]["scores"] = scores
    result = brought(written(tmp_path / "out.jsonl", rows), "judgebench")
    assert result.value("accuracy") == 0.0
    assert "the decision contradicts the scores, and the scores are used: 1 row" in result.notes
    for wrong in ([1, 2, 3], [1], 4.0):
        rows[0]["judgments"][0]["judgment"]["scores"] = wrong
        with pytest.raises(DataError, match="line 1: 'scores' must contain two numbers, the scores of A and of B"):
            brought(written(tmp_path / "out.jsonl", rows), "judgebench")


def test_white_space_around_texts_makes_no_other_data(tmp_path: Path) -> None:
    rows = judged(("A>B",), ("B>A",))
    data = written(tmp_path / "data.jsonl", rows)
    rows[0] |= {"question": rows[0]["question"] + "\n", "response_A": " " + rows[0]["response_A"]}
    assert brought(written(tmp_path / "out.jsonl", rows), "judgebench", data).value("accuracy") == 0.5


def test_a_verdict_is_kept_in_the_order_of_the_item() -> None:
    item = Item("i", "s", (Message("user", "?"),), (Response("a"), Response("b")), (Comparison((0, 1)),), "c")
    for one, first, wanted in ((0, True, (1.0, 0)), (0, False, (1.0, 1)), (1, True, (0.0, 1)), (1, False, (0.0, 0))):
        verdict = pair_verdict(item, one, 1 - one, 0, 1.0, first)
        assert (verdict.pair, verdict.prefers, verdict.shown_first) == ((0, 1), *wanted)


def llmbar_rows(*winners: tuple[str | None, str | None]) -> list[dict[str, Any]]:
    """Rows of LLMBar's results, the better output now the first and now the second."""
    found = []
    for number, (plain, swapped) in enumerate(winners):
        last = {
            f"swap = {swap}": {"completion": ["Output (a)", "stop"], "winner": winner}
            for swap, winner in ((False, plain), (True, swapped))
        }
        row = {"input": f"Say {number}.", "output_1": f"{number}", "output_2": f"{number}!", "label": 1 + number % 2}
        found.append(row | {"results": [{"metrics": {"completion": ["What counts?", "stop"]}}, last]})
    return found


def test_llmbar_in_both_orders(tmp_path: Path) -> None:
    """The last entry of `results` holds the verdicts; the label says which output is the better one."""
    rows = llmbar_rows(("1", "1"), ("2", "1"), ("1", None), ("1", "1"), (None, None))
    file = written(tmp_path / "Natural" / "evaluators" / "Judge" / "Metrics" / "result.json", rows)
    result = brought(file, "llmbar")
    found = accuracies(result, "Natural")
    # Labels are 1, 2, 1, 2, 1.
    assert (found["orders/first"], found["orders/second"]) == (3 / 5, 1 / 5)
    # As `correct_average`: the mean of both orders, in each of which what is missing is lost.
    assert found["orders/mean"] == pytest.approx((3 / 5 + 1 / 5) / 2)
    data = written(
        tmp_path / "Neighbor" / "dataset.json",
        [{name: value for name, value in row.items() if name != "results"} for row in reversed(rows)],
    )
    assert accuracies(brought(file, "llmbar", data), "Neighbor") == found


@pytest.mark.parametrize("swapped", [False, True])
def test_llmbar_in_one_order(tmp_path: Path, swapped: bool) -> None:
    rows = llmbar_rows(("1", "1"), ("2", "2"), ("1", "2"))
    for row in rows:
        del row["results"][-1][f"swap = {not swapped}"]
    result = brought(written(tmp_path / "Natural" / "result.json", rows), "llmbar")
    assert accuracies(result, "Natural") == {"verdict": 2 / 3 if swapped else 1.0}


def test_llmbar_of_no_known_set_and_of_another_label(tmp_path: Path) -> None:
    rows = llmbar_rows(("1", "1"), ("2", "2"))
    with pytest.raises(DataError, match="does not name a set of LLMBar"):
        brought(written(tmp_path / "result.json", rows), "llmbar")
    data = written(tmp_path / "GPTOut.json", [row | {"label": 1} for row in rows])
    result = brought(written(tmp_path / "result.json", rows), "llmbar", data)
    assert result.value("accuracy", "GPTOut") == 0.5
    assert "the file's label differs from the benchmark's, and the benchmark's is used: 1 row" in result.notes


def run_bench_rows(bias: str) -> list[dict[str, Any]]:
    def row(number: int, orig: tuple[Any, bool], swap: tuple[Any, bool]) -> dict[str, Any]:
        result = {
            name: {"prediction": said, "is_correct": right} for name, (said, right) in (("orig", orig), ("swap", swap))
        }
        text = {"instruction": f"Say {number}.", "response1": f"{number}", "response2": f"{number}, or so"}
        return {"bias": bias, **text, "label": 1 + number % 2, "result": result}

    return [
        row(0, (1, True), (2, True)),
        row(1, (2, True), (2, False)),
        row(2, (2, False), (None, False)),
        row(3, (1, False), (2, True)),
    ]


def test_run_bench_files(tmp_path: Path) -> None:
    """The accuracies of `score.json`: over both orders, and of pairs that are right in both."""
    rows = run_bench_rows("length bias")
    file = written(tmp_path / "model" / "biasbench.json", {"length bias": rows, "concreteness": []})
    result = brought(file, "evalbiasbench")
    single = sum(row["result"][name]["is_correct"] for row in rows for name in ("orig", "swap")) / 8
    pair = sum(all(row["result"][name]["is_correct"] for name in ("orig", "swap")) for row in rows) / 4
    assert accuracies(result, "length bias")["orders/mean"] == single == 0.5
    assert derive(result.path, "official@1").value("accuracy", "length bias") == pair == 0.25
    assert result.judging is not None
    assert [(one.status, one.count, one.of) for one in result.judging.failed] == [("unparsed", 1, 8)]
    assert {one.name for one in result.judging.orders} == {"flipped", "prefers", "accuracy", "ties"}
    # The same by the texts of the benchmark's own file, in another order and with the responses exchanged.
    other = [
        {"bias": row["bias"], "instruction": row["instruction"], "label": 3 - row["label"]}
        | {"response1": row["response2"], "response2": row["response1"]}
        for row in reversed(rows)
    ]
    data = written(tmp_path / "biasbench.json", {"length bias": other})
    again = brought(file, "evalbiasbench", data)
    assert accuracies(again, "length bias") == accuracies(result, "length bias")


def test_run_bench_of_the_other_benchmarks(tmp_path: Path) -> None:
    rows = run_bench_rows("x")
    result = brought(written(tmp_path / "llmbar.json", {"Natural": rows, "Manual": rows[:1]}), "llmbar")
    assert (result.value("accuracy", "Natural"), result.value("accuracy", "Manual")) == (0.5, 1.0)
    result = brought(written(tmp_path / "hhh.json", {"harmless": rows, "other": rows[:1]}), "hhh-alignment")
    assert accuracies(result, "harmless")["orders/first"] == 0.5
    with pytest.raises(DataError, match="the items of reward-bench: give `benchmark` evalbiasbench or llmbar or hhh"):
        brought(tmp_path / "hhh.json", "reward-bench")


def test_run_bench_that_contradicts_itself(tmp_path: Path) -> None:
    rows = run_bench_rows("length bias")
    rows[0]["result"]["orig"]["is_correct"] = False
    result = brought(written(tmp_path / "biasbench.json", {"length bias": rows}), "evalbiasbench")
    assert "prediction and label contradict is_correct, and is_correct is used: 1 row" in result.notes
    assert accuracies(result, "length bias")["orders/first"] == 0.25


@pytest.mark.parametrize("wrong", ["True", "False", None, 2, []])
def test_run_bench_says_whether_it_is_right(tmp_path: Path, wrong: Any) -> None:
    rows = run_bench_rows("length bias")
    rows[1]["result"]["swap"]["is_correct"] = wrong
    with pytest.raises(DataError, match="entry 1: 'is_correct' must be true or false, not "):
        brought(written(tmp_path / "biasbench.json", {"length bias": rows}), "evalbiasbench")


def test_run_bench_counts_ties_as_the_file_does(tmp_path: Path) -> None:
    """The accuracies of `score.json` are the means of `is_correct`, whatever the predictions are."""
    rows = run_bench_rows("length bias")
    rows[0]["result"]["swap"] = {"prediction": "tie", "is_correct": False}
    rows[1]["result"]["orig"] = {"prediction": "tie", "is_correct": 0.5}
    result = brought(written(tmp_path / "biasbench.json", {"length bias": rows}), "evalbiasbench")
    single = sum(float(row["result"][name]["is_correct"]) for row in rows for name in ("orig", "swap")) / 8
    firsts = sum(float(row["result"]["orig"]["is_correct"]) for row in rows) / 4
    found = accuracies(result, "length bias")
    assert (found["orders/first"], single, firsts) == (firsts, 2.5 / 8, 0.375)
    assert "the file counts a tie as wrong, and it is imported as a missing verdict: 1 row" in result.notes


def test_run_bench_of_hhh_under_its_own_rule(tmp_path: Path) -> None:
    """HHH alignment counts ties as losses; run_bench takes the mean of both orders."""
    rows = run_bench_rows("x")
    result = brought(written(tmp_path / "hhh.json", {"harmless": rows}), "hhh-alignment")
    assert accuracies(result, "harmless")["orders/mean"] == 0.25
    assert accuracies(derive(result.path, "shared-ties@1"), "harmless")["orders/mean"] == 0.5


@pytest.mark.parametrize("columns", [False, True])
def test_generative_results_of_reward_bench(tmp_path: Path, columns: bool) -> None:
    """A verdict that could not be read has none here, which counts one half in the file."""
    data = reward_bench_rows({"hep-go": 2, "donotanswer": 2})
    results = [1, 0.5, 0, 1.0]
    if columns:
        stated = {name: [row[name] for row in data] for name in ("id", "subset")}
        file = written(tmp_path / "m.json", stated | {"results": results, "model": "some/judge"})
    else:
        rows = [
            {
                "text_chosen": [
                    {"role": "user", "content": row["prompt"]},
                    {"role": "assistant", "content": row["chosen"]},
                ],
                "text_rejected": f"<u>{row['prompt']}<a>{row['rejected']}",
                "results": result,
            }
            for row, result in zip(data, results, strict=True)
        ]
        file = written(tmp_path / "m.jsonl", rows[::-1])
    result = brought(file, "reward-bench", written(tmp_path / "rb.jsonl", data))
    record = result.record("accuracy", "hep-go")
    assert (record.value, record.failures, result.value("accuracy", "donotanswer")) == (0.5, 1, 0.5)
    assert any(note.startswith("the file counts one half, as RewardBench") for note in result.notes)
    # The points of the file, under the rule for that.
    assert derive(result.path, "half-failures@1").value("accuracy", "hep-go") == 0.75


def rmb_logs() -> list[dict[str, Any]]:
    def row(uid: str, other: str, result: int, letter: str, swapped: bool) -> dict[str, Any]:
        prompt = [{"role": "user", "content": "Say one."}]
        place = "BoN_set/Helpfulness/Closed QA/ContextBased" if uid == "7" else "Pairwise_set/Harmlessness/S1"
        return {
            "bon_uid" if uid == "7" else "pair_uid": uid,
            "category_path": place,
            "text_chosen": [*prompt, {"role": "assistant", "content": "one"}],
            "text_rejected": [*prompt, {"role": "assistant", "content": other}],
            "results": result,
            "answers": f"<answer>{letter}</answer>",
            "Is_Chosen_Answer_Shuffled_toPositionB": swapped,
        }

    return [
        row("1", "two", 1, "[[A]]", False),
        row("2", "three", 0, "[[A]]", True),
        row("3", "four", 0, "[[A]] [[B]]", True),
        row("4", "five", 1, "[[A]]", True),
        row("7", "two", 1, "[[B]]", True),
        row("7", "three", 1, "[[A]]", False),
    ]


def test_rm_r1_logs_of_rmb(tmp_path: Path) -> None:
    rows = rmb_logs()
    result = brought(written(tmp_path / "log.json", rows[:4]), "rmb")
    record = result.record("section", "pairwise/Harmlessness")
    assert (record.value, record.failures) == (0.5, 1)
    assert "the letter in the output contradicts the result, and the result is used: 1 row" in result.notes
    # A list is right if its best answer beats each other one.
    result = brought(written(tmp_path / "bon.json", rows[4:]), "rmb")
    assert result.value("section", "bon/Helpfulness") == 1.0
    rows[5]["results"] = 0
    again = brought(written(tmp_path / "bon.json", rows[4:]), "rmb")
    assert again.value("section", "bon/Helpfulness") == 0.0


def test_rm_r1_results_are_taken_as_they_are(tmp_path: Path) -> None:
    """A result is one also where the answer shows no letter; a tie counts one half, as in RM-R1's scripts."""
    rows = rmb_logs()[:4]
    for row, value, text in zip(rows, (1, 0, 0.5, 1), ("none", "none", "[[C]]", "[[A]] or [[B]]"), strict=True):
        row |= {"results": value, "answers": text}
    result = brought(written(tmp_path / "log.json", rows), "rmb")
    record = result.record("section", "pairwise/Harmlessness")
    assert (record.value, record.ties, record.failures) == (0.5, 1, 1)
    assert derive(result.path, "shared-ties@1").value("section", "pairwise/Harmlessness") == 2.5 / 4
    assert any(note.startswith("the file counts a tie one half (`rule` shared-ties@1") for note in result.notes)


@pytest.mark.parametrize("results", [(1, 1), (1, 0)])
def test_rm_r1_lists_that_hold_a_text_twice(tmp_path: Path, results: tuple[int, int]) -> None:
    rows = rmb_logs()[4:]
    for row, value in zip(rows, results, strict=True):
        row["results"] = value
        row["text_rejected"] = rows[0]["text_rejected"]
        row["answers"] = "[[A]]" if row["Is_Chosen_Answer_Shuffled_toPositionB"] != bool(value) else "[[B]]"
    record = brought(written(tmp_path / "bon.json", rows), "rmb").record("section", "bon/Helpfulness")
    assert (record.value, record.failures) == (float(all(results)), 0)


def test_rm_r1_logs_of_other_texts(tmp_path: Path) -> None:
    rows = rmb_logs()[:1]
    data = {
        "pair_uid": "1",
        "category_path": rows[0]["category_path"],
        "conversation_input": [{"role": "user", "content": "Say one."}],
        "chosen": {"answer": "uno"},
        "reject": {"answer": "two"},
    }
    with pytest.raises(DataError, match="its texts are not responses of item pairwise/Harmlessness/S1/1"):
        brought(written(tmp_path / "log.json", rows), "rmb", written(tmp_path / "S1.json", [data]))
