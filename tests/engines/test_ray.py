"""The engine `ray` without Ray: portions, what a replica does, how calls are divided, and what engines of it return."""

from __future__ import annotations

import importlib.util
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

import rmeval
from rmeval.engines import (
    AtPositions,
    EngineOptions,
    LastToken,
    LogitsAt,
    TokenLogProbs,
    open_engine,
    readout_of,
)
from rmeval.engines.prefixes import PrefixTree
from rmeval.engines.ray.portions import plan_portions
from rmeval.engines.ray.reports import Reports
from rmeval.engines.ray.resources import Node, cpus_of_replica, default_replicas, needs
from rmeval.engines.ray.schedule import Schedule
from rmeval.engines.ray.worker import Packed, Recipe, Worker, Workplace
from rmeval.errors import ModelError, RmevalError, RunError
from rmeval.models import load_model
from rmeval.protocols.pointwise import conversation_requests
from rmeval.types import Message
from tests.checkpoints import make_checkpoint
from tests.engines.local_cluster import Fate, LocalCluster

LOCAL = f"{Path(__file__).with_name('local_cluster.py')}:open_local"
TALKS = [
    (Message("user", "what is the capital"), Message("assistant", "why " * n + "it is so" + " of" * m))
    for n in (0, 5, 2, 9)
    for m in range(3)
]
lists = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=30), max_size=40)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("classifier") / "m")


# Portions.


@given(lists, st.integers(1, 60))
def test_portions(sequences: list[list[int]], most: int) -> None:
    portions = plan_portions(sequences, most)
    assert sorted(k for portion in portions for k in portion) == list(range(len(sequences)))
    for portion in portions:
        assert len(portion) == 1 or PrefixTree([sequences[k] for k in portion]).distinct <= most
    longest = [max(len(sequences[k]) for k in portion) for portion in portions]
    assert longest == sorted(longest, reverse=True)


def test_responses_to_one_prompt_stay_together() -> None:
    prompts = [np.random.default_rng(k).integers(0, 300, 40) for k in range(12)]
    sequences = [np.append(prompt, [k, 7]) for k in range(5) for prompt in prompts]
    portions = plan_portions(sequences, 110)
    assert [sorted({k % 12 for k in portion}) for portion in portions] == [[k, k + 1] for k in range(0, 12, 2)]
    distinct = sum(PrefixTree([sequences[k] for k in portion]).distinct for portion in portions)
    assert distinct == PrefixTree(sequences).distinct


def test_readouts_of_some_sequences() -> None:
    assert readout_of(LastToken("score"), [1]) == LastToken("score")
    assert readout_of(AtPositions("score", [[0], [1, 2], [3]]), [2, 0]) == AtPositions("score", [[3], [0]])
    assert readout_of(LogitsAt((5,), [[0], [1, 2]]), [1]) == LogitsAt((5,), [[1, 2]])
    assert readout_of(TokenLogProbs([(1, 2), (3, 4)]), [1]) == TokenLogProbs([(3, 4)])


@given(st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=5), max_size=6))
def test_packed_sequences(sequences: list[list[int]]) -> None:
    assert [one.tolist() for one in Packed.of(sequences).sequences()] == sequences


# Resources.


@pytest.mark.parametrize(
    ("nodes", "replicas", "gpus", "cpus"),
    [
        ([Node(8, 0)], 1, 0, 8),
        ([Node(8, 0)], 3, 0, 2),
        ([Node(2, 0)], 4, 0, 0),
        ([Node(2, 0), Node(64, 0), Node(64, 0)], 4, 0, 32),
        ([Node(64, 8)], 8, 1, 8),
        ([Node(64, 8), Node(16, 0)], 4, 2, 16),
        ([Node(4, 8)], 8, 1, 0),
        ([Node(4, 1)], 4, 0.25, 1),
        ([], 1, 0, 0),
    ],
)
def test_the_cpus_of_a_replica(nodes: list[Node], replicas: int, gpus: float, cpus: int) -> None:
    assert cpus_of_replica(nodes, replicas, gpus) == cpus


def test_the_number_of_replicas() -> None:
    nodes = [Node(8, 4), Node(8, 3), Node(8, 0)]
    assert [default_replicas(nodes, gpus) for gpus in (0, 0.5, 1, 2, 8)] == [1, 14, 7, 3, 1]
    assert needs(2, 1, nodes, 3, 0) == (
        "each needs 1 GPUs and 2 CPUs of one node, and the cluster has 3 nodes with 7 GPUs and 24 CPUs in total, of "
        "which 0 GPUs and 3 CPUs are free"
    )


# What a replica does.


def recipe(path: Path, fingerprint: str | None = None, **more: Any) -> Recipe:
    options = EngineOptions()
    return Recipe(0, str(path), options, "hf", fingerprint or open_engine(str(path), options).fingerprint(), **more)


SEQUENCES = [np.array(one, np.int32) for one in ([5, 6, 7, 8], [5, 6, 9], [5], [9, 9, 5, 5, 5, 6])]


def test_a_worker_reads_what_the_engine_reads(classifier: Path) -> None:
    worker, own = Worker("/no/such/folder"), recipe(classifier)
    engine = open_engine(str(classifier), EngineOptions())
    readout = worker.own_readout(own).found
    assert readout == engine.own_readout()
    expected = {k: v for one in engine.run(SEQUENCES, readout) for k, v in zip(one.indices, one.values, strict=True)}
    packed = Packed.of(SEQUENCES)
    assert worker.settled(own, packed, readout).found == readout
    answer = worker.read(own, packed, readout, packed, readout)
    assert [one.tolist() for one in answer.found] == [expected[k].tolist() for k in range(len(SEQUENCES))]
    assert answer.facts["prefix_sharing"]["tokens"] == 14
    worker.release(own)
    again = worker.read(own, packed, readout, packed, readout)
    assert [one.tolist() for one in again.found] == [one.tolist() for one in answer.found]


def test_a_worker_has_another_checkpoint(classifier: Path) -> None:
    with pytest.raises(ModelError, match=r"m is another checkpoint here \(sha256:.*\) than where .* \(sha256:0\)"):
        Worker(".").own_readout(recipe(classifier, "sha256:0"))
    with pytest.raises(ModelError, match="m is no adapter here"):
        Worker(".").own_readout(recipe(classifier, below=True))


def test_warnings_of_a_worker_reach_its_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = make_checkpoint(tmp_path / "m", architectures=["OtherClass"], auto_map={"AutoModel": "own.OtherClass"})
    before = list(logging.getLogger("rmeval").handlers)
    assert ["names its own class" in one for one in Worker(".").own_readout(recipe(path)).notes] == [True]
    assert logging.getLogger("rmeval").handlers == before
    caplog.clear()
    scores(load_model(path, engine=LOCAL))
    shown = [one for one in caplog.records if "names its own class" in one.message]
    assert [one.name for one in shown if one.name.startswith("rmeval.engines.ray")] == ["rmeval.engines.ray.engine"]


# How calls are divided.


class Echo:
    """A worker that returns what it receives."""

    def __init__(self, number: int, version: str = rmeval.__version__) -> None:
        self._place = Workplace(version, "3", f"host{number % 2}", f"node{number % 2}", number)

    def workplace(self) -> Workplace:
        return self._place

    def read(self, number: int) -> int:
        if number < 0:
            raise RunError("a file is missing: restore it")
        return number


def scheduled(count: int = 3, **settings: Any) -> tuple[Schedule, LocalCluster]:
    cluster = LocalCluster(**{"make": Echo, **settings})
    return Schedule(cluster, count, clock=lambda: cluster.time), cluster


def read(schedule: Schedule, numbers: range) -> Iterator[int]:
    for found in schedule.each("read", [(number,) for number in numbers]):
        assert found.answer == numbers[found.number]
        yield found.answer


@given(st.integers(1, 6), st.integers(0, 30), st.sets(st.integers(0, 29)), st.integers(0, 99))
def test_each_call_is_answered_once_whoever_ends(count: int, calls: int, deadly: set[int], seed: int) -> None:
    tried: Counter[int] = Counter()

    def fate(number: int, method: str, arguments: tuple[Any, ...]) -> str | None:
        tried.update(arguments)
        return "killed" if arguments and arguments[0] in deadly and tried[arguments[0]] == 1 else None

    schedule, cluster = scheduled(count, fate=fate, seed=seed)
    assert sorted(read(schedule, range(calls))) == list(range(calls))
    assert schedule.facts()["portions_repeated"] == len(deadly & set(range(calls)))
    assert all(tried[k] == 1 + (k in deadly) for k in range(calls))
    schedule.close()
    assert set(cluster.stopped) == {one.number for one in cluster.replicas if one.ended is None}


def killed_by(number: int) -> Fate:
    return lambda _, method, arguments: "killed" if arguments == (number,) else None


def test_a_portion_that_ends_two_replicas() -> None:
    schedule, _ = scheduled(fate=killed_by(4))
    with pytest.raises(ModelError, match=r"^2 replicas ended while they read call 4 \(the last one: killed\): give"):
        list(read(schedule, range(50)))
    assert sorted(read(schedule, range(5, 50))) == list(range(5, 50))


def test_replicas_that_cannot_be_placed(caplog: pytest.LogCaptureFixture) -> None:
    schedule, cluster = scheduled(places=0)
    with pytest.raises(ModelError, match=r"^no replica could be started in 120 seconds \(there are 0 places\): give"):
        list(read(schedule, range(3)))
    assert cluster.time == pytest.approx(120)
    schedule, cluster = scheduled(count=4, places=1)
    with caplog.at_level(logging.WARNING):
        assert sorted(read(schedule, range(150))) == list(range(150))
    (note,) = caplog.messages
    assert note == "3 replicas of 4 could not be started yet (there are 1 places); the run goes on with 1"


def test_replicas_that_end_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    ended = "ModuleNotFoundError: No module named 'rmeval'"
    schedule, cluster = scheduled(2, fate=lambda number, method, arguments: ended)
    with pytest.raises(ModelError, match=rf"^all replicas have ended \(the last one: {ended}\): correct the cause"):
        list(read(schedule, range(3)))
    assert len(cluster.replicas) == 4
    # Two that end do not prevent a third one.
    schedule, cluster = scheduled(1, fate=lambda number, method, arguments: ended if number < 2 else None)
    assert sorted(read(schedule, range(3))) == [0, 1, 2]
    assert schedule.facts() == {
        "replicas": 1,
        "nodes": 1,
        "hosts": ["host0"],
        "restarts": 2,
        "portions_repeated": 0,
    }


def test_a_replica_that_ends_between_two_calls_receives_no_portion() -> None:
    schedule, cluster = scheduled(3)
    assert sorted(read(schedule, range(9))) == list(range(9))
    for one in cluster.replicas[:2]:
        one.ended = "killed"
    assert sorted(read(schedule, range(9))) == list(range(9))
    facts = schedule.facts()
    assert (facts["restarts"], facts["portions_repeated"]) == (2, 0)


def test_calls_that_nobody_waits_for_do_not_disturb_later_ones() -> None:
    schedule, _ = scheduled(3)
    for _ in range(5):
        assert next(read(schedule, range(9))) in range(9)
    assert sorted(read(schedule, range(20, 29))) == list(range(20, 29))


def test_two_calls_at_a_time() -> None:
    schedule, _ = scheduled(2)
    one, other = read(schedule, range(20)), read(schedule, range(100, 110))
    found = [next(one), next(other), *one, *other]
    assert sorted(found) == [*range(20), *range(100, 110)]


def test_another_version_on_a_node() -> None:
    schedule, _ = scheduled(3, make=lambda number: Echo(number, "9.9" if number == 1 else rmeval.__version__))
    with pytest.raises(ModelError, match=rf"^the node host1 has rmeval 9.9, and this process has {rmeval.__version__}"):
        list(read(schedule, range(300)))


def test_an_error_of_a_replica_is_its_own_sentence() -> None:
    schedule, _ = scheduled(1)
    with pytest.raises(RunError, match=r"^a file is missing: restore it$"):
        list(read(schedule, range(-1, 4)))
    schedule, _ = scheduled(4)
    assert len(list(read(schedule, range(40)))) == 40
    with pytest.raises(RunError, match=r"^on the node host[01]: a file is missing: restore it$"):
        list(read(schedule, range(-1, 4)))


# Reports.


def place(host: str, pid: int = 1) -> Workplace:
    return Workplace("0", "3", host, host, pid)


def test_reports_of_replicas_are_summed_up() -> None:
    reports = Reports()
    assert reports.facts() == {}
    shared = {"tokens": 10, "distinct": 5, "largest_difference": 1e-7}
    reports.add(place("a"), {"torch": "2.13", "threads": 2, "prefix_sharing": shared})
    reports.add(place("b"), {"torch": "2.12", "threads": 4, "prefix_sharing": shared | {"largest_difference": 3e-7}})
    reports.add(place("a"), {"torch": "2.13", "threads": 2, "prefix_sharing": shared})
    sums = {"tokens": 30, "distinct": 15, "largest_difference": 3e-7}
    assert reports.facts() == {"torch": "2.13; 2.12", "threads": 2, "prefix_sharing": sums}
    reports.add(place("b"), {"torch": "2.13", "threads": 4, "prefix_sharing": "off: it fails"})
    reports.add(place("a"), {"torch": "2.13", "threads": 2, "prefix_sharing": shared})
    assert reports.facts()["prefix_sharing"] == "off: it fails"


def test_replicas_that_read_in_different_ways_are_an_error() -> None:
    reports = Reports()
    reports.add(place("a"), {"readout": {"read": "score at the last token"}})
    reports.add(place("b"), {"readout": {"read": "score at the last token"}})
    with pytest.raises(ModelError, match=r"\(on a: score at the last token; on b: own forward\), so that their scores"):
        reports.add(place("b"), {"readout": {"read": "own forward"}})


# Engines of replicas.


def scores(model: Any, name: str = "score") -> dict[str, float]:
    found = [one for batch in model.observe(conversation_requests(TALKS)) for one in batch]
    assert len(found) == len(TALKS)
    return {one.key: float(one.values[name]) for one in found}


def test_classifiers(classifier: Path) -> None:
    plain, divided = load_model(classifier), load_model(classifier, engine=LOCAL)
    assert divided.identity() == plain.identity()
    assert scores(divided) == pytest.approx(scores(plain), abs=1e-5)
    facts, expected = divided.facts(), plain.facts()
    own = facts.pop("ray")
    assert (own["replicas"], own["nodes"], own["restarts"], own["portions_repeated"]) == (3, 4, 1, 1)
    assert facts["prefix_sharing"]["tokens"] == expected["prefix_sharing"]["tokens"]
    assert {name: facts[name] for name in ("torch", "architecture", "rendered_sha256")} == {
        name: expected[name] for name in ("torch", "architecture", "rendered_sha256")
    }
    assert scores(divided) == pytest.approx(scores(plain), abs=1e-5)


def test_implicit_rewards_and_their_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, reference = (make_checkpoint(tmp_path / name, "language model", seed=k) for k, name in enumerate("ab"))
    plain = load_model(policy, ref_model=str(reference))
    expected = scores(plain, "dpo/sum")
    # The sums of the reference are not taken from the cache.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for sequential in (False, True):
        divided = load_model(policy, ref_model=str(reference), engine=LOCAL, sequential=sequential)
        assert divided.identity() == plain.identity()
        assert scores(divided, "dpo/sum") == pytest.approx(expected, abs=1e-4)
    with pytest.raises(ModelError, match="is not a causal language model"):
        load_model(make_checkpoint(tmp_path / "c"), kind="implicit", engine=LOCAL)


@pytest.mark.filterwarnings("ignore::FutureWarning:transformers.*")
def test_the_base_of_an_adapter_is_the_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peft = pytest.importorskip("peft")
    base = make_checkpoint(tmp_path / "base", "language model")
    torch.manual_seed(0)
    adapted = peft.get_peft_model(
        AutoModelForCausalLM.from_pretrained(base),
        peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights="gaussian"),
    )
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    adapted.save_pretrained(tmp_path / "adapter")
    plain = load_model(tmp_path / "adapter", kind="implicit")
    expected = scores(plain, "dpo/sum")
    assert max(map(abs, expected.values())) > 0.01
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    divided = load_model(tmp_path / "adapter", kind="implicit", engine=LOCAL)
    assert divided.identity() == plain.identity()
    assert scores(divided, "dpo/sum") == pytest.approx(expected, abs=1e-4)


def test_token_scores(classifier: Path) -> None:
    requests = conversation_requests(TALKS)
    plain, divided = (
        dict(load_model(classifier, engine=engine).token_scores(requests))  # type: ignore[attr-defined]
        for engine in ("hf", LOCAL)
    )
    for k in range(len(TALKS)):
        assert divided[k].scores.tolist() == pytest.approx(plain[k].scores.tolist(), abs=1e-5)


def test_the_length_policy(classifier: Path) -> None:
    settings: dict[str, Any] = {"max_length": 20, "on_overlength": "truncate-left"}
    plain, divided = load_model(classifier, **settings), load_model(classifier, engine=LOCAL, **settings)
    assert scores(divided) == pytest.approx(scores(plain), abs=1e-5)


# Options.


def test_what_cannot_be_used(classifier: Path) -> None:
    for options, sentence in (
        ({"replicas": 0}, "`replicas` must be at least 1, not 0"),
        ({"gpus_per_replica": 1.5}, "`gpus_per_replica` must be a whole number, or a part of 1 such as 0.5, not 1.5"),
        ({"gpus_per_replica": -1}, "`gpus_per_replica` must be a whole number"),
        ({"gpus_per_replica": float("nan")}, "`gpus_per_replica` must be a whole number"),
        ({"replica_engine": "ray"}, "`replica_engine` cannot be ray: give hf, vllm or file.py:Class"),
        ({"device": "cuda:1"}, "Ray chooses the GPU of each replica, and `device` is cuda:1: give cuda or auto"),
    ):
        with pytest.raises(ModelError, match=f"^{sentence}"):
            load_model(classifier, engine="ray", **options)
    with pytest.raises(ModelError, match=r"^the engine hf does not use `replicas`: leave it out, or give `engine`"):
        load_model(classifier, replicas=2)


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray(classifier: Path) -> None:
    with pytest.raises(RmevalError, match=r"^the engine ray needs the package ray: pip install 'rmeval\[ray\]'$"):
        load_model(classifier, engine="ray")
    # The options of the engine ray are not those of the other side.
    with pytest.raises(RmevalError, match=r"^the engine ray needs the package ray"):
        rmeval.parity(str(classifier), "hf", "ray", replicas=2)
    with pytest.raises(RmevalError, match=r"^the engine hf does not use `replicas`"):
        rmeval.parity(str(classifier), "hf", "hf:float32", replicas=2)
