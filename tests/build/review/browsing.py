"""The review page in its own process, and a client that behaves as a browser without scripts."""

from __future__ import annotations

import html
import http.client
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlencode, urlsplit


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


@dataclass
class Running:
    """A server's process."""

    client: Client
    process: subprocess.Popen[str]
    address: str

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


@contextmanager
def reviewing(folder: Path, reviewer: str = "anna", *arguments: str) -> Iterator[Running]:
    """Run `rmeval build review FOLDER --reviewer NAME` until the block ends."""
    command = [sys.executable, "-m", "rmeval", "build", "review", str(folder), "--reviewer", reviewer, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = _address(process.stdout)
        assert address, process.communicate()[1]
        yield Running(Client(address), process, address)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def _address(output: IO[str] | None) -> str:
    assert output is not None
    found = re.search(r"http://\S+", output.readline())
    return found[0] if found else ""
