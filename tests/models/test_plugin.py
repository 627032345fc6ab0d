from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.data.style import count_text
from rmeval.errors import ModelError, RmevalError, RunError

CONVERSATIONS = [
    [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}] for text in ("aa", "b", "cccc")
]

SCORER = """
class Mine:
    def __init__(self, factor=1.0):
        self.factor = factor

    def score(self, conversations):
        assert all(set(m) == {"role", "content"} for c in conversations for m in c)
        return [self.factor * len(conversation[-1]["content"]) for conversation in conversations]

class Broken:
    def score(self, conversations):
        if any("b" in c[-1]["content"] for c in conversations):
            raise ValueError("no b please")
        return [1.0] * len(conversations)

class Short:
    def score(self, conversations):
        return [1.0]

class Nan:
    def score(self, conversations):
        return [float("nan")] * len(conversations)

class Dict:
    def score(self, conversations):
        return {1.0: "a", 2.0: "b", 3.0: "c"}

class Column:
    def score(self, conversations):
        import numpy
        return numpy.ones((len(conversations), 1))

class Vector:
    def score(self, conversations):
        import torch
        return torch.ones(len(conversations), dtype=torch.bfloat16)

class Rows:
    def score(self, conversations):
        return [[1.0] for _ in conversations]

class Leaves:
    def score(self, conversations):
        raise SystemExit(0)

class Silent:
    pass
"""


@pytest.fixture
def scorer(tmp_path: Path) -> Path:
    file = tmp_path / "scorer.py"
    file.write_text(SCORER)
    return file


def test_a_class_from_a_file(scorer: Path) -> None:
    assert rmeval.score(f"{scorer}:Mine", CONVERSATIONS).tolist() == [2.0, 1.0, 4.0]
    found = rmeval.score(f"{scorer}:Mine", CONVERSATIONS, model_kwargs={"factor": 2}, batch_size=2)
    assert found.tolist() == [4.0, 2.0, 8.0]


def test_identity_follows_the_file_and_its_arguments(scorer: Path) -> None:
    first = rmeval.load_model(f"{scorer}:Mine").identity()
    assert rmeval.load_model(f"{scorer}:Mine").identity() == first
    assert rmeval.load_model(f"{scorer}:Mine", model_kwargs={"factor": 2}).identity() != first
    scorer.write_text(SCORER + "\n# changed\n")
    assert rmeval.load_model(f"{scorer}:Mine").identity() != first


def test_a_batch_that_fails_is_an_error_of_its_answers(scorer: Path) -> None:
    model = rmeval.load_model(f"{scorer}:Broken")
    assert np.isnan(rmeval.score(model, CONVERSATIONS)).tolist() == [False, True, False]
    from rmeval.protocols.pointwise import as_conversation, conversation_requests

    requests = conversation_requests([as_conversation(one, "conversation 0") for one in CONVERSATIONS])
    observations = [one for batch in model.observe(requests) for one in batch]
    assert observations[1].error == "ValueError: no b please (scorer.py line 13)", (
        "its neighbours in the batch have scores"
    )


def test_not_a_number_is_no_score(scorer: Path) -> None:
    with pytest.raises(RunError, match="none of 3 responses got a score"):
        rmeval.score(f"{scorer}:Nan", CONVERSATIONS)


@pytest.mark.parametrize(
    ("spec", "options", "sentence"),
    [
        ("scorer.py:Silent", {}, r"has no method score\(conversations\)"),
        ("scorer.py:Short", {}, r"returned 1 number for 3 conversations"),
        ("scorer.py:Other", {}, "defines no Other"),
        ("other.py:Mine", {}, "there is no file"),
        ("scorer.py:Mine", {"model_kwargs": {"power": 2}}, "cannot be constructed with"),
        ("scorer.py:Mine", {"max_length": 5}, "does not use `max_length`"),
        ("scorer.py:Dict", {}, r"score\(\) returned a dict"),
    ],
)
def test_wrong_scorers(scorer: Path, spec: str, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(RmevalError, match=sentence):
        rmeval.score(f"{scorer.parent}/{spec}", CONVERSATIONS, **options)


def test_a_file_that_fails_when_imported(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import nothing_like_this\n")
    with pytest.raises(RmevalError, match=r"bad\.py cannot be imported"):
        rmeval.load_model(f"{tmp_path}/bad.py:Mine")


def test_baselines() -> None:
    texts = ["plain", "## head\n\n- **bold** one\n- two\n\n```\ncode\n```\n"]
    conversations = [[{"role": "user", "content": "q"}, {"role": "assistant", "content": text}] for text in texts]
    assert rmeval.score("baseline:longest", conversations).tolist() == [5.0, float(len(texts[1]))]
    assert rmeval.score("baseline:shortest", conversations).tolist() == [-5.0, -float(len(texts[1]))]
    assert rmeval.score("baseline:markdown", conversations).tolist() == [0.0, 5.0]
    random = rmeval.score("baseline:random", conversations)
    assert ((random >= 0) & (random < 1)).all()
    assert random.tolist() == rmeval.score("baseline:random", conversations).tolist()


def test_markdown_is_counted_by_kind() -> None:
    found = count_text("# a\n text # no\n1. one\n* two\n  - three\n**x** and __y__\n```py\n# in code\n```\n")
    assert (found.headers, found.lists, found.bold, found.code) == (2, 3, 2, 1)
    assert found.markdown == 8


@pytest.mark.parametrize(
    ("conversation", "sentence"),
    [
        (
            [{"role": "user", "content": "q"}],
            "conversation 0 must contain a prompt and end in a message with the role assistant",
        ),
        ([{"role": "assistant", "content": "a"}], "must contain a prompt"),
        (["q", "a"], "conversation 0 must contain messages like"),
    ],
)
def test_wrong_conversations(conversation: list[object], sentence: str) -> None:
    with pytest.raises(RmevalError, match=sentence):
        rmeval.score("baseline:longest", [conversation])  # type: ignore[list-item]


def test_unknown_model_error_is_a_model_error() -> None:
    assert issubclass(ModelError, RmevalError)


@pytest.mark.parametrize("name", ["Column", "Vector", "Rows"])
def test_tensors_and_columns_are_lists_of_scores(scorer: Path, name: str) -> None:
    assert rmeval.score(f"{scorer}:{name}", CONVERSATIONS).tolist() == [1.0, 1.0, 1.0]


def test_a_scorer_that_leaves_has_failed(scorer: Path) -> None:
    with pytest.raises(RunError, match="none of 3 responses got a score"):
        rmeval.score(f"{scorer}:Leaves", CONVERSATIONS)


@pytest.mark.parametrize("options", [{"dtype": "float32"}, {"device": "tpu"}, {"model_kwargs": {"a": 1}}])
def test_options_that_would_be_ignored_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="baseline:longest does not use `"):
        rmeval.load_model("baseline:longest", **options)
    with pytest.raises(ModelError, match="the model is already loaded"):
        rmeval.score(rmeval.load_model("baseline:longest"), CONVERSATIONS, **options)


@pytest.mark.parametrize("name", ["token", "hf_token", "api_key", "proxies"])
def test_secrets_are_not_written_down(name: str) -> None:
    with pytest.raises(ModelError, match=f"{name} is in model_kwargs"):
        rmeval.load_model("anything", model_kwargs={name: "x"})
