"""Rewriting: options of a domain, and responses that cannot be rewritten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rmeval.build import build, load_config
from rmeval.build.answers import AnswerLog
from rmeval.build.folder import BuildFolder
from rmeval.build.records import Candidate, Change, Problem, Record, Source
from rmeval.build.styles.options import style_options
from rmeval.build.styles.rewriting import Rewriting
from rmeval.build.tools import Tools
from rmeval.errors import DataError
from tests.build.test_towns import config
from tests.build.towns import Towns, towns, years
from tests.http_server import serve


def test_options_of_a_domain_take_precedence(tmp_path: Path) -> None:
    more = {"chat": {"styles": {"attempts": 2}}, "whole": {"styles": {"attempts": 3, "min_markdown": 5}}}
    with serve(Towns()) as server:
        own = config(tmp_path, server, {"chat": 1, "response": 1}, **more)
    found = {name: style_options(own, name) for name in ("chat", "response")}
    assert {name: (one.attempts, one.min_markdown) for name, one in found.items()} == {
        "chat": (2, 5),
        "response": (3, 5),
    }


def test_a_misspelt_option_of_a_domain_is_an_error_before_the_first_call(tmp_path: Path) -> None:
    with serve(model := Towns()) as server:
        config(tmp_path, server, {"chat": 1}, chat={"styles": {"atempts": 2}})
        with pytest.raises(DataError, match=r"no option `domains.chat.styles.atempts`: did you mean attempts"):
            build(load_config(tmp_path / "config.yaml"), tmp_path / "out")
    assert not model.calls


def test_where_the_first_response_cannot_be_rewritten_the_next_one_is(tmp_path: Path) -> None:
    row = towns(1)[0]
    problem = Problem(row["id"], "chat", row["prompt"], Source("chat.jsonl", "line 1"))
    right, wrong = years(row["id"])
    text = f"The town of {row['id']} was founded in {{}} by monks. The market is held near the bridge every week."
    error = Candidate("rejected-0", "rejected", text.format(wrong), change=Change(str(right), str(wrong)))
    # The first chosen response is wrong, which its rewritings show.
    chosen = [Candidate(f"chosen-{number}", "chosen", text.format(year)) for number, year in enumerate((wrong, right))]
    (folder := tmp_path / "out").mkdir()
    with (
        serve(Towns()) as server,
        AnswerLog(folder / "answers") as answers,
        AnswerLog(folder / "verdicts") as verdicts,
    ):
        own = config(tmp_path, server, {"chat": 1})
        tools = Tools(own, BuildFolder(folder), answers, verdicts, lambda done, total, what: None)
        rewriting = Rewriting("chat", own, tools)
        drafts, dropped = rewriting.drafts([Record(problem, (*chosen, error))])
        assert dropped == []
        texts = drafts[0].choices(rewriting.options)[0]
        assert {one.parent for slot, one in texts.items() if slot[0] == "chosen"} == {"chosen-1"}
        assert {one.change for slot, one in texts.items() if slot[0] == "rejected"} == {error.change}
        alone = replace(problem, id="alone")
        drafts, dropped = rewriting.drafts([Record(alone, (chosen[0], error))])
        assert drafts == []
        assert [one.reason for one in dropped] == ["no concise text of the chosen response"]
