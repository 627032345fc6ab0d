"""The data card: `README.md` for readers and the hub, and `rmeval.toml` for rmeval."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from rmeval._version import __version__
from rmeval.baselines import BASELINES
from rmeval.benchmarks.built import CARD_VERSION
from rmeval.build.assemble.balance import Balance
from rmeval.build.assemble.baselines import BaselineNumber
from rmeval.build.assemble.gates import Gate
from rmeval.build.assemble.items import cluster_of
from rmeval.build.config import BuildConfig
from rmeval.build.funnel import FunnelStep, Used
from rmeval.build.records import Record
from rmeval.build.stage import by_domain
from rmeval.messages import count_of, percent

__all__ = ["ITEMS_FILE", "MEASURES", "Findings", "card_fields", "readme", "toml_text"]

ITEMS_FILE = "data/test-00000-of-00001.parquet"
MEASURES = "The better response is the one that is right, regardless of the styles of the two."
_LICENCES = (
    "afl-3.0",
    "agpl-3.0",
    "apache-2.0",
    "artistic-2.0",
    "bigscience-openrail-m",
    "bsd-2-clause",
    "bsd-3-clause",
    "bsl-1.0",
    "cc0-1.0",
    "cc-by-2.0",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-nc-3.0",
    "cc-by-nc-4.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cdla-permissive-2.0",
    "gpl-2.0",
    "gpl-3.0",
    "isc",
    "lgpl-3.0",
    "llama3",
    "mit",
    "mpl-2.0",
    "odbl",
    "odc-by",
    "openrail",
    "pddl",
    "unlicense",
)
"""Licences that the hub knows by these names."""
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True)
class Findings:
    """What the last stage has found about a benchmark.

    Attributes:
        records: The complete records.
        funnel: The counts of all stages.
        used: What calls used.
        gates: The results of the gates.
        balance: Means by domain and style.
        baselines: Null baselines by domain.
        review: What the stage of human review has counted.
    """

    records: Sequence[Record]
    funnel: Sequence[FunnelStep]
    used: Sequence[Used]
    gates: Sequence[Gate]
    balance: Sequence[Balance]
    baselines: Sequence[BaselineNumber]
    review: Mapping[str, Any]


def card_fields(config: BuildConfig, records: Sequence[Record], measures: str, citation: str) -> dict[str, Any]:
    """Return the contents of `rmeval.toml`."""
    counts = {domain: len(own) for domain, own in by_domain(records).items()}
    return {
        "version": CARD_VERSION,
        "id": config.name,
        "title": config.title or config.name,
        "measures": measures or MEASURES,
        "licence": config.licence or "not stated",
        "language": config.language,
        "citation": citation,
        "items": ITEMS_FILE,
        "counts": {domain: counts[domain] for domain in config.domains if domain in counts},
    }


def toml_text(fields: Mapping[str, Any]) -> str:
    """Return texts, whole numbers, and tables of them as TOML."""
    plain = {name: value for name, value in fields.items() if not isinstance(value, Mapping)}
    lines = [f"{_key(name)} = {_value(value)}" for name, value in plain.items()]
    for name, table in fields.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{_key(name)}]", *(f"{_key(key)} = {_value(value)}" for key, value in table.items())]
    return "".join(f"{line}\n" for line in lines)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: str | int) -> str:
    # JSON's escapes are TOML's, but TOML also escapes DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def readme(config: BuildConfig, fields: Mapping[str, Any], found: Findings) -> str:
    """Return the data card in Markdown, with the hub's header in YAML."""
    template = files("rmeval.build.assemble").joinpath("card.md.jinja").read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, autoescape=False)
    return environment.from_string(template).render(
        header=_header(config, fields, found.records),
        title=_line(fields["title"]),
        items=len(found.records),
        rmeval=__version__,
        measures=_line(fields["measures"]),
        licence=_line(fields["licence"]),
        citation=fields["citation"].strip().replace("```", "'''"),
        data=ITEMS_FILE,
        domains=_domains(config, found.records),
        checks=_checks(found.records),
        people=_people(found.review),
        is_harmful=any(config.domains[name].recipe == "safety-refuse" for name in by_domain(found.records)),
        **_tables(found),
    )


def _tables(found: Findings) -> dict[str, str]:
    funnel = [
        (one.stage, one.domain, one.kept, "; ".join(f"{count} {reason}" for reason, count in one.left_out.items()))
        for one in found.funnel
    ]
    used = [
        (one.stage, one.role, one.model, one.prompt, one.calls, one.ok, one.input_tokens, one.output_tokens)
        for one in found.used
    ]
    gates = [(one.name, one.result, one.found) for one in found.gates]
    balance = [
        (
            one.domain,
            one.style.replace("_", " "),
            f"{one.chosen.words:.1f}",
            f"{one.rejected.words:.1f}",
            f"{one.chosen.markdown:.1f}",
            f"{one.rejected.markdown:.1f}",
        )
        for one in found.balance
    ]
    baselines: dict[str, list[str]] = {}
    for one in found.baselines:
        baselines.setdefault(one.domain, []).append(" / ".join(map(percent, one.levels)))
    numbers = "calls|complete|input tokens|output tokens"
    means = "words of chosen|of rejected|markdown of chosen|of rejected"
    return {
        "funnel": _table("stage|domain|kept|left out", funnel),
        "used": _table(f"stage|role|model|prompt|{numbers}", used) if used else "",
        "gates": _table("gate|result|found", gates),
        "balance": _table(f"domain|style|{means}", balance),
        "baselines": _table("|".join(["domain", *BASELINES]), [(name, *own) for name, own in baselines.items()]),
    }


def _table(columns: str, rows: Sequence[Sequence[str | int]]) -> str:
    """A table in GitHub's Markdown."""
    names = columns.split("|")
    lines = [names, [":--"] * len(names), *([_cell(str(value)) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _header(config: BuildConfig, fields: Mapping[str, Any], records: Sequence[Record]) -> str:
    """The hub's header; JSON's values are YAML's."""
    own = config.licence.strip().lower().replace(" ", "-")
    licence = (
        {"license": own} if own in _LICENCES else {"license": "other", "license_name": config.licence or "unknown"}
    )
    size = next((name for most, name in _SIZES if len(records) < most), "n>1M")
    split = [{"split": "test", "path": "data/test-*.parquet"}]
    header = {
        **licence,
        "language": sorted({record.problem.language for record in records}),
        "pretty_name": fields["title"],
        "size_categories": [size],
        "tags": ["reward-model", "preference", "benchmark"],
        "configs": [{"config_name": "default", "data_files": split}],
    }
    return "\n".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in header.items())


def _domains(config: BuildConfig, records: Sequence[Record]) -> str:
    rows = []
    for name, own in by_domain(records).items():
        licences = sorted({record.problem.source.licence or config.licence or "not stated" for record in own})
        problems = len({cluster_of(record) for record in own})
        rows.append((name, len(own), problems, config.domains[name].recipe, ", ".join(licences)))
    return _table("domain|items|problems|recipe|licence of the problems", rows)


def _checks(records: Sequence[Record]) -> str:
    counts: dict[tuple[str, str], Counter[str]] = {}
    for record in records:
        for one in record.candidates:
            for by in {_kind(check.by) for check in one.checks if check.status == "pass"}:
                counts.setdefault((record.problem.domain, by), Counter())[one.side] += 1
    rows = [(*place, own["chosen"], own["rejected"]) for place, own in sorted(counts.items())]
    return _table("domain|check|chosen|rejected", rows)


def _people(review: Mapping[str, Any]) -> str:
    """What people have judged, and how well they agree, without their names."""
    if not review.get("reviewed"):
        return "No person has judged the items."
    found = f"People have judged {count_of(review['reviewed'], 'item')}."
    for one in review["agreement"]:
        if one["questions"] == "responses" and one["domain"] is None and one["kappa"] is not None:
            low, high = one["interval"] or (math.nan, math.nan)
            interval = "" if math.isnan(low) else f" [{low:.2f}, {high:.2f}]"
            found += (
                f" Two reviewers agree on {percent(one['equal'])}% of {one['units']} responses"
                f" (Cohen's kappa {one['kappa']:.2f}{interval})."
            )
    return found


def _kind(by: str) -> str:
    """What a check was made by, without the names of people."""
    return "people" if by.startswith("reviewer:") else by


def _line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    """A text in a cell of a table."""
    return re.sub(r"([\\`*_\[\]<>|~$])", r"\\\1", _line(text))
