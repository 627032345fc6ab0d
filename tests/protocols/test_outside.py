"""A protocol from outside the package: as a file and as an installed package, run, killed, continued and shown."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import rmeval
from rmeval.errors import RunError
from rmeval.results.result import derive
from rmeval.store.journal import read_journal
from rmeval.store.run import read_run, read_scored
from tests.command import command, process
from tests.samples import pair_rows

SOURCE = Path(__file__).parent / "graded.py"
N = 24


@pytest.fixture
def place(tmp_path: Path) -> Path:
    shutil.copy(SOURCE, tmp_path / "graded.py")
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pair_rows(N)))
    return tmp_path


def evaluate(place: Path, out: str = "runs", **options: Any) -> rmeval.Result:
    return rmeval.evaluate(f"{place / 'graded.py'}:Grader", "pairs", place / "pairs.jsonl", out=place / out, **options)


def grades(prompt: str, text: str) -> list[list[float]]:
    """What the grader says, by hand; the votes that cannot be read are left out."""
    return [
        [len(text) / 100, len(text) / 200, len(text) / (300 + 100 * vote)]
        for vote in range(3)
        if (sum(map(ord, prompt + text)) + vote) % 30 >= 4
    ]


def test_votes_and_lists_become_the_numbers_that_one_computes_by_hand(place: Path) -> None:
    result = evaluate(place)
    for variant, step in (("min/mean", min), ("mean/mean", lambda own: sum(own) / len(own))):
        won = 0.0
        for row in pair_rows(N):
            sides = [
                np.mean([step(own) for own in found]) if (found := grades(row["prompt"], row[side])) else np.nan
                for side in ("chosen", "rejected")
            ]
            won += sides[0] > sides[1]
        record = result.record("accuracy", variant=variant)
        assert record.value == pytest.approx(won / N)
        assert record.variant == variant
    (note,) = [note for note in result.notes if "worst" in note]
    assert note.startswith("the first step is the worst in 0 of")


def test_every_request_is_asked_and_its_answer_kept(place: Path) -> None:
    result = evaluate(place)
    seen = [one for batch in read_journal(result.path / "journal") for one in batch]
    assert len({one.key for one in seen}) == len(seen) == 2 * N * 3
    counts = Counter(one.status for one in seen)
    assert set(counts) == {"ok", "refused", "no_verdict", "unparsed", "error"}
    (broken,) = {one.error for one in seen if one.status == "error"}
    assert broken is not None and "use finite numbers, or a status with the reason" in broken
    rows = pq.read_table(result.path / "scores.parquet").to_pylist()
    assert [row["vote"] for row in rows] == [0, 1, 2] * 2 * N
    assert all((row["vector"] is not None) == (row["choice"] is not None) == (row["status"] == "ok") for row in rows)
    # What is read from the derived file is what is read from the journal.
    spec = f"{place / 'graded.py'}:Graded"
    one, other = read_run(result.path, protocol=spec), read_scored(result.path, protocol=spec)
    for variant in one.variants:
        assert np.array_equal(one.evidence(variant).scores, other.evidence(variant).scores, equal_nan=True)
    assert derive(result.path, protocol=spec).records == result.records == rmeval.open_run(result.path).records


@pytest.mark.slow
def test_killed_and_continued(place: Path) -> None:
    """What was written before the process was killed is not asked again, and the numbers are the same."""
    arguments = ["run", f"{place / 'graded.py'}:Grader", "-b", "pairs", "--data", place / "pairs.jsonl"]
    arguments += ["--batch-size", 4, "--model-kwargs", "wait=0.05", "-o", place / "killed"]
    victim = subprocess.Popen(
        [sys.executable, "-m", "rmeval", *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size > 2000 for path in place.glob("killed/*/*/*/journal/*.jsonl")):
        assert victim.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    (folder,) = place.glob("killed/pairs/*/*")
    before = [one for batch in read_journal(folder / "journal") for one in batch]
    assert 0 < len(before) < 2 * N * 3
    done = process("-m", "rmeval", *arguments)
    assert done.returncode == 0, done.stderr
    after = [one for batch in read_journal(folder / "journal") for one in batch]
    again = [key for key, count in Counter(one.key for one in after).items() if count > 1]
    assert set(again) == {one.key for one in before if one.status == "error"}
    straight = evaluate(place, model_kwargs={"wait": 0.0})
    assert rmeval.open_run(folder).records == straight.records


def test_an_order_drawn_from_the_items_id(place: Path) -> None:
    """A judge that prefers what it reads first wins exactly the items whose better answer the draw puts first."""
    shutil.copy(SOURCE.with_name("seeded.py"), place)
    spec = f"{place / 'seeded.py'}:Seeded"
    result = rmeval.evaluate(f"{place / 'seeded.py'}:First", "pairs", place / "pairs.jsonl", out=place / "runs")
    run = read_run(result.path, protocol=spec)
    first = [hashlib.sha256(f"7 {name}".encode()).digest()[0] % 2 == 0 for name in run.items.table.ids]
    assert 0 < sum(first) < N
    assert result.value("accuracy") == sum(first) / N
    scored = read_scored(result.path, protocol=spec).evidence("preference").beats
    assert [matrix[0, 1] for matrix in scored.values()] == first


def test_how_many_requests_must_follow_from_the_shape(place: Path) -> None:
    file = place / "seeded.py"
    text = SOURCE.with_name("seeded.py").read_text()
    file.write_text(text.replace("for pair in comparisons", "for pair in comparisons[turned:]"))
    with pytest.raises(
        RunError, match=r"the protocol seeded@1 makes \d requests? of the item .*, and another number of"
    ):
        rmeval.evaluate(f"{file}:First", "pairs", place / "pairs.jsonl", out=place / "runs")


def test_numbers_of_numpy_are_kept_as_numbers(place: Path) -> None:
    old = 'values={"steps": grades}, choice=int(np.argmin(grades)))'
    new = (
        'values={"steps": np.array(grades)}, choice=np.argmin(grades), usage={"tokens": np.int64(3)}, '
        "sequence='0123456789abcdef')"
    )
    plain = evaluate(place)
    (place / "graded.py").write_text(SOURCE.read_text().replace(old, new))
    result = evaluate(place, out="other")
    assert result.records == plain.records
    spec = f"{place / 'graded.py'}:Graded"
    assert derive(result.path, protocol=spec).records == result.records
    tokens = read_run(result.path, protocol=spec).observations.tokens
    assert tokens is not None and set(tokens.tolist()) == {-1, 3}


def test_code_that_a_folder_names_is_not_run_unasked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = evaluate(place)
    rmeval.evaluate("baseline:longest", "pairs", place / "pairs.jsonl", out=place / "runs")
    spec = f"{place / 'graded.py'}:Graded"
    (place / "graded.py").write_text(SOURCE.read_text() + f"\nopen({str(place / 'ran')!r}, 'w').close()\n")
    shown = command(capsys, "show", result.path)
    assert shown.code == 0, "the numbers are there, and no code is needed"
    for arguments in (["compare", place / "runs"], ["analyze", result.path]):
        done = command(capsys, *arguments)
        assert done.code == 2
        assert f"was made with the protocol {spec}: if you trust that file, give --protocol {spec}" in done.err
        assert "Traceback" not in done.err
    assert not (place / "ran").exists()
    for arguments in (["compare", place / "runs"], ["analyze", result.path]):
        done = command(capsys, *arguments, "--protocol", spec)
        assert done.code == 0, done.err
        assert "graded@1 has changed" in done.err or f"{spec} has changed since" in done.err
    assert (place / "ran").exists()
    (found,) = rmeval.compare([place / "runs"], protocol=spec)
    assert {entry.variant for entry in found.entries} == {"min/mean", "score"}


def test_another_protocol_than_the_runs_own_is_refused(place: Path) -> None:
    result = evaluate(place)
    other = place / "other.py"
    other.write_text(SOURCE.read_text().replace("graded@1", "graded@2"))
    with pytest.raises(RunError, match=r"was made with the protocol graded@1, but .*other.py:Graded is graded@2: give"):
        derive(result.path, protocol=f"{other}:Graded")


def test_another_prompt_or_code_is_another_run(place: Path) -> None:
    first = evaluate(place)
    text = SOURCE.read_text()
    (place / "graded.py").write_text(text.replace("from 0 to 1", "from 0 to 10"))
    second = evaluate(place)
    assert first.path != second.path
    keys = [{one.key for batch in read_journal(run.path / "journal") for one in batch} for run in (first, second)]
    assert not keys[0] & keys[1]


@pytest.mark.slow
def test_as_an_installed_package(place: Path) -> None:
    info = place / "site" / "graded-1.2.dist-info"
    info.mkdir(parents=True)
    shutil.copy(SOURCE, place / "site" / "their_grades.py")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: graded\nVersion: 1.2\n")
    (info / "RECORD").write_text("their_grades.py,,\n")
    (info / "entry_points.txt").write_text("[rmeval.protocols]\ngraded@1 = their_grades:Graded\n")
    (place / "graded.py").write_text(SOURCE.read_text().replace("graded.py:Graded", "graded@1"))
    path = os.pathsep.join([str(place / "site"), os.environ.get("PYTHONPATH", "")])
    model = f"{place / 'graded.py'}:Grader"
    arguments = ["-b", "pairs", "--data", place / "pairs.jsonl", "-o", place / "runs"]
    done = process("-m", "rmeval", "run", model, *arguments, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    (folder,) = place.glob("runs/pairs/*/*")
    manifest = json.loads((folder / "run.json").read_text())
    assert manifest["protocol"] == manifest["identity"]["protocol"] == "graded@1"
    assert manifest["identity"]["protocol_code"] == "graded==1.2"
    assert process("-m", "rmeval", "analyze", folder, PYTHONPATH=path).returncode == 0
    without = process("-m", "rmeval", "analyze", folder)
    assert without.returncode == 2
    assert "was made with the protocol 'graded@1', which is not installed: install the package graded==1.2" in (
        without.stderr
    )
    lost = process("-m", "rmeval", "run", model, *arguments)
    assert lost.returncode == 2
    assert "there is no protocol 'graded@1'" in lost.stderr


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('name = "graded@1"', 'name = "pointwise@1"'), "has the name 'pointwise@1': give it a unique name"),
        (('name = "graded@1"', 'name = "graded"'), "has the name 'graded': give it a unique name with a version"),
        (
            ("graded.py:Graded", "graded.py:VOTES"),
            "VOTES is not a protocol: derive it from rmeval.protocols.BaseProtocol",
        ),
        (("graded.py:Graded", "gone.py:Graded"), "there is no file .*gone.py"),
        (('protocol = "graded.py:Graded"', "protocol = None"), "has a method answer but no attribute protocol"),
        (("return Observation(request.key, values", "return (request.key"), "unterminated|invalid syntax|SyntaxError"),
    ],
)
def test_what_is_wrong_with_a_protocol_is_one_sentence(change: tuple[str, str], sentence: str, place: Path) -> None:
    (place / "graded.py").write_text(SOURCE.read_text().replace(*change))
    with pytest.raises(rmeval.RmevalError, match=sentence):
        evaluate(place)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ('"x" + 1', "TypeError: can only concatenate str"),
        ("grades", r"TypeError: parse\(\) returns .*, which is not an rmeval.Observation"),
        ('Observation("0" * 32)', r"parse\(\) returns an observation of another request"),
        ('Observation(request.key, "fine")', r"parse\(\) returns the status 'fine': use one of ok, unparsed, refused,"),
        ("Observation(request.key, choice=2**40)", "returns the choice 1099511627776: use a position from 0"),
        (
            "Observation(request.key, values={'x': 1.0}, usage={'tokens': 1.5})",
            "returns the usage .*: use whole numbers",
        ),
        ("Observation(request.key, values={'x': 1.0}, error=5)", "returns the error 5: use a text"),
        ("Observation(request.key)", r"parse\(\) returns the status ok without a value or a choice"),
        # The digits of a text are no list of numbers, and a status that says why there is no value has none.
        (
            'Observation(request.key, values={"steps": "10"})',
            r"parse\(\) returns the value '10': use a number or a tuple",
        ),
        ('Observation(request.key, "refused", {"steps": (1.0,)})', "returns a value with the status refused: use ok"),
        ('Observation(request.key, values={"steps": ()})', "returns a list without numbers: use another status"),
        ("Observation(request.key, values={1: 0.5})", r"returns the values \{1: 0.5\}: use numbers, or tuples"),
        ("Observation(request.key, values=None)", "returns the values None: use numbers, or tuples"),
        ('Observation(request.key, choice="first")', "returns the choice 'first': use a position from 0, or -1"),
        ("Observation(request.key, choice=-2)", "returns the choice -2: use a position from 0, or -1 for a tie"),
        (
            'Observation(request.key, values={"a": 1}, usage={"tokens": "many"})',
            "returns the usage .*: use whole numbers",
        ),
        (
            'Observation(request.key, values={"a": 1}, usage={"tokens": 2**40})',
            "returns the usage .*: use whole numbers",
        ),
        ('Observation(request.key, values={"a": 1}, sequence="zz")', "returns the sequence 'zz': use 16 hex digits"),
        ('Observation(request.key, "unparsed", error=5)', "returns the error 5: use a text"),
    ],
)
def test_a_parser_that_fails_is_an_error_of_that_request(change: str, sentence: str, place: Path) -> None:
    text = SOURCE.read_text()
    old = 'return Observation(request.key, values={"steps": grades}, choice=int(np.argmin(grades)))'
    assert old in text
    (place / "graded.py").write_text(text.replace(old, f"return {change}"))
    with pytest.raises(RunError, match=f"none of {2 * N * 3} responses got a score"):
        evaluate(place)
    seen = [one for path in place.glob("runs/*/*/*/journal") for batch in read_journal(path) for one in batch]
    errors = {one.error for one in seen if one.status == "error"}
    assert any(re.search(sentence, error or "") for error in errors)


def test_numbers_of_arrays_are_plain_numbers(place: Path) -> None:
    text = SOURCE.read_text()
    old = 'values={"steps": grades}, choice=int(np.argmin(grades))'
    assert old in text
    (place / "graded.py").write_text(text.replace(old, 'values={"steps": np.array(grades)}, choice=np.argmin(grades)'))
    arrays = evaluate(place)
    (place / "graded.py").write_text(text)
    assert arrays.records == evaluate(place).records


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("Question((index,), vote)", "Question((index,))", r"asks\(\) returns Question.*: return each question once"),
        (
            "Question((index,), vote)",
            "Question((-1,), vote)",
            r"return one or more positions of the item's 2 responses",
        ),
        ("Question((index,), vote)", "Question((2,), vote)", r"return one or more positions of the item's 2 responses"),
        ("Question((index,), vote)", 'Question((index,), "v")', "return whole numbers as members and vote"),
        ("Question((index,), vote)", "Question((index,), vote, 5)", "and a text or None as judge"),
        ("Question((index,), vote)", "index", r"return rmeval.protocols.Question in the list"),
        ("return [Question", "found = [Question", r"Graded: asks\(\) returns None: return a list of questions"),
        ("for vote in range(VOTES)]", "for vote in range(0)]", "the protocol asks nothing about these items"),
        (
            'return ["min/mean", "mean/mean"]',
            "return []",
            r"variants\(\) returns \[\]: return one name or more, each once",
        ),
        ('return ["min/mean", "mean/mean"]', 'return "min/mean"', r"variants\(\) returns 'min/mean': return a list of"),
        ('return [f"the first', 'return (f"the first', r"notes\(\) returns 'the first step .*: return a list of texts"),
        (
            "fold_votes(grades, votes))",
            "grades)",
            r"fold\(\) returns .*return a score or NaN for each response: the shape",
        ),
        (
            "fold_votes(grades, votes))",
            "np.repeat(fold_votes(grades, votes), 2))",
            "return a score or NaN for each response",
        ),
        (
            "fold_votes(grades, votes))",
            "np.inf * fold_votes(grades, votes))",
            "return finite scores, or NaN where there",
        ),
        ("return EvidenceTable(", "return (", r"fold\(\) returns .*return an rmeval.data.EvidenceTable"),
        (
            "fold_votes(grades, votes))",
            "fold_votes(grades, votes), {}, {0: [[0, 7], [0, 0]]})",
            "return preferences between 0 and 1",
        ),
        (
            "fold_votes(grades, votes))",
            "fold_votes(grades, votes), {}, {0: np.zeros((3, 3))})",
            "return a matrix of 2 x 2 preferences for item 0",
        ),
        (
            "fold_votes(grades, votes))",
            'fold_votes(grades, votes), {"ok": "x"})',
            "return the number of failures by status",
        ),
    ],
)
def test_what_a_method_returns_in_another_form_is_one_sentence(old: str, new: str, sentence: str, place: Path) -> None:
    text = SOURCE.read_text()
    assert old in text
    text = text.replace(old, new)
    if new.startswith('return (f"'):
        text = text.replace('grades"]', 'grades")')
    (place / "graded.py").write_text(text)
    with pytest.raises(rmeval.RmevalError, match=sentence):
        evaluate(place)


def test_an_exception_in_the_users_file_is_one_sentence(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "graded.py").write_text(SOURCE.read_text().replace('steps, votes = variant.split("/")', "1 / 0"))
    done = command(
        capsys,
        "run",
        f"{place / 'graded.py'}:Grader",
        "-b",
        "pairs",
        "--data",
        place / "pairs.jsonl",
        "-o",
        place / "r",
    )
    assert done.code == 2
    assert re.search(r"graded.py line \d+ failed \(ZeroDivisionError: division by zero\): correct the file", done.err)
    assert "Traceback" not in done.err
