"""What rmeval requests from vLLM for each readout, and the values in its outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from rmeval.engines.base import AtPositions, LastLogits, LastToken, Pooled, Readout, TokenLogProbs, TokenSequence
from rmeval.engines.generation import Generated, Generation
from rmeval.errors import ModelError
from rmeval.types import FloatArray

__all__ = ["GENERATING", "POOLING", "Requests", "continuations", "requests_for", "written"]

POOLING: frozenset[type] = frozenset({LastToken, Pooled, AtPositions})
"""Readouts of classifiers."""
GENERATING: frozenset[type] = frozenset({LastLogits, TokenLogProbs, Generated})
"""Readouts of language models, and the texts that they generate."""
_FEW = 128
"""Largest number of tokens whose log-probabilities vLLM returns by their ids."""


class Requests(NamedTuple):
    """The requests of one readout.

    Attributes:
        parameters: vLLM's parameters of each request.
        values: From vLLM's output, the position of the sequence in the list, and its tokens to its values.
    """

    parameters: Any
    values: Callable[[Any, int, TokenSequence], FloatArray]


def requests_for(readout: Readout, name: str) -> Requests:
    """The requests of a readout.

    Args:
        readout: The readout.
        name: The model's name, for messages.

    Raises:
        ModelError: If vLLM does not return what the readout needs.
    """
    if isinstance(readout, LastToken | Pooled):
        return Requests(_pooling("classify"), lambda output, _, __: _rows(output))
    if isinstance(readout, AtPositions):
        index = readout.index
        return Requests(
            _pooling("token_classify"), lambda output, k, _: _rows(output)[np.asarray(index[k], dtype=np.int64)]
        )
    if isinstance(readout, TokenLogProbs):
        span = readout.span
        return Requests(
            _generating(prompt_logprobs=0, flat_logprobs=True),
            lambda output, k, tokens: prompt_log_probs(output.prompt_logprobs, tokens, *span[k], name),
        )
    if not isinstance(readout, LastLogits):
        raise ModelError(f"the engine vllm has no {type(readout).__name__}: use the engine hf for {name}")
    wanted = readout.tokens
    if len(wanted) == 1:
        raise ModelError(
            f"{name} is read by the logit of one token, and vLLM returns log-probabilities, which differ from it by "
            "another number for each conversation: give two tokens with `head` logit:YES-NO, or use the engine hf"
        )
    some = {"logprob_token_ids": list(wanted)} if len(wanted) <= _FEW else {"logprobs": -1}
    return Requests(_generating(**some), lambda output, _, __: last_log_probs(output.outputs[0].logprobs, wanted))


def _pooling(task: str, use_activation: bool = False) -> Any:
    from vllm import PoolingParams

    return PoolingParams(task=task, use_activation=use_activation)


def activated() -> Any:
    """Parameters of a request for the score after the activation that the checkpoint's config implies."""
    return _pooling("classify", True)


def _generating(max_tokens: int = 1, temperature: float = 0.0, **wanted: Any) -> Any:
    """Parameters of a request; vLLM computes log-probabilities only for a token that it generates."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    kind = RequestOutputKind.FINAL_ONLY
    return SamplingParams(max_tokens=max_tokens, temperature=temperature, detokenize=False, output_kind=kind, **wanted)


def continuations(limits: Sequence[int], seeds: Sequence[int], how: Generation) -> list[Any]:
    """Parameters of requests that continue sequences.

    Args:
        limits: For each sequence the largest number of tokens.
        seeds: For each sequence the seed of its draws.
        how: How tokens are chosen.
    """
    own = {"temperature": how.temperature, "top_p": how.top_p, "stop_token_ids": list(how.stops)}
    drawn = how.temperature > 0
    return [
        _generating(limit, seed=seed if drawn else None, **own)  # type: ignore[arg-type]
        for limit, seed in zip(limits, seeds, strict=True)
    ]


def written(index: int, output: Any, how: Generation, name: str) -> Generated:
    """What vLLM generated after a sequence.

    Raises:
        ModelError: If it was ended by anything else than its limit or a token that ends a text.
    """
    found = output.outputs[0]
    tokens = tuple(int(token) for token in found.token_ids)
    if found.finish_reason == "length":
        return Generated(index, tokens, "length")
    if found.finish_reason != "stop":
        raise ModelError(f"vLLM ended an output of {name} with {found.finish_reason}: run the same command again")
    return Generated(index, tokens[:-1] if tokens and tokens[-1] in how.stops else tokens, "stop")


def _rows(output: Any) -> FloatArray:
    found: FloatArray = output.outputs.data.double().numpy()
    return found


def prompt_log_probs(found: Any, tokens: TokenSequence, start: int, stop: int, name: str) -> FloatArray:
    """The log-probability of each token from `start` to `stop`, from vLLM's log-probabilities of a prompt.

    Args:
        found: vLLM's `FlatLogprobs`; that of the first token, which has none, is empty.
        tokens: The prompt.
        start: Position of the first token that is read.
        stop: The position after the last.
        name: The model's name, for the message.

    Raises:
        ModelError: If they are not those of these tokens.
    """
    rows = np.asarray(found.start_indices[start:stop], dtype=np.int64)
    ids = np.asarray(found.token_ids, dtype=np.int64)
    if len(rows) != stop - start or not np.array_equal(ids[rows], np.asarray(tokens[start:stop], dtype=np.int64)):
        raise ModelError(
            f"vLLM returns log-probabilities of other tokens than those of {name}'s response: use the engine hf, and "
            "report the version of vLLM"
        )
    return np.asarray(found.logprobs, dtype=np.float64)[rows]


def last_log_probs(found: Any, tokens: tuple[int, ...]) -> FloatArray:
    """The log-probabilities of some tokens after a prompt, then 0, the logsumexp of the log-probabilities of all.

    Args:
        found: vLLM's log-probabilities of the generated token.
        tokens: The tokens.
    """
    by_token = found[0]
    return np.array([*(by_token[token].logprob for token in tokens), 0.0])
