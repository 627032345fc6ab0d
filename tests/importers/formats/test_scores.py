"""Scores from elsewhere, in made-up files in the shapes in which they are published."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.errors import DataError
from rmeval.results.result import Result
from tests.command import command
from tests.importers.formats.files import brought, written
from tests.samples import pair_rows, reward_bench_rows


def scores_of(result: Result) -> dict[tuple[str, int], float | None]:
    rows = pq.read_table(result.path / "scores.parquet").to_pylist()
    return {(row["item"], row["response"]): row["score"] for row in rows}


# RMB


def rmb_row(uid: str, chosen: float, rejected: float, **more: Any) -> dict[str, Any]:
    place = "Pairwise_set/Helpfulness/Closed QA/ContextBased"
    own = {"pair_uid": uid, "category_path": place, "chosen_reward": chosen, "reject_reward": rejected}
    return own | {"is_correct": int(chosen > rejected)} | more


def rmb_data(uids: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "pair_uid": uid,
            "category_path": "Pairwise_set/Helpfulness/Closed QA/ContextBased",
            "conversation_input": [{"role": "user", "content": f"Say {uid}."}],
            "chosen": {"llm_name": "a", "answer": uid},
            "reject": {"llm_name": "b", "answer": "no"},
        }
        for uid in uids
    ]


@pytest.mark.parametrize("of_file", [False, True])
def test_rmb_results(tmp_path: Path, of_file: bool) -> None:
    rows = [rmb_row("3", 2, 1), rmb_row("1", 1, 1), rmb_row("2", 0, 1), rmb_row("9", 3, 1, is_correct=0)]
    data = None if of_file else written(tmp_path / "ContextBased.json", rmb_data(["1", "2", "3", "9"]))
    result = brought(written(tmp_path / "Llama-3.1-8B_result.json", rows), "rmb", data)
    record = result.record("section", "pairwise/Helpfulness")
    assert (record.value, record.ties, record.n_items) == (0.5, 1, 4)
    assert scores_of(result)["pairwise/Helpfulness/Closed QA/ContextBased/2", 1] == 1.0
    assert "the stated result contradicts the scores, and the scores are used: 1 row" in result.notes
    assert any(note.startswith("the items and their gold come from the file") for note in result.notes) == of_file
    assert result.manifest["model"]["name"] == "Llama-3.1-8B_result"


# RewardMATH


def math_rows(count: int, scores: list[Any]) -> list[dict[str, Any]]:
    writers = ["human_to_GPT-4", *(f"model-{k}" for k in range(1, len(scores)))]
    return [{"problem": f"What is {n}?", "solution_reference": writers, "score": scores} for n in range(count)]


def math_data(count: int, answers: int) -> list[dict[str, Any]]:
    return [
        {
            "problem": f"What is {n}?",
            "problem_id": n,
            "eval_solution": [f"It is {n + k}.", "Surely."],
            "solution_type": "rejected" if k else "chosen",
            "solution_reference": f"model-{k}" if k else "human_to_GPT-4",
        }
        for n in range(count)
        for k in range(answers)
    ]


@pytest.mark.parametrize(("steps", "right"), [("min", 0), ("prod", 1), ("last", 0), ("mean", 1)])
def test_scores_of_steps(tmp_path: Path, steps: str, right: int) -> None:
    # Least .5 against .6; product .45 against .36; last .5 against .6; mean .7 against .6.
    rows = math_rows(2, [[0.9, 0.5], [0.6, 0.6]])
    data = written(tmp_path / "data.json", math_data(2, 2))
    for place in (None, data):
        result = brought(written(tmp_path / "prm_reward.json", rows), "reward-math", place, steps=steps)
        assert result.value("accuracy") == right
        assert any(note.startswith("the score of a response is the") for note in result.notes)


def test_steps_are_chosen_where_there_are_some(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "prm_reward.json", math_rows(2, [[0.9, 0.5], [0.6], []]))
    run = ("import", file, "-b", "reward-math", "--items-from-scores", "-o", tmp_path / "runs")
    done = command(capsys, *run)
    assert (done.code, "choose how to reduce them with --steps min, prod, last, mean" in done.err) == (2, True)
    done = command(capsys, *run, "--steps", "best")
    assert (done.code, "--steps best: give one of min, prod, last, mean" in done.err) == (2, True)
    assert brought(file, "reward-math", steps="last").record("accuracy").failures == 2
    plain = written(tmp_path / "rm_reward.json", math_rows(2, [[0.9], 0.5]))
    with pytest.raises(DataError, match=r"`steps` min: .* has no scores of steps"):
        brought(plain, "reward-math", steps="min")
    # Two ways of the same file are two runs.
    names = {brought(file, "reward-math", steps=steps).path.parent.name for steps in ("min", "prod")}
    assert names == {"prm_reward-min", "prm_reward-prod"}


def test_a_problem_that_occurs_twice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = math_rows(3, [1.0, 0.5])
    file = written(tmp_path / "rm_reward.json", [*rows, rows[0] | {"score": [0.0, 0.5]}])
    for data in (None, written(tmp_path / "data.json", math_data(3, 2))):
        result = brought(file, "reward-math", data)
        assert (result.value("accuracy"), result.record("accuracy").n_items) == (1.0, 3)
        assert "the problem occurs earlier in the file, and the earlier row is used: 1 row" in result.notes
    # It belongs to an item, and a row of another problem does not.
    assert "belong to no selected item" not in caplog.text
    brought(written(file, [*rows, rows[0] | {"problem": "What else?"}]), "reward-math", tmp_path / "data.json")
    assert "1 of 4 rows" in caplog.text


def test_verdicts_on_pairs_of_solutions(tmp_path: Path) -> None:
    """A verdict is right where both letters agree; all pairs must be right, and one that is missing is not."""
    positions = ["A", "B", "A"]
    letters = [["A", "B", "A"], ["A", "A", "A"], ["B", "A", None]]
    writers = ["model-3", "model-1", "model-2"]
    rows = [
        {"problem": f"What is {n}?", "solution_reference": writers, "score": own, "chosen_position": positions}
        for n, own in enumerate(letters)
    ]
    file = written(tmp_path / "gpt_pairwise_reward.json", rows)
    for data in (None, written(tmp_path / "data.json", math_data(3, 4))):
        result = brought(file, "reward-math", data)
        assert (result.value("accuracy"), result.value("pair_accuracy")) == (1 / 3, 5 / 9)
        assert result.record("pair_accuracy").failures == 1
        assert any("the response shown first is preferred in 75.0% of the verdicts" in note for note in result.notes)
    rows[0] = rows[0] | {"solution_reference": ["model-1", "model-2", "model-x"]}
    with pytest.raises(DataError, match="the wrong solutions of its 3 pairs are by other models than the wrong"):
        brought(written(file, rows), "reward-math", tmp_path / "data.json")


def test_no_data_and_a_file_that_states_its_items(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "m_result.json", [rmb_row("1", 2, 1)])
    done = command(capsys, "import", file, "-b", "rmb", "-o", tmp_path / "runs")
    assert (done.code, "or take the items from the file of scores with --items-from-scores" in done.err) == (2, True)


def math_prm() -> list[dict[str, Any]]:
    return [
        {"id": n, "subset": "math-prm", "prompt": f"What is {n}?"}
        | {"chosen": f"It is {n}.\nSurely.", "rejected": f"It is {n + 1}.\nSurely."}
        for n in range(4)
    ]


def test_math_prm_by_its_problems(tmp_path: Path) -> None:
    data = written(tmp_path / "math-prm.jsonl", math_prm())
    rows = [
        {"problem": f"What is {n}?", "solution_reference": ["human_to_GPT-4", "modified_with_GPT-4"], "score": [n, 1.5]}
        for n in (3, 0, 2, 1)
    ]
    result = brought(written(tmp_path / "rewardbench_rm.json", rows), "reward-bench", data)
    assert result.value("accuracy", "math-prm") == 0.5
    assert scores_of(result)["math-prm/3", 0] == 3.0
    for row in rows:
        row |= {name: row[name][::-1] for name in ("solution_reference", "score")}
    turned = brought(written(tmp_path / "rewardbench_rm.json", rows), "reward-bench", data)
    assert scores_of(turned) == scores_of(result)


def test_the_right_solution_is_that_of_a_person(tmp_path: Path) -> None:
    """Wherever it stands in the list."""
    rows = math_rows(2, [1.0, 2.0, 3.0])
    rows[1] |= {name: rows[1][name][::-1] for name in ("solution_reference", "score")}
    file = written(tmp_path / "rm_reward.json", rows)
    for data in (None, written(tmp_path / "data.json", math_data(2, 3))):
        assert brought(file, "reward-math", data).value("accuracy") == 0.0


def test_what_a_message_says_of_other_solutions_was_compared(tmp_path: Path) -> None:
    data = written(tmp_path / "data.json", math_data(2, 10))
    two = [{"problem": "What is 0?", "solution_reference": ["human_to_GPT-4", "modified_with_GPT-4"], "score": [1, 0]}]
    with pytest.raises(
        DataError,
        match=r"entry 0: the row has 2 solutions, but item 0 with the same problem has 10 responses: .*reward-bench",
    ):
        brought(written(tmp_path / "rewardbench_rm.json", two), "reward-math", data)
    other = math_rows(1, [1.0] * 10)
    other[0]["solution_reference"][3] = "model-x"
    with pytest.raises(DataError, match="names 'model-x' more often than item 0 with the same problem has responses"):
        brought(written(tmp_path / "rm_reward.json", other), "reward-math", data)


def test_a_row_a_solution_with_its_steps(tmp_path: Path) -> None:
    """RewardMATH's math-prm of PRMs: matched by the text, and where that differs by the kind."""
    data = written(tmp_path / "math-prm.jsonl", math_prm())
    rows = [
        {
            "problem": row["prompt"],
            "eval_solution": row[kind].split("\n") if number else ["Otherwise."],
            "output": {"step_scores": [0.9, 0.1 * (number if kind == "chosen" else 1.5)]},
            "problem_id": 7,
            "solution_type": kind,
        }
        for number, row in enumerate(math_prm())
        for kind in ("chosen", "rejected")
    ]
    random.Random(1).shuffle(rows)
    result = brought(written(tmp_path / "prm.json", rows), "reward-bench", data, steps="min")
    assert result.value("accuracy", "math-prm") == 0.5
    assert any(note.endswith("to which the scores are assigned: 2 rows") for note in result.notes)
    with pytest.raises(DataError, match=r"choose how to reduce them with `steps`"):
        brought(tmp_path / "prm.json", "reward-bench", data)


# RewardBench 2


def best_of_4(subset: str, number: str, prompt: str) -> dict[str, Any]:
    return {"id": number, "subset": subset, "prompt": prompt, "chosen": ["right"], "rejected": ["a", "b", "c"]}


@pytest.mark.parametrize("in_data", [False, True])
@pytest.mark.parametrize("rendered", [False, True])
def test_repeated_ids_are_repaired_by_text(tmp_path: Path, rendered: bool, in_data: bool) -> None:
    """A known error of RewardBench 2's files: several rows of Factuality have one id, whatever the data have."""
    data = [best_of_4("Factuality", str(n), f"Question {n}.") for n in range(6)]
    dump = [
        {
            "id": str(n % 3),
            "subset": "Factuality",
            "scores": [float(n), 2.5, 0, 0],
            "num_correct": 1,
            "results": float(n > 2.5),
            **({"text": [f"<u>Question {n}.<a>{text}" for text in ("right", "a", "b", "c")]} if rendered else data[n]),
        }
        for n in range(6)
    ]
    for n, row in enumerate(dump):
        row["id"] = str(n % 3)
    if in_data:
        data = [row | {"id": str(n % 3)} for n, row in enumerate(data)]
    random.Random(2).shuffle(dump)
    file = written(tmp_path / "dump.jsonl", dump)
    result = brought(file, "reward-bench-2", written(tmp_path / "data.jsonl", data))
    known = scores_of(result)
    names = [f"Factuality/{n % 3}{'' if n < 3 else '.2'}" if in_data else f"Factuality/{n}" for n in range(6)]
    assert [known[name, 0] for name in names] == [0, 1, 2, 3, 4, 5]
    assert result.value("accuracy", "Factuality") == 0.5
    assert any(
        note.startswith("the id occurs more than once in its subset, and the texts are") for note in result.notes
    )


def test_repeated_ids_without_texts_are_left_out(tmp_path: Path) -> None:
    data = [best_of_4("Factuality", str(n), f"Question {n}.") for n in range(4)]
    dump = {"id": ["0", "1", "1", "2"], "subset": ["Factuality"] * 4, "scores": [[1, 0, 0, 0]] * 4}
    file = written(tmp_path / "dump.json", dump)
    result = brought(file, "reward-bench-2", written(tmp_path / "data.jsonl", data))
    assert {item for item, _ in scores_of(result)} == {"Factuality/0", "Factuality/2"}
    assert any(note.endswith("no text identifies the item: excluded: 2 rows") for note in result.notes)
    again = brought(file, "reward-bench-2")
    assert {item for item, _ in scores_of(again)} == {"Factuality/0", "Factuality/2"}


def test_an_id_of_an_item_with_other_texts(tmp_path: Path) -> None:
    data = written(tmp_path / "data.jsonl", [best_of_4("Focus", str(n), f"Question {n}.") for n in range(3)])
    moved = best_of_4("Focus", "0", "Question 2.") | {"scores": [1, 0, 0, 0]}
    result = brought(written(tmp_path / "dump.jsonl", [moved]), "reward-bench-2", data)
    assert {item for item, _ in scores_of(result)} == {"Focus/2"}
    assert "the id belongs to an item with other texts, and the texts are used for matching: 1 row" in result.notes
    other = best_of_4("Focus", "0", "What else?") | {"scores": [1, 0, 0, 0]}
    with pytest.raises(DataError, match="its texts differ from those of item Focus/0, which has its id, and no other"):
        brought(written(tmp_path / "dump.jsonl", [other]), "reward-bench-2", data)


@pytest.mark.parametrize("of_file", [False, True])
def test_sampled_scores(tmp_path: Path, of_file: bool) -> None:
    """The mean of the samples that are no errors; ids are those of a subset, and occur in two."""
    data = [best_of_4(subset, str(n), f"{subset} {n}.") for subset in ("Math", "Focus") for n in range(2)]
    rows = [
        {
            "id": row["id"],
            "subset": row["subset"],
            "k": 3,
            "full_scores": [[9, 9, 0], [8, 8, 8], [1, 1, 1], [1, None, 1]],
            "full_errors": [[None, None, "timeout"], [None] * 3, [False] * 3, [False] * 3],
            "refused": False,
        }
        for row in data
    ]
    rows[0] |= {"full_scores": [[0, 0, 0]] * 4, "full_errors": [[True, True, True]] * 4, "refused": True}
    file = written(tmp_path / "judge.jsonl", rows[::-1])
    result = brought(file, "reward-bench-2", None if of_file else written(tmp_path / "data.jsonl", data))
    assert scores_of(result)["Focus/1", 0] == 9.0
    assert (result.value("accuracy", "Math"), result.value("accuracy", "Focus")) == (0.5, 1.0)
    assert "4 responses without a score (refused): the score rule defines how this counts" in result.notes
    assert "some samples are errors, and the mean excludes them: 4 rows" in result.notes


# CSV and JSON Lines


def pairs_data(tmp_path: Path) -> Path:
    return written(tmp_path / "prefs.jsonl", [row | {"id": f"00{n}"} for n, row in enumerate(pair_rows(4))])


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(data)
    return bytes(sink.getvalue())


WRITTEN = ("1.5", "1", "-2e-1", "", "nan", "0", "inf", "0")
LINES = [(f"00{n // 2}", n % 2, score) for n, score in enumerate(WRITTEN)]


@pytest.mark.parametrize("name", ["s.csv", "s.csv.gz", "s.csv.zst", "s.jsonl", "s.json", "s.json.gz", "s.json.zst"])
def test_our_own_scores_in_every_kind_of_file(tmp_path: Path, name: str) -> None:
    if "csv" in name:
        text = "item_id,response,score\n" + "".join(f"{item},{k},{score}\n" for item, k, score in LINES)
    else:
        rows = [{"item_id": i, "response": k, "score": float(score) if score else None} for i, k, score in LINES]
        text = "".join(json.dumps(row) + "\n" for row in rows)
    data = text.encode()
    packed = {"gz": gzip.compress(data), "zst": zstd(data)}
    file = tmp_path / name
    file.write_bytes(packed.get(name.rpartition(".")[2], data))
    result = brought(file, "pairs", pairs_data(tmp_path))
    # What is empty, no number or infinite is no score: a failure, which loses.
    assert (result.value("accuracy"), result.record("accuracy").failures) == (0.25, 3)
    assert result.manifest["model"]["name"] == "s"


@pytest.mark.parametrize(
    "header",
    [
        "id,chosen_score,rejected_score",
        "item_id,chosen_reward,rejected_reward",
        "id,reward_chosen,reward_rejected",
        "id,scores_chosen,scores_rejected",
    ],
)
def test_csv_of_pairs_of_scores(tmp_path: Path, header: str) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(f"{header}\n003,2,1\n000,1.25,-1\n001,0,0\n002,,3\n")
    result = brought(file, "pairs", pairs_data(tmp_path))
    record = result.record("accuracy")
    assert (record.value, record.ties, record.failures) == (0.5, 1, 1)
    assert scores_of(result)["000", 1] == -1.0


def test_csv_of_pairs_by_their_texts(tmp_path: Path) -> None:
    rows = pair_rows(4)
    lines = [f'"{row["prompt"]}","{row["chosen"]}","{row["rejected"]}",{n},1.5' for n, row in enumerate(rows)]
    file = tmp_path / "scores.csv"
    file.write_text("prompt,chosen,rejected,chosen_score,rejected_score\n" + "\n".join(reversed(lines)) + "\n")
    assert brought(file, "pairs", pairs_data(tmp_path)).value("accuracy") == 0.5
    file.write_text("chosen_score,rejected_score\n1,0\n")
    with pytest.raises(DataError, match="line 2: the row has neither an 'id' nor texts that identify an item"):
        brought(file, "pairs", pairs_data(tmp_path))


def test_an_answer_by_its_text(tmp_path: Path) -> None:
    row = pair_rows(1)[0]
    lines = [{"item_id": "000", "response": row[side], "score": k} for k, side in enumerate(("rejected", "chosen"))]
    assert brought(written(tmp_path / "s.jsonl", lines), "pairs", pairs_data(tmp_path)).value("accuracy") == 1.0
    with pytest.raises(
        DataError, match="'response' is the text of 0 responses of item 000: give its number, from 0 to 1"
    ):
        brought(written(tmp_path / "s.jsonl", [lines[0] | {"response": "no"}]), "pairs", pairs_data(tmp_path))


def test_an_answer_of_digits_in_csv(tmp_path: Path) -> None:
    """A cell is an answer's number or its text; where it may be both, it is refused."""
    row = {"prompt": "How much is 6 times 7?", "chosen": "42", "rejected": "41", "id": "7"}
    data = written(tmp_path / "prefs.jsonl", [row])
    file = tmp_path / "s.csv"
    for chosen, rejected in (("42", "41"), ("0", "1"), ("0.0", "1.0"), ("0", "41")):
        file.write_text(f"item_id,response,score\n7,{rejected},1\n7,{chosen},2\n")
        assert brought(file, "pairs", data).value("accuracy") == 1.0
    written(data, [row | {"chosen": "1", "rejected": "0"}])
    file.write_text("item_id,response,score\n7,0,1\n7,1,2\n")
    with pytest.raises(DataError, match="line 2: 'response' '0' is the number of one response of item 7 and the text"):
        brought(file, "pairs", data)
    lines = [{"item_id": "7", "response": place, "score": -place} for place in range(2)]
    assert brought(written(tmp_path / "s.jsonl", lines), "pairs", data).value("accuracy") == 1.0


def test_texts_within_message_lists(tmp_path: Path) -> None:
    """Preference data with whole conversations, with two numbers beside them."""
    rows = []
    for number, row in enumerate(pair_rows(4)):
        prompt = [{"role": "user", "content": row["prompt"]}]
        sides = {side: [*prompt, {"role": "assistant", "content": row[side]}] for side in ("chosen", "rejected")}
        rows.append({"prompt": prompt, **sides, "chosen_score": number, "rejected_score": 1.5})
    random.Random(3).shuffle(rows)
    assert brought(written(tmp_path / "s.jsonl", rows), "pairs", pairs_data(tmp_path)).value("accuracy") == 0.5


# Items as the file states them


def test_reward_bench_without_texts(tmp_path: Path) -> None:
    rows = reward_bench_rows({"hep-go": 2, "donotanswer": 3})
    stated = {name: [row[name] for row in rows] for name in ("id", "subset")}
    file = written(tmp_path / "m.json", stated | {"scores_chosen": [2, 0, 1, 1, 1], "scores_rejected": [1] * 5})
    result = brought(file, "reward-bench")
    assert (result.value("accuracy", "hep-go"), result.record("accuracy", "donotanswer").ties) == (0.5, 3)
    # Texts beside an id and a subset, rendered or not, need not be those of the items, which have none.
    rows = [row | {"text_chosen": f"<a>{row['chosen']}", "text_rejected": f"<a>{row['rejected']}"} for row in rows]
    numbers = {"scores_chosen": [2, 0, 1, 1, 1], "scores_rejected": [1] * 5}
    for names in (("prompt", "chosen", "rejected"), ("text_chosen", "text_rejected")):
        texts = {name: [row[name] for row in rows] for name in names}
        again = brought(written(tmp_path / "m.json", stated | texts | numbers), "reward-bench")
        assert [record.value for record in again.records] == [record.value for record in result.records]
        assert again.notes == result.notes
    # Nothing is known of the texts, and so of the longest.
    assert result.record("accuracy", "hep-go").null["longest"] == 0.5
    assert not any("they are equal" in note for note in result.notes)


@pytest.mark.parametrize(
    ("options", "benchmark", "sentence"),
    [
        (
            ["--items-from-scores"],
            "judgebench",
            "not contain the items of judgebench: give --benchmark reward-bench, or --data",
        ),
        (["--items-from-scores"], "pairs", "contain the items of pairs: give --benchmark reward-bench, or --data"),
        (["--items-from-scores", "--data", "x.jsonl"], "reward-bench", "no --data: leave out one of them"),
    ],
)
def test_items_that_no_file_states(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], benchmark: str, sentence: str
) -> None:
    file = written(tmp_path / "m.jsonl", [{"id": 1, "subset": "hep-go", "scores_chosen": 1, "scores_rejected": 0}])
    done = command(capsys, "import", file, "-b", benchmark, *options, "-o", tmp_path / "runs")
    assert (done.code, sentence in done.err) == (2, True), done.err


def test_the_oracle_states_no_items(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "import", "--oracle", "-b", "rmb", "--items-from-scores", "-o", tmp_path)
    assert (done.code, "--items-from-scores needs a file of scores" in done.err) == (2, True)


def test_a_folder_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "scores.jsonl"
    folder.mkdir()
    done = command(capsys, "import", folder, "-b", "pairs", "--data", pairs_data(tmp_path), "-o", tmp_path / "runs")
    assert (done.code, f"{folder} is a folder: give the file in it" in done.err) == (2, True)


def test_the_name_in_a_file_moves_no_cursor(tmp_path: Path) -> None:
    rows = reward_bench_rows({"hep-go": 2})
    columns = {name: [row[name] for row in rows] for name in ("id", "subset")} | {"model": "org/\x1b[31mrm"}
    file = written(tmp_path / "m.json", columns | {"scores_chosen": [2, 0], "scores_rejected": [1, 1]})
    assert brought(file, "reward-bench").manifest["model"]["name"] == "org/\\x1b[31mrm"


def test_accuracies_are_no_scores(tmp_path: Path) -> None:
    file = written(tmp_path / "m.json", {"model": "m", "hep-go": 0.5, "hep-js": 0.25})
    with pytest.raises(
        DataError,
        match=r"accuracies instead of scores: show them with rmeval show .*m.json --from-subsets",
    ):
        brought(file, "reward-bench")
