"""The engine hf, which notes each portion and takes a moment for it; one conversation may be deadly."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rmeval.engines import Engine, EngineOptions, Reading, Readout, TokenSequence, open_engine


def watched(spec: str, options: EngineOptions) -> Engine:
    """Open a checkpoint; notes go to the file of the environment variable WATCHED."""
    engine = open_engine(spec, options)
    run = engine.run

    def noted(sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        with Path(os.environ["WATCHED"]).open("a") as file:
            file.write(f"{os.getpid()} {os.getsid(0)}\n")
        time.sleep(float(os.environ.get("PAUSE", "0.3")))
        if any(len(one) == int(os.environ.get("DEADLY", "0")) for one in sequences):
            os.kill(os.getpid(), signal.SIGKILL)
        yield from run(sequences, readout)

    engine.run = noted  # type: ignore[method-assign]
    return engine
