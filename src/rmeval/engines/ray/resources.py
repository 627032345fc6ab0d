"""The share of a cluster that each replica gets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from rmeval.messages import count_of

__all__ = ["Node", "cpus_of_replica", "default_replicas", "needs"]


class Node(NamedTuple):
    """What a node of a cluster has for all who use it."""

    cpus: int
    gpus: float


def default_replicas(nodes: Sequence[Node], gpus: float) -> int:
    """As many replicas as the nodes have GPUs for; 1 if replicas use none."""
    return max(1, sum(math.floor(node.gpus / gpus) for node in nodes)) if gpus else 1


def cpus_of_replica(nodes: Sequence[Node], replicas: int, gpus: float) -> int:
    """The largest number of CPUs for each replica with which all find room; 0 (no reservation) if they find none.

    Args:
        nodes: The nodes.
        replicas: Number of replicas.
        gpus: GPUs of each.
    """
    most = max((node.cpus for node in nodes), default=0)
    return next((cpus for cpus in range(most, 0, -1) if _room(nodes, cpus, gpus) >= replicas), 0)


def _room(nodes: Sequence[Node], cpus: int, gpus: float) -> int:
    """How many replicas find room."""
    return sum(min(node.cpus // cpus, math.floor(node.gpus / gpus) if gpus else node.cpus) for node in nodes)


def needs(cpus: int, gpus: float, nodes: Sequence[Node], free_cpus: float, free_gpus: float) -> str:
    """What a replica needs and what a cluster has, for messages."""
    wants = " and ".join(f"{number:g} {what}" for number, what in ((gpus, "GPUs"), (cpus, "CPUs")) if number)
    has = f"{sum(node.gpus for node in nodes):g} GPUs and {sum(node.cpus for node in nodes)} CPUs"
    return (
        f"each needs {wants or 'a process'} of one node, and the cluster has {count_of(len(nodes), 'node')} with "
        f"{has} in total, of which {free_gpus:g} GPUs and {free_cpus:g} CPUs are free"
    )
