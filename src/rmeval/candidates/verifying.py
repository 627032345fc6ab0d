"""Verifies candidates that a file contains, by its keys or tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rmeval.build.pipeline import silent
from rmeval.build.problems.layouts import answer_of
from rmeval.build.problems.suites import check_tests
from rmeval.build.recipes.code import refuse_missing_compilers
from rmeval.build.records import Problem, Source
from rmeval.build.tools import Progress, Tools
from rmeval.candidates.counting import Written, summary_of
from rmeval.candidates.options import NAME, Verify, config_of
from rmeval.candidates.outcomes import Draft, Found, Unclear, found_of
from rmeval.candidates.output import check_out, quality, store
from rmeval.candidates.summary import CandidateSummary
from rmeval.candidates.tasks import Task, comparable, how_verified, opened_tools
from rmeval.data.rows import Row, iterate_rows
from rmeval.errors import DataError, RunError
from rmeval.solutions.algebra import Algebra

__all__ = ["verify_candidates"]


def verify_candidates(
    candidates: Path,
    out: Path,
    *,
    verify: Verify = "auto",
    unclear: Unclear = "null",
    require_sandbox: bool = True,
    overwrite: bool = False,
    break_lock: bool = False,
    progress: Progress = silent,
) -> CandidateSummary:
    """Verify candidates that something else wrote, and store them with their quality; other columns are kept.

    Args:
        candidates: A file with a prompt per row: `responses` (a list of texts), and `reference` or `answer` (the key)
            or `tests`.
        out: The file of candidates with the columns `gold`, `answers` and `outcomes`.
        verify: What decides, see `write_candidates`; not `none`.
        unclear: How a candidate counts that may be right, see `write_candidates`.
        require_sandbox: Whether code runs only in bubblewrap.
        overwrite: Whether to replace a file that rmeval did not write.
        break_lock: Whether to take a lock that another process seems to hold.
        progress: Called with the number of results, their total, and what is running.

    Raises:
        RmevalError: If the user must change something.
    """
    if verify == "none":
        raise RunError("`verify` none leaves nothing to do without a `writer`: give key or tests")
    write = check_out(out, overwrite, candidates)
    rows = list(iterate_rows(candidates))
    tasks = [_task(row, verify) for row in rows]
    tested = [one.problem for one in tasks if one.by == "tests"]
    with (
        opened_tools(config_of(candidates, None, require_sandbox), out, progress, False, break_lock) as tools,
        Algebra() if len(tested) < len(tasks) else nullcontext() as algebra,
    ):
        if tested:
            tools.need_sandbox()
            refuse_missing_compilers(tested, "remove such problems from the file")
        written = _found(rows, tasks, algebra, tools, unclear)
        store(out, (_row(row, own.found or ()) for row, own in zip(rows, written, strict=True)), write)
        writers = Counter(str(row.fields["writer"]) for row in rows if row.fields.get("writer"))
        return summary_of(out, ", ".join(writers), written, {}, knows_ends=False)


def _found(
    rows: list[Row], tasks: list[Task], algebra: Algebra | None, tools: Tools, unclear: Unclear
) -> list[Written]:
    """What is found of the candidates of each row; nothing where the key cannot be compared with."""
    drafts = [[Draft.of(text) for text in row.texts("responses")] for row in rows]
    usable = comparable(tasks, algebra, tools)
    known = [number for number, one in enumerate(usable) if one]
    found = iter(found_of([tasks[one] for one in known], [drafts[one] for one in known], algebra, tools, unclear))
    return [
        Written(task, own, next(found) if there else [Found("unclear")] * len(own))
        for task, own, there in zip(tasks, drafts, usable, strict=True)
    ]


def _task(row: Row, verify: Verify) -> Task:
    """The problem of a row, as far as its verification needs it.

    Raises:
        DataError: If it has no key and no tests, or its quality is known.
    """
    gold = row.fields.get("gold")
    if gold is not None and not (isinstance(gold, list) and all(one is None for one in gold)):
        raise DataError(
            f"{row.where}: the quality of these responses is known ('gold'): remove the column to verify them again, "
            "or give a `writer` and a file of problems"
        )
    row.texts("responses")
    key = row.fields.get("reference")
    answer = answer_of(Row({**row.fields, "answer": row.fields.get("answer") if key is None else key}, row.where))
    name = row.optional_name("id") or row.where
    problem = Problem(name, NAME, "", Source(row.where, ""), answer=answer, tests=check_tests(row))
    return Task(
        problem, how_verified(problem, verify, row.where), row.optional_name("subset"), row.optional_name("cluster")
    )


def _row(row: Row, found: Sequence[Found]) -> dict[str, Any]:
    return {name: value for name, value in row.fields.items() if name not in ("gold", "outcomes")} | quality(found)
