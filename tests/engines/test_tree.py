"""Values from prefix trees equal those of one sequence at a time, whatever the architecture, order and batch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from rmeval.engines import AtPositions, LastToken, LogitsAt, Pooled, Readout, TokenLogProbs
from rmeval.engines.hf.checkpoint import find_checkpoint
from rmeval.engines.hf.engine import HFEngine
from rmeval.engines.hf.network import Network
from rmeval.engines.hf.tree import rope_depends_on_length
from rmeval.errors import ModelError
from rmeval.types import FloatArray
from tests.architectures import slow_but

SHAPE: dict[str, Any] = {
    "vocab_size": 400,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 256,
    "pad_token_id": 2,
    "eos_token_id": 2,
    "bos_token_id": None,
    "initializer_range": 0.2,
    "num_labels": 1,
}
MIXED = ["sliding_attention", "full_attention", "sliding_attention"]
SHARED: dict[str, dict[str, Any]] = {
    "llama": {"num_key_value_heads": 2},
    "qwen3": {"num_key_value_heads": 1, "head_dim": 16},
    "gemma2": {"num_key_value_heads": 1, "head_dim": 8, "sliding_window": 6, "layer_types": MIXED},
    "gemma3_text": {"num_key_value_heads": 2, "head_dim": 8, "sliding_window": 5, "layer_types": MIXED},
    "mistral": {"num_key_value_heads": 2, "sliding_window": 7},
    "gpt_neox": {},
    "gpt2": {"n_embd": 32, "n_head": 4, "n_layer": 3, "n_positions": 256},
    "mixtral": {"num_key_value_heads": 2, "num_local_experts": 3, "num_experts_per_tok": 2},
}
LANGUAGE_MODELS = SHARED | {
    "granite": {"num_key_value_heads": 2, "logits_scaling": 3.0, "embedding_multiplier": 2.0},
    "gpt_oss": {
        "num_key_value_heads": 2,
        "head_dim": 8,
        "num_local_experts": 3,
        "num_experts_per_tok": 2,
        "sliding_window": 6,
        "layer_types": MIXED,
    },
}
PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "bloom": ("its attention cannot be replaced", {"n_head": 4, "n_layer": 3}),
    "qwen3_next": (
        "it has layers of linear_attention",
        {
            "layer_types": ["linear_attention", "full_attention", "linear_attention"],
            "num_key_value_heads": 2,
            "num_experts": 0,
            "head_dim": 8,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 2,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
        },
    ),
    "phi3": (
        "its rotary embedding depends on the length of the sequence",
        {
            "num_key_value_heads": 2,
            "original_max_position_embeddings": 4,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 10000.0,
                "short_factor": [1.0] * 4,
                "long_factor": [4.0] * 4,
                "original_max_position_embeddings": 4,
            },
        },
    ),
}
ENCODERS: dict[str, dict[str, Any]] = {"bert": {}, "deberta-v2": {"relative_attention": True, "position_buckets": 8}}

tokens = st.lists(st.integers(0, 399), min_size=1, max_size=14)


@st.composite
def families(draw: st.DrawFn) -> list[list[int]]:
    """Sequences that begin alike, at several depths; some are equal, some the beginning of others."""
    found = [draw(tokens)]
    for _ in range(draw(st.integers(1, 9))):
        stem = found[draw(st.integers(0, len(found) - 1))]
        cut = draw(st.integers(0, len(stem)))
        found.append(stem[:cut] + draw(tokens if cut == 0 else st.lists(st.integers(0, 399), max_size=14)))
    return draw(st.permutations(found))


def network(folder: Path, kind: str, config: dict[str, Any], language_model: bool = False) -> Network:
    if not folder.exists():
        torch.manual_seed(0)
        made = AutoConfig.for_model(kind, **SHAPE | config)
        auto = AutoModelForCausalLM if language_model else AutoModelForSequenceClassification
        auto.from_config(made, dtype=torch.float32).eval().save_pretrained(folder)
    return Network(find_checkpoint(str(folder)), "float32", "cpu", False, {}, language_model)


LOADED: dict[str, Network] = {}


@pytest.fixture(autouse=True)
def blocks_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries are computed in blocks, so that short sequences have several too."""
    monkeypatch.setattr("rmeval.engines.hf.tree._block", lambda device: 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


def loaded(
    folder: Path, kind: str, config: dict[str, Any], language_model: bool = False, long: bool = False
) -> Network:
    """The network of a kind, made at its first use."""
    name = f"{kind}{'-lm' * language_model}{'-long' * long}"
    if name not in LOADED:
        LOADED[name] = network(folder / name, kind, config, language_model)
    return LOADED[name]


def everything(engine: HFEngine, sequences: Sequence[Sequence[int]], readout: Readout) -> list[FloatArray]:
    found: dict[int, FloatArray] = {}
    for reading in engine.run(sequences, readout):
        for index, values in zip(reading.indices, reading.values, strict=True):
            assert index not in found
            found[index] = values
    return [found[index] for index in range(len(sequences))]


def close(found: FloatArray, wanted: FloatArray, tolerance: float = 1e-5) -> None:
    assert found.shape == wanted.shape
    assert np.all(np.abs(found - wanted) <= tolerance * np.maximum(1, np.abs(wanted))), (found, wanted)


def alone(model: Any, sequence: Sequence[int]) -> Any:
    with torch.inference_mode():
        return model.base_model(input_ids=torch.tensor([sequence]), use_cache=False).last_hidden_state[0]


@pytest.mark.parametrize("kind", slow_but(("llama", "gemma2", "gpt2"), SHARED))
@settings(max_examples=16, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(families(), st.integers(1, 60), st.none() | st.integers(1, 4))
def test_heads(folder: Path, kind: str, sequences: list[list[int]], budget: int, cap: int | None) -> None:
    own = loaded(folder, kind, SHARED[kind])
    index = [sorted({0, len(sequence) // 2, len(sequence) - 1}) for sequence in sequences]
    states = [alone(own.model, sequence) for sequence in sequences]
    with torch.inference_mode():
        wanted = [own.model.score(one).double().numpy() for one in states]
    engine = HFEngine(own, cap, budget)
    for found, one in zip(everything(engine, sequences, LastToken("score")), wanted, strict=True):
        close(found, one[-1])
    sharing = engine.facts()["prefix_sharing"]
    assert sharing["tokens"] == sum(map(len, sequences)), sharing
    for found, one, places in zip(
        everything(engine, sequences, AtPositions("score", index)), wanted, index, strict=True
    ):
        close(found, one[places])


@pytest.mark.parametrize("kind", slow_but(("qwen3", "gemma3_text", "gpt_oss"), LANGUAGE_MODELS))
@settings(max_examples=16, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(families(), st.integers(1, 60), st.none() | st.integers(1, 4), st.data())
def test_log_probs(
    folder: Path, kind: str, sequences: list[list[int]], budget: int, cap: int | None, data: st.DataObject
) -> None:
    own = loaded(folder, kind, LANGUAGE_MODELS[kind], language_model=True)
    firsts = [data.draw(st.integers(1, len(sequence))) for sequence in sequences]
    spans = [(first, data.draw(st.integers(first, len(s)))) for first, s in zip(firsts, sequences, strict=True)]
    engine = HFEngine(own, cap, budget)
    values = everything(engine, sequences, TokenLogProbs(spans))
    for found, sequence, (first, after) in zip(values, sequences, spans, strict=True):
        with torch.inference_mode():
            logits = own.model(input_ids=torch.tensor([sequence]), use_cache=False).logits[0].double()
        wanted = torch.log_softmax(logits, 1)[range(first - 1, after - 1), sequence[first:after]].numpy()
        close(found, wanted)
    assert isinstance(engine.facts()["prefix_sharing"], dict)


@pytest.mark.parametrize("kind", slow_but(("granite", "gemma2", "gpt2"), LANGUAGE_MODELS))
@pytest.mark.parametrize("share", [True, False])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(families(), st.integers(1, 60), st.data())
def test_logits_at_positions(
    folder: Path,
    kind: str,
    share: bool,
    monkeypatch: pytest.MonkeyPatch,
    sequences: list[list[int]],
    budget: int,
    data: st.DataObject,
) -> None:
    monkeypatch.setattr("rmeval.engines.hf.readouts._LOGITS", {"cpu": 3 * 400})  # Blocks of three positions.
    own = loaded(folder, kind, LANGUAGE_MODELS[kind], language_model=True)
    # In any order, and some twice.
    index = [data.draw(st.lists(st.integers(0, len(one) - 1), max_size=5)) for one in sequences]
    wanted_ids = (7, 0, 399)
    engine = HFEngine(own, None, budget, share)
    values = everything(engine, sequences, LogitsAt(wanted_ids, index))
    for found, sequence, places in zip(values, sequences, index, strict=True):
        with torch.inference_mode():
            logits = own.model(input_ids=torch.tensor([sequence]), use_cache=False).logits[0].double()
        total = torch.logsumexp(logits, 1, keepdim=True)
        close(found, torch.cat([logits[:, list(wanted_ids)], total], 1)[places].numpy())
    assert isinstance(engine.facts()["prefix_sharing"], dict) == share


@pytest.mark.parametrize("kind", [*PLAIN, *ENCODERS])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(families(), st.integers(1, 60), st.none() | st.integers(1, 4))
def test_what_cannot_share_prefixes(
    folder: Path, kind: str, sequences: list[list[int]], budget: int, cap: int | None
) -> None:
    own = loaded(folder, kind, (PLAIN[kind][1] if kind in PLAIN else ENCODERS[kind]) | {"num_labels": 1})
    engine = HFEngine(own, cap, budget)
    readout = engine.own_readout()
    for found, sequence in zip(everything(engine, sequences, readout), sequences, strict=True):
        with torch.inference_mode():
            if isinstance(readout, Pooled):
                wanted = own.model(input_ids=torch.tensor([sequence])).logits[0]
            else:
                wanted = own.model.score(alone(own.model, sequence)[-1])
        # Linear attention sums along the sequence in chunks, which padding moves.
        close(found, wanted.double().numpy(), 5e-5 if kind == "qwen3_next" else 1e-5)
    if kind in PLAIN and (kind != "phi3" or max(map(len, sequences)) > 4):
        assert engine.facts()["prefix_sharing"] == f"off: {PLAIN[kind][0]}"


def test_angles_that_follow_the_length_are_those_of_each_sequence(folder: Path) -> None:
    """In one batch with a long sequence, a short one would be turned by the angles of long ones."""
    own = loaded(folder, "phi3", PLAIN["phi3"][1])
    config = own.config.get_text_config()
    assert [rope_depends_on_length(config, longest) for longest in (4, 5)] == [False, True]
    short, long = [5, 6, 7], list(range(20))
    (together, _), (single,) = (everything(HFEngine(own), s, LastToken("score")) for s in ([short, long], [short]))
    close(together, single)


@pytest.mark.parametrize("budget", [150, 400, 4096])
@pytest.mark.parametrize("kind", ["llama", "mistral"])
def test_long_sequences(folder: Path, kind: str, budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than a block of queries, than the window and than a piece."""
    monkeypatch.setattr("rmeval.engines.hf.tree._block", lambda device: 256)
    wide = {"max_position_embeddings": 1024, "sliding_window": 300} | {"num_key_value_heads": 2}
    own = loaded(folder, kind, wide, long=True)
    dice = np.random.default_rng(0)
    stem = dice.integers(0, 400, 350).tolist()
    sequences = [stem[:cut] + dice.integers(0, 400, 400).tolist() for cut in (350, 350, 200, 350, 0)]
    engine = HFEngine(own, budget=budget)
    for found, sequence in zip(everything(engine, sequences, LastToken("score")), sequences, strict=True):
        with torch.inference_mode():
            close(found, own.model.score(alone(own.model, sequence)[-1]).double().numpy())
    assert isinstance(engine.facts()["prefix_sharing"], dict)


def test_a_tree_that_gives_other_values_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = loaded(folder, "llama", SHARED["llama"])
    sequences = [[5, 6, 7, 8, number] for number in range(9)]
    wanted = everything(HFEngine(own), sequences, LastToken("score"))
    monkeypatch.setattr("rmeval.engines.hf.tree._rows", lambda tensor, spans: tensor[:, :, : spans[-1][1]])
    engine = HFEngine(own)
    for found, one in zip(everything(engine, sequences, LastToken("score")), wanted, strict=True):
        close(found, one)
    assert engine.facts()["prefix_sharing"].startswith("off: ")


@pytest.mark.parametrize("cap", [None, 1])
def test_a_network_that_mixes_neighbours_is_noticed(tmp_path: Path, cap: int | None) -> None:
    """As those do that shift tokens or convolve over them; also where the first piece holds one sequence alone."""
    own = network(tmp_path / "shifted", "llama", SHARED["llama"])
    own.model.model.layers[0].mlp.register_forward_pre_hook(lambda _, given: (given[0] + given[0].roll(1, 1),))
    sequences = [[5, 6, 7, 8, number, 3, 3] for number in range(9)]
    with torch.inference_mode():
        wanted = [own.model.score(alone(own.model, s)[-1]).double().numpy() for s in sequences]
    engine = HFEngine(own, cap)
    for found, one in zip(everything(engine, sequences, LastToken("score")), wanted, strict=True):
        close(found, one)
    assert engine.facts()["prefix_sharing"].startswith("off: values differ from those of the plain path")


def test_a_head_that_is_not_apart(tmp_path: Path) -> None:
    """OPT goes past the layers that are taken for those below its head."""
    own = network(tmp_path / "opt", "opt", {"ffn_dim": 32, "word_embed_proj_dim": 32}, language_model=True)
    with pytest.raises(ModelError, match="does not separate its head from the layers below"):
        everything(HFEngine(own), [[1, 2, 3]], TokenLogProbs([(1, 3)]))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
@pytest.mark.parametrize("path", ["tree", "plain"])
@pytest.mark.slow
def test_out_of_memory_halves_the_batch(tmp_path: Path, path: str) -> None:
    """A real shortage: 4,096 tokens x 60,000 numbers in the middle layer are 1 GB, where 700 MB are allowed."""
    wide = SHAPE | {"num_key_value_heads": 2, "intermediate_size": 60_000, "num_hidden_layers": 1}
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_config(
        AutoConfig.for_model("llama", **wide), dtype=torch.float32
    ).save_pretrained(tmp_path / "wide")
    done = subprocess.run([sys.executable, "-c", SHORTAGE, tmp_path / "wide", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "cpu has too little memory for" in done.stderr
    assert done.stdout.strip() == "60 values, all close"


SHORTAGE = """
import logging, resource, sys
from pathlib import Path
import numpy as np
import torch
from rmeval.engines import LastToken
from rmeval.engines.hf.checkpoint import find_checkpoint
from rmeval.engines.hf.engine import HFEngine
from rmeval.engines.hf.network import Network

logging.basicConfig()
torch.set_num_threads(1)
options = {} if sys.argv[2] == "tree" else {"attn_implementation": "sdpa"}
network = Network(find_checkpoint(sys.argv[1]), "float32", "cpu", False, options)
rows = np.random.default_rng(0).integers(0, 400, (60, 60)).tolist()
first = next(iter(HFEngine(network).run(rows[:3], LastToken("score"))))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 700_000_000, resource.RLIM_INFINITY))
values = {i: v for r in HFEngine(network).run(rows, LastToken("score")) for i, v in zip(r.indices, r.values)}
close = all(np.allclose(values[i], v, atol=1e-5) for i, v in zip(first.indices, first.values))
print(len(values), "values,", "all close" if close else "not close")
"""
