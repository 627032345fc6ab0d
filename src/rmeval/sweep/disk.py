"""The hub cache within a limit: files that a sweep downloaded go when room is needed, and no others."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rmeval.errors import RmevalError, RunError, explain_os_error
from rmeval.extras import need_extra
from rmeval.files import replacing
from rmeval.messages import shortened
from rmeval.store.manifest import checked_json, read_json
from rmeval.sweep.models_file import SweepModel, hub_repositories
from rmeval.sweep.sweep import Room

if TYPE_CHECKING:
    from huggingface_hub import CachedRepoInfo, HFCacheInfo

__all__ = ["CacheRoom", "NoLimit", "bytes_of", "gigabytes", "room_of"]

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_RECORD = "sweep-downloads.json"


def bytes_of(text: str) -> int:
    """Return a size such as `200GB` in bytes.

    Raises:
        RmevalError: If it has another form.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", text.strip().upper())
    unit = "" if found is None else found[2] if found[2] in _UNITS else f"{found[2]}B"
    if found is None or (size := int(float(found[1]) * _UNITS[unit])) < 1:
        raise RmevalError(f"`cache_limit` must be a size such as 200GB, not {shortened(text, 40)!r}")
    return size


def gigabytes(size: int) -> str:
    """Return a size in words."""
    unit = next((own for own in ("TB", "GB", "MB", "KB") if size >= _UNITS[own]), "B")
    return f"{size / _UNITS[unit]:.3g} {unit}"


class NoLimit:
    """No limit: every file stays."""

    def make(self, model: SweepModel, later: Sequence[SweepModel], weights: bool) -> None:
        """Do nothing."""

    def used(self, model: SweepModel, later: Sequence[SweepModel]) -> None:
        """Do nothing."""


def room_of(limit: str | None, out: Path, tell: Callable[[str], None]) -> Room:
    """Return what keeps the hub cache within a limit.

    Args:
        limit: The limit, such as `200GB`; None for none.
        out: Folder of runs, which records what its sweeps downloaded.
        tell: Called with a sentence on each deletion.

    Raises:
        RmevalError: If it is not a size, or huggingface_hub is not installed.
    """
    if limit is None:
        return NoLimit()
    size = bytes_of(limit)
    try:
        import huggingface_hub  # noqa: F401
    except ImportError as error:
        raise need_extra(error, "the hub") from error
    return CacheRoom(size, out / _RECORD, tell)


@dataclass(frozen=True, slots=True)
class _Record:
    """What the sweeps into a folder know of the cache.

    Attributes:
        owned: The files that they downloaded, by the hub's name of their repository, the least recently used first.
        before: While a model runs: the files that were there before, so that those of a process that was killed are
            known.
        running: While a model runs: the names of its repositories.
    """

    owned: Mapping[str, Sequence[str]]
    before: Sequence[str] = ()
    running: Sequence[str] = ()


class CacheRoom:
    """Keeps the hub cache within a limit.

    The record of downloaded files is kept beside the runs, because files of an interrupted sweep must stay known as
    the sweep's own. Only files of repositories that a model names are ever recorded.
    """

    def __init__(self, limit: int, record: Path, tell: Callable[[str], None]) -> None:
        self._limit, self._file, self._tell = limit, record, tell

    def make(self, model: SweepModel, later: Sequence[SweepModel], weights: bool) -> None:
        """Delete files so that a model's files fit, and record what is there before it is downloaded.

        Raises:
            RmevalError: If they do not fit.
        """
        record = self._settled(self._read())
        needed = set(hub_repositories(model))
        info = _scan()
        size = sum(_missing_bytes(name, _revision(model, name)) for name in needed) if weights else 0
        info, record = self._delete(info, record, size, needed, later)
        there = 0 if info is None else info.size_on_disk
        if there + size > self._limit:
            raise RunError(
                f"it needs {gigabytes(size)} in the hub cache, where {gigabytes(there)} of {gigabytes(self._limit)} "
                "are taken by files that this sweep may not delete: raise `cache_limit`, or free space with 'hf cache'"
            )
        if size > (free := _free_bytes()):
            raise RunError(
                f"it needs {gigabytes(size)} for its files, and the disk of the hub cache has {gigabytes(free)} left: "
                "free some space, or set HF_HOME to another disk"
            )
        before = tuple(_files(info, needed))
        self._write(_Record(record.owned, before, tuple(sorted(needed))))

    def used(self, model: SweepModel, later: Sequence[SweepModel]) -> None:
        """Record what a model's process downloaded, and delete what the limit does not allow.

        Where that fails, as on a full disk, the sweep goes on: the record still says which model ran last.
        """
        try:
            record = self._settled(self._read())
            _, record = self._delete(_scan(), record, 0, set(), later)
            self._write(record)
        except RmevalError as error:
            self._tell(str(error))

    def _settled(self, record: _Record) -> _Record:
        """The record with the files of the model that ran last, whose process may have been killed."""
        if not record.running:
            return record
        before = set(record.before)
        owned = dict(record.owned)
        for name in record.running:
            new = [one for one in _files(_scan(), (name,)) if one not in before]
            kept = [one for one in owned.pop(name, ()) if one not in new]
            if new or kept:
                owned[name] = [*kept, *new]
        return _Record(owned)

    def _delete(
        self,
        info: HFCacheInfo | None,
        record: _Record,
        size: int,
        needed: set[str],
        later: Sequence[SweepModel],
    ) -> tuple[HFCacheInfo | None, _Record]:
        """Delete the sweep's files until `size` more bytes fit: those that no later model needs first."""
        owned = dict(record.owned)
        wanted = {name for one in later for name in hub_repositories(one)}
        for name in sorted(owned, key=lambda one: one in wanted):
            if info is None or info.size_on_disk + size <= self._limit:
                break
            if name in needed:
                continue
            freed = _delete_files(info, name, set(owned.pop(name)))
            self._tell(f"deleted from the hub cache: {name} ({gigabytes(freed)})")
            info = _scan()
        return info, _Record(owned, record.before, record.running)

    def _read(self) -> _Record:
        try:
            stored = read_json(self._file)
        except FileNotFoundError:
            return _Record({})
        except OSError as error:
            raise explain_os_error(error, str(self._file)) from error
        try:
            return _Record(dict(stored["owned"]), tuple(stored["before"]), tuple(stored["running"]))
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"{self._file} is damaged: delete it, and files of earlier sweeps stay in the cache"
            ) from error

    def _write(self, record: _Record) -> None:
        fields = {"owned": dict(record.owned), "before": list(record.before), "running": list(record.running)}
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self._file) as file:
                file.write(checked_json(fields))
        except OSError as error:
            raise explain_os_error(error, str(self._file)) from error


def _scan() -> HFCacheInfo | None:
    """The hub cache; None if there is none yet."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        return scan_cache_dir()
    except CacheNotFound:
        return None


def _repositories(info: HFCacheInfo | None, names: Collection[str]) -> list[CachedRepoInfo]:
    """The repositories of models with these names that the cache has."""
    return [] if info is None else [one for one in info.repos if one.repo_type == "model" and one.repo_id in names]


def _files(info: HFCacheInfo | None, names: Collection[str]) -> list[str]:
    """The files of some repositories, as `repository@commit/path`."""
    return [
        f"{repo.repo_id}@{revision.commit_hash}/{file.file_path.relative_to(revision.snapshot_path).as_posix()}"
        for repo in _repositories(info, names)
        for revision in repo.revisions
        for file in revision.files
    ]


def _delete_files(info: HFCacheInfo, name: str, owned: Collection[str]) -> int:
    """Delete the files of a repository that are owned, and return how many bytes that frees."""
    freed = 0
    for repo in _repositories(info, (name,)):
        for revision in repo.revisions:
            prefix = f"{name}@{revision.commit_hash}/"
            mine = [
                file
                for file in revision.files
                if prefix + file.file_path.relative_to(revision.snapshot_path).as_posix() in owned
            ]
            if mine and len(mine) == len(revision.files):
                strategy = info.delete_revisions(revision.commit_hash)
            elif mine and hasattr(info, "delete_files"):  # Releases before 2 delete whole revisions only.
                strategy = info.delete_files(*mine)
            else:
                continue
            freed += int(strategy.expected_freed_size)
            strategy.execute()
    return freed


_OTHER_FORMATS = (".bin", ".pt", ".pth", ".h5", ".msgpack", ".gguf", ".onnx", ".ot")
"""Endings of weights that are not downloaded where there are safetensors."""


def _revision(model: SweepModel, repository: str) -> str | None:
    """The revision of a repository that a model names, if it names one."""
    names = {model.option("ref_model"): "ref_revision", model.spec: "revision"}
    found: str | None = model.option(names[repository]) if repository in names else None
    return found


def _missing_bytes(repository: str, revision: str | None) -> int:
    """The bytes of a repository's files that the cache lacks, by the hub's sizes; 0 if it does not answer."""
    from huggingface_hub import HfApi, constants, errors
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        found = HfApi().model_info(
            repository, revision=revision, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
    except (errors.HfHubHTTPError, errors.OfflineModeIsEnabled, HTTPError, ConnectionError):
        return 0
    there = set(_files(_scan(), (repository,)))
    # Files in folders are other forms of the same weights.
    sizes = {one.rfilename: one.size or 0 for one in found.siblings or () if "/" not in one.rfilename}
    if any(name.endswith(".safetensors") for name in sizes):
        sizes = {name: size for name, size in sizes.items() if not name.endswith(_OTHER_FORMATS)}
    return sum(size for name, size in sizes.items() if f"{repository}@{found.sha}/{name}" not in there)


def _free_bytes() -> int:
    """What the disk of the hub cache has left."""
    from huggingface_hub import constants

    place = Path(constants.HF_HUB_CACHE)
    return shutil.disk_usage(next(own for own in (place, *place.parents) if own.exists())).free
