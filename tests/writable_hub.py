"""A hub on this machine that takes commits, pull requests and large files, with tokens and owners.

It answers as the Hugging Face hub does where `huggingface_hub` looks: statuses, error codes and digests of files. The
files of `main` lie in the folder of `tests.hub`; those of pull requests are kept in memory.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tests.hub import GATED, Handler

LARGE = ".parquet"


@dataclass
class Commit:
    """A commit that the hub has taken."""

    repo: str
    revision: str
    user: str
    title: str
    description: str
    files: dict[str, bytes]


@dataclass
class Pull:
    """A pull request."""

    number: int
    repo: str
    author: str
    title: str
    files: dict[str, bytes]
    status: str = "open"


@dataclass
class WritableHub:
    """The state of a hub.

    Attributes:
        root: The folder of `main` of all repositories.
        users: Tokens with the user of each.
        endpoint: Its address.
        commits: All commits, in order.
        pulls: All pull requests, in order.
        created: The repositories that were created, with their visibility.
        requests: The method and path of every request.
        refuses: A status with which the hub answers each commit and each new repository.
        repeats_the_token: Whether such an answer contains the token.
        served: Full commit of each repository's `main`.
    """

    root: Path
    users: dict[str, str]
    endpoint: str = ""
    commits: list[Commit] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)
    created: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    refuses: int = 0
    repeats_the_token: bool = False
    objects: dict[str, bytes] = field(default_factory=dict)
    served: dict[str, str] = field(default_factory=dict)

    @property
    def writes(self) -> list[str]:
        """The requests that may change something."""
        return [one for one in self.requests if not one.startswith(("GET", "HEAD")) and "paths-info" not in one]

    def files(self, repo: str, revision: str) -> dict[str, bytes]:
        """The files of a revision; `repo` begins with `models/` or `datasets/`."""
        folder = self.root / repo
        found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        number = revision.removeprefix("refs/pr/")
        own = [pull.files for pull in self.pulls if (pull.repo, str(pull.number)) == (repo, number)]
        return found | (own[0] if own else {})


class WritableHandler(Handler):
    hub: WritableHub

    def do_GET(self) -> None:  # noqa: N802
        if self.command == "HEAD" or self.command == "GET":
            self.hub.requests.append(f"{self.command} {self.path}")
        path = unquote(urlsplit(self.path).path).strip("/")
        if self.is_bad_token():
            return self.refuse(401, message="Invalid credentials in Authorization header")
        if path == "api/whoami-v2":
            return self.answer_json({"name": self.user(), "orgs": []}) if self.user() else self.refuse(401)
        if path.endswith("/discussions"):
            return self.answer_json(self.discussions(path))
        if "/resolve/refs/pr/" in path:
            return self.pull_file(path)
        super().do_GET()
        return None

    def do_POST(self) -> None:  # noqa: N802
        self.hub.requests.append(f"POST {self.path}")
        body = self.body()
        if self.is_bad_token():
            return self.refuse(401, message="Invalid credentials in Authorization header")
        path = unquote(urlsplit(self.path).path).strip("/")
        if path == "api/validate-yaml":
            return self.validate(json.loads(body))
        if path == "api/repos/create":
            return self.create(json.loads(body))
        if path.endswith(".git/info/lfs/objects/batch"):
            return self.batch(json.loads(body))
        kind, owner, name, action, *rest = path.removeprefix("api/").split("/")
        repo, revision = f"{kind}/{owner}/{name}", "/".join(rest)
        if f"{owner}/{name}" == GATED:
            return self.refuse(403, "GatedRepo", "Access is restricted")
        if not (self.hub.root / repo).is_dir():
            return self.refuse(404, "RepoNotFound", "Repository not found")
        if action == "paths-info":
            return self.paths_info(repo, revision, parse_qs(body.decode()).get("paths", []))
        return self.write(repo, owner, action, revision, body)

    def do_PUT(self) -> None:  # noqa: N802
        self.hub.requests.append(f"PUT {self.path}")
        data = self.body()
        digest = self.path.rpartition("/")[2]
        assert hashlib.sha256(data).hexdigest() == digest
        self.hub.objects[digest] = data
        self.answer(200, b"", {})

    def write(self, repo: str, owner: str, action: str, revision: str, body: bytes) -> None:
        user, create_pr = self.user(), "create_pr=1" in urlsplit(self.path).query
        if user is None:
            return self.refuse(401, message="Invalid username or password.")
        if self.hub.refuses and action == "commit":
            repeated = f": {self.headers['Authorization']}" if self.hub.repeats_the_token else ""
            return self.refuse(self.hub.refuses, message=f"refused{repeated}")
        own = any(f"refs/pr/{one.number}" == revision and one.author == user for one in self.hub.pulls)
        if owner != user and not create_pr and not own:
            return self.refuse(403, message="Authorization error.")
        if action == "preupload":
            return self.preupload(repo, revision, json.loads(body))
        assert action == "commit", action
        return self.commit(repo, revision, user, create_pr, body)

    def preupload(self, repo: str, revision: str, asked: Any) -> None:
        there = self.hub.files(repo, revision)
        self.answer_json(
            {
                "files": [
                    {
                        "path": one["path"],
                        "uploadMode": "lfs" if one["path"].endswith(LARGE) else "regular",
                        "shouldIgnore": False,
                        "oid": digest_of(one["path"], there[one["path"]]) if one["path"] in there else None,
                    }
                    for one in asked["files"]
                ]
            }
        )

    def commit(self, repo: str, revision: str, user: str, create_pr: bool, body: bytes) -> None:
        lines = [json.loads(line) for line in body.splitlines()]
        header = lines[0]["value"]
        files: dict[str, bytes] = {}
        for line in lines[1:]:
            value = line["value"]
            large = line["key"] == "lfsFile"
            files[value["path"]] = self.hub.objects[value["oid"]] if large else base64.b64decode(value["content"])
        if create_pr:
            pull = Pull(len(self.hub.pulls) + 1, repo, user, header["summary"], files)
            self.hub.pulls.append(pull)
            revision = f"refs/pr/{pull.number}"
        elif revision.startswith("refs/pr/"):
            self.hub.pulls[int(revision.rpartition("/")[2]) - 1].files.update(files)
        else:
            for path, data in files.items():
                (self.hub.root / repo / path).parent.mkdir(parents=True, exist_ok=True)
                (self.hub.root / repo / path).write_bytes(data)
        self.hub.commits.append(Commit(repo, revision, user, header["summary"], header["description"], files))
        oid = self.commits[repo] = hashlib.sha1(f"{repo}{len(self.hub.commits)}".encode()).hexdigest()
        place = f"{self.hub.endpoint}/{repo.removeprefix('models/')}"
        number = revision.rpartition("/")[2]
        self.answer_json(
            {
                "commitUrl": f"{place}/commit/{oid}",
                "commitOid": oid,
                "pullRequestUrl": f"{place}/discussions/{number}" if create_pr else None,
            }
        )

    def paths_info(self, repo: str, revision: str, paths: list[str]) -> None:
        there = self.hub.files(repo, revision)
        self.answer_json([described(path, there[path]) for path in paths if path in there])

    def discussions(self, path: str) -> Any:
        repo = path.removeprefix("api/").removesuffix("/discussions")
        query = parse_qs(urlsplit(self.path).query)
        found = [
            one
            for one in self.hub.pulls
            if (one.repo, one.status) == (repo, query["status"][0]) and one.author == query["author"][0]
        ]
        kind = repo.partition("/")[0].removesuffix("s")
        shown = [
            {
                "title": one.title,
                "num": one.number,
                "author": {"name": one.author},
                "createdAt": "2026-01-01T00:00:00.000Z",
                "status": one.status,
                "repo": {"name": repo.partition("/")[2], "type": kind},
                "isPullRequest": True,
            }
            for one in found
        ]
        return {"discussions": shown, "count": len(shown), "start": 0}

    def pull_file(self, path: str) -> None:
        repo, _, rest = path.partition("/resolve/refs/pr/")
        number, _, name = rest.partition("/")
        repo = repo if repo.startswith("datasets/") else f"models/{repo}"
        data = self.hub.files(repo, f"refs/pr/{number}").get(name)
        commit = hashlib.sha1(f"{repo}{number}{len(self.hub.commits)}".encode()).hexdigest()
        if data is None:
            return self.answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        return self.answer(200, data, {"X-Repo-Commit": commit, "ETag": etag, "Accept-Ranges": "none"})

    def create(self, asked: Any) -> None:
        user = self.user()
        kind = f"{asked.get('type', 'model')}s"
        repo = f"{kind}/{asked['organization']}/{asked['name']}"
        if user is None:
            return self.refuse(401, message="Invalid username or password.")
        if self.hub.refuses:
            return self.refuse(self.hub.refuses, message="refused")
        if asked["organization"] != user:
            return self.refuse(403, message=f"You don't have the rights to create a repo under {asked['organization']}")
        if (self.hub.root / repo).exists():
            return self.refuse(409, message="You already created this repo")
        (self.hub.root / repo).mkdir(parents=True)
        self.hub.created[repo] = asked.get("visibility") or ("private" if asked.get("private") else "public")
        return self.answer_json({"url": f"{self.hub.endpoint}/{repo}"})

    def validate(self, asked: Any) -> None:
        errors: list[dict[str, str]] = []
        try:
            YAML(typ="safe", pure=True).load(asked["content"].split("---")[1])
        except (YAMLError, IndexError) as error:
            errors.append({"message": str(error)})
        self.answer_json({"errors": errors, "warnings": []})

    def batch(self, asked: Any) -> None:
        assert self.user()
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.hub.endpoint}/lfs/{one['oid']}"}}}
            for one in asked["objects"]
        ]
        self.answer_json({"transfer": "basic", "objects": objects})

    def token(self) -> str | None:
        return (self.headers.get("authorization") or "").removeprefix("Bearer ") or None

    def user(self) -> str | None:
        return self.hub.users.get(self.token() or "")

    def is_bad_token(self) -> bool:
        return self.token() is not None and self.user() is None

    def body(self) -> bytes:
        if self.headers.get("transfer-encoding") == "chunked":
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def refuse(self, status: int, code: str = "", message: str = "") -> None:
        headers = {name: text for name, text in (("X-Error-Code", code), ("X-Error-Message", message)) if text}
        self.answer(status, json.dumps({"error": message}).encode(), {"Content-Type": "application/json", **headers})


def digest_of(path: str, data: bytes) -> str:
    if path.endswith(LARGE):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def described(path: str, data: bytes) -> dict[str, Any]:
    found = {"type": "file", "path": path, "size": len(data), "oid": digest_of(path, data)}
    if path.endswith(LARGE):
        large = {"oid": digest_of(path, data), "size": len(data), "pointerSize": 130}
        found |= {"lfs": large, "oid": hashlib.sha1(path.encode()).hexdigest()}
    return found


@contextmanager
def serve_writable(root: Path, users: dict[str, str]) -> Iterator[WritableHub]:
    """Serve a hub on a free port of the loopback interface.

    Args:
        root: The folder of repositories, see `tests.hub`.
        users: Tokens with the user of each.
    """
    hub = WritableHub(root, users)
    handler = type("Here", (WritableHandler,), {"root": root, "commits": hub.served, "hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
