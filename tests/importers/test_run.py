from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rmeval.benchmarks import Benchmark, load_benchmark
from rmeval.errors import DataError
from rmeval.importers.run import import_scores
from rmeval.metrics.outcomes import HALF
from rmeval.results.result import Result, derive, open_run
from tests.samples import reward_bench_rows, rm_bench_rows


def bring(file: Path, bench: Benchmark, tmp_path: Path) -> Result:
    return import_scores(file, bench, tmp_path / "runs")


def test_rm_bench_results_equal_the_reference(shared: Path, fixtures: Any, tmp_path: Path) -> None:
    """Scores and metrics of the reference's own scripts on real data, file by file."""
    reference = fixtures("rm_bench_reference.json")
    data = shared / "data" / "rm-bench"
    rows = [
        {"id": int(row["id"].rpartition("-")[2])} | {k: row[k] for k in ("domain", "score_chosen", "score_rejected")}
        for row in reversed(reference["scores"])
    ]
    file = tmp_path / "total.json"
    file.write_text(json.dumps(rows))
    result = bring(file, load_benchmark("rm-bench", str(data)), tmp_path)
    for domain in ("chat", "code", "safety-response"):
        for level in ("easy", "normal", "hard"):
            wanted = reference["metrics"][domain][f"{level}_acc"]
            assert result.value(level, domain) == pytest.approx(wanted, abs=1e-12)
    assert derive(result.path).records == result.records


def test_our_own_lines_and_by_name_of_file(rm_bench_folder: Path, tmp_path: Path) -> None:
    bench = load_benchmark("rm-bench", str(rm_bench_folder))
    file = tmp_path / "scores.jsonl"
    lines = [{"item_id": "chat/1", "response": n, "score": 6 - n} for n in (3, 1, 5, 0, 2, 4)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = bring(file, bench, tmp_path)
    assert result.value("hard", "chat") == 1.0
    assert "the scores cover 1 of 20 items: the others are excluded" in result.notes
    named = tmp_path / "safety-refuse_filtered_mymodel_REWORD_MODEL.json"
    named.write_text(
        json.dumps(
            [
                row | {"score_chosen": [1, 1, 1], "score_rejected": [0, 0, 0]}
                for row in rm_bench_rows("safety-refuse", 4)
            ]
        )
    )
    assert bring(named, bench, tmp_path).record("hard", "safety-refuse").n_items == 4


def test_by_text_where_there_is_no_id(rm_bench_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    rows = [
        row | {"score_chosen": [[2], [2], [2]], "score_rejected": [[1], [1], [row["id"]]]}
        for row in rm_bench_rows("math", 4)
    ]
    for row in rows:
        del row["id"]
    file.write_text(json.dumps(rows[::-1]))
    result = bring(file, load_benchmark("rm-bench", str(rm_bench_folder)), tmp_path)
    # The item whose id was 2 has a tie, and that whose id was 3 loses, each in the markdown column.
    assert result.value("cell:concise/detailed_markdown", "math") == 0.5
    assert [result.record(level, "math").ties for level in ("easy", "normal", "hard", "average")] == [0, 1, 2, 3]


def reward_bench(tmp_path: Path) -> tuple[Benchmark, list[dict[str, Any]]]:
    rows = reward_bench_rows({"hep-go": 3, "donotanswer": 2})
    data = tmp_path / "rb.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_benchmark("reward-bench", str(data)), rows


@pytest.mark.parametrize("listed", [False, True])
def test_reward_bench_outputs(tmp_path: Path, listed: bool) -> None:
    bench, rows = reward_bench(tmp_path)
    file = tmp_path / "model_outputs.jsonl"
    out = [
        {
            "prompt": f"<user>{row['prompt']}",
            "text_chosen": f"<user>{row['prompt']}<bot>{row['chosen']}",
            "text_rejected": f"<user>{row['prompt']}<bot>{row['rejected']}",
            "scores_chosen": [row["id"]] if listed else row["id"],
            "scores_rejected": [1.0] if listed else 1.0,
        }
        for row in rows
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in out[::-1]))
    result = bring(file, bench, tmp_path)
    assert result.value("accuracy", "hep-go") == pytest.approx(1 / 3)
    assert result.record("accuracy", "donotanswer").ties == 1


def test_reward_bench_hub_columns(tmp_path: Path) -> None:
    bench, rows = reward_bench(tmp_path)
    columns = {
        "id": [row["id"] for row in rows],
        "subset": [row["subset"] for row in rows],
        "scores_chosen": [2.0] * len(rows),
        "scores_rejected": [1.0] * len(rows),
        "model": "someone/their-rm",
        "model_type": "Seq. Classifier",
    }
    file = tmp_path / "their-rm.json"
    file.write_text(json.dumps(columns))
    result = bring(file, bench, tmp_path)
    assert result.manifest["model"]["name"] == "someone/their-rm"
    assert result.path.parent.name == "someone-their-rm"
    assert result.value("section", "Safety") == 1.0


def test_the_oracle_is_always_right(rm_bench_folder: Path, tmp_path: Path) -> None:
    bench = load_benchmark("rm-bench", str(rm_bench_folder))
    result = import_scores(None, bench, tmp_path / "runs", oracle=True)
    assert {record.value for record in result.records if record.metric != "style_gap"} == {1.0}
    assert result.value("style_gap", "chat") == 0.0


@pytest.mark.parametrize("name", ["m" * 10_000, "é" * 200, "一" * 100])
def test_a_long_name_of_a_model_is_cut_in_that_of_its_folder(name: str, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text('{"prompt": "q", "chosen": "a", "rejected": "b"}\n')
    bench = load_benchmark("pairs", str(data))
    result = import_scores(None, bench, tmp_path / "runs", name=name, oracle=True)
    folder = result.path.parent.name
    assert name.startswith(folder)
    assert 250 <= len(folder.encode()) <= 255
    assert open_run(result.path).manifest["model"]["name"] == name


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('[{"id": 1}]', "are not those of a supported format: give 'item_id'"),
        ('[{"item_id": "chat/1", "response": 9, "score": 1}]', "'response' must be a number from 0 to 5, not 9"),
        ('[{"item_id": "chat/1", "response": 0, "score": "high"}]', "a score must be a number, not 'high'"),
        ('[{"item_id": "chat/77", "response": 0, "score": 1}]', "no row of .* belongs to an item of the benchmark"),
        (
            '[{"id": 1, "domain": "chat", "score_chosen": [1, 2], "score_rejected": [1, 2]}]',
            "2 chosen and 2 rejected scores, but item chat/1 has 3 chosen and 3 rejected responses",
        ),
        (
            '[{"id": 1, "domain": "chat", "prompt": "other", "score_chosen": [1,1,1], "score_rejected": [1,1,1]}]',
            "its texts differ from those of item chat/1",
        ),
        ('[{"score_chosen": [1, 1, 1], "score_rejected": [1, 1, 1]}]', "the row has neither an 'id' nor texts"),
        (
            '[{"id": 1, "domain": "chat", "score_chosen": [9], "score_rejected": [1, 2, 3, 4, 5]}]',
            "1 chosen and 5 rejected scores, but item chat/1 has 3 chosen and 3 rejected responses",
        ),
        ('[{"item_id": "chat/1", "response": 0, "score": 1' + "0" * 400 + "}]", "a score must be a number"),
        (
            '[{"item_id": "chat/1", "response": 0, "score": 1}, {"item_id": "chat/1", "response": 0, "score": null}]',
            "has a score or verdict in an earlier row",
        ),
        ('{"model": "m"}', "must contain rows, or columns of equal length"),
        (
            '[{"item_id": "chat/1", "response": 0, "score": 1}, {"item_id": "chat/1", "response": 0, "score": 2}]',
            "has a score or verdict in an earlier row",
        ),
    ],
)
def test_bad_files(rm_bench_folder: Path, tmp_path: Path, content: str, sentence: str) -> None:
    file = tmp_path / "scores.json"
    file.write_text(content)
    with pytest.raises(DataError, match=sentence):
        bring(file, load_benchmark("rm-bench", str(rm_bench_folder)), tmp_path)


def test_a_file_or_an_oracle(rm_bench_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="give either a file of scores or `oracle`"):
        import_scores(None, load_benchmark("rm-bench", str(rm_bench_folder)), tmp_path)


def test_missing_numbers_are_failures(rm_bench_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    rows = [row | {"score_chosen": [2, 2, 2], "score_rejected": [1, 1, 1]} for row in rm_bench_rows("chat", 2)]
    rows[0]["score_chosen"] = [float("nan"), None, 2]
    file.write_text(json.dumps([row | {"domain": "chat"} for row in rows]))
    result = bring(file, load_benchmark("rm-bench", str(rm_bench_folder)), tmp_path)
    # A NaN loses, as in the reference. Rows without a score: concise (no easy comparison) and plain (one of three).
    assert result.value("cell:concise/concise", "chat") == 0.5
    assert [result.record(level, "chat").failures for level in ("easy", "normal", "hard", "average")] == [1, 2, 3, 6]
    assert derive(result.path, HALF.name).value("cell:concise/concise", "chat") == 1.0


def test_pairs_of_scores_do_not_fit_items_of_six_answers(rm_bench_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "scores.jsonl"
    file.write_text('{"id": 1, "subset": "chat", "scores_chosen": 1, "scores_rejected": 0}\n')
    with pytest.raises(
        DataError, match="1 chosen and 1 rejected scores, but item chat/1 has 3 chosen and 3 rejected responses"
    ):
        bring(file, load_benchmark("rm-bench", str(rm_bench_folder)), tmp_path)


def test_an_unknown_id_with_known_texts(rm_bench_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    rows = [
        row | {"id": 900, "score_chosen": [1, 1, 1], "score_rejected": [0, 0, 0]} for row in rm_bench_rows("math", 1)
    ]
    file.write_text(json.dumps(rows))
    result = bring(file, load_benchmark("rm-bench", str(rm_bench_folder)), tmp_path)
    assert result.record("easy", "math").n_items == 1
