"""What attacks of a sandbox aim at: a file, a server, a process; and whether they were reached, seen from outside."""

from __future__ import annotations

import json
import secrets
import selectors
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Amounts", "Scene", "marked", "opened_scene"]

MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Amounts:
    """How far attacks go.

    Attributes:
        processes: More processes than this are not contained.
        most_processes: Where a fork bomb stops by itself.
        memory: Bytes; twice this is not contained.
        most_memory: Where an allocation stops by itself.
        most_uncounted: Where memory without an owner stops; reaching it is not contained.
        disk: Bytes; more is not contained.
        most_disk: Where writing stops by itself.
        file_size: Bytes of each file.
        most_output: Where output stops by itself.
        seconds: Seconds of an endless loop; None for one that does not end.
    """

    processes: int
    most_processes: int
    memory: int
    most_memory: int
    most_uncounted: int
    disk: int
    most_disk: int
    file_size: int
    most_output: int
    seconds: float | None


class Scene:
    """Targets of attacks.

    Args:
        folder: A folder for the files.
        amounts: How far attacks go.
    """

    def __init__(self, folder: Path, amounts: Amounts) -> None:
        self.marker = f"rmeval-{secrets.token_hex(8)}"
        self.secret = secrets.token_hex(16)
        self.amounts = amounts
        self.file, self.new_file, self.socket = folder / "file", folder / "new", folder / "socket"
        self.file.write_text(self.secret)
        self.file.chmod(0o666)
        folder.chmod(0o777)
        self.folder = folder
        self.server = socket.create_server(("0.0.0.0", 0))
        self.listeners = [self.server, self._unix("\0" + self.marker), self._unix(str(self.socket))]
        self.socket.chmod(0o666)
        self.victim = subprocess.Popen(["/bin/sleep", "3600"], env={"SECRET": self.secret}, start_new_session=True)

    def _unix(self, address: str) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.bind(address)
        made.listen()
        return made

    def given(self) -> str:
        """What the programs read from standard input, as JSON."""
        amounts = {name: getattr(self.amounts, name) for name in Amounts.__dataclass_fields__}
        addresses = ["127.0.0.1", *_own_addresses()]
        places: dict[str, Any] = {
            "addresses": addresses,
            "file": str(self.file),
            "folder": str(self.folder),
            "home": str(Path.home()),
            "marker": self.marker,
            "new_file": str(self.new_file),
            "port": self.server.getsockname()[1],
            "secret": self.secret,
            "socket": str(self.socket),
            "victim": self.victim.pid,
        }
        return json.dumps(amounts | places)

    def reached(self) -> str | None:
        """What an attack changed outside; None if nothing."""
        with suppress(OSError):
            if self.file.read_text() == self.secret and not self.new_file.exists():
                if self.victim.poll() is not None:
                    return "a process of this machine was killed"
                if self._connected():
                    return "a server of this machine got a connection"
                left = marked(self.marker)
                return f"processes are left: {', '.join(map(str, left))}" if left else None
        return "a file outside was changed"

    def _connected(self) -> bool:
        with selectors.DefaultSelector() as selector:
            for listener in self.listeners:
                selector.register(listener, selectors.EVENT_READ)
            return bool(selector.select(0))

    def close(self) -> None:
        """End the server and the process."""
        for listener in self.listeners:
            listener.close()
        self.victim.kill()
        self.victim.wait()


def marked(marker: str) -> list[int]:
    """Return the processes whose command line contains a text."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if marker.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def _own_addresses() -> list[str]:
    with suppress(OSError):
        return sorted({str(one[4][0]) for one in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)})
    return []


@contextmanager
def opened_scene(amounts: Amounts) -> Iterator[Scene]:
    """Set a scene in a temporary folder, and remove it at the end of the block."""
    with ExitStack() as stack:
        scene = Scene(Path(stack.enter_context(tempfile.TemporaryDirectory())), amounts)
        stack.callback(scene.close)
        yield scene
