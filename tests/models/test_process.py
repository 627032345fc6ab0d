"""Process reward models whose step scores are known: the embedding of a step's last digit is its score."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

import rmeval
from rmeval.errors import ModelError
from rmeval.models.process import step_scores
from rmeval.protocols.pointwise import conversation_requests
from rmeval.protocols.step_layout import StepLayout
from rmeval.runs.score_file import score_file
from rmeval.types import Message, Observation
from tests.checkpoints import make_checkpoint
from tests.command import command
from tests.zoo.bodies import WIDTH, body_config, body_weights, write_checkpoint
from tests.zoo.process_models import qwen_tokenizer

CARD = """
[[family]]
name = "planted"
status = "layout-only"
about = "the last digit of a step"
source = "the test"
load.head = "v_head.summary"

[family.steps]
score = "identity"
read = "step"
"""


def digits(tokenizer: PreTrainedTokenizerFast) -> dict[int, int]:
    """The token of each digit."""
    return {digit: int(tokenizer.convert_tokens_to_ids(str(digit))) for digit in range(10)}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose layers add nothing, so that its head reads the embedding of the token: digit d has score d / 10.

    The last norm multiplies embeddings of length 1 by the root of their width.
    """
    folder = tmp_path_factory.mktemp("planted")
    tokenizer = qwen_tokenizer()
    config = body_config("llama", vocab_size=len(tokenizer), rms_norm_eps=0.0, tie_word_embeddings=False)
    weights = body_weights(config, 1)
    for name, own in weights.items():
        own[:] = 1.0 if "norm" in name else 0.0
    embeddings = weights["model.embed_tokens.weight"]
    embeddings[:, 1] = 1.0
    for digit, token in digits(tokenizer).items():
        embeddings[token, :2] = torch.tensor([digit / 10, np.sqrt(1 - (digit / 10) ** 2)])
    head = torch.zeros(1, WIDTH)
    head[0, 0] = WIDTH**-0.5
    weights["v_head.summary.weight"] = head
    write_checkpoint(folder / "model", config, weights, tokenizer)
    (folder / "card.toml").write_text(CARD, encoding="utf-8")
    return folder / "model"


def options(planted: Path, **others: Any) -> dict[str, Any]:
    return {"card": str(planted.parent / "card.toml"), "device": "cpu", **others}


def said(*scores: int) -> str:
    """A response whose steps have these scores in tenths."""
    return "\n\n".join(f"Step {number}: we find\n- that it is {score}" for number, score in enumerate(scores, 1))


def observed(model: rmeval.models.RewardModel, *responses: str) -> list[Observation]:
    talks = [(Message("user", "How much is it?"), Message("assistant", own)) for own in responses]
    requests = conversation_requests(talks)
    found = {one.key: one for batch in model.observe(requests) for one in batch}
    return [found[request.key] for request in requests]


def written(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_steps_and_their_reductions(planted: Path) -> None:
    (one, same) = observed(rmeval.load_model(str(planted), **options(planted)), said(9, 2, 5), said(9, 2, 5) + "\n\n")
    assert one.values["steps"] == pytest.approx((0.9, 0.2, 0.5), abs=1e-6)
    assert one.values["steps/min"] == min(one.values["steps"])  # type: ignore[arg-type]
    assert list(one.values) == ["steps/min", "steps"]
    assert same.values == one.values


PAIRS = {((9, 5), (8, 6, 9)), ((4, 9), (6, 5)), ((7,), (6, 9)), ((3, 8), (4, 5, 6)), ((9, 1), (3, 3, 3))}
# min: only (7) beats the other. prod: .45 > .432, .36 > .30, .7 > .54, .24 > .12, .09 > .027. last: 9 > 5 and 8 > 6.
# mean: .65 > .55, .55 > .50, .5 > .3.
RIGHT = {"min": 1, "prod": 5, "last": 2, "mean": 3}


def test_pairs_by_hand(planted: Path, tmp_path: Path) -> None:
    rows = [
        {"prompt": f"How much is number {k}?", "chosen": said(*chosen), "rejected": said(*rejected)}
        for k, (chosen, rejected) in enumerate(sorted(PAIRS))
    ]
    data = written(tmp_path / "pairs.jsonl", rows)
    result = rmeval.evaluate(str(planted), "pairs", data, out=tmp_path / "runs", **options(planted))
    assert result.records[0].variant == "steps/min"
    for how, right in RIGHT.items():
        assert result.value("accuracy", variant=f"steps/{how}") == right / 5, how
    again = rmeval.open_run(result.path)
    assert again.value("accuracy", variant="steps/prod") == 1


def test_style_matrix_by_hand(planted: Path, tmp_path: Path) -> None:
    chosen, rejected = ((9, 4), (7,), (3, 7)), ((8, 6, 9), (6, 5), (6, 9))
    row = {
        "id": 0,
        "prompt": "How much?",
        "chosen": [said(*own) for own in chosen],
        "rejected": [said(*own) for own in rejected],
        "domain": "math",
    }
    (tmp_path / "total_dataset.json").write_text(json.dumps([row, {**row, "id": 1, "prompt": "How much is it?"}]))
    found = rmeval.evaluate(str(planted), "rm-bench", tmp_path, out=tmp_path / "runs", **options(planted))
    # By min and prod the second chosen response beats all three, and by the last step and the mean only the second
    # rejected one. That one also loses to the first chosen response by prod and mean, and to the third by the last.
    right = {"min": (0, 3, 0), "prod": (1, 3, 0), "last": (0, 1, 1), "mean": (1, 1, 0)}
    for how, of_each in right.items():
        assert found.value("average", "math", variant=f"steps/{how}") == pytest.approx(sum(of_each) / 9), how


def test_best_of_n_by_hand(planted: Path, tmp_path: Path) -> None:
    first = ((9, 4), (7,), (3, 7), (8, 6, 9))  # min and prod pick (7), last and mean (8, 6, 9).
    second = ((9, 5), (6, 6, 8))  # min and last pick the second, prod and mean the first.
    rows = [
        {"prompt": "How much?", "responses": [said(*own) for own in first], "gold": [0, 1, 0, 0]},
        {"prompt": "How much is it?", "responses": [said(*own) for own in second], "gold": [1, 0]},
    ]
    data = written(tmp_path / "candidates.jsonl", rows)
    found = rmeval.evaluate(str(planted), "best-of-n", data, out=tmp_path / "runs", **options(planted))
    picked = {how: found.value("best_picked", variant=f"steps/{how}") for how in RIGHT}
    assert picked == {"min": 0.5, "prod": 1.0, "last": 0.0, "mean": 0.5}


def test_score_uses_the_aggregate_of_the_layout(planted: Path, tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "How much?"}, {"role": "assistant", "content": said(9, 2, 5)}]
    wanted = {"min": 0.2, "prod": 0.09, "last": 0.5, "mean": 16 / 30}
    for how, value in wanted.items():
        steps = StepLayout("identity", read="step", aggregate=how)
        own = {"steps": steps, "head": "v_head.summary", "device": "cpu"}
        assert rmeval.score(str(planted), [talk], **own) == pytest.approx([value], abs=1e-6)
    model = rmeval.load_model(str(planted), **options(planted))
    source = written(tmp_path / "in.jsonl", [{"messages": talk}, {"prompt": "How much?", "responses": [said(7), ""]}])
    assert score_file(model, source, tmp_path / "out.jsonl") == (2, 1)
    one, two = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert (one["score"], two["scores"]) == (pytest.approx(0.2, abs=1e-6), [pytest.approx(0.7, abs=1e-6), None])
    assert "the response is empty, so it has no steps" in two["score_error"]


def test_split_steps(planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "It is 9\nIt is 3\n\n\nIt is 5"
    blank, lines = (rmeval.load_model(str(planted), **options(planted, split_steps=split)) for split in (None, "\\n"))
    assert observed(blank, text)[0].values["steps"] == pytest.approx((0.3, 0.5), abs=1e-6)
    assert observed(lines, text)[0].values["steps"] == pytest.approx((0.9, 0.3, 0.5), abs=1e-6)
    assert blank.identity() != lines.identity()
    assert lines.facts()["steps"] == {"responses": 1, "steps": 3, "of_one_step": 0}
    rows = written(tmp_path / "in.jsonl", [{"prompt": "How much?", "response": text}])
    card = planted.parent / "card.toml"
    done = command(
        capsys,
        "score",
        planted,
        rows,
        "-o",
        tmp_path / "o.jsonl",
        "--card",
        card,
        "--split-steps",
        "It",
        "--device",
        "cpu",
    )
    assert done.code == 0, done.err
    assert "sets split_steps='\\n\\n', which your options replace" in done.err
    assert json.loads((tmp_path / "o.jsonl").read_text())["score"] == pytest.approx(0.3, abs=1e-6)


def test_exact_pieces_are_steps_as_they_are(planted: Path) -> None:
    steps = StepLayout("identity", separator="\n", prompt="{{ prompt }}\n", split="\n", exact=True)
    model = rmeval.load_model(str(planted), steps=steps, head="v_head.summary", device="cpu")
    (found,) = observed(model, "It is 9\n\n It is 3")
    assert len(found.values["steps"]) == 3  # type: ignore[arg-type]


def test_overlength_is_never_cut(planted: Path) -> None:
    short, long = said(9, 5), said(*range(10))
    with pytest.raises(
        ModelError, match=r"takes at most 100 tokens, exceeded by 1 conversation .* choose `on_overlength` skip$"
    ):
        observed(rmeval.load_model(str(planted), **options(planted, max_length=100)), short, long)
    model = rmeval.load_model(str(planted), **options(planted, max_length=100, on_overlength="skip"))
    assert [one.status for one in observed(model, short, long)] == ["ok", "overlength"]
    with pytest.raises(ModelError, match="truncate-left would cut the question"):
        rmeval.load_model(str(planted), **options(planted, on_overlength="truncate-left"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "process"}, r"needs a step layout: give `card` NAME or a TOML file with \[family\.steps\]"),
        ({"split_steps": "x"}, "a model of this kind does not use `split_steps`"),
        (
            {"steps": StepLayout("identity", read="step"), "reduce": "mean"},
            "process reward model does not use `reduce`",
        ),
        (
            {"steps": StepLayout("identity", read="step"), "kind": "classifier"},
            "does not use `steps`: leave it out, or",
        ),
        ({"steps": StepLayout("identity", read="step"), "split_steps": ""}, "`split_steps` is empty"),
        ({"steps": StepLayout("identity", read="step"), "min_label_mass": 0.1}, "does not use `min_label_mass`"),
        (
            {"steps": StepLayout("labels", "+", labels=("+", "-")), "head": "v_head.summary"},
            "read by the logits of labels: leave `head` out",
        ),
        ({"steps": StepLayout("labels", "+", labels=("+", "+"))}, "are the same token"),
        ({"steps": StepLayout("identity", "{{ bos_token }}")}, "cannot be rendered with its tokenizer"),
        (
            {"steps": StepLayout("identity", "+", prompt="{{ prompt }}"), "chat_template": "tulu"},
            "whose step layout has its own prompt, does not use `chat_template`",
        ),
        ({"steps": StepLayout("identity", "+", prompt="x")}, "leaves the prompt or a step out"),
    ],
)
def test_refused(planted: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        rmeval.load_model(str(planted), **given)


def test_outputs_that_do_not_fit(planted: Path) -> None:
    steps = StepLayout("softmax:1", read="step")
    model = rmeval.load_model(str(planted), steps=steps, head="v_head.summary", device="cpu")
    with pytest.raises(ModelError, match=r"returns 1 numbers for a step, which the score softmax:1 does not fit"):
        observed(model, said(1))


def test_a_network_that_pools_has_no_steps(tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "bert", "bert")
    model = rmeval.load_model(str(tmp_path / "bert"), steps=StepLayout("identity", read="step"), device="cpu")
    with pytest.raises(ModelError, match="cannot be read at single tokens"):
        observed(model, said(1))


def test_labels_with_little_probability_are_an_error(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "lm", "causal")
    steps = StepLayout("labels", "\n\n", labels=("#70", "#71"))
    with pytest.raises(ModelError, match=r"the labels .* of the probability of the next token"):
        observed(rmeval.load_model(str(folder), steps=steps, device="cpu"), said(1, 2))
    (one,) = observed(rmeval.load_model(str(folder), steps=steps, device="cpu", min_label_mass=0.0), said(1, 2))
    assert list(one.values) == ["steps/min", "steps", "label_mass"]
    assert 0 < one.values["label_mass"] < 0.5  # type: ignore[operator]


@pytest.mark.parametrize(
    ("score", "outputs", "wanted"),
    [
        ("softmax:1", [[0, np.log(3)], [0, 0]], (0.75, 0.5)),
        ("sum:1,2", [[np.log(2), 0, 0]], (0.5,)),
        ("difference", [[0, np.log(3)]], (0.5,)),
        ("sigmoid", [[np.log(4)], [-800.0]], (0.8, 0.0)),
        ("identity", [[-2.5]], (-2.5,)),
        ("labels", [[np.log(3), 0, 50]], (0.75,)),
        ("vocabulary", [[np.log(0.2), np.log(0.1), 0]], (0.2,)),
    ],
)
def test_scores_of_outputs(score: str, outputs: list[list[float]], wanted: tuple[float, ...]) -> None:
    labels = ("+", "-") if score in ("labels", "vocabulary") else ()
    layout = StepLayout(score, "+", labels=labels)
    assert step_scores(np.array(outputs, float), layout, "it") == pytest.approx(wanted)
