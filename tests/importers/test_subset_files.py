from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rmeval.benchmarks.reward_bench_2 import COUNTS
from rmeval.benchmarks.rmb import PARTS
from rmeval.errors import DataError
from rmeval.importers.subset_files import SOURCE, SubsetNumbers, read_subset_file
from rmeval.metrics.scoring.sections import EXAMPLE_COUNTS, PRIOR_SETS, SECTIONS
from tests.command import command


def read(tmp_path: Path, content: Any) -> SubsetNumbers:
    file = tmp_path / "some-rm.json"
    file.write_text(json.dumps(content))
    return read_subset_file(file)


def values(found: SubsetNumbers, metric: str) -> dict[str, float]:
    return {number.scope: number.value for number in found.numbers if number.metric == metric}


def whole(value: float = 0.5) -> dict[str, Any]:
    about = {"model": "org/some-rm", "model_type": "Seq. Classifier", "chat_template": "tokenizer"}
    return about | dict.fromkeys(EXAMPLE_COUNTS, value)


def test_published_subsets_give_the_published_sections(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared / "data" / "published" / "rm-r1-deepseek-32b"
    found = read_subset_file(folder / "rewardbench_subsets.json")
    wanted = json.loads((folder / "rewardbench_sections.json").read_text())
    assert values(found, "section") == pytest.approx({name: wanted[name] for name in SECTIONS}, abs=1e-15)
    assert values(found, "overall")["all"] == pytest.approx(wanted["avg_Result_each_section"], abs=1e-15)
    assert found.notes == ()
    done = command(capsys, "show", folder / "rewardbench_subsets.json", "--from-subsets")
    assert (done.code, SOURCE in done.out, "overall" in done.out and "90.9" in done.out) == (0, True, True)


@pytest.mark.parametrize(("kind", "part"), [("Pairwise", "pairwise"), ("BoN", "bon")])
@pytest.mark.parametrize("goal", ["Helpfulness", "Harmlessness"])
def test_rmbs_scenarios_give_its_parts(shared: Path, kind: str, part: str, goal: str) -> None:
    file = shared / "data" / "published" / "rm-r1-deepseek-32b" / f"rmb_{kind}_set_{goal}.json"
    stated = json.loads(file.read_text())[0]
    wanted = stated["Overall_accuracy" if kind == "Pairwise" else "BoN Final Accuracy"]
    assert values(read_subset_file(file), "section") == {f"{part}/{goal}": pytest.approx(wanted, abs=1e-12)}


def test_reward_bench_weighs_subsets_by_prompts(tmp_path: Path) -> None:
    found = read(tmp_path, whole() | {"math-prm": 1.0})
    assert values(found, "section")["Reasoning"] == pytest.approx(0.75)
    assert values(found, "overall")["all"] == pytest.approx((3 * 0.5 + 0.75) / 4)
    assert (found.model, found.kind, found.benchmark) == ("org/some-rm", "Seq. Classifier", "reward-bench")
    assert {number.source for number in found.numbers} == {"from published subset accuracies, no intervals"}


def test_percent_nested_and_unknown_names(tmp_path: Path) -> None:
    subsets = {name: value for name, value in whole(50.0).items() if name in EXAMPLE_COUNTS}
    found = read(tmp_path, {"results": subsets | {"my-own": 3.0}})
    assert values(found, "overall")["all"] == 0.5
    assert found.model == "some-rm"
    assert "the file's numbers are read as percent, because some are above 1" in found.notes
    assert "excluded, because they are not subsets of RewardBench: my-own" in found.notes


def test_missing_subsets_and_sections(tmp_path: Path) -> None:
    rest = {name: value for name, value in whole().items() if not name.startswith("hep-") and name != "math-prm"}
    del rest["mt-bench-med"]
    found = read(tmp_path, rest)
    assert "overall" not in {number.metric for number in found.numbers}
    assert "no averages that need Reasoning: the file has no subset of it" in found.notes
    assert "Chat is not comparable with published numbers, because it lacks mt-bench-med" in found.notes, found.notes


def test_what_a_file_says_of_itself(tmp_path: Path) -> None:
    """Half points, sections that do not follow, and prior sets."""
    rows = whole() | {"mt-bench-hard": 20.5 / 37, "Chat": 0.9, "Safety": 0.5} | dict.fromkeys(PRIOR_SETS, 0.25)
    found = read(tmp_path, rows)
    assert any(note.startswith("half points in ") and "mt-bench-hard" in note for note in found.notes)
    assert "the file states 0.9 for Chat, and its subsets give 0.5000" in found.notes
    assert not any("for Safety" in note for note in found.notes)
    sections = values(found, "section")
    with_prior = (sum(sections.values()) + 0.5 * 0.25) / 4.5
    assert (
        f"with the file's prior sets the score is {with_prior:.4f} (reward-bench/overall-with-prior@1)" in found.notes
    )


def test_averages_that_a_file_states(tmp_path: Path) -> None:
    assert (
        "the file states 0.9 for overall, and its subsets give 0.5000"
        in read(tmp_path, whole() | {"overall": 0.9}).notes
    )
    assert read(tmp_path, whole() | {"overall": 0.5}).notes == read(tmp_path, whole()).notes
    part = dict.fromkeys(PARTS["bon/Harmlessness"], 0.5)
    notes = read(tmp_path, [{"BoN Final Accuracy": 0.75}, part]).notes
    assert "the file states 0.75 for BoN Final Accuracy, and its subsets give 0.5000" in notes
    assert not any("states" in note for note in read(tmp_path, [{"BoN Final Accuracy": 0.5}, part]).notes)


def test_names_move_no_cursor(tmp_path: Path) -> None:
    found = read(tmp_path, whole() | {"model": "org/\x1b[31mrm\n", "model_type": "\x1b]0;x\x07RM"})
    assert (found.model, found.kind) == (r"org/\x1b[31mrm\n", r"\x1b]0;x\x07RM")


def test_half_points_are_those_of_reward_bench(tmp_path: Path) -> None:
    """RewardBench 2 shares the point of a tie: fractions are no verdicts that could not be read."""
    assert read(tmp_path, dict.fromkeys(COUNTS, 0.5)).notes == ()


def test_reward_bench_2(tmp_path: Path) -> None:
    given = {name: number / 10 for number, name in enumerate(COUNTS)}
    found = read(tmp_path, given)
    assert found.benchmark == "reward-bench-2"
    assert values(found, "overall")["all"] == pytest.approx(0.25)
    assert values(found, "average")["best-of-4"] == pytest.approx(0.2)
    assert values(read(tmp_path, {name: 0.5 for name in COUNTS if name != "Ties"}), "overall") == {}


def test_rmb_by_its_own_names(tmp_path: Path) -> None:
    subsets = [subset for names in PARTS.values() for subset in names]
    assert values(read(tmp_path, dict.fromkeys(subsets, 0.25)), "overall") == {"all": pytest.approx(0.25)}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"Chat": 0.9, "Chat Hard": 0.8, "Safety": 0.7, "Reasoning": 0.6}, "1 of its 4 numbers .* have the name of a"),
        ({"model": "x"}, "0 of its 0 numbers"),
        ([1, 2], "0 of its 0 numbers"),
        (whole() | {"hep-go": -0.5}, "the accuracy of hep-go is neither between 0 and 1 nor"),
        (whole() | {"hep-go": float("nan")}, "the accuracy of hep-go is neither between 0 and 1 nor"),
        (whole() | {"hep-go": 98.0}, "of hep-go is above 1 and that of [-a-z]+ is below 1: give all as shares, or all"),
        ([whole(), whole(0.75)], "has two numbers for [-a-z]+, 0.5 and 0.75: give a file of one model"),
        ({"a": whole(), "b": whole(0.25)}, "has two numbers for [-a-z]+, 0.5 and 0.25: give a file of one model"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read(tmp_path, content)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "some-rm.json"
    file.write_text(json.dumps(whole() | {"other": 1}))
    done = command(capsys, "show", file, "--from-subsets", "--json")
    assert (done.code, json.loads(done.out)[-1]["value"]) == (0, 0.5)
    assert "note: excluded, because they are not subsets of RewardBench: other" in done.err
    done = command(capsys, "show", file)
    assert (done.code, "use rmeval import for scores, and rmeval show --from-subsets" in done.err) == (2, True)
    done = command(capsys, "show", file, "--from-subsets", "--rule", "half-ties@1")
    assert (done.code, "does not accept --rule" in done.err) == (2, True)
    done = command(capsys, "show", tmp_path / "no.json", "--from-subsets")
    assert (done.code, "there is no file" in done.err) == (2, True)
