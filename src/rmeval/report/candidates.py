"""View of candidates of best-of-N: pass@k, and what was found of each candidate."""

from __future__ import annotations

from collections.abc import Iterator

from rmeval.candidates.summary import CandidateSummary, PassAt
from rmeval.messages import count_of
from rmeval.report.cells import COUNT, Number, clean
from rmeval.report.views import Row, Table, View

__all__ = ["candidates_view"]

_MANY = 0.5
_WORDS = {
    "no_answer": "no answer",
    "syntax_error": "syntax error",
    "cut_off": "cut off",
    "timeout": "over the time limit",
    "memory": "over the memory limit",
    "output": "over the output limit",
}


def candidates_view(found: CandidateSummary) -> View:
    """Return the view of a file of candidates."""
    tables = [_outcomes(found), *([_passes(found)] if found.passes else [])]
    scopes = list(dict.fromkeys(one.scope for one in found.passes if one.scope != "all"))
    if scopes:
        tables.append(_subsets(found, scopes))
    counts = f"{count_of(found.n_responses, 'candidate')} of {count_of(found.n_problems, 'problem')}"
    about = [f"{counts}, at most {found.n} each", *([f"writer: {clean(found.writer)}"] if found.writer else [])]
    if found.calls:
        cost = "" if found.cost is None else f", which cost ${found.cost:.4g}"
        about.append(f"{count_of(found.calls, 'call')} of this command{cost}")
    return View(found.file.name, tuple(tables), about=tuple(about), notes=tuple(_notes(found)))


def _outcomes(found: CandidateSummary) -> Table:
    rows = [
        Row(
            _WORDS.get(name, name),
            (Number(count, unit=COUNT), Number(found.share(name))),
            name,
        )
        for name, count in found.outcomes.items()
    ]
    if not rows:
        rows = [Row("not verified", (Number(found.n_responses, unit=COUNT), Number(1.0)), "unverified")]
    return Table("outcomes", ("outcome", "candidates", "share"), tuple(rows), keys=("outcome", "candidates", "share"))


def _passes(found: CandidateSummary) -> Table:
    rows = [
        Row(f"{one.k}", (Number(one.value, one.ci), Number(one.n_problems, unit=COUNT)))
        for one in found.passes
        if one.scope == "all"
    ]
    note = "pass@k: a response among k is right, over all subsets of k; in %, with 95% intervals over problems"
    return Table("pass", ("k", "pass@k", "problems"), tuple(rows), "", (note,), keys=("k", "value", "problems"))


def _subsets(found: CandidateSummary, scopes: list[str]) -> Table:
    by_scope: dict[str, list[PassAt]] = {scope: [one for one in found.passes if one.scope == scope] for scope in scopes}
    steps = [one.k for one in by_scope[scopes[0]]]
    rows = [
        Row(clean(scope), (*(Number(one.value, one.ci) for one in own), Number(own[0].n_problems, unit=COUNT)))
        for scope, own in by_scope.items()
    ]
    columns = ("subset", *(f"pass@{k}" for k in steps), "problems")
    return Table("subsets", columns, tuple(rows), keys=columns)


def _notes(found: CandidateSummary) -> Iterator[str]:
    if found.n_cut_off:
        yield f"{count_of(found.n_cut_off, 'candidate')} cut off at the limit of tokens: raise it if these are many"
    if found.outcomes and found.n_unverified:
        yield (
            f"{count_of(found.n_unverified, 'candidate')} without a known quality (null in gold), which leave "
            f"{count_of(found.n_incomplete, 'problem')} of {found.n_problems} out of best-of-N, and are not in pass@k: "
            "`unclear` wrong counts those that may be right as wrong"
        )
    if found.n_failed:
        yield f"{count_of(found.n_failed, 'candidate')} missing, because the calls failed"
    for reason, count in found.left_out.items():
        yield f"{count_of(count, 'problem')} left out: {clean(reason)}"
    most = max((one for one in found.passes if one.scope == "all"), key=lambda one: one.k, default=None)
    if most is not None and most.n_problems < found.n_problems:
        yield (
            f"{count_of(found.n_problems - most.n_problems, 'problem')} with fewer than {most.k} candidates of known "
            "quality: not in pass@k"
        )
    if found.share("no_answer") > _MANY:
        yield "most candidates state no answer: the writer may need another prompt, or is too weak for these problems"
