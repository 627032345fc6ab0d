"""The last stage: gates, and the files of the benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import Field

from rmeval.benchmarks.built import BuiltBenchmark
from rmeval.build.assemble.balance import balance_of
from rmeval.build.assemble.baselines import baseline_numbers
from rmeval.build.assemble.card import Findings, card_fields, readme
from rmeval.build.assemble.files import benchmark_files, write_folder
from rmeval.build.assemble.gates import (
    GATES,
    PER_ITEM,
    Gate,
    GateName,
    Level,
    balanced,
    baselines,
    duplicates,
    licensed,
    repeats,
    verified,
)
from rmeval.build.assemble.items import CountedItems, item_of
from rmeval.build.assemble.similar import similar_prompts
from rmeval.build.config import BuildConfig, Options
from rmeval.build.funnel import funnel_of, used_of
from rmeval.build.prompt_files import PromptFile
from rmeval.build.records import Dropped, Record
from rmeval.build.stage import PlannedCalls
from rmeval.build.tools import Tools
from rmeval.errors import DataError

__all__ = ["AssembleOptions", "AssembleStage", "missing_licence"]


class AssembleOptions(Options):
    """Options of the last stage.

    Attributes:
        gates: What happens to a benchmark that does not pass a gate, by gate: `fail` (it is rejected) or `warn`. The
            gates are `verified`, `duplicates`, `repeats` (a response in several problems; by default `warn`),
            `baselines`, `balance` (the tolerance is that of `styles`) and `licence`.
        tolerance: Share by which a null baseline's accuracy on Normal may differ from one half, in any domain, even if
            the difference is significant.
        near_duplicates: Share of 3-word sequences in common from which two prompts are near-duplicates; null allows
            them.
        measures: What a right response is, in one sentence, for the card.
        citation: BibTeX entry of the benchmark.
    """

    gates: dict[GateName, Level] = Field(default={})
    tolerance: float = Field(0.05, ge=0, le=0.5)
    near_duplicates: float | None = Field(0.8, gt=0, le=1)
    measures: str = ""
    citation: str = ""


class AssembleStage:
    """Checks the benchmark, and writes it to `benchmark/`, or to `benchmark.rejected/` if it does not pass a gate."""

    def run(self, records: Sequence[Record], config: BuildConfig, tools: Tools) -> Iterable[Record | Dropped]:
        """Write the benchmark; the records stay as they are."""
        if not records:
            return records
        options = config.part(AssembleOptions, "assemble")
        fields = card_fields(config, records, options.measures, options.citation)
        found = _findings(records, config, options, tools, fields)
        failed = [gate for gate in found.gates if not gate.passed and gate.level == "fail"]
        folder = tools.folder.benchmark
        rejected = folder.with_name(f"{folder.name}.rejected")
        target, other = (rejected, folder) if failed else (folder, rejected)
        before = {record.key: record for record in tools.earlier["responses"].records}
        contents = benchmark_files(records, fields, readme(config, fields, found), before, _prompts(found, tools))
        sums = write_folder(contents, target, tools.folder.of("assemble") / "draft", [other])
        tools.note(
            files={f"{target.name}/{name}": own for name, own in sums.items()},
            gates=[asdict(gate) | {"result": gate.result} for gate in found.gates],
            balance=[asdict(one) for one in found.balance],
            baselines=[asdict(one) for one in found.baselines],
        )
        if failed:
            tools.note(rejected=_why(failed, target.name))
        return records

    def options(self, config: BuildConfig) -> Any:
        """The options of the stage, and what the card states of the config."""
        _refuse_names(config)
        about = {name: [one.recipe, one.licence] for name, one in config.domains.items()}
        stated = [config.name, config.title, config.language, config.licence]
        return {"assemble": config.part(AssembleOptions, "assemble").model_dump(), "card": stated, "domains": about}

    def planned(self, records: Sequence[Record], config: BuildConfig) -> list[PlannedCalls]:
        """No calls."""
        return []


def missing_licence(config: BuildConfig) -> str | None:
    """Return a warning before anything is paid, if the benchmark will not pass its gate `licence`."""
    level = {**GATES, **config.part(AssembleOptions, "assemble").gates}["licence"]
    if config.licence or level != "fail":
        return None
    return (
        "the config states no `licence`, without which the benchmark does not pass its gates: state it, or set the "
        "gate `licence` to `warn` under `assemble`"
    )


def _findings(
    records: Sequence[Record], config: BuildConfig, options: AssembleOptions, tools: Tools, fields: dict[str, Any]
) -> Findings:
    level = {**GATES, **options.gates}
    found = [
        verified(records, level["verified"]),
        licensed(config.licence, records, level["licence"]),
    ]
    if not found[0].passed and any(len(one.candidates) != PER_ITEM for one in records):
        raise DataError(f"{found[0].faults[0]}: run the stages before again")
    benchmark = BuiltBenchmark(str(tools.folder.benchmark), fields)
    balance = balance_of(records, config)
    numbers = baseline_numbers(benchmark, CountedItems.of([item_of(record) for record in records]))
    near = [] if options.near_duplicates is None else similar_prompts(records, options.near_duplicates)
    found += [
        duplicates(records, near, level["duplicates"]),
        repeats(records, level["repeats"]),
        baselines(numbers, options.tolerance, level["baselines"]),
        balanced(balance, level["balance"]),
    ]
    order = list(GATES)
    found.sort(key=lambda gate: order.index(gate.name))
    review = tools.earlier["review"].facts.get("review", {}) if "review" in tools.earlier else {}
    return Findings(records, funnel_of(tools.earlier), used_of(tools.earlier), found, balance, numbers, review)


def _prompts(found: Findings, tools: Tools) -> list[PromptFile]:
    """The prompts that calls were made with."""
    names = sorted({one.prompt.partition("@")[0] for one in found.used})
    return [tools.prompts.get(name) for name in names]


def _refuse_names(config: BuildConfig) -> None:
    """Refuse domains whose names stand for several domains."""
    for name in ("all", "safety"):
        if name in config.domains:
            parts = "all domains" if name == "all" else "the domains safety-refuse and safety-response together"
            raise DataError(f"the domain {name} has the name of {parts}: rename it under `domains`")


def _why(failed: Sequence[Gate], folder: str) -> str:
    reasons = "; ".join(f"{gate.name}: {gate.faults[0] if gate.faults else gate.found}" for gate in failed)
    return (
        f"the benchmark does not pass {len(failed)} of its gates ({reasons}): correct the causes, or set the gate to "
        f"`warn` under `assemble`; its files are in {folder}"
    )
