"""Judges behind decision APIs: three servers that take exactly the fields of the published ones."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.errors import ModelError, RunError
from rmeval.models.judge.decisions import PROBE, DecisionJudge
from rmeval.models.options import model_options
from rmeval.protocols.judging import Asked, Output, Prompt
from rmeval.types import Message, Request
from tests.decision_server import Decide, openai, sglang, vllm
from tests.http_server import Received, Script, json_answer, serve

MAKERS: dict[str, Callable[[Decide], Script]] = {
    "sglang-decisions@1": sglang,
    "systemone@1": vllm,
    "openai-decisions@1": openai,
}


def spread(text: str, names: Sequence[str]) -> list[float]:
    """Probabilities in the ratio 2:1 from one option to the next, from another one for each text."""
    weights = [2.0 ** -((place + len(text)) % len(names)) for place in range(len(names))]
    return [one / sum(weights) for one in weights]


def asked(number: int, text: str, labels: Sequence[str] = ("A", "B"), **more: Any) -> Asked:
    prompt = Prompt((Message("user", text),), "decision", tuple(labels), question="Which is better?", **more)
    return Asked(Request(f"{number:032x}", "item", (0, 1), (), ()), prompt)


def judge(url: str, **options: Any) -> DecisionJudge:
    return DecisionJudge(url, None, model_options(**options))


def outputs(of: DecisionJudge, questions: Iterable[Asked]) -> dict[int, Output]:
    return {int(one.request.key, 16): output for batch in of.outputs(questions) for one, output in batch}


@pytest.mark.parametrize("name", MAKERS)
def test_the_api_is_found_and_probabilities_are_kept(name: str) -> None:
    with serve(MAKERS[name](spread)) as server:
        one = judge(server.url)
        found = outputs(one, [asked(1, "four"), asked(2, "three", "ABC"), asked(3, "score", "abcde", kind="score")])
        assert one.identity()["dialect"] == name
    assert found[1].probabilities == pytest.approx({"A": 2 / 3, "B": 1 / 3})
    assert list(found[2].probabilities.values()) == pytest.approx(spread("three", "ABC"))
    assert list(found[3].probabilities) == list("abcde")
    assert list(found[3].probabilities.values()) == pytest.approx(spread("score", "abcde"))
    assert {output.label_mass for output in found.values()} == {None if name.startswith("openai") else 0.99}
    assert {output.usage["tokens"] for output in found.values()} == {40}
    assert [output.finish for output in found.values()] == ["stop"] * 3


@pytest.mark.parametrize("name", MAKERS)
def test_descriptions_are_sent_where_the_api_reads_them(name: str) -> None:
    with serve(MAKERS[name](spread)) as server:
        outputs(judge(server.url, dialect=name.partition("@")[0]), [asked(1, "T", descriptions=("first", "second"))])
        sent = server.received[-2].json
    text = json.dumps(sent)
    assert '"first"' in text
    assert "Which is better?" in text
    assert sent["state" if name == "systemone@1" else "input"] == "T"


def test_the_version_of_the_prompt_is_part_of_the_identity() -> None:
    def identity(script: Script) -> Any:
        with serve(script) as server:
            return judge(server.url).identity().get("prompt_format_version")

    versions = [identity(sglang(spread, version=lambda number, own=own: own)) for own in (1, 2)]  # type: ignore[misc]
    assert versions == ["1", "2"]
    assert [identity(vllm(spread, version=own)) for own in ("0.32.0", "0.33.0")] == ["server 0.32.0", "server 0.33.0"]
    assert identity(openai(spread)) is None


def test_another_version_in_mid_run_is_an_error() -> None:
    with serve(sglang(spread, version=lambda number: 1 + (number > 100))) as server:
        one = judge(server.url, concurrency=4)
        came: list[Any] = []
        with pytest.raises(ModelError, match="answers by another version of its prompt than 1"):
            for batch in one.outputs(asked(number, f"text {number}") for number in range(400)):
                came += batch
    assert 0 < len(came) <= 101


def test_another_model_at_the_end_is_an_error_and_the_last_batch_is_not_kept() -> None:
    def changing(text: str, names: Sequence[str]) -> list[float]:
        values = spread(text, names)
        return values[::-1] if len(server.received) > 8 else values

    with serve(vllm(changing)) as server:
        one = judge(server.url)
        with pytest.raises(ModelError, match="served several models or prompts during the run"):
            outputs(one, [asked(number, f"text {number}") for number in range(5)])
        assert one.facts()["canary"]["changed_to"]


def test_a_refusal_is_a_status() -> None:
    with serve(openai(spread, refuses=lambda text: "secret" in text)) as server:
        found = outputs(judge(server.url), [asked(1, "a secret"), asked(2, "nothing")])
    assert (found[1].finish, found[1].probabilities) == ("refused", {})
    assert found[2].finish == "stop"


def test_diagnostics_are_kept() -> None:
    with serve(vllm(spread, mass=0.2)) as server:
        (output,) = outputs(judge(server.url), [asked(1, "T")]).values()
    assert (output.label_mass, dict(output.diagnostics)) == (0.2, {"argmax_is_label": 0.0})


def without_route(request: Received) -> Any:
    """A server of a language model without decisions."""
    return json_answer({"data": [{"id": "m"}]}) if request.path == "/v1/models" else json_answer({}, 404)


@pytest.mark.parametrize(
    ("script", "options", "message"),
    [
        (without_route, {}, r"has no decision API \(/v1/decisions and /v1/systemone were tried\)"),
        (vllm(spread, supported=False), {}, "does not decide with the model decider .* vLLM does with Qwen3, "),
        (sglang(spread), {"dialect": "systemone"}, r"has no decision API \(/v1/systemone was tried\)"),
        (openai(spread), {"dialect": "sglang-decisions"}, "does not answer a short question .*Unknown parameter"),
        (sglang(spread), {"dialect": "systemtwo"}, "there is no dialect 'systemtwo' of decisions: choose one of auto"),
        (sglang(spread), {"temperature": 0.5}, "writes no text and does not use `temperature`"),
    ],
    ids=["no route", "cannot decide", "another route", "another form", "unknown dialect", "sampling"],
)  # fmt: skip
def test_what_cannot_work_is_one_sentence(script: Script, options: dict[str, Any], message: str) -> None:
    with serve(script) as server, pytest.raises(ModelError, match=message) as caught:
        judge(server.url, **options).identity()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("kind", "most", "what"), [("choice", 26, "options"), ("score", 10, "levels")])
def test_too_many_options_stop_the_run(kind: str, most: int, what: str) -> None:
    labels = [f"option {number}" for number in range(most + 1)]
    with serve(vllm(spread)) as server:
        one = judge(server.url)
        assert len(outputs(one, [asked(1, "T", labels[:-1], kind=kind)])) == 1
        with pytest.raises(ModelError, match=f"takes at most {most} {what} of a question, and the protocol's has"):
            outputs(one, [asked(1, "T", labels, kind=kind)])


def choice(probabilities: Any, **more: Any) -> Any:
    return {"answers": {"verdict": {"type": "choice", "probabilities": probabilities}}, **more}


NASTY: dict[str, Any] = {
    "no answers": {},
    "another question's": {"answers": {"other": {"type": "choice", "probabilities": {"A": 0.5, "B": 0.5}}}},
    "another type": {"answers": {"verdict": {"type": "noul", "noul": 0.5}}},
    "no probabilities": {"answers": {"verdict": {"type": "choice", "choice": "A", "confidence": 0.9}}},
    "other labels": choice({"A": 0.5, "C": 0.5}),
    "one label": choice({"A": 1.0}),
    "a text": choice({"A": "0.5", "B": 0.5}),
    "above 1": choice({"A": 1.5, "B": 0.5}),
    "below 0": choice({"A": -0.5, "B": 0.5}),
    "sum of 2": choice({"A": 1.0, "B": 1.0}),
    "sum of 0": choice({"A": 0.0, "B": 0}),
    "null": choice({"A": None, "B": 0.5}),
    "no probability": choice([{"value": "A"}, {"value": "B"}]),
    "twice": choice([{"value": "A", "probability": 0.5}] * 2),
    "a list": {"answers": {"verdict": [0.5, 0.5]}},
    "no object": [],
    "an error": {"error": {"message": "something broke"}},
    "another model": choice({"A": 0.5, "B": 0.5}, model="other"),
    "mass of 2": choice({"A": 0.5, "B": 0.5}, diagnostics={"verdict": {"label_mass": 2}}),
}


def test_answers_that_cannot_be_read_are_errors_and_never_verdicts() -> None:
    well = vllm(spread)

    def script(request: Received) -> Any:
        nasty = NASTY.get(request.json["state"]) if request.path == "/v1/systemone" else None
        return well(request) if nasty is None else json_answer(nasty)

    names = list(NASTY)
    with serve(script) as server:
        found = outputs(judge(server.url), [asked(0, "fine"), *(asked(k + 1, name) for k, name in enumerate(names))])
    assert found.pop(0).error is None
    assert {names[number - 1] for number, output in found.items() if output.error} == set(names)
    assert not any(output.probabilities for output in found.values())


def test_the_probe_is_a_question_of_four_answers() -> None:
    """So that the probabilities of two models seldom agree."""
    assert len(PROBE.labels) == len(PROBE.descriptions) == 4


def better(text: str, names: Sequence[str]) -> list[float]:
    """Probabilities of a judge that knows the marked responses, of a choice of letters or of levels."""
    shown = [found[1].strip() for found in RESPONSES.finditer(text)]
    if len(shown) == 1:
        rest = [0.5 / (len(names) - 1)] * (len(names) - 1)
        return [*rest, 0.5] if "good" in shown[0] else [0.5, *rest]
    found = [0.6 if "good" in one else 0.4 / (len(shown) - 1) for one in shown]
    return found if shown else spread(text, names)


RESPONSES = re.compile(r"<response[^>]*>(.*?)</response", re.DOTALL)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    file = tmp_path / "pairs.jsonl"
    rows = [{"id": str(k), "prompt": f"Question {k}", "chosen": f"good {k}", "rejected": f"poor {k}"} for k in range(8)]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    ("protocol", "variants", "calls"),
    [
        ("decision", {"orders/each", "orders/agree", "orders/net", "orders/mean"}, 16),
        ("decision-best", {"rotations/each", "rotations/mean"}, 16),
        ("decision-rating", {"rating"}, 16),
    ],
)
def test_protocols_of_decisions(
    pairs: Path, tmp_path: Path, name: str, protocol: str, variants: set[str], calls: int
) -> None:
    with serve(MAKERS[name](better)) as server:
        result = rmeval.evaluate(server.url, "pairs", data=pairs, protocol=protocol, out=tmp_path / "runs")
    assert len([one for one in server.received if b"good" in one.body]) == calls
    assert {record.variant for record in result.records} == variants
    assert {record.value for record in result.records if record.metric == "accuracy"} == {1.0}
    assert result.manifest["identity"]["dialect"] == name
    again = rmeval.open_run(result.path)
    assert [record.value for record in again.records] == [record.value for record in result.records]


def test_a_low_mass_of_the_labels_is_no_verdict(pairs: Path, tmp_path: Path) -> None:
    def half(text: str, names: Sequence[str]) -> list[float]:
        return better(text, names)

    masses = iter([0.99] + [0.01, 0.9] * 8 + [0.99] * 4)
    scripts = {mass: vllm(half, mass=mass) for mass in (0.01, 0.9, 0.99)}

    def script(request: Received) -> Any:
        return scripts[next(masses) if request.path == "/v1/systemone" else 0.99](request)

    with serve(script) as server:
        options: dict[str, Any] = {"dialect": "systemone", "protocol": "decision", "concurrency": 1}
        result = rmeval.evaluate(server.url, "pairs", data=pairs, out=tmp_path / "runs", **options)
    journal = [
        json.loads(line) for file in (result.path / "journal").iterdir() for line in file.read_text().splitlines()
    ]
    assert [line["status"] for line in journal].count("unparsed") == 8
    kept = [line["values"] for line in journal if line["status"] == "ok"]
    assert {(values["label_mass"], values["argmax_is_label"]) for values in kept} == {(0.9, 1.0)}
    assert not any("confidence" in values for values in kept)


def test_a_run_continues_only_with_the_same_model(pairs: Path, tmp_path: Path) -> None:
    """Another model under the same name answers the probe otherwise."""
    options: dict[str, Any] = {"data": pairs, "protocol": "decision", "out": tmp_path / "runs"}
    with serve(vllm(better)) as server:
        rmeval.evaluate(server.url, "pairs", n_items=4, **options)
    with (
        serve(vllm(lambda text, names: better(text, names)[::-1])) as server,
        pytest.raises(RunError, match="contains scores of another model than the one that is served now"),
    ):
        rmeval.evaluate(server.url, "pairs", **options)
