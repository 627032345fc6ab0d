from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.m_reward_bench import COUNTS, LANGUAGES, MRewardBench
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.metrics.outcomes import OFFICIAL
from rmeval.metrics.scoring.languages import WEIGHTS
from rmeval.metrics.scoring.sections import EXAMPLE_COUNTS, SECTIONS
from rmeval.types import Evidence, Item, Record
from tests.command import command

GERMAN, FRENCH = "deu_Latn", "fra_Latn"


def row(language: str, name: str, number: int) -> dict[str, Any]:
    code = name.startswith("hep-")
    function = f"def task_{number}(x):\n    return "
    return {
        "id": number,
        "language": language,
        "prompt": f"{language}: {name} {number}?",
        "chosen": f"{function}x" if code else f"{language} right {number}",
        "rejected": f"{function}x + 1" if code else f"{language} wrong, and longer: {number}",
        "chosen_model": "human",
        "rejected_model": "unknown",
        "source": name,
        "category": "any",
    }


def hub(folder: Path, languages: tuple[str, ...] = (GERMAN, FRENCH), each: int = 4) -> Path:
    """The hub's layout: a parquet file in a folder of each language."""
    for language in languages:
        rows = [row(language, name, number) for name in COUNTS for number in range(each)]
        (folder / language).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), folder / language / "test-00000-of-00001.parquet")
    return folder


def numbers(
    benchmark: MRewardBench, items: list[Item], right: dict[tuple[str, str], int]
) -> dict[tuple[str, str], Record]:
    """Records of a model that is right in the first few items of each subset."""
    evidence = {}
    for item in items:
        language, name, number = item.id.split("/")
        won = int(number) < right[language, name]
        evidence[item.id] = Evidence(item.id, "score", np.array([1.0, 0.0 if won else 1.0]))
    return {(record.metric, record.scope): record for record in benchmark.aggregate(items, evidence, OFFICIAL)}


def pattern(shift: int) -> dict[str, int]:
    """Right answers of four: (3 k + shift) mod 5 in the k-th subset of the reference's `EXAMPLE_COUNTS`."""
    order = sorted(WEIGHTS, key=list(EXAMPLE_COUNTS).index)
    return {name: (3 * k + shift) % 5 for k, name in enumerate(order)}


def test_the_references_scores(tmp_path: Path) -> None:
    """`get_scores` of `analysis/plot_utils.py` gave these of the pattern's accuracies, with shifts 0 and 2."""
    benchmark = MRewardBench(str(hub(tmp_path)), [FRENCH, GERMAN])
    items = list(benchmark.load())
    right = {(GERMAN, name): n for name, n in pattern(0).items()} | {
        (FRENCH, name): n for name, n in pattern(2).items()
    }
    found = numbers(benchmark, items, right)
    wanted = {
        GERMAN: (0.452701570331804, 0.4096283783783784, 0.38513513513513514, 0.41202445652173914, 0.6040183112919634),
        FRENCH: (0.43613771429695813, 0.47466216216216217, 0.4858722358722359, 0.5129076086956522, 0.2711088504577823),
    }
    for language, (score, *sections) in wanted.items():
        assert found["language", language].value == pytest.approx(score, abs=1e-14)
        for section, value in zip(SECTIONS, sections, strict=True):
            assert found["category", f"{language}/{section}"].value == pytest.approx(value, abs=1e-14)
    both = np.array(list(wanted.values())).mean(axis=0)
    assert found["overall", "all"].value == pytest.approx(both[0], abs=1e-14)
    assert [found["section", section].value for section in SECTIONS] == pytest.approx(both[1:], abs=1e-14)
    assert found["overall", "all"].formula == "m-reward-bench/sections@1"
    assert found["overall", "all"].n_items == len(items) == 2 * 4 * len(COUNTS)
    # Translations of one problem are one problem; so are a task's six programming languages.
    assert found["overall", "all"].n_clusters == 17 * 4 + 4
    assert found["language", GERMAN].n_clusters == found["overall", "all"].n_clusters
    assert not any(metric == "accuracy" for metric, _ in found)


def test_counts_are_those_of_the_paper() -> None:
    """Table 1: 296, 407, 736 and 1430 a language, 66,787 with 800 of translation."""
    assert [sum(COUNTS[name] for name in names) for names in SECTIONS.values()] == [296, 407, 736, 1430]
    assert sum(MRewardBench.card.counts.values()) == 66_787 - 800
    assert len(set(LANGUAGES)) == 23


def test_one_language_has_its_subsets(tmp_path: Path) -> None:
    benchmark = MRewardBench(str(hub(tmp_path)), [GERMAN])
    items = list(benchmark.load())
    assert {item.subset.partition("/")[0] for item in items} == {GERMAN}
    found = numbers(benchmark, items, {(GERMAN, name): n for name, n in pattern(0).items()})
    assert found["overall", "all"].value == found["language", GERMAN].value
    assert found["accuracy", f"{GERMAN}/hep-cpp"].value == pattern(0)["hep-cpp"] / 4
    inside = [found["accuracy", f"{GERMAN}/{name}"] for name in SECTIONS["Reasoning"]]
    mean = np.average([part.value for part in inside], weights=[part.weight for part in inside])
    assert found["category", f"{GERMAN}/Reasoning"].value == pytest.approx(mean)
    assert benchmark.notes(items) == [
        "means are over deu_Latn, and not over all 23 languages like the published means",
        "not the whole of M-RewardBench: deu_Latn 92 instead of 2869 items",
    ]


def test_no_mean_without_all_languages(tmp_path: Path) -> None:
    benchmark = MRewardBench(str(hub(tmp_path)))
    items = list(benchmark.load())
    right = {(language, name): 1 for language in (GERMAN, FRENCH) for name in COUNTS}
    found = numbers(benchmark, items, right)
    assert ("overall", "all") not in found
    assert found["language", FRENCH].value == pytest.approx(0.25)
    assert benchmark.notes(items)[0].startswith("no mean over languages: there are no items of arb_Arab, ces_Latn, ell")


@pytest.mark.parametrize(
    ("code", "cluster"),
    [
        ("from typing import List\n\n\ndef sort_array(x):\n    return sorted(x)\n", "humaneval/sortarray"),
        ("#include<math.h>\nvector<int> sort_array(vector<int> x){\n    sort(x);", "humaneval/sortarray"),
        ("\nfunc SortArray(x []int) []int {\n    return helper(x)\n}", "humaneval/sortarray"),
        ("const sortArray = (x) => {\n  return x.sort()\n}", "humaneval/sortarray"),
        (
            "class Solution {\n    public List<Integer> sortArray(List<Integer> x) {\n        f(x);",
            "humaneval/sortarray",
        ),
        ("fn sort_array<T: Ord>(x: Vec<T>) -> Vec<T> {\n    x.sort()\n}", "humaneval/sortarray"),
        ("    return sorted(x)\n", "hep-go/7"),
    ],
)
def test_code_is_known_by_its_first_function(code: str, cluster: str) -> None:
    (item,) = MRewardBench().items(Row(row(GERMAN, "hep-go", 7) | {"chosen": code}, "here"))
    assert item.cluster == cluster


def test_runs_are_compared_by_the_mean_over_languages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, runs = hub(tmp_path / "hub"), tmp_path / "runs"
    result = rmeval.evaluate("baseline:longest", "m-reward-bench", data, out=runs, languages=[GERMAN, FRENCH])
    assert result.value("overall") == 0.0
    assert rmeval.open_run(result.path).manifest["benchmark"]["options"] == {"languages": [GERMAN, FRENCH]}
    done = command(
        capsys, "run", "baseline:shortest", "-b", "m-reward-bench", "--data", data, "-o", runs,
        "--languages", f"{GERMAN},{FRENCH}",
    )  # fmt: skip
    assert done.code == 0, done.err
    (compared,) = rmeval.compare([runs])
    assert (compared.headline, compared.rule) == (("overall", "all"), OFFICIAL.name)
    assert compared.difference("baseline:shortest", "baseline:longest").value == 1.0
    top = rmeval.analyze(result.path).headline
    assert top is not None and top.metric == "overall"


def test_a_section_in_all_languages(tmp_path: Path) -> None:
    result = rmeval.evaluate(
        "baseline:shortest",
        "m-reward-bench",
        hub(tmp_path / "hub"),
        out=tmp_path / "runs",
        languages=[GERMAN, FRENCH],
        subsets=["Safety"],
    )
    assert result.value("section", "Safety") == 1.0
    assert result.record("section", "Safety").n_items == 2 * 4 * len(SECTIONS["Safety"])


def test_the_language_of_a_row(tmp_path: Path) -> None:
    rows = [row(GERMAN, "math-prm", 0), row(FRENCH, "math-prm", 0)]
    file = tmp_path / "some.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    assert [item.id for item in MRewardBench(str(file)).load()] == ["deu_Latn/math-prm/0", "fra_Latn/math-prm/0"]
    assert [item.subset for item in MRewardBench(str(file), [FRENCH]).load()] == ["fra_Latn/math-prm"]
    del rows[0]["language"]
    (tmp_path / GERMAN).mkdir()
    placed = tmp_path / GERMAN / "filtered.json"
    placed.write_text(json.dumps(rows[:1]))
    assert [item.subset for item in MRewardBench(str(placed)).load()] == ["deu_Latn/math-prm"]
    file.write_text(json.dumps(rows[0]))
    with pytest.raises(
        DataError, match=r"some\.jsonl does not name a part of the benchmark: .* one of arb_Arab, ces_Latn"
    ):
        list(MRewardBench(str(file)).load())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "maple-de2en-easy"}, "'maple-de2en-easy' is not a subset of RewardBench"),
        ({"source": None}, "column 'source' must be a string, not null"),
        ({"chosen": ["a"]}, "column 'chosen' must be a string, not a list"),
    ],
)
def test_wrong_rows(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([row(GERMAN, "math-prm", 0) | change]))
    with pytest.raises(DataError, match=message):
        list(MRewardBench(str(file)).load())


@pytest.mark.parametrize(
    ("languages", "message"),
    [
        (["de"], "M-RewardBench has no language 'de': choose from arb_Arab"),
        ("deu_Latn", "languages must be a list of codes, such as .*, not 'deu_Latn'"),
        ([1], r"languages must be a list of codes, such as .*, not \[1\]"),
    ],
)
def test_wrong_languages(languages: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_benchmark("m-reward-bench", languages=languages)


def test_who_takes_languages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "items", "rm-bench", "--data", tmp_path, "--languages", "en")
    assert done.code == 2
    assert "only m-reward-bench and rm-bench-synthetic take --languages" in done.err


def test_offline_is_said_in_a_sentence() -> None:
    with pytest.raises(DataError, match="multilingual-reward-bench is not in the local cache and the hub cannot be"):
        list(load_benchmark("m-reward-bench", languages=[GERMAN]).load())
