"""Checkpoints of every layout score on the hub as they do in a folder, through the real client."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import rmeval
from tests import hub
from tests.checkpoints import make_checkpoint
from tests.command import process
from tests.models.test_adapters import TALKS, body_and_head, trained
from tests.models.test_own_forward import with_class

NAMES = ("head", "shards", "classifier", "adapter", "adapter-head", "own", "elsewhere")
OWN = NAMES[5:]
SCRIPT = """
import json, sys, rmeval
talks, names = json.loads(sys.argv[1]), json.loads(sys.argv[2])
for name, options in names.items():
    model = rmeval.load_model(name, **options)
    print(json.dumps([name.partition("/")[2], list(rmeval.score(model, talks)), model.identity()]))
"""
Scored = dict[str, tuple[list[float], dict[str, object]]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hub")
    home = root / "models" / "someone"
    home.mkdir(parents=True)
    base = make_checkpoint(home / "base", "causal", seed=1)
    for name, shards in (("head", False), ("shards", True)):
        beside, _ = body_and_head(base, root / name, shards)
        shutil.move(beside, home / name)
    # A config that names a classifier, whose head lies beside its body.
    shutil.copytree(home / "head", home / "classifier")
    config = json.loads((home / "head" / "config.json").read_text())
    (home / "classifier" / "config.json").write_text(
        json.dumps(config | {"architectures": ["Qwen3ForSequenceClassification"]})
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapter, _ = trained(base, root / "trained")
        shutil.move(adapter, home / "adapter")
        peft = pytest.importorskip("peft")
        torch.manual_seed(4)
        network = peft.get_peft_model(
            AutoModelForCausalLM.from_pretrained(base),
            peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"),
        )
        network.save_pretrained(home / "adapter-head")
    save_file({"v_head.summary.weight": torch.randn(1, 32)}, home / "adapter-head" / "value_head.safetensors")
    for name in ("adapter", "adapter-head"):
        config = json.loads((home / name / "adapter_config.json").read_text())
        config["base_model_name_or_path"] = "someone/base"
        (home / name / "adapter_config.json").write_text(json.dumps(config))
    plain = make_checkpoint(root / "plain", seed=5)
    own, _ = with_class(plain, root / "negated", "Negated")
    shutil.move(own, home / "own")
    # The same class in another repository.
    shutil.copytree(home / "own", home / "elsewhere")
    (home / "code").mkdir()
    config = json.loads((home / "elsewhere" / "config.json").read_text())
    config["auto_map"] = {entry: f"someone/code--{name}" for entry, name in config["auto_map"].items()}
    (home / "elsewhere" / "config.json").write_text(json.dumps(config))
    for file in (home / "elsewhere").glob("*.py"):
        shutil.move(file, home / "code" / file.name)
    return root


@pytest.fixture(scope="module")
def environment(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    home = tmp_path_factory.mktemp("hf")
    with hub.serve(root, {}) as endpoint:
        yield {
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "XDG_CACHE_HOME": str(home / "cache"),
        }


def scored(environment: dict[str, str]) -> Scored:
    """Scores and identity of each checkpoint on the hub."""
    talks = [[{"role": m.role, "content": m.content} for m in talk] for talk in TALKS]
    names = {f"someone/{name}": {"trust_remote_code": name in OWN} for name in NAMES}
    done = process("-c", SCRIPT, json.dumps(talks), json.dumps(names), **environment)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    return {name: (scores, identity) for name, scores, identity in lines}


@pytest.fixture(scope="module")
def online(environment: dict[str, str]) -> Scored:
    return scored(environment)


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_the_folder(online: Scored, root: Path, name: str) -> None:
    home = root / "models" / "someone"
    options: dict[str, Any] = {"base_model": str(home / "base")} if name.startswith("adapter") else {}
    folder = home / ("own" if name in OWN else name)
    expected = rmeval.score(str(folder), TALKS, trust_remote_code=name in OWN, **options)
    found, identity = online[name]
    assert len(set(found)) == 3
    assert found == pytest.approx(list(expected), abs=1e-5)
    # Code that lies in another repository has a commit of its own.
    assert ("with hub:someone/code@" in str(identity["model"])) == (name == "elsewhere")


def test_the_tokenizer_of_an_adapter_on_the_hub(online: Scored, root: Path) -> None:
    """It knows tokens that the base's does not."""
    home = root / "models" / "someone"
    own, base = (AutoTokenizer.from_pretrained(home / name) for name in ("adapter", "base"))
    assert len(own) == len(base) + 3
    assert str(online["adapter"][1]["tokenizer"]).startswith("hub:someone/adapter@")
    assert str(online["adapter-head"][1]["tokenizer"]).startswith("hub:someone/base@")


@pytest.mark.slow
def test_without_a_hub_the_cache_serves(online: Scored, environment: dict[str, str]) -> None:
    """Though it cannot be known that files which may be on the hub are not."""
    offline = scored(environment | {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"})
    for name, (scores, identity) in online.items():
        assert offline[name][0] == pytest.approx(scores, abs=1e-6)
        assert offline[name][1] == identity
