"""The report of a build: its funnel, its calls and their cost, and what its benchmark is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.built import CARD_FILE
from rmeval.build.assemble.items import CountedItems, item_of
from rmeval.build.folder import BuildFolder, StageResult
from rmeval.build.funnel import FunnelStep, Used, funnel_of, used_of
from rmeval.build.registry import STAGES, StageName
from rmeval.build.report.scorers import (
    Scorer,
    baseline_scorers,
    form_scorers,
    model_scorers,
    read_runs,
)
from rmeval.build.report.wrong import WrongItem, wrong_items
from rmeval.errors import RunError
from rmeval.runs.plan import plan
from rmeval.transport.budget import price_of, read_prices
from rmeval.transport.calls import Usage

__all__ = ["BuildReport", "Spent", "report_build"]


@dataclass(frozen=True, slots=True)
class Spent:
    """What the calls of a stage and a model used.

    Attributes:
        stage: The stage.
        model: The model.
        calls: Number of calls.
        ok: Number of calls with a complete text.
        input_tokens: Tokens of their prompts.
        output_tokens: Tokens of their answers.
        cost: Dollars; NaN without prices.
    """

    stage: StageName
    model: str
    calls: int
    ok: int
    input_tokens: int
    output_tokens: int
    cost: float


@dataclass(frozen=True)
class BuildReport:
    """A report.

    Attributes:
        folder: The build's folder.
        name: The benchmark.
        problems: Number of problems that the first stage has read.
        items: Number of items of the last stage that has run.
        funnel: Problems that each stage has kept and left out, by domain.
        spent: What calls used, by stage and model.
        agreement: How well reviewers agree.
        gates: The gates.
        balance: Means by domain and style.
        scorers: Null baselines, forms and models on the benchmark.
        wrong: Items that every model gets wrong.
        notes: Sentences for readers.
    """

    folder: Path
    name: str
    problems: int
    items: int
    funnel: Sequence[FunnelStep]
    spent: Sequence[Spent]
    agreement: Sequence[Mapping[str, Any]]
    gates: Sequence[Mapping[str, Any]]
    balance: Sequence[Mapping[str, Any]]
    scorers: Sequence[Scorer]
    wrong: Sequence[WrongItem]
    notes: Sequence[str]

    @property
    def calls(self) -> int:
        """Number of calls."""
        return sum(one.calls for one in self.spent)

    @property
    def cost(self) -> float:
        """Dollars; NaN without prices."""
        return math.fsum(one.cost for one in self.spent)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "folder": str(self.folder),
            "benchmark": self.name,
            "problems": self.problems,
            "items": self.items,
            "calls": self.calls,
            "cost": None if math.isnan(self.cost) else self.cost,
            "funnel": [asdict(one) for one in self.funnel],
            "spent": [asdict(one) | {"cost": None if math.isnan(one.cost) else one.cost} for one in self.spent],
            "agreement": list(self.agreement),
            "gates": list(self.gates),
            "balance": list(self.balance),
            "scorers": [
                {"name": one.name, "kind": one.kind, "levels": [_plain(asdict(own)) for own in one.levels]}
                for one in self.scorers
            ],
            "wrong": [asdict(one) for one in self.wrong],
            "notes": list(self.notes),
        }


def report_build(place: Path, runs: Sequence[Path] = (), prices: Path | None = None) -> BuildReport:
    """Report on a build; the embedded model is run on its benchmark, once.

    Args:
        place: The build's folder.
        runs: Runs of models on its benchmark.
        prices: TOML file with dollars per million tokens for each model; by default the costs at the prices of the
            config count.

    Raises:
        RmevalError: If the folder is not that of a build, a file is damaged, or a run is of another benchmark.
    """
    folder = BuildFolder(place)
    notes: list[str] = []
    stages = _stages(folder, notes)
    last = list(stages)[-1]
    assemble = stages["assemble"].facts if "assemble" in stages else {}
    scorers, wrong = _judged(folder, stages, runs, notes) if assemble else ([], [])
    if not assemble:
        notes.append(
            f"the build has not finished (its last stage is {last}): there are no numbers of the benchmark yet"
        )
    if rejected := assemble.get("rejected"):
        notes.append(rejected)
    return BuildReport(
        place,
        folder.name() or place.name,
        len(stages["problems"].records) + len(stages["problems"].dropped),
        len(stages[last].records),
        funnel_of(stages),
        spent_on(used_of(stages), prices),
        stages["review"].facts.get("review", {}).get("agreement", ()) if "review" in stages else (),
        assemble.get("gates", ()),
        assemble.get("balance", ()),
        scorers,
        wrong,
        notes,
    )


def _stages(folder: BuildFolder, notes: list[str]) -> dict[StageName, StageResult]:
    """The results of the stages that have run, without those of an earlier state of the build.

    Args:
        folder: The build's folder.
        notes: Gets a note on results that are left out.

    Raises:
        RunError: If there is none.
    """
    found: dict[StageName, StageResult] = {}
    before: StageResult | None = None
    for name in STAGES:
        if (result := folder.read(name)) is None:
            break
        if before is not None and _is_outdated(result, before):
            notes.append(
                f"the results from {name} on, and the benchmark in the folder if there is one, are of an earlier state "
                "of the build, and are left out: run `rmeval build` again"
            )
            break
        found[name] = before = result
    if not found:
        what = "a finished benchmark without its build" if (folder.path / CARD_FILE).is_file() else "no build"
        raise RunError(f"{folder.path} contains {what}: give the folder that rmeval build has written")
    return found


def _is_outdated(result: StageResult, before: StageResult) -> bool:
    """Whether the stage before has run again since, or waits for people now."""
    return bool(before.facts.get("waits")) or result.facts.get("before", before.state) != before.state


def _judged(
    folder: BuildFolder, stages: Mapping[StageName, StageResult], places: Sequence[Path], notes: list[str]
) -> tuple[list[Scorer], list[WrongItem]]:
    """The scorers on the finished benchmark, and the items that all models get wrong."""
    rejected = folder.benchmark.with_name(f"{folder.benchmark.name}.rejected")
    found = folder.benchmark if folder.benchmark.is_dir() else rejected
    benchmark = load_benchmark(str(found))
    records = stages["assemble"].records
    planned = plan(benchmark)
    counted = CountedItems.of([item_of(record) for record in records])
    runs = read_runs(places, planned)
    models = list(model_scorers(planned, runs, folder.path / "runs", notes))
    scorers = [*baseline_scorers(benchmark, counted), *form_scorers(benchmark, counted), *models]
    return scorers, wrong_items(records, models)


def spent_on(used: Sequence[Used], prices: Path | None) -> list[Spent]:
    """Return what each stage spent on each model.

    Raises:
        ModelError: If the price file is wrong, or lacks a model.
    """
    known = None if prices is None else read_prices(str(prices))
    groups: dict[tuple[StageName, str], list[Used]] = {}
    for one in used:
        groups.setdefault((one.stage, one.model), []).append(one)
    found = []
    for (stage, model), own in groups.items():
        tokens = Usage(sum(one.input_tokens for one in own), sum(one.output_tokens for one in own))
        calls, ok = sum(one.calls for one in own), sum(one.ok for one in own)
        if known is None:
            cost = math.fsum(math.nan if one.cost is None else one.cost for one in own)
        else:
            cost = price_of(known, model, str(prices)).of(tokens)
        found.append(Spent(stage, model, calls, ok, tokens.input, tokens.output, cost))
    return found


def _plain(levels: dict[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(one, float) and math.isnan(one) else one for name, one in levels.items()}
