"""Included chat templates write what the tools do that they come from.

The texts and token ids in `expected_templates.json` come from those tools' own code, which was run on the conversations
in that file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rmeval.rendering.chat import Renderer
from rmeval.rendering.named_templates import named_templates
from rmeval.types import Message
from tests.rendering.tiny_tokenizers import TOKENIZERS, saved

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
