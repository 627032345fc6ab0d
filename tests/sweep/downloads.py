"""Downloads models one after the other as a sweep does, without loading them: a program for the tests of the cache.

    python downloads.py LIMIT RECORD MODEL[+REFERENCE]...

A model whose name ends with `!` is downloaded by a process that is killed, so that the sweep ends with it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rmeval.errors import RmevalError
from rmeval.hub import hub_file
from rmeval.sweep.disk import room_of
from rmeval.sweep.models_file import SweepModel, hub_repositories


def main() -> None:
    """Print what is deleted, and why a model does not fit."""
    limit, folder, *names = sys.argv[1:]
    models = [model(number, name) for number, name in enumerate(names)]
    room = room_of(limit, Path(folder), print)
    for number, one in enumerate(models):
        try:
            room.make(one, models[number + 1 :], weights=True)
        except RmevalError as error:
            print(f"{one.spec}: {error}")  # noqa: T201
            continue
        for repository in hub_repositories(one):
            for file in ("config.json", "model.safetensors"):
                hub_file(repository, file)
        if names[number].endswith("!"):
            os._exit(0)
        room.used(one, models[number + 1 :])


def model(number: int, name: str) -> SweepModel:
    spec, _, reference = name.removesuffix("!").partition("+")
    return SweepModel(number, spec, options={"ref_model": reference} if reference else {})


if __name__ == "__main__":
    main()
