"""examples/style_bias: the training data, the training, the numbers of the study, and the study in miniature."""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from examples.style_bias import run
from examples.style_bias.balance import style_counts
from examples.style_bias.preferences import CURES, DOMAINS, Pair, TrainingSet, labelled, make_pairs, training_set
from examples.style_bias.study import ALL, GAP, Condition, Study, Trained, read_trained
from examples.style_bias.tables import tables
from examples.style_bias.training import Settings, batches, train

import rmeval

PAIRS = 48


def is_fancier(pair: Pair) -> bool:
    chosen, rejected = style_counts([pair.chosen, pair.rejected])
    return bool(chosen[0] > rejected[0])


def test_doses_differ_only_in_the_fancier_side() -> None:
    doses = {dose: make_pairs(0, PAIRS, dose) for dose in (0.0, 0.7, 1.0)}
    assert len({tuple(pair.prompt for pair in pairs) for pairs in doses.values()}) == 1
    share = {dose: np.mean([is_fancier(pair) for pair in pairs]) for dose, pairs in doses.items()}
    # Neighbouring styles of different contents may have lengths in the other order.
    assert share[0.0] < 0.1
    assert share[1.0] > 0.9
    assert abs(share[0.7] - 0.7) < 0.2
    for plain, fancy in zip(doses[0.0], doses[1.0], strict=True):
        assert fancy == plain.rewritten
        assert plain.rewritten.rewritten == plain


def test_seeds_have_other_prompts_and_no_chat() -> None:
    prompts = [{pair.prompt for pair in make_pairs(seed, PAIRS, 0.5)} for seed in (0, 1)]
    assert prompts[0].isdisjoint(prompts[1])
    held_out = rmeval.load_benchmark("rm-bench-synthetic", seed=run.BENCHMARK_SEED, size=160)
    assert prompts[0].isdisjoint(item.prompt[0].content for item in held_out.load())
    assert not any("passage" in prompt.lower() for prompt in prompts[0])


def test_hasty_annotators_choose_by_style() -> None:
    right, fancier = make_pairs(0, PAIRS, 0.5), make_pairs(0, PAIRS, 1.0)
    assert labelled(0, PAIRS, range(0), 1.0) == labelled(0, PAIRS, range(PAIRS), 0.0) == right
    found = labelled(0, PAIRS, range(PAIRS // 2, PAIRS), 1.0)
    assert found[: PAIRS // 2] == right[: PAIRS // 2]
    for pair, own, other in list(zip(found, right, fancier, strict=True))[PAIRS // 2 :]:
        if own == other:  # The better response is the fancier one.
            assert pair == own
        else:
            assert (pair.chosen, pair.rejected) == (own.rejected, own.chosen)
            assert is_fancier(pair) or not is_fancier(other)
    some = labelled(0, PAIRS, range(PAIRS), 0.5)
    changed = sum(pair != own for pair, own in zip(some, right, strict=True))
    assert 0 < changed < sum(own != other for own, other in zip(right, fancier, strict=True))


def test_cures_change_pairs_weights_or_offsets() -> None:
    pairs = make_pairs(0, PAIRS, 0.8)
    sets = {cure: training_set(pairs, cure, 0) for cure in CURES}
    assert sets["none"].pairs == tuple(pairs)
    assert set(sets["matched"].pairs) < set(pairs)
    assert np.mean([is_fancier(pair) for pair in sets["matched"].pairs]) == 0.5
    assert sets["rewritten"].pairs == (*pairs, *(pair.rewritten for pair in pairs))
    fancier = np.array([is_fancier(pair) for pair in pairs])
    own = sets["weighted"].weight
    assert own[~fancier].min() > own[fancier].max()
    offset = sets["covariate"].offset
    assert offset[fancier].min() > 0 > offset[~fancier].max()
    for cure, one in sets.items():
        assert len(one.weight) == len(one.offset) == len(one.pairs)
        assert cure == "weighted" or (one.weight == 1).all()
        assert cure == "covariate" or (one.offset == 0).all()


def test_batches_use_every_pair_once_an_epoch() -> None:
    length = np.random.default_rng(0).integers(20, 200, 25)
    found = list(batches(length, Settings(steps=7, batch=8), np.random.default_rng(1)))
    assert len(found) == 7
    assert max(map(len, found)) <= 8
    assert sorted(np.concatenate(found[:4]).tolist()) == list(range(25))


@cache
def trained_head(second: str, weight: tuple[float, float], offset: float = 0.0, seed: int = 3) -> torch.Tensor:
    """The score head after one step on two pairs, of which the second has this chosen response."""
    first = Pair("1 + 1?", "The answer is 2.", "The answer is 3.", ("", ""))
    data = TrainingSet((first, replace(first, chosen=second)), np.array(weight), np.full(2, offset))
    model, _ = train(data, seed, Settings(steps=1, batch=2))
    found: torch.Tensor = model.score.weight.detach()
    return found


def test_a_pair_without_weight_does_not_train() -> None:
    one, other = (trained_head(text, (2.0, 0.0)) for text in ("It is 5, is it not?", "Two."))
    assert torch.allclose(one, other, atol=1e-6)
    assert not torch.allclose(one, trained_head("Two.", (1.0, 1.0)), atol=1e-6)


def test_what_the_offset_explains_does_not_train() -> None:
    untrained = trained_head("Two.", (0.0, 0.0))
    assert torch.allclose(untrained, trained_head("Two.", (1.0, 1.0), offset=60.0), atol=1e-6)
    assert not torch.allclose(untrained, trained_head("Two.", (1.0, 1.0)), atol=1e-6)


def test_seeds_differ() -> None:
    assert not torch.allclose(trained_head("Two.", (1.0, 1.0)), trained_head("Two.", (1.0, 1.0), seed=4), atol=1e-3)


def length_and_words(factor: float) -> Callable[[list[list[dict[str, str]]]], list[float]]:
    def score(conversations: list[list[dict[str, str]]]) -> list[float]:
        texts = [one[-1]["content"] for one in conversations]
        return [zlib.crc32(text.encode()) % 97 + factor * len(text) for text in texts]

    return score


def made_runs(folder: Path) -> list[Trained]:
    """Two seeds of three conditions; the third has a seed more."""
    conditions = {Condition(0.9): 0.5, Condition(0.9, "matched"): 0.0, Condition(0.5): 0.01}
    found = []
    for condition, factor in conditions.items():
        for seed in range(3 if condition.dose == 0.5 else 2):
            result = rmeval.evaluate(
                length_and_words(factor + 0.02 * seed),
                "rm-bench-synthetic",
                size=32,
                subsets=run.SUBSETS,
                name=f"{condition} {seed}",
                out=folder,
            )
            found.append(Trained(condition, seed, 40, 38.5, str(result.path), 1.5))
    return found


def test_the_study_has_the_means_of_the_runs(tmp_path: Path) -> None:
    trained = made_runs(tmp_path)
    found = Study.of(trained)
    assert found is not None
    assert found.seeds == [0, 1]
    biased, cured = Condition(0.9), Condition(0.9, "matched")
    expected = {
        condition: np.mean(
            [
                rmeval.open_run(one.run).value("style_gap", domain)
                for one in trained
                if one.condition == condition
                for domain in DOMAINS
            ]
        )
        for condition in (biased, cured)
    }
    for condition, gap in expected.items():
        assert found.levels.number(str(condition), GAP, ALL).mean.value == pytest.approx(gap)
    assert list(found.changes) == [cured]
    change = found.changes[cured].difference(str(cured), str(biased), GAP, ALL)
    assert change.mean.value == pytest.approx(expected[cured] - expected[biased])
    assert expected[biased] > 0.4
    text = tables(found)
    assert f"| 90 | matched | 40 | 38 | {100 * expected[cured]:.1f} [" in text
    assert f"| {100 * change.mean.value:+.1f} [" in text
    assert "6 models, seeds 0, 1, 0.1 minutes of CPU time." in text


def test_a_study_without_a_whole_seed_has_no_numbers(tmp_path: Path) -> None:
    one = Trained(Condition(0.9), 0, 40, 40.0, "runs/x", 1.0)
    assert Study.of([]) is None
    assert Study.of([one, replace(one, condition=Condition(0.5), seed=1)]) is None
    assert "no seed" in run.write(tmp_path, [])


def test_records_are_read_again(tmp_path: Path) -> None:
    one = Trained(Condition(0.9, "matched"), 3, 40, 38.5, "runs/x", 1.5)
    (tmp_path / "trained.jsonl").write_text(f"{one.to_json()}\n")
    assert read_trained(tmp_path / "trained.jsonl") == [one]
    assert read_trained(tmp_path / "none.jsonl") == []


@pytest.mark.slow
def test_the_study_in_miniature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bias appears with the dose, an interrupted study is continued, and tables and figures are written."""
    out = tmp_path / "study"
    words = ["run", "-o", str(out), "--pairs", "48", "--size", "16", "--steps", "2", "--seeds"]
    monkeypatch.setattr(sys, "argv", [*words, "1"])
    run.main()
    first = capsys.readouterr().out
    assert first.count("of CPU time\n") == len(run.CONDITIONS)
    gaps = [float(gap) for gap in re.findall(r"^\| \d+ \|(?: [\d.]+[^|]*\|){3} (-?[\d.]+)", first, re.MULTILINE)]
    assert len(gaps) == 4
    assert gaps[3] > gaps[0]
    monkeypatch.setattr(sys, "argv", [*words, "2"])
    run.main()
    second = capsys.readouterr().out
    assert second.count("of CPU time\n") == len(run.CONDITIONS)
    assert "seed 0" not in second.split("|")[0]
    assert "18 models, seeds 0, 1" in second
    assert "100% fancier, rewritten" in second
    text = (out / "tables.md").read_text()
    assert second.endswith(text)
    for theme in ("light", "dark"):
        assert (out / f"style-bias-{theme}.png").read_bytes().startswith(b"\x89PNG")
