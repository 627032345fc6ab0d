"""The user's functions, called as TRL calls a reward function, as verl does, or with a list of conversations."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from threading import Thread
from typing import Any

from rmeval.errors import ModelError
from rmeval.plugins import one_line

__all__ = ["Messages", "Score", "as_score", "waited"]

Messages = list[dict[str, Any]]
Score = Callable[..., Any]
"""Gets conversations, each ending in the answer, and gives a number for each; or a promise of them, see `waited`. If it
has a parameter `tools`, it gets those of each conversation."""

_TRL = ("prompts", "completions", "log_extra", "log_metric")
_VERL = ("data_source", "solution_str", "ground_truth", "extra_info")


def as_score(target: str, function: Any, kwargs: Mapping[str, Any]) -> Score:
    """A function as one that scores conversations; the names of its parameters tell how it is called.

    * `completions`: as TRL calls a reward function (`GRPOTrainer._calculate_rewards` of TRL 1.16).
    * `solution_str`: as verl calls a `compute_score` (`NaiveRewardManager.run_single` of verl 0.9).
    * Else with the conversations as its one argument.

    Args:
        target: Its name, for errors.
        function: The function.
        kwargs: What it gets as keywords; one that it would get anyway takes that one's place.

    Raises:
        ModelError: If it cannot be called in any of these ways.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{target} is neither a class nor a function ({error}): check the name") from error
    names = signature.parameters.keys()
    if names & {"completions", "completion_ids"}:
        return _as_trl(target, function, signature, dict(kwargs))
    if "solution_str" in names:
        return _as_verl(target, function, signature, kwargs)
    takes_tools = "tools" in names and "tools" not in kwargs
    try:
        signature.bind([], **({"tools": []} if takes_tools else {}), **kwargs)
    except TypeError as error:
        raise ModelError(
            f"{target} cannot be called with one list of conversations ({error}): let it take that, "
            "completions as TRL's reward functions do, or solution_str as verl's do; `model_kwargs` give the rest"
        ) from error
    if takes_tools:
        return lambda conversations, tools: function(conversations, tools=tools, **kwargs)
    return lambda conversations: function(conversations, **kwargs)


def _as_trl(target: str, function: Any, signature: inspect.Signature, kwargs: dict[str, Any]) -> Score:
    """TRL gives lists of prompts and completions: messages where the data are conversational, strings where not."""
    conversational = kwargs.pop("conversational", True)
    if not isinstance(conversational, bool):
        raise ModelError(f"{target}: conversational is {conversational!r}: give true or false")
    taken = _taken(target, "TRL", signature, _TRL, kwargs)

    def score(conversations: list[Messages]) -> Any:
        prompts: list[Any] = [conversation[:-1] for conversation in conversations]
        completions: list[Any] = [conversation[-1:] for conversation in conversations]
        if not conversational:
            prompts = [_text(prompt) for prompt in prompts]
            completions = [answer["content"] for (answer,) in completions]
        offered = {"prompts": prompts, "completions": completions, "log_extra": _unlogged, "log_metric": _unlogged}
        return function(**{name: offered[name] for name in taken}, **kwargs)

    return score


def _text(prompt: Messages) -> str:
    if len(prompt) != 1:
        raise ModelError(
            f"with conversational=false a prompt is one message, and this one has {len(prompt)}: leave that out, "
            "and let the function take messages"
        )
    content: str = prompt[0]["content"]
    return content


def _unlogged(name: str, value: Any) -> None:
    """What a function wants to log goes nowhere: there is no training to log."""


def _as_verl(target: str, function: Any, signature: inspect.Signature, kwargs: Mapping[str, Any]) -> Score:
    """Verl gives one answer at a time, and reads the score from a number or from a dict."""
    taken = _taken(target, "verl", signature, _VERL, kwargs)

    def call(conversation: Messages) -> Any:
        # Models have no access to gold labels.
        offered = {
            "data_source": "rmeval",
            "solution_str": conversation[-1]["content"],
            "ground_truth": None,
            "extra_info": {"prompt": conversation[:-1]},
        }
        return function(**{name: offered[name] for name in taken}, **kwargs)

    def read(result: Any) -> Any:
        if not isinstance(result, Mapping):
            return result
        if "score" not in result:
            raise ModelError(f"{target} returned a dict without 'score': add it")
        return result["score"]

    def score(conversations: list[Messages]) -> Any:
        results = [call(conversation) for conversation in conversations]
        if any(map(inspect.isawaitable, results)):
            return _together(results, read)
        return [read(result) for result in results]

    return score


def _taken(
    target: str, caller: str, signature: inspect.Signature, names: Sequence[str], kwargs: Mapping[str, Any]
) -> list[str]:
    """Those of the names that a function takes, and that the user gives no value of their own.

    Raises:
        ModelError: If it needs more than these, or does not take what the user gives.
    """
    any_name = any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values())
    taken = [name for name in names if name not in kwargs and (any_name or name in signature.parameters)]
    try:
        signature.bind(**dict.fromkeys(taken), **kwargs)
    except TypeError as error:
        raise ModelError(
            f"{target} cannot be called as {caller} does ({error}): "
            f"it can take {', '.join(names)}, and what `model_kwargs` give"
        ) from error
    return taken


def waited(answer: Any) -> Any:
    """What an async function promised, when it is there; any other answer as it is."""
    if not inspect.isawaitable(answer):
        return answer
    future = asyncio.run_coroutine_threadsafe(_settled(answer), _loop())
    try:
        return future.result()
    finally:
        # A run that is interrupted must not go on asking behind the user's back.
        future.cancel()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The loop of all calls, since clients cannot change theirs; in its own thread, since notebooks run one in ours."""
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, name="rmeval-async", daemon=True).start()
    return loop


async def _settled(answer: Any) -> Any:
    try:
        return await answer if inspect.isawaitable(answer) else answer
    except SystemExit as error:
        # It would end the loop, and who waits for the answer would wait for ever.
        raise RuntimeError(one_line(error)) from error


async def _together(results: Sequence[Any], read: Callable[[Any], Any]) -> list[Any]:
    """Waits for all at once; the exception of one stands in its place, so that its neighbours need not ask again."""

    async def one(result: Any) -> Any:
        return read(await _settled(result))

    return await asyncio.gather(*map(one, results), return_exceptions=True)
