"""Problems that get candidates, each with what decides on their quality."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rmeval.build.answers import AnswerLog
from rmeval.build.config import BuildConfig
from rmeval.build.folder import BuildFolder
from rmeval.build.problems.reading import ReadProblem, read_problems
from rmeval.build.prompt_files import PromptFiles
from rmeval.build.recipes.code import refuse_missing_compilers
from rmeval.build.records import Dropped, Problem
from rmeval.build.tools import Progress, Tools
from rmeval.candidates.options import NAME, By, Verify
from rmeval.data.reading import iterate_fields
from rmeval.errors import DataError
from rmeval.messages import count_of
from rmeval.solutions.algebra import Algebra, unreadable_keys
from rmeval.solutions.final_answers import normalised
from rmeval.store.lock import Lock
from rmeval.transport.budget import shared_budgets

__all__ = ["Task", "comparable", "how_verified", "log_folder", "opened_tools", "read_tasks", "ready"]


@dataclass(frozen=True, slots=True)
class Task:
    """A problem with what decides on the quality of its candidates.

    Attributes:
        problem: The problem.
        by: What decides.
        subset: Its subset.
        cluster: The underlying problem, if another row has the same one.
    """

    problem: Problem
    by: By
    subset: str | None = None
    cluster: str | None = None


def log_folder(out: Path) -> Path:
    """The folder of calls and verdicts beside a file of candidates."""
    return out.with_name(f"{out.name}.calls")


@contextmanager
def opened_tools(
    config: BuildConfig, out: Path, progress: Progress, accept_failures: bool, break_lock: bool
) -> Iterator[Tools]:
    """Open the logs beside a file of candidates, and what writes to them.

    Raises:
        RmevalError: If another process writes to them, or they are damaged.
    """
    folder = log_folder(out)
    with (
        Lock(folder / "lock", break_lock),
        AnswerLog(folder / "answers") as answers,
        AnswerLog(folder / "verdicts") as verdicts,
        shared_budgets(),
    ):
        yield Tools(config, BuildFolder(folder), answers, verdicts, progress, accept_failures, resends_cut=False)


def read_tasks(config: BuildConfig, verify: Verify, limit: int | None = None) -> tuple[list[Task], Counter[str]]:
    """Read the problems of a file, and the reasons why rows are left out.

    Args:
        config: The config with the file.
        verify: What decides on quality.
        limit: Number of rows to take from the start.

    Raises:
        RmevalError: If the file is wrong, or a problem has nothing that decides on its candidates.
    """
    domain = config.domains[NAME]
    path = config.path(domain.problems.files[0])
    first, _ = next(iterate_fields(path))
    if "responses" in first:
        raise DataError(
            f"{path} has responses already, which `writer` would write again: leave it out to verify them, or give a "
            "file of problems"
        )
    tasks: list[Task] = []
    left_out: Counter[str] = Counter()
    for one in islice(read_problems(NAME, domain, config, PromptFiles()), limit):
        if isinstance(one, Dropped):
            left_out[one.reason] += 1
        else:
            tasks.append(_task(one, verify))
    if not tasks:
        raise DataError(f"{path} has no problem that can be used ({_listed(left_out)}): correct its rows")
    return tasks, left_out


def _task(found: ReadProblem, verify: Verify) -> Task:
    problem, subset = found.problem, found.fields.get("subset")
    cluster = problem.meta.get("cluster") or found.fields.get("cluster")
    by = how_verified(problem, verify, found.where)
    return Task(problem, by, *(str(one) if isinstance(one, str | int) else None for one in (subset, cluster)))


def how_verified(problem: Problem, verify: Verify, where: str) -> By:
    """What decides on the candidates of a problem.

    Raises:
        DataError: If it lacks that.
    """
    has: Mapping[By, bool] = {"tests": bool(problem.tests), "key": bool(normalised(problem.answer)), "none": True}
    if verify != "auto":
        if not has[verify]:
            what = "are no tests in a column 'tests'" if verify == "tests" else "is no key in a column 'answer'"
            raise DataError(f"{where}: there {what}, which `verify` {verify} needs: add it, or give none")
        return verify
    if not has["tests"] and not has["key"]:
        raise DataError(
            f"{where}: there is no key in a column 'answer' and no 'tests', so that nothing decides on the quality of "
            "candidates: add one of them, or give `verify` none to write candidates without quality"
        )
    return "tests" if has["tests"] else "key"


def ready(tasks: Sequence[Task], algebra: Algebra | None, tools: Tools, left_out: Counter[str]) -> list[Task]:
    """The tasks whose candidates can be verified here, found out before calls are paid.

    Raises:
        RmevalError: If the sandbox or a toolchain is missing.
    """
    tested = [one.problem for one in tasks if one.by == "tests"]
    if tested:
        tools.need_sandbox()
        refuse_missing_compilers(tested, "remove such problems from the file")
    kept = [one for one, usable in zip(tasks, comparable(tasks, algebra, tools), strict=True) if usable]
    if len(kept) < len(tasks):
        left_out["key that cannot be compared"] += len(tasks) - len(kept)
    if not kept:
        raise DataError(f"no problem is left ({_listed(left_out)}): correct the keys")
    return kept


def comparable(tasks: Iterable[Task], algebra: Algebra | None, tools: Tools) -> list[bool]:
    """Whether answers can be compared with the key of each task that has one."""
    every = list(tasks)
    keys = {one.problem.answer for one in every if one.by == "key"}
    unreadable = unreadable_keys(keys, algebra, tools, "keys") if algebra is not None else set()
    return [one.by != "key" or one.problem.answer not in unreadable for one in every]


def _listed(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count_of(count, 'row')}: {reason}" for reason, count in reasons.items()) or "there are none"
