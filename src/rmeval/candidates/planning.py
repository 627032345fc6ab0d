"""What writing candidates would send and cost, without sending anything."""

from __future__ import annotations

import math
from pathlib import Path

from rmeval.build.answers import AnswerLog
from rmeval.build.folder import BuildFolder
from rmeval.build.pipeline import silent
from rmeval.build.tools import Tools
from rmeval.candidates.options import Verify, WriterOptions, config_of
from rmeval.candidates.tasks import log_folder, read_tasks
from rmeval.candidates.writing import asks_of
from rmeval.models import is_address
from rmeval.models.judge.any_llm import model_of
from rmeval.protocols.judging import Prompt
from rmeval.redaction import redacted
from rmeval.runs.dry_run import BY_BYTES, DryRun, estimated_tokens
from rmeval.transport import Usage
from rmeval.transport.budget import price_of, read_prices

__all__ = ["plan_candidates"]


def plan_candidates(problems: Path, out: Path, options: WriterOptions, verify: Verify = "auto") -> DryRun:
    """Count calls and tokens; nothing is sent or written, and no key is needed.

    Problems whose key cannot be compared count too, since only a comparison shows that.

    Args:
        problems: The file of problems.
        out: The file of candidates, beside which earlier answers may be.
        options: How candidates are written.
        verify: What decides on their quality.

    Raises:
        RmevalError: If a file or an option is wrong, or a price is missing.
    """
    config = config_of(problems, options)
    tasks, _ = read_tasks(config, verify, options.limit)
    folder = log_folder(out)
    answers, verdicts = AnswerLog(folder / "answers"), AnswerLog(folder / "verdicts")
    tools = Tools(config, BuildFolder(folder), answers, verdicts, silent)
    known, left, estimated = list[Usage](), 0, 0
    requests = {tools.key(one): one for one in asks_of(tasks, options)}
    for key, one in requests.items():
        tokens = estimated_tokens(Prompt(one.prompt.messages(one.values)))
        answer = answers.get(key)
        if answer is None:
            left += tokens
        elif counted := answer.usage.get("tokens"):
            known.append(Usage(counted, answer.usage.get("output_tokens", 0)))
            estimated += tokens
    done = sum(answers.get(key) is not None for key in requests)
    total = sum(known, start=Usage(0))
    calls, factor = len(requests) - done, total.input / estimated if estimated else 1.0
    sent = Usage(math.ceil(left * factor), math.ceil(calls * total.output / len(known)) if known else 0)
    most = Usage(sent.input, calls * options.max_new_tokens)
    role = config.role("writer")
    model = role.served_model or ("" if is_address(role.model) else model_of(role.model))
    prices = read_prices(str(config.path(config.prices))) if config.prices is not None else {}
    price = price_of(prices, model or None, str(config.prices)) if prices else None
    return DryRun(
        problems.name,
        tools.folder.models().get("writer") or model or redacted(role.model),
        f"text, {', '.join(sorted({one.prompt.version for one in requests.values()}))}",
        len(tasks),
        len(requests),
        done,
        sent.input,
        float(sent.output) if known or not calls else math.nan,
        most.input,
        most.output,
        BY_BYTES if not known else f"{BY_BYTES}, at the tokens per prompt that the server counted",
        len(known),
        math.nan if price is None or (not known and calls) else price.of(sent),
        math.nan if price is None else price.of(most),
    )
