"""Prompt files of users: what is wrong in one is an error in one sentence, before any call."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmeval.build.prompt_files import PromptFiles
from rmeval.errors import DataError


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ problem", "cannot be filled in (unexpected end of template"),
        ("{{ nope }}", "cannot be filled in ('nope' is undefined): its variables are language, problem"),
        ("{{ 1 / 0 }}", "cannot be filled in (division by zero)"),
        ("{% include '/etc/passwd' %}", "cannot be filled in (no loader"),
        ("{{ problem.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe"),
        ("{{ problem + 1 }}", "cannot be filled in (can only concatenate str"),
        ("{% for i in range(10**9) %}x{% endfor %}", "cannot be filled in (Range too big"),
        ("", "has no text for the user's turn"),
        ("Solve the problem.\n---\n \n", "has no text for the user's turn"),
    ],
)
def test_wrong_prompts_are_one_sentence(tmp_path: Path, template: str, message: str) -> None:
    (tmp_path / "math").mkdir()
    (tmp_path / "math" / "solve.jinja").write_text(template)
    with pytest.raises(DataError) as error:
        PromptFiles(tmp_path).get("math/solve").messages({"problem": "What is 1 + 1?", "language": "en"})
    assert message in str(error.value)
    assert "math/solve.jinja" in str(error.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no folder .*/nowhere'?: correct `prompts:` in the config"):
        PromptFiles(tmp_path / "nowhere")


def test_a_prompt_of_no_stage_is_a_misspelt_name(tmp_path: Path) -> None:
    (tmp_path / "math").mkdir()
    (tmp_path / "math" / "slove.jinja").write_text("{{ problem }}")
    with pytest.raises(DataError, match=r"math/slove.jinja replaces no prompt: did you mean math/solve\?"):
        PromptFiles(tmp_path)


def test_a_prompt_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "math").mkdir()
    (tmp_path / "math" / "solve.jinja").write_bytes("Löse: {{ problem }}".encode("latin-1"))
    with pytest.raises(
        DataError, match=r"the prompt .*math/solve.jinja cannot be read \(.*utf-8.*\): correct the file"
    ):
        PromptFiles(tmp_path).get("math/solve")
