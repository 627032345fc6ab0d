"""Runs to share, and a hub on this machine for the real client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import EvalResult
from huggingface_hub.repocard import ModelCard

from rmeval import evaluate
from rmeval.benchmarks.rm_bench import RMBench
from tests.samples import rm_bench_rows
from tests.writable_hub import WritableHub, serve_writable

SCORER = Path(__file__).resolve().parents[2] / "examples" / "scorer.py"
TOKEN = "hf_" + "tokenofme0" * 3
DATA = "datasets/THU-KEG/RM-Bench"
Enter = Callable[[WritableHub], None]


def enter(patch: pytest.MonkeyPatch, hub: WritableHub, cache: Path) -> None:
    """Point the client, which reads its environment when it is imported, to a hub."""
    from huggingface_hub import constants

    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.endpoint)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    patch.setattr(constants, "ENDPOINT", hub.endpoint)
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    patch.setattr(constants, "HF_HUB_CACHE", str(cache))
    patch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
    patch.setenv("HF_TOKEN", TOKEN)


def card_results(text: str) -> list[EvalResult]:
    """The results in the `model-index` of a card, as the hub's client reads them."""
    return list(ModelCard(text).data.get("eval_results") or [])


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableHub]:
    """An empty hub, to which the client writes as the user `me`."""
    with serve_writable(tmp_path / "hub", {TOKEN: "me"}) as found:
        enter(monkeypatch, found, tmp_path / "cache")
        yield found


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a custom scorer on RM-Bench, whose data come from a hub."""
    root = tmp_path_factory.mktemp("scored")
    rows = [
        row for domain, count in RMBench.card.counts.items() for row in rm_bench_rows(domain, count, with_domain=True)
    ]
    (root / "hub" / DATA).mkdir(parents=True)
    (root / "hub" / DATA / "total_dataset.json").write_text(json.dumps(rows))
    with pytest.MonkeyPatch.context() as patch, serve_writable(root / "hub", {TOKEN: "me"}) as found:
        found.served[DATA] = str(RMBench.card.revision) + "0" * (40 - len(str(RMBench.card.revision)))
        enter(patch, found, root / "cache")
        return evaluate(f"{SCORER}:Overlap", "rm-bench", out=root / "runs").path


@pytest.fixture(scope="session")
def longest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a null baseline on a generated benchmark."""
    out = tmp_path_factory.mktemp("longest")
    return evaluate("baseline:longest", "rm-bench-synthetic", benchmark_options={"size": 40}, out=out).path
