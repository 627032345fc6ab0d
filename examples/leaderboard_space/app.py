"""Serve a leaderboard of the bundles in a folder; the site is built again whenever a bundle lands."""

from __future__ import annotations

import functools
import http.server
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any


class Files(http.server.SimpleHTTPRequestHandler):
    """The files of the site, without listings of folders."""

    def list_directory(self, path: Any) -> None:
        """Answer that there is no such page."""
        self.send_error(404)


def main() -> None:
    """Build the site in a process of its own, and serve it."""
    bundles, site = (Path(os.environ.get(name, name.lower())) for name in ("BUNDLES", "SITE"))
    site.mkdir(parents=True, exist_ok=True)
    build = [sys.executable, "-m", "rmeval", "leaderboard", "build", str(bundles), "-o", str(site), "--watch"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # A container is stopped with it; the builder ends too.
    with subprocess.Popen(build) as builder:
        place = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "7860"))
        try:
            http.server.ThreadingHTTPServer(place, functools.partial(Files, directory=site)).serve_forever()
        finally:
            builder.terminate()


if __name__ == "__main__":
    main()
