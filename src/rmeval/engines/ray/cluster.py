"""Ray: connects to a cluster or starts a local instance, and runs replicas as actors."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import ray.exceptions
from ray._private import worker as ray_worker

from rmeval.engines.ray.resources import Node, cpus_of_replica, default_replicas, needs
from rmeval.engines.ray.schedule import EndedError
from rmeval.engines.ray.worker import Worker
from rmeval.errors import ModelError, RmevalError, reason_of

__all__ = ["Connection", "RayCluster"]

_OBJECTS = 200_000_000
"""Bytes of shared memory of a local instance, which holds token ids that are being sent."""


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
            with _signals_kept():
                ray.init(address=self.address or "local", **options)
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


class RayCluster:
    """Replicas as Ray actors; see `rmeval.engines.ray.schedule.Cluster`.

    Attributes:
        count: Number of replicas.
        gpus: GPUs of each.
        version: Version of Ray.
    """

    def __init__(self, replicas: int | None, gpus: float | None, device: str) -> None:
        """Find out what each replica gets, once Ray is connected.

        Args:
            replicas: Their number; by default as many as the cluster has GPUs for, or 1.
            gpus: GPUs of each; by default 1 if the cluster has any and the device is not the CPU.
            device: The engine's device.
        """
        nodes = _nodes()
        has_gpus = any(node.gpus for node in nodes)
        self.gpus = float(has_gpus and device != "cpu") if gpus is None else gpus
        self.count = default_replicas(nodes, self.gpus) if replicas is None else replicas
        self._cpus = cpus_of_replica(nodes, self.count, self.gpus)
        self._actor: Any = ray.remote(Worker)
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
        return done[0] if done else None

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
        if ray.is_initialized():
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
    if "node" in text and ("has died" in text or "was terminated" in text or "was dead" in text):
        return "its node ended"
    if isinstance(error, ray.exceptions.OutOfMemoryError) or "running low on memory" in text:
        return "its node ran out of memory"
    if "creation task" in text:
        return text.strip().splitlines()[-1].strip()
    if isinstance(error, ray.exceptions.RayActorError):
        return "its process was killed or crashed"
    return reason_of(error)
