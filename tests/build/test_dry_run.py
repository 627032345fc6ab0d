"""What a build would send is what it sends."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from rmeval.build import BuildConfig, build, load_config
from rmeval.build.dry_run import PlannedStage, plan_build
from rmeval.build.prompt_files import PromptFiles
from rmeval.errors import ModelError
from tests.build.known import own_code, own_math
from tests.build.scripted import ScriptedModel
from tests.build.scripted_styles import rewriting
from tests.build.test_pipeline import calls, script
from tests.build.test_scripted_build import CONFIG as TWO
from tests.build.test_scripted_build import write_problems
from tests.http_server import Scripted, serve

CONFIG = """
name: sums
licence: MIT
models:
  writer: {{model: "{url}/v1", served_model: scripted, max_new_tokens: 100}}
prompts: prompts
{further}
domains:
  math:
    recipe: math
    problems: {{file: problems.jsonl}}
    responses: {{samples: 4}}
"""
LONG = "Solve this problem, and think well before you write anything.\n---\n{{ problem }}"


def write(folder: Path, server: Scripted, further: str = "", problems: int = 8) -> BuildConfig:
    rows = [{"id": str(n), "prompt": f"What is {n} + {n + 1}?", "answer": str(2 * n + 1)} for n in range(problems)]
    (folder / "problems.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / "prompts" / "math").mkdir(parents=True, exist_ok=True)
    (folder / "prompts" / "math" / "solve.jinja").write_text(LONG)
    (folder / "config.yaml").write_text(CONFIG.format(url=server.url, further=further))
    return load_config(folder / "config.yaml")


def of(planned: tuple[PlannedStage, ...], stage: str) -> PlannedStage:
    (found,) = [one for one in planned if (one.stage, one.role) == (stage, "writer")]
    return found


def test_nothing_is_sent_or_written(tmp_path: Path) -> None:
    with serve(script) as server:
        found = plan_build(write(tmp_path, server), tmp_path / "out", "responses")
        assert calls(server) == len(server.received) == 0
    assert not (tmp_path / "out").exists()
    own = of(found.stages, "responses")
    assert (own.problems, own.done, own.calls, own.model) == (8, 0, 32, "scripted")
    assert (found.kept, found.dropped["problems"]) == ({"problems": 8}, {})
    assert math.isnan(own.cost)
    assert found.to_dict()["stages"][0]["cost"] is None


def test_the_calls_are_those_that_the_build_makes(tmp_path: Path) -> None:
    with serve(script) as server:
        config = write(tmp_path, server, problems=3)
        build(config, tmp_path / "out", until="responses")
        sent = calls(server)
        found = plan_build(config, tmp_path / "out", "responses")
        assert of(found.stages, "responses").done == sent
        assert of(found.stages, "responses").calls == 0
        assert list(found.kept) == ["problems", "responses"]
        config = write(tmp_path, server, problems=8)
        own = of(plan_build(config, tmp_path / "out", "responses").stages, "responses")
        assert (own.done, own.calls) == (12, 20)
        build(config, tmp_path / "out", until="responses")
        assert calls(server) - sent == own.calls


def test_tokens_and_prices(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text('["scripted"]\ninput = 1000.0\noutput = 2000.0\n')
    with serve(script) as server:
        config = write(tmp_path, server, "prices: prices.toml")
        own = of(plan_build(config, tmp_path / "out", "responses").stages, "responses")
        prompt = PromptFiles(config.path("prompts")).get("math/solve").messages({"problem": "What is 0 + 1?"})
        assert own.input_tokens == 32 * -(-sum(len(one.content) for one in prompt) // 4)
        assert own.cost == pytest.approx((own.input_tokens * 1000 + own.output_tokens * 2000) / 1e6)
        # At most each call is cut off at 100 tokens, and sent again with a limit of 200.
        assert own.most_cost >= (2 * own.input_tokens * 1000 + 32 * 300 * 2000) / 1e6
        # The server counts 20 tokens of each prompt and 9 of each answer.
        build(write(tmp_path, server, "prices: prices.toml", 2), tmp_path / "out", until="responses")
        own = of(
            plan_build(write(tmp_path, server, "prices: prices.toml"), tmp_path / "out", "responses").stages,
            "responses",
        )
        assert (own.done, own.calls) == (8, 24)
        assert own.input_tokens == pytest.approx(20 * 24, abs=1)
        assert own.output_tokens == 9 * 24
        (tmp_path / "prices.toml").write_text('["another"]\ninput = 1.0\noutput = 2.0\n')
        with pytest.raises(ModelError, match="has no price of the model 'scripted'"):
            plan_build(config, tmp_path / "out")


def test_later_stages_are_estimated_by_an_earlier_result(tmp_path: Path) -> None:
    with serve(script) as server:
        config = write(tmp_path, server)
        assert plan_build(config, tmp_path / "out").rates["responses"] == 1.0
        found = build(config, tmp_path / "out", until="responses").stages["responses"]
        share = len(found.records) / 8
        assert "responses" not in plan_build(config, tmp_path / "out").rates
        more = write(tmp_path, server, problems=16)
        assert plan_build(more, tmp_path / "out").rates["responses"] == share


def test_all_calls_of_two_stages(tmp_path: Path) -> None:
    """Recipes of code and mathematics, and styles: what is planned before, and what is left after."""
    code, maths = own_code(2), own_math(3)
    write_problems(tmp_path, code, maths)
    model = ScriptedModel([*code, *maths])
    rewriting(model)
    with serve(model) as server:
        (tmp_path / "config.yaml").write_text(TWO.format(url=server.url))
        config = load_config(tmp_path / "config.yaml")
        before = plan_build(config, tmp_path / "out", "styles")
        assert model.calls() == 0
        found = build(config, tmp_path / "out", until="styles")
        made = {stage: found.stages[stage].facts["calls"] for stage in ("responses", "styles")}
        sent = model.calls()
        after = plan_build(config, tmp_path / "out", "styles")
        assert model.calls() == sent
    for stage, calls_made in made.items():
        planned = [one for one in before.stages if one.stage == stage]
        assert sum(one.most_calls for one in planned) >= calls_made
        assert all(one.most_calls >= one.calls for one in planned)
        ended = [one for one in after.stages if one.stage == stage]
        assert (sum(one.done for one in ended), sum(one.calls for one in ended)) == (calls_made, 0)
    assert sum(one.calls for one in before.stages if one.stage == "responses") == made["responses"] == 6 * 5
    assert after.kept["styles"] == len(found.stages["styles"].records)
