"""Attacks the sandbox on this machine, and reports what it contains."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rmeval.doctor.attacks import ATTACKS, FORGERIES, RIGHT, TESTS, Attack, source
from rmeval.doctor.scene import MB, Amounts, Scene, opened_scene
from rmeval.sandbox import Limits, Program, Sandbox

__all__ = ["AttackResult", "SandboxExamination", "attempt", "examine_sandbox"]

LIMITS = Limits(wall=5.0, cpu=3.0, memory=256 * MB, output=MB, processes=24, file_size=16 * MB, disk=32 * MB)
_AMOUNTS = Amounts(
    processes=LIMITS.processes,
    most_processes=500,
    memory=LIMITS.memory,
    most_memory=10 << 30,
    most_uncounted=2 * LIMITS.memory,
    disk=LIMITS.disk,
    most_disk=4 * LIMITS.disk,
    file_size=LIMITS.file_size,
    most_output=16 * LIMITS.output,
    seconds=None,
)
_SETTLE = 2.0
"""Seconds in which processes that were killed must be gone."""


@dataclass(frozen=True, slots=True)
class AttackResult:
    """The result of one attack.

    Attributes:
        name: What it attacked.
        contained: Whether the sandbox held.
        reason: What it reached; empty if it was contained.
    """

    name: str
    contained: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SandboxExamination:
    """Results of all attacks.

    Attributes:
        isolation: How programs are isolated here.
        attacks: The results.
    """

    isolation: str
    attacks: tuple[AttackResult, ...]

    @property
    def contained(self) -> bool:
        """Whether every attack was contained."""
        return all(one.contained for one in self.attacks)


def examine_sandbox(
    sandbox: Sandbox | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> SandboxExamination:
    """Run every attack in a sandbox.

    Args:
        sandbox: The sandbox. Default: one with small limits.
        progress: Called with the number of attacks done and the total.
    """
    sandbox = sandbox or Sandbox(LIMITS)
    found: list[AttackResult] = []
    for one in _results(sandbox):
        found.append(one)
        progress(len(found), len(ATTACKS) + len(FORGERIES))
    return SandboxExamination(sandbox.isolation, tuple(found))


def _results(sandbox: Sandbox) -> Iterator[AttackResult]:
    for attack in ATTACKS:
        yield attempt(sandbox, attack)
    control = sandbox.verify(RIGHT, TESTS)
    for forgery in FORGERIES:
        verdict = sandbox.verify(forgery.code, TESTS)
        reason = ""
        if control.status != "pass":
            reason = f"a right solution does not pass ({control.status}: {control.detail})"
        elif verdict.status in ("pass", "unavailable"):
            reason = f"the verdict is {verdict.status}"
        yield AttackResult(f"forged pass: {forgery.name}", not reason, reason)


def attempt(sandbox: Sandbox, attack: Attack, amounts: Amounts = _AMOUNTS) -> AttackResult:
    """Run one attack, and look from outside at what it reached."""
    with opened_scene(amounts) as scene:
        # Its name is in the command line of each of its processes.
        name = f"{scene.marker}.py"
        outcome = sandbox.run(Program("python", {name: source(attack)}, name, scene.given()))
        reason = attack.trouble(outcome) or _after(scene)
    return AttackResult(attack.name, reason is None, reason or "")


def _after(scene: Scene) -> str | None:
    """What the scene shows once processes that were killed are gone."""
    end = time.monotonic() + _SETTLE
    while (reason := scene.reached()) is not None and time.monotonic() < end:
        time.sleep(0.05)
    return reason
