"""Holding back of a last batch until what answered is known to be the same as at the beginning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

__all__ = ["held_back"]

T = TypeVar("T")


def held_back(batches: Iterable[list[T]], check: Callable[[], None], other: type[Exception]) -> Iterator[list[T]]:
    """Yield batches, the last one only after a check.

    A server behind another one may be replaced while no connection ends. If it was, the last batch is missing, so that
    nobody takes what exists for a complete run.

    Args:
        batches: The batches.
        check: Called after the last one if there is any; raises `other` if something else answers now.
        other: What is raised then, here or by `batches`; the batch that is held back is lost with it.
    """
    held: list[T] = []
    try:
        for found in batches:
            # An interruption between the two leaves a batch out, which is scored again, and none twice.
            found, held = held, found
            if found:
                yield found
        if held:
            check()
    except (GeneratorExit, other):
        raise
    except BaseException:
        found, held = held, []
        if found:
            yield found
        raise
    if held:
        yield held
