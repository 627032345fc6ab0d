"""A benchmark from outside the package, as a file and as an installed package with an entry point."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import rmeval
from rmeval.errors import DataError
from tests.command import process

MODULE = '''
from rmeval.benchmarks import Card
from rmeval.benchmarks.base import TableBenchmark
from rmeval.types import Comparison, Item, Message, Response


class Sums(TableBenchmark):
    """The better answer is the sum."""

    card = Card(
        id="sums", title="Sums", measures="The better answer is the sum.", source="someone/sums", revision="main",
        licence="CC0", paper="", citation="@misc{sums, title={Sums}}", counts={"small": 20, "large": 10},
    )
    files = ("data/sums.jsonl",)

    def items(self, row):
        a, b = row.get("a"), row.get("b")
        answers = (Response(f"{a + b}.", 1.0), *(Response(f"{a + b + k}?", 0.0) for k in (1, 2)))
        yield Item(
            f"{a}+{b}", "large" if a > 9 else "small", (Message("user", f"{a} + {b}?"),), answers,
            (Comparison((0, 1, 2), 0, "of-3"),), f"{a}+{b}",
        )

    def composition(self, counts):
        sizes = {("accuracy", part[0]): {part: 1.0} for part in counts}
        return sizes | {("overall", "all"): {part: 1 / len(counts) for part in counts}}
'''
SCORER = "class Long:\n    def score(self, talks):\n        return [float('5' in t[1]['content']) for t in talks]\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "site" / "sums-1.0.dist-info").mkdir(parents=True)
    (tmp_path / "site" / "their_sums.py").write_text(MODULE)
    info = tmp_path / "site" / "sums-1.0.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sums\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[rmeval.benchmarks]\nsums = their_sums:Sums\n")
    (tmp_path / "hub" / "data").mkdir(parents=True)
    rows = [{"a": a, "b": b} for a in (1, 2, 3, 4, 20, 30) for b in range(5)]
    (tmp_path / "hub" / "data" / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "long.py").write_text(SCORER)
    return tmp_path


def test_as_an_installed_package(place: Path) -> None:
    path = os.pathsep.join([str(place / "site"), os.environ.get("PYTHONPATH", "")])
    listed = process("-m", "rmeval", "list", PYTHONPATH=path)
    assert "sums" in listed.stdout
    arguments = ["-b", "sums", "--data", place / "hub", "-o", place / "runs"]
    for model in (f"{place / 'long.py'}:Long", "baseline:longest"):
        done = process("-m", "rmeval", "run", model, *arguments, PYTHONPATH=path)
        assert done.returncode == 0, done.stderr
    assert "overall" in done.stdout
    compared = process("-m", "rmeval", "compare", place / "runs", "--json", PYTHONPATH=path)
    assert json.loads(compared.stdout)[0]["headline"] == ["overall", "all"]
    cited = process("-m", "rmeval", "cite", place / "runs", PYTHONPATH=path)
    assert cited.stdout == "@misc{sums, title={Sums}}\n\n"
    offline = process("-m", "rmeval", "run", "baseline:longest", "-b", "sums", "-o", place / "x", PYTHONPATH=path)
    assert offline.returncode == 2
    assert "the data set someone/sums" in offline.stderr


def test_a_field_that_items_do_not_have_is_named(place: Path) -> None:
    heavy = place / "heavy.py"
    heavy.write_text(MODULE.replace('f"{a}+{b}",\n        )', 'f"{a}+{b}", weight=100,\n        )'))
    message = "load\\(\\) of sums gives Item a field 'weight', which no metric reads: leave it out$"
    with pytest.raises(DataError, match=message):
        rmeval.evaluate("baseline:longest", f"{heavy}:Sums", place / "hub", out=place / "runs")


def test_as_a_file(place: Path) -> None:
    spec = f"{place / 'site' / 'their_sums.py'}:Sums"
    result = rmeval.evaluate(f"{place / 'long.py'}:Long", spec, place / "hub", out=place / "runs")
    # The only one with a five is right in 4+1, 3+2, 2+3, 1+4, and where neither 6 nor 7 ends in it; ties are lost.
    by_hand = {"small": 0, "large": 0}
    for a in (1, 2, 3, 4, 20, 30):
        for b in range(5):
            fives = ["5" in str(a + b + k) for k in (0, 1, 2)]
            by_hand["large" if a > 9 else "small"] += fives == [True, False, False]
    assert result.value("accuracy", "small") == by_hand["small"] / 20
    assert result.value("accuracy", "large") == by_hand["large"] / 10
    overall = result.record("overall")
    assert overall.value == pytest.approx((by_hand["small"] / 20 + by_hand["large"] / 10) / 2)
    assert overall.ci is not None
    assert overall.formula == "sums/overall@1"
    assert result.notes == ()
