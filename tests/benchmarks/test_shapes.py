"""Shapes of preference data: which response is the better one, by hand, and what is said of the reading."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.pairs import Pairs
from rmeval.errors import DataError
from rmeval.runs.plan import plan
from rmeval.types import Item
from tests.benchmarks.test_pairs import load, say
from tests.benchmarks.test_pairs_input import write_csv
from tests.command import command

TWO: dict[str, Any] = {"prompt": "why", "response_a": "so", "response_b": "no"}
Pair = tuple[str, str]


def gold(items: list[Item]) -> list[Pair]:
    """The better and the worse text of each pair; positions, golds and comparisons must all say the same."""
    for item in items:
        assert [response.gold for response in item.responses] == [1.0, 0.0]
        assert [(tuple(one.members), one.gold) for one in item.comparisons] == [((0, 1), 0)]
    return [(item.responses[0].text, item.responses[1].text) for item in items]


def prompt(item: Item) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in item.prompt]


def notes(tmp_path: Path, rows: list[dict[str, Any]], **options: Any) -> tuple[str, ...]:
    file = tmp_path / "notes.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return plan(Pairs(str(file), **options)).notes


# Two responses and a column that names the better one


@pytest.mark.parametrize(
    ("columns", "winner", "better"),
    [
        (("response_a", "response_b"), "a", 0),
        (("response_a", "response_b"), " B ", 1),
        (("response_a", "response_b"), "model_a", 0),
        (("response_a", "response_b"), "response_b", 1),
        (("response_a", "response_b"), "Response B", 1),
        (("response_A", "response_B"), "A>B", 0),
        (("response_A", "response_B"), "B>A", 1),
        (("response_A", "response_B"), "[[B]]", 1),
        (("response_A", "response_B"), "A>>B", 0),
        (("response_A", "response_B"), "A<B", 1),
        (("answer1", "answer2"), 1, 0),
        (("answer1", "answer2"), "2", 1),
        (("answer1", "answer2"), 2.0, 1),
        (("answer1", "answer2"), "answer2", 1),
        (("answer1", "answer2"), "model_2", 1),
        (("completion_0", "completion_1"), 0, 0),
        (("completion_0", "completion_1"), 1, 1),
        (("completion_0", "completion_1"), "1.0", 1),
        (("a", "b"), "b", 1),
    ],
)
@pytest.mark.parametrize("name", ["winner", "preferred", "label", "preference", "choice"])
def test_values_that_name_a_column(tmp_path: Path, columns: Pair, winner: Any, better: int, name: str) -> None:
    row = {"prompt": "why", columns[0]: "first", columns[1]: "second", name: winner}
    texts = ("first", "second")
    assert gold(load(tmp_path, [row])) == [(texts[better], texts[1 - better])]


@pytest.mark.parametrize(
    ("columns", "value"),
    [
        (("response_a", "response_b"), 0),
        (("response_a", "response_b"), 1),
        (("response_a", "response_b"), 2),
        (("response_a", "response_b"), "c"),
        (("response_a", "response_b"), "gpt-4"),
        (("response_a", "response_b"), "first"),
        (("response_a", "response_b"), True),
        (("response_a", "response_b"), -1),
        (("response_0", "response_1"), -1),
        (("response_0", "response_1"), "-1"),
        (("response_0", "response_1"), 10),
        (("response_1", "response_2"), 0),
        (("response_1", "response_2"), "a"),
        (("response_1", "response_2"), True),
        (("response_0", "response_1"), 2),
        (("response_0", "response_1"), 0.5),
        (("response_0", "response_1"), False),
    ],
)
def test_values_that_name_no_column_are_refused_with_the_way_out(tmp_path: Path, columns: Pair, value: Any) -> None:
    """0 and 1 may be the number of a response, or say whether the first is the better: rmeval does not guess."""
    row: dict[str, Any] = {"prompt": "why", columns[0]: "first", columns[1]: "second", "label": value}
    with pytest.raises(DataError, match=rf"line 1: 'label' is .*names neither '{columns[0]}' \(a\) nor .*`labels`"):
        load(tmp_path, [row])
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    assert gold(load(tmp_path, [row], labels={shown: "a"})) == [("first", "second")]
    assert gold(load(tmp_path, [row], labels={shown: "b"})) == [("second", "first")]


def test_values_that_are_names_of_models(tmp_path: Path) -> None:
    """Which response a model wrote differs from row to row, so no meaning of a value holds for all rows."""
    rows = [
        TWO | {"winner": "x", "model_a": "x", "model_b": "y"},
        TWO | {"winner": "x", "model_a": "y", "model_b": "x"},
        TWO | {"winner": "tie", "model_a": "y", "model_b": "x"},
        TWO | {"winner": "model_a", "model_a": "y", "model_b": "x"},
    ]
    assert gold(load(tmp_path, rows)) == [("so", "no"), ("no", "so"), ("so", "no")]
    assert "x is response_a (1 row), x is response_b (1 row)" in " ".join(notes(tmp_path, rows))
    for models in (("x", "x"), ("y", "z")):
        with pytest.raises(DataError, match="'winner' is 'x', which names neither"):
            load(tmp_path, [TWO | {"winner": "x"} | dict(zip(("model_a", "model_b"), models, strict=True))])


def test_values_that_are_the_text_of_a_response(tmp_path: Path) -> None:
    one, two = "Because of the scattering.", "Nobody has ever known it."
    row = {"prompt": "why", "response_a": one, "response_b": two}
    rows: list[dict[str, Any]] = [row | {"preferred": text} for text in (one, two, None)]
    assert gold(load(tmp_path, rows)) == [(one, two), (two, one)]
    said = notes(tmp_path, rows)
    assert said[1] == "values of 'preferred': its text is response_a (1 row), its text is response_b (1 row)"
    for wrong in (row | {"response_b": one, "preferred": one}, TWO | {"preferred": "so"}):
        with pytest.raises(DataError, match=r"line 1: 'preferred' is '.*', which names neither"):
            load(tmp_path, [wrong])
    # The name of a response goes before a text that looks like it.
    assert gold(load(tmp_path, [TWO | {"response_a": "b", "response_b": "a", "preferred": "a"}])) == [("b", "a")]


def test_labels_replace_the_usual_names(tmp_path: Path) -> None:
    rows = [TWO | {"label": 1}, TWO | {"label": 0}, TWO | {"label": 2}, TWO | {"label": "tie"}, TWO | {"label": None}]
    labels = {"1": "a", "0": "b", "2": "none"}
    assert gold(load(tmp_path, rows, labels=labels)) == [("so", "no"), ("no", "so")]
    with pytest.raises(DataError, match="line 1: 'label' is 'a', which names neither"):
        load(tmp_path, [TWO | {"label": "a"}], labels=labels)
    assert gold(load(tmp_path, rows, labels={1: "a", 0: "b", 2.0: "none"})) == [("so", "no"), ("no", "so")]
    with pytest.raises(DataError, match="labels must be a mapping"):
        load(tmp_path, rows, labels=["a"])
    with pytest.raises(DataError, match="`labels` 1 must be a, b, tie or none, not 'response_a'"):
        load(tmp_path, rows, labels={"1": "response_a"})


@pytest.mark.parametrize(
    "tie", ["tie", "Tie", "tie (bothbad)", "both_bad", "bothgood", "draw", "A=B", "neither", "same"]
)
def test_ties_are_left_out_and_counted(tmp_path: Path, tie: str) -> None:
    rows = [TWO | {"winner": tie}, TWO | {"winner": "b", "prompt": "how"}, TWO | {"winner": tie}]
    (item,) = load(tmp_path, rows)
    assert (gold([item]), item.id) == ([("no", "so")], "1")
    assert notes(tmp_path, rows)[-1] == "left out: 2 ties"


@pytest.mark.parametrize("nothing", [None, "", "None", "nan", math.nan, "N/A"])
def test_rows_without_a_winner_are_left_out_and_counted(tmp_path: Path, nothing: Any) -> None:
    rows = [TWO | {"winner": "a"}, TWO | {"winner": nothing}]
    items = list(Pairs(rows).load())
    assert gold(items) == [("so", "no")]
    with pytest.raises(DataError, match=r"no pair with a better response \(left out: 1 row without a winner\)"):
        list(Pairs(rows[1:]).load())


def test_what_was_read_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [TWO | {"winner": "model_b"}, TWO | {"winner": "model_a"}, TWO | {"winner": "B"}, TWO | {"winner": "tie"}]
    load(tmp_path, rows)
    (said,) = caplog.messages
    file = tmp_path / "p.jsonl"
    assert said == (
        f"rmeval reads {file} as two responses: the prompt is 'prompt', the responses are 'response_a' and "
        f"'response_b', and 'winner' names the better one; the first pair ({file} line 1): the prompt 'why', chosen "
        "'no', rejected 'so'"
    )
    assert notes(tmp_path, rows) == (
        "read as two responses: the prompt is 'prompt', the responses are 'response_a' and 'response_b', and 'winner' "
        "names the better one",
        "values of 'winner': model_b is response_b (1 row), model_a is response_a (1 row), B is response_b (1 row)",
        "left out: 1 tie",
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (TWO, "no column that names the better one .*: give `columns` better=NAME"),
        (
            TWO | {"winner": "a", "label": "b"},
            "'winner' and 'label' may name the better response: choose one with .*better=winner or better=label",
        ),
        (
            TWO | {"answer_a": "x", "answer_b": "y", "winner": "a"},
            "several pairs of responses: .*a=response_a,b=response_b or a=answer_a,b=answer_b",
        ),
        (
            TWO | {"Response A": "x", "winner": "a"},
            "several pairs of responses: .*a=response_a,b=response_b or a=Response A,b=response_b",
        ),
        (TWO | {"response_c": "x", "winner": "a"}, r"more than two responses \(response_a, response_b, response_c\)"),
        (
            TWO | {"score_a": 1, "score_b": 2, "rating_a": 2, "rating_b": 1},
            "several pairs of scores: .*score_a=score_a,score_b=score_b or",
        ),
        (
            {"question": "why", "response_a": "so", "response_b": "no", "winner": "a"},
            "'prompt' is missing .*`columns` prompt=question",
        ),
        (TWO | {"winner": ["a"]}, "column 'winner' must be a name or a number, not a list"),
        (
            {"prompt": "why", "response_a": "so", "response_b": "no", "chosen": "a", "rejected": "b"},
            "'chosen' is 'a', which may be a response or name one of",
        ),
    ],
)
def test_what_is_ambiguous_or_missing_is_an_error(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(tmp_path, [row])


def test_columns_win(tmp_path: Path) -> None:
    row = TWO | {"winner": "a", "label": "b", "score_a": 3, "score_b": 1, "left": "x", "right": "y"}
    for columns, found in (
        ({"better": "winner"}, ("so", "no")),
        ({"better": "label"}, ("no", "so")),
        ({"score_a": "score_a", "score_b": "score_b"}, ("so", "no")),
        ({"score_a": "score_b", "score_b": "score_a"}, ("no", "so")),
        ({"a": "left", "b": "right", "better": "label"}, ("y", "x")),
        ({"a": "right", "b": "left", "better": "label"}, ("x", "y")),
        ({"a": "response_b", "b": "response_a", "better": "winner"}, ("so", "no")),
        ({"a": "response_b", "b": "response_a", "better": "label"}, ("no", "so")),
        ({"chosen": "left", "rejected": "right"}, ("x", "y")),
    ):
        assert gold(load(tmp_path, [row], columns=columns)) == [found], columns


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a": "response_a"}, "only one of a and b"),
        ({"a": "x", "b": "y"}, "column 'x' is missing"),
        ({"better": "x"}, "column 'x' is missing"),
        ({"score_a": "x"}, "only one of score_a and score_b"),
        ({"chosen": "response_a", "better": "winner"}, "names chosen or rejected, and columns of another shape"),
        ({"score": "s", "rank": "r"}, "both score and rank"),
        ({"response": "response_a"}, "do not fit `columns` response=response_a"),
    ],
)
def test_columns_that_do_not_fit(tmp_path: Path, columns: dict[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        load(tmp_path, [TWO | {"winner": "a", "s": 1, "r": 1}], columns=columns)


def test_equal_and_empty_texts(tmp_path: Path) -> None:
    rows = [TWO | {"response_a": "", "winner": "a"}, TWO | {"response_b": "so", "winner": "b"}]
    assert gold(load(tmp_path, rows)) == [("", "no"), ("so", "so")]
    assert notes(tmp_path, rows)[-1] == "the better response equals another one in 1 item: no model can prefer it"
    with pytest.raises(DataError, match="line 1: column 'response_a' must be a string or a list of messages, not null"):
        load(tmp_path, [TWO | {"response_a": None, "winner": "a"}])


def test_ids_and_subsets_of_the_data(tmp_path: Path) -> None:
    rows = [TWO | {"winner": "a", "id": "x", "subset": "s"}, TWO | {"winner": "b", "id": None, "subset": "t"}]
    assert [(item.id, item.subset) for item in load(tmp_path, rows)] == [("x", "s"), ("1", "t")]
    twice = [rows[0], rows[0] | {"prompt": "how"}]
    assert [item.id for item in load(tmp_path, twice, ignore_keys=["id"])] == ["0", "1"]


# Two responses and scores


@pytest.mark.parametrize(
    ("scores", "better"), [((3, 1), "so"), ((1, 3), "no"), ((0.5, -0.5), "so"), (("2", "10"), "no"), ((-1, -2), "so")]
)
def test_two_responses_with_scores(tmp_path: Path, scores: tuple[Any, Any], better: str) -> None:
    row = {"prompt": "why", "response1": "so", "response2": "no", "score1": scores[0], "score2": scores[1]}
    assert gold(load(tmp_path, [row]))[0][0] == better


def test_scores_that_do_not_decide(tmp_path: Path) -> None:
    row: dict[str, Any] = {"prompt": "why", "response1": "so", "response2": "no"}
    rows: list[dict[str, Any]] = [
        row | {"score1": 1, "score2": 1},
        row | {"score1": None, "score2": 1},
        row | {"score1": 1, "score2": ""},
        row | {"score1": 2, "score2": 1},
    ]
    assert [item.id for item in load(tmp_path, rows)] == ["3"]
    assert notes(tmp_path, rows)[-1] == "left out: 1 tie, 2 rows without a winner"
    for wrong in ("high", True, [1]):
        with pytest.raises(DataError, match="line 1: column 'score1' must be a number"):
            load(tmp_path, [row | {"score1": wrong, "score2": 1}])


def test_scores_beside_a_winner_are_compared_with_it(tmp_path: Path) -> None:
    rows = [TWO | {"winner": "a", "score_a": 1, "score_b": 2}, TWO | {"winner": "b", "score_a": 1, "score_b": 2}]
    assert gold(load(tmp_path, rows)) == [("so", "no"), ("no", "so")]
    assert "the scores contradict the winner in 1 row: rmeval reads the winner" in notes(tmp_path, rows)


# HelpSteer


@pytest.mark.parametrize(
    ("strength", "better"),
    [(-3, "so"), (-1, "so"), (1, "no"), (3, "no"), ("2", "no"), (-2.0, "so"), (0, None), (None, None)],
)
@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "why", "response_1": "so", "response_2": "no", "preference_strength": 0, "split": "train"},
        {"context": say("user: why"), "response1": "so", "response2": "no", "overall_preference": 0, "domain": "code"},
    ],
)
def test_helpsteer_strengths(tmp_path: Path, row: dict[str, Any], strength: Any, better: str | None) -> None:
    """Below 0, the first response is better (the data cards of HelpSteer2 and 3)."""
    name = next(name for name in row if "preference" in name)
    sure = row | {name: -3, "id": "sure"}
    rows = [row | {name: strength}, sure]
    found = [item for item in load(tmp_path, rows) if item.id != "sure"]
    assert [one for one, _ in gold(found)] == ([] if better is None else [better])
    assert all(prompt(item) == [("user", "why")] for item in found)
    for wrong in (-100, 4, "much"):
        with pytest.raises(DataError, match=f"line 1: .*{name}"):
            load(tmp_path, [row | {name: wrong}])


def test_strengths_and_scores_with_the_responses_in_the_other_order(tmp_path: Path) -> None:
    """The sign names the data's first response, whichever of them `columns` calls a."""
    row = {"prompt": "why", "response_1": "one", "response_2": "two", "preference_strength": -2}
    swapped = {"a": "response_2", "b": "response_1"}
    assert gold(load(tmp_path, [row])) == gold(load(tmp_path, [row], columns=swapped)) == [("one", "two")]
    scored = {"prompt": "why", "response_1": "one", "response_2": "two", "score_1": 1, "score_2": 3}
    assert gold(load(tmp_path, [scored])) == gold(load(tmp_path, [scored], columns=swapped)) == [("two", "one")]


def test_strengths_without_a_sign_are_noted(tmp_path: Path) -> None:
    row = {"prompt": "why", "response_1": "one", "response_2": "two", "preference_strength": 2}
    rows = [row | {"prompt": f"why {n}"} for n in range(20)]
    assert any("no value of 'preference_strength' is below 0" in note for note in notes(tmp_path, rows))
    rows[3]["preference_strength"] = -1
    assert not any("is below 0, so" in note for note in notes(tmp_path, rows))


def test_a_winner_that_is_a_label_and_a_models_name(tmp_path: Path) -> None:
    row = {"prompt": "why", "response_a": "one", "response_b": "two", "model_a": "B", "model_b": "A", "winner": "A"}
    with pytest.raises(DataError, match="as a label names one response and as a model's name the other"):
        load(tmp_path, [row])
    assert gold(load(tmp_path, [row], labels={"A": "b"})) == [("two", "one")]
    assert gold(load(tmp_path, [row | {"model_a": "A", "model_b": "B"}])) == [("one", "two")]


def test_responses_to_one_prompt_with_different_subsets(tmp_path: Path) -> None:
    rows = [STEER | {"response": "x", "subset": "gpt"}, STEER | {"response": "y", "helpfulness": 4, "subset": "llama"}]
    with pytest.raises(DataError, match=r"line 1: the responses to this prompt have different subsets \(gpt, llama\)"):
        load(tmp_path, rows)
    assert gold(load(tmp_path, rows, ignore_keys=["subset"])) == [("y", "x")]


STEER = {"prompt": "why", "helpfulness": 2, "correctness": 4, "coherence": 4, "complexity": 1, "verbosity": 1}


def test_helpsteer_rows_of_a_prompt(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        STEER | {"response": "worst", "helpfulness": 0, "correctness": 4},
        STEER | {"response": "best", "helpfulness": 4, "correctness": 0},
        STEER | {"response": "middle"},
        STEER | {"response": "also"},
        STEER | {"prompt": "how", "response": "alone"},
        STEER | {"prompt": "where", "response": "x", "helpfulness": None},
        STEER | {"prompt": "where", "response": "y", "helpfulness": 1},
        STEER | {"prompt": "where", "response": "z", "helpfulness": 3},
        STEER | {"response": "again", "helpfulness": 1},
    ]
    items = load(tmp_path, rows)
    assert sorted(gold(items)) == sorted(
        [("best", "worst"), ("middle", "worst"), ("also", "worst"), ("best", "middle"), ("best", "also"), ("z", "y")]
    )
    assert [item.id for item in items] == ["0/0-1", "0/0-2", "0/0-3", "0/1-2", "0/1-3", "5/1-2"]
    assert len({item.cluster for item in items}) == 2
    assert notes(tmp_path, rows)[1:] == (
        "6 pairs of responses to 2 prompts",
        "1 prompt also in later rows, which rmeval compares only with one another: sort the rows by prompt to compare "
        "them all",
        "left out: 1 pair of equal helpfulness, 2 prompts with a single response, 1 response without a helpfulness",
    )
    by_correctness = load(tmp_path, rows[:2], columns={"score": "correctness"})
    assert gold(by_correctness) == [("worst", "best")]


def test_rows_of_a_prompt_with_a_rank(tmp_path: Path) -> None:
    rows = [{"prompt": "why", "response": text, "rank": rank} for text, rank in (("c", 3), ("a", 1), ("b", 2))]
    assert sorted(gold(load(tmp_path, rows))) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert sorted(gold(load(tmp_path, rows, columns={"score": "rank"}))) == [("b", "a"), ("c", "a"), ("c", "b")]
    both = [row | {"score": -row["rank"]} for row in rows]  # type: ignore[operator]
    with pytest.raises(DataError, match="choose one with `columns` rank=rank or score=score"):
        load(tmp_path, both)
    with pytest.raises(
        DataError, match=r"no pair with a better response \(left out: 3 prompts with a single response; "
    ):
        load(tmp_path, [row | {"prompt": f"{number}"} for number, row in enumerate(rows)])


def test_rows_with_other_tools_are_other_prompts(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "look"}}
    rows = [{"prompt": "why", "response": f"{k}", "score": k, "tools": [tool] * (k > 1)} for k in range(4)]
    assert gold(load(tmp_path, rows)) == [("1", "0"), ("3", "2")]


def test_too_many_responses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMEVAL_MAX_RESPONSES", "2")
    rows = [{"prompt": "why", "response": f"{k}", "score": k} for k in range(3)]
    assert len(load(tmp_path, rows[:2])) == 1
    with pytest.raises(DataError, match=r"line 1: the prompt has 3 responses, more than 2 \(RMEVAL_MAX_RESPONSES\)"):
        load(tmp_path, rows)


# Lists of responses


def nectar(*ranks: float | None, asked: str = "\n\nHuman: why\n\nAssistant: ") -> dict[str, Any]:
    answers = [{"answer": f"{k}", "model": f"m{k}", "rank": rank} for k, rank in enumerate(ranks)]
    return {"prompt": asked, "answers": answers, "turns": 1, "num_responses": len(ranks), "good_natured": True}


def test_nectar(tmp_path: Path) -> None:
    rows = [nectar(3.0, 1.0, 2.0), nectar(2, 1, 2, None), nectar(1)]
    items = load(tmp_path, rows)
    assert gold(items) == [("1", "0"), ("2", "0"), ("1", "2"), ("1", "0"), ("1", "2")]
    assert [item.id for item in items] == ["0/0-1", "0/0-2", "0/1-2", "1/0-1", "1/1-2"]
    assert all(prompt(item) == [("user", "why")] for item in items)
    assert notes(tmp_path, rows)[1:] == (
        "5 pairs of responses to 2 prompts",
        "left out: 1 response without a rank, 1 pair of equal rank, 1 prompt with a single response",
    )
    many = nectar(1, 2, asked="\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:")
    assert prompt(load(tmp_path, [many])[0]) == [("user", "a"), ("assistant", "b"), ("user", "c")]


def test_lists_with_scores(tmp_path: Path) -> None:
    row: dict[str, Any] = {"prompt": "why", "responses": ["low", "high"], "scores": [1, 2.5]}
    assert gold(load(tmp_path, [row])) == [("high", "low")]
    inner = {"prompt": "why", "completions": [{"text": "low", "a": 1, "b": 2}, {"text": "high", "a": 2, "b": 1}]}
    assert gold(load(tmp_path, [inner], columns={"score": "a"})) == [("high", "low")]
    assert gold(load(tmp_path, [inner], columns={"score": "b"})) == [("low", "high")]
    assert gold(load(tmp_path, [inner], columns={"rank": "a"})) == [("low", "high")]
    for wrong, said in (
        (row | {"scores": [1]}, "'responses' has 2 responses, and 'scores' has 1 value"),
        (row | {"ranks": [1, 2]}, "choose one with `columns` score=scores or rank=ranks"),
        (inner, "'completions' is a list of responses without a score or a rank"),
        (inner | {"answers": ["x"]}, "'completions', 'answers'|'completions' and 'answers' is a list of responses"),
        (
            row | {"responses": ["low", None]},
            r"column 'responses\[1\]' must be a string or a list of messages, not null",
        ),
        (row | {"responses": [{"text": "x", "score": 1}, "y"]}, "must contain objects, not 'y'"),
    ):
        rest = {name: value for name, value in wrong.items() if not ("score" in said and name == "")}
        if "must contain objects" in said:
            rest.pop("scores")
        with pytest.raises(DataError, match=said):
            load(tmp_path, [rest])


# SHP


SHP = {"history": "why", "human_ref_A": "so", "human_ref_B": "no", "post_id": "p", "domain": "d", "upvote_ratio": 0.9}


def test_shp_labels_are_1_for_a(tmp_path: Path) -> None:
    rows = [SHP | {"labels": 1, "score_A": 9, "score_B": 2}, SHP | {"labels": 0, "score_A": 2, "score_B": 9}]
    items = load(tmp_path, rows)
    assert gold(items) == [("so", "no"), ("no", "so")]
    assert [prompt(item) for item in items] == [[("user", "why")]] * 2
    assert notes(tmp_path, rows)[1] == "values of 'labels': 1 is human_ref_A (1 row), 0 is human_ref_B (1 row)"
    with pytest.raises(DataError, match="line 2: 'labels' and the scores contradict each other"):
        load(tmp_path, [rows[0], rows[1] | {"labels": 1}])
    for wrong in (2, "A", -1, True):
        with pytest.raises(DataError, match="line 1: 'labels' is"):
            load(tmp_path, [rows[0] | {"labels": wrong}])
    without = [{name: value for name, value in row.items() if "score" not in name} for row in rows]
    assert gold(load(tmp_path, without)) == [("so", "no"), ("no", "so")]
    by_score = {"prompt": "history", "a": "human_ref_A", "b": "human_ref_B", "score_a": "score_A", "score_b": "score_B"}
    assert gold(load(tmp_path, [rows[1] | {"labels": 1}], columns=by_score)) == [("no", "so")]


# PKU-SafeRLHF


PKU = {"prompt": "why", "response_0": "so", "response_1": "no", "is_response_0_safe": False, "is_response_1_safe": True}


@pytest.mark.parametrize(("better", "safer"), [(0, 1), (1, 0), (0, 0), (1, 1)])
def test_pku_needs_the_name_of_the_preference(tmp_path: Path, better: int, safer: int) -> None:
    row = PKU | {"better_response_id": better, "safer_response_id": safer}
    with pytest.raises(DataError, match="`columns` better=better_response_id or better=safer_response_id"):
        load(tmp_path, [row])
    texts = ("so", "no")
    for name, index in (("better_response_id", better), ("safer_response_id", safer)):
        assert gold(load(tmp_path, [row], columns={"better": name})) == [(texts[index], texts[1 - index])]


def test_one_run_folder_and_two_golds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Gold is no part of a run's identity: the scores are kept, and the numbers are those of the last gold."""
    (tmp_path / "p.jsonl").write_text(
        "".join(
            json.dumps(
                PKU | {"response_0": "longer", "prompt": f"{k}", "better_response_id": 0, "safer_response_id": 1}
            )
            + "\n"
            for k in range(3)
        )
    )
    given = ("run", "baseline:longest", "-b", "pairs", "--data", tmp_path / "p.jsonl", "-o", tmp_path / "runs")
    for name, accuracy in (
        ("better_response_id", "100.0"),
        ("safer_response_id", "0.0"),
        ("better_response_id", "100.0"),
    ):
        done = command(capsys, *given, "--columns", f"better={name}")
        assert (done.code, f"all  {accuracy}" in done.out) == (0, True), done.out + done.err
        shown = command(capsys, "show", tmp_path / "runs")
        assert f"all  {accuracy}" in shown.out
        assert f"'{name}' names the better one" in " ".join(shown.out.split())


# Arena


def arena(winner: Any, one: str = "so", two: str = "no", **more: Any) -> dict[str, Any]:
    both = {
        "conversation_a": say("user: why", f"assistant: {one}"),
        "conversation_b": say("user: why", f"assistant: {two}"),
    }
    return {"question_id": "q", "model_a": "m", "model_b": "n", "winner": winner} | both | more


def test_arena(tmp_path: Path) -> None:
    turns = say("user: why", "assistant: one", "user: and"), say("user: why", "assistant: two", "user: and")
    rows = [
        arena("model_a"),
        arena("model_b"),
        arena("tie"),
        arena("tie (bothbad)"),
        arena("both_bad"),
        arena(
            "model_a",
            conversation_a=[*turns[0], *say("assistant: x")],
            conversation_b=[*turns[1], *say("assistant: y")],
        ),
        arena(
            "model_b",
            conversation_a=[*turns[0], *say("assistant: x")],
            conversation_b=[*turns[0], *say("assistant: y")],
        ),
    ]
    items = load(tmp_path, rows)
    assert gold(items) == [("so", "no"), ("no", "so"), ("y", "x")]
    assert [item.id for item in items] == ["0", "1", "6"]
    assert prompt(items[-1]) == [("user", "why"), ("assistant", "one"), ("user", "and")]
    assert notes(tmp_path, rows)[-1] == "left out: 3 ties, 1 row whose conversations differ before the last response"
    with pytest.raises(DataError, match="line 1: 'winner' is 'model_c', which names neither 'conversation_a'"):
        load(tmp_path, [arena("model_c")])


def test_arena_in_a_csv(tmp_path: Path) -> None:
    rows = [arena("model_b"), arena("tie")]
    texts = [{name: json.dumps(own) if isinstance(own, list) else own for name, own in row.items()} for row in rows]
    write_csv(tmp_path / "a.csv", texts)
    items = list(Pairs(str(tmp_path / "a.csv")).load())
    assert (gold(items), prompt(items[0])) == ([("no", "so")], [("user", "why")])


def test_arena_with_contents_in_parts(tmp_path: Path) -> None:
    def part(text: str) -> list[dict[str, Any]]:
        return [{"type": "text", "text": text, "image": None, "mimeType": None}]

    def turns(text: str) -> list[dict[str, Any]]:
        return [{"role": "user", "content": part("why")}, {"role": "assistant", "content": part(text)}]

    (item,) = load(tmp_path, [arena("model_b", conversation_a=turns("so"), conversation_b=turns("no"))])
    assert (prompt(item), gold([item])) == ([("user", "why")], [("no", "so")])
    image = [{"role": "user", "content": [*part("why"), {"type": "image", "image": "x"}]}, *turns("so")[1:]]
    with pytest.raises(DataError, match="the content is a list"):
        load(tmp_path, [arena("model_b", conversation_a=image, conversation_b=image)])


def votes(a: Any, b: Any, tie: Any, asked: str = '["why"]', one: str = '["so"]', two: str = '["no"]') -> dict[str, Any]:
    row = {"prompt": asked, "response_a": one, "response_b": two, "model_a": "m", "model_b": "n"}
    return row | {"winner_model_a": a, "winner_model_b": b, "winner_tie": tie}


def test_arena_votes_in_columns(tmp_path: Path) -> None:
    rows = [
        votes(1, 0, 0),
        votes(0, 1, 0),
        votes(0, 0, 1),
        votes("0", "1", "0"),
        votes(1, 0, 0, '["why", "and"]', '["x", "so"]', '["x", "no"]'),
        votes(1, 0, 0, '["why", "and"]', '["x", "so"]', '["y", "no"]'),
        votes(1, 0, 0, "why", "so", "no"),
    ]
    items = load(tmp_path, rows)
    assert gold(items) == [("so", "no"), ("no", "so"), ("no", "so"), ("so", "no"), ("so", "no")]
    assert prompt(items[3]) == [("user", "why"), ("assistant", "x"), ("user", "and")]
    assert notes(tmp_path, rows)[-1] == "left out: 1 tie, 1 row whose conversations differ before the last response"
    for wrong in (votes(1, 1, 0), votes(0, 0, 0), votes(0.5, 0.5, 0)):
        with pytest.raises(DataError, match="exactly one of winner_model_a, winner_model_b, winner_tie must be 1"):
            load(tmp_path, [wrong])
    for broken in ('["so"', '["\\ud83d"]', "[1]", "[]", 3):
        with pytest.raises(DataError, match="line 1: column 'response_a' must be a"):
            load(tmp_path, [votes(1, 0, 0, one=broken)])  # type: ignore[arg-type]
    with pytest.raises(DataError, match="'prompt' and 'response_b' have different numbers of turns"):
        load(tmp_path, [votes(1, 0, 0, two='["no", "yes"]')])


# Dialogues in one text, and implicit prompts


def hh(*turns: str) -> str:
    return "".join(f"\n\n{'Assistant' if place % 2 else 'Human'}: {turn}" for place, turn in enumerate(turns))


def test_hh_dialogues(tmp_path: Path) -> None:
    rows = [
        {"chosen": hh("a", "b", "c", "good"), "rejected": hh("a", "b", "c", "bad")},
        {"chosen": hh("a", ""), "rejected": hh("a", "bad\n\nand worse ")},
        {"chosen": hh("a", "x"), "rejected": hh("b", "y")},
        {"chosen": hh("a", "x", "b", "y"), "rejected": hh("a", "z")},
        {"chosen": hh("a", "x", "b"), "rejected": hh("a", "x", "c")},
        {"chosen": "Human: a\n\nAssistant: good", "rejected": "Human: a\n\nAssistant:bad"},
        {"chosen": hh("a", "Human: is a word"), "rejected": hh("a", "the Assistant: said")},
    ]
    items = load(tmp_path, rows)
    assert gold(items) == [
        ("good", "bad"),
        ("", "bad\n\nand worse"),
        ("good", "bad"),
        ("Human: is a word", "the Assistant: said"),
    ]
    assert prompt(items[0]) == [("user", "a"), ("assistant", "b"), ("user", "c")]
    assert [item.id for item in items] == ["0", "1", "5", "6"]
    assert notes(tmp_path, rows)[-1] == (
        "left out: 2 rows whose conversations differ before the last response, 1 row in which a dialogue ends without "
        "a response"
    )
    with pytest.raises(DataError, match="line 2: column 'rejected' is no dialogue with 'Human:'"):
        load(tmp_path, [rows[0], {"chosen": hh("a", "b"), "rejected": "no"}])
    with pytest.raises(DataError, match="line 1: column 'chosen' is no dialogue"):
        load(tmp_path, [{"chosen": "no", "rejected": hh("a", "b")}])


def test_a_dialogue_beside_a_prompt_is_said_and_read_as_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = {"prompt": hh("a", ""), "chosen": "good", "rejected": "bad"}
    (item,) = load(tmp_path, [row])
    assert prompt(item) == [("user", row["prompt"])]
    assert (
        "which rmeval reads as one message of the user: to split it into turns, give `roles` Human=user" in caplog.text
    )
    (item,) = load(tmp_path, [row], roles={"Human": "user", "Assistant": "assistant"})
    assert prompt(item) == [("user", "a")]

    whole = {"prompt": "a", "chosen": hh("a", "good"), "rejected": hh("a", "bad")}
    assert gold(load(tmp_path, [whole])) == [(whole["chosen"], whole["rejected"])]
    assert "a dialogue in one text beside a prompt, which rmeval reads as the response" in caplog.text
    (item,) = load(tmp_path, [whole], ignore_keys=["prompt"])
    assert (prompt(item), gold([item])) == ([("user", "a")], [("good", "bad")])


def test_helpsteer_prompts_of_several_turns(tmp_path: Path) -> None:
    asked = "one\n<extra_id_1>Assistant\ntwo\n<extra_id_1>User\nthree\nfour"
    row = {"prompt": asked, "response_1": "so", "response_2": "no", "preference_strength": 1}
    (item,) = load(tmp_path, [row])
    assert prompt(item) == [("user", "one"), ("assistant", "two"), ("user", "three\nfour")]


@pytest.mark.parametrize(
    ("chosen", "rejected", "found"),
    [
        ("The sky is blue.", "The sky is green.", ("The sky is", "blue.", "green.")),
        ("The sky is blue.", "The sky is black.", ("The sky is", "blue.", "black.")),
        ("The sky is", "The sky is blue", ("The sky", "is", "is blue")),
        ("Q: why?\nso", "Q: why?\nno", ("Q: why?", "so", "no")),
        ("Q: why?\n\nso it is", "Q: why?\n\nso it was", ("Q: why?\n\nso it", "is", "was")),
        ("The sky", "The skyline is", None),
        ("The sky is", "The skyline is", ("The", "sky is", "skyline is")),
        ("so", "no", None),
        ("so it", "so", None),
        ("  a", "  b", None),
        ("", "b", None),
    ],
)
def test_implicit_prompts(tmp_path: Path, chosen: str, rejected: str, found: tuple[str, str, str] | None) -> None:
    rows = [{"chosen": chosen, "rejected": rejected}]
    if (chosen, rejected) == ("The sky", "The skyline is"):
        found = ("The", "sky", "skyline is")
    if found is None:
        with pytest.raises(
            DataError, match=r"line 1: column 'prompt' is missing .* no common beginning that could be one"
        ):
            load(tmp_path, rows)
        return
    (item,) = load(tmp_path, rows)
    assert (prompt(item), gold([item])) == ([("user", found[0])], [found[1:]])
    assert gold(load(tmp_path, [{"chosen": rejected, "rejected": chosen}])) == [(found[2], found[1])]


def test_implicit_prompts_that_cannot_be(tmp_path: Path) -> None:
    row = {"chosen": "The sky is blue.", "rejected": "The sky is green."}
    assert notes(tmp_path, [row, {"chosen": "a b", "rejected": "a b"}])[-1] == (
        "left out: 1 row with equal texts, in which no prompt can be found"
    )
    for rows, said in (
        ([row, row | {"prompt": "x"}], "line 2: the row has a column 'prompt', and the first row has none"),
        ([row, {"chosen": hh("a", "b"), "rejected": hh("a", "c")}], "line 2: column 'chosen' is a dialogue"),
        ([row | {"question": "x"}], "'prompt' is missing .*looks like `columns` prompt=question"),
        ([row | {"question": "x", "context": "y"}], "'prompt' is missing .*give `columns` prompt=NAME"),
        ([row | {"images": ["x"]}], "the column 'images' would not reach the model"),
        ([{side: f"<|im_start|>user\na<|im_end|>{text}" for side, text in row.items()}], "marks of a chat template"),
    ):
        with pytest.raises(DataError, match=said):
            load(tmp_path, rows)


def test_an_ignored_prompt_and_no_common_beginning(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1: 'prompt' is ignored, and 'chosen' and 'rejected' have no common"):
        load(tmp_path, [{"prompt": "why", "chosen": "so", "rejected": "no"}], ignore_keys=["prompt"])


def test_implicit_prompts_of_messages_say_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    row = {"chosen": say("user: why", "assistant: so"), "rejected": say("user: why", "assistant: no"), "source": "s"}
    (item,) = load(tmp_path, [row])
    assert (prompt(item), gold([item]), caplog.text) == ([("user", "why")], [("so", "no")], "")


# Chosen and rejected with other prompts or keys


def turn(role: str, text: str) -> dict[str, str]:
    return {"from": role, "value": text}


@pytest.mark.parametrize("kind", ["object", "list", "text"])
def test_sharegpt(tmp_path: Path, kind: str) -> None:
    one: Any = turn("gpt", "so")
    two: Any = turn("gpt", "no")
    row = {
        "conversations": [turn("system", "be kind"), turn("human", "why"), turn("gpt", "x"), turn("human", "and")],
        "chosen": {"object": one, "list": [one], "text": "so"}[kind],
        "rejected": {"object": two, "list": [two], "text": "no"}[kind],
    }
    (item,) = load(tmp_path, [row])
    assert prompt(item) == [("system", "be kind"), ("user", "why"), ("assistant", "x"), ("user", "and")]
    assert gold([item]) == [("so", "no")]
    whole = {"chosen": [turn("human", "why"), one], "rejected": [turn("human", "why"), two]}
    assert gold(load(tmp_path, [whole])) == [("so", "no")]
    with pytest.raises(DataError, match="write calls of functions as 'tool_calls'"):
        load(tmp_path, [row | {"chosen": turn("function_call", "{}")}])


def test_openai_files(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "look"}}
    row: dict[str, Any] = {
        "input": {"messages": say("user: why"), "tools": [tool], "parallel_tool_calls": True},
        "preferred_output": say("assistant: so"),
        "non_preferred_output": say("assistant: no"),
    }
    (item,) = load(tmp_path, [row])
    assert (prompt(item), gold([item]), item.tools) == ([("user", "why")], [("so", "no")], (tool,))
    with pytest.raises(DataError, match="'input' contains temperature, which would not reach the model"):
        load(tmp_path, [row | {"input": row["input"] | {"temperature": 1}}])
    with pytest.raises(DataError, match="column 'input' must be an object with messages"):
        load(tmp_path, [row | {"input": "why"}])


def test_scores_beside_chosen_are_compared(tmp_path: Path) -> None:
    row = {"prompt": "why", "chosen": "so", "rejected": "no"}
    rows = [row | {"score_chosen": one, "score_rejected": two} for one, two in ((8, 3), (5, 5), (2, 6), (None, 1))]
    assert gold(load(tmp_path, rows)) == [("so", "no")] * 4
    assert notes(tmp_path, rows) == (
        "score_chosen is below score_rejected in 1 row and score_chosen is equal to score_rejected in 1 row: rmeval "
        "reads the columns of the responses, not the scores",
    )
    assert notes(tmp_path, rows[:1]) == ()


@pytest.mark.parametrize(
    ("row", "way"),
    [
        ({"question": "why", "good": "so", "bad": "no"}, "prompt=question,chosen=good,rejected=bad"),
        (
            {"question": "why", "response_j": "so", "response_k": "no"},
            "prompt=question,chosen=response_j,rejected=response_k",
        ),
        ({"question": "why", "chosen": "so", "rejected": "no"}, "prompt=question"),
        (
            {"prompt": "why", "chosen_response": "so", "rejected_response": "no"},
            "chosen=chosen_response,rejected=rejected_response",
        ),
        ({"prompt": "why", "preferred": "so", "dispreferred": "no"}, "chosen=preferred,rejected=dispreferred"),
    ],
)
def test_a_missing_column_names_the_likely_mapping(tmp_path: Path, row: dict[str, str], way: str) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, [row])
    said = str(caught.value)
    assert said.endswith(f"looks like `columns` {way}") and f"(the columns are {', '.join(row)})" in said
    columns = dict(part.split("=") for part in way.split(","))
    assert gold(load(tmp_path, [row], columns=columns)) == [("so", "no")]


def test_a_missing_column_without_a_likely_mapping(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'chosen' is missing .*give `columns` prompt=NAME,chosen=NAME,rejected=NAME"):
        load(tmp_path, [{"x": "why", "y": "so", "z": "no"}])


def test_a_column_with_a_role_loses_its_usual_one(tmp_path: Path) -> None:
    row = {"history": say("user: why"), "chosen": "so", "rejected": "no"}
    (item,) = load(tmp_path, [row], columns={"prompt": "history"})
    assert prompt(item) == [("user", "why")]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_response_that_is_one_message_or_an_object_of_messages(tmp_path: Path, wrapped: bool) -> None:
    (one,), (two,) = say("assistant: so"), say("assistant: no")
    row: dict[str, Any] = {"prompt": say("user: why"), "chosen": one, "rejected": two}
    if wrapped:
        row |= {"chosen": {"messages": [one]}, "rejected": {"messages": [two]}}
    (item,) = load(tmp_path, [row])
    assert (prompt(item), gold([item])) == ([("user", "why")], [("so", "no")])
    with pytest.raises(DataError, match="column 'chosen' must contain messages like"):
        load(tmp_path, [row | {"chosen": {"text": "so"}}])


def test_a_prompt_that_contradicts_whole_conversations_in_other_shapes(tmp_path: Path) -> None:
    whole = {side: [turn("human", "why"), turn("gpt", side)] for side in ("chosen", "rejected")}
    for row, column in (
        (arena("model_a", prompt="how"), "prompt"),
        (whole | {"conversations": [turn("human", "how")]}, "conversations"),
        ({"prompt": "how", "chosen": whole["chosen"][1], "rejected": whole["rejected"]}, "prompt"),
    ):
        with pytest.raises(
            DataError, match=f"line 1: the column '{column}' contradicts the messages before the response"
        ):
            load(tmp_path, [row])
    (item,) = load(tmp_path, [arena("model_a", prompt="why")])
    assert prompt(item) == [("user", "why")]


# Real data


def test_ranked_responses_of_a_judge(shared: Path) -> None:
    """Their authors count 15,113 strict pairs of 3,569 responses to 300 prompts."""
    found = plan(Pairs(str(shared / "data" / "preferences" / "arena_bench_v1_scored.jsonl.gz")))
    assert len(found.stored.table) == 15_113
    assert found.notes[1:] == ("15113 pairs of responses to 300 prompts", "left out: 4,353 pairs of equal score")


def test_judgebench_by_its_own_reader_and_by_its_columns(shared: Path) -> None:
    data = str(shared / "data" / "judgebench" / "claude35sonnet.jsonl")

    def better(item: Item) -> tuple[str, str]:
        (one,) = item.comparisons
        assert one.gold is not None
        winner = one.members[one.gold]
        return item.responses[winner].text, item.responses[1 - winner].text

    known = sorted(map(better, load_benchmark("judgebench", data).load()))
    found = sorted(gold(list(Pairs(data, columns={"prompt": "question"}).load())))
    assert len(known) == 270
    assert found == known


# Of all shapes with two responses


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (TWO | {"winner": "model_a"}, TWO | {"response_a": "no", "response_b": "so", "winner": "model_b"}),
        (
            {"prompt": "why", "response_0": "so", "response_1": "no", "label": 0},
            {"prompt": "why", "response_0": "no", "response_1": "so", "label": 1},
        ),
        (
            {"prompt": "why", "response_1": "so", "response_2": "no", "preference_strength": -1},
            {"prompt": "why", "response_1": "no", "response_2": "so", "preference_strength": 1},
        ),
        (
            {"prompt": "why", "response1": "so", "response2": "no", "score1": 2, "score2": 1},
            {"prompt": "why", "response1": "no", "response2": "so", "score1": 1, "score2": 2},
        ),
        (SHP | {"labels": 1}, SHP | {"human_ref_A": "no", "human_ref_B": "so", "labels": 0}),
        (arena("model_a"), arena("model_b", "no", "so")),
        (votes(1, 0, 0), votes(0, 1, 0, one='["no"]', two='["so"]')),
        (nectar(1, 2), nectar(2, 1)),
        ({"chosen": hh("a", "so"), "rejected": hh("a", "no")}, {"chosen": hh("a", "no"), "rejected": hh("a", "so")}),
    ],
)
def test_the_other_order_and_the_other_gold(tmp_path: Path, one: dict[str, Any], two: dict[str, Any]) -> None:
    """The other order with the other winner is the same pair; where only the gold changes, it is the opposite pair.

    In both cases the ids, the questions and so the scores stay.
    """
    first, second = (load(tmp_path, [row])[0] for row in (one, two))
    ((better, worse),) = gold([first])
    assert gold([second]) == [(worse, better) if "chosen" in one or "answers" in one else (better, worse)]
    assert (first.id, first.prompt, first.cluster) == (second.id, second.prompt, second.cluster)
    digests = [plan(Pairs([row])).contents for row in (one, two)]
    assert digests[0] == digests[1]


# The page of preference data

PAGE = Path(__file__).resolve().parents[2] / "docs" / "preference-data.md"
SECTIONS = re.findall(
    r"^### (.+?)\n.*?^```json\n(.*?)^```\n```console\n\$ rmeval (.*?)\n(.*?)^```", PAGE.read_text(), re.M | re.S
)
"""Of each set: its name, rows, command, and what is said."""


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_page_has_the_sets() -> None:
    names = ("HH-RLHF", "UltraFeedback", "HelpSteer2", "HelpSteer3", "Nectar", "SHP", "PKU-SafeRLHF", "Arena", "Tulu 3")
    found = [name for name, *_ in SECTIONS]
    assert all(any(own.startswith(name) for own in found) for name in (*names, "Skywork-Reward", "Tool calls")), found


@pytest.mark.parametrize(("name", "rows", "given", "said"), SECTIONS, ids=[name for name, *_ in SECTIONS])
def test_the_page_says_what_is_said(
    name: str,
    rows: str,
    given: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = given.replace("./my-checkpoint", "baseline:longest").split()
    Path(words[words.index("--data") + 1]).write_text(rows)
    done = command(capsys, *words)
    assert done.code == 0, done.err
    assert flat(done.err) == flat(said.partition("! ")[0])
    notes = [note for note in flat(done.out).partition(" run: ")[0].split(" ! ")[1:] if not note.startswith("read as")]
    assert notes == [flat(note) for note in said.split("! ")[1:]]


CHOSEN = {
    "HH-RLHF": ("Eight minutes.", "No idea."),
    "UltraFeedback binarized": ("Seven.", "Nine."),
    "HelpSteer2": ("4", "5"),
    "HelpSteer2 preferences": ("4", "5"),
    "HelpSteer3": ("Hello!", "Go away."),
    "Nectar": ("Rome.", "Milan."),
    "SHP": ("Yes, sliced.", "No idea."),
    "PKU-SafeRLHF": ("Call a locksmith.", "Use a pick."),
    "Arena human preference": ("3", "4"),
    "Tulu 3 preference mixture": ("Hat.", "Dog."),
    "Skywork-Reward-Preference": ("No.", "Yes."),
    "Tool calls": ("", "Sunny, I think."),
    "ShareGPT": ("Hello", "No"),
    "OpenAI preference files": ("Hello", "No"),
}
"""The better and the worse response of the first pair of each set on the page."""


@pytest.mark.parametrize(("name", "rows", "given"), [own[:3] for own in SECTIONS], ids=[own[0] for own in SECTIONS])
def test_the_gold_of_the_sets_on_the_page(name: str, rows: str, given: str, tmp_path: Path) -> None:
    better = given.partition("--columns better=")[2]
    columns = {"better": better} if better else None
    lines = [json.loads(row) for row in rows.splitlines()]
    first, *rest = load(tmp_path, lines, columns=columns)
    assert gold([first, *rest])[0] == CHOSEN[name]
    assert first.prompt[-1].role == "user"
    if name == "Tool calls":
        message = first.responses[0].message
        assert message is not None and message.tool_calls[0]["function"]["name"] == "weather"
        assert len(first.tools) == 1


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "why", "chosen": "so", "rejected": "no"},
        {**TWO, "score_a": 1, "score_b": 2},
        {"prompt": "why", "response": "so", "score": 1},
        {"prompt": "why", "responses": ["so", "no"], "scores": [1, 2]},
        {"history": "why", "human_ref_A": "so", "human_ref_B": "no", "labels": 1},
        {
            "prompt": "why",
            "response_a": "so",
            "response_b": "no",
            "winner_model_a": 1,
            "winner_model_b": 0,
            "winner_tie": 0,
        },
    ],
)
def test_labels_that_no_column_uses_are_an_error(row: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`labels` gives meanings .* no such column is read"):
        load(tmp_path, [row], labels={"1": "b", "0": "a"})


def test_a_prompt_that_the_responses_repeat_is_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"prompt": "Is 2 odd?", "chosen": "Is 2 odd? No.", "rejected": "Is 2 odd? Yes."}]
    assert gold(load(tmp_path, rows)) == [("Is 2 odd? No.", "Is 2 odd? Yes.")]
    assert "line 1: both responses begin with the text of the prompt, which the model then reads twice" in caplog.text
    (item,) = load(tmp_path, rows, ignore_keys=["prompt"])
    assert (prompt(item), gold([item])) == ([("user", "Is 2 odd?")], [("No.", "Yes.")])


def test_only_prompts_that_both_responses_repeat_are_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load(tmp_path, [{"prompt": "Is 2 odd?", "chosen": "Is 2 odd? No.", "rejected": "Yes."}])
    load(tmp_path, [{"prompt": "", "chosen": "No.", "rejected": "Yes."}])
    assert "both responses begin" not in caplog.text


def test_a_winner_is_not_suggested_as_a_response(tmp_path: Path) -> None:
    row = {"prompt": "why", "first_text": "so", "second_text": "no", "winner": "first"}
    with pytest.raises(DataError, match=r"chosen=NAME,rejected=NAME$"):
        load(tmp_path, [row])
