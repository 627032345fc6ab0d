"""Where a benchmark's files are, and their rows, with errors that say where."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
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
    """The files of a folder that `read_rows` can read, sorted by name; if it has none itself, those below it.

    Raises:
        DataError: If the folder holds none.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
        files = files or sorted(path for path in folder.rglob("*") if path.name.endswith(SUFFIXES))
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror or error}): check its permissions") from error
    if not files:
        raise DataError(f"{folder} holds no file that can be read ({', '.join(SUFFIXES)}): check the path")
    return files


class _HubPath(NamedTuple):
    """A file of a data set on the hub; repository and revision are empty where they are the card's."""

    repository: str
    revision: str
    path: str

    @classmethod
    def of(cls, name: str) -> _HubPath:
        """Reads `path`, or `owner/name@revision:path`."""
        place, _, path = name.rpartition(":")
        repository, _, revision = place.partition("@")
        return cls(repository, revision, path)


def locate(card: Card, names: Sequence[str], data: str | None, copies: Sequence[str] = ()) -> list[Path]:
    """The files of a benchmark's data.

    Args:
        card: The benchmark's card.
        names: Paths of the files in the source's repository, or `owner/name@revision:path` where it has several.
        data: None for the pinned source; another hub id with the same files; a file; or a folder that holds the files
            at those paths, below the repository's name where there is one, or at the ends of them (the folder may be
            one of those on the way), or else any files that can be read, down to any depth.
        copies: Paths of the same data in other places, such as a clone of the authors' repository.

    Raises:
        DataError: If there are none, or they cannot be had.
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
        # Files of one name in several folders are one file, once the folder is chosen.
        ends = dict.fromkeys(place.joinpath(*part[above:]) for part in parts if len(part) > above)
        if found := [path for path in ends if path.is_file()]:
            return found
    return find_files(place)


def name_in(path: Path, names: Collection[str]) -> str:
    """Which of some names a file has, or else its folder or the one above: the part of the benchmark it holds.

    Raises:
        DataError: If it is none of them.
    """
    own = (path.name.partition(".")[0], *(folder.name for folder in path.absolute().parents[:2]))
    if (found := next((name for name in own if name in names), None)) is None:
        raise DataError(
            f"{path} does not say which part it is: name it, or the folder it is in, after one of {', '.join(names)}"
        )
    return found


def part_rows(path: Path, parts: Collection[str], nested: bool = False) -> Iterator[Row]:
    """The rows of a file that holds one part of a benchmark, with the part's name and their number in it.

    Args:
        path: The file, see `iterate_rows`.
        parts: Names of parts, see `name_in`; the row's own is in its column `_part`, its place in `_number`.
        nested: See `iterate_rows`.
    """
    part = None
    for number, row in enumerate(iterate_rows(path, nested)):
        # A file that cannot be read is told before a name that says nothing.
        part = part or name_in(path, parts)
        yield Row(row.fields | {"_part": part, "_number": number}, row.where)


def refuse_unfetched(card: Card, data: str | None) -> None:
    """Refuses a benchmark whose data are not on the hub and were not given.

    Raises:
        DataError: If it is one.
    """
    if data is None and "://" in card.source:
        raise DataError(
            f"the data of {card.title} are at {card.source} and not on the hub: fetch them (git clone {card.source}), "
            f"mind their licence ({card.licence}), and say with `data` where they are"
        )


def _from_hub(card: Card, files: Sequence[_HubPath], data: str | None) -> list[Path]:
    """Files from the hub; what their licence is stands in the log before they are fetched."""
    refuse_unfetched(card, data)
    wanted: dict[str, dict[tuple[str, str | None], None]] = {}
    for file in files:
        source = data or file.repository or card.source
        wanted.setdefault(source, {})[file.path, None if data else file.revision or card.revision] = None
    found = []
    for source, own in wanted.items():
        if not all(is_cached(source, *place) for place in own):
            licence = card.licence if data is None else "see its page on the hub"
            logger.warning("fetching %s from the hub; licence: %s", source, licence)
        names = [name for name, _ in own]
        found += [file.path for place in own for file in hub_data(source, *place, names)]
    return found
