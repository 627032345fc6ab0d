"""`rmeval.score` gives numbers, or the reason why there are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import rmeval
from rmeval.errors import ModelError, RmevalError, RunError
from tests.checkpoints import CHATML, ENDS_IN_EOS, make_checkpoint, make_tokenizer
from tests.command import command

TALKS = [
    [{"role": "user", "content": "what is it"}, {"role": "assistant", "content": text}] for text in ("so", "why", "so")
]


def named(folder: Path, kind: str = "classifier", **templates: str) -> Path:
    return make_checkpoint(folder, kind, tokenizer=make_tokenizer(chat_template=templates))


@pytest.mark.parametrize(
    ("kind", "options"),
    [("classifier", {}), ("causal", {"kind": "implicit"}), ("causal", {"kind": "comparator"})],
    ids=["classifier", "implicit", "comparator"],
)
def test_named_templates_without_a_default_are_refused_by_every_kind(
    tmp_path: Path, kind: str, options: dict[str, Any]
) -> None:
    folder = named(tmp_path / "m", kind, rag=CHATML, plain=ENDS_IN_EOS)
    with pytest.raises(
        ModelError, match=r"has chat templates named (rag, plain|plain, rag) but no default: .*`chat_template` FILE"
    ):
        rmeval.load_model(str(folder), **options)


def test_every_command_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = named(tmp_path / "m", rag=CHATML, plain=ENDS_IN_EOS)
    talks, pairs = tmp_path / "talks.jsonl", tmp_path / "pairs.jsonl"
    talks.write_text(json.dumps({"prompt": "what", "response": "so"}) + "\n")
    pairs.write_text(json.dumps({"prompt": "what", "chosen": "so", "rejected": "why"}) + "\n")
    for arguments in (
        ["run", folder, "-b", "pairs", "--data", pairs, "-o", tmp_path / "runs"],
        ["score", folder, talks, "-o", tmp_path / "scores.jsonl"],
        ["token-scores", folder, talks, "-o", tmp_path / "token-scores.jsonl"],
        ["doctor", folder, "-b", "pairs", "--data", pairs],
    ):
        done = command(capsys, *arguments)
        assert done.code == 2, arguments
        assert "but no default" in done.err


def test_a_default_or_a_file_is_enough(tmp_path: Path) -> None:
    given = tmp_path / "plain.jinja"
    given.write_text(CHATML)
    folder = named(tmp_path / "m", rag=CHATML, plain=ENDS_IN_EOS)
    by_file = rmeval.score(str(folder), TALKS, chat_template=str(given))
    by_default = rmeval.score(str(named(tmp_path / "n", rag=ENDS_IN_EOS, default=CHATML)), TALKS)
    assert by_file.tolist() == by_default.tolist()


def test_a_template_that_is_no_jinja(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "m", tokenizer=make_tokenizer(chat_template="{% for m in messages %}{{ m }}"))
    with pytest.raises(
        ModelError, match=r"is not a valid Jinja template \(line 1: .*\): give another template with `chat_template`"
    ):
        rmeval.load_model(str(folder))


def test_a_template_that_wants_a_system_turn_takes_those_that_have_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    strict = "{% if messages[0].role != 'system' %}{{ raise_exception('no system turn') }}{% endif %}" + CHATML
    folder = make_checkpoint(tmp_path / "m", tokenizer=make_tokenizer(chat_template=strict))
    with pytest.raises(
        RunError, match=r"none of 2 responses got a score \(.*rejects this conversation: no system turn\)"
    ):
        rmeval.score(str(folder), TALKS)
    kind = [[{"role": "system", "content": "be kind"}, *talk] for talk in TALKS]
    found = rmeval.score(str(folder), [TALKS[0], *kind])
    assert np.isnan(found).tolist() == [True, False, False, False]
    assert "1 of 4 conversations have no score (the chat template rejects this conversation: no system" in caplog.text


def test_conversations_of_a_wrong_type() -> None:
    with pytest.raises(rmeval.RmevalError, match=r"^the conversations are a NoneType: give a list of lists"):
        rmeval.score("baseline:longest", None)  # type: ignore[arg-type]


def test_no_conversations_have_no_scores() -> None:
    assert rmeval.score("baseline:longest", []).tolist() == []


def test_weights_that_are_not_numbers_have_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_checkpoint(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    nan = torch.full_like(weights["score.weight"], torch.nan)
    save_file(weights | {"score.weight": nan}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RunError, match=r"none of 2 responses got a score \(the model returned nan for its score\)"):
        rmeval.score(str(folder), TALKS)
    talks = tmp_path / "talks.jsonl"
    talks.write_text(json.dumps({"prompt": "what", "response": "so"}) + "\n")
    done = command(capsys, "token-scores", folder, talks, "-o", tmp_path / "token-scores.jsonl")
    assert done.code == 2
    assert "returns nan at every token" in done.err
    assert not (tmp_path / "token-scores.jsonl").exists()


WRONG_TYPES: dict[str, Callable[[Path], object]] = {
    "`rule` of compare": lambda run: rmeval.compare([run, run], rule=5),  # type: ignore[arg-type]
    "`metric` of compare": lambda run: rmeval.compare([run, run], metric=5),  # type: ignore[arg-type]
    "`metric` of estimate": lambda run: rmeval.estimate(run, run, metric=5),  # type: ignore[arg-type]
    "`rule` of estimate": lambda run: rmeval.estimate(run, run, rule=5),  # type: ignore[arg-type]
    "`items` of estimate": lambda run: rmeval.estimate(run, run, items=5),  # type: ignore[arg-type]
    "`rule` of analyze": lambda run: rmeval.analyze(run, rule=5),  # type: ignore[arg-type]
    "`rule` of analyze_items": lambda run: rmeval.analyze_items([run], rule=5),  # type: ignore[arg-type]
    "`metric` of decide": lambda run: rmeval.decide([run, run], metric=5),  # type: ignore[arg-type]
    "`rule` of variance": lambda run: rmeval.variance([run], rule=5),  # type: ignore[arg-type]
    "`metric` of variance": lambda run: rmeval.variance([run], metric=5),  # type: ignore[arg-type]
    "`protocol` of estimate": lambda run: rmeval.estimate(run, run, protocol=5),  # type: ignore[arg-type]
    "runs of compare_across": lambda run: rmeval.compare_across(5),  # type: ignore[arg-type]
    "`correction` of compare_across": lambda run: rmeval.compare_across([], correction=5),  # type: ignore[arg-type]
    "`until`": lambda run: rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=24, until=[]),  # type: ignore[arg-type]
    "`versus`": lambda run: rmeval.evaluate(
        "baseline:longest",
        "rm-bench-synthetic",
        size=24,
        until="decided",
        versus=5,  # type: ignore[arg-type]
    ),
    "`items`": lambda run: rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=24, items=5),  # type: ignore[arg-type]
    "`out`": lambda run: rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=24, out=5),  # type: ignore[arg-type]
    "an empty `out`": lambda run: rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=24, out=""),
    "an empty run": lambda run: rmeval.open_run(""),
    "an empty one of several": lambda run: rmeval.compare(["", run]),
    "an empty `versus`": lambda run: rmeval.evaluate(
        "baseline:longest", "rm-bench-synthetic", size=24, until="decided", versus=""
    ),
}


@pytest.mark.parametrize("what", WRONG_TYPES)
def test_arguments_of_a_wrong_type_are_refused_in_a_sentence(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=24, out=tmp_path / "runs").path
    with pytest.raises(RmevalError):
        WRONG_TYPES[what](run)
