"""Location of a benchmark's files, and reading of their parts."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rmeval.data.reading import SUFFIXES
from rmeval.data.rows import Row, iterate_rows
from rmeval.errors import DataError
from rmeval.hub import hub_data, is_cached, is_hub_id

if TYPE_CHECKING:
    from rmeval.benchmarks import Card

__all__ = ["SUFFIXES", "find_files", "locate", "name_in", "part_rows", "refuse_unfetched"]

logger = logging.getLogger(__name__)


def find_files(folder: Path) -> list[Path]:
    """Return the supported files of a folder, sorted by name; if it has none itself, those in its subfolders.

    Raises:
        DataError: If there are none.
    """
    try:
        files = _without_tsv(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
        files = files or _without_tsv(path for path in folder.rglob("*") if path.name.endswith(SUFFIXES))
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror or error}): check its permissions") from error
    if not files:
        raise DataError(f"{folder} contains no supported file ({', '.join(SUFFIXES)}): check the path")
    return files


def _without_tsv(paths: Iterable[Path]) -> list[Path]:
    """The files, sorted; those in TSV only if there are no others, beside which they are often notes or exports."""
    found = sorted(paths)
    return [path for path in found if ".tsv" not in path.suffixes] or found


class _HubPath(NamedTuple):
    """A file of a data set on the hub; repository and revision are empty if they are the card's."""

    repository: str
    revision: str
    path: str

    @classmethod
    def of(cls, name: str) -> _HubPath:
        """Parse `path`, or `owner/name@revision:path`."""
        place, _, path = name.rpartition(":")
        repository, _, revision = place.partition("@")
        return cls(repository, revision, path)


def locate(card: Card, names: Sequence[str], data: str | None, copies: Sequence[str] = ()) -> list[Path]:
    """Find the files of a benchmark's data.

    Args:
        card: The benchmark's card.
        names: Paths of the files in the source's repository, or `owner/name@revision:path` if there are several
            repositories.
        data: None for the pinned source; another hub id with the same files; a file; or a folder. The folder contains
            the files at those paths, below the repository's name if there is one, or at the ends of those paths (the
            folder may be one of their parents); otherwise all supported files at any depth are used.
        copies: Paths of the same data in other places, such as a clone of the authors' repository.

    Raises:
        DataError: If there are none, or they are not available.
    """
    files = [_HubPath.of(name) for name in names]
    if data is None or (not Path(data).exists() and is_hub_id(data) and "/" in data and not data.endswith(SUFFIXES)):
        return _from_hub(card, files, data)
    place = Path(data)
    if not place.exists():
        raise DataError(f"there is no file {data}: check the path")
    if not place.is_dir():
        return [place]
    parts = [Path(file.repository, file.path).parts for file in (*files, *map(_HubPath.of, copies))]
    for above in range(max(map(len, parts), default=0)):
        # Files with the same name in several folders count once, since one folder will be chosen.
        ends = dict.fromkeys(place.joinpath(*part[above:]) for part in parts if len(part) > above)
        if found := [path for path in ends if path.is_file()]:
            return found
    return find_files(place)


def name_in(path: Path, names: Collection[str]) -> str:
    """Return the part of a benchmark that a file contains: the name of the file, of its folder or of the parent folder.

    Raises:
        DataError: If none of these is the name of a part.
    """
    own = (path.name.partition(".")[0], *(folder.name for folder in path.absolute().parents[:2]))
    if (found := next((name for name in own if name in names), None)) is None:
        raise DataError(
            f"{path} does not name a part of the benchmark: name the file or its folder after one of {', '.join(names)}"
        )
    return found


def part_rows(path: Path, parts: Collection[str], nested: bool = False) -> Iterator[Row]:
    """Yield the rows of a file with one part of a benchmark, with the part's name and their number in it.

    Args:
        path: The file, see `iterate_rows`.
        parts: Names of parts, see `name_in`; the part of a row is in its column `_part`, its number in `_number`.
        nested: See `iterate_rows`.
    """
    part = None
    for number, row in enumerate(iterate_rows(path, nested)):
        # Report an unreadable file before an unknown name.
        part = part or name_in(path, parts)
        yield Row(row.fields | {"_part": part, "_number": number}, row.where)


def refuse_unfetched(card: Card, data: str | None) -> None:
    """Raise an error if a benchmark's data are neither on the hub nor given.

    Raises:
        DataError: If the data are missing.
    """
    if data is None and "://" in card.source:
        raise DataError(
            f"the data of {card.title} are at {card.source} and not on the hub: download them (git clone "
            f"{card.source}), check their licence ({card.licence}), and give their path with `data`"
        )


def _from_hub(card: Card, files: Sequence[_HubPath], data: str | None) -> list[Path]:
    """Download files from the hub, after logging their licence."""
    refuse_unfetched(card, data)
    wanted: dict[str, dict[tuple[str, str | None], None]] = {}
    for file in files:
        source = data or file.repository or card.source
        wanted.setdefault(source, {})[file.path, None if data else file.revision or card.revision] = None
    found = []
    for source, own in wanted.items():
        if not all(is_cached(source, *place) for place in own):
            licence = card.licence if data is None else "see its page on the hub"
            logger.warning("downloading %s from the hub; licence: %s", source, licence)
        names = [name for name, _ in own]
        found += [file.path for place in own for file in hub_data(source, *place, names)]
    return found
