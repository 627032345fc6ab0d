"""Ray: connects to a cluster or starts a local instance, and runs replicas as actors."""

from __future__ import annotations

import atexit
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import ray.exceptions
from ray._private import services
from ray._private import worker as ray_worker

from rmeval.engines.ray.resources import Node, cpus_of_replica, default_replicas, needs
from rmeval.engines.ray.schedule import EndedError
from rmeval.engines.ray.worker import Worker
from rmeval.errors import ModelError, RmevalError, reason_of

__all__ = ["Connection", "RayCluster"]

_OBJECTS = 200_000_000
"""Bytes of shared memory of a local instance, which holds token ids that are being sent."""

_REACH = 10.0
"""Seconds in which a cluster must accept a connection."""

_SILENT = 5
"""How often in a row the head of a cluster may refuse a connection, about one second apart."""


class Connection:
    """The connection of this process to Ray, of which there can be one.

    Attributes:
        address: The address to which it is connected; None for a local instance.
    """

    def __init__(self, address: str | None) -> None:
        """Connect to a cluster or start a local instance, unless the calling program is connected already.

        Args:
            address: `auto`, `host:port` or `ray://host:port`; None for a local instance.

        Raises:
            ModelError: If that fails.
        """
        self.address = address
        self._own = not ray.is_initialized()
        if self._own:
            self._connect()

    def _connect(self) -> None:
        # Ray prints messages about replicas that end to standard output, where scores may go.
        ray_worker._worker_logs_enabled = False
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if self.address is None:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
            options |= {"num_cpus": cores, "object_store_memory": _OBJECTS, "include_dashboard": False}
        try:
            # A cluster that ended without a signal leaves its address behind.
            found = services.canonicalize_bootstrap_address("auto") if self.address == "auto" else self.address
            _check_reachable(found)
            with _signals_kept():
                ray.init(address=found or "local", **options)
        except (OSError, RuntimeError, ValueError, ImportError, ray.exceptions.RayError) as error:
            reason = reason_of(error)
            if self.address is None:
                raise ModelError(f"Ray does not start on this machine ({reason}): correct the cause") from error
            raise ModelError(
                f"Ray cannot connect to {self.address} ({reason}): check `ray_address`, and that the cluster runs with "
                "the same versions of Python and Ray"
            ) from error

    def close(self) -> None:
        """Disconnect, and end a local instance."""
        if self._own and ray.is_initialized():
            with _signals_kept():
                ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Check that something accepts connections at an address; Ray would try for minutes.

    Raises:
        ModelError: If nothing does.
    """
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_REACH).close()
    except (OSError, OverflowError) as error:
        raise ModelError(
            f"no Ray cluster can be reached at {address} ({reason_of(error)}): check `ray_address`, and that the "
            "cluster runs"
        ) from error


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Restore the handlers of signals, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave() -> None:
    """End this process without Ray's own end, which waits for a minute and then fails if the cluster has ended."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(2)


class _Actor(Worker):
    """A worker that knows its node."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder, ray.get_runtime_context().get_node_id())


class RayCluster:
    """Replicas as Ray actors; see `rmeval.engines.ray.schedule.Cluster`.

    Attributes:
        count: Number of replicas.
        gpus: GPUs of each.
        version: Version of Ray.
        ended: Whether the cluster has ended.
    """

    def __init__(self, address: str | None, replicas: int | None, gpus: float | None, device: str) -> None:
        """Find out what each replica gets, once Ray is connected.

        Args:
            address: The address of the cluster; None for a local instance, to which no node is added.
            replicas: Their number; by default as many as the cluster has GPUs for, or 1.
            gpus: GPUs of each; by default 1 if the cluster has any and the device is not the CPU.
            device: The engine's device.

        Raises:
            ModelError: If a local instance has too few GPUs.
        """
        nodes = _nodes()
        has_gpus = any(node.gpus for node in nodes)
        self.gpus = float(has_gpus and device != "cpu") if gpus is None else gpus
        self.count = default_replicas(nodes, self.gpus) if replicas is None else replicas
        self._cpus = cpus_of_replica(nodes, self.count, self.gpus)
        if address is None and max(node.gpus for node in nodes) < self.gpus:
            raise ModelError(f"no replica has room on this machine ({self.resources()}): give fewer `gpus_per_replica`")
        self.ended = False
        # A client of `ray://` does not know the head, and Ray raises an exception when its connection is lost.
        self._client = address is not None and address.startswith("ray://")
        self._silent = 0
        self._actor: Any = ray.remote(_Actor)
        self._folder = str(Path.cwd())
        self.version: str = ray.__version__

    def start(self) -> Any:
        """Create an actor; Ray places it when a node has room."""
        options = {"num_cpus": self._cpus, "num_gpus": self.gpus, "max_restarts": 0, "max_task_retries": 0}
        return self._actor.options(scheduling_strategy="SPREAD", **options).remote(self._folder)

    def call(self, replica: Any, method: str, *arguments: Any) -> Any:
        """Begin a call of a method."""
        return getattr(replica, method).remote(*arguments)

    def ready(self, tickets: Sequence[Any], seconds: float) -> Any | None:
        """Wait until one of some calls has ended."""
        done, _ = ray.wait(list(tickets), num_returns=1, timeout=seconds)
        if not done and not self._client:
            self._check_head()
        return done[0] if done else None

    def _check_head(self) -> None:
        """Check that the cluster's head still runs; Ray would end this process after a minute without it.

        Raises:
            ModelError: If it has not answered several times in a row.
        """
        host, _, port = str(ray.get_runtime_context().gcs_address).rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_REACH).close()
            self._silent = 0
        except OSError as error:
            self._silent += 1
            if self._silent >= _SILENT:
                self.ended = True
                atexit.unregister(ray_worker.shutdown)
                atexit.register(_leave)
                raise ModelError(
                    f"the Ray cluster at {host}:{port} has ended ({reason_of(error)}): start it again and run the same "
                    "command; what was read before is kept"
                ) from error

    def answer(self, ticket: Any) -> Any:
        """The result of a call that has ended."""
        try:
            return ray.get(ticket)
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            raise (cause if isinstance(cause, RmevalError | MemoryError) else error) from None
        except ray.exceptions.RayError as error:
            raise EndedError(_reason(error)) from error

    def stop(self, replica: Any) -> None:
        """End a replica."""
        if ray.is_initialized() and not self.ended:
            ray.kill(replica, no_restart=True)

    def resources(self) -> str:
        """What a replica needs and what the cluster has."""
        free = ray.available_resources()
        return needs(self._cpus, self.gpus, _nodes(), free.get("CPU", 0), free.get("GPU", 0))


def _nodes() -> list[Node]:
    found = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Node(math.floor(one.get("CPU", 0)), float(one.get("GPU", 0))) for one in found]


def _reason(error: BaseException) -> str:
    """Why a process ended, from Ray's message of many lines."""
    text = str(error)
    if "its node has died" in text or "the actor's node was" in text:
        return "its node ended"
    if isinstance(error, ray.exceptions.OutOfMemoryError) or "running low on memory" in text:
        return "its node ran out of memory"
    if "creation task" in text:
        return text.strip().splitlines()[-1].strip()
    if isinstance(error, ray.exceptions.RayActorError):
        return "its process was killed or crashed"
    return reason_of(error)
