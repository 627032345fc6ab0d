"""The `model-index` of a model card: results are added, and everything else in the card stays as it is."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rmeval.errors import DataError
from rmeval.messages import shortened

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

__all__ = ["card_with_results"]

_METADATA = re.compile(r"\A(\s*---[ \t]*(\r\n|\n))(.*?)(^---[ \t]*(?:\r\n|\n|\Z))", re.DOTALL | re.MULTILINE)
_TASK = "text-classification"
"""Task type of a card without `pipeline_tag`; most reward models on the hub have this one."""
_OWN = "rmeval"
"""The key in a result's `dataset.args` that marks it as one of rmeval's, so that a later push replaces it."""


def card_with_results(text: str, name: str, results: Callable[[str], Sequence[EvalResult]]) -> str:
    """Return a model card with results in its `model-index`.

    Earlier results of rmeval on the same benchmarks are replaced. Comments, order and quotes of the metadata, and all
    text after it, stay. A card that has the results already is returned unchanged.

    Args:
        text: The card; empty if there is none.
        name: Name of the model, for a card without a `model-index`.
        results: Returns the results, for the card's task type.

    Raises:
        DataError: If the card's metadata are not valid YAML, or have another form than the hub's.
    """
    from huggingface_hub.repocard_data import eval_results_to_model_index
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import YAMLError

    found = _METADATA.match(text)
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes, yaml.width, yaml.allow_unicode = True, 10_000, True
    try:
        metadata = (yaml.load(found[3]) if found else None) or CommentedMap()
    except YAMLError as error:
        raise DataError("the metadata of the model's README.md are not valid YAML: correct them first") from error
    if not isinstance(metadata, CommentedMap):
        raise DataError("the metadata of the model's README.md are not a mapping: correct them first")
    task = metadata.get("pipeline_tag")
    made = eval_results_to_model_index(name, list(results(task if isinstance(task, str) else _TASK)))
    before = json.dumps(_plain(metadata.get("model-index")))
    _merge(metadata, name, made[0]["results"])
    if found and json.dumps(_plain(metadata["model-index"])) == before:
        return text
    out = io.StringIO()
    yaml.dump(metadata, out)
    newline = found[2] if found else "\n"
    content = out.getvalue().replace("\n", newline)
    if not found:
        return f"---{newline}{content}---{newline}" + (f"{newline}{text}" if text else "")
    return f"{found[1]}{content}{found[4]}{text[found.end() :]}"


def _merge(metadata: Any, name: str, results: list[dict[str, Any]]) -> None:
    """Put results into the `model-index` of a card's metadata, in place of rmeval's earlier ones."""
    index = metadata.setdefault("model-index", [{"name": name, "results": []}])
    entry = index[0] if isinstance(index, list) and index else None
    if not isinstance(entry, dict) or not isinstance(entry.get("results", []), list):
        raise DataError(f"the model-index of the model's README.md is {shortened(index)}: correct it first")
    there = entry.setdefault("results", [])
    new = {_key(one) for one in results}
    kept = [one for one in there if not (_is_own(one) and _key(one) in new)]
    there[:] = [*kept, *results]


def _is_own(result: Any) -> bool:
    data_set = result.get("dataset") if isinstance(result, dict) else None
    marks = data_set.get("args") if isinstance(data_set, dict) else None
    return isinstance(marks, dict) and _OWN in marks


def _key(result: dict[str, Any]) -> tuple[str, str]:
    return str(result["dataset"].get("type")), str(result["dataset"].get("name"))


def _plain(value: Any) -> Any:
    """A value of the YAML reader as plain lists, mappings and scalars, for a comparison."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, bool) or value is None:
        return value
    return float(value) if isinstance(value, int | float) else str(value)
