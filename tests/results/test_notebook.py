"""What Python and notebooks show of results."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import rmeval
from tests.command import process
from tests.results.test_wrong import OTHERS, SCORES, imported


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    for name in ("longest", "shortest"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=out, size=80)
    return out


def test_a_result_is_a_few_lines_with_the_headline_first(runs: Path) -> None:
    (folder,) = (runs / "rm-bench-synthetic" / "baseline-longest").iterdir()
    result = rmeval.open_run(folder)
    first, numbers, last = repr(result).splitlines()
    low, high = result.record("overall").ci or (math.nan, math.nan)
    value = f"{100 * result.value('overall'):.1f} [{100 * low:.1f}-{100 * high:.1f}]"
    assert first == f"rm-bench-synthetic  baseline:longest: overall {value} on 80 items"
    assert numbers.startswith("  easy 100.0, normal ")
    assert last == f"  {folder}"


def test_a_result_names_its_notes(tmp_path: Path) -> None:
    result = rmeval.open_run(imported(tmp_path, "mine", SCORES))
    lines = repr(result).splitlines()
    assert lines[0] == "pairs  mine: accuracy 16.7 [1.2-56.4] on 6 items"
    assert lines[1] == "  vowel 0.0, consonant 25.0"
    assert lines[2].startswith(f"  {len(result.notes)} notes in .notes, the first: {result.notes[0][:20]}")
    frame = result.to_pandas()
    assert list(frame.columns[:2]) == ["model", "benchmark"]
    assert frame["model"].tolist() == ["mine"] * len(result.records)
    assert frame["value"].tolist() == [record.value for record in result.records]


def test_a_comparison_is_a_few_lines_and_a_table(tmp_path: Path) -> None:
    runs = [imported(tmp_path, "mine", SCORES), imported(tmp_path, "theirs", OTHERS)]
    (found,) = rmeval.compare(runs)
    lines = repr(found).splitlines()
    # Number e has no score of one model: it counts as lost.
    assert lines[0] == "pairs: 2 models on 6 items, by accuracy"
    assert lines[1].startswith("  1-2  theirs  accuracy 66.7 [")
    assert lines[2].startswith("  1-2  mine  accuracy 16.7 [")
    assert lines[1].endswith("]  a")
    assert lines[3].startswith(f"  {len(found.notes)} note")
    frame = found.to_pandas()
    assert len(frame) == sum(len(entry.records) for entry in found.entries)
    own = frame[(frame.model == "mine") & (frame.scope == "all")].iloc[0]
    assert (own.metric, own.value, own.rank_low, own.rank_high, own.group) == ("accuracy", 1 / 6, 1, 2, "a")
    assert (own.letters, own.n_items, own.null_longest) == ("a", 6, own.null_longest)
    assert frame.model.drop_duplicates().tolist() == ["theirs", "mine"]


def test_an_analysis_is_a_few_lines_and_a_table(runs: Path) -> None:
    (folder,) = (runs / "rm-bench-synthetic" / "baseline-longest").iterdir()
    found = rmeval.analyze(folder)
    lines = repr(found).splitlines()
    assert lines[0].startswith("rm-bench-synthetic  baseline:longest: overall ")
    assert lines[0].endswith(" on 80 items, analysis")
    assert (len(lines), lines[-1]) == (4, f"  {folder}")
    frame = found.to_pandas()
    assert frame[["metric", "scope"]].values.tolist() == [[record.metric, record.scope] for record in found.records]
    assert set(frame.model) == {"baseline:longest"}
    assert "over-refusing" in (found._repr_html_() or "")


def test_no_repr_is_a_dump(runs: Path) -> None:
    (folder,) = (runs / "rm-bench-synthetic" / "baseline-longest").iterdir()
    (comparison,) = rmeval.compare([runs])
    found = [rmeval.open_run(folder), rmeval.analyze(folder), comparison, comparison.entries[0]]
    found.append(rmeval.wrong_examples(folder))
    for value in found:
        assert len(repr(value)) < 1_000
        assert len(repr(value).splitlines()) <= 10


def test_notebooks_show_tables(runs: Path) -> None:
    (folder,) = (runs / "rm-bench-synthetic" / "baseline-longest").iterdir()
    result, (comparison,) = rmeval.open_run(folder), rmeval.compare([runs])
    wrong = rmeval.wrong_examples(folder, n=1)
    for value in (result, comparison, wrong):
        shown = value._repr_html_()
        assert shown is not None
        assert shown.startswith('<div class="rmeval">')
        assert shown.count("<table>") == shown.count("</table>") > 0
    assert '<th scope="col">Hard</th>' in (result._repr_html_() or "")
    assert "baseline:shortest" in (comparison._repr_html_() or "")
    assert "<mark>" in (wrong._repr_html_() or "")


def test_tables_of_notebooks_are_short(tmp_path: Path) -> None:
    data = tmp_path / "pairs.jsonl"
    data.write_text(
        "".join(
            json.dumps({"prompt": f"p{n}", "chosen": "a", "rejected": "bb", "subset": f"part {n}"}) + "\n"
            for n in range(50)
        )
    )
    result = rmeval.evaluate("baseline:longest", "pairs", data, out=tmp_path / "runs")
    shown = result._repr_html_() or ""
    assert shown.count("<tr>") == 31
    assert "21 more rows: to_pandas() has all" in shown
    assert '<th scope="row"><strong>all</strong></th>' in shown
    assert len(result.to_pandas()) == 51


def test_results_alone_have_no_html(runs: Path) -> None:
    code = "from rmeval.results import open_run; r = open_run(sys.argv[1]); print(r._repr_html_(), repr(r)[:9])"
    (folder,) = (runs / "rm-bench-synthetic" / "baseline-longest").iterdir()
    done = process("-c", f"import sys; {code}", folder)
    assert done.stdout.strip() == "None rm-bench-", done.stderr
