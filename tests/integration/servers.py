"""Real servers on this machine, for tests of what calls one: vLLM and `transformers serve`."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import pytest

from tests.integration.environments import environment, variables

SECONDS = 400
"""Time in which a server must be up; on two cores with other work it takes one or two minutes."""
POOLING = ("--runner", "pooling")


class ModelServer:
    """A process that serves a model on a port of 127.0.0.1.

    Attributes:
        model: The checkpoint's folder.
        url: Address of the server.
        pid: Number of its process; the processes that it starts are in the same group.
        log: File with what it prints.
    """

    name = "rm"

    def __init__(self, model: Path, log: Path, *arguments: str, port: int | None = None) -> None:
        self.model, self.log, self._arguments = model, log, arguments
        self._port = free_port() if port is None else port
        self.url = f"http://127.0.0.1:{self._port}"
        self.pid = 0
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """The program with its arguments."""
        raise NotImplementedError

    def start(self) -> Self:
        """Start the server, and wait until it answers."""
        own = variables({"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"})
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(self.command(), env=own, stdout=out, stderr=out, start_new_session=True)
        self.pid = self._process.pid
        end = time.monotonic() + SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise AssertionError(f"the server did not start:\n{self.log.read_text(errors='replace')[-6000:]}")
            time.sleep(1)
        return self

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def kill(self) -> None:
        """End the server and the processes that it started, without a warning."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None


class VLLMServer(ModelServer):
    """vLLM, in an environment of its own."""

    def command(self) -> list[str]:
        """The program with its arguments."""
        command = [str(environment("vllm") / "python"), "-m", "vllm.entrypoints.openai.api_server"]
        command += ["--model", str(self.model), "--host", "127.0.0.1", "--port", str(self._port)]
        return [*command, "--served-model-name", self.name, "--dtype", "float32", "--enforce-eager", *self._arguments]


class TransformersServer(ModelServer):
    """`transformers serve` of the tests' own environment; the model's name there is its path."""

    def command(self) -> list[str]:
        """The program with its arguments."""
        program = str(Path(sys.executable).parent / "transformers")
        command = [program, "serve", str(self.model), "--host", "127.0.0.1", "--port", str(self._port)]
        return [*command, "--device", "cpu", "--dtype", "float32", *self._arguments]

    @property
    def model_name(self) -> str:
        """The model's name at the server, which takes no other one."""
        return str(self.model)


def free_port() -> int:
    """A port of 127.0.0.1 that no other program uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


StartServer = Callable[..., VLLMServer]


@pytest.fixture(scope="session")
def vllm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Start a server: `vllm_server(model_dir)`, with further arguments of vLLM instead of `--runner pooling`.

    One server runs at a time, because each takes gigabytes: a server of another model or with other arguments ends the
    one before, and the same call again returns the same server, started again if a test has killed it.
    """
    current: list[tuple[tuple[Path, tuple[str, ...]], VLLMServer]] = []

    def start(model: Path, *arguments: str) -> VLLMServer:
        wanted = (model, arguments or POOLING)
        if current and current[0][0] == wanted:
            server = current[0][1]
            return server if server.running else server.start()
        for _, other in current:
            other.kill()
        server = VLLMServer(model, tmp_path_factory.mktemp("vllm") / "log", *wanted[1])
        current[:] = [(wanted, server)]
        return server.start()

    yield start
    for _, server in current:
        server.kill()


StartTransformers = Callable[[Path], TransformersServer]


@pytest.fixture(scope="session")
def transformers_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartTransformers]:
    """Start `transformers serve`: `transformers_server(model_dir)`; a second call returns the same server."""
    missing = [name for name in ("fastapi", "uvicorn", "openai") if find_spec(name) is None]
    if missing:
        pytest.skip(
            f"transformers serve needs {', '.join(missing)}: make test-integration installs transformers[serving]"
        )
    # Without this folder the server cannot list its models.
    (Path.home() / ".cache" / "huggingface" / "hub").mkdir(parents=True, exist_ok=True)
    servers: dict[Path, TransformersServer] = {}

    def start(model: Path) -> TransformersServer:
        if model not in servers:
            servers[model] = TransformersServer(model, tmp_path_factory.mktemp("serve") / "log")
        server = servers[model]
        return server if server.running else server.start()

    yield start
    for server in servers.values():
        server.kill()
