"""Makes folders of root readable for the unprivileged user as which root starts programs.

Python or a toolchain often lies in /root, which no other user may enter. A mount namespace shows those folders at a
place that all users may enter; nothing changes outside it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["Namespace", "open_namespace"]

_PLACE = "/tmp"
_SCRIPT = f"""
set -e
stage=$1
shift
mount -t tmpfs -o mode=755,size=1m rmeval "$stage"
number=0
for path; do
    if [ -d "$path" ]; then mkdir "$stage/$number"; else : > "$stage/$number"; fi
    mount --rbind "$path" "$stage/$number"
    number=$((number + 1))
done
mount --move "$stage" {_PLACE}
echo ready
read -r end
"""


class Namespace:
    """A mount namespace that shows some paths at places that all users may enter.

    Attributes:
        descriptor: Descriptor of the namespace; it exists as long as the descriptor is open.
        places: Where each path is shown.
    """

    def __init__(self, descriptor: int, places: Mapping[Path, Path]) -> None:
        self.descriptor = descriptor
        self.places = places

    def __del__(self) -> None:
        os.close(self.descriptor)


def open_namespace(paths: Sequence[Path]) -> Namespace | None:
    """Return a namespace for some paths; None if this process may not create one."""
    with tempfile.TemporaryDirectory() as stage:
        command = ["/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", _SCRIPT, "sh", stage]
        try:
            started = subprocess.Popen(
                [*command, *map(str, paths)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )
        except OSError:
            return None
        with started:
            assert started.stdout is not None
            if started.stdout.readline() != b"ready\n":
                return None
            descriptor = os.open(f"/proc/{started.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    return Namespace(descriptor, {path: Path(_PLACE) / str(number) for number, path in enumerate(paths)})
