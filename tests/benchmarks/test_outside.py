"""A benchmark from outside the package, as a file and as an installed package with an entry point."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

import rmeval
from rmeval.errors import DataError
from tests.command import command, process

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


@pytest.mark.slow
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
    message = "load\\(\\) of sums passes Item a field 'weight', which does not exist: leave it out$"
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


OWN_OPTION = '''
from rmeval.benchmarks import Benchmark, Card, Option
from rmeval.metrics.outcomes import outcomes
from rmeval.metrics.records import accuracy_record
from rmeval.types import Comparison, Item, Message, Response


class Powers(Benchmark):
    """The better answer is the power; it reads no data."""

    card = Card("powers", "Powers", "The better response is right.", "made", None, "CC0", "", "")
    takes = (
        Option("base", "number", "what is raised to powers"),
        Option("names", "words", "names of the subsets"),
        Option("signs", "mapping", "how an answer of each subset ends"),
    )

    def __init__(self, base=2, names=("all",), signs=None):
        self.base, self.names, self.signs = base, names, signs or {}

    def load(self):
        for name in self.names:
            for k in range(3):
                answers = (Response(f"{self.base ** k}{self.signs.get(name, '')}"), Response("none at all"))
                prompt = (Message("user", f"{self.base} to the {k}th?"),)
                yield Item(f"{name}/{k}", name, prompt, answers, (Comparison((0, 1)),), f"{k}")

    def aggregate(self, items, evidence, rule, intervals=True):
        return [accuracy_record("powers", rule, "all", outcomes(items, evidence, rule), "accuracy@1")]
'''
LEAST = OWN_OPTION.replace("class Powers(Benchmark):", "class Powers:").replace("    takes = (", "    unread = (")


@pytest.fixture(params=["derived", "least"])
def powers(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A benchmark with options of its own: of our class, and of one that has only a card, load and aggregate."""
    (tmp_path / "powers.py").write_text(OWN_OPTION if request.param == "derived" else LEAST)
    return f"{tmp_path / 'powers.py'}:Powers"


def test_an_option_of_its_own_in_python(powers: str, tmp_path: Path) -> None:
    plain = rmeval.evaluate("baseline:shortest", powers, out=tmp_path / "runs")
    assert plain.manifest["benchmark"]["options"] == {}
    result = rmeval.evaluate("baseline:shortest", powers, out=tmp_path / "runs", base=10**12, names=["one", "two"])
    same = rmeval.evaluate(
        "baseline:shortest", powers, out=tmp_path / "runs", benchmark_options={"base": 10**12, "names": ["one", "two"]}
    )
    assert result.path == same.path != plain.path
    assert result.manifest["benchmark"]["options"] == {"base": 10**12, "names": ["one", "two"]}
    assert plain.value("accuracy") == 1.0
    assert result.value("accuracy") == pytest.approx(1 / 3)
    assert result.record("accuracy").n_items == 6
    # What a run folder says of it is enough to make it again.
    (result.path / "metrics.json").unlink()
    assert rmeval.open_run(result.path, benchmark=powers).records == result.records
    (found,) = rmeval.compare(
        [result.path, rmeval.evaluate("baseline:longest", powers, out=tmp_path / "runs", base=10**12,
                                      names=["one", "two"]).path], benchmark=powers
    )  # fmt: skip
    assert list(found.differences) == [("accuracy", "all")], "the defaults of what it does not say are there"
    with pytest.raises(DataError, match="has no option 'bse': choose from base, names, signs"):
        rmeval.evaluate("baseline:shortest", powers, out=tmp_path / "runs", bse=3)
    with pytest.raises(DataError, match="has no option 'data': choose from base, names, signs"):
        rmeval.evaluate("baseline:shortest", powers, "somewhere", out=tmp_path / "runs")


def test_an_option_of_its_own_on_the_command_line(
    powers: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    derived = "(what is raised to powers)" if "takes = " in Path(powers.rpartition(":")[0]).read_text() else ""
    names = "one,two" if derived else '["one","two"]'
    signs = "one=!" if derived else '{"one":"!"}'
    done = command(capsys, "items", powers, "--set", "base=3", "--set", f"names={names}", "--set", f"signs={signs}")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["responses"][0]["text"] for row in rows] == ["1!", "3!", "9!", "1", "3", "9"]
    done = command(capsys, "items", powers, "--set", "size=3")
    assert done.code == 2
    assert "only rm-bench-synthetic takes --size: leave it out, or choose rm-bench-synthetic" in done.err
    done = command(capsys, "items", powers, "--set", "bse=3")
    assert done.code == 2
    assert f"{powers} takes no option bse: choose from base {derived}".rstrip() in done.err
    if derived:
        done = command(capsys, "items", powers, "--set", "base=three")
        assert (done.code, "--set base must be a whole number, not 'three'" in done.err) == (2, True)


def test_options_of_our_own_benchmarks_by_flag_and_by_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = command(capsys, "items", "rm-bench-synthetic", "--size", 16, "--languages", "en,zh", "--seed", 3)
    sets = command(capsys, "items", "rm-bench-synthetic", "--set", "size=16", "--set", "languages=en,zh", "--seed", 3)
    assert flags.code == sets.code == 0, sets.err
    assert flags.out == sets.out
    assert len(flags.out.splitlines()) == 16
    twice = command(capsys, "items", "rm-bench-synthetic", "--size", 16, "--set", "size=8")
    assert (twice.code, "--set repeats size: give each name once" in twice.err) == (2, True)


SINGLE = OWN_OPTION + "\n\nONE = Powers()\n\n\ndef only():\n    return ONE\n"


def test_the_object_that_is_given_stays_as_it_is(tmp_path: Path) -> None:
    """A function may give the same object each time."""
    (tmp_path / "single.py").write_text(SINGLE)
    found = rmeval.load_benchmark(f"{tmp_path / 'single.py'}:only")
    one = sys.modules["rmeval_file_single"].ONE
    assert found.spec == f"{tmp_path / 'single.py'}:only"
    assert vars(one) == {"base": 2, "names": ("all",), "signs": {}}


def test_what_is_no_benchmark_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "no.py").write_text("class No:\n    def load(self):\n        return []\n")
    with pytest.raises(DataError, match=r"is no benchmark: it needs a card of the class rmeval.benchmarks.Card, and"):
        rmeval.load_benchmark(f"{tmp_path / 'no.py'}:No")


def test_records_have_the_variant_whose_numbers_they_are(tmp_path: Path) -> None:
    """A benchmark from outside may make records by itself, of a variant that it does not know."""
    (tmp_path / "powers.py").write_text(
        OWN_OPTION.replace(
            'return [accuracy_record("powers", rule, "all", outcomes(items, evidence, rule), "accuracy@1")]',
            'one = accuracy_record("powers", rule, "all", outcomes(items, evidence, rule), "accuracy@1")\n'
            "        assert one.variant == evidence.variant\n"
            "        from dataclasses import replace\n"
            '        return [replace(one, variant="mine")]',
        )
    )
    (tmp_path / "both.py").write_text(
        "class Both:\n    def compare(self, pairs):\n"
        "        return [0.5 + 0.1 * (p['first'] > p['second']) for p in pairs]\n"
    )
    result = rmeval.evaluate(f"{tmp_path / 'both.py'}:Both", f"{tmp_path / 'powers.py'}:Powers", out=tmp_path / "runs")
    assert [record.variant for record in result.records] == ["orders/mean", "orders/agree", "orders/net"]


RETURN = 'return [accuracy_record("powers", rule, "all", outcomes(items, evidence, rule), "accuracy@1")]'


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (RETURN, "return None", r"aggregate\(\) of the benchmark returns None: return a list of rmeval.types.Record"),
        (RETURN, "return [5]", r"aggregate\(\) of the benchmark returns \[5\]: return a list of"),
        (RETURN, RETURN.replace('"all"', "5"), r"use texts as names, and a finite value, or NaN if there is none"),
        (
            RETURN,
            "from dataclasses import replace; " + RETURN.replace("[", "[replace(").replace("]", ", value='x')]"),
            "x",
        ),
        (
            "Comparison((0, 1))",
            "Comparison((0, 0))",
            "item 1 of powers has the comparisons .*with different whole numbers",
        ),
        ("Comparison((0, 1))", "Comparison((0, 1), '0')", "whole numbers as members, one or None as gold, and a text"),
        ("(Comparison((0, 1)),)", "Comparison((0, 1))", "which must be rmeval.types.Comparison with different whole"),
        (
            "def aggregate",
            "def notes(self, items):\n        return 'x'\n\n    def aggregate",
            r"notes\(\) of powers returns 'x'",
        ),
        (
            "def aggregate",
            "def chance(self, items):\n        return 5\n\n    def aggregate",
            r"chance\(\) of .* returns 5",
        ),
        ('Card("powers"', 'Card("../powers"', "the card of .*powers.py:Powers has the id '../powers': give it a name"),
        ('Card("powers"', 'Card(""', "the card of .*powers.py:Powers has the id '': give it a name"),
        ("base=2", "base", r"powers.py:Powers needs `base`: give a value"),
        ('Option("base", "number"', 'Option("base", "float"', "the option base has the kind 'float': use one of text,"),
    ],
)
def test_a_hook_that_returns_something_else_is_one_sentence(old: str, new: str, sentence: str, tmp_path: Path) -> None:
    assert old in OWN_OPTION
    (tmp_path / "powers.py").write_text(OWN_OPTION.replace(old, new))
    with pytest.raises(rmeval.RmevalError, match=sentence):
        rmeval.evaluate("baseline:longest", f"{tmp_path / 'powers.py'}:Powers", out=tmp_path / "runs")
    assert not list(tmp_path.glob("powers/*")), "no run is beside the folder of runs"


def test_counts_that_numpy_computes_are_plain_numbers(tmp_path: Path) -> None:
    own = RETURN.replace("return [", "import numpy as np; from dataclasses import replace\n        return [replace(")
    own = own.replace(")]", "), n_items=np.int64(3), value=np.float64(0.5))]")
    (tmp_path / "powers.py").write_text(OWN_OPTION.replace(RETURN, own))
    result = rmeval.evaluate("baseline:longest", f"{tmp_path / 'powers.py'}:Powers", out=tmp_path / "runs")
    assert (result.records[0].n_items, result.records[0].value) == (3, 0.5)
    assert rmeval.open_run(result.path).records == result.records


def test_declared_options_of_a_class_that_derives_from_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "powers.py").write_text(OWN_OPTION.replace("class Powers(Benchmark):", "class Powers:"))
    spec = f"{tmp_path / 'powers.py'}:Powers"
    done = command(capsys, "items", spec, "--set", "names=one,two")
    assert done.code == 0, done.err
    assert {json.loads(line)["subset"] for line in done.out.splitlines()} == {"one", "two"}
    (tmp_path / "powers.py").write_text(OWN_OPTION.replace("takes = (", "takes = ('base', "))
    done = command(capsys, "items", spec, "--set", "base=3")
    assert (done.code, "make `takes` a tuple of rmeval.benchmarks.Option" in done.err) == (2, True)
