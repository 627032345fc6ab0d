"""Scorers that fail: once, now and then, from a moment on, or always."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rmeval
from rmeval.errors import ModelError
from rmeval.store.journal import read_journal
from tests.command import command

SCORERS = '''
from pathlib import Path

HERE = Path(__file__).parent

def note(count):
    with (HERE / "calls.txt").open("a") as file:
        file.write(f"{count}\\n")

def dead(conversations):
    note(len(conversations))
    raise ConnectionError(f"no answer from {id(conversations)}")

def dead_element(solution_str):
    note(1)
    raise ConnectionError(f"no answer to {solution_str}")

async def dead_element_later(solution_str):
    dead_element(solution_str)

async def dead_later(conversations):
    note(len(conversations))
    raise ConnectionError("no answer")

class Dead:
    def score(self, conversations):
        dead(conversations)

class DeadComparator:
    def compare(self, pairs):
        dead(pairs)

class DeadJudge:
    protocol = "pointwise@1"
    def answer(self, questions):
        dead(questions)

def picky(conversations):
    """Fails on the texts in bad.txt."""
    note(len(conversations))
    bad = set((HERE / "bad.txt").read_text().splitlines())
    if any(one[-1]["content"] in bad for one in conversations):
        raise ValueError("not this")
    return [len(one[-1]["content"]) for one in conversations]

def dying(conversations):
    """Fails from the fifth call on."""
    note(len(conversations))
    if len((HERE / "calls.txt").read_text().splitlines()) > 4:
        raise ConnectionError("gone")
    return [1.0] * len(conversations)

def flaky(conversations):
    """Every second batch fails, and each single call succeeds."""
    note(len(conversations))
    if len(conversations) > 1 and len((HERE / "calls.txt").read_text().splitlines()) % 2:
        raise ConnectionError("busy")
    return [1.0] * len(conversations)
'''
N = 264
"""Pairs: 528 responses, in batches of 64."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "scorers.py").write_text(SCORERS)
    rows = ({"prompt": f"q{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(N))
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "bad.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def calls(place: Path) -> list[int]:
    return [int(line) for line in (place / "calls.txt").read_text().splitlines()]


def evaluate(name: str, **options: object) -> rmeval.Result:
    return rmeval.evaluate(f"scorers.py:{name}", "pairs", "pairs.jsonl", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["dead", "dead_later", "Dead", "DeadComparator", "DeadJudge"])
def test_a_dead_scorer_stops_after_three_batches(place: Path, name: str) -> None:
    with pytest.raises(
        ModelError, match=rf"scorers\.py:{name} fails on each request of 3 batches in a row \(Connection"
    ):
        evaluate(name)
    assert calls(place) == [64, 1, 1, 1] * 3
    assert not (place / "runs").exists(), "nothing was scored"


@pytest.mark.parametrize(("name", "count"), [("dead_element", 12), ("dead_element_later", 3 * 64)])
def test_a_dead_function_of_single_responses(place: Path, name: str, count: int) -> None:
    """An asynchronous one is called for a whole batch at once, and each of its calls fails."""
    with pytest.raises(ModelError, match=r"of 3 batches in a row \(ConnectionError: no answer to good 64 "):
        evaluate(name)
    assert len(calls(place)) == count
    assert not (place / "runs").exists()


def test_the_sentence_of_a_dead_scorer(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "run", "scorers.py:Dead", "-b", "pairs", "--data", "pairs.jsonl")
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert line.startswith("error: scorers.py:Dead fails on each request of 3 batches in a row (ConnectionError: no ")
    assert line.endswith("(scorers.py line 12)): correct it and run again; scores before these batches are kept")
    assert not (place / "runs").exists()


def test_a_scorer_that_dies_keeps_its_scores(place: Path) -> None:
    with pytest.raises(ModelError, match="gone"):
        evaluate("dying")
    assert calls(place) == [64] * 4 + [64, 1, 1, 1] * 3 + [1], "the last call tries a response that had a score"
    (journal,) = place.glob("runs/*/*/*/journal")
    assert sum(map(len, read_journal(journal))) == 4 * 64
    (place / "calls.txt").write_text("")
    assert evaluate("dying").record("accuracy").failures == 8
    assert calls(place)[:5] == [64] * 4 + [16], "it goes on where it stopped"


def test_one_bad_conversation_costs_only_itself(place: Path) -> None:
    (place / "bad.txt").write_text("good 7\n")
    found = evaluate("picky")
    assert found.record("accuracy").failures == 1
    assert calls(place).count(64) == 8
    assert calls(place).count(1) == 64


def test_bad_conversations_in_each_batch_cost_only_themselves(place: Path) -> None:
    """The first and the middle one of each batch are among them."""
    (place / "bad.txt").write_text("".join(f"good {n}\nbad {n}\n" for n in range(N) if n % 16 == 0))
    assert evaluate("picky").record("accuracy").failures == 17


def test_a_bad_subset_does_not_stop_a_scorer_that_scores_others(place: Path) -> None:
    bad = range(64, 200)
    (place / "bad.txt").write_text("".join(f"good {n}\nbad {n}\n" for n in bad))
    found = evaluate("picky")
    assert found.record("accuracy").failures == len(bad)
    assert found.value("accuracy") == (N - len(bad)) / N


def test_batches_that_fail_now_and_then_are_tried_one_by_one(place: Path) -> None:
    assert evaluate("flaky").record("accuracy").failures == 0
    assert calls(place).count(1) >= 64


def test_small_batches_are_no_death(place: Path) -> None:
    """Responses of one item follow each other, and may all be bad."""
    (place / "bad.txt").write_text("".join(f"good {n}\nbad {n}\n" for n in range(3)))
    assert evaluate("picky", batch_size=1).record("accuracy").failures == 3
    with pytest.raises(ModelError, match="fails on each request of 12 batches in a row"):
        evaluate("dead", batch_size=1)


def test_failures_are_tried_again_under_the_same_rule(place: Path) -> None:
    """A run whose errors are tried again stops as soon as the scorer is dead."""
    (place / "bad.txt").write_text("".join(f"good {n}\nbad {n}\n" for n in range(32, 160)))
    first = evaluate("picky")
    assert first.record("accuracy").failures == 128
    (place / "calls.txt").write_text("")
    with pytest.raises(ModelError, match="not this"):
        evaluate("picky")
    assert calls(place) == [64, 1, 1, 1] * 3
