"""Export to annotation tools, and import of what they export."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from rmeval.build.review.log import read_reviews
from tests.build.review.reviewed import chat_record, records_of, write_build
from tests.command import Done, command

VERDICTS = {"1": "unsure", "2": "incorrect", "styles": "correct"}


def exported(capsys: pytest.CaptureFixture[str], folder: Path, tool: str, out: Path, *more: object) -> Done:
    done = command(capsys, "build", "export", folder, "--for", tool, "-o", out, *more)
    assert done.code == 0, done.err
    return done


def imported(capsys: pytest.CaptureFixture[str], folder: Path, file: Path, *more: object) -> Done:
    return command(capsys, "build", "import", folder, file, "--reviewer", "anna", *more)


def annotated(task: dict[str, Any], by: Any, verdicts: dict[str, str], comment: str = "") -> dict[str, Any]:
    """A task as Label Studio exports it."""
    results: list[dict[str, Any]] = [
        {
            "id": f"x{name}",
            "type": "choices",
            "from_name": f"verdict_{name}",
            "to_name": "prompt",
            "origin": "manual",
            "value": {"choices": [label]},
        }
        for name, label in verdicts.items()
    ]
    if comment:
        results.append(
            {"id": "y", "type": "textarea", "from_name": "comment_1", "to_name": "prompt", "value": {"text": [comment]}}
        )
    annotation = {"id": 7, "completed_by": by, "was_cancelled": False, "ground_truth": False, "result": results}
    skipped = {"id": 8, "completed_by": by, "was_cancelled": True, "result": []}
    return {**task, "id": 3, "annotations": [skipped, annotation], "predictions": [], "project": 1}


def answered(record: dict[str, Any], by: str, verdicts: dict[str, str], comment: str = "") -> dict[str, Any]:
    """A record as Argilla exports it."""
    responses = {f"verdict_{name}": [{"value": label, "user_id": by}] for name, label in verdicts.items()}
    responses |= {"comment_1": [{"value": comment, "user_id": by}]} if comment else {}
    return {**record, "responses": responses, "status": "completed", "_server_id": "0"}


def test_label_studio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = write_build(tmp_path / "my-bench", records_of(8, 2))
    tasks = tmp_path / "tasks.json"
    exported(capsys, build.path, "label-studio", tasks)
    found = json.loads(tasks.read_text())
    assert len(found) == 10
    interface = ElementTree.parse(tmp_path / "tasks.xml").getroot()
    shown = {element.attrib["value"].removeprefix("$") for element in interface.iter("Text")}
    assert shown == found[0]["data"].keys() - {"record", "texts", "domain"}
    names = {element.attrib["name"] for element in interface.iter() if "name" in element.attrib}
    assert {element.attrib["toName"] for element in interface.iter() if "toName" in element.attrib} <= names
    assert not re.search("chosen|rejected|claimed", tasks.read_text() + (tmp_path / "tasks.xml").read_text())
    chats = [task["data"] for task in found if task["data"]["domain"] == "chat"]
    wrong_first = {data["record"]: "New" in data["response_1_concise"] for data in chats}
    assert set(wrong_first.values()) == {True, False}
    tasks.write_text(json.dumps([annotated(task, 1, VERDICTS, " why? ") for task in found]))
    done = imported(capsys, build.path, tasks)
    assert (done.code, done.out) == (0, "30 verdicts of 10 items stored for anna\n")
    reviews = {(one.key, one.question): one for one in read_reviews(build.review, "anna")}
    for key, first in wrong_first.items():
        assert reviews[key, "rejected"].verdict == ("unsure" if first else "incorrect")
        assert reviews[key, "rejected"].comment == ("why?" if first else "")
        assert reviews[key, "chosen"].verdict == ("incorrect" if first else "unsure")
        assert reviews[key, "styles"].mode == "import"
    again = imported(capsys, build.path, tasks)
    assert again.out == "0 verdicts of 10 items stored for anna, and 30 were there already\n"
    assert len(read_reviews(build.review, "anna")) == 30


@pytest.mark.parametrize("as_folder", [True, False])
def test_argilla(tmp_path: Path, capsys: pytest.CaptureFixture[str], as_folder: bool) -> None:
    build = write_build(tmp_path / "my-bench", records_of(4, 0))
    out = tmp_path / "argilla"
    exported(capsys, build.path, "argilla", out)
    settings = json.loads((out / ".argilla" / "settings.json").read_text())
    records = json.loads((out / "records.json").read_text())
    fields = {field["name"] for field in settings["fields"]}
    assert all(record["fields"].keys() <= fields for record in records)
    assert json.loads((out / ".argilla" / "dataset.json").read_text())["name"] == "my-bench"
    assert not re.search("chosen|rejected|claimed", json.dumps(records))
    (out / "records.json").write_text(json.dumps([answered(record, "u-1", VERDICTS, "so") for record in records]))
    done = imported(capsys, build.path, out if as_folder else out / "records.json")
    assert (done.code, done.out) == (0, "12 verdicts of 4 items stored for anna\n")
    assert sorted(one.comment for one in read_reviews(build.review, "anna")) == [""] * 8 + ["so"] * 4


def test_several_annotators(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = write_build(tmp_path / "my-bench", records_of(1, 0))
    tasks = tmp_path / "tasks.json"
    exported(capsys, build.path, "label-studio", tasks)
    (task,) = json.loads(tasks.read_text())
    both = annotated(task, {"id": 1, "email": "anna@example.org"}, VERDICTS)
    both["annotations"] += annotated(task, {"id": 2, "email": "bert@example.org"}, {"1": "correct"})["annotations"]
    tasks.write_text(json.dumps([both]))
    done = imported(capsys, build.path, tasks)
    assert done.code == 2
    assert "2 persons (anna@example.org, bert@example.org): choose one with --by" in done.err
    assert imported(capsys, build.path, tasks, "--by", "carl").code == 2
    assert imported(capsys, build.path, tasks, "--by", "bert@example.org").out.startswith("1 verdict of 1 item stored")


def bad_label(task: dict[str, Any]) -> list[Any]:
    return [annotated(task, 1, {"1": "right"})]


def bad_question(task: dict[str, Any]) -> list[Any]:
    return [annotated(task, 1, {"3": "correct"})]


def two_labels(task: dict[str, Any]) -> list[Any]:
    found = annotated(task, 1, {"1": "correct"})
    found["annotations"][1]["result"][0]["value"]["choices"] = ["correct", "unsure"]
    return [found]


def lonely_comment(task: dict[str, Any]) -> list[Any]:
    return [annotated(task, 1, {"2": "correct"}, "hm")]


def other_item(task: dict[str, Any]) -> list[Any]:
    return [annotated({"data": {**task["data"], "record": "chat/99"}}, 1, VERDICTS)]


def other_texts(task: dict[str, Any]) -> list[Any]:
    return [annotated({"data": {**task["data"], "texts": "0" * 32}}, 1, VERDICTS)]


def no_record(task: dict[str, Any]) -> list[Any]:
    return [annotated({"data": {**task["data"], "record": 7}}, 1, VERDICTS)]


def no_texts(task: dict[str, Any]) -> list[Any]:
    found = annotated(task, 1, {"1": "correct"})
    found["annotations"][1]["result"][0]["value"]["choices"] = [5]
    return [found]


def flat(task: dict[str, Any]) -> list[Any]:
    return [{**task["data"], "verdict_1": "correct"}]


def unannotated(task: dict[str, Any]) -> list[Any]:
    return [{**task, "annotations": []}]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (bad_label, "task 1: the verdict 'right' is unknown: choose one of correct, incorrect, unsure"),
        (bad_question, "task 1: there is no question '3': choose one of 1, 2, styles"),
        (two_labels, "task 1: verdict_1 has 2 labels: choose one"),
        (lonely_comment, "task 1: the comment on question 1 of 'chat/0' has no verdict: give one"),
        (other_item, "task 1: the build has no item 'chat/99': import into the build it came from"),
        (other_texts, "task 1: the texts of 'chat/0' have changed since the export: export the items again"),
        (flat, "task 1 has no field annotations: export the project in the format JSON, not JSON_MIN"),
        (unannotated, "the file has no annotation: export the project after its items were judged"),
        (lambda task: {"a": 1}, "is not a list of tasks: export the project as JSON"),
        (lambda task: [{"annotations": 3, "data": {}}], "task 1: the field annotations is not a list of objects"),
        (lambda task: [{"annotations": [], "data": 3}], "task 1: the field data is not an object"),
        (no_record, "task 1: the field record is not a text: import a file made from an export of rmeval"),
        (no_texts, "task 1: the value of verdict_1 is not a list of texts: export the project again"),
    ],
)
def test_wrong_files_are_explained_and_store_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any, sentence: str
) -> None:
    build = write_build(tmp_path / "my-bench", [chat_record(0, "France"), chat_record(1, "Peru")])
    tasks = tmp_path / "tasks.json"
    exported(capsys, build.path, "label-studio", tasks)
    good, bad = json.loads(tasks.read_text())[::-1]
    assert bad["data"]["record"] == "chat/0"
    changed = change(bad)
    more = [annotated(good, 1, VERDICTS)] if isinstance(changed, list) and changed[0].get("annotations") else []
    tasks.write_text(json.dumps([*changed, *more] if isinstance(changed, list) else changed))
    done = imported(capsys, build.path, tasks)
    assert (done.code, sentence in done.err, done.err.count("\n")) == (2, True, 1), done.err
    assert read_reviews(build.review, "anna") == []


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "there is no file"),
        (b'[{"id": ', "records.json is not JSON ("),
        (b'["\xff"]', "records.json is not JSON ("),
        (
            b'[{"id": "chat/0", "fields": {}}]',
            "records.json record 1 has no field responses: write the records with `to_json`",
        ),
    ],
)
def test_files_of_argilla_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes | None, sentence: str
) -> None:
    build = write_build(tmp_path / "my-bench", records_of(1, 0))
    file = tmp_path / "records.json"
    if data is not None:
        file.write_bytes(data)
    done = imported(capsys, build.path, file)
    assert (done.code, sentence in done.err, done.err.count("\n")) == (2, True, 1), done.err


def test_files_are_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = write_build(tmp_path / "my-bench", records_of(1, 0))
    out = tmp_path / "tasks.json"
    exported(capsys, build.path, "label-studio", out, "--stage", "responses")
    assert json.loads(out.read_text())[0]["data"].keys() >= {"response_1_1", "response_2_1"}
    done = command(capsys, "build", "export", build.path, "--for", "label-studio", "-o", out)
    assert (done.code, "exists: choose another -o, or give --overwrite" in done.err) == (2, True)
    exported(capsys, build.path, "label-studio", out, "--overwrite")


def test_a_build_without_the_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "build", "export", tmp_path, "--for", "argilla", "-o", tmp_path / "x")
    assert done.code == 2
    assert "has finished the stage styles: run `rmeval build CONFIG" in done.err
