"""Attacks of the sandbox: each is contained there, and does what it says without it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rmeval.doctor.attacks import ATTACKS, FORGERIES, RIGHT, TESTS, Attack, Forgery, source
from rmeval.doctor.sandbox import LIMITS, attempt
from rmeval.doctor.scene import MB, Amounts, Scene, marked, opened_scene
from rmeval.sandbox import Outcome, Sandbox
from rmeval.sandbox.isolation import open_bubblewrap
from tests.command import command

SMALL = Amounts(
    processes=4,
    most_processes=8,
    memory=16 * MB,
    most_memory=128 * MB,
    most_uncounted=32 * MB,
    disk=2 * MB,
    most_disk=8 * MB,
    file_size=MB,
    most_output=MB,
    seconds=0.1,
)
"""What a machine without a sandbox can stand."""

NOT_HERE = {
    # They need privileges, networks or files that a machine of tests need not have.
    "connection to the internet",
    "connection to the host of a virtual machine",
    "names of other machines (DNS)",
}


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    if isinstance(found := open_bubblewrap(), str):
        pytest.skip(f"a sandbox cannot be tested: {found}")
    return Sandbox(replace(LIMITS, wall=2.0), require=True)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_contained(sandbox: Sandbox, attack: Attack) -> None:
    result = attempt(sandbox, attack)
    assert (result.contained, result.reason) == (True, "")


def plainly(attack: Attack, scene: Scene, folder: Path) -> Outcome:
    """Runs an attack without any sandbox, in a group of processes that is ended."""
    program = folder / f"{scene.marker}.py"
    program.write_text(source(attack))
    started = subprocess.Popen(
        [sys.executable, program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=folder,
        text=True,
        start_new_session=True,
    )
    assert started.stdin is not None and started.stdout is not None
    with started:
        started.stdin.write(scene.given())
        started.stdin.close()
        lines = []
        while (line := started.stdout.readline()) and line != "TRIED\n":
            lines.append(line)
        lines.append(line)
        started.stdout.close()
        code = started.wait()
    return Outcome("exit", code, "".join(lines), "", 0.0, "process")


@pytest.mark.parametrize("attack", [one for one in ATTACKS if one.name not in NOT_HERE], ids=lambda attack: attack.name)
def test_an_attack_succeeds_without_a_sandbox(attack: Attack, tmp_path: Path) -> None:
    with opened_scene(SMALL) as scene:
        try:
            outcome = plainly(attack, scene, tmp_path)
            reached = attack.trouble(outcome) if "GOT" in outcome.stdout else scene.reached()
            assert reached, outcome
        finally:
            for pid in marked(scene.marker):
                os.kill(pid, signal.SIGKILL)


def test_the_attacks_that_are_not_tried_without_a_sandbox_exist() -> None:
    assert {one.name for one in ATTACKS} > NOT_HERE


def test_a_scene_shows_what_was_reached(tmp_path: Path) -> None:
    def changed(change: Callable[[Scene], object]) -> str | None:
        with opened_scene(SMALL) as scene:
            assert scene.reached() is None
            change(scene)
            return scene.reached()

    def kill(scene: Scene) -> None:
        scene.victim.kill()
        scene.victim.wait()

    def connect(scene: Scene) -> None:
        socket.create_connection(("127.0.0.1", scene.server.getsockname()[1])).close()

    assert changed(lambda scene: scene.file.write_text("x")) == "a file outside was changed"
    assert changed(lambda scene: scene.file.unlink()) == "a file outside was changed"
    assert changed(lambda scene: scene.new_file.touch()) == "a file outside was changed"
    assert changed(kill) == "a process of this machine was killed"
    assert changed(connect) == "a server of this machine got a connection"


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
def test_a_forged_pass_is_no_pass(sandbox: Sandbox, forgery: Forgery) -> None:
    found = sandbox.verify(forgery.code, TESTS)
    assert found.status in ("fail", "timeout"), found


def test_the_right_solution_of_the_same_tests_passes(sandbox: Sandbox) -> None:
    found = sandbox.verify(RIGHT, TESTS)
    assert (found.status, found.detail) == ("pass", "")


PASS_TOGETHER = {
    "exit code 0 before the tests",
    "exit code 0 during the tests",
    "SystemExit during the tests",
    "an object that equals everything",
    "numbers that equal everything",
    "functions with names of builtins",
}
"""The others attack the way in which rmeval verifies."""


@pytest.mark.parametrize("name", sorted(PASS_TOGETHER))
def test_a_forgery_passes_where_tests_and_solution_share_a_process(name: str, tmp_path: Path) -> None:
    (forgery,) = (one for one in FORGERIES if one.name == name)
    program = tmp_path / "program.py"
    program.write_text(f"{forgery.code}\n{TESTS.code}")
    assert subprocess.run([sys.executable, program], check=False, timeout=60).returncode == 0


def test_an_attack_that_says_nothing_is_not_contained(sandbox: Sandbox) -> None:
    for code, reason in (
        ("got('everything')", "everything"),
        ("os._exit(0)", "it did not come to its end: "),
        ("while True: pass", "it ended with timeout, not exit: "),
    ):
        assert attempt(sandbox, Attack("x", code)).reason == reason


def test_the_command_needs_a_model_or_the_sandbox(capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "doctor", "--json")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: rmeval doctor needs a model to check: give MODEL, or --sandbox to check the sandbox\n"
    done = command(capsys, "doctor", "./x", "--sandbox")
    assert done.code == 2
    assert "give MODEL or --sandbox, not both" in done.err


@pytest.mark.slow
def test_the_command_reports_each_attack(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "doctor", "--sandbox")
    assert done.code == 0, done.out
    assert done.out.count("contained  ") == len(ATTACKS) + len(FORGERIES)
    assert (
        f"{len(ATTACKS) + len(FORGERIES)} of {len(ATTACKS) + len(FORGERIES)} attacks contained (bubblewrap)" in done.out
    )


@pytest.mark.slow
def test_without_bubblewrap_attacks_are_not_contained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = command(capsys, "doctor", "--sandbox", "--json")
    assert done.code == 1
    found = json.loads(done.out)
    contained = {one["name"]: one["contained"] for one in found["attacks"]}
    assert found["isolation"] == "process"
    assert not contained["reading files"] and not contained["writing outside its folder"]
    # Limits hold in both isolations, and so does the separation of tests and solution.
    assert contained["endless loop"] and contained["10 GB of memory"] and contained["process left behind"]
    assert all(held for name, held in contained.items() if name.startswith("forged pass"))
