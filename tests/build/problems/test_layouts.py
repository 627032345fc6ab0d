"""Layouts of files of problems, by rows of own contents and by the published files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from rmeval.build import Record
from rmeval.build.problems.layouts import LAYOUTS
from rmeval.errors import DataError
from rmeval.sandbox import Sandbox, TestSuite
from rmeval.solutions.keys import boxes
from tests.build.problems.samples import (
    GSM8K,
    HUMANEVAL,
    MATH,
    MBPP,
    PACK,
    PREFERENCES,
    SANITIZED,
    problems_of,
    reasons_of,
    run_stage,
    write_rows,
)


def test_humaneval(tmp_path: Path) -> None:
    (found,) = problems_of(tmp_path, [HUMANEVAL])
    assert found.id == "HumanEval/900"
    assert found.prompt == f"Complete this Python function:\n\n```\n{HUMANEVAL['prompt'].rstrip()}\n```"
    suite = TestSuite(**found.tests)
    assert (suite.kind, suite.entry_point, suite.context) == ("check", "half", HUMANEVAL["prompt"])
    sandbox = Sandbox()
    assert sandbox.verify(HUMANEVAL["prompt"] + HUMANEVAL["canonical_solution"], suite).status == "pass"
    assert sandbox.verify("def half(x): return x", suite).status == "fail"


@pytest.mark.parametrize("row", [MBPP, SANITIZED], ids=["full", "sanitized"])
def test_mbpp(tmp_path: Path, row: Mapping[str, Any]) -> None:
    (found,) = problems_of(tmp_path, [row])
    assert found.id == f"MBPP/{row['task_id']}"
    assert row["test_list"][0] in found.prompt
    assert found.prompt.startswith(row.get("text") or row["prompt"])
    assert not any(test in found.prompt for test in row["test_list"][1:]), "only one test is shown"
    suite = TestSuite(**found.tests)
    assert suite.entry_point == ("double" if row is MBPP else "root")
    assert Sandbox().verify(row["code"], suite).status == "pass"
    assert Sandbox().verify(f"def {suite.entry_point}(x): return None", suite).status == "fail"


def test_gsm8k(tmp_path: Path) -> None:
    other = GSM8K | {"question": "And how many are half of them?", "answer": "#### -600.5"}
    first, second = problems_of(tmp_path, [GSM8K, other])
    assert (first.answer, second.answer) == ("1200", "-600.5")
    assert first.prompt == GSM8K["question"]
    again = {one.prompt: one.id for one in problems_of(tmp_path, [other, GSM8K])}
    assert again == {one.prompt: one.id for one in (first, second)}, "ids do not depend on the order of rows"


@pytest.mark.parametrize(
    ("solution", "key"),
    [
        (MATH["solution"], "\\frac{1}{6}"),
        ("It is $\\boxed{\\text{the set } \\{1, 2\\}}$.", "\\text{the set } \\{1, 2\\}"),
        ("It is \\fbox{3}.", "3"),
        ("It is $\\boxed 7$.", "7"),
        ("First \\boxed{4}, then a box that is not closed: \\boxed{5", "4"),
    ],
)
def test_math(tmp_path: Path, solution: str, key: str) -> None:
    (found,) = problems_of(tmp_path, [MATH | {"solution": solution}])
    assert (found.id, found.answer, found.meta["level"]) == ("MATH/7", key, "Level 1")
    (found,) = problems_of(tmp_path, [MATH | {"solution": solution, "answer": "own", "unique_id": "test/7"}])
    assert (found.id, found.answer) == ("MATH/test/7", "own")


def test_math_without_a_key_is_left_out(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [MATH, MATH | {"idx": 8, "problem": "Why?", "solution": "Hm."}])
    found = run_stage(tmp_path, {"d": {"problems": {"file": "rows.jsonl"}}})
    assert reasons_of(found) == {"MATH/8": "no key"}


def test_preferences_give_prompts(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}, {"role": "user", "content": "r"}]
    rows = [
        PREFERENCES,
        PREFERENCES | {"id": "p2", "prompt": [{"role": "user", "content": "One turn?"}]},
        PREFERENCES | {"id": "p3", "prompt": turns},
    ]
    write_rows(tmp_path / "rows.jsonl", rows)
    found = run_stage(tmp_path, {"d": {"problems": {"file": "rows.jsonl"}}})
    assert [one.problem.prompt for one in found if isinstance(one, Record)] == ["Why is the sky blue?", "One turn?"]
    assert reasons_of(found) == {"p3": "more than one turn"}


def test_humanevalpack(tmp_path: Path) -> None:
    python = PACK | {
        "task_id": "Python/904",
        "prompt": 'def twice(x):\n    """Return two times it."""\n',
        "test": "def check(twice):\n    assert twice(2) == 4\n\ncheck(twice)\n",
    }
    script = PACK | {
        "task_id": "JavaScript/905",
        "prompt": "const twice = (x) => {\n",
        "test": "const test = () => { console.assert(twice(2) === 4) }\ntest()\n",
    }
    write_rows(tmp_path / "rows.jsonl", [PACK, python, script, PACK | {"task_id": "Go/906"}])
    found = run_stage(tmp_path, {"d": {"problems": {"file": "rows.jsonl"}}})
    assert reasons_of(found) == {"Go/906": "no tests that can be run"}
    by_id = {one.problem.id: one.problem for one in found if isinstance(one, Record)}
    assert by_id["CPP/903"].prompt == PACK["instruction"]
    assert {name: (one.tests["kind"], one.tests["language"]) for name, one in by_id.items()} == {
        "CPP/903": ("program", "cpp"),
        "Python/904": ("asserts", "python"),
        "JavaScript/905": ("program", "javascript"),
    }
    assert by_id["Python/904"].meta == {"cluster": "HumanEval/904"}
    suite = TestSuite(**by_id["Python/904"].tests)
    assert [Sandbox().verify(f"def twice(x): return {body}", suite).status for body in ("2 * x", "x")] == [
        "pass",
        "fail",
    ]


def test_rows_of_all_kinds_of_files(tmp_path: Path) -> None:
    rows = [{"id": "a", "prompt": "What is 1 + 1?", "answer": "2"}, {"id": "b", "prompt": "What is two?", "answer": ""}]
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    (tmp_path / "one.jsonl").write_text(text)
    (tmp_path / "two.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "three.json").write_text(json.dumps(rows))
    (tmp_path / "four.csv").write_text("id,prompt,answer\na,What is 1 + 1?,2\nb,What is two?,\n")
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "five.parquet")
    seen = set()
    for file in ("one.jsonl", "two.jsonl.gz", "three.json", "four.csv", "five.parquet"):
        found = run_stage(tmp_path, {"d": {"problems": {"file": file}}})
        seen.add(
            tuple((one.problem.id, one.problem.prompt, one.problem.answer) for one in found if isinstance(one, Record))
        )
    assert seen == {(("a", "What is 1 + 1?", "2"), ("b", "What is two?", ""))}


def test_columns_are_renamed_and_ids_made(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"frage": "Was ist eins und eins?", "loesung": 2, "language": "de", "license": "MIT"},
        {"frage": "Was ist eine Hälfte von drei?", "loesung": 1.5, "language": "Python"},
    ]
    first, second = problems_of(tmp_path, rows, columns={"prompt": "frage", "answer": "loesung"})
    assert (first.answer, first.language, first.source.licence) == ("2", "de", "MIT")
    assert (second.answer, second.language, second.source.licence) == ("1.5", "en", "")
    assert first.id != second.id
    assert (first.source.data, first.source.row) == ("rows.jsonl", "line 1")


def test_tests_of_rows(tmp_path: Path) -> None:
    suite = {"kind": "io", "language": "python", "cases": [["3\n", "9\n"]]}
    rows: list[dict[str, Any]] = [
        {"id": "1", "prompt": "Write square(x).", "tests": ["assert square(3) == 9"]},
        {"id": "2", "prompt": "Write a function cube(x).", "tests": "assert cube(2) == 8"},
        {"id": "3", "prompt": "Read a number and print its square.", "tests": suite},
        {"id": "4", "prompt": "Read one number, then print the square of it.", "tests": json.dumps(suite)},
    ]
    found = problems_of(tmp_path, rows)
    assert [one.tests["entry_point"] for one in found] == ["square", "cube", "", ""]
    assert found[2].tests == found[3].tests
    assert Record.from_dict(json.loads(json.dumps(Record(found[2]).to_dict()))) == Record(found[2])
    assert Sandbox().verify("print(int(input()) ** 2)", TestSuite(**found[2].tests)).status == "pass"


@pytest.mark.parametrize(
    "row",
    [
        {"id": "9", "prompt": "Write square(x).", "tests": ["assert square(3) == 9\nassert square(2 =="]},
        HUMANEVAL | {"test": "def check(candidate):\nassert candidate(3) == 1.5\n"},
        MBPP | {"test_setup_code": "import"},
    ],
)
def test_tests_that_do_not_compile_are_left_out_before_any_call(tmp_path: Path, row: Mapping[str, Any]) -> None:
    with pytest.raises(DataError, match="1 tests that do not compile"):
        problems_of(tmp_path, [row])


@pytest.mark.parametrize(
    ("row", "options", "message"),
    [
        ({"question": "x"}, {}, "rows.jsonl line 1: the columns (question) are those of no known layout"),
        ({"prompt": 3}, {}, "line 1: column 'prompt' must be a string"),
        ({"prompt": "x"}, {"layout": "gsm8k"}, "line 1: column 'answer' is missing"),
        ({"prompt": "x"}, {"columns": {"prompt": "text"}}, "line 1: column 'text' is missing"),
        ({"prompt": "x"}, {"columns": {"task": "prompt"}}, "the layout rows has no column 'task'"),
        ({"prompt": "x", "answer": [1]}, {}, "line 1: column 'answer' must be a string or a number"),
        ({"prompt": "x", "answer": float("nan")}, {}, "line 1: column 'answer' is nan, which is not a finite number"),
        ({"prompt": "x", "id": ""}, {}, "line 1: column 'id' is empty"),
        ({"prompt": "x", "tests": 3}, {}, "line 1: column 'tests' must be"),
        ({"prompt": "x", "tests": {"kind": "asserts", "codes": "a"}}, {}, "no field 'codes': did you mean code"),
        ({"prompt": "x", "tests": {"kind": "magic", "code": "a"}}, {}, "column 'tests' is wrong"),
        ({"prompt": "x", "tests": {"kind": "io"}}, {}, "column 'tests' is wrong (tests of the kind io need"),
        ({"prompt": "x", "tests": {"kind": "program", "code": "a", "language": "cobol"}}, {}, "no language 'cobol'"),
        ({"prompt": "x", "tests": "{1"}, {}, "line 1: column 'tests' is broken JSON"),
        ({"question": "x", "answer": "7"}, {"layout": "gsm8k"}, "no last line '#### key'"),
        (MBPP | {"test_list": []}, {}, "column 'test_list' is empty"),
    ],
)
def test_wrong_rows_are_one_sentence(tmp_path: Path, row: Mapping[str, Any], options: Any, message: str) -> None:
    with pytest.raises(DataError) as error:
        problems_of(tmp_path, [row], **options)
    assert message in str(error.value)


def test_wrong_files_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "broken.jsonl").write_text('{"prompt": "x"}\n{"prompt": \n')
    (tmp_path / "twice.jsonl").write_text('{"id": "a", "prompt": "x"}\n{"id": "a", "prompt": "y"}\n')
    for file, message in {
        "empty.jsonl": "empty.jsonl is empty",
        "broken.jsonl": "broken.jsonl line 2: broken JSON",
        "twice.jsonl": f"line 2: the id 'a' occurs already at {tmp_path / 'twice.jsonl'} line 1",
        "none.jsonl": "there is no file",
    }.items():
        with pytest.raises(DataError) as error:
            run_stage(tmp_path, {"d": {"problems": {"file": file}}})
        assert message in str(error.value)


def test_layouts_are_recognised_by_their_own_columns(tmp_path: Path) -> None:
    rows = {
        "humaneval": HUMANEVAL,
        "humanevalpack": PACK,
        "mbpp": MBPP,
        "gsm8k": GSM8K,
        "math": MATH,
        "preferences": PREFERENCES,
        "rows": {"id": "x", "prompt": "y"},
    }
    assert set(rows) == set(LAYOUTS)
    for name, row in rows.items():
        assert problems_of(tmp_path, [row]) == problems_of(tmp_path, [row], layout=name), name


def test_the_published_files(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "problems"
    files = {"HumanEval.jsonl.gz": 164, "mbpp.jsonl": 974, "gsm8k_test.jsonl": 1319}
    problems = {"file": [str(folder / file) for file in files]}
    found = run_stage(tmp_path, {"d": {"problems": problems, "filters": {"near_duplicates": None}}})
    assert len(found) == sum(files.values())
    kept = [one.problem for one in found if isinstance(one, Record)]
    assert all(one.answer or one.tests["entry_point"] for one in kept)
    assert set(reasons_of(found).values()) == {"duplicate"}


def test_published_layouts_in_parquet(tmp_path: Path) -> None:
    """The hub has them in this format."""
    for number, row in enumerate((HUMANEVAL, MBPP, SANITIZED, GSM8K, MATH, PACK)):
        pyarrow.parquet.write_table(pa.Table.from_pylist([row]), tmp_path / f"{number}.parquet")
        found = run_stage(tmp_path, {"d": {"problems": {"file": f"{number}.parquet"}}})
        (own,) = [one.problem for one in found if isinstance(one, Record)]
        (other,) = problems_of(tmp_path, [row])
        assert (own.id, own.prompt, own.tests, own.answer) == (other.id, other.prompt, other.tests, other.answer)


def test_boxes_are_read_in_one_pass() -> None:
    looping = "\\boxed{" * 200_000 + "3}"
    assert boxes(looping) == ["3"]
    text = "\\boxed{\\frac{1}{2}} \\boxed 7 \\fbox{\\{1, 2\\}} \\boxed{} \\boxed{a \\boxed{b}} \\boxed{open"
    assert boxes(text) == ["\\frac{1}{2}", "7", "\\{1, 2\\}", "a \\boxed{b}", "b"]
