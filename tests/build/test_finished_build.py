"""A whole build with a scripted model, to a benchmark that a reward model is run on, and its report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rmeval.build import BuildFolder, load_config
from rmeval.build.pipeline import build
from tests.build.known import own_code, own_math
from tests.build.scripted import ScriptedModel
from tests.build.scripted_styles import rewriting
from tests.build.test_scripted_build import CONFIG, write_problems
from tests.command import command
from tests.http_server import Scripted, serve

FURTHER = """
licence: MIT
prices: prices.toml
assemble: {{gates: {{baselines: warn, balance: warn, repeats: warn, duplicates: warn}}}}
"""


@dataclass(frozen=True)
class Finished:
    folder: Path
    model: ScriptedModel
    server: Scripted

    @property
    def out(self) -> Path:
        return self.folder / "out"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    folder = tmp_path_factory.mktemp("finished")
    code, math = own_code(2), own_math(14)
    write_problems(folder, code, math)
    (folder / "prices.toml").write_text('["scripted"]\ninput = 1.0\noutput = 2.0\n')
    model = ScriptedModel([*code, *math])
    rewriting(model)
    with serve(model) as server:
        (folder / "config.yaml").write_text((CONFIG + FURTHER).format(url=server.url))
        build(load_config(folder / "config.yaml"), folder / "out")
        yield Finished(folder, model, server)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_benchmark_has_the_verified_texts(finished: Finished) -> None:
    rows = json.loads((finished.out / "benchmark" / "total_dataset.json").read_text())
    assert len(rows) >= 8
    for row in rows:
        known = finished.model.truth[finished.model.problem_of(row["prompt"]).id]
        assert [known[text].right for text in (*row["chosen"], *row["rejected"])] == [True] * 3 + [False] * 3


def test_a_further_start_makes_the_same_bytes_and_no_call(finished: Finished) -> None:
    before, calls = files(finished.out / "benchmark"), len(finished.server.received)
    (finished.out / "benchmark" / "README.md").write_text("changed by hand")
    for stage in ("3-styles", "5-assemble"):
        (finished.out / stage / "stage.json").unlink()
    build(load_config(finished.folder / "config.yaml"), finished.out)
    assert files(finished.out / "benchmark") == before
    chats = [one for one in finished.server.received[calls:] if "chat" in one.path]
    assert chats == []


def test_a_model_runs_on_it_and_the_report_counts(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = command(capsys, "run", "baseline:longest", "-b", finished.out, "-o", tmp_path / "runs")
    assert ran.code == 0, ran.err
    asked = ("build", "report", finished.out, "--run", tmp_path / "runs", "--json")
    done = command(capsys, *asked)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    records = BuildFolder(finished.out).read("assemble")
    assert records is not None
    assert (found["problems"], found["items"]) == (16, len(records.records))
    chats = [one for one in finished.server.received if one.path.endswith("chat/completions")]
    # A call that was cut off was sent twice, with other limits.
    assert found["calls"] == len({json.dumps([one.json["messages"], one.json["seed"]]) for one in chats})
    tokens = [sum(one[name] for one in found["spent"]) for name in ("input_tokens", "output_tokens")]
    assert found["cost"] == pytest.approx((tokens[0] + 2 * tokens[1]) / 1e6)
    assert min(tokens) > 0
    lost = {stage: sum(sum(one["left_out"].values()) for one in found["funnel"] if one["stage"] == stage)
            for stage in ("problems", "responses", "styles", "review", "assemble")}  # fmt: skip
    assert sum(lost.values()) == found["problems"] - found["items"]
    names = [one["name"] for one in found["scorers"]]
    assert names[:6] == ["random", "longest", "shortest", "markdown", "words and bigrams", "style only"]
    assert names[-1] == "baseline:longest"
