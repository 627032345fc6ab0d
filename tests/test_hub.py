"""Models and benchmarks from the hub, through the real client, from a hub on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.benchmarks.ppe_correctness import PPECorrectness
from rmeval.benchmarks.reward_bench import FILTERED, RewardBench
from rmeval.benchmarks.reward_math import RewardMath
from rmeval.benchmarks.rm_bench import RMBench
from tests import hub
from tests.benchmarks.test_ppe_correctness import row as best_of_k_row
from tests.benchmarks.test_reward_math import rows as solutions
from tests.checkpoints import make_checkpoint
from tests.command import process
from tests.samples import pair_rows, reward_bench_rows, rm_bench_rows

MODEL = "Skywork/Skywork-Reward-V2-Qwen3-0.6B"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("hub")
    # Its card limits conversations to 16,384 tokens, which the network must support.
    make_checkpoint(root / "models" / MODEL, max_position_embeddings=16384)
    data = root / "datasets" / "THU-KEG" / "RM-Bench"
    data.mkdir(parents=True)
    rows = [
        row for domain, count in RMBench.card.counts.items() for row in rm_bench_rows(domain, count, with_domain=True)
    ]
    (data / "total_dataset.json").write_text(json.dumps(rows))
    data = root / "datasets" / "allenai" / "reward-bench"
    (data / "data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(reward_bench_rows(dict(RewardBench.card.counts))), data / FILTERED)
    data = root / "datasets" / "someone" / "prefs"
    data.mkdir(parents=True)
    (data / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pair_rows(20)))
    data = root / "datasets" / "RewardMATH" / "RewardMATH" / "data"
    data.mkdir(parents=True)
    table = pa.Table.from_pylist(solutions(RewardMath.card.counts["all"]))
    for number, part in enumerate((table[:2004], table[2004:])):
        pq.write_table(part, data / f"train-0000{number}-of-00002.parquet")
    data = root / "datasets" / "someone" / "two" / "data"
    data.mkdir(parents=True)
    for name in ("raw", "test"):
        (data / f"{name}-0.jsonl").write_text("{}\n")
    commits = {
        "datasets/THU-KEG/RM-Bench": f"{RMBench.card.revision}" + "0" * 33,
        "datasets/allenai/reward-bench": str(RewardBench.card.revision),
    }
    for name in PPECorrectness.files:
        place, _, path = name.partition(":")
        repository, _, commit = place.partition("@")
        subset = repository.partition("PPE-")[2].removesuffix("-Best-of-K")
        (root / "datasets" / repository / path).parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist([best_of_k_row(subset, 0)]), root / "datasets" / repository / path)
        commits[f"datasets/{repository}"] = commit
    with hub.serve(root, commits) as address:
        yield address


@pytest.fixture
def environment(endpoint: str, tmp_path: Path) -> dict[str, str]:
    return {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}


def test_the_first_command_of_the_readme(environment: dict[str, str], tmp_path: Path) -> None:
    run = ["-m", "rmeval", "run", MODEL, "-b", "rm-bench", "-b", "reward-bench", "-o", tmp_path / "runs"]
    done = process(*run, **environment)
    assert done.returncode == 0, done.stderr
    # In each table, and in the lines at the end.
    assert done.stdout.count("overall") == 4
    assert "not the whole" not in done.stdout
    manifests = {p.parents[2].name: json.loads(p.read_text()) for p in (tmp_path / "runs").rglob("run.json")}
    assert manifests["rm-bench"]["identity"]["model"].startswith(f"hub:{MODEL}@")
    assert manifests["rm-bench"]["model"]["name"] == MODEL.replace("/", "__")
    assert manifests["reward-bench"]["benchmark"]["revision"] == RewardBench.card.revision
    # What was downloaded serves without a hub.
    again = process(*run, **environment | {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"})
    assert again.returncode == 0, again.stderr
    assert again.stdout == done.stdout


@pytest.mark.slow
def test_pairs_from_the_hub(environment: dict[str, str], tmp_path: Path) -> None:
    run = ["-m", "rmeval", "run", "baseline:longest", "-b", "pairs", "-o", tmp_path / "runs", "--data"]
    done = process(*run, "someone/prefs", **environment)
    assert done.returncode == 0, done.stderr
    assert "all" in done.stdout
    wrong = process(*run, "someone/prefs", "--split", "test", **environment)
    assert (wrong.returncode, "check --split" in wrong.stderr) == (2, True), wrong.stderr
    absent = process(*run, "someone/absent", **environment)
    assert (absent.returncode, "is not on the hub, or needs a login" in absent.stderr) == (2, True), absent.stderr


@pytest.mark.slow
def test_several_data_sets_make_one_benchmark(environment: dict[str, str], tmp_path: Path) -> None:
    run = ["-m", "rmeval", "run", "baseline:longest", "-b", "ppe-correctness", "-o", tmp_path / "runs"]
    # All five were had at their commits, and are not what those hold.
    done = process(*run, **environment)
    assert done.returncode == 2
    counts = (
        "MMLU-Pro 1 instead of 512, MATH 1 instead of 512, GPQA 1 instead of 512, IFEval 1 instead of 512, MBPP-Plus"
    )
    assert f"not the whole of PPE Correctness: {counts} 1 instead of 507 items" in done.stderr
    assert done.stderr.count("note: downloading lmarena-ai/PPE-") == 5
    assert "downloading" not in process(*run, **environment).stderr
    alone = process(*run, "--data", "lmarena-ai/PPE-GPQA-Best-of-K", **environment)
    assert alone.returncode == 0, alone.stderr
    assert "no overall: there are no items of MMLU-Pro, MATH, IFEval, MBPP-Plus" in alone.stdout + alone.stderr


@pytest.mark.slow
def test_a_data_set_whose_files_have_other_names(environment: dict[str, str], tmp_path: Path) -> None:
    """The files that are there stand for the one that is not, also without a hub once they are cached."""
    run = ["-m", "rmeval", "run", "baseline:longest", "-b", "reward-math", "-o", tmp_path / "runs"]
    done = process(*run, **environment)
    assert done.returncode == 0, done.stderr
    assert "has no file data/test-00000-of-00001.parquet: using data/train-00000-of-00002.parquet, data/" in done.stderr
    assert "not the whole" not in done.stdout
    again = process(*run, **environment | {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"})
    assert (again.returncode, again.stdout) == (0, done.stdout), again.stderr


def test_no_other_file_stands_for_one_that_may_be_on_the_hub(environment: dict[str, str], tmp_path: Path) -> None:
    """One of two files is in the cache, and there is no hub to ask for the other."""
    script = (
        "import sys\nfrom rmeval.hub import hub_data, hub_file\n"
        "hub_file('someone/two', 'data/raw-0.jsonl', None, 'dataset') if sys.argv[1] == 'fetch' else "
        "print([f.path.name for f in hub_data('someone/two', sys.argv[2], None, sys.argv[3:])])\n"
    )
    assert process("-c", script, "fetch", **environment).returncode == 0
    nowhere = environment | {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    alone = process("-c", script, "look", "data/test-0.jsonl", **nowhere)
    assert (alone.returncode, "is not in the local cache" in alone.stderr) == (1, True), alone.stderr
    # With a hub, which says that there is no such file; but not what stands for itself.
    assert "raw-0.jsonl" in process("-c", script, "look", "data/other-0.jsonl", **environment).stdout
    itself = process("-c", script, "look", "data/other-0.jsonl", "data/raw-0.jsonl", "data/test-0.jsonl", **environment)
    assert (itself.returncode, "has no file data/other-0.jsonl" in itself.stderr) == (1, True), itself.stderr


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        ("someone/absent", [], "the model someone/absent is not on the hub, or is private"),
        (hub.GATED, [], "the model someone/gated is gated: accept its terms on its hub page, then log in"),
        (MODEL, ["--revision", "v9"], "has no revision v9: check --revision"),
    ],
)
@pytest.mark.slow
def test_what_the_hub_refuses(
    environment: dict[str, str], tmp_path: Path, pairs_file: Path, model: str, options: list[str], sentence: str
) -> None:
    run = ["-m", "rmeval", "run", model, "-b", "pairs", "--data", pairs_file, "-o", tmp_path / "runs"]
    done = process(*run, *options, **environment)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert [line for line in done.stderr.splitlines() if not line.startswith("note: ")] == done.stderr.splitlines()[-1:]


@pytest.mark.parametrize("offline", ["0", "1"])
@pytest.mark.slow
def test_no_hub(environment: dict[str, str], tmp_path: Path, offline: str) -> None:
    nowhere = environment | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": offline}
    done = process("-m", "rmeval", "run", "baseline:longest", "-b", "rm-bench", "-o", tmp_path / "runs", **nowhere)
    assert done.returncode == 2
    assert "the data set THU-KEG/RM-Bench" in done.stderr
    assert "the hub cannot be reached" in done.stderr
    note, error = done.stderr.splitlines()
    assert note == "note: downloading THU-KEG/RM-Bench from the hub; licence: ODC-BY (hub card)"
    assert error.startswith("error: ")
    pairs = process("-m", "rmeval", "run", "baseline:longest", "-b", "pairs", "--data", "foo/bar", **nowhere)
    assert (pairs.returncode, "the data set foo/bar" in pairs.stderr) == (2, True)
    assert "Retrying" not in pairs.stderr
    missing = process("-m", "rmeval", "run", "someone/absent", "-b", "pairs", "--data", "x", **nowhere)
    assert missing.returncode == 2
    assert "the hub cannot be reached" in missing.stderr
