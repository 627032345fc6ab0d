"""The engine ray on this machine: equal scores for any number of replicas, and what happens when processes end."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rmeval.store.raw import read_raw
from tests.checkpoints import CHATML, make_checkpoint, make_tokenizer, say
from tests.integration.environments import environment, run_in, variables

WATCHED = f"{Path(__file__).with_name('watched_engine.py')}:watched"
ITEMS = ("-b", "rm-bench-synthetic", "--size", "80", "--max-length", "512", "--on-overlength", "skip")
PATIENCE = 240
WRITTEN = """
name = "written@1"
kind = "pair"
reads = "text"
find = '([AB])'
verdict = "{label}"
several = "last"
prompt = "{{ conversation }} {% for block in blocks %}{{ block }} {% endfor %}Which one is better?"

[labels]
A = 1.0
B = 0.0

[sampling]
max_new_tokens = 6
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint") / "m")


@pytest.fixture(scope="module")
def plain(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """The scores of one replica."""
    out = tmp_path_factory.mktemp("plain")
    done = run_in("ray", "-m", "rmeval", "run", checkpoint, *ITEMS, "-o", out, "--engine", "ray")
    assert done.returncode == 0, done.stderr
    return scores(out)


def folder(out: Path) -> Path:
    (found,) = [path.parent for path in out.rglob("run.json")]
    return found


def records(out: Path) -> list[dict[str, Any]]:
    lines = [line for file in sorted(folder(out).glob("journal/*.jsonl")) for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def scores(out: Path) -> dict[str, float]:
    """The scores by request, each of which is in the journal once."""
    found = records(out)
    assert max(Counter(one["key"] for one in found).values()) == 1
    return {one["key"]: one["values"]["score"] for one in found if one.get("values")}


def sessions(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder(out) / "run.json").read_text())["sessions"]
    return found


def of_session(number: int) -> list[int]:
    """The processes of a session."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdecimal() and os.getsid(int(path.name)) == number and _runs(path):
                found.append(int(path.name))
        except (ProcessLookupError, FileNotFoundError):
            continue
    return found


def left_of(number: int) -> list[int]:
    """The processes of a session that has ended, after the time that they may take to end."""
    stop = time.monotonic() + PATIENCE
    while of_session(number) and time.monotonic() < stop:
        time.sleep(0.1)
    return of_session(number)


def _runs(path: Path) -> bool:
    return (path / "stat").read_text().rpartition(")")[2].split()[0] != "Z"


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a process and all that it has started."""
    for number in of_session(process.pid):
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


class Watched:
    """A run with `watched_engine.py` in the background."""

    def __init__(self, checkpoint: Path, out: Path, *options: str, **more: str) -> None:
        self.notes = out.parent / "notes"
        self.notes.write_text("")
        command: list[str | Path] = [
            environment("ray") / "python",
            "-m",
            "rmeval",
            "run",
            checkpoint,
            *ITEMS,
            "-o",
            out,
        ]
        self.process = subprocess.Popen(
            [*command, "-o", out, "--engine", "ray", "--replica-engine", WATCHED, *options],
            env=variables({"WATCHED": str(self.notes), **more}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def seen(self) -> list[tuple[int, int]]:
        """The process of each portion, and its session."""
        lines = [line.split() for line in self.notes.read_text().splitlines()]
        return [(int(process), int(session)) for process, session in lines]

    def wait_for(self, portions: int, processes: int = 1) -> None:
        """Wait until some portions have begun, in some processes."""
        stop = time.monotonic() + PATIENCE
        while len(self.seen()) < portions or len({process for process, _ in self.seen()}) < processes:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < stop, "no portions"
            time.sleep(0.05)

    def ended(self) -> tuple[int, str, str]:
        """The exit code, standard output and standard error."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


def test_scores_do_not_depend_on_the_number_of_replicas(
    checkpoint: Path, plain: dict[str, float], tmp_path: Path
) -> None:
    for count in ("2", "4"):
        out = tmp_path / count
        settings = (*ITEMS, "-o", out, "--engine", "ray", "--replicas", count)
        done = run_in("ray", "-m", "rmeval", "run", checkpoint, *settings)
        assert done.returncode == 0, done.stderr
        # Ray itself prints nothing.
        assert [line for line in done.stderr.splitlines() if not line.startswith("rm-bench-synthetic")] == []
        assert scores(out) == plain
    own = sessions(tmp_path / "4")[0]
    assert own["ray"]["replicas"] == 4
    assert own["prefix_sharing"]["distinct"] < own["prefix_sharing"]["tokens"]


def test_a_run_of_hf_continues_with_ray(checkpoint: Path, plain: dict[str, float], tmp_path: Path) -> None:
    begin = run_in("ray", "-m", "rmeval", "run", checkpoint, *ITEMS, "-o", tmp_path, "--limit", "20")
    assert begin.returncode == 0, begin.stderr
    before = len(scores(tmp_path))
    done = run_in("ray", "-m", "rmeval", "run", checkpoint, *ITEMS, "-o", tmp_path, "--engine", "ray")
    assert done.returncode == 0, done.stderr
    found = scores(tmp_path)
    assert 0 < before < len(found)
    assert found == pytest.approx(plain, abs=1e-5)
    assert ["ray" in one for one in sessions(tmp_path)] == [False, True]


@pytest.mark.parametrize("protocol", ["written", "ab-labels"])
def test_a_judge_gives_the_verdicts_of_hf(tmp_path: Path, protocol: str) -> None:
    """Texts and label probabilities; draws too, which depend on a request's seed and on nothing else."""
    tokenizer = make_tokenizer(model_max_length=4096, chat_template=CHATML)
    judge = make_checkpoint(tmp_path / "judge", "causal", tokenizer=tokenizer, max_position_embeddings=4096)
    say(judge, "A", "B", *(["<|im_end|>"] if protocol == "written" else []))
    (tmp_path / "written.toml").write_text(WRITTEN)
    settings = ("-b", "rm-bench-synthetic", "--n-items", "4", "--store-text")
    how: tuple[str | Path, ...] = ("--protocol", protocol)
    if protocol == "written":
        how = ("--protocol", tmp_path / "written.toml", "--votes", "2", "--temperature", "1")
    for engine in (("hf",), ("ray", "--replicas", "2")):
        out = tmp_path / engine[0]
        done = run_in("ray", "-m", "rmeval", "run", judge, *settings, *how, "-o", out, "--engine", *engine)
        assert done.returncode == 0, done.stderr
    hf, ray = ({one["key"]: one for one in records(tmp_path / name) if "key" in one} for name in ("hf", "ray"))
    assert len(hf) == len(ray) > 40
    for key, one in hf.items():
        assert (ray[key]["status"], ray[key].get("choice")) == (one["status"], one.get("choice"))
        assert ray[key].get("values") == pytest.approx(one.get("values"), abs=1e-5)
    assert len({round(one["values"]["p_first"], 4) for one in hf.values() if one.get("values")}) > 1
    texts = [dict(read_raw(folder(tmp_path / name) / "raw")) for name in ("hf", "ray")]
    assert texts[0] == texts[1]
    assert (len(set(texts[0].values())) > 4) == (protocol == "written")
    assert sessions(tmp_path / "ray")[0]["ray"]["replicas"] == 2


def test_a_killed_worker_loses_nothing(checkpoint: Path, plain: dict[str, float], tmp_path: Path) -> None:
    run = Watched(checkpoint, tmp_path / "runs", "--replicas", "2")
    run.wait_for(4)
    os.kill(run.seen()[-1][0], signal.SIGKILL)
    code, out, err = run.ended()
    assert (code, "raylet" in out + err) == (0, False), err
    assert "note: a replica on" in err
    assert "has ended (its process was killed or crashed)" in err
    assert scores(tmp_path / "runs") == plain
    facts = sessions(tmp_path / "runs")[0]["ray"]
    assert (facts["restarts"], facts["portions_repeated"]) == (1, 1)
    assert len({process for process, _ in run.seen()}) == 3
    assert left_of(run.process.pid) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_no_process_and_continues(
    checkpoint: Path, plain: dict[str, float], tmp_path: Path, number: int
) -> None:
    run = Watched(checkpoint, tmp_path / "runs", "--replicas", "2")
    run.wait_for(5)
    # A terminal sends SIGINT to every process of the group.
    (os.killpg if number == signal.SIGINT else os.kill)(run.process.pid, number)
    code, _, err = run.ended()
    assert code == 128 + number
    assert err.strip().endswith("run the same command again to continue")
    assert left_of(run.process.pid) == []
    before = len(scores(tmp_path / "runs"))
    assert 0 < before < len(plain)
    out = tmp_path / "runs"
    done = run_in("ray", "-m", "rmeval", "run", checkpoint, *ITEMS, "-o", out, "--engine", "ray")
    assert done.returncode == 0, done.stderr
    assert scores(out) == pytest.approx(plain, abs=1e-5)


def test_a_portion_that_kills_two_workers_stops_the_run(
    checkpoint: Path, plain: dict[str, float], tmp_path: Path
) -> None:
    before = run_in("ray", "-m", "rmeval", "run", checkpoint, *ITEMS, "-o", tmp_path / "before")
    assert before.returncode == 0, before.stderr
    lengths = {one["usage"]["tokens"] for one in records(tmp_path / "before") if one.get("values")}
    # A length in the middle, so that other portions are read before it.
    deadly = sorted(lengths)[len(lengths) // 2]
    run = Watched(checkpoint, tmp_path / "runs", "--replicas", "2", DEADLY=str(deadly))
    code, _, err = run.ended()
    assert code == 2, err
    assert "error: 2 replicas ended while they read " in err
    assert "tokens (the last one: its process was killed or crashed): give a smaller --batch-size" in err
    assert 0 < len(scores(tmp_path / "runs")) < len(plain)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[dict[str, str], tuple[str, ...], list[subprocess.Popen[Any]]]]:
    """Two nodes with one CPU each: variables and options of their users, and the processes of the nodes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Ray listens on all interfaces; the token keeps others out.
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    settings = ("--block", "--num-cpus", "1", "--num-gpus", "0", "--object-store-memory", "80000000")
    started: list[subprocess.Popen[Any]] = []
    try:
        for place in (("--head", f"--port={port}", "--include-dashboard=false"), (f"--address=127.0.0.1:{port}",)):
            with (tmp_path / f"node{len(started)}.log").open("w") as log:
                command = [environment("ray") / "ray", "start", *place, *settings]
                more = variables({**token, "WATCHED": str(tmp_path / "notes"), "PAUSE": "1.5"})
                started.append(
                    subprocess.Popen(command, env=more, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
                )
            _wait_for_start(started[-1], Path(log.name))
        yield token, ("--ray-address", f"127.0.0.1:{port}"), started
    finally:
        for one in reversed(started):
            end(one)


def _wait_for_start(node: subprocess.Popen[Any], log: Path) -> None:
    stop = time.monotonic() + PATIENCE
    while "Ray runtime started" not in log.read_text():
        assert node.poll() is None, log.read_text()
        assert time.monotonic() < stop, log.read_text()
        time.sleep(0.1)


def test_two_nodes(
    checkpoint: Path,
    plain: dict[str, float],
    tmp_path: Path,
    cluster: tuple[dict[str, str], tuple[str, ...], list[subprocess.Popen[Any]]],
) -> None:
    token, address, (head, other) = cluster
    run = Watched(checkpoint, tmp_path / "one", *address, "--replicas", "2", **token)
    run.wait_for(3, processes=2)
    assert {session for _, session in run.seen()} == {head.pid, other.pid}
    end(other)
    code, _, err = run.ended()
    assert code == 0, err
    assert scores(tmp_path / "one") == plain
    facts = sessions(tmp_path / "one")[0]["ray"]
    assert (facts["nodes"], facts["portions_repeated"]) == (2, 1)

    run = Watched(checkpoint, tmp_path / "two", *address, "--replicas", "1", **token)
    run.wait_for(4)
    end(head)
    code, _, err = run.ended()
    assert code == 2, err
    assert "error: the Ray cluster at " in err
    assert "start it again and run the same command; what was read before is kept" in err
    assert 0 < len(scores(tmp_path / "two")) < len(plain)


def test_a_cluster_that_is_not_there(checkpoint: Path, tmp_path: Path) -> None:
    settings = (*ITEMS, "-o", tmp_path, "--engine", "ray")
    done = run_in("ray", "-m", "rmeval", "run", checkpoint, *settings, "--ray-address", "127.0.0.1:9")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: no Ray cluster can be reached at 127.0.0.1:9 (")
    more = {"RAY_ADDRESS": "127.0.0.1:9"}
    done = run_in("ray", "-m", "rmeval", "run", checkpoint, *settings, "--ray-address", "auto", **more)
    assert done.returncode == 2
    assert "error: no Ray cluster can be reached at " in done.stderr
    done = run_in("ray", "-m", "rmeval", "run", checkpoint, *settings, "--gpus-per-replica", "2")
    assert done.returncode == 2
    assert "error: no replica has room on this machine (each needs 2 GPUs of one node" in done.stderr
