"""The templates that lay two answers out: files, whose digests are part of the identity of every run with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmeval.data.digests import digest
from rmeval.errors import ModelError
from rmeval.rendering.chat import Renderer
from rmeval.rendering.comparison import KNOWN, ComparisonPrompt
from tests.checkpoints import make_tokenizer

PUBLISHED = {
    "letters": "10e3c6365239e241c248e8b853fe612f",
    "rlhflow": "6ede5c517737779e34736c6f22b818f4",
    "steamshp": "38bfc1c4e19dcb4da20e0e321b20e89c",
}
"""Digests of the texts of rmeval 0.1, where they stood in the code."""


def test_templates_are_those_of_earlier_runs(tmp_path: Path) -> None:
    assert {name: digest(path.read_text(encoding="utf-8").removesuffix("\n")) for name, path in KNOWN.items()} == (
        PUBLISHED
    )
    folder = KNOWN["letters"].parent
    assert {path.stem for path in folder.glob("*.jinja")} == set(KNOWN)
    make_tokenizer().save_pretrained(tmp_path)
    renderer = Renderer(str(tmp_path), None, chat=False)
    copied = tmp_path / "mine.jinja"
    copied.write_bytes(KNOWN["letters"].read_bytes())
    own = ComparisonPrompt(renderer, str(copied), chat=True).identity()
    assert own == ComparisonPrompt(renderer, "letters", chat=True).identity()
    assert own != ComparisonPrompt(renderer, "letters", chat=False).identity()
    with pytest.raises(ModelError, match="there is no comparison no: choose one of letters, rlhflow, steamshp, "):
        ComparisonPrompt(renderer, "no", chat=True)
