"""The replicas of this process, which all engines with the same settings share."""

from __future__ import annotations

import os
import secrets
import sys
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rmeval.engines.base import EngineOptions
from rmeval.engines.ray.portions import CPU_TOKENS, GPU_TOKENS
from rmeval.engines.ray.schedule import Schedule

if TYPE_CHECKING:
    from rmeval.engines.ray.cluster import Connection, RayCluster

__all__ = ["Team", "team_of"]


@dataclass(eq=False)
class Team:
    """Replicas and what they read at a time.

    Attributes:
        schedule: Divides calls among them.
        tokens: Largest number of distinct tokens in a portion.
        version: Version of Ray.
    """

    schedule: Schedule
    tokens: int
    version: str


_teams: weakref.WeakValueDictionary[tuple[Any, ...], Team] = weakref.WeakValueDictionary()


def team_of(options: EngineOptions) -> Team:
    """The replicas with the settings of the options; a policy and its reference share them.

    They end with the last engine that uses them, or with this process.

    Raises:
        ModelError: If Ray cannot be used.
    """
    key = (options.ray_address, options.replicas, options.gpus_per_replica, options.device == "cpu")
    if (found := _teams.get(key)) is None:
        found = _teams[key] = _new(options)
    return found


def _new(options: EngineOptions) -> Team:
    _prepare(options.ray_address)
    from rmeval.engines.ray.cluster import Connection, RayCluster

    connection = Connection(options.ray_address)
    cluster = RayCluster(options.ray_address, options.replicas, options.gpus_per_replica, options.device)
    schedule = Schedule(cluster, cluster.count)
    found = Team(schedule, GPU_TOKENS if cluster.gpus else CPU_TOKENS, cluster.version)
    weakref.finalize(found, _end, schedule, connection, cluster)
    return found


def _prepare(address: str | None) -> None:
    """Set what Ray reads when it is imported.

    Only this process may use a local instance, whose ports Ray opens to the network.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is None and "ray" not in sys.modules and not any(name.startswith("RAY_AUTH_") for name in os.environ):
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _end(schedule: Schedule, connection: Connection, cluster: RayCluster) -> None:
    schedule.close()
    if not _teams and not cluster.ended:
        connection.close()
