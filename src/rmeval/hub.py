"""Download of files from the Hugging Face hub at a given commit, with one-sentence errors."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from rmeval.errors import DataError, ModelError, RmevalError
from rmeval.extras import need_extra

__all__ = ["HubFile", "hub_data", "hub_file", "is_absent", "is_cached", "is_hub_id", "offline_without_hub"]

logger = logging.getLogger(__name__)

RepoType = Literal["model", "dataset"]


class HubFile(NamedTuple):
    """A file of a hub repository in the local cache, and the full hash of its commit."""

    path: Path
    commit: str


_LONGEST_ID = 200


def is_hub_id(name: str) -> bool:
    """Return whether `name` can be a repository on the hub: `name` or `owner/name`, and not a local path."""
    # A longer name is none of the hub, and may be too long for a file, which exists() would raise for.
    return (
        len(name) <= _LONGEST_ID
        and re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) is not None
        and not name.startswith(".")
        and not Path(name).exists()
    )


def is_cached(repo: str, filename: str, revision: str | None, repo_type: RepoType = "dataset") -> bool:
    """Return whether the local cache has a file, or records that the hub does not have it."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return False
    commit = _cached_commit(repo, revision, repo_type) or revision
    return try_to_load_from_cache(repo, filename, revision=commit, repo_type=repo_type) is not None


def hub_file(repo: str, filename: str, revision: str | None = None, repo_type: RepoType = "model") -> HubFile:
    """Download one file of a repository into the local cache.

    Args:
        repo: `owner/name`.
        filename: Path in the repository.
        revision: Branch, tag or commit, also a commit's first seven characters; the default branch if None.
        repo_type: `model` or `dataset`.

    Raises:
        ModelError: If a model's file is not available; the message states the reason.
        DataError: If a data set's file is not available.
    """
    try:
        from huggingface_hub import errors, hf_hub_download

        # The base class of the errors of its HTTP client, which differs between releases.
        from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]
    except ImportError as error:
        raise need_extra(error, "the hub") from error
    reasons: tuple[tuple[type[BaseException], str], ...] = (
        (errors.GatedRepoError, f"is gated: accept its terms on its hub page, then {_LOGIN}"),
        (
            errors.RepositoryNotFoundError,
            "is not on the hub, or is private: check the spelling (a local folder needs its path, as in ./name), "
            f"or {_LOGIN}",
        ),
        (errors.RevisionNotFoundError, f"has no revision {revision}: check `revision`"),
        (
            errors.LocalEntryNotFoundError,
            "is not in the local cache and the hub cannot be reached: check the connection and HF_HUB_OFFLINE, "
            "or give a local path",
        ),
        (errors.EntryNotFoundError, f"has no file {filename}: use a repository of a supported kind"),
        (errors.HFValidationError, "is neither a valid hub name nor an existing path: check the spelling"),
        (errors.HfHubHTTPError, f"is not accessible, as the hub refuses the request: {_LOGIN}, or try again later"),
        (HTTPError, _UNREACHABLE),
        (ConnectionError, _UNREACHABLE),
    )
    # One sentence at the end replaces the client's log of each retry.
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        commit = _full_commit(repo, revision, repo_type)
        # Without a connection, the client retries for half a minute; it queries a branch's commit even if the files are
        # cached.
        known = re.fullmatch(r"[0-9a-f]{40}", commit or "") and is_cached(repo, filename, commit, repo_type)
        alone = not known and not _responds(repo, repo_type)
        path = Path(hf_hub_download(repo, filename, revision=commit, repo_type=repo_type, local_files_only=alone))
    except tuple(kind for kind, _ in reasons) as error:
        reason = next(text for kind, text in reasons if isinstance(error, kind))
        failure, what = (ModelError, "model") if repo_type == "model" else (DataError, "data set")
        raise failure(f"the {what} {repo} {reason}") from error
    finally:
        log.setLevel(level)
    return HubFile(path, _commit_of(path) or commit or "unknown")


def is_absent(error: RmevalError, or_unknown: bool = False) -> bool:
    """Return whether an error of `hub_file` means that the repository does not have the file.

    Args:
        error: The error.
        or_unknown: Whether a file missing from the local cache counts too if the hub cannot be reached.
    """
    absent = ["EntryNotFoundError", "RemoteEntryNotFoundError"]
    return type(error.__cause__).__name__ in [*absent, *(["LocalEntryNotFoundError"] if or_unknown else [])]


def hub_data(repo: str, filename: str, revision: str | None = None, others: Collection[str] = ()) -> list[HubFile]:
    """Download a file of a data set or, if that name does not exist, the files that replace it.

    A later revision of a data set may have more files or another name for the split. This function then returns all
    files with the same suffix in the same folder; if some of them belong to the same split, only those.

    Args:
        repo: `owner/name`.
        filename: Path in the repository.
        revision: See `hub_file`.
        others: Files that are never returned as replacements.

    Raises:
        DataError: If there is no such file, or it is not available.
    """
    try:
        return [hub_file(repo, filename, revision, "dataset")]
    except DataError as error:
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        # A file missing from the cache may exist on the hub, unless the cache records that the hub does not have it.
        absent = isinstance(error.__cause__, EntryNotFoundError) and (
            not isinstance(error.__cause__, LocalEntryNotFoundError) or is_cached(repo, filename, revision)
        )
        if not absent:
            raise
        commit = _full_commit(repo, revision, "dataset")
        wanted = PurePosixPath(filename)
        kind = wanted.parent, wanted.suffix
        names = (PurePosixPath(name) for name in _listed(repo, commit) if name not in others)
        near = [name for name in names if (name.parent, name.suffix) == kind]
        split = wanted.name.partition("-")[0]
        if not (found := [name for name in near if name.name.partition("-")[0] == split] or near):
            raise
    logger.warning("%s has no file %s: using %s instead", repo, filename, ", ".join(map(str, found)))
    return [hub_file(repo, str(name), commit, "dataset") for name in found]


def _listed(repo: str, commit: str | None) -> list[str]:
    """List the files of a data set: those on the hub or, without a connection, those in the local cache."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    if _responds(repo, "dataset"):
        return HfApi().list_repo_files(repo, revision=commit, repo_type="dataset")
    try:
        folder = Path(snapshot_download(repo, revision=commit, repo_type="dataset", local_files_only=True))
    except LocalEntryNotFoundError:
        return []
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _responds(repo: str, repo_type: RepoType) -> bool:
    """Return whether the hub responds to a query about a repository, even with an error; the result is cached."""
    from huggingface_hub import HfApi, constants, errors
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        HfApi().repo_info(repo, repo_type=repo_type, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except errors.HfHubHTTPError:
        return True
    except (HTTPError, ConnectionError):
        return False
    return True


_UNREACHABLE = "is not available because the hub cannot be reached: check the connection, or give a local path"
_LOGIN = "log in with 'hf auth login' or set HF_TOKEN"


def _commit_of(path: Path) -> str | None:
    """Return the commit in a cache path .../snapshots/<commit>/<file>."""
    parts = path.parts
    return parts[len(parts) - parts[::-1].index("snapshots")] if "snapshots" in parts else None


@contextmanager
def offline_without_hub(repo: str, repo_type: RepoType) -> Iterator[None]:
    """Make the client use the local cache immediately if the hub does not respond, instead of retrying for a while."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _responds(repo, repo_type)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


_SHORT = re.compile(r"[0-9a-f]{7,39}")


def _cached_commit(repo: str, revision: str | None, repo_type: RepoType) -> str | None:
    """Return the full hash of a shortened one, if its commit is in the local cache."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    if revision is None or not _SHORT.fullmatch(revision):
        return None
    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:
        return None
    own = (known for one in repos if (one.repo_id, one.repo_type) == (repo, repo_type) for known in one.revisions)
    return next((known.commit_hash for known in own if known.commit_hash.startswith(revision)), None)


def _full_commit(repo: str, revision: str | None, repo_type: RepoType) -> str | None:
    """Complete a shortened commit hash, which the hub's file URLs do not accept; return anything else unchanged."""
    from huggingface_hub import HfApi, constants

    if revision is None or not _SHORT.fullmatch(revision):
        return revision
    if known := _cached_commit(repo, revision, repo_type):
        return known
    if constants.HF_HUB_OFFLINE:
        return revision
    # Without a connection, listing commits retries for half a minute; a query of the repository fails immediately.
    HfApi().repo_info(repo, repo_type=repo_type)
    commits = [commit.commit_id for commit in HfApi().list_repo_commits(repo, repo_type=repo_type)]
    return next((commit for commit in commits if commit.startswith(revision)), revision)
