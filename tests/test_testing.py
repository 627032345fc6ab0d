from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from math import nan, sqrt
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

import rmeval
from rmeval.benchmarks.pairs import Pairs
from rmeval.data.style import count_text
from rmeval.data.tables import ItemTable
from rmeval.errors import DataError, ModelError, RunError
from rmeval.metrics.outcomes import HALF, OFFICIAL, outcomes
from rmeval.metrics.scoring.style_substance import DOMAINS, level_of, style_substance_records
from rmeval.models import load_model
from rmeval.protocols.pointwise import conversation_requests
from rmeval.testing import Constant, Length, Noisy, make_evidence, make_items, make_pairs
from rmeval.types import Comparison, Item, Message, Response, ScoreRule
from tests.checkpoints import make_checkpoint

SIZE = 20_000
CONVERSATIONS = [
    [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}] for text in ("aa", "b", "cccc")
]


@cache
def many_items() -> ItemTable:
    return ItemTable.of(make_items(SIZE))


@cache
def many_pairs() -> ItemTable:
    return ItemTable.of(make_pairs(SIZE))


def credit(items: Sequence[Item], policy: ScoreRule = OFFICIAL, **shares: float) -> dict[str, float]:
    """Mean credit by level, or by tag where that is no cell."""
    found = outcomes(items, make_evidence(items, **shares), policy)  # type: ignore[arg-type]
    names = [level_of(tag) if tag != "chosen/rejected" else tag for tag in found.tags]
    codes = {name: [code for code, other in enumerate(names) if other == name] for name in names}
    return {name: float(np.nanmean(found.credit[np.isin(found.tag, own)])) for name, own in codes.items()}


def error(share: float, n: int = SIZE) -> float:
    """Five standard errors of a share among n draws."""
    return 5 * sqrt(share * (1 - share) / n)


@pytest.mark.parametrize("accuracy", [0.5, 0.8, 0.99])
def test_accuracy_is_what_it_is_said_to_be(accuracy: float) -> None:
    assert credit(many_pairs(), accuracy=accuracy)["chosen/rejected"] == pytest.approx(accuracy, abs=error(accuracy))
    assert credit(many_items(), accuracy=accuracy)["normal"] == pytest.approx(accuracy, abs=error(accuracy))


@pytest.mark.parametrize("bias", [0.0, 0.5, -1.0])
def test_style_moves_easy_and_hard_as_the_formula_says(bias: float) -> None:
    margin, phi = sqrt(2) * NormalDist().inv_cdf(0.7), NormalDist().cdf
    found = credit(many_items(), accuracy=0.7, style_bias=bias)
    for level, steps in (("easy", (1, 1, 2)), ("normal", (0, 0, 0)), ("hard", (-1, -1, -2))):
        expected = sum(phi((margin + bias * step) / sqrt(2)) for step in steps) / 3
        assert found[level] == pytest.approx(expected, abs=error(expected)), level


def test_ties_and_failures_are_as_many_as_asked_for() -> None:
    items = many_pairs()
    evidence = make_evidence(items, accuracy=0.8, tie_rate=0.2, missing=0.1)
    found = outcomes(items, evidence, OFFICIAL)
    assert found.failed.mean() == pytest.approx(0.19, abs=error(0.19))
    assert found.tied.mean() == pytest.approx(0.81 * 0.2, abs=error(0.162))
    won = 0.81 * 0.8 * 0.8
    assert found.credit.mean() == pytest.approx(won, abs=error(won))
    assert evidence.failures == {"missing": int(np.isnan(evidence.scores).sum())}
    shared = credit(items, HALF, accuracy=0.8, tie_rate=0.2, missing=0.1)["chosen/rejected"]
    assert shared == pytest.approx(0.8 * 0.8 + 0.2 / 2, abs=error(0.74, 16_000))


def test_one_share_leaves_what_the_others_draw() -> None:
    items = make_items(50)
    plain, tied = make_evidence(items), make_evidence(items, tie_rate=0.5)
    lost = make_evidence(items, tie_rate=0.5, missing=0.3)
    assert np.array_equal(plain.scores, make_evidence(items).scores)
    assert not np.array_equal(plain.scores, make_evidence(items, seed=1).scores)
    apart = tied.scores != 0
    assert 0 < apart.sum() < len(apart)
    assert np.array_equal(plain.scores[apart], tied.scores[apart])
    kept = ~np.isnan(lost.scores)
    assert np.array_equal(tied.scores[kept], lost.scores[kept])
    assert plain.failures == {}


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        ({"accuracy": 1.0}, r"accuracy is 1\.0: give a number between 0 and 1"),
        ({"tie_rate": 1.5}, r"tie_rate is 1\.5: give a number from 0 to 1"),
        ({"missing": nan}, "missing is nan"),
    ],
)
def test_shares_that_are_none(shares: dict[str, float], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        make_evidence(make_pairs(3), **shares)  # type: ignore[arg-type]


def test_evidence_needs_gold() -> None:
    item = Item("a", "s", (Message("user", "q"),), (Response("x"), Response("y")), (Comparison((0, 1)),), "c")
    with pytest.raises(DataError, match="a response has no gold"):
        make_evidence([item])


def test_items_are_what_is_said_of_them() -> None:
    items = make_items(40, "math", clusters=7)
    assert items == make_items(40, "math", clusters=7)
    assert items[0].responses != make_items(1, "math", seed=1)[0].responses
    assert len({item.id for item in items}) == 40
    assert len(set(ItemTable.of(items).cluster.tolist())) == 7
    assert len(set(ItemTable.of(make_pairs(40)).cluster.tolist())) == 40
    for item in items:
        lengths = [len(response.text) for response in item.responses]
        assert lengths[:3] == lengths[3:], "right and wrong are equally long"
        assert all(short < long for short, long in pairwise(lengths[:3]))
        markdown = [count_text(response.text).markdown for response in item.responses]
        assert markdown == [0, 0, 3, 0, 0, 3]
        assert len({response.text for response in item.responses}) == 6


def test_all_of_rm_bench() -> None:
    names = [name for subsets in DOMAINS.values() for name in subsets]
    items = [item for name in names for item in make_items(100, name)]
    records = style_substance_records("mine", items, make_evidence(items, accuracy=0.9), OFFICIAL)
    (overall,) = [record for record in records if record.metric == "overall"]
    assert overall.value == pytest.approx(0.9, abs=error(0.9, 500))


def test_models_do_as_they_say(tmp_path: Path) -> None:
    assert rmeval.score(Constant(2), CONVERSATIONS).tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(RunError, match="the model returned nan for its score"):
        rmeval.score(Constant(nan), CONVERSATIONS)
    assert rmeval.score(Length(), CONVERSATIONS).tolist() == [2.0, 1.0, 4.0]
    assert rmeval.score(Length(-1), CONVERSATIONS).tolist() == [-2.0, -1.0, -4.0]
    length = rmeval.evaluate(Length(), "rm-bench-synthetic", size=8, out=tmp_path)
    assert (length.value("easy", "chat"), length.value("hard", "chat")) == (1.0, 0.0)
    constant = rmeval.evaluate(Constant(), "rm-bench-synthetic", size=8, out=tmp_path)
    assert constant.record("normal", "chat").ties == 6


def test_noise_belongs_to_the_conversation() -> None:
    noisy = Noisy(Length(), 0.1, seed=3)
    scores = rmeval.score(noisy, CONVERSATIONS)
    assert rmeval.score(noisy, CONVERSATIONS[::-1]).tolist() == scores[::-1].tolist()
    # Worked out once, so that another machine or version is found out.
    assert scores == pytest.approx([1.961776932513201, 0.9758989732609503, 3.996091819291802], abs=1e-12)
    assert rmeval.score(Noisy(Length(), 0.1, seed=4), CONVERSATIONS).tolist() != scores.tolist()
    with pytest.raises(RunError, match="the model returned nan for its score"):
        rmeval.score(Noisy(Constant(nan), 0.1), CONVERSATIONS)
    assert noisy.identity() != Noisy(Length(), 0.2, seed=3).identity() != Noisy(Length(-1), 0.2, seed=3).identity()


def test_noise_is_gaussian() -> None:
    items = make_pairs(5000)
    requests = conversation_requests([item.conversation(0) for item in items])
    batches = Noisy(Constant(1.0), 2.0).observe(requests)
    noise = np.array([seen.values["score"] for batch in batches for seen in batch])
    assert noise.mean() == pytest.approx(1.0, abs=5 * 2 / sqrt(5000))
    assert noise.std() == pytest.approx(2.0, rel=5 / sqrt(2 * 5000))
    assert (noise < 1.0 + 2.0).mean() == pytest.approx(NormalDist().cdf(1), abs=error(0.84, 5000))


def test_noise_on_every_number_that_a_model_gives(tmp_path: Path) -> None:
    policy, reference = (make_checkpoint(tmp_path / name, "causal", seed=k) for k, name in enumerate("ab"))
    requests = conversation_requests([(Message("user", "what is"), Message("assistant", "the capital"))])
    model = load_model(str(policy), ref_model=str(reference))
    ((plain,),) = model.observe(requests)
    ((noisy,),) = Noisy(model, 1.0).observe(requests)
    apart = {name: noisy.values[name] - value for name, value in plain.values.items()}  # type: ignore[operator]
    assert len(set(apart.values())) == len(apart) == 5
    compared = Noisy(load_model(str(policy), kind="comparator", min_label_mass=0.0), 5.0)
    result = rmeval.evaluate(compared, Pairs(str(pairs_in(tmp_path))), out=tmp_path / "runs")
    assert result.manifest["protocol"] == "pairwise@1"


def pairs_in(folder: Path) -> Path:
    file = folder / "pairs.jsonl"
    file.write_text('{"prompt": "what is", "chosen": "the capital", "rejected": "the land"}\n')
    return file


def test_what_cannot_be_made() -> None:
    with pytest.raises(DataError, match="n is -3"):
        make_items(-3)
    with pytest.raises(DataError, match="clusters 0"):
        make_pairs(3, clusters=0)
    with pytest.raises(DataError, match="items is empty"):
        make_evidence([])
    with pytest.raises(DataError, match="style_bias is nan"):
        make_evidence(make_items(2), style_bias=nan)
    with pytest.raises(ModelError, match="sigma is nan"):
        Noisy(Length(), nan)
