"""View of a jury: its number beside those of its judges, and their agreement."""

from __future__ import annotations

from rmeval.messages import count_of, percent
from rmeval.report.cells import COUNT, COUNT_OR_DASH, DECIMALS, Number
from rmeval.report.run import measure_name
from rmeval.report.views import Row, Table, View
from rmeval.results.jury import Jury

__all__ = ["jury_view"]


def jury_view(found: Jury) -> View:
    """Return the view of a jury."""
    named = "accuracy" if found.measure == ("accuracy", "all") else measure_name(found.measure)
    chance = found.record.null.get("random")
    random = "" if chance is None else f"; verdicts drawn at random would give the jury {percent(chance)}"
    share = percent(found.no_majority / found.verdicts) if found.verdicts else "-"
    return View(
        found.benchmark,
        (_judges(found, named), _agreement(found)),
        data=found.data,
        about=(
            f"{len(found.jurors)} judges on {count_of(found.n_items, 'item')}; in %, with 95% intervals; ties and "
            f"failures: {found.rule}",
            f"more than half of all judges decide; no majority in {count_of(found.no_majority, 'verdict')} of "
            f"{found.verdicts} ({share}%), a tie in {found.ties}{random}",
        ),
        notes=found.notes,
    )


def _judges(found: Jury, named: str) -> Table:
    own = found.record
    rows = [
        Row("jury", (Number(own.value, own.ci), Number(own.failures, unit=COUNT_OR_DASH)), strong=True),
        *(
            Row(one.name, (Number(one.record.value, one.record.ci), Number(one.failures, unit=COUNT_OR_DASH)))
            for one in found.jurors
        ),
        Row("mean of the judges", (Number(found.mean), Number(float("nan"))), faint=True),
    ]
    return Table("judges", ("", named, "failed"), tuple(rows), keys=("name", "value", "failed"))


def _agreement(found: Jury) -> Table:
    rows, scores = [], any(one.agreement.name == "alpha (interval)" for one in found.agreements)
    for one in found.agreements:
        own = one.agreement
        label = f"{own.name}, {' and '.join(one.judges)}" if one.judges else own.name
        rows.append(Row(label, (Number(own.value, own.ci, unit=DECIMALS), Number(own.units, unit=COUNT))))
    return Table(
        "agreement",
        ("", "coefficient", "units"),
        tuple(rows),
        "agreement of the judges: 1 if they always agree, 0 if they are independent",
        notes=(
            "of verdicts: each comparison counts with its responses in all rotations, so that no position is more "
            "frequent" + ("; alpha (interval) is of the scores of responses" if scores else ""),
        ),
    )
