"""Injected errors: their form, and the rule for a minimal change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.build.recipes.injection import Injected, InjectionOptions, change_fault, injected
from rmeval.build.records import Change
from rmeval.build.rounds import Failed
from rmeval.build.word_diff import word_changes

TEXT = (
    "Mount Teide is a volcano on Tenerife. It is 3,715 metres high, and it last erupted in 1909. "
    "A cable car goes to\n a station below the top, and the last metres need a permit."
)
WIDE = InjectionOptions()


def written(before: str, after: str, about: str = "It was 1909.") -> str:
    return f"<before>{before}</before>\n<after>{after}</after>\n<about>{about}</about>"


def test_an_error_with_its_change() -> None:
    found = injected(TEXT, written("last erupted in 1909", "last erupted in 1949", "It was\n in 1909."), WIDE)
    assert isinstance(found, Injected)
    assert found.text == TEXT.replace("1909", "1949")
    assert found.change == Change("1909", "1949", "It was in 1909.")
    assert (found.changes.changed, found.changes.words) == (1, 35)


def test_a_passage_is_found_whatever_its_spaces() -> None:
    found = injected(TEXT, written("goes to a station", "goes to a hotel"), WIDE)
    assert isinstance(found, Injected)
    assert "goes to a hotel below" in found.text
    assert found.change == Change("station", "hotel", "It was 1909.")


def test_a_passage_in_a_script_without_spaces() -> None:
    text = "\u6771\u4eac\u306e\u4eba\u53e3\u306f\u7d04\u5343\u56db\u767e\u4e07\u4eba\u3067\u3059"
    found = injected(text, written("\u7d04\u5343\u56db\u767e\u4e07", "\u7d04\u5343\u516d\u767e\u4e07"), WIDE)
    assert isinstance(found, Injected)
    assert found.change == Change("\u56db", "\u516d", "It was 1909.")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (written("last erupted in 1909", "last erupted in 1909"), "the change changes no word"),
        (written("last erupted in 1909", "**LAST** erupted, in 1909"), "the change changes no word"),
        (written(TEXT, "It is a hill."), "the change changes too many words"),
        (written("erupted in 1910", "erupted in 1949"), "the changed passage is not in the response once"),
        (written("last", "first"), "the changed passage is not in the response once"),
        (written("metre", "foot"), "the changed passage is not in the response once"),
        (written(" ", "foot"), "the changed passage is not in the response once"),
        (written("volcano", "hill") + written("permit", "ticket"), "the change has a wrong form"),
        ("<before>1909</before><after>1949</after>", "the change has a wrong form"),
        ("<before>1909</before><about>It was 1909.</about>", "the change has a wrong form"),
        ("1909 is now 1949.", "the change has a wrong form"),
        (
            "<before>volcano</before><after>hill</after><before>permit</before><after>ticket</after><about>x</about>",
            "the change is in too many places",
        ),
    ],
)
def test_other_changes_are_refused(text: str, reason: str) -> None:
    found = injected(TEXT, text, WIDE)
    assert isinstance(found, Failed)
    assert found.reason == reason


def test_several_places_if_the_options_allow_them() -> None:
    text = "<before>volcano</before><after>hill</after><before>permit</before><after>ticket</after><about>x</about>"
    found = injected(TEXT, text, InjectionOptions(max_places=2))
    assert isinstance(found, Injected)
    assert found.change == Change("volcano … permit", "hill … ticket", "x")


SENTENCES = st.lists(st.from_regex(r"[a-z]{1,7}", fullmatch=True), min_size=1, max_size=30)


@given(SENTENCES, SENTENCES, st.floats(0.01, 1.0))
def test_the_rule_accepts_only_small_changes_of_words(first: list[str], second: list[str], most: float) -> None:
    changes = word_changes(" ".join(first), " ".join(second))
    fault = change_fault(changes, InjectionOptions(max_changed=most))
    if fault is None:
        assert 0 < changes.changed <= most * changes.words + 1e-9
        assert len(changes.places) == 1
    else:
        assert not changes.changed or changes.share > most or len(changes.places) > 1
