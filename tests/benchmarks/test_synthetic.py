"""rm-bench-synthetic: form tells nothing, substance is proved, and nobody can have seen it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.synthetic import BLOCK, VERSION, RMBenchSynthetic, generate, proof
from rmeval.benchmarks.synthetic.code import KINDS as CODE
from rmeval.benchmarks.synthetic.code import code_twins
from rmeval.benchmarks.synthetic.dice import Dice
from rmeval.benchmarks.synthetic.language import language_codes, load_language
from rmeval.benchmarks.synthetic.maths import math_twins
from rmeval.benchmarks.synthetic.twins import word
from rmeval.data.digests import contents_digest, item_digests
from rmeval.data.style import count_text
from rmeval.data.tables import ItemTable
from rmeval.errors import DataError
from rmeval.metrics.outcomes import HALF
from rmeval.metrics.records import null_evidence
from rmeval.metrics.scoring.style_substance import DOMAINS
from rmeval.runs.plan import plan
from rmeval.runs.select import Selection
from rmeval.types import Evidence, Item
from tests.benchmarks.verify import right, substance
from tests.command import command

PINNED = {"en": "34c56a461137cbe168f05d5de42b1561", "zh": "81a29117a6de7680717fac38e1c71ce1"}
"""Digests of what version 1 of the generator asks for seed 0 and 80 items. They change only with the version."""


@pytest.fixture(scope="module", params=[0, 1])
def items(request: pytest.FixtureRequest) -> list[Item]:
    return RMBenchSynthetic(seed=request.param, size=2000).load()


def domain_of(item: Item) -> str:
    return next(domain for domain, parts in DOMAINS.items() if item.subset in parts)


@pytest.mark.parametrize(("seed", "language"), [(0, "en"), (1, "en"), (0, "zh")])
@pytest.mark.slow
def test_every_item_is_right_by_an_independent_check(seed: int, language: str) -> None:
    """Each prompt is read, looked up, computed or run anew, from the texts alone."""
    items = RMBenchSynthetic(seed=seed, size=2000, languages=[language]).load()
    assert Counter(domain_of(item) for item in items) == dict.fromkeys(DOMAINS, 500)
    for item in items:
        given = [(item.subset, item.prompt[0].content, response.text, language) for response in item.responses]
        assert [right(*one) for one in given] == [True, True, True, False, False, False], given
        # The edit is one, and the same in all three styles.
        said = [substance(*one) for one in given]
        assert said[0] == said[1] == said[2] != said[3] == said[4] == said[5], given


def test_what_is_right_here_is_wrong_for_the_twin(items: list[Item]) -> None:
    """So each text is chosen as often as rejected, and what it looks like says nothing."""
    twins = defaultdict(list)
    for item in items:
        twins[item.cluster].append(item)
    for first, second in twins.values():
        texts = [[response.text for response in item.responses] for item in (first, second)]
        assert texts[0][:3] == texts[1][3:]
        assert texts[0][3:] == texts[1][:3]
        assert first.prompt != second.prompt
        assert first.group == second.group == first.cluster


def test_lengths_tell_nothing_in_any_style(items: list[Item]) -> None:
    for subset in {item.subset for item in items}:
        for style in range(3):
            longer: Counter[int] = Counter()
            for item in items:
                if item.subset == subset:
                    chosen, rejected = (len(item.responses[side + style].text) for side in (0, 3))
                    longer[(chosen > rejected) - (chosen < rejected)] += 1
            # In the halves of safety one side refuses always, so that length had to be balanced on purpose.
            assert longer[1] == longer[-1], (subset, style)


def test_null_baselines_get_what_the_styles_give_them(items: list[Item]) -> None:
    counts = {item.id: [count_text(response.text) for response in item.responses] for item in items}
    table = ItemTable.of(items)
    columns = {
        name: np.array([getattr(count, name) for item in items for count in counts[item.id]], np.int32)
        for name in ("characters", "markdown")
    }
    expected = {"longest": (1, 1 / 2, 0), "markdown": (5 / 6, 1 / 2, 1 / 6), "shortest": (0, 1 / 2, 1)}
    for name, values in expected.items():
        records = RMBenchSynthetic(size=2000).aggregate(
            table, null_evidence(name, table, columns), HALF, intervals=False
        )
        found = {(record.metric, record.scope): record.value for record in records}
        for scope in (*DOMAINS, *DOMAINS["safety"], "all"):
            for level, value in zip(("easy", "normal", "hard"), values, strict=True):
                assert found[level, scope] == pytest.approx(value, abs=1e-12), (name, level, scope)


@pytest.mark.parametrize(("scorer", "most"), [("bigrams", 0.6), ("overlap", 0.52)])
def test_what_does_not_understand_learns_nothing(items: list[Item], scorer: str, most: float) -> None:
    """A classifier over words and bigrams, trained on other seeds; and words shared by prompt and answer."""
    from examples.bigrams import Bigrams
    from examples.scorer import Overlap

    normal = normal_accuracy(Bigrams(size=2000) if scorer == "bigrams" else Overlap(), items)
    assert all(normal[domain] < most for domain in DOMAINS), normal


def test_words_of_the_prompt_crossed_with_words_of_the_answer_learn_code_but_not_chat() -> None:
    """What the documentation says of the shortcut that twins leave open; with one seed, as it takes half a minute."""
    from examples.bigrams import Crossed

    items = list(RMBenchSynthetic(seed=0, size=2000).load())
    normal = normal_accuracy(Crossed(size=160), items[:200])
    assert normal["code"] > 0.7, normal
    assert normal["chat"] < 0.6, normal


def normal_accuracy(model: Any, items: list[Item]) -> dict[str, float]:
    """Normal accuracy by scope, ties shared."""
    conversations = [
        [{"role": message.role, "content": message.content} for message in item.conversation(number)]
        for item in items
        for number in range(6)
    ]
    scores = np.array(model.score(conversations)).reshape(-1, 6)
    assert np.ptp(scores) > 0.1, "it says nothing"
    evidence = {item.id: Evidence(item.id, "score", own) for item, own in zip(items, scores, strict=True)}
    records = RMBenchSynthetic(size=2000).aggregate(items, evidence, HALF, intervals=False)
    return {record.scope: record.value for record in records if record.metric == "normal"}


def test_the_same_seed_gives_the_same_items_for_ever() -> None:
    for code, pinned in PINNED.items():
        items = RMBenchSynthetic(seed=0, size=80, languages=[code]).load()
        assert contents_digest((item.id, item_digests(item)) for item in items) == pinned, (
            f"the items of {code} changed: raise VERSION, which is {VERSION}, or undo the change"
        )


def test_a_smaller_set_is_the_beginning_of_a_larger_one() -> None:
    small, large = (RMBenchSynthetic(seed=3, size=size).load() for size in (40, 80))
    assert small == large[:40]


@pytest.mark.slow
def test_there_are_twenty_thousand_distinct_items() -> None:
    items = RMBenchSynthetic(seed=11, size=20_000).load()
    assert len({item.prompt for item in items}) == 20_000
    assert len(
        {response.text for item in items for response in item.responses if response.style == "detailed_plain"}
    ) > (20_000 * 0.95)


def test_seeds_share_hardly_a_prompt() -> None:
    prompts = [{item.prompt for item in RMBenchSynthetic(seed=seed, size=2000).load()} for seed in (0, 1, 2)]
    assert sum(map(len, prompts)) == 6000
    assert len(set.union(*prompts)) >= 5994


@pytest.mark.parametrize("code", sorted(PINNED))
def test_training_shares_no_name_no_operands_and_no_function(code: str) -> None:
    """What a problem is made of belongs to the benchmark or to training, whatever the words around it."""
    benchmark, training = (
        [item for seed in seeds for item in generate(seed, 2000, [load_language(code)], training=seed < 0)]
        for seeds in ((0, 1), (-1, -2, -3))
    )
    for part in (operands, functions):
        known = part(training)
        assert len(known) > 300
        assert not known & part(benchmark)
    dice = Dice("names"), Dice("names", training=True)
    names = [{load_language(code).name(one) for _ in range(5000)} for one in dice]
    assert min(map(len, names)) > 4000
    assert not names[0] & names[1]


def operands(items: list[Item]) -> set[tuple[str, ...]]:
    """The kind of each problem and the numbers in it."""
    return {(item.meta["kind"], *re.findall(r"\d+", item.prompt[0].content)) for item in items if item.subset == "math"}


def functions(items: list[Item]) -> set[tuple[str, ...]]:
    """The kind of each function and its code, without the names of function and parameter."""
    found: set[tuple[str, ...]] = set()
    for item in items:
        if item.subset == "code":
            source = item.responses[0].text
            for name in re.findall(r"def (\w+)\((\w+)\)", source)[0]:
                source = re.sub(rf"\b{name}\b", "_", source)
            found.add((item.meta["kind"], source))
    return found


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**9), code=st.sampled_from(sorted(language_codes())))
def test_any_seed_in_any_language_gives_proved_items(seed: int, code: str) -> None:
    items = RMBenchSynthetic(seed=seed, size=24, languages=[code]).load()
    assert len(items) == 24
    assert {item.meta["language"] for item in items} == {code}
    for item in items:
        assert "{" not in item.prompt[0].content.replace("{{", "")


def test_languages_take_turns() -> None:
    items = RMBenchSynthetic(seed=4, size=16 * BLOCK, languages=["en", "zh"]).load()
    assert Counter(item.meta["language"] for item in items) == {"en": 8 * BLOCK, "zh": 8 * BLOCK}


def test_all_languages_have_the_same_tables() -> None:
    def shape(value: object) -> object:
        if isinstance(value, dict):
            return {key: shape(inner) for key, inner in value.items() if key not in ("names", "pattern")}
        return type(value).__name__

    english = load_language("en")._data
    for code in language_codes():
        assert shape(load_language(code)._data) == shape(english), code


@pytest.mark.parametrize("kind", sorted(CODE))
def test_the_proof_runs_the_code(kind: str) -> None:
    twins = code_twins(Dice(f"proof {kind}"), load_language("en"), kind)
    proof.check_code([twins])
    swapped = replace(twins, contents=twins.contents[::-1])
    with pytest.raises(DataError, match="passes the tests of its twin or fails its own"):
        proof.check_code([swapped])
    same = replace(twins, contents=(twins.contents[0], twins.contents[0]))
    with pytest.raises(DataError, match="passes the tests of its twin or fails its own"):
        proof.check_code([same])


def test_code_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "SECONDS", 1)
    twins = code_twins(Dice("endless"), load_language("en"), "bound")
    name = twins.facts[0]["function"]
    endless = replace(twins.contents[0], code=f"def {name}(n):\n    while True:\n        pass")
    with pytest.raises(DataError, match="could not be run"):
        proof.check_code([replace(twins, contents=(endless, twins.contents[1]))])


def test_limits_that_are_lower_already_are_kept() -> None:
    lower = "ulimit -t 30; ulimit -v 4000000; exec "
    code = "import rmeval; print(len(rmeval.load_benchmark('rm-bench-synthetic', size=16).load()))"
    command_line = f"{lower}{sys.executable} -c {shlex.quote(code)}"
    done = subprocess.run(["bash", "-c", command_line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "16"), done.stderr


def test_code_that_writes_is_stopped(tmp_path: Path) -> None:
    twins = code_twins(Dice("writes"), load_language("en"), "bound")
    name, target = twins.facts[0]["function"], tmp_path / "written"
    source = f"def {name}(n):\n    with open({str(target)!r}, 'w') as file:\n        file.write('x')\n    return 0"
    with pytest.raises(DataError):
        proof.check_code([replace(twins, contents=(replace(twins.contents[0], code=source), twins.contents[1]))])
    assert not target.exists() or target.read_text() == ""


def test_wordings_that_break_the_order_of_styles_are_refused() -> None:
    twins = math_twins(Dice("form"), load_language("en"), "carry")
    texts = [word(content, load_language("en"), "math") for content in twins.contents]
    proof.check_form(twins, (texts[0], texts[1]))
    for bad in ((texts[0][1], texts[0][1], texts[0][2]), ("**x**", *texts[0][1:]), (*texts[0][:2], texts[0][2][:9])):
        with pytest.raises(DataError, match="order of its styles"):
            proof.check_form(twins, (bad, texts[1]))


def test_a_false_equation_is_refused() -> None:
    twins = math_twins(Dice("form"), load_language("en"), "linear")
    texts = [word(content, load_language("en"), "math") for content in twins.contents]
    wrong = re.sub(r"= (\d+)\. The", lambda found: f"= {int(found[1]) + 1}. The", texts[0][0])
    with pytest.raises(DataError, match="equation is false"):
        proof.check_form(twins, ((wrong, *texts[0][1:]), texts[1]))


def test_a_set_that_cannot_be_had_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rmeval.benchmarks.synthetic.TRIES", 1)
    with pytest.raises(DataError, match="give a smaller `size`"):
        RMBenchSynthetic(seed=0, size=80).load()


def test_half_a_safety_domain_is_told() -> None:
    benchmark = RMBenchSynthetic(size=40)
    half = [item for item in benchmark.load() if item.subset != "safety-refuse"]
    assert benchmark.notes(half) == ["safety consists of safety-response only: the other half has no items"]
    assert "no items of chat" in benchmark.notes([item for item in half if item.subset != "chat"])[0]


def test_a_problem_by_hand() -> None:
    """Worked by hand: 4x + 20 = 44 gives x = 6; the slip 4x = 44 + 20 gives x = 16, right for 4x - 20 = 44."""
    item = next(item for item in RMBenchSynthetic(seed=0, size=80).load() if "4x + 20 = 44" in item.prompt[0].content)
    assert item.responses[0].text.startswith("4x = 44 - 20 = 24. x = 24 / 4 = 6.")
    assert item.responses[3].text.startswith("4x = 44 + 20 = 64. x = 64 / 4 = 16.")


def test_a_selection_keeps_twins_together() -> None:
    benchmark = load_benchmark("rm-bench-synthetic", seed=2, size=80)
    for selection in (Selection(limit=3), Selection(n_items=7, seed=1), Selection(("safety",), limit=5)):
        own = Counter(one.item.cluster for one in plan(benchmark, selection).items())
        assert set(own.values()) == {2}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "20"], ["--size", "multiple of 8", "24"]),
        (["--size", "0"], ["--size", "multiple of 8", "8"]),
        (["--languages", "tlh"], ["'tlh'", "en, zh"]),
        (["--languages", ","], ["--languages is empty"]),
        (["--data", "x.json"], ["is generated", "--data x.json out"]),
        (["--size", "8", "--languages", "en,zh"], ["--size 8", "too small for 2 languages", "16"]),
        (["-b", "rm-bench", "--columns", "a=b"], ["only pairs and best-of-n take --columns"]),
    ],
)
def test_bad_options_are_one_sentence(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    done = command(capsys, "run", "baseline:longest", "-b", "rm-bench-synthetic", *arguments)
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert all(word in done.err for word in words), done.err


def test_size_belongs_to_the_synthetic_benchmark(capsys: pytest.CaptureFixture[str], pairs_file: Path) -> None:
    done = command(capsys, "run", "baseline:longest", "-b", "pairs", "--data", pairs_file, "--size", "80")
    assert (done.code, "only rm-bench-synthetic takes --size" in done.err) == (2, True)


def test_runs_of_seeds_are_kept_apart_and_show_says_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (0, 1):
        run = ["run", "baseline:longest", "-b", "rm-bench-synthetic", "--size", 80, "--seed", seed, "-o", tmp_path]
        assert command(capsys, *run).code == 0
    shown = command(capsys, "show", tmp_path)
    assert "seed 0" in shown.out
    assert "seed 1" in shown.out
    first = next(tmp_path.glob("*/*/*/run.json"))
    before = rmeval.open_run(first.parent)
    (first.parent / "metrics.json").unlink(missing_ok=True)
    assert rmeval.open_run(first.parent).records == before.records
    # Folders of earlier versions do not say with what options their benchmark was made.
    manifest = json.loads(first.read_text())
    del manifest["benchmark"]["options"], manifest["sha256"]
    first.write_text(json.dumps(manifest))
    (first.parent / "metrics.json").unlink(missing_ok=True)
    assert rmeval.open_run(first.parent).records == before.records


def test_items_as_jsonl(tmp_path: Path, capsys: pytest.CaptureFixture[str], rm_bench_folder: Path) -> None:
    done = command(capsys, "items", "rm-bench-synthetic", "--seed", 5, "--size", 16)
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert len(rows) == 16
    assert [response["gold"] for response in rows[0]["responses"]] == [1, 1, 1, 0, 0, 0]
    code = next(row for row in rows if row["subset"] == "code")
    assert code["meta"]["tests"]
    target = tmp_path / "items.jsonl"
    assert command(capsys, "items", "rm-bench", "--data", rm_bench_folder, "-o", target).code == 0
    assert len(target.read_text().splitlines()) == 20
    bad = command(capsys, "items", "rm-bench", "--data", rm_bench_folder, "-o", tmp_path / "no" / "x.jsonl")
    assert (bad.code, len(bad.err.strip().splitlines())) == (2, 1)


def test_python_takes_seed_size_and_languages(tmp_path: Path) -> None:
    result = rmeval.evaluate(
        "baseline:longest", "rm-bench-synthetic", out=tmp_path, seed=3, size=40, languages=["en", "zh"]
    )
    assert result.manifest["benchmark"]["options"] == {"seed": 3, "size": 40, "languages": ["en", "zh"]}
    made = rmeval.evaluate("baseline:longest", RMBenchSynthetic(seed=5, size=16), out=tmp_path)
    assert made.manifest["benchmark"]["options"] == {"seed": 5, "size": 16, "languages": ["en"]}
    assert result.value("hard") == 0


def test_generating_needs_no_torch() -> None:
    code = (
        "import sys, rmeval; rmeval.load_benchmark('rm-bench-synthetic', size=16).load(); "
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
