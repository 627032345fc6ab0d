"""Render conversations with FastChat's and RewardBench's own templates, as RewardBench does.

    python scripts/zoo/fastchat_texts.py FASTCHAT REWARD_BENCH CONVERSATIONS.json NAME...

The first two are clones of lm-sys/FastChat and allenai/reward-bench; the conversations are
`tests/rendering/expected_templates.json`. Prints the texts of each name as JSON, in the form of that file.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any


def main(fastchat: str, reward_bench: str, conversations: str, *names: str) -> None:
    """Print the texts of each name."""
    sys.path.insert(0, fastchat)
    from fastchat.conversation import get_conv_template  # type: ignore[import-not-found]

    folder = Path(reward_bench) / "rewardbench"
    exec((folder / "chattemplates.py").read_text(encoding="utf-8"), {})
    # The module itself imports the whole package.
    tree = ast.parse((folder / "utils.py").read_text(encoding="utf-8"))
    kept: list[ast.stmt] = [
        one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "prepare_dialogue"
    ]
    space: dict[str, Any] = {"Dict": dict, "Any": Any}
    exec(compile(ast.Module(kept, []), "utils.py", "exec"), space)
    talks = json.loads(Path(conversations).read_text(encoding="utf-8"))["conversations"]
    found = {
        name: {
            title: {"text": text_of(get_conv_template(name), talk, space["prepare_dialogue"])}
            for title, talk in talks.items()
        }
        for name in names
    }
    sys.stdout.write(f"{json.dumps(found, indent=1, ensure_ascii=False)}\n")


def text_of(template: Any, talk: list[dict[str, str]], prepare: Any) -> str:
    """The text of a conversation; a system message replaces the template's own."""
    if talk[0]["role"] == "system":
        template.set_system_message(talk[0]["content"])
        talk = talk[1:]
    prompt: Any = talk[:-1] if len(talk) > 2 else talk[0]["content"]
    text: str = prepare({"prompt": prompt, "chosen": talk[-1]["content"], "rejected": ""}, template)["text_chosen"]
    return text


if __name__ == "__main__":
    main(*sys.argv[1:])
