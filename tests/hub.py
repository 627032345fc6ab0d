"""A Hugging Face hub on this machine: the few addresses that downloading needs, served from a folder.

    ROOT/models/<owner>/<name>/...      ROOT/datasets/<owner>/<name>/...

The client is the real one, told where the hub is by HF_ENDPOINT.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

GATED = "someone/gated"


class Handler(BaseHTTPRequestHandler):
    root: Path
    commits: dict[str, str]
    """Full commit of each repository."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        api = path.startswith("api/")
        kind, _, rest = path.removeprefix("api/").partition("/")
        if kind not in ("models", "datasets"):
            kind, rest = "models", path
        owner, name, *tail = rest.split("/")
        repo = f"{owner}/{name}"
        folder = self.root / kind / repo
        if repo == GATED:
            return self.answer(403, b"gated", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"})
        if not folder.is_dir():
            return self.answer(401, b"who", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        commit = self.commits.setdefault(f"{kind}/{repo}", hashlib.sha1(repo.encode()).hexdigest())
        if api:
            return self.answer_json(self.describe(folder, repo, commit, tail))
        revision, file = tail[1], "/".join(tail[2:])
        if revision not in ("main", commit):
            return self.answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        if not (folder / file).is_file():
            return self.answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        data = (folder / file).read_bytes()
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        self.answer(200, data, {"X-Repo-Commit": commit, "ETag": etag, "Accept-Ranges": "none"})
        return None

    def describe(self, folder: Path, repo: str, commit: str, tail: list[str]) -> Any:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if tail[:1] == ["commits"]:
            return [{"id": commit, "title": "only", "message": "", "authors": [], "date": "2024-01-01T00:00:00.000Z"}]
        if tail[:1] == ["tree"]:
            return [
                {"type": "file", "path": str(p.relative_to(folder)), "size": p.stat().st_size, "oid": "0"}
                for p in files
            ]
        return {
            "id": repo,
            "sha": commit,
            "siblings": [{"rfilename": str(p.relative_to(folder)), "size": p.stat().st_size} for p in files],
            "tags": [],
        }

    def answer_json(self, value: Any) -> None:
        self.answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Says nothing."""


@contextmanager
def serve(root: Path, commits: dict[str, str]) -> Iterator[str]:
    """Serves a folder on a free port of the loopback interface; gives the endpoint."""
    handler = type("Here", (Handler,), {"root": root, "commits": commits})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
