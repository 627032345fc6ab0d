"""Which rewritings go together."""

from __future__ import annotations

from rmeval.build.records import Candidate, Problem, Record, Side, Source
from rmeval.build.rounds import Failed
from rmeval.build.styles.draft import SIDES, SLOTS, Draft
from rmeval.build.styles.options import StyleOptions
from rmeval.types import STYLES

OPTIONS = StyleOptions(length_tolerance=0.2, max_concise=0.6)


def text(side: Side, words: int) -> Candidate:
    return Candidate(f"{side}-{words}", side, "word " * words)


def draft(**sizes: tuple[list[int], list[int]]) -> Draft:
    """A draft with texts of these numbers of words, of chosen and rejected by style."""
    record = Record(Problem("p", "chat", "Why?", Source("file", "line 1")), (text("chosen", 40), text("rejected", 60)))
    longer: dict[str, Side] = dict.fromkeys(STYLES, "chosen")
    found = Draft(record, {side: record.of(side)[0] for side in SIDES}, longer)
    for style, own in sizes.items():
        for side, counts in zip(SIDES, own, strict=True):
            found.found[side, style] = [text(side, count) for count in counts]
    return found


def test_all_slots_are_needed_first_and_none_at_the_end() -> None:
    assert draft().needed(OPTIONS) == list(SLOTS)
    done = draft(concise=([10], [10]), detailed_plain=([90], [100]), detailed_markdown=([95], [95]))
    assert done.needed(OPTIONS) == []
    assert len(done.choices(OPTIONS)) == 1
    assert set(done.needed(OPTIONS.model_copy(update={"variants": 2}))) == set(SLOTS)


def test_both_texts_of_a_style_whose_lengths_differ_are_needed_again() -> None:
    own = draft(concise=([10], [10]), detailed_plain=([50], [100]), detailed_markdown=([95], [95]))
    assert own.needed(OPTIONS) == [("chosen", "detailed_plain"), ("rejected", "detailed_plain")]
    assert own.choices(OPTIONS) == []
    assert own.why(OPTIONS) == Failed(
        "detailed plain texts of the two sides differ in length", "words of chosen [50], rejected [100]"
    )
    own.found["chosen", "detailed_plain"].append(text("chosen", 90))
    assert [one["chosen", "detailed_plain"].id for one in own.choices(OPTIONS)] == ["chosen-90"]


def test_a_concise_text_is_shorter_than_both_detailed_ones() -> None:
    own = draft(concise=([60], [60]), detailed_plain=([90], [90]), detailed_markdown=([110], [110]))
    assert own.needed(OPTIONS) == [("chosen", "concise"), ("rejected", "concise")]
    assert own.why(OPTIONS) == Failed("a concise text is not shorter than a detailed one")


def test_the_most_similar_lengths_come_first() -> None:
    own = draft(concise=([10, 12], [12, 10]), detailed_plain=([100, 90], [90]), detailed_markdown=([90], [90]))
    ways = own.choices(OPTIONS)
    assert len(ways) == 8
    assert {len(one["chosen", "detailed_plain"].text.split()) for one in ways[:2]} == {90}
    assert all(len(one["chosen", "concise"].text) == len(one["rejected", "concise"].text) for one in ways[:2])


def test_a_missing_text_is_explained_by_its_last_failure() -> None:
    own = draft(concise=([10], []))
    own.failed["rejected", "concise"] = Failed("markdown in a plain text", "9 words")
    assert own.why(OPTIONS) == Failed("no concise text of the rejected response", "markdown in a plain text: 9 words")


def test_many_variants_stay_few_choices() -> None:
    sizes = (list(range(90, 130)),) * 2
    own = draft(concise=(list(range(8, 48)),) * 2, detailed_plain=sizes, detailed_markdown=sizes)
    assert len(own.choices(OPTIONS)) == 16


def test_words_of_a_rewriting_follow_the_other_side_and_the_one_that_should_be_longer() -> None:
    own = draft(concise=([], [20]))
    assert own.words(("chosen", "concise"), OPTIONS) == 22
    own = draft(concise=([22], []))
    assert own.words(("rejected", "concise"), OPTIONS) == 20
    sizes = [draft().words((side, "detailed_plain"), OPTIONS) for side in SIDES]
    assert sizes == [round(75 * 1.1**0.5), round(75 / 1.1**0.5)]
    even = OPTIONS.model_copy(update={"spread": 0.0})
    assert {draft().words((side, "detailed_plain"), even) for side in SIDES} == {75}


assert STYLES == ("concise", "detailed_plain", "detailed_markdown")
