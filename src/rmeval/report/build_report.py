"""View of a build's report: funnel, calls and cost, and what the benchmark is worth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rmeval.data.differing_words import compared
from rmeval.messages import count_of, percent
from rmeval.report.build_stages import gates_table
from rmeval.report.cells import COUNT, DECIMALS, FIGURES, PRICE, THOUSANDS, Cell, Number, Passage, Unit
from rmeval.report.views import Row, Table, View
from rmeval.report.words import without_middles

if TYPE_CHECKING:
    from rmeval.build.report.report import BuildReport
    from rmeval.build.report.scorers import Levels
    from rmeval.build.report.wrong import WrongItem

__all__ = ["build_report_view"]

_PROMPT, _RESPONSE, _AROUND = 700, 1_200, 120
"""Characters of prompts and responses that are shown, and before and after each difference."""
_LEVELS = ("easy", "normal", "hard")


def _share(share: float) -> str:
    return f"{percent(share)}%"


_SHARE = Unit(_share, _share)


def build_report_view(found: BuildReport, n: int = 20) -> View:
    """Return the view of a report.

    Args:
        found: The report.
        n: Number of items that every model gets wrong which are shown.
    """
    tables = [
        _funnel(found),
        *([_spent(found)] if found.spent else []),
        *([_agreement(found.agreement)] if found.agreement else []),
        *([gates_table(found.gates)] if found.gates else []),
        *([_balance(found.balance)] if found.balance else []),
        *_scorers(found),
        *([_wrong(found.wrong, n)] if found.wrong else []),
    ]
    return View(found.name, tuple(tables), about=tuple(_about(found)), notes=tuple(found.notes), source=found.folder)


def _about(found: BuildReport) -> Iterator[str]:
    share = found.items / found.problems if found.problems else math.nan
    yield f"yield: {count_of(found.items, 'item')} of {count_of(found.problems, 'problem')} ({percent(share)}%)"
    if found.calls and found.items:
        each = f"{found.calls / found.items:.1f} for each item"
        cost = "" if math.isnan(found.cost) else f"; ${found.cost:.4g}, ${found.cost / found.items:.3g} for each item"
        yield f"{count_of(found.calls, 'call')}, {each}{cost}"


def _funnel(found: BuildReport) -> Table:
    rows = []
    for one in found.funnel:
        reasons = ", ".join(f"{count} {reason}" for reason, count in one.left_out.items())
        counts = (Number(one.kept, unit=COUNT), Number(sum(one.left_out.values()), unit=COUNT))
        rows.append(Row(one.stage, (one.domain, *counts, reasons)))
    keys = ("stage", "domain", "kept", "left_out", "reasons")
    columns = tuple(key.replace("_", " ") for key in keys)
    return Table("funnel", columns, tuple(rows), "funnel", keys=keys, left=("domain", "reasons"))


def _spent(found: BuildReport) -> Table:
    rows = []
    for one in found.spent:
        counts = (one.calls, one.ok, one.input_tokens, one.output_tokens)
        rows.append(
            Row(one.stage, (one.model, *(Number(count, unit=THOUSANDS) for count in counts), _dollars(one.cost)))
        )
    sums = [sum(getattr(one, name) for one in found.spent) for name in ("calls", "ok", "input_tokens", "output_tokens")]
    total = (*(Number(one, unit=THOUSANDS) for one in sums), _dollars(found.cost))
    rows.append(Row("all", ("", *total), strong=True))
    columns = ("stage", "model", "calls", "complete", "input tokens", "output tokens", "cost in $")
    keys = ("stage", "model", "calls", "complete", "input_tokens", "output_tokens", "cost")
    return Table(
        "calls", columns, tuple(rows), "calls, whichever start of the build made them", keys=keys, left=("model",)
    )


def _dollars(cost: float) -> Number:
    return Number(cost, unit=PRICE)


def _agreement(agreement: Sequence[Any]) -> Table:
    rows = []
    for one in agreement:
        kappa = math.nan if one["kappa"] is None else one["kappa"]
        interval = None if one["interval"] is None else (one["interval"][0], one["interval"][1])
        cells: tuple[Cell, ...] = (
            one["questions"],
            one["domain"] or "all",
            Number(one["units"], unit=COUNT),
            Number(one["equal"]),
            Number(kappa, interval, DECIMALS),
        )
        rows.append(Row(" and ".join(one["reviewers"]), cells))
    columns = ("reviewers", "of", "domain", "verdicts", "equal in %", "kappa")
    keys = ("reviewers", "questions", "domain", "units", "equal", "kappa")
    return Table(
        "agreement", columns, tuple(rows), "agreement of reviewers (Cohen's kappa)", keys=keys, left=("of", "domain")
    )


def _balance(balance: Sequence[Any]) -> Table:
    rows = [
        Row(
            one["domain"],
            (
                one["style"].replace("_", " "),
                *(Number(one[side][name], unit=FIGURES) for name in ("words", "markdown") for side in _SIDES),
            ),
        )
        for one in balance
    ]
    columns = ("domain", "style", *(f"{name} of {side}" for name in ("words", "markdown") for side in _SIDES))
    keys = tuple(name.replace(" of ", "_") for name in columns)
    return Table(
        "balance", columns, tuple(rows), "balance: means of chosen and rejected responses", keys=keys, left=("style",)
    )


_SIDES = ("chosen", "rejected")


def _scorers(found: BuildReport) -> Iterator[Table]:
    """Yield a table of scorers for each domain."""
    domains = list(dict.fromkeys(one.domain for scorer in found.scorers for one in scorer.levels))
    if len(domains) == 2:  # That of the only domain, and of all.
        domains = [name for name in domains if name != "all"]
    for domain in domains:
        rows = []
        for scorer in found.scorers:
            own = next((one for one in scorer.levels if one.domain == domain), None)
            if own is not None and not math.isnan(own.normal):
                rows.append(Row(scorer.name, (scorer.kind, *_numbers(own)), faint=scorer.kind == "baseline"))
        title = f"{'all domains (macro average)' if domain == 'all' else domain}: accuracy in %, with 95% intervals"
        yield Table(f"scorers {domain}", ("", "kind", "Easy", "Normal", "Hard"), tuple(rows), title, layout="stacked")


def _numbers(own: Levels) -> Iterator[Number]:
    for name, interval in zip(_LEVELS, own.intervals, strict=True):
        yield Number(getattr(own, name), interval)


def _wrong(wrong: Sequence[WrongItem], n: int) -> Table:
    models = list(wrong[0].credit)
    rows = []
    for number, one in enumerate(wrong[:n], 1):
        sides = compared(one.chosen, one.rejected)
        passages = (
            Passage(text, without_middles(parts, _RESPONSE, _AROUND), name, side)
            for text, parts, name, side in zip((one.chosen, one.rejected), sides, _SIDES, (1, -1), strict=True)
        )
        prompt = Passage(one.prompt, without_middles(((one.prompt, False),), _PROMPT, _PROMPT // 3))
        shares = (Number(one.credit[model], unit=_SHARE) for model in models)
        rows.append(Row(f"{number}. {one.item}", (one.answer or None, *shares, prompt, *passages), one.item))
    columns = ("", "answer", *(f"won by {model}" for model in models), "prompt", *_SIDES)
    title = (
        f"to be reviewed: {count_of(len(wrong), 'item')} in which every model wins fewer than half of the comparisons; "
        f"{len(rows)} shown, worst first"
    )
    keys = ("item", "answer", *models, "prompt", *_SIDES)
    return Table("wrong", columns, tuple(rows), title, layout="blocks", keys=keys)
