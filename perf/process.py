"""Split the CPU time of a whole run into imports, the network, and everything else.

python -m perf.process MODEL -b BENCHMARK [...]    arguments of `rmeval run`
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

__all__ = ["main"]


def main() -> None:
    """Run, and print a line."""
    begun = time.process_time()
    import rmeval.cli.app
    import rmeval.models.classifier
    from rmeval.engines.hf.network import Network
    from rmeval.engines.hf.plain import PlainPath
    from rmeval.engines.hf.readouts import Reader
    from rmeval.engines.hf.tree import TreeNetwork

    imports = time.process_time() - begun
    spent: list[float] = []
    depth: list[None] = []

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            start = time.process_time()
            depth.append(None)
            try:
                return function(*given, **named)
            finally:
                depth.pop()
                if not depth:
                    spent.append(time.process_time() - start)

        return call

    for owner, name in (
        (TreeNetwork, "hidden"),
        (Reader, "values"),
        (PlainPath, "batch"),
        (Network, "_from_pretrained"),
    ):
        setattr(owner, name, timed(getattr(owner, name)))
    with tempfile.TemporaryDirectory() as folder:
        sys.argv = ["rmeval", "run", *sys.argv[1:], "-o", folder]
        begun = time.process_time()
        try:
            rmeval.cli.app.app(standalone_mode=False)
        finally:
            total = time.process_time() - begun
            network = sum(spent)
            rest = total - network
            print(  # noqa: T201
                f"CPU seconds: imports {imports:.1f}, network {network:.1f}, all else {rest:.1f} "
                f"({100 * rest / total:.1f}% of the run)"
            )


if __name__ == "__main__":
    main()
