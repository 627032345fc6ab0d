"""Lists of models: YAML files with the models of a sweep and their options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from rmeval.data.unpacking import check_path
from rmeval.data.yaml_file import Lines, read_yaml
from rmeval.errors import DataError, RmevalError
from rmeval.hub import is_hub_id
from rmeval.messages import chosen_from, quoted
from rmeval.models.carded import card_for
from rmeval.models.cards import Descriptor, descriptor_of
from rmeval.models.cards.card import Card
from rmeval.models.option_types import check_type, option_types
from rmeval.models.options import check_options, model_options
from rmeval.plugins import is_file_spec
from rmeval.published import published_boards
from rmeval.runs.requests import model_folder

__all__ = ["SweepModel", "hub_repositories", "read_models", "shipped_lists"]

_LISTS = "rmeval.sweep"
_PLACES = (
    "tokenizer",
    "base_model",
    "ref_model",
    "chat_template",
    "comparison",
    "card",
    "dialect",
    "protocol",
    "prices",
)
"""Options that may be a file or folder, relative to the list's folder."""
_NO_CHECKPOINT = ("baseline:", "http://", "https://", "any-llm:")


@dataclass(frozen=True, slots=True)
class SweepModel:
    """A model of a sweep.

    Attributes:
        number: Its number in the list, from 1.
        spec: Hub id, folder, address, `file.py:Class` or baseline.
        name: Its name in tables and folders, if the list gives one.
        options: Its options.
    """

    number: int
    spec: str
    name: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The name that messages and tables show."""
        return self.name or (self.spec if is_hub_id(self.spec) else self.folder_name)

    @property
    def folder_name(self) -> str:
        """The name of its run folders, as far as it is known without loading the model."""
        if self.name is not None:
            return self.name
        if is_file_spec(self.spec):
            return self.spec.rpartition(":")[2]
        if Path(self.spec).is_dir():
            return Path(self.spec).resolve().name
        return self.spec if self.spec.startswith(_NO_CHECKPOINT) else self.spec.replace("/", "__")

    @property
    def card(self) -> Card | None:
        """The card that says how it is loaded, if there is one."""
        own = model_options(**{name: value for name, value in self.options.items() if name == "card"})
        return card_for(self.spec, own) if self.is_checkpoint else None

    def option(self, name: str) -> Any:
        """The value of an option: the list's, else the card's; None if neither has it."""
        if name in self.options:
            return self.options[name]
        return None if self.card is None else self.card.load.get(name)

    @property
    def descriptor(self) -> Descriptor | None:
        """Facts about the model, if there are any."""
        return descriptor_of(self.spec)

    @property
    def is_checkpoint(self) -> bool:
        """Whether an engine runs it."""
        return not (self.spec.startswith(_NO_CHECKPOINT) or is_file_spec(self.spec) or "base_url" in self.options)

    @property
    def kind(self) -> str:
        """What kind of model it is, by its options and its card; `classifier` where nothing says otherwise."""
        protocol, stated = self.option("protocol"), self.option("kind")
        if protocol is not None:
            return "process" if str(protocol).partition("@")[0] == "steps" else "judge"
        if stated not in (None, "auto"):
            return str(stated)
        if self.option("ref_model") is not None:
            return "implicit"
        if self.spec.startswith("baseline:"):
            return "baseline"
        known = self.descriptor
        return known.kind if known is not None and known.kind else "classifier"

    @property
    def parameters(self) -> float | None:
        """Number of parameters in billions, by its card; None if it is not known."""
        return None if self.descriptor is None else self.descriptor.parameters

    def published_names(self, benchmark: str) -> tuple[str, ...]:
        """The model's id, and the names of its rows on the published boards of a benchmark."""
        known, page = self.descriptor, f"https://huggingface.co/{self.spec}"
        rows = (row for board in published_boards(benchmark) for row in board.rows)
        same = (row.model for row in rows if row.url == page or (known and descriptor_of(row.model) == known))
        # Rows such as `Model + voting@32` combine several outputs.
        return (self.spec, *(name for name in same if " + " not in name))

    def with_defaults(self, options: Mapping[str, Any]) -> SweepModel:
        """The model with further options, which its own options replace; a model that no engine runs is unchanged."""
        if not self.is_checkpoint or not options:
            return self
        return SweepModel(self.number, self.spec, self.name, {**options, **self.options})


def shipped_lists() -> tuple[str, ...]:
    """Return the names of the lists that come with rmeval."""
    found = (one.name for one in files(_LISTS).joinpath("lists").iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))


def read_models(place: str) -> tuple[SweepModel, ...]:
    """Read a list of models.

    Args:
        place: A YAML file, or the name of a list that comes with rmeval. The file contains a list `models` of ids, or
            of mappings with `id`, optional `name`, and options of the model. A file or folder beside the list goes
            before a hub id.

    Raises:
        RmevalError: If the file has another form, an option is unknown or has a wrong value, or two models would have
            the same name.
    """
    if place in shipped_lists():
        with as_file(files(_LISTS).joinpath("lists", f"{place}.yaml")) as path:
            return _read(path)
    if not Path(place).exists():
        raise DataError(f"there is no list of models {place}: give a YAML file, or one of {', '.join(shipped_lists())}")
    return _read(Path(place))


def _read(path: Path) -> tuple[SweepModel, ...]:
    lines: Lines = {}
    document = read_yaml(path, lines)
    entries = document.get("models") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise DataError(f"{path} must contain a list under 'models', such as [owner/model, ./my-checkpoint]")
    if unknown := [key for key in document if key not in ("models", "about")]:
        raise DataError(f"{path} has an unknown key {quoted(unknown[0])}: it takes 'models' and 'about'")
    found = tuple(
        _model(path, number, entry, f"{path} line {lines.get(('models', number - 1), '?')}: model {number}")
        for number, entry in enumerate(entries, 1)
    )
    _refuse_repeated(path, found)
    return found


def _model(path: Path, number: int, entry: object, where: str) -> SweepModel:
    given = {"id": entry} if isinstance(entry, str) else entry
    if not isinstance(given, dict) or not isinstance(spec := given.get("id"), str) or not spec:
        raise DataError(f"{where} must be an id, or a mapping with 'id' and options, not {quoted(entry)}")
    name = given.get("name")
    if name is not None and (not isinstance(name, str) or not name.strip()):
        raise DataError(f"{where}: 'name' must be a text that is not empty, not {quoted(name)}")
    options = {key: value for key, value in given.items() if key not in ("id", "name")}
    for key, value in options.items():
        _check(key, value, where)
    own = {key: _beside(path, value) if key in _PLACES else value for key, value in options.items()}
    own = {key: tuple(value) if isinstance(value, list) else value for key, value in own.items()}
    try:
        check_options(model_options(**own))
        found = SweepModel(number, _spec(path, spec), name, own)
        _ = found.card
    except RmevalError as error:
        raise type(error)(f"{where}: {error}") from error
    return found


def _check(key: str, value: object, where: str) -> None:
    """Refuse an option that a list cannot give, and a value of another type."""
    if key not in (types := option_types()):
        raise DataError(f"{where} has an unknown key {quoted(key)}: {chosen_from(key, ('id', 'name', *types))}")
    if (reason := check_type(value, types[key])) is not None:
        raise DataError(f"{where}: {key!r} must be {reason}, not {quoted(value)}")


def _spec(path: Path, spec: str) -> str:
    if spec.startswith(_NO_CHECKPOINT):
        return spec
    if is_file_spec(spec):
        file, _, name = spec.rpartition(":")
        return f"{_beside(path, file)}:{name}"
    return str(_beside(path, spec))


def _beside(path: Path, place: object) -> Any:
    """A file or folder beside the list, if there is one; anything else unchanged."""
    if not isinstance(place, str):
        return place
    own = path.parent / Path(place).expanduser()
    check_path(str(own))
    return str(own) if own.exists() else place


def _refuse_repeated(path: Path, models: Sequence[SweepModel]) -> None:
    """Refuse a model that is given twice, and two models whose runs would be in one folder."""
    there: dict[str, SweepModel] = {}
    for one in models:
        folder = model_folder(Path(), "", one.folder_name).name.casefold()
        before = there.setdefault(folder, one)
        if before is one:
            continue
        which = f"{path}: models {before.number} and {one.number}"
        if (before.spec, dict(before.options)) == (one.spec, dict(one.options)):
            raise DataError(f"{which} are both {one.spec} with the same options: keep one of them")
        raise DataError(
            f"{which} ({before.spec} and {one.spec}) would both be {folder} in the folder of runs: give one "
            "of them another 'name'"
        )


def hub_repositories(model: SweepModel) -> Iterator[str]:
    """Yield the hub repositories that a model names: its own, and those of its reference, base and tokenizer."""
    named = (model.spec, *(model.option(name) for name in ("ref_model", "base_model", "tokenizer")))
    if model.is_checkpoint:
        yield from dict.fromkeys(one for one in named if isinstance(one, str) and is_hub_id(one))
