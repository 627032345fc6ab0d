from __future__ import annotations

import json
import math

import pytest

from rmeval.data.json_text import JSONError, json_values, parse_json, with_whole_characters


@pytest.mark.parametrize(
    "text", ['{"a": [1, 2.5, null, true, "x\\n"], "b": {"c": {}}}', ' "a" ', "\n[]\n", "3", '"\\ud83d\\ude00 \\u00e9"']
)
def test_json_is_what_it_is(text: str) -> None:
    assert parse_json(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "b": 2, "a": 1}', "an object has the key 'a' twice"),
        ('[{"x": {"a": 1, "\\u0061": 2}}]', "an object has the key 'a' twice"),
        (f'{{"{"k" * 5000}": 1, "{"k" * 5000}": 2}}', r"the key 'k+ \.\.\. k+' \(5002 characters\) twice"),
        ('["\\ud800"]', "half of a surrogate pair"),
        ('{"\\uDFFF": 1}', "half of a surrogate pair"),
        ("1" * 5000, "too many digits"),
        ("[" * 101 + "]" * 101, "nested more than 100 deep"),
        ("[" * 100_000, "nested more than 100 deep"),
        ('{"a":' * 101 + "1" + "}" * 101, "nested more than 100 deep"),
    ],
)
def test_what_has_no_one_meaning_is_refused(text: str, reason: str) -> None:
    with pytest.raises(JSONError, match=reason):
        parse_json(text)


@pytest.mark.parametrize("text", ["", " ", "{", "[1,]", "nonsense", "1 2", '"a\nb"', "\ufeff1"])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        parse_json(text)


def test_numbers_that_json_does_not_have() -> None:
    assert math.isnan(parse_json("NaN"))
    for text in ("NaN", "[-Infinity]", "1e999"):
        with pytest.raises(JSONError, match=r"not a JSON number|too large"):
            parse_json(text, finite=True)
    assert parse_json("[1e9]", finite=True) == [1e9]
    assert parse_json('"a\nb"', control=True) == "a\nb"


def test_nesting_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_json("[" * 100 + "]" * 100)
    assert parse_json(json.dumps({"code": "{[" * 5000, "rows": [[]] * 500}))
    monkeypatch.setenv("RMEVAL_MAX_NESTING", "2")
    assert parse_json('{"a": [1]}') == {"a": [1]}
    with pytest.raises(JSONError, match=r"nested more than 2 deep \(RMEVAL_MAX_NESTING\)"):
        parse_json('{"a": [[1]]}')


def test_values_that_follow_one_another() -> None:
    assert list(json_values(' {"a": 1}{"b": 2}\n\n[3] ')) == [{"a": 1}, {"b": 2}, [3]]
    with pytest.raises(json.JSONDecodeError):
        list(json_values('{"a": 1}, {"b": 2}'))


def test_halves_of_surrogate_pairs_are_replaced_on_request() -> None:
    text = r'{"half \udfff": ["cut \ud83d", "whole \ud83d\ude00", "escaped \\ud83d"], "n": 0.1}'
    found = parse_json(text, halves=True)
    assert found == {"half \ufffd": ["cut \ufffd", "whole \U0001f600", r"escaped \ud83d"], "n": 0.1}
    assert with_whole_characters(found) is found
