"""The parts of an audit: padding, pairs, wordings, effects by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from rmeval.errors import ModelError
from rmeval.metrics.stats.effects import balanced_effect, benjamini_hochberg, paired_effect
from rmeval.protocols.judging import JudgeOptions
from rmeval.protocols.judging.wordings import reworded
from rmeval.protocols.registry import judge_protocol, load_protocol, protocol_names
from rmeval.robustness.padding import OPENING, padded, padded_response
from rmeval.robustness.pairs import OWN_BETTER, OWN_WORSE, PLAIN, one_pair, own_pairs, padded_pairs
from rmeval.types import Comparison, Item, Message, Response


def test_padding_keeps_the_text_and_grows_with_it() -> None:
    for text in ("4", "word " * 200, "word " * 2_000):
        found = padded(text)
        assert found.startswith(OPENING)
        assert found.count(text) == 1
        assert padded(text) == found
    lengths = [len(padded("a" * size)) - size for size in (1, 200, 1_000, 100_000)]
    assert lengths == sorted(lengths)
    assert lengths[0] > 300
    assert len(padded("a" * 1_000)) >= 1_500
    assert lengths[-1] < 1_500


def test_a_padded_message_keeps_its_other_fields() -> None:
    message = Message("assistant", "four", tool_calls=({"name": "add"},))
    found = padded_response(Response("four", message=message))
    assert found is not None
    assert found.message is not None
    assert found.message.content == found.text == padded("four")
    assert found.message.tool_calls == message.tool_calls
    assert padded_response(Response(" ", message=message)) is None


def item(name: str, sources: tuple[str | None, ...], winner: int = 0) -> Item:
    responses = tuple(Response(f"text {k}", source=source) for k, source in enumerate(sources))
    comparison = Comparison(tuple(range(len(sources))), winner)
    return Item(name, "all", (Message("user", name),), responses, (comparison,), name)


def test_one_pair_of_each_item() -> None:
    found = [one_pair(item(str(k), ("a", "b", "c", "d"), winner=2), seed=1) for k in range(40)]
    assert all(one is not None and one.responses[0].text == "text 2" and one.subset == PLAIN for one in found)
    assert {one.responses[1].text for one in found if one is not None} == {"text 0", "text 1", "text 3"}
    tie = Item("t", "all", (Message("user", "t"),), (Response("a"), Response("b")), (Comparison((0, 1), None),), "t")
    assert one_pair(tie, 0) is None


def test_each_response_of_a_pair_is_padded_once() -> None:
    pair = one_pair(item("x", ("a", "b")), 0)
    assert pair is not None
    better, worse = padded_pairs(pair)
    texts = [response.text for response in pair.responses]
    assert [one.text for one in better.responses] == [padded(texts[0]), texts[1]]
    assert [one.text for one in worse.responses] == [texts[0], padded(texts[1])]
    assert better.cluster == worse.cluster == pair.cluster


def test_pairs_with_a_response_of_the_family() -> None:
    items = [
        *(item(f"better {k}", ("gpt-4o", "llama")) for k in range(5)),
        *(item(f"worse {k}", ("llama", "gpt-4-turbo")) for k in range(3)),
        item("both", ("gpt-4o", "gpt-4")),
        item("none", ("llama", "qwen")),
        item("unknown", ("gpt-4o", None)),
    ]
    found = own_pairs(items, lambda source: "gpt-4" in source, 0, 100)
    assert [one.subset for one in found] == [OWN_BETTER] * 3 + [OWN_WORSE] * 3
    assert len(own_pairs(items, lambda source: "gpt-4" in source, 0, 4)) == 4
    assert own_pairs(items, lambda source: "claude" in source, 0, 100) == []


def test_an_effect_by_hand() -> None:
    # 9 of 10 changed verdicts are in one direction, of 40: the binomial test.
    values = np.array([0.5] * 9 + [-0.5] + [0.0] * 30)
    found = paired_effect(values, np.arange(40), 1, 0.5)
    assert found is not None
    assert found.value == pytest.approx(0.1)
    assert found.p == pytest.approx(binomtest(9, 10).pvalue)
    assert found.ci is not None
    assert 0 < found.ci[0] < 0.1 < found.ci[1]
    corrected = paired_effect(values, np.arange(40), 6, 0.5)
    assert corrected is not None
    assert corrected.mde > found.mde > 0.05


def test_problems_that_are_copies_add_nothing() -> None:
    values = np.array([0.5] * 9 + [-0.5] + [0.0] * 30)
    one = paired_effect(values, np.arange(40), 1, 0.5)
    four = paired_effect(np.repeat(values, 4), np.repeat(np.arange(40), 4), 1, 0.5)
    assert one is not None
    assert four is not None
    assert (four.p, four.problems, four.count) == (one.p, 40, 160)
    assert four.mde == pytest.approx(one.mde)


def test_what_cannot_be_found() -> None:
    few = paired_effect(np.zeros(4), np.arange(4), 1, 0.5)
    assert few is not None
    assert math.isnan(few.mde)
    assert few.ci is None
    # Without a change: six in one direction are significant, and at least six of 100 occur with a power of 80%.
    many = paired_effect(np.zeros(100), np.arange(100), 1, 0.5)
    assert many is not None
    assert many.p == 1.0
    share = 2 * many.mde
    assert 0.07 < share < 0.09
    chance = 1 - sum(math.comb(100, k) * share**k * (1 - share) ** (100 - k) for k in range(6))
    assert chance == pytest.approx(0.8, abs=1e-6)
    assert many.ci is not None
    assert many.ci[0] < 0 < many.ci[1] < 0.05
    assert paired_effect(np.full(3, np.nan), np.arange(3), 1, 0.5) is None


def test_quality_cancels_in_equal_weights() -> None:
    # Own responses are preferred where they are better (90%) as often as not where they are worse (10%).
    values = np.concatenate([np.repeat([0.5, -0.5], [90, 10]), np.repeat([0.5, -0.5], [2, 18])])
    part = np.repeat([0, 1], [100, 20])
    found = balanced_effect(values, part, np.arange(120), 1)
    assert found is not None
    assert found.value == pytest.approx(0.0)
    assert found.p > 0.9
    assert balanced_effect(values, np.zeros(120, int), np.arange(120), 1) is None


def test_benjamini_and_hochberg_by_hand() -> None:
    # 3 p(3) / 3 = .03, 3 p(2) / 2 = .0375 but not more than the next, 3 p(1) = .003.
    assert benjamini_hochberg(np.array([0.03, 0.001, 0.025])).tolist() == pytest.approx([0.03, 0.003, 0.03])
    assert benjamini_hochberg(np.array([])).tolist() == []
    scipy = pytest.importorskip("scipy.stats")
    p = np.random.default_rng(0).uniform(0, 1, 50) ** 2
    assert benjamini_hochberg(p).tolist() == pytest.approx(scipy.false_discovery_control(p).tolist())


@pytest.mark.parametrize("name", [name for name in protocol_names() if "card" in vars(load_protocol(name).protocol)])
def test_wordings_keep_variables_labels_and_the_end(name: str) -> None:
    own = judge_protocol(JudgeOptions(name))
    if own.card.roles:
        with pytest.raises(ModelError, match="has no other wording: leave `wording` out"):
            judge_protocol(JudgeOptions(name, wording=1))
        return
    digests = {own.prompt}
    for wording in (1, 2, 3):
        other = judge_protocol(JudgeOptions(name, wording=wording))
        assert other.name.endswith(f"[wording={wording}]")
        digests.add(other.prompt)
        assert other.card.labels == own.card.labels
        assert other.card.prompt.rstrip().splitlines()[-1].split()[-1] == own.card.prompt.rstrip().split()[-1]
        assert load_protocol(other.name).protocol.name == other.name
        for label in own.card.labels:
            text = f"{other.card.system}\n{other.card.prompt}"
            assert text.count(label) >= f"{own.card.system}\n{own.card.prompt}".count(label)
    assert len(digests) == 4
    assert reworded(own.card, 0) is own.card


def test_wordings_that_do_not_exist() -> None:
    with pytest.raises(ModelError, match="`wording` is 4: choose a whole number from 0 to 3"):
        JudgeOptions("five-way", wording=4)
