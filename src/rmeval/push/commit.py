"""Commits and pull requests on the Hugging Face hub, with one-sentence errors.

The client finds the token (HF_TOKEN, or the file of `hf auth login`) and sends it; nothing here reads, prints or stores
it.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rmeval.errors import RmevalError, reason_of
from rmeval.extras import is_installed
from rmeval.messages import count_of, quoted
from rmeval.redaction import redacted

if TYPE_CHECKING:
    from huggingface_hub import HfApi

__all__ = ["HubPlan", "Sent", "check_repository", "file_of", "hub_errors", "make_plan", "open_pull_request"]

RepoType = Literal["model", "dataset"]
MAIN = "main"
_PATHS = 500
"""Maximum number of paths in one request."""
_WORDS: Mapping[str, str] = {"model": "model", "dataset": "data set"}
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a target has received.

    Attributes:
        target: The target in words, such as `the data set me/results`.
        done: What was done there, in a few words.
        url: Address of the commit, pull request or folder; empty if there is none.
    """

    target: str
    done: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class HubPlan:
    """What is sent to one repository of the hub.

    Attributes:
        repo: The repository, `owner/name`.
        repo_type: `model` or `dataset`.
        title: First line of the commit message, and the title of a pull request.
        description: The rest of it.
        files: The contents of new and changed files, by path.
        unchanged: Paths of the files that the repository has already.
        missing: Whether the repository does not exist, so that it is created.
        public: Whether a created repository is public.
        revision: The branch or pull request that receives the commit.
        new_pull_request: Whether the commit opens a pull request.
        notes: Notes for the reader, one sentence each.
    """

    repo: str
    repo_type: RepoType
    title: str
    description: str
    files: Mapping[str, bytes]
    unchanged: tuple[str, ...] = ()
    missing: bool = False
    public: bool = False
    revision: str = MAIN
    new_pull_request: bool = False
    notes: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """The repository in words."""
        return f"the {_WORDS[self.repo_type]} {self.repo}"

    @property
    def how(self) -> str:
        """What sending does, in words."""
        if not self.files:
            return "nothing to send: it has these files already"
        count = count_of(len(self.files), "file")
        if self.new_pull_request:
            return f"new pull request with {count}"
        if self.revision != MAIN:
            return f"commit of {count} to the open pull request {self.revision.rpartition('/')[2]}"
        made = f"new {'public' if self.public else 'private'} repository, and " if self.missing else ""
        return f"{made}commit of {count}"

    def send(self) -> Sent:
        """Send the files in one commit; nothing is sent if the repository has all of them.

        Raises:
            RmevalError: If the hub does not accept them; the message states the reason.
        """
        if not self.files:
            return Sent(self.target, "no change: it has these files already")
        from huggingface_hub import CommitOperationAdd

        api = _client(self.repo)
        with hub_errors(self.repo, self.repo_type):
            if self.missing:
                api.create_repo(self.repo, repo_type=self.repo_type, private=not self.public, exist_ok=True)
            made = api.create_commit(
                self.repo,
                [CommitOperationAdd(path, content) for path, content in sorted(self.files.items())],
                commit_message=self.title,
                commit_description=self.description,
                repo_type=self.repo_type,
                revision=self.revision,
                create_pr=self.new_pull_request,
            )
        return Sent(self.target, self.how, made.pr_url or made.commit_url)


def check_repository(repo: str, option: str) -> None:
    """Check the name of a repository, and that the hub's client is installed.

    Args:
        repo: The name that the user gave.
        option: The parameter that holds it, for the message.

    Raises:
        RmevalError: If it is not `owner/name`, since an owner is never added, or there is no client.
    """
    # The extra `hf` has this package too, and torch, which nothing here needs.
    if not is_installed("huggingface_hub"):
        raise RmevalError(f"`{option}` needs the package huggingface_hub: pip install huggingface_hub")
    if not _NAME.fullmatch(repo) or "--" in repo or ".." in repo:
        raise RmevalError(f"`{option}` must be OWNER/NAME of a repository on the hub, not {quoted(repo)}")


def make_plan(plan: HubPlan, write: bool = True, keep: Sequence[str] = ()) -> HubPlan:
    """Compare a plan with the repository, and return it with the files that are new or changed there.

    Args:
        plan: The plan; its `files` are all that the repository should have.
        write: Whether it will be sent, which needs a token.
        keep: Files that are never replaced, such as a card.

    Raises:
        RmevalError: If the repository cannot be read, or a model's does not exist.
    """
    there = _digests(plan.repo, plan.repo_type, list(plan.files), plan.revision, write)
    if there is None:
        if plan.repo_type == "model":
            raise _not_found(plan.repo, plan.repo_type)
        if plan.new_pull_request:
            raise RmevalError(f"{plan.target} does not exist: leave out `pr`, which is for an existing repository")
        return replace(plan, missing=True)
    kept = set(keep) & there.keys()
    same = {path for path, content in plan.files.items() if path in kept or there.get(path) in _own_digests(content)}
    changed = {path: content for path, content in plan.files.items() if path not in same}
    return replace(plan, files=changed, unchanged=tuple(sorted(same)))


def _own_digests(content: bytes) -> tuple[str, str]:
    """The digests by which the hub knows a file: of its git blob, and for large files its SHA-256."""
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return blob.hexdigest(), hashlib.sha256(content).hexdigest()


def _digests(repo: str, repo_type: RepoType, paths: Sequence[str], revision: str, write: bool) -> dict[str, str] | None:
    """The digests of the repository's files among some paths; None if there is no such repository."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
    from huggingface_hub.hf_api import RepoFile

    api = _client(repo, write)
    with hub_errors(repo, repo_type):
        try:
            found = [
                one
                for start in range(0, len(paths), _PATHS)
                for one in api.get_paths_info(
                    repo, list(paths[start : start + _PATHS]), repo_type=repo_type, revision=revision
                )
            ]
        except GatedRepoError:
            raise
        except RepositoryNotFoundError:
            return None
    files = [one for one in found if isinstance(one, RepoFile)]
    return {one.path: one.lfs.sha256 if one.lfs else one.blob_id for one in files}


def file_of(repo: str, repo_type: RepoType, path: str, revision: str = MAIN, optional: bool = False) -> Path | None:
    """Download a file of a repository; return None if the repository does not have it.

    Args:
        repo: The repository.
        repo_type: Its type.
        path: The file's path in it.
        revision: The branch or pull request.
        optional: Whether a repository that does not exist, or is not accessible, counts as one without the file.

    Raises:
        RmevalError: If the repository cannot be read.
    """
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError

    with hub_errors(repo, repo_type):
        try:
            return Path(_client(repo, write=False).hf_hub_download(repo, path, repo_type=repo_type, revision=revision))
        except LocalEntryNotFoundError:  # It is no answer of the hub: it was not reached.
            raise
        except EntryNotFoundError:
            return None
        except RepositoryNotFoundError:
            if not optional:
                raise
            return None


def open_pull_request(repo: str, repo_type: RepoType, title: str, write: bool = True) -> str | None:
    """Return the revision of the user's own open pull request with a title, such as `refs/pr/3`; None without one.

    Args:
        repo: The repository.
        repo_type: Its type.
        title: The title.
        write: Whether something will be sent, which needs a token; without one, no pull request is the user's own.

    Raises:
        RmevalError: If the hub cannot be read.
    """
    from huggingface_hub import get_token

    api = _client(repo, write)
    if get_token() is None:
        return None
    with hub_errors(repo, repo_type):
        own = api.whoami()["name"]
        for one in api.get_repo_discussions(
            repo, author=own, discussion_type="pull_request", discussion_status="open", repo_type=repo_type
        ):
            if (one.title, one.author, one.status, one.is_pull_request) == (title, own, "open", True):
                return f"refs/pr/{one.num}"
    return None


def _client(repo: str, write: bool = True) -> HfApi:
    """The hub's client.

    Raises:
        RmevalError: If something will be sent without a token.
    """
    from huggingface_hub import HfApi, get_token

    if write and get_token() is None:
        raise RmevalError(f"there is no token of the hub to write to {repo}: {_LOGIN}")
    return HfApi(library_name="rmeval")


_LOGIN = "log in with 'hf auth login' or set HF_TOKEN to a token with write access"


@contextmanager
def hub_errors(repo: str, repo_type: RepoType) -> Iterator[None]:
    """Turn errors of the hub's client into one sentence that states the reason and what to do.

    Raises:
        RmevalError: In place of them.
    """
    from huggingface_hub import errors

    # The base class of the errors of its HTTP client, which differs between releases.
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    # One sentence at the end replaces the client's log of each retry.
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.ERROR)
    what = f"the {_WORDS[repo_type]} {repo}"
    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise RmevalError(f"{what} cannot be reached, because HF_HUB_OFFLINE is set: unset it") from error
    except errors.HfHubHTTPError as error:
        raise _refused(error, repo, repo_type) from error
    except errors.HFValidationError as error:
        raise RmevalError(f"{quoted(repo)} is not a valid name on the hub: {reason_of(error)}") from error
    except (HTTPError, ConnectionError, errors.LocalEntryNotFoundError) as error:
        raise RmevalError(
            f"{what} cannot be reached ({_said(error)}): check the connection and HF_ENDPOINT, then run "
            "the same command again"
        ) from error
    except (ValueError, RuntimeError) as error:  # Of the client, for an answer that it cannot read, or an upload.
        raise RmevalError(f"{what} cannot be updated: {_said(error)}") from error
    finally:
        log.setLevel(level)


def _not_found(repo: str, repo_type: RepoType) -> RmevalError:
    return RmevalError(
        f"the {_WORDS[repo_type]} {repo} is not on the hub, or is private: check the spelling, or {_LOGIN}"
    )


def _said(error: Any) -> str:
    """What a hub or its client states, without the token, which a server may repeat whatever its form."""
    from huggingface_hub import get_token

    text, token = reason_of(error), get_token()
    shown: str = redacted(text.replace(token, "[redacted]") if token else text)
    return shown


def _refused(error: Any, repo: str, repo_type: RepoType) -> RmevalError:
    """The error for a request that the hub has refused."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    what, status = f"the {_WORDS[repo_type]} {repo}", error.response.status_code
    if isinstance(error, GatedRepoError):
        return RmevalError(f"{what} is gated: accept its terms on its hub page, then {_LOGIN}")
    if isinstance(error, RepositoryNotFoundError):
        return _not_found(repo, repo_type)
    if status == 401:
        return RmevalError(f"the hub does not accept the token for {what}: {_LOGIN}")
    if status == 403:
        pull = "" if repo_type == "model" else ", or propose the files with `pr`"
        return RmevalError(
            f"the token may not write to {what}: use a repository of your own, ask its owner for write access{pull}"
        )
    if status == 429:
        return RmevalError(f"the hub refuses further requests for {what} (429, too many): wait, then try again")
    said = _said(error.server_message or error)
    return RmevalError(f"the hub refuses the request for {what} ({status}: {said}): try again later")
