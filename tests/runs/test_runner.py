from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.benchmarks import Benchmark
from rmeval.benchmarks.pairs import Pairs
from rmeval.benchmarks.rm_bench import RMBench
from rmeval.errors import RunError
from rmeval.models import load_model
from rmeval.results.result import derive, open_run
from rmeval.runs.plan import plan
from rmeval.runs.runner import run as run_plan
from rmeval.runs.select import Selection
from rmeval.store.journal import read_journal
from rmeval.types import Observation, Request


def run(
    model: Any, benchmark: Benchmark, out: Path, selection: Selection | None = None, **options: Any
) -> rmeval.Result:
    return run_plan(model, plan(benchmark, selection or Selection()), out, **options)


class Counting:
    """A scorer that remembers what it was asked, and can fail."""

    name = "counting"
    kind = "plugin"
    protocol = "pointwise@1"

    def __init__(self, fail: str = "", version: int = 1) -> None:
        self.asked: list[str] = []
        self.fail = fail
        self.version = version

    def identity(self) -> dict[str, Any]:
        return {"model": f"counting@{self.version}"}

    def facts(self) -> dict[str, Any]:
        return {}

    def observe(self, requests: Sequence[Request]) -> Iterator[list[Observation]]:
        for request in requests:
            self.asked.append(request.responses[0])
            if self.fail and self.fail in request.responses[0]:
                yield [Observation(request.key, "error", error="it would not")]
            else:
                yield [Observation(request.key, values={"score": float(len(request.responses[0]))})]


class Stopping(Counting):
    """Is interrupted after some answers."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def observe(self, requests: Sequence[Request]) -> Iterator[list[Observation]]:
        for number, batch in enumerate(super().observe(requests)):
            if number == self.after:
                raise KeyboardInterrupt
            yield batch


def test_an_identity_with_tuples_is_that_of_its_folder(pairs_file: Path, tmp_path: Path) -> None:
    class Laid(Counting):
        def identity(self) -> dict[str, Any]:
            return super().identity() | {"layout": {"layers": ("score.0", "relu", "score.2"), "files": (("a", "b"),)}}

    first = run(Laid(), Pairs(str(pairs_file)), tmp_path)
    again = Laid()
    assert run(again, Pairs(str(pairs_file)), tmp_path).path == first.path
    assert again.asked == []


def test_records_are_made_and_read_again(rm_bench_folder: Path, tmp_path: Path) -> None:
    result = rmeval.evaluate("baseline:longest", "rm-bench", rm_bench_folder, out=tmp_path / "runs")
    assert result.value("easy", "chat") == 1.0
    assert result.value("hard", "all") == 0.0
    assert result.record("overall").formula == "rm-bench/accuracy@1"
    assert result.record("easy", "chat").null == {"random": 0.5, "longest": 1.0, "shortest": 0.0, "markdown": 5 / 6}
    assert result.path.parent == tmp_path / "runs" / "rm-bench" / "baseline-longest"
    assert sorted(path.name for path in result.path.iterdir()) == [
        "items.parquet",
        "journal",
        "metrics.json",
        "run.json",
        "scores.parquet",
    ]
    assert open_run(result.path).records == result.records
    assert open_run(tmp_path / "runs").records == result.records
    (result.path / "metrics.json").unlink()
    assert derive(result.path).records == result.records
    frame = result.to_pandas()
    assert frame.set_index(["metric", "scope"]).loc[("easy", "chat"), "null_longest"] == 1.0
    with pytest.raises(KeyError, match=r"^no 'hardest' on 'all': choose from average all"):
        result.value("hardest")
    with pytest.raises(rmeval.RmevalError, match=r"^no variant 'dpo/sum': choose from score$"):
        result.value("hard", variant="dpo/sum")


@pytest.mark.parametrize("store", [False, True])
def test_texts_stay_out_unless_asked_for(checkpoint: Path, rm_bench_folder: Path, tmp_path: Path, store: bool) -> None:
    import pyarrow.parquet as pq

    result = rmeval.evaluate(
        str(checkpoint), "rm-bench", rm_bench_folder, subsets=["chat"], out=tmp_path / "runs", store_text=store
    )
    (row, *_) = pq.read_table(result.path / "items.parquet").to_pylist()
    texts = [row["prompt"], row["responses"][0]["text"]]
    assert all((text is not None) == store for text in texts)
    rest = b"".join(path.read_bytes() for path in result.path.rglob("*") if path.suffix in (".json", ".jsonl"))
    assert (b"What is the capital of land" in rest) == store
    assert b"PROMPT" in rest, "the layout of the template is always told"


def test_each_distinct_conversation_once_and_never_again(pairs_file: Path, tmp_path: Path) -> None:
    lines = pairs_file.read_text()
    pairs_file.write_text(lines + lines)
    model = Counting()
    first = run(model, Pairs(str(pairs_file)), tmp_path / "runs")
    assert len(model.asked) == len(set(model.asked)) == 24
    assert first.record("accuracy").n_items == 24
    assert first.record("accuracy").n_clusters == 12
    again = Counting()
    assert run(again, Pairs(str(pairs_file)), tmp_path / "runs").records == first.records
    assert again.asked == []


def test_a_larger_selection_continues_the_run(pairs_file: Path, tmp_path: Path) -> None:
    small, large = Counting(), Counting()
    first = run(small, Pairs(str(pairs_file)), tmp_path / "runs", Selection(limit=5))
    second = run(large, Pairs(str(pairs_file)), tmp_path / "runs", Selection(n_items=9, seed=3))
    assert first.path == second.path
    assert len(small.asked) == 10
    assert not set(small.asked) & set(large.asked)
    assert [result.record("accuracy").n_items for result in (first, second)] == [5, 9]


def test_a_part_leaves_the_numbers_of_the_whole(pairs_file: Path, tmp_path: Path) -> None:
    whole = run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs")
    files = {path: path.read_bytes() for path in whole.path.rglob("*") if path.is_file()}
    part = run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs", Selection(limit=3))
    assert part.record("accuracy").n_items == 3
    assert part.manifest["selection"]["limit"] == 3
    assert "the run folder contains 12 items that are not all selected" in part.notes[-1]
    assert {path: path.read_bytes() for path in whole.path.rglob("*") if path.is_file()} == files
    assert open_run(whole.path).records == whole.records


def test_a_selection_beside_the_folders_own(pairs_file: Path, tmp_path: Path) -> None:
    even = run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs", Selection(("even",)))
    odd = run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs", Selection(("odd",), limit=1))
    assert (odd.record("accuracy").n_items, open_run(even.path).record("accuracy").n_items) == (1, 6)
    both = Counting()
    assert run(both, Pairs(str(pairs_file)), tmp_path / "runs").record("accuracy").n_items == 12
    assert len(both.asked) == 10
    assert open_run(even.path).record("accuracy").n_items == 12


def test_answers_mended_for_a_part_reach_the_whole(pairs_file: Path, tmp_path: Path) -> None:
    whole = run(Counting(fail="Truly"), Pairs(str(pairs_file)), tmp_path / "runs")
    assert whole.record("accuracy").failures == 8
    run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs", Selection(limit=6))
    after = open_run(whole.path)
    assert after.record("accuracy").failures == 4
    assert after.records == derive(whole.path).records


def test_an_interrupted_whole_stays_one(pairs_file: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Stopping(after=10), Pairs(str(pairs_file)), tmp_path / "runs")
    part = run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs", Selection(limit=2))
    assert part.record("accuracy").n_items == 2
    assert "unfinished" in open_run(part.path).notes[-1]


def test_damaged_items_are_written_anew(pairs_file: Path, tmp_path: Path) -> None:
    before = run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs")
    (before.path / "items.parquet").write_bytes(b"PAR1")
    again = Counting()
    assert run(again, Pairs(str(pairs_file)), tmp_path / "runs").records == before.records
    assert again.asked == []


def test_texts_go_when_they_are_no_longer_asked_for(checkpoint: Path, pairs_file: Path, tmp_path: Path) -> None:
    first = rmeval.evaluate(str(checkpoint), "pairs", pairs_file, out=tmp_path / "runs", store_text=True, limit=3)
    assert b"capital of land" in (first.path / "run.json").read_bytes()
    rmeval.evaluate(str(checkpoint), "pairs", pairs_file, out=tmp_path / "runs")
    written = b"".join(path.read_bytes() for path in first.path.rglob("*") if path.suffix in (".json", ".jsonl"))
    assert b"capital of land" not in written


def test_numbers_of_an_earlier_selection_are_gone_when_a_run_is_stopped(pairs_file: Path, tmp_path: Path) -> None:
    run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs", Selection(limit=5))
    with pytest.raises(KeyboardInterrupt):
        run(Stopping(after=4), Pairs(str(pairs_file)), tmp_path / "runs")
    stopped = open_run(tmp_path / "runs")
    assert stopped.record("accuracy").n_items == 7
    assert "unfinished: 7 of 12 items are scored, and the numbers are of these" in stopped.notes[-1]
    assert len(stopped.manifest["sessions"]) == 2, "also who was stopped has left a session"


def test_corrected_labels_need_no_scoring(pairs_file: Path, tmp_path: Path) -> None:
    before = run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs")
    rows = [json.loads(line) for line in pairs_file.read_text().splitlines()]
    rows[0]["chosen"], rows[0]["rejected"] = rows[0]["rejected"], rows[0]["chosen"]
    pairs_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = Counting()
    after = run(model, Pairs(str(pairs_file)), tmp_path / "runs")
    assert model.asked == []
    assert after.path == before.path
    assert abs(after.value("accuracy") - before.value("accuracy")) == pytest.approx(1 / 12)
    assert after.manifest["gold"] != before.manifest["gold"]


def test_several_scores_of_one_model(pairs_file: Path, tmp_path: Path) -> None:
    class Two(Counting):
        def observe(self, requests: Sequence[Request]) -> Iterator[list[Observation]]:
            for (one,) in super().observe(requests):
                score = one.values["score"]
                assert isinstance(score, float)
                yield [Observation(one.key, values={"sum": score, "minus": -score})]

    result = run(Two(), Pairs(str(pairs_file)), tmp_path / "runs")
    assert result.value("accuracy", variant="sum") == pytest.approx(1 - result.value("accuracy", variant="minus"))
    assert result.record("accuracy").variant == "sum"
    assert open_run(result.path).records == derive(result.path).records == result.records


def test_code_that_a_run_folder_names_is_not_run_unasked(pairs_file: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from rmeval.benchmarks.pairs import Pairs\nclass Mine(Pairs):\n    pass\n")
    spec = f"{tmp_path}/mine.py:Mine"
    result = rmeval.evaluate("baseline:longest", spec, pairs_file, out=tmp_path / "runs")
    (result.path / "metrics.json").unlink()
    (tmp_path / "mine.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(RunError, match=r"if you trust that file, give `benchmark`"):
        open_run(result.path)
    assert open_run(result.path, benchmark="pairs").records == result.records


def test_a_request_without_an_observation_is_no_zero(pairs_file: Path, tmp_path: Path) -> None:
    class Lazy(Counting):
        def observe(self, requests: Sequence[Request]) -> Iterator[list[Observation]]:
            for number, batch in enumerate(super().observe(requests)):
                if number:
                    yield batch

    with pytest.raises(RunError, match="returned no observation of 1 request: let its observe"):
        run(Lazy(), Pairs(str(pairs_file)), tmp_path / "runs")
    again = Counting()
    run(again, Pairs(str(pairs_file)), tmp_path / "runs")
    assert len(again.asked) == 1, "the others are kept"


@pytest.mark.parametrize(
    "fields",
    [
        {"values": {"score": np.float32(1.5)}},
        {"values": {"score": True}},
        {"values": {"score": float("nan")}},
        {"values": {"score": [1.0]}},
        {"values": {"score": 1.0}, "choice": np.int64(0)},
        {"values": {"score": 1.0}, "choice": 1.0},
        {"values": {"score": 1.0}, "usage": {"tokens": 1.5}},
        {"values": {"score": 1.0}, "status": "fine"},
    ],
)
def test_an_observation_that_cannot_be_stored_is_refused(
    fields: dict[str, Any], pairs_file: Path, tmp_path: Path
) -> None:
    class Odd(Counting):
        def observe(self, requests: Sequence[Request]) -> Iterator[list[Observation]]:
            for (one,) in super().observe(requests):
                yield [Observation(one.key, **fields)] if len(self.asked) == 3 else [one]

    with pytest.raises(RunError, match="counting returned an observation that cannot be stored"):
        run(Odd(), Pairs(str(pairs_file)), tmp_path / "runs")
    (journal,) = tmp_path.glob("runs/*/*/*/journal")
    assert len(list(read_journal(journal))) == 2


def test_a_journal_that_was_lost_is_no_zero(pairs_file: Path, tmp_path: Path) -> None:
    result = run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs")
    (result.path / "metrics.json").unlink()
    for segment in (result.path / "journal").iterdir():
        segment.unlink()
    with pytest.raises(RunError, match=r"journal lacks 24 observations of a complete run"):
        open_run(result.path)


def test_a_changed_byte_in_the_items_is_seen(pairs_file: Path, tmp_path: Path) -> None:
    result = run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs")
    file = result.path / "items.parquet"
    (result.path / "metrics.json").unlink()
    data = bytearray(file.read_bytes())
    data[200] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(RunError, match=r"items\.parquet is damaged \(its checksum"):
        open_run(result.path)


def test_failures_are_counted_noted_and_tried_again(pairs_file: Path, tmp_path: Path) -> None:
    failing = Counting(fail="Truly")
    result = run(failing, Pairs(str(pairs_file)), tmp_path / "runs")
    record = result.record("accuracy")
    assert record.failures == 8
    assert "the first error: it would not" in result.notes
    assert open_run(result.path, "half-ties@1").record("accuracy").failures == 8
    mended = Counting()
    after = run(mended, Pairs(str(pairs_file)), tmp_path / "runs")
    assert len(mended.asked) == 8
    assert after.record("accuracy").failures == 0


def test_when_nothing_gets_a_score(pairs_file: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"none of 24 responses got a score \(it would not\)"):
        run(Counting(fail="It"), Pairs(str(pairs_file)), tmp_path / "runs")


def test_other_weights_other_folder(pairs_file: Path, tmp_path: Path) -> None:
    paths = {run(Counting(version=v), Pairs(str(pairs_file)), tmp_path / "runs").path for v in (1, 2)}
    assert len(paths) == 2


def test_a_folder_of_another_identity(pairs_file: Path, tmp_path: Path) -> None:
    path = run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs").path
    manifest = json.loads((path / "run.json").read_text())
    manifest["identity"]["model"] = "another"
    del manifest["sha256"]
    (path / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=r"belongs to another run \(they differ in model\)"):
        run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs")


def test_a_lock_that_is_held(pairs_file: Path, tmp_path: Path) -> None:
    path = run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs").path
    (path / "lock").write_text(json.dumps({"host": "elsewhere", "pid": 7, "time": "2026-01-01T00:00:00Z"}))
    with pytest.raises(RunError, match="is being written by process 7 on elsewhere"):
        run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs")
    run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs", break_lock=True)


def test_output_that_cannot_be_written(pairs_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"cannot be written .*: choose a writable folder with `out`"):
        run(Counting(), Pairs(str(pairs_file)), tmp_path / "file" / "runs")


def test_a_disk_that_fills_up_loses_nothing(pairs_file: Path, tmp_path: Path) -> None:
    """A limit on file size stops writes in the middle of the journal, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    first = run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs", Selection(limit=1))
    largest = max(path.stat().st_size for path in first.path.iterdir() if path.is_file())
    lines = "".join(json.dumps({"prompt": f"p{n}", "chosen": f"a{n}", "rejected": f"bb{n}"}) + "\n" for n in range(300))
    pairs_file.write_text(lines)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * largest, before[1]))
    try:
        with pytest.raises(RunError, match=r"there is no space left to write .*journal"):
            run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (stopped,) = (path for path in first.path.parent.iterdir() if path != first.path)
    kept = sum(map(len, read_journal(stopped / "journal")))
    assert 0 < kept < 600
    rest = Counting()
    result = run(rest, Pairs(str(pairs_file)), tmp_path / "runs")
    assert result.path == stopped
    assert kept + len(rest.asked) == 600


def test_damaged_and_foreign_folders(rm_bench_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        open_run(tmp_path)
    result = run(load_model("baseline:longest"), RMBench(str(rm_bench_folder)), tmp_path / "runs")
    run(load_model("baseline:shortest"), RMBench(str(rm_bench_folder)), tmp_path / "runs")
    with pytest.raises(RunError, match=r"holds 2 runs: name one of them: .*baseline-longest.*, .*baseline-shortest"):
        open_run(tmp_path / "runs")
    with pytest.raises(RunError, match="'kind' is not a score rule"):
        open_run(result.path, "kind")
    manifest = json.loads((result.path / "run.json").read_text())
    (result.path / "run.json").write_text(json.dumps(manifest | {"schema": 99}))
    with pytest.raises(RunError, match=r"newer rmeval \(schema 99"):
        open_run(result.path)
    (result.path / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"run\.json is damaged"):
        open_run(result.path)


def test_a_run_that_was_stopped_can_be_looked_at(pairs_file: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Stopping(after=10), Pairs(str(pairs_file)), tmp_path / "runs")
    result = open_run(tmp_path / "runs")
    assert result.manifest["status"] == "running"
    assert "unfinished: 5 of 12 items are scored, and the numbers are of these" in result.notes[-1]
    assert (result.record("accuracy").n_items, result.record("accuracy").failures) == (5, 0)


def test_a_part_that_is_killed_leaves_no_old_numbers_of_the_whole(pairs_file: Path, tmp_path: Path) -> None:
    """Answers that a part got again count for the whole, though the process ended before it wrote that down."""
    folder = run(Counting(fail="Truly"), Pairs(str(pairs_file)), tmp_path / "runs").path

    class Dying(Counting):
        def observe(self, requests: Sequence[Request]) -> Iterator[list[Observation]]:
            yield from super().observe(requests)
            raise KeyboardInterrupt

    part = Selection(limit=6)
    with pytest.raises(KeyboardInterrupt):
        run(Dying(), Pairs(str(pairs_file)), tmp_path / "runs", part)
    failures = open_run(folder).record("accuracy").failures
    assert failures == 4
    run(Counting(), Pairs(str(pairs_file)), tmp_path / "runs", part)
    assert (folder / "metrics.json").exists()
    assert open_run(folder).record("accuracy").failures == failures


WRITER = """
import sys
from rmeval.api import evaluate
while True:
    for limit in (3, None):
        evaluate("baseline:longest", "pairs", sys.argv[1], out=sys.argv[2], limit=limit)
        evaluate("baseline:longest", "pairs", sys.argv[1], out=sys.argv[2], limit=limit, store_text=True)
"""


@pytest.mark.slow
def test_readers_of_a_run_that_is_being_written(
    pairs_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They get its numbers, or hear that it is being written; never that it is damaged."""
    folder = rmeval.evaluate("baseline:longest", "pairs", pairs_file, out=tmp_path / "runs").path
    sound = {record.n_items: record for record in open_run(folder).records}
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(pairs_file), str(tmp_path / "runs")])
    reads = 0
    changed = {(folder / "items.parquet").stat().st_ino}
    try:
        while len(changed) < 4:
            assert writer.poll() is None
            with suppress(FileNotFoundError):
                changed.add((folder / "items.parquet").stat().st_ino)
            for read in (open_run, rmeval.analyze, derive):
                try:
                    found = read(folder)
                except RunError as error:
                    assert "is being written by" in str(error) or "nothing in" in str(error), error
                else:
                    reads += 1
                    official = found.official if isinstance(found, rmeval.Analysis) else found.records
                    for record in official:
                        assert record.n_items not in sound or record.value == sound[record.n_items].value
    finally:
        writer.kill()
        writer.wait()
    assert reads
    assert "damaged" not in caplog.text
