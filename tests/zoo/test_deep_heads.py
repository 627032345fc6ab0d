"""Heads of several layers: scores equal those of the published code on checkpoints of the published layout."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from rmeval.api import score
from rmeval.doctor.export import export_model
from rmeval.errors import ModelError
from tests.command import command
from tests.zoo.bodies import CONVERSATIONS, WITH_SYSTEM, body_config, body_weights, numbers, write_checkpoint
from tests.zoo.expected_scores import largest_difference
from tests.zoo.plain import make_checkpoint as make_plain

TALKS = [*CONVERSATIONS, WITH_SYSTEM]


def inf_orm(folder: Path) -> Path:
    """Two linear layers with biases (rewardbench/models/inform.py)."""
    config = body_config("llama")
    head = {"score.0.weight": numbers(5, 32, 32), "score.0.bias": numbers(6, 32)}
    head |= {"score.2.weight": numbers(7, 1, 32), "score.2.bias": numbers(8, 1)}
    stated = {"architectures": ["INFORMForSequenceClassification"], "num_labels": 1}
    return write_checkpoint(folder, config, body_weights(config, 1) | head, **stated)


def test_inf_orm(tmp_path: Path) -> None:
    largest_difference("inf-orm", inf_orm(tmp_path / "model"), TALKS)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"score.2.weight": None}, r"has no weights score\.2\.weight, which its head needs"),
        ({"score.0.bias": None}, r"has no weights score\.0\.bias, .* names layers without a bias in 'unbiased'"),
        ({"score.4.weight": (1, 32)}, r"holds the weights score\.4\.weight, which neither its body nor the head"),
        ({"model.norm.weight": None}, r"has no trained weights for norm\.weight"),
        ({"score.2.weight": (1, 31)}, "do not fit each other or hidden states of width 32"),
    ],
)
def test_every_weight_of_a_head_is_accounted_for(
    changed: dict[str, tuple[int, ...] | None], message: str, tmp_path: Path
) -> None:
    folder = inf_orm(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    for name, shape in changed.items():
        if shape is None:
            del weights[name]
        else:
            weights[name] = numbers(9, *shape)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=message):
        score(str(folder), [TALKS[0]], card="inf-orm")


@pytest.mark.parametrize("size", [0, 100, -100])
def test_a_file_that_was_cut_off_is_one_sentence(size: int, tmp_path: Path) -> None:
    weights = inf_orm(tmp_path / "model") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(ModelError, match=r"model\.safetensors cannot be read \(.*\): download it again"):
        score(tmp_path / "model", TALKS[:1], card="inf-orm")


def test_a_class_of_a_card_is_a_hint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ModelError):
        score(str(inf_orm(tmp_path / "model")), [TALKS[0]])
    assert "names a class of the card inf-orm: give `card` inf-orm" in caplog.text


def test_doctor_examines_such_a_head_and_export_refuses_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = inf_orm(tmp_path / "model")
    done = command(capsys, "doctor", str(folder), "--card", "inf-orm", "-b", "rm-bench-synthetic", "--n-items", "2")
    assert done.code == 0 and "read at '<|eot_id|>'" in done.out, done
    with pytest.raises(ModelError, match="has a head of several layers"):
        export_model(str(folder), tmp_path / "out", card="inf-orm")


def test_export_names_the_way_out_of_what_a_card_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = make_plain(tmp_path / "model", "llama"), tmp_path / "out"
    (tmp_path / "card.toml").write_text(
        '[[family]]\nname = "x"\nstatus = "layout-only"\nabout = "a"\nsource = "s"\nload = { bos_tokens = 1 }'
    )
    done = command(capsys, "export", str(folder), "-o", str(out), "--card", str(tmp_path / "card.toml"))
    assert done.code == 2 and "does not use --bos-tokens" in done.err and "give --card none" in done.err, done
    done = command(capsys, "export", str(folder), "-o", str(out), "--card", "none")
    assert "is a sequence classifier already" in done.err, done
