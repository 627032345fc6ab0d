from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.benchmarks.rm_bench import RMBench
from rmeval.metrics.outcomes import HALF, OFFICIAL
from rmeval.metrics.scoring.style_substance import (
    COMPARISONS,
    domains_of,
    levels,
    style_substance_composition,
    style_substance_records,
)
from rmeval.types import Evidence, Item, Record, Response


def items_and_evidence(rows: list[dict[str, Any]], subset: str = "chat") -> tuple[list[Item], dict[str, Evidence]]:
    items = [
        Item(
            f"{subset}/{n}",
            subset,
            (),
            (Response("", 1.0),) * 3 + (Response("", 0.0),) * 3,
            COMPARISONS,
            f"{subset}/{n}",
        )
        for n in range(len(rows))
    ]
    scores = [np.array(row["score_chosen"] + row["score_rejected"], dtype=float) for row in rows]
    return items, {item.id: Evidence(item.id, "score", score) for item, score in zip(items, scores, strict=True)}


def numbers(records: list[Record], scope: str) -> dict[str, float]:
    return {record.metric: record.value for record in records if record.scope == scope}


def test_levels_by_hand() -> None:
    # Rows: style of chosen. Below the diagonal .9 .8 .7, on it .6 .5 .4, above it .3 .2 .1.
    matrix = np.array([[0.6, 0.3, 0.2], [0.9, 0.5, 0.1], [0.8, 0.7, 0.4]])
    assert levels(matrix) == pytest.approx([0.8, 0.5, 0.2, 0.5])


def test_which_corner_is_hard() -> None:
    # Score 2 for markdown, 1 for plain, 0 for concise, whatever is right: style alone decides.
    rows = [{"score_chosen": [0, 1, 2], "score_rejected": [0, 1, 2]}]
    items, evidence = items_and_evidence(rows)
    found = RMBench().aggregate(items, evidence, OFFICIAL)
    assert numbers(found, "chat") | {} == pytest.approx(
        {"easy": 1.0, "normal": 0.0, "hard": 0.0, "average": 1 / 3, "style_gap": 1.0}
        | {
            f"cell:{c}/{r}": float(i > j)
            for i, c in enumerate(("concise", "detailed_plain", "detailed_markdown"))
            for j, r in enumerate(("concise", "detailed_plain", "detailed_markdown"))
        }
    )
    shared = numbers(RMBench().aggregate(items, evidence, HALF), "chat")
    assert (shared["easy"], shared["normal"], shared["hard"]) == (1.0, 0.5, 0.0)


scores3 = st.lists(st.sampled_from([0.0, 1.0, 2.0, float("nan")]), min_size=3, max_size=3)
rows_of_scores = st.lists(
    st.fixed_dictionaries({"score_chosen": scores3, "score_rejected": scores3}), min_size=1, max_size=6
)


@given(rows_of_scores)
def test_equals_counting_one_by_one(rows: list[dict[str, Any]]) -> None:
    """The definition of section 3.4, pair by pair; `>` is false for NaN, so that a missing score loses."""
    below: list[bool] = []
    on: list[bool] = []
    above: list[bool] = []
    for row in rows:
        for i in range(3):
            for j in range(3):
                win = row["score_chosen"][i] > row["score_rejected"][j]
                (below if i > j else on if i == j else above).append(win)
    items, evidence = items_and_evidence(rows)
    found = numbers(RMBench().aggregate(items, evidence, OFFICIAL, intervals=False), "chat")
    assert found["easy"] == pytest.approx(np.mean(below), abs=1e-12)
    assert found["normal"] == pytest.approx(np.mean(on), abs=1e-12)
    assert found["hard"] == pytest.approx(np.mean(above), abs=1e-12)


def test_reference_with_ties(fixtures: Any) -> None:
    handmade = fixtures("rm_bench_reference.json")["handmade"]
    items, evidence = items_and_evidence(handmade["rows"])
    found = numbers(RMBench().aggregate(items, evidence, OFFICIAL), "chat")
    for level in ("easy", "normal", "hard"):
        assert found[level] == pytest.approx(handmade["metrics"][f"{level}_acc"], abs=1e-12)


def test_reference_on_the_total(fixtures: Any) -> None:
    """The reference's own script on a total file in which a copy of chat stands in for math."""
    reference = fixtures("rm_bench_reference.json")
    rows = {name: [row for row in reference["scores"] if row["domain"] == name] for name in ("chat", "code")}
    rows["math"] = rows["chat"]
    rows["safety-response"] = [row for row in reference["scores"] if row["domain"].startswith("safety")]
    items: list[Item] = []
    evidence: dict[str, Evidence] = {}
    for subset, part in rows.items():
        some, seen = items_and_evidence(part, subset)
        items += some
        evidence |= seen
    found = RMBench().aggregate(items, evidence, OFFICIAL)
    wanted = next(v for k, v in reference["metrics"].items() if k.startswith("total"))
    for domain in ("chat", "math", "code", "safety"):
        assert numbers(found, domain)["average"] == pytest.approx(wanted[domain], abs=1e-12)
    everything = numbers(found, "all")
    for level in ("easy", "normal", "hard"):
        assert everything[level] == pytest.approx(wanted[f"{level}_acc"], abs=1e-12)
    assert everything["overall"] == pytest.approx(wanted["total_avg_acc"], abs=1e-12)
    assert everything["overall"] == everything["average"]


def test_intervals_hold_the_value_and_say_how() -> None:
    random = np.random.default_rng(1)
    rows = [
        {"score_chosen": list(random.normal(0.3, 1, 3)), "score_rejected": list(random.normal(0, 1, 3))}
        for _ in range(60)
    ]
    items, evidence = items_and_evidence(rows)
    for record in RMBench().aggregate(items, evidence, OFFICIAL):
        assert record.ci is not None
        wanted = "wilson" if record.metric.startswith("cell:") else "score"
        assert record.ci_method is not None and record.ci_method.startswith(wanted)
        assert record.ci[0] <= record.value <= record.ci[1]
        assert 0.05 < record.ci[1] - record.ci[0] < 0.35


@pytest.mark.parametrize(("problems", "wordings"), [(10, 1), (30, 4)])
@pytest.mark.slow
def test_intervals_of_levels_and_gaps_hold_the_truth(problems: int, wordings: int) -> None:
    """A model that sees what is right and what looks good, over problems that are easy or hard for all wordings."""
    random = np.random.default_rng(11)

    def matrices(count: int, each: int) -> Any:
        # Being fancier is worth half a point a step.
        ease = random.normal(0.4, 0.6, count).repeat(each)
        better, worse = (random.normal(0, 0.7, (count * each, 3)) for _ in range(2))
        right = ease[:, None] + better + 0.5 * np.arange(3)
        return right, worse + 0.5 * np.arange(3)

    right, wrong = matrices(200_000, 1)
    truth = levels((right[:, :, None] > wrong[:, None, :]).mean(axis=0))
    wanted = {"easy": truth[0], "normal": truth[1], "hard": truth[2], "average": truth[3]}
    wanted["style_gap"] = truth[0] - truth[2]
    hits = dict.fromkeys(wanted, 0)
    for _ in range(200):
        right, wrong = matrices(problems, wordings)
        rows = [{"score_chosen": a, "score_rejected": b} for a, b in zip(right.tolist(), wrong.tolist(), strict=True)]
        items, evidence = items_and_evidence(rows)
        items = [replace(item, cluster=str(n // wordings)) for n, item in enumerate(items)]
        for record in RMBench().aggregate(items, evidence, OFFICIAL):
            if record.metric in hits and record.scope == "chat":
                assert record.ci is not None
                hits[record.metric] += record.ci[0] <= wanted[record.metric] <= record.ci[1]
    # Three standard deviations of a binomial with p = .95 and n = 200 are .046.
    assert {name: own / 200 for name, own in hits.items()} == pytest.approx(dict.fromkeys(wanted, 0.95), abs=0.048)


def test_other_domains_have_the_numbers_of_rm_bench() -> None:
    """The same items under other names have the same numbers; only the weight of a domain follows from its number."""
    rows = [
        {"score_chosen": [2, 0, 1], "score_rejected": [1, 1, 0]},
        {"score_chosen": [0, 3, 1], "score_rejected": [1, 2, 2]},
    ]
    items, evidence = items_and_evidence(rows * 4, "physics")
    more, further = items_and_evidence(rows[:1] * 6, "law")
    domains = {"physics": ("physics",), "law": ("law",)}
    found = style_substance_records(
        "own", [*items, *more], evidence | further, OFFICIAL, domains=domains, formula="style-substance/accuracy@1"
    )
    assert {record.formula for record in found} == {"style-substance/accuracy@1"}
    chat, known = items_and_evidence(rows * 4, "chat")
    published = RMBench().aggregate(chat, known, OFFICIAL)
    assert numbers(found, "physics") == numbers(published, "chat")
    one, two = numbers(found, "physics"), numbers(found, "law")
    for metric in ("easy", "normal", "hard", "cell:concise/concise"):
        assert numbers(found, "all")[metric] == pytest.approx((one[metric] + two[metric]) / 2)
    assert numbers(found, "all")["overall"] == pytest.approx((one["average"] + two["average"]) / 2)
    composed = style_substance_composition({("law", "concise/concise"): 6}, domains)
    assert composed == {("cell:concise/concise", "law"): {("law", "concise/concise"): 1.0}}


def test_which_subsets_are_one_domain() -> None:
    assert domains_of(["law", "safety-response", "safety-refuse"]) == {
        "law": ("law",),
        "safety": ("safety-response", "safety-refuse"),
    }
    assert domains_of(["safety-refuse"]) == {"safety": ("safety-refuse",)}
