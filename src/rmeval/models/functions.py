"""User functions as scorers, called as TRL or verl calls a reward function, or with a list of conversations."""

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
"""Takes conversations, each ending in the response, and returns a number for each, or an awaitable of them (see
`waited`). A parameter `tools` receives the tools of each conversation."""

_TRL = ("prompts", "completions", "log_extra", "log_metric")
_VERL = ("data_source", "solution_str", "ground_truth", "extra_info")


def as_score(target: str, function: Any, kwargs: Mapping[str, Any]) -> Score:
    """Wrap a function so that it scores conversations; the names of its parameters determine how it is called.

    * `completions`: as TRL calls a reward function (`GRPOTrainer._calculate_rewards` of TRL 1.16).
    * `solution_str`: as verl calls a `compute_score` (`NaiveRewardManager.run_single` of verl 0.9).
    * Otherwise with the conversations as its only positional argument.

    Args:
        target: Its name, for errors.
        function: The function.
        kwargs: Additional keyword arguments, which replace default ones of the same name.

    Raises:
        ModelError: If the function cannot be called in any of these ways.
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
            f"{target} cannot be called with one list of conversations ({error}): let it take this list, "
            "completions as TRL's reward functions do, or solution_str as verl's do; pass other arguments with "
            "`model_kwargs`"
        ) from error
    if takes_tools:
        return lambda conversations, tools: function(conversations, tools=tools, **kwargs)
    return lambda conversations: function(conversations, **kwargs)


def _as_trl(target: str, function: Any, signature: inspect.Signature, kwargs: dict[str, Any]) -> Score:
    """TRL passes lists of prompts and completions: messages for conversational data, strings otherwise."""
    conversational = kwargs.pop("conversational", True)
    if not isinstance(conversational, bool):
        raise ModelError(f"{target}: conversational is {conversational!r}: give true or false")
    taken = _taken(target, "TRL", signature, _TRL, kwargs)

    def score(conversations: list[Messages]) -> Any:
        prompts: list[Any] = [conversation[:-1] for conversation in conversations]
        completions: list[Any] = [conversation[-1:] for conversation in conversations]
        if not conversational:
            prompts = [_text(prompt) for prompt in prompts]
            completions = [response["content"] for (response,) in completions]
        offered = {"prompts": prompts, "completions": completions, "log_extra": _unlogged, "log_metric": _unlogged}
        return function(**{name: offered[name] for name in taken}, **kwargs)

    return score


def _text(prompt: Messages) -> str:
    if len(prompt) != 1:
        raise ModelError(
            f"conversational=false needs prompts of one message, and this prompt has {len(prompt)}: leave "
            "conversational out, and let the function take messages"
        )
    content: str = prompt[0]["content"]
    return content


def _unlogged(name: str, value: Any) -> None:
    """Ignore what a function logs, because there is no training."""


def _as_verl(target: str, function: Any, signature: inspect.Signature, kwargs: Mapping[str, Any]) -> Score:
    """Verl passes one response at a time, and reads the score from a number or a dict."""
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
    """The names that a function accepts and `kwargs` do not set.

    Raises:
        ModelError: If the function needs other arguments, or does not accept those in `kwargs`.
    """
    any_name = any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values())
    taken = [name for name in names if name not in kwargs and (any_name or name in signature.parameters)]
    try:
        signature.bind(**dict.fromkeys(taken), **kwargs)
    except TypeError as error:
        raise ModelError(
            f"{target} cannot be called as {caller} does ({error}): "
            f"it can take {', '.join(names)}, and the arguments in `model_kwargs`"
        ) from error
    return taken


def waited(result: Any) -> Any:
    """The value of an awaitable; any other result unchanged."""
    if not inspect.isawaitable(result):
        return result
    future = asyncio.run_coroutine_threadsafe(_settled(result), _loop())
    try:
        return future.result()
    finally:
        # After an interruption the function must not keep running in the background.
        future.cancel()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The event loop of all calls, since clients are bound to one; in a thread, since notebooks run their own loop."""
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, name="rmeval-async", daemon=True).start()
    return loop


async def _settled(result: Any) -> Any:
    try:
        return await result if inspect.isawaitable(result) else result
    except SystemExit as error:
        # SystemExit would end the loop, and the caller would wait forever.
        raise RuntimeError(one_line(error)) from error


async def _together(results: Sequence[Any], read: Callable[[Any], Any]) -> list[Any]:
    """Wait for all results at once; an exception replaces only its own result, so the others are kept."""

    async def one(result: Any) -> Any:
        return read(await _settled(result))

    return await asyncio.gather(*map(one, results), return_exceptions=True)
