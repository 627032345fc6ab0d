"""The cards that come with rmeval: each is complete, and what its prompt demands is what its reader finds."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.errors import ModelError, RmevalError
from rmeval.protocols import load_protocol, protocol_names
from rmeval.protocols.judging import JudgeCard, JudgeOptions, Output, built_in_cards
from rmeval.protocols.judging.card_checks import check_prompt
from rmeval.protocols.judging.card_file import card_of, find_card
from rmeval.protocols.registry import judge_protocol, stored_protocol
from rmeval.redaction import redacted
from rmeval.types import Message, Request
from tests.command import command

CARDS = list(built_in_cards().values())
TEXTS = [card for card in CARDS if card.reads == "text"]
PROMPTED = [card for card in TEXTS if not card.roles]
NAMES = [
    *("five-way", "ab", "best", "rating", "rating-ties", "arena", "rubric", "rubric-pair", "principles", "rm-r1"),
    *("genrm", "genrm-boxed", "grm", "rrm"),
    *("rm-r1-reasoning", "commit-first", "ab-labels", "rating-labels", "best-labels"),
    *("decision", "decision-best", "decision-rating", "decision-verify", "reward-bench/generative"),
]


def request(responses: Sequence[str] = ("one", "two"), question: str = "Why?") -> Request:
    return Request("key", "item", tuple(range(len(responses))), (Message("user", question),), tuple(responses))


def asked(card: JudgeCard) -> Request:
    return request(("one",) if card.kind == "rate" else ("one", "two", "three")[: 2 if card.kind == "pair" else 3])


def test_all_protocols_are_there() -> None:
    assert sorted(f"{name}@1" for name in NAMES) == sorted(built_in_cards())
    assert set(built_in_cards()) < set(protocol_names())


def test_every_prompt_file_belongs_to_a_card() -> None:
    folder = files("rmeval.protocols") / "cards"
    named = {
        name
        for file in folder.iterdir()
        if file.name.endswith(".toml")
        for name in re.findall(r'^(?:prompt|system)_file = "(.*)"', file.read_text(), re.MULTILINE)
    }
    assert named == {file.name for file in folder.iterdir() if file.name.endswith(".jinja")}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_states_its_source_and_shows_everything(card: JudgeCard) -> None:
    def wrong(why: str) -> RmevalError:
        return ModelError(f"{card.name} {why}")

    check_prompt(card, wrong)
    assert card.about and card.source
    assert not card.about.endswith(".")


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_survives_the_run_folder(card: JudgeCard) -> None:
    stored = card_of(card.to_dict(), "run.json")
    assert stored == card
    assert stored.digest == card.digest
    assert redacted(card.to_dict()) == card.to_dict()
    assert stored_protocol(card.to_dict(), card.name).prompt == card.digest


@given(st.randoms(use_true_random=False))
def test_a_digest_does_not_depend_on_the_order_of_fields_but_on_that_of_labels(random: Random) -> None:
    card = built_in_cards()["decision-verify@1"]
    table = list(card.to_dict().items())
    random.shuffle(table)
    assert card_of(dict(table), "shuffled").digest == card.digest
    labels = list(card.labels.items())
    random.shuffle(labels)
    other = card_of(card.to_dict() | {"labels": dict(labels)}, "shuffled")
    assert (other.digest == card.digest) == (labels == list(card.labels.items()))


@pytest.mark.parametrize("card", PROMPTED, ids=lambda card: card.name)
def test_the_prompt_demands_what_the_reader_finds(card: JudgeCard) -> None:
    prompt = judge_protocol(JudgeOptions(card.name)).ask(asked(card))
    text = "\n".join(message.content for message in prompt.messages)
    labels = card.names(3) if card.kind in ("pair", "best") else ()
    if card.kind == "best":  # The others are named by "likewise", because there may be many.
        labels = labels[:1]
    assert [label for label in labels if card.written(label) not in text] == []
    if card.scale is not None:
        assert all(re.search(rf"\b{end:g}\b", text) for end in card.scale)
    if card.json_field:
        assert f'"{card.json_field}"' in text


@pytest.mark.parametrize("card", TEXTS, ids=lambda card: card.name)
def test_each_written_label_is_read_back(card: JudgeCard) -> None:
    protocol, one = judge_protocol(JudgeOptions(card.name)), asked(card)
    for label in card.names(len(one.members)):
        seen = protocol.parse(one, Output(f"I compared them.\n\n{card.written(label)}"))
        if card.kind == "pair":
            assert seen.values["p_first"] == card.labels[label]
            assert seen.choice == {1.0: 0, 0.0: 1, 0.5: -1}[card.labels[label]]
            assert seen.values.get("strength") == card.strengths.get(label)
        else:
            assert seen.choice == card.names(3).index(label)


@pytest.mark.parametrize("name", ["rating", "rating-ties", "rubric"])
@given(data=st.data())
def test_each_rating_of_the_scale_is_read_back(name: str, data: st.DataObject) -> None:
    protocol = judge_protocol(JudgeOptions(name))
    low, high = protocol.card.scale or (0, 0)
    number = data.draw(st.integers(int(low) * 10, int(high) * 10)) / 10
    before = data.draw(st.sampled_from(["", "There are 3 mistakes in 7 lines.\n", "Score: unclear\n\n"]))
    for written in (protocol.card.written(f"{number:g}"), f"{number:g}/{high:g}", f"Rating: {number}"):
        seen = protocol.parse(request(("one",)), Output(before + written))
        assert (seen.status, seen.values) == ("ok", {"rating": number})


@given(st.one_of(st.integers(11, 10**6), st.integers(-(10**6), 0), st.floats(10.001, 1e6)), st.booleans())
def test_no_number_outside_the_scale_is_a_rating(number: float, bracketed: bool) -> None:
    text = f"[[{number}]]" if bracketed else f"Rating: {number}"
    assert judge_protocol(JudgeOptions("rating")).parse(request(("one",)), Output(text)).status == "unparsed"


@given(st.lists(st.integers(1, 5), min_size=1, max_size=40))
def test_ratings_of_all_responses_are_read_back_in_the_presented_order(ratings: list[int]) -> None:
    protocol = judge_protocol(JudgeOptions("principles"))
    one = request([f"text {number}" for number in range(len(ratings))])
    named = dict(zip(protocol.card.member_names(len(ratings)), ratings, strict=True))
    text = f"So be it: {str({'scores': named}).replace(chr(39), chr(34))}"
    assert protocol.parse(one, Output(text)).values == {"ratings": tuple(map(float, ratings))}


@given(st.text(max_size=300))
def test_no_text_breaks_a_reader(text: str) -> None:
    for card in TEXTS:
        seen = judge_protocol(JudgeOptions(card.name)).parse(asked(card), Output(text))
        assert seen.status in ("ok", "unparsed", "refused", "no_verdict")


@given(st.floats(0, 1), st.floats(0, 1))
def test_probabilities_are_shares_of_the_labels(first: float, second: float) -> None:
    total = first + second
    if not 0.5 <= total <= 1:
        return
    raw = Output(probabilities={"B": second, "A": first}, label_mass=total)
    seen = judge_protocol(JudgeOptions("ab-labels")).parse(request(), raw)
    swapped = replace(raw, probabilities={"A": second, "B": first})
    other = judge_protocol(JudgeOptions("ab-labels")).parse(request(), swapped)
    assert seen.values["p_first"] == pytest.approx(first / total)
    assert seen.values["label_mass"] == total
    assert seen.values["p_first"] + other.values["p_first"] == pytest.approx(1)  # type: ignore[operator]
    assert seen.choice == (None if first == second else int(first < second))
    if first and second:
        assert seen.values["log_odds"] == -other.values["log_odds"]  # type: ignore[operator]
    else:
        assert "log_odds" not in seen.values


def test_a_decision_without_a_stated_mass_has_none() -> None:
    protocol = judge_protocol(JudgeOptions("decision-rating"))
    raw = Output(probabilities={"1": 0.5, "5": 0.5}, diagnostics={"argmax_is_label": 1.0})
    assert protocol.parse(request(("one",)), raw).values == {"rating": 3.0, "argmax_is_label": 1.0}


def test_decisions_describe_their_labels() -> None:
    prompt = judge_protocol(JudgeOptions("decision-best")).ask(request(("one", "two", "three")))
    assert (prompt.form, prompt.kind, prompt.labels) == ("decision", "choice", ("A", "B", "C"))
    assert prompt.descriptions == ("response A", "response B", "response C")
    assert "Which response" in prompt.question and "Which response" not in prompt.messages[-1].content
    prompt = judge_protocol(JudgeOptions("decision-rating")).ask(request(("one",)))
    assert prompt.kind == "score" and len(prompt.descriptions) == 5 and all(prompt.descriptions)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "ab-labels", "votes": 2}, "ab-labels@1 reads probabilities, which votes would only repeat"),
        ({"protocol": "rating", "against": "chosen"}, "rating@1 does not compare pairs"),
        ({"protocol": "rating", "order": "seeded"}, "rating@1 reads one response at a time, which has no order"),
        ({"protocol": "rating-labels", "order": "both"}, "rating-labels@1 reads one response at a time"),
        ({"judge_kwargs": {"model": "b"}}, "`judge_kwargs` cannot set model: leave it out, and name the model"),
        ({"judge_kwargs": {"n": 4}}, "`judge_kwargs` cannot set n: leave it out, and give `votes`"),
        ({"judge_kwargs": {"messages": None}}, "`judge_kwargs` cannot set messages"),
        ({"protocol": "reward-bench/generative", "order": "both"}, "reward-bench/generative@1 has no `order` both"),
        ({"protocol": "ab[votes=2]", "votes": 3}, "`protocol` ab[votes=2] has options"),
        ({"protocol": "ab[vote=2]"}, "there is no option 'vote' of a protocol: did you mean votes"),
        ({"protocol": "ab[votes=two]"}, "`votes` is 'two': choose a whole number"),
        ({"protocol": "ab[order=random]"}, "there is no order 'random'"),
        ({"protocol": "pairwise@1"}, "`protocol` pairwise@1 is not that of a judge"),
        ({"protocol": "abc"}, "there is no protocol 'abc'"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(RmevalError, match=re.escape(message)):
        judge_protocol(JudgeOptions(**options))  # type: ignore[arg-type]


def test_a_name_keeps_its_options() -> None:
    protocol = judge_protocol(JudgeOptions("ab[order=seeded,votes=3]", temperature=0.7))
    assert protocol.name == "ab@1[order=seeded,votes=3]"
    assert (protocol.order, protocol.options.votes, protocol.sampling.temperature) == ("seeded", 3, 0.7)
    assert load_protocol(protocol.spec).protocol.name == protocol.name
    assert find_card("ab") is find_card("ab@1")
    assert find_card("ab@2") is None


def test_the_documentation_lists_the_cards() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "judges.md").read_text()
    rows = [
        f"| `{card.name}` | {card.kind} | {card.reads} | {card.about}{f' ({card.note})' if card.note else ''} "
        f"| {card.source} |\n"
        for card in CARDS
    ]
    assert "|---|---|---|---|---|\n" + "".join(rows) in page
    fields = set(JudgeCard.__dataclass_fields__) | {"prompt_file", "system_file", "like"}
    table = page.partition("| key | meaning |")[2].partition("\n\n")[0]
    first_cells = " ".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", first_cells)) == fields


def test_the_command_lists_the_cards(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(command(capsys, "list", "protocols", "--json").out)
    assert [row["id"] for row in rows] == list(built_in_cards())
    assert all(row["source"] and row["about"] for row in rows)
    assert "compares two" in command(capsys, "list", "protocols").out
