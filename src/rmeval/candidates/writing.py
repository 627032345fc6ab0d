"""Writes candidates with a language model, verifies them, and stores them in a file."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from rmeval.build.answers import Answer
from rmeval.build.pipeline import silent
from rmeval.build.recipes.code import prompt_values
from rmeval.build.tools import Ask, Progress, Tools
from rmeval.candidates.counting import Written, summary_of
from rmeval.candidates.options import Verify, WriterOptions, config_of
from rmeval.candidates.outcomes import Draft, Unclear, draft_of, found_of
from rmeval.candidates.output import check_out, row_of, store
from rmeval.candidates.summary import CandidateSummary
from rmeval.candidates.tasks import Task, opened_tools, read_tasks, ready
from rmeval.errors import ModelError
from rmeval.solutions.algebra import Algebra

__all__ = ["asks_of", "write_candidates"]

logger = logging.getLogger(__name__)


def write_candidates(
    problems: Path,
    out: Path,
    options: WriterOptions,
    *,
    verify: Verify = "auto",
    unclear: Unclear = "null",
    require_sandbox: bool = True,
    overwrite: bool = False,
    break_lock: bool = False,
    progress: Progress = silent,
) -> CandidateSummary:
    """Write candidates of each problem and verify them; killed at any moment, it continues where it stopped.

    Calls and verdicts are kept in a folder beside the file, so that a larger `n` only writes the new candidates.

    Args:
        problems: The file of problems: JSON Lines, JSON, CSV or parquet, in a layout of `rmeval build`.
        out: The file of candidates.
        options: How candidates are written.
        verify: What decides on their quality: `key`, `tests`, `none`, or `auto`, which is the tests of a problem, and
            its key where it has no tests.
        unclear: How a candidate counts that may be right: `null` (not known, so that best-of-N leaves its problem
            out), or `wrong`, as most evaluations count it.
        require_sandbox: Whether code runs only in bubblewrap, and never with the weaker fallback.
        overwrite: Whether to replace a file that rmeval did not write, or that has changed since.
        break_lock: Whether to take a lock that another process seems to hold.
        progress: Called with the number of calls that are done, their total, and what is running.

    Raises:
        RmevalError: If the user must change something. Answers are kept.
    """
    write = check_out(out, overwrite, problems)
    config = config_of(problems, options, require_sandbox)
    tasks, left_out = read_tasks(config, verify, options.limit)
    needs_algebra = any(one.by == "key" for one in tasks)
    with (
        opened_tools(config, out, progress, options.accept_failures, break_lock) as tools,
        Algebra() if needs_algebra else nullcontext() as algebra,
    ):
        tasks = ready(tasks, algebra, tools, left_out)
        written = _drafted(tasks, options, tools, left_out)
        verified = iter(_verified(written, algebra, tools, unclear))
        written = [one if one.task.by == "none" else next(verified) for one in written]
        writer = tools.name_of("writer")
        store(out, (row_of(one.task, one.drafts, one.found, writer) for one in written), write)
        return summary_of(out, writer, written, left_out, tools.calls, tools.cost)


def asks_of(tasks: Sequence[Task], options: WriterOptions) -> list[Ask]:
    """The calls for all candidates: the first of each problem, then the second of each, and so on.

    In this order a smaller `n` can be completed if a budget ends earlier.

    Raises:
        DataError: If the template of the prompt cannot be read.
    """
    prompts = {by: options.prompt_for(by) for by in {one.by for one in tasks}}
    values = [prompt_values(one.problem) for one in tasks]
    return [
        Ask("writer", prompts[task.by], own, number)
        for number in range(options.n)
        for task, own in zip(tasks, values, strict=True)
    ]


def _drafted(tasks: Sequence[Task], options: WriterOptions, tools: Tools, left_out: Counter[str]) -> list[Written]:
    """The tasks with their candidates, without those for which there is none.

    Raises:
        ModelError: If the writer cannot be called, or returns no candidate.
    """
    answers = tools.ask(asks_of(tasks, options), "candidates")
    written = []
    for place, task in enumerate(tasks):
        own = answers[place :: len(tasks)]
        drafts = [draft for one in own if (draft := draft_of(one)) is not None]
        if drafts:
            written.append(Written(task, drafts, None, sum(one.status == "error" for one in own)))
        else:
            left_out[_why_none(own)] += 1
    if not written:
        raise ModelError(f"no problem has a candidate ({', '.join(left_out)}): correct the cause, and run it again")
    if not any(draft.text for own in written for draft in own.drafts):
        logger.warning(
            "all candidates are empty, and an empty candidate counts as wrong: check the writer's answers in "
            "the folder of its calls"
        )
    elif options.n > 1 and all(len({one.text for one in own.drafts}) == 1 for own in written if len(own.drafts) > 1):
        logger.warning(
            "all candidates of each problem are the same text: the writer's server seems to ignore temperature and "
            "seed, so that more candidates change nothing"
        )
    return written


def _why_none(answers: Sequence[Answer]) -> str:
    too_long = any(one.status == "overlength" for one in answers)
    return "prompt that is too long for the writer" if too_long else "calls that failed"


def _verified(written: Sequence[Written], algebra: Algebra | None, tools: Tools, unclear: Unclear) -> list[Written]:
    """The problems that are verified, with what is found of their candidates."""
    own = [one for one in written if one.task.by != "none"]
    drafts: list[Sequence[Draft]] = [one.drafts for one in own]
    found = found_of([one.task for one in own], drafts, algebra, tools, unclear)
    return [Written(one.task, one.drafts, each, one.failed) for one, each in zip(own, found, strict=True)]
