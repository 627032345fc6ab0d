"""The review page in its own process, and a client that behaves as a browser without scripts."""

from __future__ import annotations

import html
import http.client
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from rmeval.build import BuildFolder
from rmeval.build.review.log import Mode, ReviewLog
from rmeval.build.review.page.application import review_application
from rmeval.build.review.page.session import Session
from rmeval.build.review.selection import records_to_review
from rmeval.web.server import PageServer
from tests.command import serving


@dataclass
class Page:
    """What the server answers."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def key(self) -> str:
        found = re.search(r"<h1>([^<]*)</h1>", self.text)
        return html.unescape(found[1]) if found else ""

    @property
    def texts(self) -> list[str]:
        """The responses as they are shown, with marks in brackets."""
        bodies = re.findall(r'<article.*?<div class="text[^"]*" dir="auto">(.*?)</div>', self.text, re.DOTALL)
        marked = (body.replace("<mark>", "[").replace("</mark>", "]") for body in bodies)
        return [html.unescape(re.sub(r"<[^>]*>", "", body)) for body in marked]

    @property
    def progress(self) -> str:
        found = re.search(r'<label for="progress">(.*?)</label>', self.text)
        return found[1] if found else ""

    def form(self, place: str) -> tuple[str, dict[str, str]]:
        """Address and hidden fields of the form of a question, or of `undo`."""
        action = r"/undo" if place == "undo" else rf"/item/\d+/{place}"
        found = re.search(rf'<form method="post" action="({action}[^"]*)".*?</form>', self.text, re.DOTALL)
        assert found, place
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', found[0]))
        return html.unescape(found[1]), fields


class Client:
    """Follows redirects and sends forms with the headers that browsers send."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.host = urlsplit(address).netloc

    def send(self, method: str, path: str, body: str | None = None, **headers: str) -> Page:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            received = {name.lower(): value for name, value in answer.getheaders()}
            return Page(answer.status, received, answer.read().decode())
        finally:
            connection.close()

    def get(self, path: str = "/") -> Page:
        found = self.send("GET", path)
        while found.status == 303:
            found = self.send("GET", found.headers["location"])
        return found

    def post(self, path: str, **fields: str) -> Page:
        content = {"Content_Type": "application/x-www-form-urlencoded"}
        found = self.send("POST", path, urlencode(fields), Origin=f"http://{self.host}", **content)
        return self.get(found.headers["location"]) if found.status == 303 else found

    def judge(self, page: Page, place: str, verdict: str, comment: str = "") -> Page:
        action, fields = page.form(place)
        return self.post(action, **fields, verdict=verdict, comment=comment)

    def undo(self, page: Page) -> Page:
        action, fields = page.form("undo")
        return self.post(action, **fields)


@contextmanager
def served(build: BuildFolder, reviewer: str = "anna", mode: Mode = "blind", **more: Any) -> Iterator[Client]:
    """The page in a thread of this process, on a real socket."""
    options = {name: more.pop(name) for name in ("host", "with_token") if name in more}
    with ReviewLog(build.review, reviewer) as log:
        session = Session("my-bench", records_to_review(build), build.review, log, mode, **more)
        server = PageServer(review_application(session), "review", **options)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield Client(server.address)
        finally:
            server.stop()
            thread.join(30)


@dataclass
class Running:
    """A server's process."""

    client: Client
    process: subprocess.Popen[str]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


@contextmanager
def reviewing(folder: Path, reviewer: str = "anna", *arguments: str) -> Iterator[Running]:
    """Run `rmeval build review FOLDER --reviewer NAME` until the block ends."""
    with serving("build", "review", folder, "--reviewer", reviewer, *arguments) as (address, process):
        yield Running(Client(address), process)
