"""Runs to look at, and the viewer on a real socket of this process."""

from __future__ import annotations

import html
import http.client
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import rmeval
from rmeval.app.application import viewer_application
from rmeval.app.index import Index, IndexBuilder, IndexedRun, Source
from rmeval.app.token_store import TokenStore
from rmeval.app.viewer import Viewer
from rmeval.app.watch import Watch
from rmeval.models import RewardModel
from rmeval.web.server import PageServer
from tests.samples import pair_rows


class Fetched(NamedTuple):
    """What the server answers."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def problem(self) -> str:
        """The sentence of a page that says why a request is refused; empty on other pages."""
        found = re.search(r'<p role="alert">(.*?)</p>', self.text)
        return html.unescape(found[1]) if found else ""

    @property
    def links(self) -> list[str]:
        """The addresses to which the page leads, each once."""
        found = re.findall(r'href="(/[^"]*)"', self.text)
        return list(dict.fromkeys(html.unescape(one) for one in found))


@dataclass(frozen=True)
class Viewing:
    """A viewer that answers.

    Attributes:
        address: The first page's address.
        viewer: What the pages show.
    """

    address: str
    viewer: Viewer

    def get(self, path: str = "/", method: str = "GET", **headers: str) -> Fetched:
        """Send a request with the path exactly as it is given."""
        place = urlsplit(self.address)
        connection = http.client.HTTPConnection(place.hostname or "", place.port or 80, timeout=60)
        try:
            connection.putrequest(method, path, skip_host="host" in headers)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            text = response.read().decode()
            return Fetched(response.status, {name.lower(): value for name, value in response.getheaders()}, text)
        finally:
            connection.close()


@contextmanager
def viewing(
    runs: Path, index: Path, files: Iterable[Path] = (), models: Sequence[RewardModel] = (), **data: str
) -> Iterator[Viewing]:
    """Serve a folder of runs until the block ends; the index is complete, texts included."""
    source = Source(runs, data)
    with IndexBuilder(index, source) as builder:
        builder.update()
        list(builder.add_texts())
        store = TokenStore(index.with_suffix(""), files, models)
        with Watch(builder) as watch:
            viewer = Viewer(source, Index(index), watch, store)
            server = PageServer(viewer_application(viewer), "viewer")
            thread = threading.Thread(target=server.run)
            thread.start()
            try:
                yield Viewing(server.address, viewer)
            finally:
                server.stop()
                thread.join(30)
                viewer.index.close()


HOSTILE = (
    "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
    "<style>body{display:none}</style></div></article></main>[click](javascript:document.title='owned') "
    '<a href="javascript:alert(1)" onclick="alert(1)">here</a> \u202eright to left\u202c \x1b[31mred\x1b[0m '
    "[red]rich[/red] ![p](http://192.0.2.1/pixel.png) <iframe srcdoc='<script>top.document.title=1</script>'></iframe> "
    "{{ 7 * 7 }}\n"
)


def write_run(
    out: Path, rows: Sequence[Mapping[str, Any]], name: str, score: Callable[[str], float], store_text: bool = True
) -> Path:
    """Write the run of a model that scores the text of a response; return its folder."""
    found = rmeval.evaluate(
        lambda conversations: [score(one[-1]["content"]) for one in conversations],
        "pairs",
        list(rows),
        name=name,
        out=out,
        store_text=store_text,
    )
    return found.path


def planted_rows(count: int = 130) -> list[dict[str, Any]]:
    """Pairs with one planted among them: its rejected response differs in one word, and its prompt is another."""
    rows = pair_rows(count)
    rows[min(77, count - 1)] |= {
        "prompt": "Which bird is on the coin of the duchy?",
        "chosen": "It is the grey **heron** of the lake.",
        "rejected": "It is the grey **pelican** of the lake.",
    }
    return rows


def planted_score(text: str) -> float:
    """Right about every pair but the planted one, where it is very wrong."""
    return 9.0 if "pelican" in text else -len(text) / 1000 - ("may" in text)


def key_of(index: Index, model: str) -> str:
    """The key of a model's run."""
    found: tuple[IndexedRun, ...] = index.runs()
    return next(run.key for run in found if run.model == model)
