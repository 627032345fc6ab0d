"""Each gate, on benchmarks with one planted fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rmeval.benchmarks.built import BuiltBenchmark
from rmeval.build import Candidate, Check, Record
from rmeval.build.assemble.balance import balance_of
from rmeval.build.assemble.baselines import baseline_numbers
from rmeval.build.assemble.gates import Gate, balanced, baselines, duplicates, licensed, repeats, verified
from rmeval.build.assemble.items import CountedItems, item_of
from rmeval.build.assemble.similar import similar_prompts
from tests.build.samples import config_of, record

RECORDS = [record(number) for number in range(12)]


def changed(one: Record, name: str, change: Callable[[Candidate], Candidate]) -> Record:
    assert name in {own.id for own in one.candidates}
    return replace(one, candidates=tuple(change(own) if own.id == name else own for own in one.candidates))


def with_prompt(one: Record, prompt: str, **meta: str) -> Record:
    return replace(one, problem=replace(one.problem, prompt=prompt, meta=meta))


@pytest.mark.parametrize(
    ("checks", "fault"),
    [
        ((), "math/003 rejected-0/concise (no check)"),
        ((Check("style", "pass"), Check("diff", "pass")), "math/003 rejected-0/concise (no check)"),
        ((Check("key", "fail"),), "math/003 rejected-0/concise (key: fail)"),
        ((Check("key", "pass"), Check("judge:x", "unsure")), "math/003 rejected-0/concise (judge:x: unsure)"),
    ],
)
def test_a_text_that_is_not_verified(checks: tuple[Check, ...], fault: str) -> None:
    good = verified(RECORDS, "fail")
    assert (good.passed, good.found) == (True, "72 of 72 texts of 12 items are verified")
    bad = changed(RECORDS[3], "rejected-0/concise", lambda own: replace(own, checks=checks))
    gate = verified([*RECORDS[:3], bad, *RECORDS[4:]], "fail")
    assert (gate.passed, gate.found) == (False, "71 of 72 texts of 12 items are verified")
    assert gate.faults == (fault,)


def test_a_missing_style() -> None:
    gate = verified([replace(RECORDS[0], candidates=RECORDS[0].candidates[:-1])], "fail")
    assert "math/000 has not one rejected response of each style" in gate.faults


def found_duplicates(records: Sequence[Record], threshold: float = 0.8) -> Gate:
    return duplicates(records, similar_prompts(records, threshold), "fail")


def test_equal_and_similar_prompts() -> None:
    assert found_duplicates(RECORDS).passed
    prompt = RECORDS[0].problem.prompt
    same = found_duplicates([*RECORDS[:3], with_prompt(RECORDS[3], f"  {prompt}\n")])
    assert (same.passed, same.faults[0]) == (False, "math/000 and math/003 have the same prompt")
    long = " ".join(f"word{number}" for number in range(100))
    pair = [with_prompt(RECORDS[0], long), with_prompt(RECORDS[1], long.replace("word50", "other"))]
    near = found_duplicates([*pair, RECORDS[2]])
    # 98 sequences of three words each, of which three differ: 95 in common of 101.
    assert (near.passed, near.faults) == (False, ("math/000 and math/001 have similar prompts (0.94)",))
    assert found_duplicates([*pair, RECORDS[2]], 0.95).passed


def test_prompts_of_one_problem_may_be_alike() -> None:
    prompt = RECORDS[0].problem.prompt
    assert found_duplicates([with_prompt(one, prompt, cluster="task") for one in RECORDS[:3]]).passed


def test_a_prompt_of_the_same_problem_hides_no_similar_one() -> None:
    long = " ".join(f"word{number}" for number in range(100))
    own = [with_prompt(one, long, cluster="task") for one in RECORDS[:2]]
    other = with_prompt(RECORDS[2], long.replace("word50", "other"))
    gate = found_duplicates([own[0], other, own[1]])
    # The most similar prompt before the last one is that of the first, which is the same problem.
    assert gate.faults == tuple(
        f"math/{one} have similar prompts (0.94)" for one in ("000 and math/002", "002 and math/001")
    )


def test_indentation_makes_programs_different() -> None:
    right = "def all_even(xs):\n    for x in xs:\n        if x % 2:\n            return False\n    return True"
    wrong = right.replace("\n    return True", "\n        return True")
    one = changed(RECORDS[0], "chosen-0/concise", lambda own: replace(own, text=right))
    one = changed(one, "rejected-0/concise", lambda own: replace(own, text=wrong))
    assert found_duplicates([one, *RECORDS[1:]]).passed


def test_equal_responses() -> None:
    other = RECORDS[0].of("rejected")[0].text
    bad = changed(RECORDS[0], "chosen-0/concise", lambda own: replace(own, text=f"{other} "))
    gate = found_duplicates([bad, *RECORDS[1:]])
    assert gate.faults == ("math/000: chosen-0/concise and rejected-0/concise are equal",)
    assert repeats(RECORDS, "warn").passed
    same = [changed(one, "chosen-0/concise", lambda own: replace(own, text="I cannot help.")) for one in RECORDS[:3]]
    gate = repeats([*same, *RECORDS[3:]], "warn")
    assert (gate.passed, gate.faults) == (False, ("3 items have the response 'I cannot help.'",))


def lengthened(one: Record, side: str) -> Record:
    own = (replace(text, text=text.text.replace(" is ", " is surely ")) for text in one.candidates)
    return replace(
        one, candidates=tuple(new if new.side == side else old for new, old in zip(own, one.candidates, strict=True))
    )


def numbers_gate(records: Sequence[Record], tolerance: float = 0.05) -> Gate:
    counts = dict(Counter(one.problem.domain for one in records))
    card = {"id": "x", "title": "x", "measures": "x", "licence": "x", "items": "x", "counts": counts}
    benchmark = BuiltBenchmark("x", card)
    found = baseline_numbers(benchmark, CountedItems.of([item_of(one) for one in records]))
    assert {one.baseline for one in found} == {"random", "longest", "shortest", "markdown"}
    return baselines(found, tolerance, "fail")


def test_baselines_at_chance_and_off() -> None:
    many = [record(number) for number in range(40)]
    assert numbers_gate(many).passed
    # Chosen longer in 30 of 40 problems, rejected in none: (30 + 10/2) / 40 = 87.5% for the longest.
    gate = numbers_gate([*(lengthened(one, "chosen") for one in many[:30]), *many[30:]])
    assert not gate.passed
    assert gate.faults[0].startswith("longest gets 87.5% in math (p = ")
    assert "the farthest from 50% is 87.5%" in gate.found or "the farthest from 50% is 12.5%" in gate.found
    # Half longer each way: exactly 50%.
    both = [lengthened(one, "chosen" if place % 2 else "rejected") for place, one in enumerate(many)]
    assert numbers_gate(both).passed


def test_parts_of_safety_do_not_hide_each_other() -> None:
    one, other = "safety-refuse", "safety-response"
    many = [
        *(lengthened(record(number, one), "chosen") for number in range(40)),
        *(lengthened(record(number, other), "rejected") for number in range(40)),
    ]
    gate = numbers_gate(many)
    # Together, the longest is right in half of the comparisons.
    assert not gate.passed
    assert "longest gets 100.0% in safety-refuse" in gate.faults[0]
    alone = numbers_gate(many[:40])
    assert not alone.passed
    assert "in safety-refuse" in alone.faults[0]


def test_too_few_problems_are_stated() -> None:
    gate = numbers_gate([lengthened(record(number), "chosen") for number in range(3)])
    assert gate.passed
    assert gate.found.endswith("; others are as far in math, with too few problems to tell")
    assert "too few" not in numbers_gate(RECORDS).found


def test_a_difference_must_be_significant_and_large() -> None:
    many = [record(number) for number in range(12)]
    # 2 of 12 longer: 58.3%, far from significant with ties in all others.
    few = [*(lengthened(one, "chosen") for one in many[:1]), *many[1:]]
    assert numbers_gate(few).passed
    off = [*(lengthened(one, "chosen") for one in many[:11]), *many[11:]]
    assert not numbers_gate(off).passed
    assert numbers_gate(off, tolerance=0.5).passed


def test_balance(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    concise, plain, markdown = balance_of(RECORDS, config)
    assert (concise.style, plain.style, markdown.style) == ("concise", "detailed_plain", "detailed_markdown")
    # "The answer for math 3 is 46."
    assert (concise.chosen.words, concise.rejected.words) == (7, 7)
    # A header, two list entries and two passages in bold.
    assert (markdown.chosen.markdown, markdown.rejected.markdown, plain.chosen.markdown) == (5, 5, 0)
    assert balanced([concise, plain, markdown], "fail").passed
    # A word more in all chosen responses: 1 of 8 in concise ones.
    longer = [lengthened(one, "chosen") for one in RECORDS]
    gate = balanced(balance_of(longer, config), "fail")
    assert (gate.passed, gate.faults) == (False, ("math, concise: words of chosen +12.5%",))
    assert balanced(balance_of(longer, config_of(tmp_path, styles={"balance": 0.125})), "fail").passed


def test_licences() -> None:
    assert licensed("CC-BY-4.0", RECORDS, "fail").found == "the benchmark: CC-BY-4.0; problems: MIT"
    none = [
        replace(one, problem=replace(one.problem, source=replace(one.problem.source, licence=""))) for one in RECORDS
    ]
    assert licensed("CC-BY-4.0", none, "fail").passed
    assert licensed("", RECORDS, "fail").faults == ("`licence` is not stated",)
    assert licensed("", none, "fail").faults == ("`licence` is not stated", "the problems of math have no licence")
