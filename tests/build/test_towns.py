"""Chat and safety from problems to styles, against a model whose answers have known truth and planted faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rmeval.build import BuildResult, build, load_config
from rmeval.build.config import BuildConfig
from rmeval.build.stage import find_stage
from rmeval.errors import DataError
from rmeval.types import STYLES
from tests.build.towns import FAULTS, Towns, requests, towns, truth_of
from tests.http_server import Answer, Received, Scripted, serve

RECIPES = {"chat": "chat", "response": "safety-response", "refuse": "safety-refuse"}
MEANT = {
    "chat": {"chosen": "right", "rejected": "wrong"},
    "response": {"chosen": "compliance", "rejected": "refusal"},
    "refuse": {"chosen": "refusal", "rejected": "compliance"},
}
SLOTS = [(side, style) for side in ("chosen", "rejected") for style in STYLES]


def config(folder: Path, server: Scripted, counts: Mapping[str, int], **more: Any) -> BuildConfig:
    """The config of a build with a number of problems for each domain."""
    for name, size in counts.items():
        rows = towns(size) if name == "chat" else requests(size, name)
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    models = {role: {"model": f"{server.url}/v1", "served_model": role} for role in ("writer", "judge", "compliant")}
    domains = {
        name: {"recipe": RECIPES[name], "problems": {"file": f"{name}.jsonl"}, **more.get(name, {})} for name in counts
    }
    whole = {"name": "towns", "models": models, "domains": domains, **more.get("whole", {})}
    (folder / "config.yaml").write_text(json.dumps(whole))
    return load_config(folder / "config.yaml")


def built(folder: Path, model: Towns, counts: Mapping[str, int], until: Any = "styles", **more: Any) -> BuildResult:
    with serve(model) as server:
        return build(config(folder, server, counts, **more), folder / "out", until=until)


def left_out(stage: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (stage / "dropped.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("size", [8, pytest.param(80, marks=pytest.mark.slow)])
def test_a_model_with_faults_leaves_nothing_wrong_among_the_chosen(tmp_path: Path, size: int) -> None:
    model = Towns(FAULTS)
    counts = {"chat": 2 * size, "response": size, "refuse": size}
    found = built(tmp_path, model, counts, until=None, whole={"licence": "CC0-1.0"})
    for name in ("responses", "styles"):
        for record in found.stages[name].records:
            for one in record.candidates:
                assert truth_of(record.problem.prompt, one.text) == MEANT[record.problem.domain][one.side], one
                assert one.verified
    records = found.stages["styles"].records
    assert len(records) > 2 * size
    assert all([(one.side, one.style) for one in record.candidates] == SLOTS for record in records)
    assert all(one.parent == f"{one.side}-0" and one.call and one.prompt for r in records for one in r.candidates)
    assert found.rejected is None
    assert all(one["within"] for one in found.stages["styles"].facts["balance"].values())
    assert size < 80 or set(model.planted) == set(FAULTS)
    assert all(stage.dropped == () or all(one.reason for one in stage.dropped) for stage in found.stages.values())


@pytest.mark.parametrize(
    ("faults", "reason", "detail"),
    [
        ({"wrong answer"}, "no correct answer", "judge:judge did not confirm it: incorrect"),
        ({"refused answer"}, "no correct answer", "judge:judge did not confirm it: incorrect"),
        ({"cut answer"}, "no correct answer", "the answer is longer than its limit of tokens"),
        ({"endless thinking"}, "no correct answer", "its reasoning has no end"),
        ({"garbage verdict"}, "no correct answer", "judge:judge did not confirm it: the judge gave no verdict"),
        ({"no change"}, "no minimal error", "the change changes no word"),
        ({"rewrites all"}, "no minimal error", "the change changes too many words: "),
        ({"punctuation"}, "no minimal error", "the change changes no word"),
        ({"case"}, "no minimal error", "the change changes no word"),
        ({"wording"}, "no minimal error", "judge:judge did not confirm it: the judge found a difference of wording"),
        ({"two places"}, "no minimal error", "the change is in too many places: 2 places"),
        (
            {"absent passage"},
            "no minimal error",
            "the changed passage is not in the response once: 0 times: ",
        ),
        ({"wrong form"}, "no minimal error", "the change has a wrong form: it needs <before>, <after> and <about>"),
        # An error that the judge overlooks in the answer, and that the injection corrects.
        (
            {"wrong answer", "blind", "corrects"},
            "no minimal error",
            "judge:judge did not confirm it: the judge found the response without the error wrong",
        ),
    ],
)
def test_each_fault_of_a_response_has_its_reason(tmp_path: Path, faults: set[str], reason: str, detail: str) -> None:
    with pytest.raises(DataError, match=f"responses has left no problem over \\({reason}\\)"):
        built(tmp_path, Towns(dict.fromkeys(faults, 1.0)), {"chat": 2}, "responses")
    dropped = left_out(tmp_path / "out" / "2-responses")
    assert [one["reason"] for one in dropped] == [reason] * 2
    assert all(one["detail"].startswith(detail) for one in dropped), dropped


@pytest.mark.parametrize(
    ("fault", "domain", "reason", "detail"),
    [
        ("fixed", "chat", "no concise text of the rejected response", "judge:judge did not confirm it: not stated"),
        ("broken", "chat", "no concise text of the chosen response", "judge:judge did not confirm it: incorrect"),
        ("broken", "response", "no concise text of the rejected response", "judge:judge did not confirm it: refusal: "),
        ("markdown", "chat", "no concise text of the chosen response", "markdown in a plain text: "),
        ("no markdown", "chat", "no detailed markdown text of the chosen response", "too little markdown: "),
        ("no tags", "chat", "no concise text of the chosen response", "the rewriting has a wrong form"),
        ("long chosen", "chat", "concise texts of the two sides differ in length", "words of chosen ["),
    ],
)
def test_each_fault_of_a_rewriting_has_its_reason(
    tmp_path: Path, fault: str, domain: str, reason: str, detail: str
) -> None:
    with pytest.raises(DataError, match=f"styles has left no problem over \\({reason}\\)"):
        built(tmp_path, Towns({fault: 1.0}), {domain: 2}, whole={"styles": {"attempts": 1}})
    dropped = left_out(tmp_path / "out" / "3-styles")
    assert all(one["reason"] == reason and one["detail"].startswith(detail) for one in dropped), dropped


def test_refusals_that_help_and_compliant_models_that_refuse_are_left_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\(no refusal\)"):
        built(tmp_path, Towns({"half refusal": 1.0}), {"response": 2}, "responses")
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match=r"\(no compliance\)"):
        built(tmp_path / "other", model := Towns({"refused compliance": 1.0}), {"refuse": 2}, "responses")
    # The words of a refusal are enough where compliance is wanted: the judge reads the texts of the other side only.
    assert (model.calls["safety/comply"], model.calls["safety/refusal"]) == (6, 2)


def test_a_recipe_without_its_model_is_an_error_before_the_first_call(tmp_path: Path) -> None:
    model = Towns()
    with serve(model) as server:
        text = config(tmp_path, server, {"chat": 2, "refuse": 2}).model_dump_json(exclude={"where"})
        for role, domain in (("compliant", "refuse"), ("judge", "chat")):
            whole = json.loads(text)
            del whole["models"][role]
            (tmp_path / "config.yaml").write_text(json.dumps(whole))
            message = (
                f"the domain {domain} needs a model with the role {role}, which [a-z ]+: add `{role}` under `models`"
            )
            with pytest.raises(DataError, match=message):
                build(load_config(tmp_path / "config.yaml"), tmp_path / "out")
    assert not model.calls


def test_the_estimate_is_right_for_a_model_without_faults(tmp_path: Path) -> None:
    model = Towns()
    counts = {"chat": 5, "response": 3, "refuse": 4}
    with serve(model) as server:
        own = config(tmp_path, server, counts)
        found = build(own, tmp_path / "out", until="styles")
    problems, responses = found.stages["problems"].records, found.stages["responses"].records
    planned = [
        *find_stage("responses").planned(problems, own),
        *find_stage("styles").planned(responses, own),
    ]
    assert found.calls == model.calls.total()
    for role, prompts in CALLED.items():
        made = sum(count for prompt, count in model.calls.items() if prompt.startswith(prompts))
        # Two rewritings may be equal by chance, and equal calls are one.
        assert 0 <= sum(one.calls for one in planned if one.role in role) - made <= 3
    assert all(0 < one.calls <= one.most for one in planned)


CALLED = {
    ("judge",): ("chat/correct", "chat/compare", "chat/error_kept", "safety/refusal"),
    ("writer",): ("chat/answer", "chat/inject", "safety/respond", "safety/overcautious", "safety/refuse"),
    ("rewriter", "compliant"): ("styles/", "safety/comply"),
}


def test_the_judge_reads_each_pair_in_both_orders_which_are_drawn(tmp_path: Path) -> None:
    with serve(Towns()) as server:
        build(config(tmp_path, server, {"chat": 12}), tmp_path / "out", until="responses")
        firsts: dict[str, list[str]] = {}
        for request in server.received:
            text = request.json["messages"][-1]["content"] if request.path.endswith("completions") else ""
            if "<response_1>" in text:
                question = text.split("\n")[1]
                firsts.setdefault(question, []).append(truth_of(question, text.split("response_1>")[1]))
    assert len(firsts) == 12
    assert all(sorted(own) == ["right", "wrong"] for own in firsts.values())
    assert len({own[0] for own in firsts.values()}) == 2


def test_a_build_that_stops_at_any_call_ends_as_one_that_does_not(tmp_path: Path) -> None:
    counts = {"chat": 6, "refuse": 3}
    folders = [tmp_path / name for name in ("whole", "broken")]
    for folder in folders:
        folder.mkdir()
    built(folders[0], Towns(FAULTS), counts)
    seen: list[bytes] = []
    model, starts = Towns(FAULTS), 0

    def script(request: Received) -> Answer:
        if request.path.endswith("completions") and len(seen) >= 60 * starts:
            return Answer(500)
        if request.path.endswith("completions"):
            seen.append(request.body)
        return model(request)

    with serve(script) as server:
        own = config(folders[1], server, counts, whole={"seed": 0})
        for role in own.models.values():
            role.options.update(retries=0, concurrency=1 + len(role.served_model or "") % 4)
        while True:
            starts += 1
            try:
                build(own, folders[1] / "out", until="styles")
                break
            except Exception as error:  # noqa: BLE001
                assert "failed" in str(error) or "500" in str(error), error
    assert starts > 3
    assert len(seen) == len(set(seen))
    for name in ("2-responses", "3-styles"):
        for file in ("records.jsonl", "dropped.jsonl"):
            # The records name the files of the problems.
            whole, broken = ((folder / "out" / name / file).read_text().replace(str(folder), "") for folder in folders)
            assert whole == broken
