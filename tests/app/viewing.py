"""Runs to look at, and the viewer on a real socket of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rmeval.app.application import viewer_application
from rmeval.app.index import Index, IndexBuilder, Source
from rmeval.app.token_store import TokenStore
from rmeval.app.viewer import Viewer
from rmeval.app.watch import Watch
from rmeval.models import RewardModel
from rmeval.web.server import PageServer


@dataclass(frozen=True)
class Viewing:
    """A viewer that answers.

    Attributes:
        address: The first page's address.
        viewer: What the pages show.
    """

    address: str
    viewer: Viewer


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
