"""A system message for conversations without one, and the number of BOS tokens."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rmeval.errors import ModelError
from rmeval.rendering.boundary import Rendered
from rmeval.rendering.chat import Renderer
from rmeval.rendering.conventions import Conventions
from rmeval.types import Message
from tests.checkpoints import ENDS_IN_EOS, make_tokenizer

TALK = (Message("user", "why is it so"), Message("assistant", "it is the land"))
OWN = (Message("system", "what is it"), *TALK)


def rendered(tmp_path: Path, conventions: Conventions, talk: tuple[Message, ...] = TALK, bos: bool = True) -> str:
    options = {"chat_template": ENDS_IN_EOS, "bos_token": "<|bos|>"} if bos else {}
    make_tokenizer(**options).save_pretrained(tmp_path)
    renderer = Renderer(str(tmp_path), None, "trl", conventions=conventions)
    (one,) = renderer.render([talk])
    assert one.error is None
    assert renderer.tokenizer.decode(one.tokens[: one.start]) + renderer.tokenizer.decode(one.tokens[one.start :])
    return str(renderer.tokenizer.decode(one.tokens)).removeprefix("<|bos|>")


@pytest.mark.parametrize("message", ["be kind", ""])
def test_a_system_message_is_added_where_there_is_none(message: str, tmp_path: Path) -> None:
    plain = rendered(tmp_path, Conventions())
    assert rendered(tmp_path, Conventions(system_message=message)) == f"system: {message}<|im_end|>{plain}"
    assert rendered(tmp_path, Conventions(system_message=message), OWN) == f"system: what is it<|im_end|>{plain}"


def test_a_system_message_is_merged_like_others(tmp_path: Path) -> None:
    found = rendered(tmp_path, Conventions("merge", system_message="be kind"))
    assert found.startswith("user: be kind\n\nwhy is it so<|im_end|>")


def test_a_system_message_is_no_error_of_the_data(tmp_path: Path) -> None:
    assert rendered(tmp_path, Conventions("error", system_message="be kind")).startswith("system: be kind")


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("written", [0, 1, 2])
def test_the_number_of_bos_tokens(count: int, written: int, tmp_path: Path) -> None:
    bos = "{{ '<|bos|>' }}"
    assert ENDS_IN_EOS.startswith(bos)
    template = bos * written + ENDS_IN_EOS.removeprefix(bos)
    make_tokenizer(chat_template=template, bos_token="<|bos|>").save_pretrained(tmp_path)
    renderer = Renderer(str(tmp_path), None, "trl", conventions=Conventions(bos_tokens=count))
    (one,) = renderer.render([TALK])
    text = str(renderer.tokenizer.decode(one.tokens))
    assert text == "<|bos|>" * count + "user: why is it so<|im_end|>assistant: it is the land<|im_end|>"
    assert str(renderer.tokenizer.decode(one.tokens[one.start :])) == "assistant: it is the land<|im_end|>"


def test_a_tokenizer_without_bos(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no BOS token: leave `bos_tokens` out"):
        rendered(tmp_path, Conventions(bos_tokens=1), bos=False)


@pytest.mark.parametrize(("count", "start"), [(0, 4), (1, 5), (2, 6)])
def test_the_beginning_of_the_response_moves_with_the_bos(count: int, start: int) -> None:
    one = Rendered(np.array([9, 1, 2, 3, 4, 5], np.int32), start=5)
    found = Conventions(bos_tokens=count).ended(SimpleNamespace(bos_token_id=9), one)
    assert (found.tokens.tolist(), found.start) == ([9] * count + [1, 2, 3, 4, 5], start)
