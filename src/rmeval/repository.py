"""Configs and custom code in the folder of a checkpoint or a tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from rmeval.hub import hub_file

__all__ = ["TOKENIZER_CONFIG", "Code", "code_beside", "read_config"]

TOKENIZER_CONFIG = "tokenizer_config.json"


def read_config(file: Path) -> dict[str, Any]:
    """Read a config's JSON object; return an empty one for other content, for which loading raises an error."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, RecursionError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class Code(NamedTuple):
    """Custom code of a checkpoint or tokenizer.

    Attributes:
        files: The modules in the folder.
        elsewhere: The commits of modules in other repositories on the hub, for a fingerprint.
    """

    files: list[Path]
    elsewhere: str


def code_beside(folder: Path, config: str = "config.json", revision: str | None = None) -> Code:
    """Find custom code, by the `auto_map` of config and tokenizer.

    Args:
        folder: The folder.
        config: Path of the config in the folder.
        revision: Revision of code in other repositories.
    """
    references: set[str] = set()
    for file in (folder / config, folder / TOKENIZER_CONFIG):
        named = read_config(file).get("auto_map") or {}
        # Old configs of tokenizers have a list.
        for one in named.values() if isinstance(named, dict) else [named]:
            references |= {str(name) for name in (one if isinstance(one, list) else [one]) if name}
    others = {name.rpartition(".")[0] for name in references if "--" in name}
    places = [name.split("--", 1) for name in others]
    commits = sorted({f"{repo}@{hub_file(repo, f'{module}.py', revision).commit}" for repo, module in places})
    own = any("--" not in name for name in references)
    return Code(sorted(folder.rglob("*.py")) if own else [], "".join(f" with hub:{commit}" for commit in commits))
