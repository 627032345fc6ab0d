"""What a judge's run would send and cost, without sending anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.data.keys import KeyIndex
from rmeval.data.tables import Mask
from rmeval.errors import ModelError
from rmeval.models import ModelOptions, is_address
from rmeval.models.judge.any_llm import model_of
from rmeval.models.judge.decisions import most_probes
from rmeval.protocols.judging import JudgeProtocol, Prompt
from rmeval.protocols.registry import judge_protocol
from rmeval.runs.plan import Plan
from rmeval.runs.requests import model_folder, planned_requests
from rmeval.store.journal import read_journal
from rmeval.store.manifest import find_runs, read_manifest
from rmeval.store.requests import requests_of
from rmeval.transport import Usage
from rmeval.transport.budget import Price, price_of, read_prices
from rmeval.types import IntArray

__all__ = ["BY_BYTES", "DryRun", "dry_run", "estimated_tokens"]

_BYTES_OF_A_TOKEN = 4
BY_BYTES = f"a token for {_BYTES_OF_A_TOKEN} bytes"
"""How tokens are estimated without a tokenizer."""
_TWICE = 3
"""The tokens of an output that is cut off, and of the second one with twice the limit, in limits."""


@dataclass(frozen=True)
class DryRun:
    """What a run would send.

    Attributes:
        benchmark: The benchmark's id.
        model: Name of the model at its server; empty if only the server knows it.
        protocol: The protocol with its options.
        items: Number of items.
        requests: Number of distinct requests of these items.
        done: Number of those whose results the run folder has.
        input_tokens: Tokens of the prompts that are left.
        output_tokens: Tokens of the outputs that are expected; NaN where nothing is known.
        most_input_tokens: Tokens of the prompts if each is sent twice, because each output is cut off.
        most_output_tokens: Tokens of the outputs if each is cut off at its limit, and again at twice its limit.
        counted_by: What counts the tokens of prompts.
        recorded: Number of results from which the expectation follows; 0 without one.
        cost: Dollars that are expected; NaN if the prices or the outputs are not known.
        most_cost: Dollars of the largest numbers of tokens; NaN without prices.
        probes: Largest number of further calls, with a short question each, that find the form of a server's decision
            API and check it at the end; 0 for protocols that read something else.
    """

    benchmark: str
    model: str
    protocol: str
    items: int
    requests: int
    done: int
    input_tokens: float
    output_tokens: float
    most_input_tokens: float
    most_output_tokens: float
    counted_by: str
    recorded: int
    cost: float
    most_cost: float
    probes: int = 0

    @property
    def calls(self) -> int:
        """Number of calls."""
        return self.requests - self.done

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain JSON types."""
        return {**asdict(self), "calls": self.calls}


def dry_run(spec: str, planned: Plan, options: ModelOptions, out: Path) -> DryRun:
    """Count what a run would send; nothing is sent, and no key is needed.

    Args:
        spec: The model, as for a run.
        planned: The items, from `plan`.
        options: Protocol, server and prices, as for a run.
        out: Folder of runs, which may have results of an earlier run.

    Raises:
        RmevalError: If the model is no judge, or a price is missing.
    """
    if options.judge.protocol is None:
        raise ModelError("`dry_run` counts the calls of a judge: give its `protocol`, or leave `dry_run` out")
    asking = judge_protocol(options.judge)
    planned = planned if asking.gives_scores else planned.for_comparing()
    model = (options.served_model or "") if is_address(spec) else model_of(spec)
    requests, index = requests_of(asking, planned.stored)
    known = _known(out, planned, model, asking, index, options)
    counted_by, count = _counter(options)
    sizes = np.zeros(len(index), np.int64)
    every = planned_requests(asking, planned, requests, index)
    for row, request in zip(requests.rows[index.first].tolist(), compress(every, index.first), strict=True):
        sizes[row] = count(asking.ask(request))
    left = ~known.done
    tokens = _Tokens.of(asking, sizes, known)
    price = _price(options, model)
    most = Usage(2 * tokens.input, _TWICE * asking.sampling.max_new_tokens * int(left.sum()))
    if asking.form != "text":
        most = Usage(tokens.input, int(left.sum()))
    return DryRun(
        planned.benchmark.card.id,
        model,
        asking.name,
        len(planned.stored.table),
        len(index),
        int(known.done.sum()),
        tokens.input,
        float(tokens.output),
        most.input,
        most.output,
        counted_by if not tokens.recorded else f"{counted_by}, at the tokens per prompt that the server counted",
        tokens.recorded,
        math.nan if price is None else price.input * tokens.input / 1e6 + price.output * tokens.output / 1e6,
        math.nan if price is None else price.of(most),
        most_probes(options.dialect) if asking.form == "decision" else 0,
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """What a run folder has of the requests.

    Attributes:
        done: bool[n]: whether each request has a result.
        input: int64[n]: tokens of its prompt as the server counted them; 0 where unknown.
        output: int64[n]: likewise those of its output.
    """

    done: Mask
    input: IntArray
    output: IntArray


def _known(
    out: Path, planned: Plan, model: str, asking: JudgeProtocol, index: KeyIndex, options: ModelOptions
) -> _Known:
    found = _Known(np.zeros(len(index), bool), np.zeros(len(index), np.int64), np.zeros(len(index), np.int64))
    for folder in _folders(out, planned, model, asking, options):
        for batch in read_journal(folder / "journal", tolerant=True):
            rows = index.find([one.key for one in batch])
            for row, one in zip(rows.tolist(), batch, strict=True):
                if row >= 0:
                    found.done[row] = one.status != "error"
                    found.input[row] = one.usage.get("tokens", 0)
                    found.output[row] = one.usage.get("output_tokens", 0)
        break
    return found


def _folders(out: Path, planned: Plan, model: str, asking: JudgeProtocol, options: ModelOptions) -> Iterator[Path]:
    """The folders that a run of this judge would continue; only a server knows what else identifies one."""
    card = planned.benchmark.card
    where = model_folder(out, card.id, model)
    if not model or not where.is_dir():
        return
    wanted = {
        "contents": planned.contents,
        "protocol": asking.name,
        "prompt": asking.prompt,
        "sampling": asdict(asking.sampling),
        "judge_kwargs": dict(options.judge.judge_kwargs),
    }
    for folder in find_runs(where):
        manifest = read_manifest(folder)
        identity = {"judge_kwargs": {}, **manifest["identity"]}
        # Names such as a/b and a-b have the same folder.
        same = manifest["model"]["name"] == model
        if same and all(identity.get(name) == value for name, value in wanted.items()):
            yield folder


def _counter(options: ModelOptions) -> tuple[str, Callable[[Prompt], int]]:
    """What counts the tokens of a prompt."""
    if options.tokenizer is None:
        return BY_BYTES, estimated_tokens
    from rmeval.rendering.tokenizer import load_tokenizer

    tokenizer, _ = load_tokenizer(options.tokenizer, None, options.trust_remote_code, options.tokenizer_kwargs)

    def counted(prompt: Prompt) -> int:
        return sum(len(tokenizer.encode(one.content, add_special_tokens=False)) for one in prompt.messages)

    return f"the tokenizer {options.tokenizer}, without the chat template", counted


def estimated_tokens(prompt: Prompt) -> int:
    """Estimate the tokens of a prompt from its bytes."""
    size = sum(len(one.content.encode("utf-8", "replace")) for one in prompt.messages)
    return -(-size // _BYTES_OF_A_TOKEN)


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Tokens of the requests that are left."""

    input: int
    output: float
    recorded: int

    @classmethod
    def of(cls, asking: JudgeProtocol, sizes: IntArray, known: _Known) -> _Tokens:
        """Estimate them, by what the server counted for those that are done."""
        left = ~known.done
        counted = known.done & (known.input > 0)
        number = int(counted.sum())
        factor = known.input[counted].sum() / max(sizes[counted].sum(), 1) if number else 1.0
        expected = float(known.output[counted].mean()) if number else math.nan
        each = expected if asking.form == "text" else 1.0
        output = each * left.sum() if left.any() else 0.0
        return cls(math.ceil(sizes[left].sum() * factor), output, number)


def _price(options: ModelOptions, model: str) -> Price | None:
    own = options.server
    prices: Mapping[str, Price] = read_prices(own.prices) if own.prices else {}
    return price_of(prices, model or None, str(own.prices)) if prices else None
