"""RewardBench: trios over chat, chat-hard, safety and reasoning (Lambert et al. 2024, arXiv 2403.13787)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from rmeval.benchmarks import Card, missing_counts
from rmeval.benchmarks.source import SUFFIXES, Row, find_files, read_rows
from rmeval.digests import digest
from rmeval.errors import DataError
from rmeval.hub import hub_file, is_hub_id
from rmeval.metrics.composition import Composition, Counts
from rmeval.metrics.intervals import bootstrap_interval, bootstrap_means, bootstrap_random
from rmeval.metrics.outcomes import Outcomes, outcomes
from rmeval.metrics.records import accuracy_record, make_record
from rmeval.metrics.sections import (
    ANALYSES,
    EXAMPLE_COUNTS,
    FORMULA,
    SECTIONS,
    overall,
    section_composition,
    section_scores,
)
from rmeval.tables import ItemTable
from rmeval.types import Contest, Evidence, FloatArray, Item, Message, Policy, Record, Response

__all__ = ["RewardBench"]

MATH_PRM_ITEMS = 447
FILTERED = "data/filtered-00000-of-00001.parquet"
CONTESTS = (Contest((0, 1), 0, "chosen/rejected"),)


class RewardBench:
    """RewardBench from the hub (split `filtered`), or from local files in its columns."""

    card = Card(
        id="reward-bench",
        title="RewardBench",
        measures="The better answer is the one verified to be better: more helpful, correct, or rightly refused.",
        source="allenai/reward-bench",
        revision="47e72080fff14868833de674899b78b5426cb295",
        licence="ODC-BY; parts keep their own licences (hub card)",
        paper="https://arxiv.org/abs/2403.13787",
        citation="""@misc{lambert2024rewardbench,
  title={{RewardBench}: Evaluating Reward Models for Language Modeling},
  author={Nathan Lambert and Valentina Pyatkin and Jacob Morrison and LJ Miranda and Bill Yuchen Lin and
          Khyathi Chandu and Nouha Dziri and Sachin Kumar and Tom Zick and Yejin Choi and Noah A. Smith and
          Hannaneh Hajishirzi},
  year={2024},
  eprint={2403.13787},
  archivePrefix={arXiv}
}""",
        counts={name: MATH_PRM_ITEMS if name == "math-prm" else count for name, count in EXAMPLE_COUNTS.items()},
        sections=SECTIONS,
        analyses=ANALYSES,
        formulas=("accuracy@1", FORMULA),
    )

    spec = "reward-bench"
    options: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, data: str | None = None) -> None:
        """Takes the place of the data: a file, a folder of files, or None for the hub."""
        self.data = data

    def load(self) -> list[Item]:
        """Reads the items; an id is `<subset>/<id>`."""
        items: dict[str, Item] = {}
        for path in self._files():
            for row in read_rows(path):
                item = _item(row)
                if item.id in items:
                    raise DataError(f"{row.where}: item {item.id} is there already: ids must be unique within a subset")
                items[item.id] = item
        if self.data is None and (wrong := missing_counts(self.card, list(items.values()), whole=True)):
            raise DataError(
                f"{self.card.source} at {self.card.revision} is {wrong[0]}: clear the hub cache and try again"
            )
        return list(items.values())

    def _files(self) -> list[Path]:
        if self.data is None:
            return [hub_file(self.card.source, FILTERED, self.card.revision, "dataset").path]
        place = Path(self.data)
        if "/" in self.data and is_hub_id(self.data) and not place.name.endswith(SUFFIXES):
            return [hub_file(self.data, FILTERED, repo_type="dataset").path]
        return find_files(place) if place.is_dir() else [place]

    def aggregate(
        self, items: Sequence[Item], evidence: Mapping[str, Evidence], policy: Policy, intervals: bool = True
    ) -> list[Record]:
        """Sections, accuracy by subset, and the overall: the mean of four sections, absent unless all are there."""
        found = outcomes(items, evidence, policy)
        accuracy = {
            name: accuracy_record(self.card.id, policy, name, found.within(name), "accuracy@1", EXAMPLE_COUNTS[name])
            for name in EXAMPLE_COUNTS
            if name in found.present
        }
        scores = section_scores({name: record.value for name, record in accuracy.items()})
        draws: dict[str, float | FloatArray] = {}
        clusters: dict[str, int] = {}
        random = bootstrap_random()
        records = []
        for section, score in scores.items():
            inside = found.within(*SECTIONS[section])
            draws |= section_scores(_draws(inside, random)) if intervals else {section: np.empty(0)}
            interval = bootstrap_interval(float(score), np.asarray(draws[section]), inside.n_clusters)
            clusters[section] = inside.n_clusters
            records.append(
                make_record(self.card.id, policy, "section", section, float(score), inside, FORMULA, interval, 1.0)
            )
            records += [accuracy[name] for name in SECTIONS[section] if name in accuracy]
        mean = overall(scores)
        if mean is not None:
            effective = 16 / sum(1 / count for count in clusters.values())
            interval = bootstrap_interval(float(mean), np.asarray(overall(draws)), effective)
            records.append(make_record(self.card.id, policy, "overall", "all", float(mean), found, FORMULA, interval))
        return records

    def composition(self, counts: Counts) -> Composition:
        """Subsets, sections and the overall."""
        return section_composition(counts)

    def notes(self, items: Sequence[Item]) -> list[str]:
        """Missing sections, sections with missing subsets, and counts that differ from the published ones."""
        subsets = set(ItemTable.of(items).counts)
        missing = [section for section, parts in SECTIONS.items() if not subsets & set(parts)]
        notes = [f"no overall: there are no items of {', '.join(missing)}"] if missing else []
        partial = [s for s, parts in SECTIONS.items() if s not in missing and not set(parts) <= subsets]
        if partial:
            notes.append(f"incomplete, and so not comparable with published numbers: {', '.join(partial)}")
        return notes + missing_counts(self.card, items)


def _draws(inside: Outcomes, random: np.random.Generator) -> dict[str, FloatArray]:
    """Bootstrap replicates of each subset's accuracy.

    A subset's size is part of the design, so each is resampled by itself; but subsets that share problems (HumanEval in
    six languages) are resampled together, by problem.
    """
    found: dict[str, FloatArray] = {}
    for names in _strata(inside):
        part = inside.within(*names)
        values = np.full((part.n_items, len(names)), np.nan)
        values[part.item, [names.index(part.subsets[code]) for code in part.subset[part.item]]] = part.credit
        means = bootstrap_means(values, part.cluster, random)
        found |= {name: means[:, column] for column, name in enumerate(names)}
    return found


def _strata(inside: Outcomes) -> list[list[str]]:
    """Subsets in groups that share no cluster with each other."""
    strata: list[tuple[list[str], set[int]]] = []
    for name in inside.present:
        # Of the section's own numbers: those of a part would begin anew.
        names, clusters = [name], set(inside.cluster[inside.subset == inside.subsets.index(name)].tolist())
        for stratum in [stratum for stratum in strata if stratum[1] & clusters]:
            strata.remove(stratum)
            names, clusters = stratum[0] + names, stratum[1] | clusters
        strata.append((names, clusters))
    return [names for names, _ in strata]


def _item(row: Row) -> Item:
    subset = row.text("subset")
    if subset not in EXAMPLE_COUNTS:
        raise DataError(f"{row.where}: {subset!r} is no subset of RewardBench: use -b pairs for other preference data")
    prompt = row.text("prompt")
    number = str(row.get("id"))
    return Item(
        id=f"{subset}/{number}",
        subset=subset,
        prompt=(Message("user", prompt),),
        responses=(
            Response(row.text("chosen"), 1.0, source=row.fields.get("chosen_model")),
            Response(row.text("rejected"), 0.0, source=row.fields.get("rejected_model")),
        ),
        contests=CONTESTS,
        cluster=_cluster(subset, number, prompt),
    )


def _cluster(subset: str, number: str, prompt: str) -> str:
    """The problem behind a prompt: its text, but for code the HumanEval task, which occurs in six languages.

    The task is the number in ids like `Go/17`; ids of the hub's data do not show it, and there the name of the
    function to write does, without case and underscores.
    """
    if not subset.startswith("hep-"):
        return digest(prompt)
    if (task := re.fullmatch(r"\w+/(\d+)", number)) is not None:
        return f"humaneval/{task[1]}"
    name = re.search(r"(\w+)\s*(?:=\s*)?(?:<[^>]*>)?\(", prompt)
    return f"humaneval/{name[1].replace('_', '').lower()}" if name else digest(prompt)
