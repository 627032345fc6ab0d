"""The page that compares models: its numbers are those of `rmeval compare`, its links lead to the right items."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

import rmeval
from rmeval.app.compare import CompareView, compare_view
from rmeval.app.explorer import explorer_view
from rmeval.errors import DataError
from rmeval.report.cells import percent
from rmeval.results import compare_runs
from tests.app.viewing import Viewing, key_of, planted_rows, planted_score, viewing, write_run


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewing]:
    folder = tmp_path_factory.mktemp("compare")
    for name in ("longest", "shortest", "markdown"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=folder / "runs", size=80)
    write_run(folder / "runs", planted_rows(), "planted", planted_score)
    with viewing(folder / "runs", folder / "index.sqlite") as found:
        yield found


def view_of(served: Viewing, *models: str, **fields: str) -> CompareView:
    keys = [key_of(served.viewer.index, model) for model in models]
    return compare_view(served.viewer, {"run": keys, **{name: [value] for name, value in fields.items()}})


def test_numbers_and_differences_are_those_of_compare(served: Viewing) -> None:
    names = ("baseline:longest", "baseline:markdown")
    view = view_of(served, *names)
    folders = [run.folder for run in served.viewer.index.runs() if run.model in names]
    (found,) = compare_runs(folders)
    difference = found.difference(*names)
    for value in (found.entries[0].records["overall", "all"].value, *(difference.ci_simultaneous or ())):
        assert percent(abs(value)) in view.tables
    assert [one.value for one in view.numbers if one.chosen] == [""]
    by_hard = view_of(served, *names, number="hard all")
    assert [one.value for one in by_hard.numbers if one.chosen] == ["hard all"]
    assert by_hard.tables != view.tables


def test_links_lead_to_the_items_on_which_two_models_disagree(served: Viewing) -> None:
    (pair,) = view_of(served, "baseline:longest", "baseline:shortest").disagreements
    index = served.viewer.index
    totals = []
    for address in (pair.all, pair.only_first, pair.only_second):
        view = explorer_view(index, parse_qs(urlsplit(address).query))
        assert view.tally is not None and view.run is not None
        totals.append(view.tally.total)
        if address != pair.all:
            assert (view.tally.right, view.run.model) == (
                view.tally.total,
                pair.first if address == pair.only_first else pair.second,
            )
    assert totals[0] == totals[1] + totals[2]
    assert min(totals) > 0


def test_what_cannot_be_compared_says_so(served: Viewing) -> None:
    assert compare_view(served.viewer, {}).problem == "Choose two runs or more of one benchmark."
    assert "of different benchmarks" in view_of(served, "baseline:longest", "planted").problem
    with pytest.raises(DataError, match="there is no number 'x'"):
        view_of(served, "baseline:longest", "baseline:shortest", number="x")
    choices = [choice.label for own in compare_view(served.viewer, {}).runs.values() for choice in own]
    assert sorted(choices) == ["baseline:longest", "baseline:markdown", "baseline:shortest", "planted"]


def test_three_models_have_three_pairs(served: Viewing) -> None:
    view = view_of(served, "baseline:longest", "baseline:shortest", "baseline:markdown")
    assert len(view.disagreements) == 3
    assert len({(pair.first, pair.second) for pair in view.disagreements}) == 3
