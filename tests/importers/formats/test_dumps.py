"""Files as their authors publish them, and what they say: `../shared/data/dumps`, with one command each."""

from __future__ import annotations

from pathlib import Path

import pytest

import rmeval
from rmeval.results.result import Result
from tests.command import command


def imported(capsys: pytest.CaptureFixture[str], tmp_path: Path, file: Path, *arguments: str | Path) -> Result:
    done = command(capsys, "import", file, *arguments, "-o", tmp_path)
    assert done.code == 0, done.err
    (run,) = tmp_path.rglob("run.json")
    assert command(capsys, "show", tmp_path).code == 0
    return rmeval.open_run(run.parent)


def test_judgebench(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = shared / "data" / "dumps" / "judgebench-claude-arena_hard-claude-3-haiku.jsonl.gz"
    data = shared / "data" / "judgebench" / "claude35sonnet.jsonl"
    result = imported(capsys, tmp_path, file, "-b", "judgebench", "--data", data)
    wanted = {"mmlu-pro": 37.66, "livebench-reasoning": 29.41, "livebench-math": 32.35, "livecodebench": 9.68}
    assert result.records[0].variant == "orders/net"
    assert round(100 * result.value("section", "claude"), 2) == 32.22
    assert {name: round(100 * result.value("accuracy", f"claude/{name}"), 2) for name in wanted} == wanted
    assert result.judging is not None
    assert [(one.status, one.count) for one in result.judging.failed] == [("unparsed", 13)]
    assert result.manifest["model"]["name"] == "claude-3-haiku-20240307 (arena_hard)"


@pytest.mark.parametrize("items", ["--items-from-scores", "reward-bench"])
@pytest.mark.parametrize(
    ("name", "subset", "wanted"),
    [
        ("Natural-GPT-4_Swap", "natural", (0.94, 0.95, 0.945)),
        ("Natural-PaLM2_Vanilla", "natural", (0.78, 0.88, 0.83)),
        ("Adversarial_Manual-GPT-4_Swap", "adver-manual", (0.7826, 0.8478, 0.8152)),
        ("Adversarial_Manual-PaLM2_Vanilla", "adver-manual", (0.6957, 0.6087, 0.6522)),
    ],
)
def test_llmbar(
    shared: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    subset: str,
    wanted: tuple[float, ...],
    items: str,
) -> None:
    """Of LLMBar's own items, which the file states, or RewardBench's, which are matched by text."""
    file = shared / "data" / "dumps" / "llmbar" / f"{name}.json.gz"
    if items == "reward-bench":
        data = shared / "data" / "rewardbench" / "llmbar.jsonl"
        result = imported(capsys, tmp_path, file, "-b", items, "--data", data)
        scope = f"llmbar-{subset}"
        # A pair on which the orders differ is a tie, which loses in RewardBench: these are the both orders' own.
        variants: tuple[str, ...] = ("orders/first", "orders/second")
    else:
        result = imported(capsys, tmp_path, file, "-b", "llmbar", items)
        scope, variants = subset.rpartition("-")[2].capitalize(), ("orders/first", "orders/second", "orders/mean")
    found = [round(result.value("accuracy", scope, variant), 4) for variant in variants]
    assert found == list(wanted[: len(found)])


def test_math_prm(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = shared / "data" / "dumps" / "rewardmath-rewardbench_internlm2.json.gz"
    data = shared / "data" / "rewardbench" / "math-prm.jsonl"
    result = imported(capsys, tmp_path, file, "-b", "reward-bench", "--data", data)
    assert round(100 * result.value("accuracy", "math-prm"), 2) == 92.84
    assert result.record("accuracy", "math-prm").n_items == 447


@pytest.mark.parametrize(("steps", "wanted"), [("min", 0.1532), ("prod", 0.1718), ("last", 0.1822), ("mean", 0.1511)])
def test_steps(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], steps: str, wanted: float) -> None:
    file = shared / "data" / "dumps" / "rewardmath-Math_Shepherd_reward.json.gz"
    result = imported(capsys, tmp_path, file, "-b", "reward-math", "--items-from-scores", "--steps", steps)
    assert round(result.value("accuracy"), 4) == wanted


def test_pairs_of_solutions(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = shared / "data" / "dumps" / "rewardmath-gpt4_pairwise_reward.json.gz"
    result = imported(capsys, tmp_path, file, "-b", "reward-math", "--items-from-scores")
    assert (round(result.value("accuracy"), 4), round(result.value("pair_accuracy"), 4)) == (0.2981, 0.7746)


def test_rmb(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = shared / "data" / "dumps" / "rmb-ArmoRM_first200.json.gz"
    result = imported(capsys, tmp_path, file, "-b", "rmb", "--items-from-scores")
    record = result.record("section", "pairwise/Helpfulness")
    assert (round(record.value, 3), record.ties, record.n_items) == (0.815, 4, 200)
    done = command(capsys, "import", file, "-b", "rmb", "--data", shared / "data" / "rmb", "-o", tmp_path / "other")
    assert (done.code, "give --benchmark rmb with --items-from-scores" in done.err) == (2, True)
