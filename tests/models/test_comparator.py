"""Models that read two answers at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations, pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    T5Config,
    T5ForConditionalGeneration,
)

import rmeval
from rmeval.benchmarks import Card
from rmeval.data.keys import KeyIndex
from rmeval.data.observations import ObservationTable
from rmeval.data.tables import ItemTable
from rmeval.errors import DataError, ModelError
from rmeval.metrics.outcomes import HALF, OFFICIAL, outcomes
from rmeval.models import load_model
from rmeval.protocols.pairwise import AGREE, MEAN, PAIRWISE, PAIRWISE_CHOSEN, Pairwise
from rmeval.types import Comparison, Item, Message, Observation, Request, Response
from tests.checkpoints import make_checkpoint, make_tokenizer

PROMPT = (Message("user", "what is the capital"),)
REQUESTS = [
    Request(f"{k:032x}", "i", (0, 1), PROMPT, pair)
    for k, pair in enumerate([("the land", "so it is"), ("so it is", "the land"), ("why", "what is the capital of it")])
]


def values(model: Any) -> list[float]:
    seen = {one.key: one.values["p_first"] for batch in model.observe(REQUESTS) for one in batch}
    return [float(seen[request.key]) for request in REQUESTS]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


LETTERS = (
    "Two answers to the end of a conversation follow. Which is better?\n\nuser: what is the capital\n\n"
    "Answer A: {}\n\nAnswer B: {}\n\nSay A or B, and nothing else."
)


def test_a_language_model_that_says_a_letter(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "lm", "causal", seed=1)
    tokenizer, network = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    one, other = (tokenizer(letter, add_special_tokens=False)["input_ids"][0] for letter in "AB")
    expected = []
    for request in REQUESTS:
        chat = [{"role": "user", "content": LETTERS.format(*request.responses)}]
        ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
        with torch.inference_mode():
            logits = network(torch.tensor([ids])).logits[0, -1]
        expected.append(sigmoid(float(logits[one] - logits[other])))
    assert values(load_model(str(folder), kind="comparator", min_label_mass=0)) == pytest.approx(expected, abs=1e-5)
    flipped = values(load_model(str(folder), kind="comparator", head="logit:B-A", min_label_mass=0))
    assert flipped == pytest.approx([1 - value for value in expected], abs=1e-5)


def test_an_encoder_decoder_with_steamshps_input(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(2)
    config = T5Config(
        vocab_size=400, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, decoder_start_token_id=0, pad_token_id=0
    )
    network = T5ForConditionalGeneration(config).eval()
    network.save_pretrained(tmp_path)
    one, other = (tokenizer(letter, add_special_tokens=False)["input_ids"][0] for letter in "AB")
    expected = []
    for request in REQUESTS:
        text = (
            f"POST: what is the capital \n\n RESPONSE A: {request.responses[0]}\n\n "
            f"RESPONSE B: {request.responses[1]}\n\n Which response is better? RESPONSE"
        )
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.inference_mode():
            logits = network(input_ids=ids, decoder_input_ids=torch.tensor([[0]])).logits[0, 0]
        expected.append(sigmoid(float(logits[one] - logits[other])))
    model = load_model(str(tmp_path), kind="comparator", comparison="steamshp", min_label_mass=0)
    assert values(model) == pytest.approx(expected, abs=1e-5)


def test_a_classifier_of_two_answers(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "rm", seed=3)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    template = tmp_path / "pair.jinja"
    template.write_text("{{ prompt[-1].content }}|{{ first }}|{{ second }}")
    expected = []
    for request in REQUESTS:
        ids = tokenizer(f"what is the capital|{request.responses[0]}|{request.responses[1]}")["input_ids"]
        with torch.inference_mode():
            hidden = network.model(torch.tensor([ids])).last_hidden_state[0, -1]
            expected.append(sigmoid(float(network.score(hidden))))
    model = load_model(str(folder), kind="comparator", comparison=str(template))
    assert values(model) == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ModelError, match="leave `chat_template` out"):
        load_model(str(folder), kind="comparator", comparison=str(template), chat_template=str(template))


def test_rlhflows_input(tmp_path: Path) -> None:
    from rmeval.rendering.chat import Renderer
    from rmeval.rendering.comparison import ComparisonPrompt

    make_tokenizer(bos_token="<|bos|>", chat_template="{{ bos_token }}{{ messages[0].content }}").save_pretrained(
        tmp_path
    )
    renderer = Renderer(str(tmp_path), None, chat=False)
    prompt = (Message("user", "why"), Message("assistant", "so"), Message("user", "and"))
    request = Request("k", "i", (0, 1), prompt, ("it is", "is it"))
    (one,) = ComparisonPrompt(renderer, "rlhflow", chat=True).render([request])
    assert renderer.tokenizer.decode(one.tokens) == (
        "[CONTEXT] \n\n<turn> user\n why\n<turn> assistant\n so\n<turn> user\n and\n"
        " [RESPONSE A] it is [RESPONSE B] is it \n"
    )


scores = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, math.nan]), min_size=12, max_size=12)


@given(st.lists(st.tuples(st.permutations(range(5)), st.integers(1, 5), st.none() | st.integers(0, 4)), max_size=3))
def test_the_pairs_that_contests_compare(given_: list[tuple[list[int], int, int | None]]) -> None:
    comparisons = [
        Comparison(tuple(order[:size]), None if gold is None else gold % size) for order, size, gold in given_
    ]
    for protocol, every in ((PAIRWISE, True), (PAIRWISE_CHOSEN, False)):
        wanted = set()
        for comparison in comparisons:
            winner = None if comparison.gold is None else comparison.members[comparison.gold]
            for one, other in combinations(sorted(comparison.members), 2):
                if every or winner is None or winner in (one, other):
                    wanted.add((one, other))
        assert protocol.pairs(comparisons) == sorted(wanted)


@given(scores, st.integers(0, 3), st.sampled_from([PAIRWISE, PAIRWISE_CHOSEN]))
def test_folding_is_what_one_does_by_hand(given_: list[float], gold: int, protocol: Pairwise) -> None:
    """Of four answers the winner has to beat each other one."""
    item = Item("i", "s", PROMPT, tuple(Response(f"{k}") for k in range(4)), (Comparison((0, 1, 2, 3), gold),), "c")
    digests = [f"{k:032x}" for k in range(4)]
    pairs = protocol.pairs(item.comparisons)
    assert len(pairs) == (6 if protocol is PAIRWISE else 3)
    index = KeyIndex([protocol.keys(item, digests)])
    answers = ObservationTable(len(index))
    asked = dict(zip(protocol.keys(item, digests), given_, strict=False))
    batch = [
        Observation(key, "error", error="no") if math.isnan(p) else Observation(key, values={"p_first": p})
        for key, p in asked.items()
    ]
    answers.add(index.find(list(asked)), batch)
    for variant in (MEAN, AGREE):
        table = ItemTable.of([item])
        found = outcomes(table, protocol.fold(table, answers, index.rows, variant), HALF)
        wins = []
        for place, (one, other) in enumerate(pairs):
            if gold not in (one, other):
                continue
            first, second = given_[2 * place], 1 - given_[2 * place + 1]
            if gold == other:
                first, second = 1 - first, 1 - second
            if variant == MEAN:
                wins.append(math.nan if math.isnan(first + second) else (first + second) / 2 - 0.5)
            else:
                signs = [np.sign(p - 0.5) for p in (first, second)]
                wins.append(math.nan if math.isnan(first + second) else signs[0] if signs[0] == signs[1] else 0.0)
        assert bool(found.failed[0]) == any(math.isnan(win) for win in wins)
        if not found.failed[0]:
            expected = 1.0 if min(wins) > 0 else 1 / (1 + wins.count(0)) if min(wins) == 0 else 0.0
            assert found.credit[0] == pytest.approx(expected)


COMPARE = '''
class Longer:
    """Prefers the longer answer, and by habit the first."""

    def __init__(self, habit=0.0):
        self.habit = habit

    def compare(self, pairs):
        sizes = [len(pair["first"]) - len(pair["second"]) for pair in pairs]
        return [min(1.0, max(0.0, 0.5 + size / 1e4 + self.habit)) for size in sizes]
'''


def test_a_comparator_of_ones_own_on_cells(rm_bench_folder: Path, tmp_path: Path) -> None:
    """With both orders a habit of preferring the first costs nothing in the mean, and everything in agreement."""
    file = tmp_path / "longer.py"
    file.write_text(COMPARE)
    longest = rmeval.evaluate("baseline:longest", "rm-bench", rm_bench_folder, out=tmp_path / "runs")
    own = rmeval.evaluate(f"{file}:Longer", "rm-bench", rm_bench_folder, out=tmp_path / "runs")
    expected = {(r.metric, r.scope): (r.value, r.ties) for r in longest.records}
    for variant in (MEAN, AGREE):
        assert {(r.metric, r.scope): (r.value, r.ties) for r in own.records if r.variant == variant} == expected
    habit = rmeval.evaluate(
        f"{file}:Longer", "rm-bench", rm_bench_folder, out=tmp_path / "runs", model_kwargs={"habit": 0.4}
    )
    assert habit.value("easy", "chat", MEAN) == longest.value("easy", "chat")
    assert habit.value("easy", "chat", AGREE) == 0.0
    assert habit.record("easy", "chat", AGREE).ties == habit.record("easy", "chat").n_items * 3
    assert any("the two orders disagree on" in note and "preferred in 100.0% of all" in note for note in habit.notes)
    (habit.path / "metrics.json").unlink()
    assert rmeval.open_run(habit.path).records == habit.records
    with pytest.raises(ModelError, match="Longer compares two responses and does not score one"):
        rmeval.score(f"{file}:Longer", [[*PROMPT, Message("assistant", "so")]])


def test_sure_answers_are_told_apart_by_their_log_odds() -> None:
    """Both orders give a probability of 1 in floating point, and the log-odds say which is the surer."""
    from rmeval.data.tables import ItemTable
    from rmeval.protocols.pairwise import parse_preference
    from rmeval.testing import make_pairs

    table = ItemTable.of(make_pairs(1))
    answers = ObservationTable(2)
    seen = [parse_preference(f"{k:032x}", 1.0, odds=odds) for k, odds in enumerate((40.0, 38.0))]
    answers.add(np.arange(2), seen)
    rows = np.arange(2, dtype=np.int32)
    assert PAIRWISE.fold(table, answers, rows, MEAN).beats[0][0, 1] == 1.0
    assert PAIRWISE.fold(table, answers, rows, AGREE).beats[0][0, 1] == 0.5
    assert PAIRWISE.notes(ObservationTable(2), rows) == []


def test_what_a_comparator_of_ones_own_may_not_return(tmp_path: Path) -> None:
    file = tmp_path / "odd.py"
    file.write_text("class Odd:\n    def compare(self, pairs):\n        return [None] * len(pairs)\n")
    ((one, *_), *_) = load_model(f"{file}:Odd").observe(REQUESTS)
    assert one.error == "the model returned NaN for a probability"
    file.write_text("class Few:\n    def compare(self, pairs):\n        return [0.5]\n")
    with pytest.raises(ModelError, match=r"compare\(\) returned 1 number for 3 pairs: return one each"):
        list(load_model(f"{file}:Few").observe(REQUESTS))


class FourOfThem:
    """Best of four, and a part that needs scores."""

    card = Card("four", "Four", "", "", None, "", "", "", needs_scores=("ties",))
    data: str | None = None
    spec = "four"
    options: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, parts: tuple[str, ...] = ("best", "ties")) -> None:
        self.parts = parts

    def load(self) -> list[Item]:
        sizes = [(4, 1, 2, 3), (4, 4, 1, 1), (1, 4, 2, 3)]
        return [
            Item(
                f"{part}{n}", part, (Message("user", f"{part}{n}"),), tuple(Response("x" * k) for k in size),
                (Comparison((0, 1, 2, 3), 0),), f"{part}{n}",
            )
            for part in self.parts
            for n, size in enumerate(sizes)
        ]  # fmt: skip

    def aggregate(self, items: Any, evidence: Any, policy: Any, intervals: bool = True) -> list[Any]:
        from rmeval.metrics.records import accuracy_record

        found = outcomes(items, evidence, policy)
        return [accuracy_record("four", policy, name, part, "accuracy@1") for name, part in found.by_subset()]

    def notes(self, items: Any) -> list[str]:
        return []


@pytest.mark.parametrize("against", ["all", "chosen"])
def test_best_of_four_and_what_needs_scores(tmp_path: Path, against: str) -> None:
    file = tmp_path / "longer.py"
    file.write_text(COMPARE)
    model = load_model(f"{file}:Longer", against=against)
    result = rmeval.evaluate(model, FourOfThem(), out=tmp_path / "runs")
    assert [record.scope for record in result.records if record.variant == MEAN] == ["best"]
    assert result.record("accuracy", "best").value == pytest.approx(1 / 3)
    assert "left out, because they do not apply to models that compare responses: ties" in result.notes
    assert result.manifest["protocol"] == {"all": "pairwise@1", "chosen": "pairwise-chosen@1"}[against]
    import pyarrow.parquet as pq

    rows = pq.read_table(result.path / "scores.parquet").num_rows
    assert rows == 3 * {"all": 12, "chosen": 6}[against]
    # Of three items that are wanted, three are compared, whichever part they would have been drawn from.
    for seed in range(4):
        drawn = rmeval.evaluate(model, FourOfThem(), out=tmp_path / "drawn", n_items=3, seed=seed)
        assert drawn.record("accuracy", "best").n_items == 3
    with pytest.raises(DataError, match="no items are left to compare"):
        rmeval.evaluate(model, FourOfThem(("ties",)), out=tmp_path / "runs")
    with pytest.raises(DataError, match="no items are left to compare"):
        rmeval.evaluate(model, FourOfThem(), out=tmp_path / "runs", subsets=["ties"])
    assert outcomes(FourOfThem().load(), {}, OFFICIAL).n_items == 6


def test_bad_settings(tmp_path: Path) -> None:
    folder = str(make_checkpoint(tmp_path / "lm", "causal", seed=1))
    wrong = tmp_path / "wrong.jinja"
    for text, sentence in (("{{ first }}", "leaves a response out"), ("{{ third }}", "cannot be rendered with prompt")):
        wrong.write_text(text)
        with pytest.raises(ModelError, match=sentence):
            load_model(folder, kind="comparator", comparison=str(wrong))
    with pytest.raises(ModelError, match="there is no comparison nowhere: choose one of letters"):
        load_model(folder, kind="comparator", comparison="nowhere")
    with pytest.raises(ModelError, match="`against` 'some' is unknown"):
        load_model(folder, kind="comparator", against="some")
    with pytest.raises(ModelError, match="truncate-left would cut the first of two responses"):
        load_model(folder, kind="comparator", on_overlength="truncate-left")
    with pytest.raises(ModelError, match="names a token twice"):
        load_model(folder, kind="comparator", head="logit:A-A")
    wrong.write_text("{{ first }}{{ second }}{{ 1 / 0 }}")
    with pytest.raises(ModelError, match="cannot be rendered with prompt"):
        load_model(folder, kind="comparator", comparison=str(wrong))
    wrong.write_text("{{ first }}{{ second }}{% if prompt[0].content != 'PROMPT' %}{{ third }}{% endif %}")
    batches = load_model(folder, kind="comparator", comparison=str(wrong)).observe(REQUESTS)
    assert {one.status for batch in batches for one in batch} == {"error"}
    with pytest.raises(ModelError, match="names 1 tokens: a comparator needs two"):
        load_model(folder, kind="comparator", head="logit:A")
    classifier = str(make_checkpoint(tmp_path / "rm", seed=1))
    with pytest.raises(ModelError, match="rm is a classifier: give a template of two responses"):
        load_model(classifier, kind="comparator")
    with pytest.raises(ModelError, match="is not a causal language model"):
        load_model(classifier, kind="comparator", head="logit:A-B")
    with pytest.raises(ModelError, match="is not a causal language model"):
        load_model(classifier, head="logit:A")
    with pytest.raises(ModelError, match="a classifier does not use `against`"):
        load_model(folder, against="chosen")
    assert all(one <= other for one, other in pairwise(PAIRWISE.pairs(FourOfThem().load()[0].comparisons)))
