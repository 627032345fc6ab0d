"""The model that answers, which no call may change."""

from __future__ import annotations

import pytest

from rmeval.models.answered_by import AnsweredBy
from rmeval.transport import Server, ServerOptions


def test_the_first_name_counts_and_answers_without_one_are_nobodys() -> None:
    found = AnsweredBy(Server("http://127.0.0.1:9", ServerOptions()))
    unnamed: tuple[object, ...] = ([], {}, {"model": ""}, {"model": 3})
    for data in unnamed:
        assert (found.fault(data), found.model) == (None, None)
    assert found.fault({"model": "one"}) is None
    assert found.fault({}) is None
    assert found.fault({"model": "two"}) == "the answer is that of the model two, and the first one was that of one"
    assert found.model == "one"


def test_a_key_in_the_name_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMEVAL_API_KEY", "sk-planted")
    found = AnsweredBy(Server("http://127.0.0.1:9", ServerOptions()))
    assert found.fault({"model": "sk-planted/one"}) is None
    assert found.model == "[redacted]/one"
    assert "sk-planted" not in str(found.fault({"model": "two sk-planted"}))
