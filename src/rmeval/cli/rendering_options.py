"""Options of how conversations are rendered, as options of commands that take a model: annotation and default."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["RENDERING_OPTIONS"]


def _rendering(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="Model")


RENDERING_OPTIONS: dict[str, tuple[Any, Any]] = {
    "chat_template": (
        Annotated[
            str | None,
            _rendering("Template to use instead of the tokenizer's: a Jinja file, or a name of rmeval list templates."),
        ],
        None,
    ),
    "template_kwargs": (
        Annotated[
            list[str] | None,
            _rendering("KEY=VALUE for the chat template, as enable_thinking=false. Repeatable."),
        ],
        None,
    ),
    "allow_dropped_roles": (
        Annotated[
            list[str] | None,
            _rendering("Role that the template may omit. Repeatable.", "--allow-dropped-roles"),
        ],
        None,
    ),
    "system_role": (
        Annotated[
            str, _rendering("System messages: keep (the template shows them), merge (into the user's next), or error.")
        ],
        "keep",
    ),
    "append_eos": (Annotated[bool, _rendering("End each sequence with the EOS token.", "--append-eos")], False),
    "strip_bos": (Annotated[bool, _rendering("Leave out the BOS token at the beginning.", "--strip-bos")], False),
}
