"""Functions and objects that a program holds are models; everything else is refused with one sentence."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import rmeval
from rmeval.errors import DataError, ModelError, RunError
from rmeval.testing import Length
from tests.samples import pair_rows

TALKS = [[{"role": "user", "content": "q"}, {"role": "assistant", "content": text}] for text in ("aa", "b", "cccc")]
LENGTHS = [2.0, 1.0, 4.0]


def lengths(conversations: Sequence[Any], factor: float = 1.0) -> list[float]:
    return [factor * len(one[-1]["content"]) for one in conversations]


def as_trl(completions: Sequence[Any], **kwargs: Any) -> list[float]:
    return [float(len(one[-1]["content"])) for one in completions]


async def as_verl(data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None) -> float:
    return float(len(solution_str))


class Scorer:
    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def score(self, conversations: Sequence[Any]) -> list[float]:
        return lengths(conversations, self.factor)


class Called:
    def __call__(self, conversations: Sequence[Any]) -> list[float]:
        return lengths(conversations)


class Comparer:
    def compare(self, pairs: Sequence[Any]) -> list[float]:
        return [float(len(pair["first"]) > len(pair["second"])) for pair in pairs]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (lengths, "lengths"),
        (as_trl, "as_trl"),
        (as_verl, "as_verl"),
        (functools.partial(lengths, factor=1.0), "lengths"),
        (Scorer(), "Scorer"),
        (Scorer().score, "score"),
        (Called(), "Called"),
    ],
    ids=["function", "TRL", "verl", "partial", "object", "method", "callable"],
)
def test_what_scores(given: Any, name: str, pairs_file: Path, tmp_path: Path) -> None:
    assert rmeval.score(given, TALKS).tolist() == LENGTHS
    found = rmeval.evaluate(given, "pairs", str(pairs_file), out=tmp_path)
    assert found.path.parent.name == name
    longest = rmeval.evaluate("baseline:longest", "pairs", str(pairs_file), out=tmp_path)
    assert found.value("accuracy") == longest.value("accuracy")


def test_options_of_functions_and_objects() -> None:
    assert rmeval.score(lengths, TALKS, model_kwargs={"factor": 2.0}, batch_size=1).tolist() == [4.0, 2.0, 8.0]
    with pytest.raises(ModelError, match="Scorer does not use `model_kwargs`: leave it out"):
        rmeval.score(Scorer(), TALKS, model_kwargs={"factor": 2.0})
    with pytest.raises(ModelError, match="lengths does not use `dtype`"):
        rmeval.score(lengths, TALKS, dtype="float32")


def test_an_object_that_compares(pairs_file: Path, tmp_path: Path) -> None:
    found = rmeval.evaluate(Comparer(), "pairs", str(pairs_file), out=tmp_path, against="chosen")
    longest = rmeval.evaluate("baseline:longest", "pairs", str(pairs_file), out=tmp_path)
    assert found.value("accuracy") == longest.value("accuracy")
    with pytest.raises(ModelError, match=r"compares two responses and does not score one"):
        rmeval.score(Comparer(), TALKS)


def test_runs_of_objects_are_never_mixed(pairs_file: Path, tmp_path: Path) -> None:
    """Nothing shows what an object's scores depend on: each evaluation is a run of its own, also of one model."""
    scorer = Scorer()
    loaded = rmeval.load_model(scorer)
    first = rmeval.evaluate(loaded, "pairs", str(pairs_file), out=tmp_path)
    scorer.factor = -1.0
    second = rmeval.evaluate(loaded, "pairs", str(pairs_file), out=tmp_path)
    third = rmeval.evaluate(scorer, "pairs", str(pairs_file), out=tmp_path)
    assert len({first.path, second.path, third.path}) == 3
    assert first.value("accuracy") == pytest.approx(1 - second.value("accuracy"))
    assert second.value("accuracy") == third.value("accuracy")


def test_a_reward_model_is_taken_as_it_is(pairs_file: Path, tmp_path: Path) -> None:
    model = Length()
    assert rmeval.load_model(model) is model
    assert rmeval.score(model, TALKS).tolist() == LENGTHS
    with pytest.raises(ModelError, match="already loaded: give name, dtype to load_model"):
        rmeval.evaluate(model, "pairs", str(pairs_file), out=tmp_path, name="x", dtype="float32")


class Learner:
    """As scikit-learn's classes have it."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:  # noqa: N803
        return 0.0


class Network:
    """As Keras' models have it."""

    def __call__(self, *args: Any, **kwargs: Any) -> None: ...


class Both(Scorer, Comparer):
    """One thing too many."""


ACCEPTED = r"give a hub id, a folder, file\.py:Class, .*\(model, tokenizer\) .*, a function, or an object with a method"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (3, rf"the model is of the type int: {ACCEPTED}"),
        (None, f"the model is None: {ACCEPTED}"),
        (b"", f"the model is of the type bytes: {ACCEPTED}"),
        ([lengths], f"the model is of the type list: {ACCEPTED}"),
        ({"model": 1}, f"the model is of the type dict: {ACCEPTED}"),
        (object(), f"the model is of the type object: {ACCEPTED}"),
        (Network(), f"the model is of the type Network: {ACCEPTED}"),
        (Scorer, r"the model is the class Scorer: give an object of it, such as Scorer\(\)"),
        (Length, r"the model is the class Length: give an object of it"),
        (
            Learner(),
            "the method score of Learner does not take one list .missing a required argument: 'y'.: give a hub id",
        ),
        (pd.DataFrame([1]), "the model is of the type DataFrame, which is data: give .*; data belong into `data`"),
        (Both(), "Both has the methods score and compare: give it one"),
        (lambda: 3, "<lambda> cannot be called with one list of conversations"),
        (torch.nn.Linear(1, 1), "type Linear, which is not a network of transformers: give an object with"),
        ((1, 2, 3), r"the model is \(int, int, int\): give \(model, tokenizer\)"),
        ((), r"the model is \(\): give \(model, tokenizer\)"),
        ("", "the model's name is empty"),
        (Path("nowhere/at/all"), "nowhere"),
    ],
)
def test_what_is_no_model(given: object, sentence: str) -> None:
    for call in (rmeval.load_model, lambda one: rmeval.score(one, TALKS), lambda one: rmeval.evaluate(one, "rm-bench")):
        if call is not rmeval.load_model and isinstance(given, str | Path):
            continue
        with pytest.raises(ModelError, match=sentence):
            call(given)


def test_parts_of_transformers(checkpoint: Path) -> None:
    from transformers import pipeline

    model, tokenizer = (
        AutoModelForSequenceClassification.from_pretrained(checkpoint),
        AutoTokenizer.from_pretrained(checkpoint),
    )
    whole = pipeline("text-classification", model=model, tokenizer=tokenizer)
    for given, sentence in (
        (model, r"type Qwen3ForSequenceClassification, which is a network without its tokenizer: give \(model, token"),
        (tokenizer, r", which is a tokenizer: give \(model, tokenizer\)"),
        ((tokenizer, model), r"Qwen3ForSequenceClassification\): give them in the other order, \(model, tokenizer\)"),
        ((model, str(checkpoint)), r"the model is \(Qwen3ForSequenceClassification, str\): give \(model, tokenizer\)"),
        (whole, r"which is a pipeline: give \(pipeline\.model, pipeline\.tokenizer\)"),
        ((torch.nn.DataParallel(model), tokenizer), r"of what a trainer wraps around a model give the model inside"),
    ):
        with pytest.raises(ModelError, match=sentence):
            rmeval.load_model(given)
    assert rmeval.score((whole.model, whole.tokenizer), TALKS).tolist() == rmeval.score(str(checkpoint), TALKS).tolist()


def test_a_benchmark_is_named_or_follows_from_the_data() -> None:
    with pytest.raises(DataError, match="no benchmark is given: name one"):
        rmeval.evaluate(lengths)
    with pytest.raises(DataError, match="no benchmark is given: name one"):
        rmeval.evaluate(lengths, data="prefs.jsonl")
    with pytest.raises(DataError, match="the benchmark is of the type DataFrame: give data as `data`"):
        rmeval.evaluate(lengths, pd.DataFrame([1]))  # type: ignore[arg-type]


def test_data_that_a_program_holds_are_those_of_a_file(pairs_file: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = pair_rows(12)
    dataset = datasets.Dataset.from_list(rows)
    dataset.save_to_disk(str(tmp_path / "saved"))
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    wanted = rmeval.evaluate("baseline:longest", "pairs", pairs_file, out=tmp_path)
    for data in (rows, columns, pd.DataFrame(rows), dataset):
        found = rmeval.evaluate("baseline:longest", data=data, out=tmp_path)
        assert found.path == wanted.path, "the same contents, the same run"
        assert found.value("accuracy") == wanted.value("accuracy")
    assert rmeval.evaluate("baseline:longest", "pairs", tmp_path / "saved", out=tmp_path).path == wanted.path


def test_texts_of_data_that_were_an_object(tmp_path: Path) -> None:
    """Of texts that are not stored the object is needed again."""
    frame = pd.DataFrame(pair_rows(12))
    found = rmeval.evaluate("baseline:shortest", data=frame, out=tmp_path)
    with pytest.raises(
        RunError, match=r"an object in Python \(DataFrame of 12 rows\): give that object again with `data`"
    ):
        rmeval.wrong_examples(found, n=1)
    assert len(rmeval.wrong_examples(found, n=1, data=frame).examples) == 1
    with pytest.raises(RunError, match="does not contain the texts of"):
        rmeval.wrong_examples(found, n=1, data=frame.assign(prompt="another"))


def test_a_function_that_fails_says_why() -> None:
    def broken(conversations: Sequence[Any]) -> list[float]:
        raise ValueError("no key")

    with pytest.raises(RunError, match=r"none of 3 responses got a score \(ValueError: no key"):
        rmeval.score(broken, TALKS)


def test_models_with_one_name_have_runs_of_their_own(tmp_path: Path) -> None:
    rows = [{"prompt": "q", "chosen": "a long response", "rejected": "short"}]
    (tmp_path / "own.py").write_text(
        "def up(conversations):\n    return [len(c[-1]['content']) for c in conversations]\n"
        "def down(conversations):\n    return [-len(c[-1]['content']) for c in conversations]\n"
    )
    for right, wrong in (
        ("baseline:longest", "baseline:shortest"),
        (Scorer(1.0), Scorer(-1.0)),
        (f"{tmp_path / 'own.py'}:up", f"{tmp_path / 'own.py'}:down"),
    ):
        found = [rmeval.evaluate(model, data=rows, out=tmp_path, name="same") for model in (right, wrong)]
        assert [one.value("accuracy") for one in found] == [1.0, 0.0]
        assert {str(one.manifest["model"]["name"]) for one in found} == {"same"}
