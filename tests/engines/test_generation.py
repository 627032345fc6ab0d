"""Generation: each token is the one that a forward pass of the whole text chooses, whatever the batch."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from rmeval.engines import Engine, EngineOptions, Generated, Generation, open_engine
from rmeval.engines.generation import Generated as Text
from rmeval.engines.hf.engine import HFEngine
from rmeval.engines.hf.sampling import Draws, choose
from rmeval.engines.hf.slots import Slots
from rmeval.engines.outside import Outside
from rmeval.engines.vllm.requests import written
from rmeval.errors import ModelError
from tests.architectures import slow_but
from tests.checkpoints import make_checkpoint
from tests.engines.fake import Fake
from tests.engines.test_tree import LANGUAGE_MODELS, PLAIN, families, loaded

STOPS = tuple(range(0, 400, 9))
"""Tokens that end a text: so many that some texts end and some reach their limits."""
GREEDY, DRAWN = Generation(stops=STOPS), Generation(temperature=1.5, top_p=0.9, stops=STOPS)
FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


def texts(
    engine: Engine, sequences: Any, limits: list[int], seeds: list[int], how: Generation
) -> list[tuple[tuple[int, ...], str]]:
    found: dict[int, Generated] = {}
    for batch in engine.generate(sequences, limits, seeds, how):
        for one in batch:
            assert one.index not in found, "continued twice"
            found[one.index] = one
    return [(found[index].tokens, found[index].finish) for index in range(len(sequences))]


def logits_of(model: Any, sequence: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=torch.tensor([sequence]), use_cache=False).logits[0].float()
    return found


def check(model: Any, sequence: list[int], limit: int, seed: int, how: Generation, found: Any) -> None:
    """Each token is chosen from the logits of a forward pass of everything before it."""
    tokens, finish = found
    assert len(tokens) == limit if finish == "length" else len(tokens) < limit
    assert not set(tokens) & set(how.stops)
    draws = Draws(seed)
    logits = logits_of(model, [*sequence, *tokens])[len(sequence) - 1 :]
    wanted = [choose(row[None], how, [draws])[0] for row in logits]
    assert list(tokens) == wanted[: len(tokens)]
    assert finish == "length" or wanted[len(tokens)] in how.stops


# The angles of phi3's positions change with the length, those of tokens that were computed before do not.
KINDS = [*LANGUAGE_MODELS, *(kind for kind in PLAIN if kind != "phi3")]


@pytest.mark.parametrize("kind", slow_but(("mistral", "gpt_neox", "mixtral", "qwen3_next"), KINDS))
@FEW
@given(families(), st.integers(1, 60), st.none() | st.integers(1, 4), st.data())
def test_each_token_is_that_of_a_forward_pass(
    folder: Path, kind: str, sequences: list[list[int]], budget: int, cap: int | None, data: st.DataObject
) -> None:
    config = LANGUAGE_MODELS[kind] if kind in LANGUAGE_MODELS else PLAIN[kind][1]
    own = loaded(folder, kind, config, language_model=True)
    limits = [data.draw(st.integers(1, 20)) for _ in sequences]
    seeds = [data.draw(st.integers(0, 2**31 - 1)) for _ in sequences]
    engine = HFEngine(own, cap, budget)
    for how in (GREEDY, DRAWN):
        found = texts(engine, sequences, limits, seeds, how)
        for one, limit, seed, text in zip(sequences, limits, seeds, found, strict=True):
            check(own.model, one, limit, seed, how, text)
    sharing = engine.facts()["prefix_sharing"]
    assert isinstance(sharing, dict) if kind in LANGUAGE_MODELS else PLAIN[kind][0] in sharing


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("lm") / "m", "causal")


def opened(folder: Path, **options: Any) -> HFEngine:
    engine = open_engine(str(folder), EngineOptions(**options))
    assert isinstance(engine, HFEngine)
    engine.require_language_model()
    return engine


SEQUENCES = [[7, 8, 9, 10, 11][: 2 + k % 4] + [20 + k] * (k % 5) for k in range(9)]
LIMITS = [5 + 3 * k for k in range(9)]


@pytest.mark.parametrize("how", [GREEDY, DRAWN])
def test_texts_do_not_depend_on_the_batch(language_model: Path, how: Generation) -> None:
    engine = opened(language_model)
    wanted = texts(engine, SEQUENCES, LIMITS, list(range(9)), how)
    assert len(set(wanted)) == 9
    for other in (opened(language_model, batch_size=2), engine.batched(4), engine.batched(1)):
        assert texts(other, SEQUENCES, LIMITS, list(range(9)), how) == wanted
    backwards = texts(engine, SEQUENCES[::-1], LIMITS[::-1], list(range(9))[::-1], how)
    assert backwards[::-1] == wanted
    assert engine.facts()["prefix_sharing"]["distinct"] < sum(map(len, SEQUENCES))


def test_greedy_texts_are_those_of_transformers(language_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(language_model)
    engine = opened(language_model)
    stops = engine.stops()
    assert stops == (2,)
    for sequence, found in zip(
        SEQUENCES, texts(engine, SEQUENCES, [12] * 9, [0] * 9, Generation(stops=stops)), strict=True
    ):
        own = model.generate(torch.tensor([sequence]), max_new_tokens=12, do_sample=False, eos_token_id=2)
        assert [one for one in own[0, len(sequence) :].tolist() if one != 2] == list(found[0])


def test_settings_of_the_checkpoint_do_not_change_texts(language_model: Path, tmp_path: Path) -> None:
    """A penalty in generation_config.json, of which a run's identity knows nothing."""
    engine = opened(make_checkpoint(tmp_path / "m", "causal"))
    wanted = texts(engine.batched(4), SEQUENCES, [12] * 9, [0] * 9, GREEDY)
    file = tmp_path / "m" / "generation_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "repetition_penalty": 5.0, "eos_token_id": [5, 2]}))
    other = opened(tmp_path / "m")
    assert texts(other.batched(4), SEQUENCES, [12] * 9, [0] * 9, GREEDY) == wanted
    assert texts(other, SEQUENCES, [12] * 9, [0] * 9, GREEDY) == wanted
    assert other.stops() == (2, 5)


def test_draws_have_the_probabilities_of_the_model(language_model: Path) -> None:
    engine = opened(language_model)
    model = AutoModelForCausalLM.from_pretrained(language_model)
    wanted = torch.softmax(logits_of(model, SEQUENCES[3])[-1].double() / 0.7, 0).numpy()
    count = 4000
    how = Generation(temperature=0.7)
    drawn = texts(engine, [SEQUENCES[3]] * count, [1] * count, list(range(count)), how)
    counted = Counter(tokens[0] for tokens, _ in drawn)
    frequencies = np.array([counted[token] for token in range(400)]) / count
    assert np.all(np.abs(frequencies - wanted) < 5 * np.sqrt(wanted * (1 - wanted) / count) + 1e-3)
    kept = {int(token) for token in np.argsort(-wanted)[: int((np.cumsum(np.sort(wanted)[::-1]) < 0.5).sum()) + 1]}
    half = texts(engine, [SEQUENCES[3]] * 500, [1] * 500, list(range(500)), Generation(temperature=0.7, top_p=0.5))
    assert {tokens[0] for tokens, _ in half} == kept


def test_memory_that_runs_out_halves_the_batch(
    language_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = texts(opened(language_model), SEQUENCES, LIMITS, list(range(9)), DRAWN)
    add = Slots.add

    def few(slots: Slots, layers: Any) -> None:
        if slots.count == 2:
            raise torch.OutOfMemoryError("out of memory")
        add(slots, layers)

    monkeypatch.setattr(Slots, "add", few)
    assert texts(opened(language_model, batch_size=8), SEQUENCES, LIMITS, list(range(9)), DRAWN) == wanted
    assert "continuing with half" in caplog.text


def test_memory_for_no_text_is_one_sentence(language_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(Slots, "add", none)
    with pytest.raises(ModelError, match="cpu has too little memory for the continuation of one conversation"):
        texts(opened(language_model), SEQUENCES, LIMITS, list(range(9)), DRAWN)


def test_slots_that_yield_other_values_are_not_used(language_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = texts(opened(language_model), SEQUENCES, LIMITS, list(range(9)), DRAWN)
    step = Slots.step

    def shifted(slots: Slots, tokens: Any, device: Any) -> torch.Tensor:
        slots._lengths[: slots.count] += 1  # A position is left out.
        found = step(slots, tokens, device)
        slots._lengths[: slots.count] -= 1
        return found

    monkeypatch.setattr(Slots, "step", shifted)
    engine = opened(language_model)
    assert texts(engine, SEQUENCES, LIMITS, list(range(9)), DRAWN) == wanted
    assert "differ from those of the plain path" in engine.facts()["prefix_sharing"]


def test_one_sentence_of_engines_that_do_not_generate(tmp_path: Path, language_model: Path) -> None:
    (tmp_path / "fake.json").write_text(json.dumps({"seed": 1}))
    with pytest.raises(ModelError, match="the engine fake does not generate texts: use the engine hf"):
        next(Fake(str(tmp_path), EngineOptions()).generate([[1]], [1], [0], GREEDY))


class Careless(Fake):
    """An engine that continues some sequences, and some twice."""

    def __init__(self, order: list[int]) -> None:
        self._order = order

    def generate(self, *_: Any) -> Any:
        yield [Text(index, (1,), "stop") for index in self._order]


@pytest.mark.parametrize(
    ("order", "wanted"),
    [([0], "did not continue 1 of 2"), ([0, 0, 1], "continued a sequence twice"), ([0, 2], "that does not exist")],
)
def test_engines_of_others_are_checked(order: list[int], wanted: str) -> None:
    with pytest.raises(ModelError, match=wanted):
        list(Outside(Careless(order)).generate([[1], [2]], [1, 1], [0, 0], GREEDY))


class Output:
    """An output of vLLM."""

    def __init__(self, tokens: list[int], reason: str) -> None:
        self.outputs = [self]
        self.token_ids, self.finish_reason = tokens, reason


def test_what_vllm_wrote() -> None:
    how = Generation(stops=(2, 9))
    assert written(3, Output([5, 6, 9], "stop"), how, "m") == Text(3, (5, 6), "stop")
    assert written(3, Output([5, 6], "stop"), how, "m") == Text(3, (5, 6), "stop")
    assert written(3, Output([5, 6], "length"), how, "m") == Text(3, (5, 6), "length")
    with pytest.raises(ModelError, match="vLLM ended an output of m with abort"):
        written(3, Output([5], "abort"), how, "m")
