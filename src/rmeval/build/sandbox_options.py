"""The options of the sandbox in a config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from rmeval.build.config import Options

if TYPE_CHECKING:
    from rmeval.sandbox import Sandbox

__all__ = ["SandboxOptions"]


class SandboxOptions(Options):
    """Limits of one run of code.

    Attributes:
        require: Whether code runs only in bubblewrap, and never with the weaker fallback.
        wall: Seconds.
        cpu: Seconds of processor time.
        memory: Bytes.
        processes: Number of processes.
        readable: Folders that code can read besides the system's, such as packages that solutions import.
    """

    require: bool = False
    wall: float = Field(10.0, gt=0)
    cpu: float = Field(10.0, gt=0)
    memory: int = Field(1 << 30, ge=1 << 24)
    processes: int = Field(32, ge=1)
    readable: list[str] = Field(default=[])

    def sandbox(self) -> Sandbox:
        """The sandbox."""
        from rmeval.sandbox import Limits, Sandbox

        limits = Limits(wall=self.wall, cpu=self.cpu, memory=self.memory, processes=self.processes)
        return Sandbox(limits, self.require, [Path(one) for one in self.readable])
