from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.errors import ModelError
from rmeval.protocols.pointwise import as_conversation, conversation_requests
from rmeval.types import Observation

CONVERSATIONS = [
    [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}] for text in ("aa", "b", "cccc")
]

FUNCTIONS = """
import asyncio
import functools

async def later(value):
    await asyncio.sleep(0)
    return value

def trl(prompts, completions, log_extra, log_metric, **kwargs):
    assert kwargs == {}, "no more is given than there is"
    assert prompts == [[{"role": "user", "content": "q"}]] * len(completions)
    assert all(len(one) == 1 and one[0]["role"] == "assistant" for one in completions)
    log_extra("lengths", [1] * len(completions))
    log_metric("mean", 1.0)
    return [len(one[0]["content"]) for one in completions]

def trl_texts(completions, prompts, weight=1.0):
    return [weight * (len(p) + len(c)) for p, c in zip(prompts, completions, strict=True)]

async def trl_async(completions, **kwargs):
    return await later([len(one[-1]["content"]) for one in completions])

def trl_none(completions, **kwargs):
    return [None if "b" in one[-1]["content"] else 1.0 for one in completions]

def trl_tokens(completion_ids, **kwargs):
    return [len(ids) for ids in completion_ids]

def trl_column(completions, solution, **kwargs):
    return [0.0] * len(completions)

def trl_hidden_column(completions, **kwargs):
    return [float(right == one) for right, one in zip(kwargs["solution"], completions)]

def trl_short(completions, **kwargs):
    return [1.0]

def verl(data_source, solution_str, ground_truth, extra_info=None):
    assert (data_source, ground_truth) == ("rmeval", None)
    assert extra_info == {"prompt": [{"role": "user", "content": "q"}]}
    extra_info.clear()
    return len(solution_str)

def verl_dict(data_source, solution_str, ground_truth, extra_info, **kwargs):
    return {"score": len(solution_str) * kwargs["factor"], "source": data_source} if data_source == "mine" else {}

async def verl_async(data_source, solution_str, ground_truth, extra_info=None):
    if "b" in solution_str:
        raise ValueError("no b please")
    if "cc" in solution_str:
        raise SystemExit(0)
    return {"score": await later(len(solution_str))}

calls = []

async def verl_once(solution_str):
    calls.append(solution_str)
    assert calls.count(solution_str) == 1, "asked again"
    return await later(None if solution_str == "b" else solution_str == "aa")

def verl_truth(data_source, solution_str, ground_truth, extra_info=None):
    return float(ground_truth in solution_str)

def plain(conversations, weight=1.0):
    return [weight * len(one[-1]["content"]) for one in conversations]

async def plain_async(conversations):
    return [await later(len(one[-1]["content"])) for one in conversations]

def plain_number(conversations):
    return 1.0

def plain_nothing(conversations):
    pass

def two(prompt, answer):
    return 0.0

def nobody():
    return []

class Judge:
    async def score(self, conversations):
        return [await later(1.0) for _ in conversations]

class Callable:
    async def __call__(self, completions, **kwargs):
        return [1.0] * len(completions)

judge = Callable()
doubled = functools.partial(plain, weight=2.0)
number = 3
"""


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    file = tmp_path / "functions.py"
    file.write_text(FUNCTIONS)
    return file


def observed(spec: str, conversations: list[list[dict[str, str]]], **options: Any) -> list[Observation]:
    model = rmeval.load_model(spec, **options)
    requests = conversation_requests([as_conversation(one, "conversation 0") for one in conversations])
    return [one for batch in model.observe(requests) for one in batch]


@pytest.mark.parametrize(
    ("name", "kwargs", "scores"),
    [
        ("trl", {}, [2, 1, 4]),
        ("trl_texts", {"conversational": False}, [3, 2, 5]),
        ("trl_texts", {"conversational": False, "weight": 2}, [6, 4, 10]),
        ("trl_async", {}, [2, 1, 4]),
        ("verl", {}, [2, 1, 4]),
        ("verl_dict", {"data_source": "mine", "factor": 3}, [6, 3, 12]),
        ("plain", {}, [2, 1, 4]),
        ("plain", {"weight": 2}, [4, 2, 8]),
        ("plain_async", {}, [2, 1, 4]),
        ("doubled", {}, [4, 2, 8]),
        ("judge", {}, [1, 1, 1]),
        ("Judge", {}, [1, 1, 1]),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 2, None])
def test_functions(
    functions: Path, name: str, kwargs: dict[str, Any], scores: list[float], batch_size: int | None
) -> None:
    found = rmeval.score(f"{functions}:{name}", CONVERSATIONS, model_kwargs=kwargs, batch_size=batch_size)
    assert found.tolist() == scores


def test_none_is_no_score(functions: Path) -> None:
    assert np.isnan(rmeval.score(f"{functions}:trl_none", CONVERSATIONS)).tolist() == [False, True, False]


def test_what_an_async_function_fails_on_is_asked_once(functions: Path) -> None:
    assert [one.status for one in observed(f"{functions}:verl_once", CONVERSATIONS)] == ["ok", "error", "ok"]
    found = observed(f"{functions}:verl_async", CONVERSATIONS)
    assert found[0].values == {"score": 2.0}
    line = FUNCTIONS.splitlines().index('        raise ValueError("no b please")') + 1
    assert found[1].error == f"ValueError: no b please (functions.py line {line})"
    assert (found[2].status, "SystemExit" in str(found[2].error)) == ("error", True)


def test_a_function_is_not_told_what_is_right(functions: Path) -> None:
    for name, reason in (("verl_truth", "TypeError: 'in <string>'"), ("trl_hidden_column", "KeyError: 'solution'")):
        found = observed(f"{functions}:{name}", CONVERSATIONS)
        assert all(one.status == "error" and str(one.error).startswith(reason) for one in found)


def test_texts_are_for_prompts_of_one_message(functions: Path) -> None:
    longer = [{"role": "system", "content": "s"}, *CONVERSATIONS[0]]
    found = observed(f"{functions}:trl_texts", [*CONVERSATIONS, longer], model_kwargs={"conversational": False})
    assert [one.status for one in found] == ["ok", "ok", "ok", "error"]
    assert str(found[3].error).startswith("conversational=false needs prompts of one message, and this prompt has 2:")


def test_a_dict_without_a_score(functions: Path) -> None:
    found = observed(f"{functions}:verl_dict", CONVERSATIONS, model_kwargs={"factor": 3})
    assert found[0].error == f"{functions}:verl_dict returned a dict without 'score': add it"


@pytest.mark.parametrize(
    ("name", "kwargs", "sentence"),
    [
        (
            "trl_tokens",
            {},
            r"cannot be called as TRL does \(missing a required argument: 'completion_ids'\): it can take",
        ),
        ("trl_column", {}, r"as TRL does \(missing a required argument: 'solution'\)"),
        ("trl_texts", {"wait": 1}, r"as TRL does \(got an unexpected keyword argument 'wait'\)"),
        ("trl", {"conversational": "no"}, "conversational is 'no': give true or false"),
        ("trl_short", {}, r"functions\.py:trl_short returned 1 number for 3 conversations"),
        ("verl", {"factor": 2}, r"as verl does \(got an unexpected keyword argument 'factor'\)"),
        ("two", {}, r"with one list of conversations \(missing a required argument: 'answer'\): let it take this list"),
        ("nobody", {}, r"with one list of conversations \(too many positional arguments\)"),
        ("plain", {"factor": 2}, "got an unexpected keyword argument 'factor'"),
        ("plain_number", {}, r"functions\.py:plain_number returned a float: return a list"),
        ("plain_nothing", {}, "returned a NoneType"),
        ("number", {}, "is neither a class nor a function"),
    ],
)
def test_wrong_functions(functions: Path, name: str, kwargs: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        rmeval.score(f"{functions}:{name}", CONVERSATIONS, model_kwargs=kwargs)


def test_a_function_is_known_by_its_file_and_its_arguments(functions: Path) -> None:
    first = rmeval.load_model(f"{functions}:plain").identity()
    assert rmeval.load_model(f"{functions}:plain").identity() == first
    assert rmeval.load_model(f"{functions}:verl").identity() != first
    assert rmeval.load_model(f"{functions}:plain", model_kwargs={"weight": 2}).identity() != first
    functions.write_text(FUNCTIONS + "\n# changed\n")
    assert rmeval.load_model(f"{functions}:plain").identity() != first


def test_a_function_of_a_package(functions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an entry point of the group `rmeval.models` would name it."""
    package = functions.with_name("package_of_functions.py")
    functions.rename(package)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr("rmeval.models.model_names", lambda: {"mine": "package_of_functions:verl"})
    assert rmeval.score("mine", CONVERSATIONS).tolist() == [2.0, 1.0, 4.0]


def test_an_async_function_where_a_loop_runs_already(functions: Path) -> None:
    """As in a notebook."""

    async def cell() -> list[float]:
        return list(rmeval.score(f"{functions}:trl_async", CONVERSATIONS))

    assert asyncio.run(cell()) == [2.0, 1.0, 4.0]


def test_a_run_of_a_function(functions: Path, tmp_path: Path) -> None:
    found = rmeval.evaluate(f"{functions}:trl_async", "rm-bench-synthetic", size=8, out=tmp_path / "runs")
    assert found.value("easy", "chat") == 1.0
