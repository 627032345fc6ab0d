"""The probabilities of labels are those of hf, of vLLM in a process of its own, and of a vLLM server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.results import Result
from rmeval.store.journal import read_journal
from tests.integration.environments import run_in
from tests.integration.servers import StartServer

CLOSE = 1e-3
LONGEST = "1024"
PROTOCOLS = ("ab-labels", "rating-labels")
SETTINGS: dict[str, Any] = {"n_items": 2, "size": 40, "min_label_mass": 0.0}


def judged(model: str, protocol: str, out: Path, **options: Any) -> Result:
    return rmeval.evaluate(model, "rm-bench-synthetic", protocol=protocol, out=out, **SETTINGS, **options)


def readings(run: Path) -> dict[str, dict[str, float]]:
    """The values of each request by its key."""
    found = [one for batch in read_journal(run / "journal") for one in batch]
    assert [one.error for one in found if one.status != "ok"] == []
    return {one.key: dict(one.values) for one in found}  # type: ignore[arg-type]


def compare(found: dict[str, dict[str, float]], wanted: dict[str, dict[str, float]]) -> float:
    """The largest difference of a probability or an expectation."""
    assert found.keys() == wanted.keys()
    names = ("p_first", "rating", "label_mass")
    apart = [abs(found[key][name] - own[name]) for key, own in wanted.items() for name in names if name in own]
    assert len(apart) == 2 * len(wanted)
    return max(apart)


@pytest.fixture(scope="module")
def hf(real_models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict[str, float]]]:
    out = tmp_path_factory.mktemp("hf")
    runs = {protocol: judged(str(real_models / "smollm2"), protocol, out) for protocol in PROTOCOLS}
    found = {protocol: readings(Path(run.path)) for protocol, run in runs.items()}
    assert len({one["p_first"] for one in found["ab-labels"].values()}) > 10
    return found


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_vllm_in_a_process_of_its_own(hf: Any, protocol: str, real_models: Path, tmp_path: Path) -> None:
    given = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]
    where = (
        "-b",
        "rm-bench-synthetic",
        "-o",
        tmp_path,
        "--engine",
        "vllm",
        "--model-kwargs",
        f"max_model_len={LONGEST}",
    )
    done = run_in("vllm", "-m", "rmeval", "run", real_models / "smollm2", "--protocol", protocol, *where, *given)
    assert done.returncode == 0, done.stderr[-4000:]
    difference = compare(readings(next(tmp_path.rglob("run.json")).parent), hf[protocol])
    print(f"{protocol}: vllm differs from hf by {difference:.2g}")  # noqa: T201
    assert difference < CLOSE


def test_a_vllm_server(hf: Any, real_models: Path, vllm_server: StartServer, tmp_path: Path) -> None:
    server = vllm_server(real_models / "smollm2", "--max-model-len", LONGEST)
    for protocol in PROTOCOLS:
        found = judged(server.url, protocol, tmp_path)
        difference = compare(readings(Path(found.path)), hf[protocol])
        print(f"{protocol}: a server differs from hf by {difference:.2g}")  # noqa: T201
        assert difference < CLOSE
