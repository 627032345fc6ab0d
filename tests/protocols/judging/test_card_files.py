"""Protocols in TOML files of users: what they may leave out, and one sentence for each mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rmeval.errors import RmevalError
from rmeval.protocols.judging import JudgeOptions, Output
from rmeval.protocols.registry import judge_protocol
from tests.protocols.judging.test_cards import request

MINE = """name = "mine@1"
kind = "pair"
reads = "text"
prompt = '''
{{ conversation }}
{% for block in blocks %}
{{ block }}
{% endfor %}
Which is better? End with [[1]] or [[2]].
'''
verdict = "[[{label}]]"

[labels]
1 = 1.0
2 = 0.0
"""
JSON = """name = "json@1"
kind = "pair"
reads = "text"
prompt_file = "prompt.jinja"
system = "Answer with JSON."
json_field = "better"
labels = { first = 1.0, second = 0.0, neither = 0.5 }

[schema]
type = "object"
required = ["better"]
properties.better.enum = ["first", "second", "neither"]
"""


def read(folder: Path, text: str) -> str:
    file = folder / "mine.toml"
    file.write_text(text)
    return str(file)


def test_a_file_is_a_protocol(tmp_path: Path) -> None:
    protocol = judge_protocol(JudgeOptions(read(tmp_path, MINE), votes=2))
    assert protocol.name == "mine@1[votes=2]"
    assert protocol.spec == f"{tmp_path / 'mine.toml'}[votes=2]"
    prompt = protocol.ask(request())
    assert prompt.messages[0].content.startswith("<conversation>")
    assert (prompt.labels, prompt.schema) == ((), None)
    assert protocol.parse(request(), Output("So: [[2]]")).values == {"p_first": 0.0}
    changed = judge_protocol(JudgeOptions(read(tmp_path, MINE.replace("Which", "Which one"))))
    assert changed.prompt != protocol.prompt


def test_a_schema_and_a_prompt_in_a_file_beside(tmp_path: Path) -> None:
    (tmp_path / "prompt.jinja").write_text("{{ conversation }}\n{{ blocks[0] }}\n{{ blocks[1] }}")
    protocol = judge_protocol(JudgeOptions(read(tmp_path, JSON)))
    prompt = protocol.ask(request())
    assert prompt.schema is not None and prompt.schema["properties"]["better"]["enum"][0] == "first"
    assert [message.role for message in prompt.messages] == ["system", "user"]
    for text, p_first in (('{"better": "first"}', 1.0), ('```json\n{"better": "neither"}\n```', 0.5)):
        assert protocol.parse(request(), Output(text)).values == {"p_first": p_first}
    for text in ('{"better": "third"}', '{"better": ["first"]}', '{"worse": "first"}', "first"):
        assert protocol.parse(request(), Output(text)).status == "unparsed"


def test_a_file_may_be_like_another_protocol(tmp_path: Path) -> None:
    text = 'name = "short@2"\nlike = "rubric"\nscale = [0, 3]\n[variables]\nrubric = "Short is good."\n'
    protocol = judge_protocol(JudgeOptions(read(tmp_path, text)))
    assert "Short is good." in protocol.ask(request(("one",))).messages[0].content
    assert protocol.parse(request(("one",)), Output("[RESULT] 0")).values == {"rating": 0.0}
    assert protocol.prompt != judge_protocol(JudgeOptions("rubric")).prompt


MISTAKES = {
    "no TOML": (MINE + "[[[", "is not TOML"),
    "unknown key": (
        MINE.replace("verdict =", "verdcit ="),
        "has the key 'verdcit', which does not exist: did you mean",
    ),
    "no name": (MINE.replace('name = "mine@1"\n', ""), "lacks name"),
    "no version": (MINE.replace("mine@1", "mine"), "has the name 'mine': give a name with a version, such as mine@1"),
    "our name": (MINE.replace("mine@1", "ab@1"), "has the name ab@1, which comes with rmeval: choose another"),
    "no text": (MINE.replace('"mine@1"', "3"), "has 3 as name: give a text"),
    "kind": (MINE.replace('"pair"', '"pairs"'), "has 'pairs' as kind: give one of pair, best, rate, rate-all"),
    "reads": (MINE.replace('"text"', '"logits"'), "has 'logits' as reads: give one of text, labels, decision"),
    "several": (MINE.replace("[labels]", 'several = "first"\n[labels]'), "has 'first' as several: give one of same,"),
    "bad regex": (MINE.replace("verdict", "find = '[[(1|2'\nverdict"), "has the regular expression '[[(1|2' as find"),
    "no group": (MINE.replace("verdict", "find = '1|2'\nverdict"), "which has no group"),
    "label not found": (
        MINE.replace("verdict", r"find = '\[\[(1)\]\]'" + "\nverdict"),
        "does not find the label '2' in '[[2]]' (find matches nothing)",
    ),
    "wrong label found": (
        MINE.replace("verdict", r"find = '\[\[(.)'" + "\nverdict").replace("1 = 1.0", "10 = 1.0"),
        "does not find the label '10' in '[[10]]' (find matches '1')",
    ),
    "find alone": (
        MINE.replace('verdict = "[[{label}]]"', r"find = '\[\[(1|2)\]\]'"),
        "has find, but no verdict: show how an output states a label",
    ),
    "no reading": (MINE.replace('verdict = "[[{label}]]"', ""), "does not state how a verdict is read"),
    "two labels in a verdict": (MINE.replace("[[{label}]]", "{label}{label}"), "give a text with one {label}"),
    "no labels": (MINE.partition("[labels]")[0], "has no labels: give each label"),
    "labels outside 0 to 1": (MINE.replace("2 = 0.0", "2 = -1"), "needs labels from 0 to 1"),
    "one-sided labels": (MINE.replace("2 = 0.0", "2 = 0.9"), "needs labels from 0 to 1"),
    "labels that are texts": (MINE.replace("2 = 0.0", '2 = "zero"'), "as labels: give a table of numbers by label"),
    "labels of best": (MINE.replace('"pair"', '"best"'), "has labels, but those of the kind best follow from"),
    "infinite label": (MINE.replace("2 = 0.0", "2 = nan"), "as labels: give a table of numbers by label"),
    "strengths of other labels": (
        MINE + "[strengths]\n3 = 1\n",
        "has strengths for '3', which is not among its labels",
    ),
    "syntax": (MINE.replace("{% endfor %}", ""), "has a template as prompt that cannot be rendered (Unexpected end"),
    "undefined": (MINE.replace("{{ block }}", "{{ blok }}"), "cannot be rendered ('blok' is undefined): correct it"),
    "arithmetic": (MINE.replace("Which", "{{ 1 // 0 }}"), "cannot be rendered"),
    "unsafe": (MINE.replace("Which", "{{ ''.__class__.__mro__ }}"), "cannot be rendered"),
    "hidden response": (
        re.sub(r"\{% for.*endfor %\}", "{{ blocks[0] }}", MINE, flags=re.DOTALL),
        "has a prompt that does not show response 2: add {{ blocks[1] }}",
    ),
    "hidden conversation": (MINE.replace("{{ conversation }}", ""), "does not show the conversation"),
    "reserved variable": (
        MINE + '[variables]\nblocks = "x"\n',
        "has the variable 'blocks', which templates get anyway",
    ),
    "empty prompt": (re.sub("'''.*'''", "''' '''", MINE, flags=re.DOTALL), "has an empty prompt"),
    "two prompts": (MINE.replace("verdict", "prompt_file = 'x'\nverdict"), "has prompt and prompt_file: leave one out"),
    "no prompt file": (
        re.sub("prompt = '''.*'''", "prompt_file = 'nowhere.txt'", MINE, flags=re.DOTALL),
        "nowhere.txt cannot be read (No such file or directory)",
    ),
    "no scale": (MINE.replace('"pair"', '"rate"').replace("{% for", "{% for"), "has no scale"),
    "descending scale": (
        MINE.replace("[labels]", "scale = [10, 1]\n[labels]"),
        "give the lowest and the highest rating",
    ),
    "sampling": (MINE + "[sampling]\ntemperatur = 1\n", "as sampling: give a table with temperature"),
    "temperature": (MINE + "[sampling]\ntemperature = -1\n", "as sampling: give a table with temperature"),
    "schema": (MINE.replace("[labels]", "schema = 3\n[labels]"), "has 3 as schema: give a JSON schema"),
    "schema without key": (MINE + "[schema]\ntype = 'object'\n", "has a schema, but no json_field"),
    "key and verdict": (
        MINE.replace("verdict", "json_field = 'x'\nverdict"),
        "has json_field and verdict: leave one out",
    ),
    "orders": (MINE.replace("[labels]", "orders = ['random']\n[labels]"), "as orders: give a list of both and seeded"),
    "no such like": ('name = "x@1"\nlike = "rubrik"\n', "is like 'rubrik', which does not exist: did you mean"),
    "decision without question": (MINE.replace('"text"', '"decision"'), "has no question"),
    "verdict of labels": (MINE.replace('"text"', '"labels"'), "has verdict, which is for texts: leave it out"),
    "secret": (
        MINE.replace("Which", "sk-proj-abcdefghij0123456789ABCDEFGHIJ"),
        "has what looks like a secret in prompt, and runs store the protocol: leave it out",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence(name: str, tmp_path: Path) -> None:
    text, message = MISTAKES[name]
    with pytest.raises(RmevalError) as caught:
        judge_protocol(JudgeOptions(read(tmp_path, text)))
    found = str(caught.value)
    assert message in found
    assert "\n" not in found and not found.endswith(".")
    assert "abcdefghij0123456789" not in found


def test_files_that_are_no_protocols(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\0")
    (tmp_path / "large.toml").write_text("#" * 1_000_001)
    (tmp_path / "folder.toml").mkdir()
    for name, message in (
        ("binary", "is not UTF-8"),
        ("large", "has more than 1000000 bytes"),
        ("folder", "cannot be read (Is a directory)"),
        ("missing", "cannot be read (No such file or directory)"),
    ):
        with pytest.raises(RmevalError, match=re.escape(message)):
            judge_protocol(JudgeOptions(str(tmp_path / f"{name}.toml")))
