"""`rmeval analyze`, and all pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rmeval
from rmeval.errors import RunError
from rmeval.report.figures.analysis import draw_analysis
from rmeval.report.figures.comparison import draw_compared
from rmeval.results.analyze import Analyzer, analyze_run
from tests.command import command
from tests.results.test_compare import pairs_file

SCORER = """
class Some:
    def score(self, talks):
        return [len(talk[-1]["content"]) / 90 + 3 * ("a" in talk[-1]["content"][:3]) for talk in talks]
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    (out / "some.py").write_text(SCORER)
    rmeval.evaluate(f"{out}/some.py:Some", "rm-bench-synthetic", out=out, size=160)
    rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=out, size=160)
    return out / "rm-bench-synthetic"


def test_numbers_and_their_null_baselines(runs: Path) -> None:
    found = rmeval.analyze(runs / "Some")
    official = rmeval.open_run(next((runs / "Some").iterdir()))
    assert found.headline == official.record("overall")
    assert found.official == official.records
    assert found.record("length", "twice or more").null["longest"] == 1.0
    assert found.record("length_balanced").null["longest"] == 0.5
    shared = rmeval.analyze(found.path, rule="half-ties@1").record("refusals", "should-respond")
    assert found.record("over_refusing").value == pytest.approx(1 - shared.value)
    with pytest.raises(KeyError, match="no 'x' on 'all': choose from length half or less"):
        found.record("x")
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["calibration"]["ece"] == pytest.approx(found.calibration.ece if found.calibration else None)


def test_a_model_that_goes_by_length_alone(runs: Path) -> None:
    found = rmeval.analyze(runs / "baseline-longest")
    assert found.notes == (
        "no style control: there are too few pairs, all are won, all are lost, or length and markdown decide all of "
        "them",
    )
    assert found.record("prefers_fancier").value == 1.0


def test_the_command(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "analyze", runs / "Some", "--plots", tmp_path / "plots")
    assert done.code == 0
    for text in ("style-controlled accuracy", "style gap, Easy minus Hard", "over-refusing", "calibration error"):
        assert text in done.out
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {
        "length.png", "scores.png", "calibration.png", "refusals.png", "verbosity.png",
    }  # fmt: skip
    assert json.loads(command(capsys, "analyze", runs / "Some", "--json").out)["model"] == "Some"
    several = command(capsys, "analyze", runs)
    assert (several.code, "holds 2 runs: name one of them" in several.err) == (2, True)
    compared = command(capsys, "compare", runs, "--plots", tmp_path / "side", "--dark", "--ensemble", "majority")
    assert compared.code == 0
    assert {path.name for path in (tmp_path / "side").iterdir()} == {
        "comparison.png", "refusals.png", "verbosity.png",
    }  # fmt: skip


@pytest.mark.slow
def test_pictures_hold_the_numbers_and_are_the_same_each_time(runs: Path, tmp_path: Path) -> None:
    found, side = rmeval.analyze(runs / "Some"), rmeval.compare([runs])
    for folder in ("a", "b"):
        draw_analysis(found, tmp_path / folder, ending="svg")
        draw_compared(side, tmp_path / folder, ending="svg")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    drawn = {path.stem: path.read_text() for path in (tmp_path / "a").iterdir()}
    assert "<!-- Some on rm-bench-synthetic -->" in drawn["length"]
    assert "<!-- half or less -->" in drawn["length"]
    assert "<!-- null baseline markdown -->" in drawn["comparison"]
    draw_analysis(found, tmp_path / "dark", "dark", "svg")
    assert (tmp_path / "dark" / "length.svg").read_text() != drawn["length"]
    with pytest.raises(RunError, match="there is no theme 'x'"):
        draw_analysis(found, tmp_path, "x")  # type: ignore[arg-type]


def test_a_model_that_compares_has_no_distributions_of_scores(tmp_path: Path) -> None:
    file = tmp_path / "longer.py"
    file.write_text(
        "class Longer:\n    def compare(self, pairs):\n"
        "        return [0.9 if len(p['first']) > len(p['second']) else 0.1 for p in pairs]\n"
    )
    rmeval.evaluate(f"{file}:Longer", "pairs", pairs_file(tmp_path, 40), out=tmp_path / "runs")
    found = rmeval.analyze(tmp_path / "runs", variant="orders/agree")
    assert (found.confidence, found.scores, found.variant) == ("probabilities", (), "orders/agree")
    assert found.calibration is not None
    assert set(found.calibration.confidence.round(6)) == {0.5, 0.9}
    assert "no distributions of scores" in found.notes[-1]
    with pytest.raises(RunError, match="has no score 'score': it has orders/mean, orders/agree"):
        rmeval.analyze(tmp_path / "runs", variant="score")
    with pytest.raises(RunError, match="'x' is not a score rule"):
        rmeval.analyze(tmp_path / "runs", rule="x")


def test_runs_that_are_analysed_together_have_the_numbers_of_each_alone(tmp_path: Path) -> None:
    """The items and null baselines of one run serve the next, but not one on other items."""
    sizes = (("longest", 40), ("shortest", 40), ("longest", 16), ("markdown", 40))
    runs = [
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=tmp_path / str(size), size=size)
        for name, size in sizes
    ]
    analyzer = Analyzer()
    for run in runs:
        together, alone = analyzer.analyze(analyzer.read(run)), analyze_run(run)
        assert together.to_dict() == alone.to_dict()
        assert together.records[0].null == alone.records[0].null
