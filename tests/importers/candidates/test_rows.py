"""Published files with a row for each response or pick: tables, and AlpacaEval's best of 16."""

from __future__ import annotations

import csv
import json
import math
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.errors import DataError, RunError
from rmeval.importers.candidates import read_candidates
from rmeval.predict.candidate_set import CandidateSet
from tests.importers.candidates.samples import WRITER, annotated, numbered_scores, outputs, preference, sample_text
from tests.importers.formats.files import written

PROMPTS, SAMPLES = 6, 4


def series(folder: Path, first: bool = False) -> list[Path]:
    """Files with the annotations of a sample each, in folders as AlpacaEval writes them."""
    return [
        written(folder / f"writer-1.5.{number}" / "judge" / "annotations.json", annotated(number, first=first))
        for number in range(SAMPLES)
    ]


def wanted_quality() -> list[float]:
    return [preference(prompt, number) - 1 for prompt in range(PROMPTS) for number in range(SAMPLES)]


def scores_of(rows: list[dict[str, Any]]) -> list[float]:
    by_id = {tuple(row["id"]): row["scores"][0] for row in rows}
    return [by_id[prompt, number] for prompt in range(PROMPTS) for number in range(SAMPLES)]


def picks_of(scores: list[float]) -> list[int]:
    return [max(range(SAMPLES), key=lambda k: scores[prompt * SAMPLES + k]) for prompt in range(PROMPTS)]


@pytest.mark.parametrize("first", [False, True], ids=["second", "first"])
def test_annotations_of_samples(tmp_path: Path, first: bool) -> None:
    files = series(tmp_path, first)
    random.Random(1).shuffle(files)
    if first:  # The reference is then the second, whose name must not end with what looks like a number.
        for file in files:
            file.write_text(file.read_text().replace("gpt-3.5", "gpt-4-turbo"))
    found = read_candidates(*files)
    assert found.ids == tuple(map(str, range(PROMPTS)))
    assert found.quality == pytest.approx(wanted_quality())
    assert found.scores == {}
    assert any("judge's preference over the reference's output" in note for note in found.notes)
    assert any("later responses of a prompt are longer" in note for note in found.notes)


def test_draws_and_damaged_preferences(tmp_path: Path) -> None:
    files = series(tmp_path)
    rows = annotated(0)
    rows[0]["preference"], rows[1]["preference"], rows[2]["preference"], rows[3]["preference"] = 0, 1.5, None, 7
    written(files[0], rows)
    found = read_candidates(*files)
    np.testing.assert_equal(found.quality[::SAMPLES][:4], [0.5, 0.5, math.nan, math.nan])
    assert "annotations.json: the preference is not between 1 and 2, and the quality is unknown: 1 row" in found.notes


def test_scores_by_number(tmp_path: Path) -> None:
    """reward-bench's scores: the id is the number of the prompt and that of the sample; consecutive objects."""
    rows = numbered_scores()
    file = tmp_path / "org" / "rm.json"
    file.parent.mkdir()
    file.write_text("\n".join(json.dumps(row, indent=1) for row in rows))
    found = read_candidates(*series(tmp_path), file)
    assert found.scores["rm"].tolist() == scores_of(rows)
    assert found.quality == pytest.approx(wanted_quality())
    assert read_candidates(file, *series(tmp_path)).scores["rm"].tolist() == scores_of(rows)
    with pytest.raises(DataError, match="'id' must be a list of a prompt's number and a sample's, not a number"):
        read_candidates(written(file, [{**rows[0], "id": 3}]))


@pytest.mark.parametrize("layout", ["outputs", "annotations", "numbers", "texts"])
def test_picks(tmp_path: Path, layout: str) -> None:
    picks = picks_of(scores_of(numbered_scores()))
    if layout == "outputs":
        rows = [outputs(k, generator="org/rm-2.5-BoN")[prompt] for prompt, k in enumerate(picks)]
    elif layout == "annotations":
        rows = [{**annotated(k)[prompt], "generator_2": "org/rm-2.5-BoN"} for prompt, k in enumerate(picks)]
    elif layout == "numbers":
        rows = [
            {"instruction": f"Do {prompt}.", "picked_index": k, "model": "org/rm-2.5"} for prompt, k in enumerate(picks)
        ]
    else:
        rows = [{"id": prompt, "pick": sample_text(prompt, k), "model": "org/rm-2.5"} for prompt, k in enumerate(picks)]
    file = written(tmp_path / "picks.json", rows)
    found = read_candidates(*series(tmp_path), file)
    assert found.picks == ("org/rm-2.5",)
    assert found.scores["org/rm-2.5"].reshape(PROMPTS, SAMPLES).argmax(axis=1).tolist() == picks
    with pytest.raises(DataError, match="contains only picks: also give the file of the candidates"):
        read_candidates(file)


def test_picks_of_one_model_in_two_files(tmp_path: Path) -> None:
    rows = [outputs(1, generator="rm-BoN")[prompt] for prompt in range(PROMPTS)]
    one = written(tmp_path / "rm.model_outputs.json", rows)
    two = written(tmp_path / "rm.annotations.json", [{**row, "generator_2": "rm-BoN"} for row in annotated(1)])
    assert list(read_candidates(*series(tmp_path), one, two).scores) == ["rm"]
    other = written(tmp_path / "other.json", [{**row, "generator_2": "rm-BoN"} for row in annotated(2)])
    with pytest.raises(DataError, match="another file has another pick of this model"):
        read_candidates(*series(tmp_path), one, other)


def results(rm: list[float]) -> dict[str, Any]:
    """The results that reward-bench's script writes for the scores of a reward model and for a sample."""
    quality = np.array(wanted_quality()).reshape(PROMPTS, SAMPLES)

    def numbers(picks: list[int], name: str) -> dict[str, Any]:
        own = quality[np.arange(PROMPTS), picks]
        wins, losses = int((own > 0.5 + 1e-12).sum()), int((own < 0.5 - 1e-12).sum())
        draws = PROMPTS - wins - losses
        length = sum(len(sample_text(prompt, k)) for prompt, k in enumerate(picks)) / PROMPTS
        return {
            "win_rate": 100 * own.mean(),
            "n_wins": wins,
            "n_wins_base": losses,
            "n_draws": draws,
            "n_total": PROMPTS,
            "discrete_win_rate": 100 * (wins + draws / 2) / PROMPTS,
            "avg_length": int(length),
            "reward_model": name,
        }

    return {
        "random_max": numbers([3] * PROMPTS, f"{WRITER}.3"),
        "org/rm": numbers(picks_of(rm), "org/rm"),
        "org/other-2.5": numbers([0] * PROMPTS, "org/other-2.5"),
    }


def joined(folder: Path, stated: dict[str, Any]) -> CandidateSet:
    return read_candidates(
        *series(folder),
        written(folder / "rm.json", numbered_scores()),
        written(folder / "bon_eval_results.json", stated),
    )


def test_stated_win_rates_that_hold(tmp_path: Path) -> None:
    """A version at the end of a model's name is not the number of a sample."""
    found = joined(tmp_path, results(scores_of(numbered_scores())))
    notes = [note for note in found.notes if "bon_eval_results" in note]
    assert notes == ["bon_eval_results.json: 2 of its 3 strategies were compared: the picks of 1 are not in the files"]
    with pytest.raises(DataError, match="contains win rates only"):
        read_candidates(tmp_path / "bon_eval_results.json")


@pytest.mark.parametrize(
    ("strategy", "change", "message"),
    [
        ("org/rm", {"win_rate": 12.5}, "states win_rate 12.5 for org/rm, but its picks give"),
        ("random_max", {"win_rate": 99}, "states win_rate 99 for random_max, but its picks give"),
        ("org/rm", {"avg_length": 3}, "states avg_length 3 for org/rm"),
        ("org/rm", {"n_total": 7}, "states n_total 7 for org/rm, but its picks give 6"),
        ("org/rm", {"n_wins": 99}, "99 wins, .* are not 6 in total"),
        ("org/other-2.5", {"discrete_win_rate": 1}, "states a discrete win rate of 1.00, but its counts give"),
    ],
)
def test_contradictions_are_noted(tmp_path: Path, strategy: str, change: dict[str, float], message: str) -> None:
    stated = results(scores_of(numbered_scores()))
    stated[strategy] |= change
    assert any(re.search(message, note) for note in joined(tmp_path, stated).notes)


def test_a_sample_with_unknown_quality_is_not_compared(tmp_path: Path) -> None:
    """Outputs without annotations: their qualities are unknown, and so are the win rates."""
    files = [written(tmp_path / f"outputs.{number}.json", outputs(number)) for number in range(SAMPLES)]
    stated = written(tmp_path / "bon_eval_results.json", {"random_max": results([0.0] * 24)["random_max"]})
    found = read_candidates(*series(tmp_path)[:2], *files, stated)
    known = ~np.isnan(found.quality).reshape(PROMPTS, SAMPLES)
    assert known.tolist() == [[True, True, False, False]] * PROMPTS
    assert found.notes[-1].endswith("0 of its 1 strategies were compared: the quality of some picks of 1 is unknown")


TABLE = [
    {"prompt_id": "a", "question": "q1", "response": "x", "correct": "True", "score_one": "1.5", "two_reward": "3"},
    {"prompt_id": "b", "question": "q2", "response": "z", "correct": "False", "score_one": "", "two_reward": "1"},
    {"prompt_id": "a", "question": "q1", "response": "y", "correct": "", "score_one": "nan", "two_reward": "2"},
]


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_a_table_with_a_row_for_each_response(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"table.{suffix}"
    with file.open("w", newline="") as text:
        table = csv.DictWriter(text, list(TABLE[0]), delimiter="\t" if suffix == "tsv" else ",")
        table.writeheader()
        table.writerows(TABLE)
    found = read_candidates(file)
    assert (found.ids, found.offsets.tolist()) == (("a", "b"), [0, 2, 3])
    np.testing.assert_equal(found.quality, [1, math.nan, 0])
    np.testing.assert_equal(found.scores["one"], [1.5, math.nan, math.nan])
    np.testing.assert_equal(found.scores["two"], [3, 2, 1])
    assert found.groups is None


def test_a_table_without_ids(tmp_path: Path) -> None:
    rows = [{"prompt": f"p{k % 2}", "output": f"t{k}", "score": k, "final_answer": str(k // 4)} for k in range(6)]
    found = read_candidates(written(tmp_path / "rm.jsonl", rows))
    assert found.scores["rm"].tolist() == [0, 2, 4, 1, 3, 5]
    assert found.groups is not None
    assert found.groups.tolist() == [0, 0, 1, 0, 0, 1]
    assert all(len(name) == 12 for name in found.ids)


def test_rmevals_own_scores_match_candidates_by_number_or_text(tmp_path: Path) -> None:
    own = [{"id": k, "prompt": f"p{k}", "responses": ["x", "y"], "gold": [1, 0]} for k in range(2)]
    candidates = written(tmp_path / "own.jsonl", own)
    numbers = [{"item_id": str(k), "response": place, "score": 10 * k + place} for k in (1, 0) for place in (1, 0)]
    found = read_candidates(candidates, written(tmp_path / "numbers.jsonl", numbers))
    assert found.scores["numbers"].tolist() == [0, 1, 10, 11]
    texts = [{"item_id": k, "response": text, "score": k} for k in range(2) for text in "yx"]
    assert read_candidates(candidates, written(tmp_path / "texts.jsonl", texts)).scores["texts"].tolist() == [
        0,
        0,
        1,
        1,
    ]
    assert found.digests is not None


def test_a_row_for_each_response_and_reward_model(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "prompt": "p", "sample": k, "response": f"t{k}", f"score_{model}": k + place}
        for place, model in enumerate(["one", "two"])
        for k in range(3)
    ]
    found = read_candidates(written(tmp_path / "rm.jsonl", rows))
    assert {name: own.tolist() for name, own in found.scores.items()} == {"one": [0, 1, 2], "two": [1, 2, 3]}


def test_repeated_rows(tmp_path: Path) -> None:
    row = {"id": "a", "prompt": "p", "sample": 0, "response": "t", "score": 1.0, "gold": 1}
    found = read_candidates(written(tmp_path / "rm.jsonl", [row, row]))
    assert len(found.quality) == 1
    assert found.notes == ("rm.jsonl: an earlier row has the same response, and is used: 1 row",)
    for change in ({"score": 2.0}, {"gold": 0}, {"response": "u"}):
        with pytest.raises(DataError, match="line 2: an earlier row has other values for response '0' of the prompt"):
            read_candidates(written(tmp_path / "rm.jsonl", [row, {**row, **change}]))


def test_a_row_without_a_response(tmp_path: Path) -> None:
    rows = [{"id": "a", "response": "t", "score": 1.0}, {"id": "a", "response": None, "score": 2.0}]
    with pytest.raises(DataError, match="line 2: the row has no text or number of its response"):
        read_candidates(written(tmp_path / "rm.jsonl", rows))


def test_picks_give_the_number_of_all_responses_only(tmp_path: Path) -> None:
    scores = numbered_scores()
    picks = [outputs(k, generator="chosen-BoN")[prompt] for prompt, k in enumerate(picks_of(scores_of(scores)))]
    files = [*series(tmp_path), written(tmp_path / "rm.json", scores), written(tmp_path / "picks.json", picks)]
    found = rmeval.bon(files)
    assert found.picker("chosen").end.quality == pytest.approx(found.picker("rm").end.quality)
    assert [point.n for point in found.picker("chosen").points] == [SAMPLES]
    assert f"n is {SAMPLES} only: the files have the picks of chosen, no scores" in found.notes
    with pytest.raises(RunError, match="only the picks of chosen among all responses are known"):
        rmeval.bon(files, at=[2])
