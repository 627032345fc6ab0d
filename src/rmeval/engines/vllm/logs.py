"""vLLM's log messages, which its processes write into one file instead of the terminal."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["cause_in", "first_sentence", "into_the_log", "keep", "quiet", "written"]

_OWN = ("VLLM_LOGGING_LEVEL", "VLLM_LOGGING_CONFIG_PATH", "VLLM_CONFIGURE_LOGGING")
"""Variables by which users choose vLLM's log themselves; if one is set, its messages go where the user wants them."""
_RAISED = re.compile(r"\b(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*(?:Error|Exception|Exit)): (\S.*)")
_CONSEQUENCES = ("EngineDeadError", "Engine core initialization failed", "see the stack trace", "See root cause")
"""Parts of messages that report that another process failed, and not why."""
_PRINTED = (1, 2)
"""Numbers of the files that a process prints to."""
_folder: list[Path] = []


def quiet() -> None:
    """Let the vLLM processes of this one log to a file, and send no usage statistics; call before vLLM is imported."""
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    # Without forking: this process has threads, whose locks a fork would copy as they are.
    os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
    if _folder or any(name in os.environ for name in _OWN):
        return
    folder = Path(tempfile.mkdtemp(prefix="rmeval-vllm-"))
    _folder.append(folder)
    atexit.register(_remove)
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": "%(asctime)s %(process)d %(levelname)s %(message)s"}},
        "handlers": {"file": {"class": "logging.FileHandler", "filename": str(folder / "log"), "formatter": "plain"}},
        "loggers": {"vllm": {"handlers": ["file"], "level": "INFO", "propagate": False}},
    }
    (folder / "logging.json").write_text(json.dumps(config))
    os.environ["VLLM_LOGGING_CONFIG_PATH"] = str(folder / "logging.json")


@contextmanager
def into_the_log() -> Iterator[None]:
    """Let processes that are started inside the context print into the log, for as long as they run.

    They inherit the open files of this process. What this process prints meanwhile goes into the log, too.
    """
    if not _folder:
        yield
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = [os.dup(number) for number in _PRINTED]
    try:
        with (_folder[0] / "log").open("ab") as log:
            for number in _PRINTED:
                os.dup2(log.fileno(), number)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for number, before in zip(_PRINTED, kept, strict=True):
            os.dup2(before, number)
            os.close(before)


def written() -> int:
    """The size of the log in bytes; 0 if there is none."""
    file = _folder[0] / "log" if _folder else None
    return file.stat().st_size if file is not None and file.is_file() else 0


def keep(since: int = 0) -> tuple[str | None, Path | None]:
    """Keep the log after this process ends, and find the cause of a failure in it.

    Args:
        since: Number of bytes to skip, which belong to earlier engines.

    Returns:
        The cause, if the log has one, and the place of the log, if there is one.
    """
    if not written():
        return None, None
    atexit.unregister(_remove)
    with (_folder[0] / "log").open("rb") as opened:
        opened.seek(since)
        return cause_in(opened.read().decode("utf-8", "replace")), _folder[0] / "log"


def _remove() -> None:
    shutil.rmtree(_folder[0], ignore_errors=True)


def cause_in(log: str) -> str | None:
    """The first sentence of the first exception in a log that does not report another one; None if there is none.

    Args:
        log: Messages of vLLM, with the tracebacks of its processes.
    """
    for line in log.splitlines():
        found = _RAISED.search(line)
        if found is not None and not any(part in line for part in _CONSEQUENCES):
            return f"{found[1]}: {first_sentence(found[2])}"
    return None


def first_sentence(text: str) -> str:
    """The first sentence of a text, without the full stop."""
    return re.split(r"\.\s", text.strip(), maxsplit=1)[0].rstrip(".:")
