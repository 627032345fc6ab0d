"""Included chat templates write what the tools do that they come from.

The texts and token ids in `expected_templates.json` come from those tools' own code, which was run on the conversations
in that file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.doctor.export import export_model
from rmeval.errors import ModelError
from rmeval.rendering.boundary import tokenise
from rmeval.rendering.chat import Renderer
from rmeval.rendering.named_templates import named_templates, read_template, takes_special_tokens
from rmeval.rendering.special_tokens import written_out
from rmeval.types import Message
from tests.architectures import make_value_head
from tests.command import command
from tests.rendering.tiny_tokenizers import TOKENIZERS, llama, saved

EXPECTED: dict[str, Any] = json.loads((Path(__file__).parent / "expected_templates.json").read_text())
TEMPLATES: dict[str, Any] = EXPECTED["templates"]
TEXTS = [
    (name, conversation, form)
    for name, one in TEMPLATES.items()
    for conversation, texts in one["texts"].items()
    for form in texts
]
IDS = [(name, kind) for name, one in TEMPLATES.items() for kind in one["ids"]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: saved(tmp_path_factory.mktemp("tokenizer") / "t", kind) for kind in TOKENIZERS}


@pytest.fixture(scope="module")
def renderers(folders: dict[str, Path]) -> dict[tuple[str, str], Renderer]:
    wanted = {*IDS, *((name, "llama") for name in TEMPLATES)}
    return {(name, kind): Renderer(str(folders[kind]), name) for name, kind in wanted}


def test_each_template_has_a_source_and_expected_texts() -> None:
    assert set(named_templates()) == set(TEMPLATES)
    for name, one in named_templates().items():
        assert one.about and one.special_tokens in ("template", "tokenizer")
        stated = TEMPLATES[name]
        exact = stated["commit"][:7] in one.source and Path(stated["file"]).name in one.source
        assert exact or "README" in one.source


@pytest.mark.parametrize(("name", "conversation", "form"), TEXTS)
def test_text(name: str, conversation: str, form: str, renderers: dict[tuple[str, str], Renderer]) -> None:
    messages = EXPECTED["conversations"][conversation]
    tokenizer = renderers[name, "deberta" if name == "oasst_deberta" else "llama"].tokenizer
    prompt = form == "prompt"
    shown = messages[:-1] if prompt else messages
    text = tokenizer.apply_chat_template(shown, tokenize=False, add_generation_prompt=prompt)
    assert text == TEMPLATES[name]["texts"][conversation][form]


@pytest.mark.parametrize(("name", "kind"), IDS)
def test_token_ids(name: str, kind: str, renderers: dict[tuple[str, str], Renderer]) -> None:
    renderer = renderers[name, kind]
    messages = tuple(Message(one["role"], one["content"]) for one in EXPECTED["conversations"]["tokens"])
    (one,) = renderer.render([messages])
    assert one.error is None
    assert one.tokens.tolist() == TEMPLATES[name]["ids"][kind]


# Which template a name means.


def test_a_file_takes_precedence_over_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_template("tulu") == named_templates()["tulu"].text
    assert not caplog.messages
    (tmp_path / "tulu").write_text("{{ messages }}")
    (tmp_path / "own.jinja").write_text("{{ bos_token }}")
    monkeypatch.chdir(tmp_path)
    assert read_template("own.jinja") == "{{ bos_token }}"
    assert not caplog.messages
    assert read_template("tulu") == "{{ messages }}"
    assert "tulu is a file in this folder and the name of a chat template of rmeval: the file is used" in caplog.text


def test_an_unknown_name_lists_near_ones() -> None:
    with pytest.raises(ModelError, match=r"there is no chat template tulu2: give .*: did you mean tulu-2\? \(choose"):
        read_template("tulu2")
    with pytest.raises(ModelError, match=r"give the path of a Jinja file, or a name: choose one of athene, billa,"):
        read_template("none.jinja")


def test_the_list_of_templates(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(command(capsys, "list", "templates", "--json").out)
    assert [row["id"] for row in rows] == list(named_templates())
    assert all(row["text"].startswith("{#-") for row in rows)
    shown = command(capsys, "list", "templates").out
    assert "oasst_pythia" in shown and "--chat-template" in shown


def test_the_documentation_lists_them() -> None:
    page = (Path(__file__).parents[2] / "docs" / "chat-templates.md").read_text()
    rows = [
        f"| `{one.name}` | {one.about} | {one.source} | {one.special_tokens} |" for one in named_templates().values()
    ]
    assert [line for line in page.splitlines() if line.startswith("| `") and line.count("|") == 5] == rows


# The special tokens.


def test_a_file_can_take_the_tokenizers_special_tokens(folders: dict[str, Path], tmp_path: Path) -> None:
    text = "{% for message in messages %}{{ message.content }} {% endfor %}"
    plain, stated = tmp_path / "plain.jinja", tmp_path / "stated.jinja"
    plain.write_text(text)
    stated.write_text("{# special tokens: tokenizer #}" + text)
    talk = [(Message("user", "Why?"), Message("assistant", "So."))]
    (one,) = Renderer(str(folders["deberta"]), str(plain)).render(talk)
    renderer = Renderer(str(folders["deberta"]), str(stated))
    (other,) = renderer.render(talk)
    assert other.tokens.tolist() == [1, *one.tokens.tolist(), 2]
    (begun,) = tokenise(renderer.tokenizer, [[{"role": "user", "content": "Why?"}]], (), generation_prompt=True)
    assert begun == other.tokens.tolist()[: len(begun)]
    assert renderer.identity() != Renderer(str(folders["deberta"]), str(plain)).identity()


def test_a_bos_in_the_text_is_not_repeated(folders: dict[str, Path]) -> None:
    talk = [(Message("user", "<s>Why?"), Message("assistant", "So."))]
    (one,) = Renderer(str(folders["llama"]), "raw").render(talk)
    assert one.tokens.tolist()[:2] != [1, 1]
    assert one.tokens.tolist()[0] == 1


@pytest.mark.parametrize(("name", "kind"), [pair for pair in IDS if pair[1] != "llama, legacy false"])
def test_a_template_written_out_for_servers(name: str, kind: str, folders: dict[str, Path], tmp_path: Path) -> None:
    """A server renders with the template in a checkpoint's folder and adds nothing."""
    tokenizer = TOKENIZERS[kind]()
    tokenizer.chat_template = written_out(read_template(name), Renderer(str(folders[kind]), name).tokenizer)
    assert not takes_special_tokens(tokenizer.chat_template)
    (found,) = tokenise(tokenizer, [EXPECTED["conversations"]["tokens"]], ())
    assert found == TEMPLATES[name]["ids"][kind]


def test_an_export_with_a_named_template(tmp_path: Path) -> None:
    source = make_value_head(tmp_path / "rm", "llama", "v_head", tokenizer=llama())
    assert export_model(source, tmp_path / "out", chat_template="vicuna_v1.1").agrees
    talks = [EXPECTED["conversations"]["one turn"], EXPECTED["conversations"]["system"]]
    expected = rmeval.score(str(source), talks, chat_template="vicuna_v1.1")
    assert rmeval.score(str(tmp_path / "out"), talks) == pytest.approx(expected, abs=1e-5)
