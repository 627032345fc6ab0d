"""Tables of the study, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from examples.style_bias.preferences import CURES, DOMAINS
from examples.style_bias.study import ALL, NUMBERS, Condition, Trained, Values, estimates, smallest_change

__all__ = ["tables"]

TITLES = {"easy": "Easy", "normal": "Normal", "hard": "Hard", "gap": "style gap"}


def tables(trained: Sequence[Trained], values: Values) -> str:
    """Return the tables of doses, of cures, and of domains."""
    found = estimates(values)
    if not any(found.values()):
        return "no seed has all conditions yet\n"
    doses = [one for one in found if one.cure == "none"]
    cures = [one for one in found if one.cure != "none"]
    size = {one: [each for each in trained if each.condition == one] for one in found}
    dose_rows = [[f"{100 * one.dose:.0f}", *(found[one][ALL][name].shown() for name in NUMBERS)] for one in doses]
    cure_rows = [
        [
            f"{100 * one.dose:.0f}",
            one.cure,
            f"{_mean(each.pairs for each in size[one]):,.0f}",
            f"{_mean(each.effective for each in size[one]):,.0f}",
            *(found[one][ALL][name].shown() for name in ("gap", "normal")),
            *(
                found[one][ALL][f"change of {name}"].shown(signed=True) if one.cure != "none" else "-"
                for name in ("gap", "normal")
            ),
        ]
        for one in sorted({*cures, *(Condition(one.dose) for one in cures)}, key=_place)
    ]
    domain_rows = [
        [str(one), *(f"{found[one][domain][name].shown()}" for domain in DOMAINS for name in ("gap", "normal"))]
        for one in sorted(found, key=_place)
    ]
    changes = [f"{one}: {_found(values, one, 3)} in the gap, {_found(values, one, 1)} in Normal" for one in cures]
    heads = ["chosen is fancier, %", *TITLES.values()]
    cured = ["dose, %", "cure", "pairs", "effective", "style gap", "Normal", "change of gap", "change of Normal"]
    domains = ["", *(f"{domain} {TITLES[name]}" for domain in DOMAINS for name in ("gap", "normal"))]
    parts = [_table(heads, dose_rows), _table(cured, cure_rows), _table(domains, domain_rows)]
    power = "Smallest change found with 80% power, in points: " + "; ".join(changes) + ".\n"
    return "\n".join([*parts, power, _times(trained)])


def _found(values: Values, one: Condition, number: int) -> str:
    apart = values[one][ALL][..., number] - values[Condition(one.dose)][ALL][..., number]
    return f"{100 * smallest_change(apart):.1f}"


def _place(one: Condition) -> tuple[float, int]:
    return one.dose, CURES.index(one.cure)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _mean(values: Iterable[float]) -> float:
    own = list(values)
    return sum(own) / len(own)


def _times(trained: Sequence[Trained]) -> str:
    seeds = {one.seed for one in trained}
    minutes = sum(one.seconds for one in trained) / 60
    return f"{len(trained)} models of {len(seeds)} seeds, {minutes:.1f} minutes of CPU time.\n"
