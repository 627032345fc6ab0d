"""Style-control scores of folders: what is chosen, counted, left out and shown."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest

from rmeval.errors import DataError, RunError
from rmeval.predict import StyleControl, style_control_scores
from tests.command import command, process
from tests.predict.judged import made_up, write_folder, write_lines
from tests.test_imports import EXTRAS, WITHOUT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "made-up", *made_up())


def scores(folder: Path | list[Path], **options: Any) -> StyleControl:
    return style_control_scores(folder, **({"resamples": 100} | options))


def test_numbers_and_what_they_are_of(folder: Path) -> None:
    found = scores(folder)
    assert [one.model for one in found.policies] == ["fancy", "plain", "weak"]
    assert (found.name, found.judges, found.categories, found.baseline) == (
        "made-up",
        ("judge",),
        ("hard_prompt",),
        "base",
    )
    assert found.chosen == "the only model with answers and without judgments"
    assert (found.questions, found.unit, found.notes) == (40, "", ())
    fancy, weak = found.policy("fancy"), found.policy("weak")
    assert fancy.style_control_score < 0 < weak.style_control_score
    assert fancy.style_control_score == pytest.approx((fancy.controlled - fancy.uncontrolled) / fancy.uncontrolled)
    assert fancy.equal_style < fancy.uncontrolled
    assert fancy.relative_length > 1.3 > weak.relative_length
    assert sum(one.battles for one in found.policies) == found.battles
    assert found.gradient < 1e-9
    with pytest.raises(RunError, match="there is no policy 'fency' here: did you mean fancy"):
        found.policy("fency")


def test_order_of_files_and_rows_changes_nothing(folder: Path, tmp_path: Path) -> None:
    rows, styles = made_up()
    found = scores(folder)
    write_folder(tmp_path / "turned", list(reversed(rows)), {name: styles[name] for name in reversed(styles)})
    other = scores(tmp_path / "turned")
    assert other.policies == found.policies
    assert other.weights == found.weights
    # A folder for each policy, of which only one has the baseline's answers.
    parts = []
    for name in ("weak", "plain", "fancy"):
        own = {one: styles[one] for one in ((name, "base") if name == "plain" else (name,))}
        parts.append(write_folder(tmp_path / name, [row for row in rows if row["model"] == name], own))
    assert scores(parts).policies == found.policies


def test_questions_without_verdicts_change_nothing(folder: Path, tmp_path: Path) -> None:
    rows, styles = made_up()
    for name, own in styles.items():
        own["null"] = own["q0"]
        if name != "base":
            rows.append({"uid": "null", "model": name, "category": "hard_prompt", "games": [{"score": None}] * 2})
    found = scores(write_folder(tmp_path / "null", rows, styles))
    assert found.policies == scores(folder).policies
    assert found.incomplete == 3
    assert found.notes == ("3 judgments without two verdicts left out (fancy 1, plain 1, weak 1)",)


def test_missing_answers_are_named(tmp_path: Path) -> None:
    rows, styles = made_up()
    for uid in ("q1", "q2", "q3", "q4"):
        del styles["plain"][uid]
    del styles["base"]["q7"]
    found = scores(write_folder(tmp_path / "a", rows, styles))
    assert found.unanswered == 4 + 3
    assert found.policy("plain").questions == 35
    assert "plain has no answer to 4 judged questions (q1, q2, q3 and 1 more): their judgments left out" in found.notes
    assert "base has no answer to 1 judged question (q7): their judgments left out" in found.notes
    assert "policies are judged on different numbers of questions (35 to 39)" in found.notes
    del styles["weak"]
    without = scores(write_folder(tmp_path / "b", rows, styles))
    assert [one.model for one in without.policies] == ["fancy", "plain"]
    assert any(note.startswith("weak has no answer to 40 judged questions") for note in without.notes)


def test_no_answers_at_all(tmp_path: Path) -> None:
    rows, styles = made_up()
    with pytest.raises(DataError, match=r"has no answers: add model_answer/MODEL\.jsonl"):
        scores(write_folder(tmp_path / "none", rows, {}))
    with pytest.raises(DataError, match="no judged answer has a style: add the answers of policies and base"):
        scores(write_folder(tmp_path / "base", rows, {"base": styles["base"]}))


def test_how_the_baseline_is_chosen(tmp_path: Path) -> None:
    rows, styles = made_up()
    known = styles | {"o3-mini-2025-01-31": styles["base"]}
    both = write_folder(tmp_path / "both", rows, known)
    assert scores(both).baseline == "o3-mini-2025-01-31"
    assert scores(both).chosen == "Arena-Hard-Auto's for hard_prompt"
    assert (scores(both, baseline="base").baseline, scores(both, baseline="base").chosen) == ("base", "as given")
    with pytest.raises(RunError, match="`baseline` 'bse' has no answers here: did you mean base"):
        scores(both, baseline="bse")
    two = write_folder(tmp_path / "two", rows, styles | {"second": styles["base"]})
    with pytest.raises(RunError, match=r"the baseline of hard_prompt is not known: give `baseline`.*base, fancy"):
        scores(two)
    # A baseline that the judge also compares with itself is no policy.
    itself = [*rows, *({**row, "model": "base"} for row in rows if row["model"] == "plain")]
    found = scores(write_folder(tmp_path / "itself", itself, styles), baseline="base")
    assert found.policies == scores(two, baseline="base").policies
    assert "judgments of base left out, because it is the baseline" in found.notes


def test_categories_with_other_baselines_are_left_out(tmp_path: Path) -> None:
    rows, styles = made_up()
    written = [{**row, "category": "creative_writing"} if row["uid"] in ("q0", "q1") else row for row in rows]
    folder = write_folder(tmp_path / "a", written, styles | {"gemini-2.0-flash-001": styles["base"]})
    with pytest.raises(RunError, match="the baseline of hard_prompt is not known"):
        scores(folder)
    own = scores(folder, categories=["creative_writing"])
    assert (own.baseline, own.questions) == ("gemini-2.0-flash-001", 2)
    assert own.policies[0].uncontrolled_ci is None
    assert "a policy with fewer than 5 questions has no intervals" in own.notes
    assert scores(folder, baseline="base").questions == 40
    folder = write_folder(tmp_path / "b", written, styles)
    found = scores(folder)
    assert (found.baseline, found.questions) == ("base", 38)
    assert any("6 judgments of the category creative_writing left out" in note for note in found.notes)
    with pytest.raises(
        RunError, match="`categories`: 'math' has no judgments: choose one of creative_writing, hard_prompt"
    ):
        scores(folder, categories=["math"])
    other = [{**row, "category": "own"} if row["category"] == "hard_prompt" else row for row in written]
    with pytest.raises(
        RunError, match=r"the categories have different baselines .*own unknown.*choose with `categories`"
    ):
        scores(write_folder(tmp_path / "c", other, styles))


def test_judges_and_policies_are_chosen(folder: Path) -> None:
    rows, _ = made_up(seed=1)
    write_lines(folder / "model_judgment" / "second" / "all.jsonl", rows)
    with pytest.raises(RunError, match=r"several judges \(judge, second\): choose with `judges`"):
        scores(folder)
    one, other = (scores(folder, judges=[name]) for name in ("judge", "second"))
    both = scores(folder, judges=["second", "judge"])
    assert both.battles == one.battles + other.battles
    assert both.questions == 40
    with pytest.raises(RunError, match="`judges`: 'thrid' has no judgments here: choose one of"):
        scores(folder, judges=["thrid"])
    alone = scores(folder, judges=["judge"], policies=["fancy"])
    assert [own.model for own in alone.policies] == ["fancy"]
    assert abs(alone.policies[0].style_control_score) < 0.03
    assert any("with one policy, controlled is its win rate at its own mean" in note for note in alone.notes)
    with pytest.raises(RunError, match="`policies`: 'x' has no judgments: choose one of fancy, plain, weak"):
        scores(folder, judges=["judge"], policies=["x"])


def test_what_cannot_be_estimated_is_said(tmp_path: Path) -> None:
    rows, styles = made_up()
    for row in rows:
        if row["model"] == "fancy":
            row["games"] = [{"score": "B>A"}, {"score": "A>B"}]
    for own in styles.values():
        for style in own.values():
            style["header_count"] = {"h1": 0}
    found = scores(write_folder(tmp_path / "a", rows, styles))
    fancy = found.policy("fancy")
    assert (fancy.uncontrolled, fancy.controlled_ci) == (1.0, None)
    assert math.isnan(fancy.style_control_score)
    assert found.to_dict()["policies"][0]["controlled"] is None
    assert "  fancy: 100.0, with style control -\n  plain: " in repr(found)
    text = " ".join(found.notes)
    assert "fancy wins all its battles or loses all: its win rate with style control has no finite estimate" in text
    assert "header is not in the model, because it does not vary" in text


def test_answers_without_metadata_are_counted(tmp_path: Path) -> None:
    rows, styles = made_up(questions=12)
    folder = write_folder(tmp_path / "texts", rows, {})
    for name, own in styles.items():
        answers = []
        for uid, style in own.items():
            text = "word " * style["token_len"] + "\n- a" * style["list_count"]["unordered"]
            answers.append(
                {"uid": uid, "model": name, "messages": [{"role": "assistant", "content": {"answer": text}}]}
            )
        write_lines(folder / "model_answer" / f"{name}.jsonl", answers)
    found = scores(folder)
    assert found.unit == "words and punctuation marks"
    assert any("numbers are not comparable with those of its metadata" in note for note in found.notes)


def test_the_reference_method(folder: Path) -> None:
    found = scores(folder, method="arena-hard@1")
    assert (found.method, found.resamples) == ("arena-hard@1", 100)
    assert found.confidence == pytest.approx(0.9)
    assert any("each fit takes at most 50 steps" in note for note in found.notes)
    own = scores(folder)
    for one in own.policies:
        assert found.policy(one.model).controlled == pytest.approx(one.controlled, abs=0.05)
        assert math.isnan(found.policy(one.model).equal_style)
    assert "arena-hard@1 against base" in repr(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "style"}, "`method` 'style' is unknown: choose one of style-control@1, arena-hard@1"),
        ({"resamples": -1}, "`resamples` -1 is too few for 95% intervals: give 40 or more, or 0"),
        ({"resamples": 1}, "`resamples` 1 is too few"),
    ],
)
def test_options_that_are_refused(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(RunError, match=message):
        scores(folder, **options)
    with pytest.raises(RunError, match="no folder is given"):
        style_control_scores([])


def test_tables_for_people_and_programs(folder: Path) -> None:
    import rmeval.report.notebook  # noqa: F401  It registers the HTML.

    found = scores(folder)
    assert list(found.to_pandas()["model"]) == ["fancy", "plain", "weak"]
    assert "equal style" in str(found._repr_html_())
    assert json.loads(json.dumps(found.to_dict()))["folders"] == [str(folder)]


@pytest.mark.parametrize("method", ["style-control@1", "arena-hard@1"])
def test_no_extra_is_needed(folder: Path, method: str) -> None:
    arguments = ["style-control", str(folder), "--method", method, "--resamples", "40"]
    done = process("-c", WITHOUT.format(extras=(*EXTRAS, "matplotlib"), arguments=arguments))
    assert done.returncode == 0, done.stderr
    assert "style-control score" in done.stdout


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fast = ("--resamples", 50)
    done = command(capsys, "style-control", folder, *fast, "--plots", tmp_path / "plots")
    assert done.code == 0, done.err
    for text in ("equal style", "baseline: base, the only model", "judged by judge", "95% intervals", "length"):
        assert text in done.out
    assert (tmp_path / "plots" / "style-control.png").stat().st_size > 10_000
    command(capsys, "style-control", folder, *fast, "--dark", "--plots", tmp_path / "dark")
    assert (tmp_path / "dark" / "style-control.png").exists()
    table = command(capsys, "style-control", folder, *fast, "--format", "csv").out
    rows = [row for row in csv.DictReader(io.StringIO(table)) if row["model"]]
    assert [row["model"] for row in rows] == ["fancy", "plain", "weak"]
    assert all(float(row["style_control_score"]) < float(row["style_control_score high"]) for row in rows)
    found = json.loads(command(capsys, "style-control", folder, *fast, "--json").out)
    assert found["policies"][0]["model"] == "fancy"
    wrong = command(capsys, "style-control", folder, "--judge", "x")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "--judge: 'x' has no judgments here" in wrong.err
