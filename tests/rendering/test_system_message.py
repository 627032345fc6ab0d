"""A system message for conversations without one, and a BOS token that is written twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmeval.errors import ModelError
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


def test_the_bos_is_written_twice(tmp_path: Path) -> None:
    plain = rendered(tmp_path, Conventions())
    assert rendered(tmp_path, Conventions(repeat_bos=True)) == f"<|bos|>{plain}"


@pytest.mark.parametrize(
    ("conventions", "bos", "message"),
    [
        (Conventions(repeat_bos=True), False, "has no BOS token: leave `repeat_bos` out"),
        (
            Conventions(repeat_bos=True, strip_bos=True),
            True,
            "`strip_bos` leaves the BOS out that `repeat_bos` repeats",
        ),
    ],
)
def test_a_bos_that_cannot_be_repeated(conventions: Conventions, bos: bool, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        rendered(tmp_path, conventions, bos=bos)
