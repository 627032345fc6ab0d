"""Where a checkpoint is and what its weights are, found before any of them is loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rmeval.digests import files_digest
from rmeval.engines.hf.weights import WHOLE, Layout, getter, head_names, weight_files
from rmeval.errors import ModelError
from rmeval.hub import hub_file, is_absent, is_cached, is_hub_id

__all__ = ["Checkpoint", "find_checkpoint", "find_tokenizer", "tokenizer_source"]

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"

_TOKENIZER_FILES = (
    "tokenizer.json",
    "*.model",
    "*.tiktoken",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab*",
    "merges.txt",
)


_VOCABULARIES = ("tokenizer.json", "*.model", "*.tiktoken", "vocab*")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model's files.

    Attributes:
        source: Path or hub id, for `from_pretrained`.
        revision: Full commit hash on the hub; None for a local folder.
        name: Short name for tables and folders.
        fingerprint: `hub:<id>@<commit>`, or `sha256:` over the local weights and config.
        adapter: Folder of the adapter that is laid over it, if it is one.
        base: The model below the adapter.
        layout: Which of its files hold the weights.
        adapter_place: Path or hub id of the adapter, and its commit.
    """

    source: str
    revision: str | None
    name: str
    fingerprint: str
    adapter: Path | None = None
    base: Checkpoint | None = None
    layout: Layout = WHOLE
    adapter_place: tuple[str, str | None] | None = None

    def file(self, name: str) -> Path | None:
        """A file of the model (of an adapter's base); None where it has none of that name."""
        return getter(self.source, self.revision, self.layout)(name)

    def weights(self) -> list[Path]:
        """The files of the model's weights (of an adapter's base), and of a head beside them."""
        return weight_files(self.file, self.layout)


def find_checkpoint(
    spec: str,
    revision: str | None = None,
    layout: Layout = WHOLE,
    code: bool = False,
    base: str | None = None,
) -> Checkpoint:
    """Finds a checkpoint by path or hub id.

    Args:
        spec: A folder, or a hub id.
        revision: Branch, tag or commit on the hub.
        layout: Which of several sets of weights is meant.
        code: Whether code that comes with the model may run, and so counts if there is any.
        base: Where the model is that an adapter belongs to; None for where its config says.

    Raises:
        ModelError: If there is nothing usable there.
    """
    folder = Path(spec)
    adapter = _find_adapter(spec, revision, layout)
    if adapter is not None:
        return _over_base(spec, adapter, base, layout, code)
    if base is not None:
        raise ModelError(f"{spec} is a whole model, and has no base: leave --base-model out")
    if folder.is_dir():
        if revision is not None:
            raise ModelError(f"{spec} is a local folder, which has no revisions: leave --revision out")
        sources = [*_weights(folder, layout), folder / layout.name("config.json")]
        codes, elsewhere = _code(folder, layout) if code else ([], "")
        fingerprint = f"sha256:{files_digest([*sources, *codes])}{elsewhere}"
        return Checkpoint(str(folder), None, folder.resolve().name, fingerprint, layout=layout)
    if folder.exists():
        raise ModelError(f"{spec} is a file: give the folder of the checkpoint, or file.py:Class for your own scorer")
    if not is_hub_id(spec):
        raise ModelError(
            f"there is no model at {spec}: give a checkpoint's folder, a hub id, file.py:Class or baseline:longest"
        )
    commit = hub_file(spec, layout.name("config.json"), revision).commit
    elsewhere = _code(hub_file(spec, layout.name("config.json"), commit).path.parent, WHOLE)[1] if code else ""
    return Checkpoint(spec, commit, spec.replace("/", "__"), f"hub:{spec}@{commit}{elsewhere}", layout=layout)


def _code(folder: Path, layout: Layout) -> tuple[list[Path], str]:
    """What runs beside transformers' own code where that is allowed, by the `auto_map` of config and tokenizer.

    Returns:
        The modules in the folder, and the commits of those that lie in other repositories on the hub.
    """
    references: set[str] = set()
    for file in (folder / layout.name("config.json"), folder / "tokenizer_config.json"):
        try:
            named = json.loads(file.read_text(encoding="utf-8")).get("auto_map") or {}
        except (OSError, ValueError, AttributeError):
            continue  # What cannot be read is said where it is loaded.
        for one in named.values() if isinstance(named, dict) else ():
            references |= {str(name) for name in (one if isinstance(one, list) else [one]) if name}
    others = {name.rpartition(".")[0] for name in references if "--" in name}
    places = [name.split("--", 1) for name in others]
    commits = sorted({f"{repo}@{hub_file(repo, f'{module}.py').commit}" for repo, module in places})
    own = any("--" not in name for name in references)
    return sorted(folder.glob("*.py")) if own else [], "".join(f" with hub:{commit}" for commit in commits)


class _Adapter(NamedTuple):
    """An adapter's folder, what tells it from others, its name, and where it is."""

    folder: Path
    fingerprint: str
    name: str
    place: tuple[str, str | None]


def _find_adapter(spec: str, revision: str | None, layout: Layout) -> _Adapter | None:
    """The adapter at a path or hub id; None where there is something else, or nothing."""
    folder = Path(spec)
    if folder.is_dir():
        folder = folder / layout.subfolder
        if (folder / "config.json").is_file() or not (folder / ADAPTER_CONFIG).is_file():
            return None
        files = [folder / ADAPTER_CONFIG, folder / ADAPTER_WEIGHTS]
        if missing := next((file for file in files if not file.is_file()), None):
            raise ModelError(f"{spec} has no {missing.name}: check that the adapter was saved whole, as safetensors")
        files += [folder / name for name in head_names(layout, adapter=True) if (folder / name).is_file()]
        return _Adapter(folder, f"sha256:{files_digest(files)}", folder.resolve().name, (str(folder), None))
    if folder.exists() or not is_hub_id(spec):
        return None
    try:
        hub_file(spec, layout.name("config.json"), revision)
    except ModelError as error:
        # Without a hub it is not known that there is none, but an adapter that is in the cache is one.
        known = is_cached(spec, layout.name(ADAPTER_CONFIG), revision, "model")
        if not is_absent(error, or_unknown=known):
            raise
        config = hub_file(spec, layout.name(ADAPTER_CONFIG), revision)
        hub_file(spec, layout.name(ADAPTER_WEIGHTS), config.commit)
        # What else is used of it is then in its folder in the cache.
        for name in head_names(layout, adapter=True):
            getter(spec, config.commit, layout)(name)
        own = f"hub:{spec}@{config.commit}"
        return _Adapter(config.path.parent, own, spec.replace("/", "__"), (spec, config.commit))
    return None


def _over_base(spec: str, adapter: _Adapter, base: str | None, layout: Layout, code: bool) -> Checkpoint:
    try:
        config = json.loads((adapter.folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        stated, revision = config["base_model_name_or_path"], config.get("revision")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{adapter.folder / ADAPTER_CONFIG} cannot be read ({error}): save the adapter anew"
        ) from error
    try:
        below = find_checkpoint(base or str(stated), None if base else revision, layout, code)
    except ModelError as error:
        raise ModelError(
            f"{spec} is an adapter of {base or stated}, which cannot be used ({error}): give its place with "
            "--base-model"
        ) from error
    if below.adapter is not None:
        raise ModelError(f"{spec} is an adapter over an adapter ({base or stated}): merge the lower one into its base")
    fingerprint = f"{adapter.fingerprint} over {below.fingerprint}"
    return Checkpoint(
        below.source, below.revision, adapter.name, fingerprint, adapter.folder, below, layout, adapter.place
    )


def tokenizer_source(checkpoint: Checkpoint) -> tuple[str, str | None]:
    """Where a checkpoint's tokenizer is, and at which revision: an adapter may bring its own."""
    if checkpoint.adapter is not None and checkpoint.adapter_place is not None:
        place, commit = checkpoint.adapter_place
        own = checkpoint.adapter.iterdir()
        if any(path.match(pattern) for path in own for pattern in _VOCABULARIES):
            return place, commit
        if commit is not None and getter(place, commit, WHOLE)("tokenizer.json") is not None:
            return place, commit
    return checkpoint.source, checkpoint.revision


def _weights(folder: Path, layout: Layout) -> Sequence[Path]:
    config = folder / layout.name("config.json")
    if not config.is_file():
        raise ModelError(f"{config.parent} has no config.json: it is no Hugging Face checkpoint; check the path")
    get = getter(str(folder), None, layout)
    if found := weight_files(get, layout):
        return found
    if weight_files(get, layout._replace(pickle=True)):
        raise ModelError(
            f"{folder} has only pickled weights, which can run code when loaded: save it as safetensors, "
            "or if you trust it give --model-kwargs use_safetensors=false"
        )
    names = layout.gguf or " or ".join(name for names in layout.names for name in names)
    raise ModelError(f"{config.parent} has no weights that transformers loads ({names}): check that it was saved whole")


def find_tokenizer(source: str, revision: str | None = None) -> tuple[str | None, str]:
    """Finds a tokenizer by path or hub id.

    Returns:
        The full commit hash on the hub (None for a local folder), and a fingerprint.

    Raises:
        ModelError: If there is no tokenizer.
    """
    folder = Path(source)
    if folder.is_dir():
        files = {path for pattern in _TOKENIZER_FILES for path in folder.glob(pattern)}
        if not any(path.match(pattern) for path in files for pattern in _VOCABULARIES):
            # transformers would make up an empty one.
            raise ModelError(
                f"the tokenizer of {source} cannot be loaded (no tokenizer files): give one with --tokenizer"
            )
        return None, f"sha256:{files_digest(sorted(files))}"
    commit = revision or hub_file(source, "tokenizer_config.json").commit
    return commit, f"hub:{source}@{commit}"
