"""examples/style_bias/balance.py: what it measures, and that matched and weighted pairs are balanced."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from examples.style_bias.balance import (
    LARGEST,
    balance,
    effective_number,
    matched,
    measure,
    style_counts,
    style_log_odds,
    style_scores,
    weights,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

import rmeval
from rmeval.errors import DataError, RunError
from rmeval.types import FloatArray
from tests.command import Done, process

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "style_bias" / "balance.py"
PLAIN, FANCY = (100.0, 0.0), (250.0, 4.0)


def pairs(fancier: int, plainer: int) -> FloatArray:
    """Counts of pairs with one difference in style: the chosen response is the fancier one, then the plainer one."""
    return np.array([[FANCY, PLAIN]] * fancier + [[PLAIN, FANCY]] * plainer)


many_counts = st.lists(st.tuples(*[st.tuples(st.integers(0, 60), st.integers(0, 8))] * 2), min_size=1, max_size=80).map(
    lambda rows: np.array(rows, dtype=float)
)


@given(many_counts, st.integers(0, 9))
@settings(max_examples=50)
def test_a_matched_subset_has_both_orders_of_each_difference_equally_often(counts: FloatArray, seed: int) -> None:
    kept = matched(counts, np.random.default_rng(seed))
    assert len(set(kept.tolist())) == len(kept)
    own = counts[kept]
    for column in (0, 1):
        apart = np.sign(own[:, 0, column] - own[:, 1, column])
        assert apart.sum() == 0
    again = matched(counts, np.random.default_rng(seed))
    assert kept.tolist() == again.tolist()


@given(many_counts)
@settings(max_examples=50)
def test_no_larger_subset_is_matched(counts: FloatArray) -> None:
    """The sizes of classes, counted one by one."""

    def key(better: FloatArray, worse: FloatArray) -> tuple[int, int]:
        ratio = (better[0] + 1) / (worse[0] + 1)
        length = sum(max(ratio, 1 / ratio) >= edge - 1e-12 for edge in (1.1, 1.25, 1.5, 2, 3)) + 1
        more = abs(better[1] - worse[1])
        markdown = sum(more >= edge for edge in (3, 6, 12)) + 1
        return (
            length * int(np.sign(better[0] - worse[0])),
            markdown * int(np.sign(better[1] - worse[1])),
        )

    # A ratio at an edge is in either class, depending on rounding.
    ratios = (counts[:, 0, 0] + 1) / (counts[:, 1, 0] + 1)
    sharp = np.all([np.abs(np.maximum(ratios, 1 / ratios) - edge) > 1e-9 for edge in (1.1, 1.25, 1.5, 2, 3)], axis=0)
    counts = counts[sharp]
    if not len(counts):
        return
    classes = Counter(key(better, worse) for better, worse in counts)
    expected = sum(min(number, classes[-length, -markdown]) for (length, markdown), number in classes.items())
    assert len(matched(counts, np.random.default_rng(0))) == expected


def test_pairs_of_equal_styles_are_kept() -> None:
    counts = np.concatenate([pairs(9, 0), np.array([[PLAIN, PLAIN]] * 3)])
    assert matched(counts, np.random.default_rng(0)).tolist() == [9, 10, 11]


def test_weights_are_inverse_propensities() -> None:
    counts = pairs(900, 100)
    own = weights(counts)
    assert own.mean() == pytest.approx(1)
    # With one difference, the logistic model is saturated; its penalty is worth less than a pair.
    assert own[-1] / own[0] == pytest.approx(9, rel=0.02)
    balanced = measure(counts, style_scores(counts, [str(k) for k in range(1000)]), own)
    assert balanced.longer == balanced.fancier == pytest.approx(0.5, abs=0.005)
    assert balanced.predicted == pytest.approx(0.5, abs=0.005)
    # Two groups of 900 and 100 with equal weight each: (2 w)^2 / (w^2/900 + w^2/100).
    assert balanced.effective == pytest.approx(4 / (1 / 900 + 1 / 100), rel=0.01)


def test_weights_have_a_limit() -> None:
    counts = pairs(5000, 5)
    inverse = weights(counts)
    assert inverse[-1] / inverse[0] == pytest.approx(LARGEST / 0.5, rel=0.01)


def test_log_odds_of_style_are_those_of_the_shares() -> None:
    explained = style_log_odds(pairs(900, 100))
    assert explained[0] == pytest.approx(logit(0.9), abs=0.01)
    assert explained[-1] == -explained[0]
    assert style_log_odds(pairs(50, 50))[0] == pytest.approx(0, abs=1e-6)


def test_style_scores_are_held_out() -> None:
    """Exchanging the sides of a pair changes the sign of its score: no model that scores it has seen it."""
    random = np.random.default_rng(0)
    counts = np.stack([random.integers(50, 400, (60, 2)), random.integers(0, 6, (60, 2))], axis=2).astype(float)
    prompts = [f"prompt {k // 2}" for k in range(60)]
    scores = style_scores(counts, prompts)
    for place in (0, 31, 59):
        other = counts.copy()
        other[place] = other[place, ::-1]
        assert style_scores(other, prompts)[place] == pytest.approx(-scores[place])


def test_style_predicts_biased_pairs_only() -> None:
    prompts = [f"prompt {k}" for k in range(400)]
    for fancier in (200, 360):
        counts = pairs(fancier, 400 - fancier)
        found = measure(counts, style_scores(counts, prompts))
        assert found.longer == found.fancier == fancier / 400
        if fancier == 360:
            assert found.predicted == 0.9


def test_measures_by_hand() -> None:
    texts = ["one **bold** word", "plain"], ["short", "plain"], ["the longer one", "with - no list"]
    counts = np.array([style_counts(pair) for pair in texts])
    assert counts[:, :, 0].tolist() == [[17, 5], [5, 5], [14, 14]]
    assert counts[:, :, 1].tolist() == [[1, 0], [0, 0], [0, 0]]
    found = measure(counts, np.array([2.0, 0.0, -1.0]), np.array([1.0, 2.0, 1.0]))
    assert found.pairs == 3
    assert found.effective == pytest.approx(16 / 6)
    assert (found.longer, found.fancier) == (1, 1)
    assert found.ratio == pytest.approx((18 / 6) ** (1 / 4))
    assert found.elements == pytest.approx(1 / 4)
    assert found.predicted == pytest.approx((1 + 2 * 0.5 + 0) / 4)


def test_effective_number() -> None:
    assert effective_number(np.full(7, 3.0)) == pytest.approx(7)
    assert effective_number(np.array([1.0, 0.0])) == pytest.approx(1)
    assert effective_number(np.empty(0)) == 0


@pytest.fixture
def prefs(tmp_path: Path) -> Path:
    """40 pairs whose chosen response is longer in 30; one prompt is a conversation."""
    rows: list[dict[str, object]] = []
    for k in range(40):
        long, short = f"a much longer response to {k}", f"short {k}"
        chosen, rejected = (long, short) if k < 30 else (short, long)
        rows.append({"id": f"row-{k}", "prompt": f"prompt {k}", "chosen": chosen, "rejected": rejected})
    rows[0]["prompt"] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "prompt 0"}]
    file = tmp_path / "prefs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def run(*arguments: object) -> Done:
    done = process(SCRIPT, *arguments)
    return Done(done.returncode, done.stdout, done.stderr)


def read(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_file_is_balanced(prefs: Path, tmp_path: Path) -> None:
    out = tmp_path / "balanced.jsonl"
    text = balance(str(prefs), out)
    assert "| chosen is longer, % of pairs that differ | 75.0 | 50.0 |" in text
    assert "| pairs | 40 | 20 |" in text
    rows = read(out)
    assert len(rows) == 20
    assert {row["id"] for row in rows} >= {f"row-{k}" for k in range(30, 40)}
    again = list(rmeval.load_benchmark("pairs", str(out)).load())
    before = {item.id: item for item in rmeval.load_benchmark("pairs", str(prefs)).load()}
    for item in again:
        assert item.prompt == before[item.id].prompt
        assert [one.text for one in item.responses] == [one.text for one in before[item.id].responses]


def test_weights_and_margins_are_columns(prefs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    balance(str(prefs), out, "weigh", 0)
    weight = np.array([row["weight"] for row in read(out)])
    assert len(weight) == 40
    assert weight[:30].sum() == pytest.approx(weight[30:].sum(), rel=0.1)
    balance(str(prefs), out, "covariate", 0)
    margin = np.array([row["margin"] for row in read(out)])
    assert (margin[:30] < 0).all()
    assert (margin[30:] > 0).all()


def test_other_layouts_are_read(tmp_path: Path) -> None:
    file = tmp_path / "helpsteer.jsonl"
    rows = [
        {"prompt": f"{k}+2?", "response": text, "helpfulness": score, "correctness": score, "coherence": 1}
        for k in range(4)
        for text, score in (("5", 0 if k % 2 else 4), ("the answer is 4", 4 if k % 2 else 0))
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "| chosen is longer, % of pairs that differ | 50.0 |" in balance(str(file))


def test_one_sided_data_are_an_error(tmp_path: Path) -> None:
    file = tmp_path / "prefs.jsonl"
    file.write_text('{"prompt": "a", "chosen": "long one", "rejected": "b"}\n')
    with pytest.raises(DataError, match=r"the chosen response is longer in all pairs that differ.*add pairs"):
        balance(str(file), tmp_path / "out.jsonl")
    assert "| 100.0 |" in balance(str(file))


def test_a_folder_that_does_not_exist_is_an_error(prefs: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"out\.jsonl"):
        balance(str(prefs), tmp_path / "nowhere" / "out.jsonl")


def test_the_data_are_not_replaced(prefs: Path, tmp_path: Path) -> None:
    before = prefs.read_bytes()
    for data, out, message in (
        (prefs, prefs, "is also read, and would be replaced"),
        (prefs.parent, prefs, "is also read, and would be replaced"),
        (prefs, tmp_path, "is a folder"),
    ):
        with pytest.raises(DataError, match=message):
            balance(str(data), out)
    assert prefs.read_bytes() == before
    with pytest.raises(DataError, match="--seed -1 is negative"):
        balance(str(prefs), seed=-1)


def test_the_command(prefs: Path, tmp_path: Path) -> None:
    out = tmp_path / "balanced.jsonl"
    done = run(prefs, "-o", out)
    assert (done.code, done.err) == (0, "")
    assert done.out == balance(str(prefs), tmp_path / "other.jsonl")
    assert out.read_text() == (tmp_path / "other.jsonl").read_text()
    swapped = run(prefs, "--columns", "chosen=rejected,rejected=chosen")
    assert "| chosen is longer, % of pairs that differ | 25.0 |" in swapped.out
    missing = run(tmp_path / "none.jsonl")
    assert missing.code == 2
    assert missing.err.startswith("error: ")
    assert "Traceback" not in missing.err


def test_the_documentation_shows_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands and tables of docs/style-bias.md, in order, in one folder."""
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "style-bias.md").read_text()
    shown = re.findall(r"^\$ python (?:-m )?(examples\S+) ([^\n]*)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(shown) == 4
    for place, arguments, output in shown:
        module = importlib.import_module(place.removesuffix(".py").replace("/", "."))
        monkeypatch.setattr(sys, "argv", [place, *arguments.split()])
        module.main()
        assert capsys.readouterr().out == output
