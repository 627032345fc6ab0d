"""M-RewardBench: RewardBench in 23 languages (Gureja et al. 2025, arXiv 2410.15522)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rmeval.benchmarks import Option
from rmeval.benchmarks.base import TableBenchmark, pair
from rmeval.benchmarks.card import Card, missing_counts
from rmeval.benchmarks.function_names import defined_function
from rmeval.benchmarks.locate import name_in
from rmeval.data.rows import Row, iterate_rows
from rmeval.data.tables import ItemTable
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.metrics.composition import Composition, Counts, Measure, absent
from rmeval.metrics.scoring.languages import WEIGHTS, language_composition
from rmeval.metrics.scoring.sections import ANALYSES, SECTIONS
from rmeval.types import Item

__all__ = ["LANGUAGES", "MRewardBench"]

LANGUAGES = (
    "arb_Arab", "ces_Latn", "deu_Latn", "ell_Grek", "fra_Latn", "heb_Hebr", "hin_Deva", "ind_Latn", "ita_Latn",
    "jpn_Jpan", "kor_Hang", "nld_Latn", "pes_Arab", "pol_Latn", "por_Latn", "ron_Latn", "rus_Cyrl", "spa_Latn",
    "tur_Latn", "ukr_Cyrl", "vie_Latn", "zho_Hans", "zho_Hant",
)  # fmt: skip
"""All languages except English, which is RewardBench itself (`experiments/run_rm_evals.sh` of the reference)."""

COUNTS = WEIGHTS | {"math-prm": 447}
FORMULA = "m-reward-bench/sections@1"


def _everywhere(names: Sequence[str]) -> tuple[str, ...]:
    """Subsets of RewardBench in all languages."""
    return tuple(f"{language}/{name}" for language in LANGUAGES for name in names)


class MRewardBench(TableBenchmark):
    """M-RewardBench from the hub, without its translation task, which has two languages and other columns.

    A language's score is computed like RewardBench's, with other weights, see `rmeval.metrics.scoring.languages`. For
    generative models the reference uses RewardBench's weights (`scripts/run_generative.py`); here the weights are the
    same for all models.
    """

    card = Card(
        id="m-reward-bench",
        title="M-RewardBench",
        measures="The better response is RewardBench's; the texts are translated, except responses in code.",
        source="CohereLabsCommunity/multilingual-reward-bench",
        revision="19ab8c297a3e59a1d0efd42ae33cc14bf3febf63",
        licence="ODC-BY (hub card)",
        paper="https://arxiv.org/abs/2410.15522",
        citation="""@inproceedings{gureja2025mrewardbench,
  title={{M-RewardBench}: Evaluating Reward Models in Multilingual Settings},
  author={Srishti Gureja and Lester James Validad Miranda and Shayekh Bin Islam and Rishabh Maheshwary and
          Drishti Sharma and Gusti Triandi Winata and Nathan Lambert and Sebastian Ruder and Sara Hooker and
          Marzieh Fadaee},
  booktitle={Proceedings of the 63rd Annual Meeting of the Association for Computational Linguistics},
  year={2025}
}""",
        counts={f"{language}/{name}": count for language in LANGUAGES for name, count in COUNTS.items()},
        sections={language: tuple(f"{language}/{name}" for name in COUNTS) for language in LANGUAGES}
        | {section: _everywhere(names) for section, names in SECTIONS.items()},
        analyses={title: {g: _everywhere(names) for g, names in groups.items()} for title, groups in ANALYSES.items()},
        formulas=("accuracy@1", FORMULA),
        verified="the score of one language equals that of get_scores (analysis/plot_utils.py) on simulated verdicts: "
        "0.452701570331804 in both; no published score was reproduced",
    )
    spec = card.id
    weights: Mapping[Measure, float] = {
        **{("section", section): 1.0 for section in SECTIONS},
        **{("language", language): 1.0 for language in LANGUAGES},
        **{("category", f"{language}/{section}"): 1.0 for language in LANGUAGES for section in SECTIONS},
        **{("accuracy", f"{language}/{name}"): float(n) for language in LANGUAGES for name, n in WEIGHTS.items()},
    }

    takes = (Option("languages", "words", "codes of languages, such as deu_Latn,fra_Latn"),)

    def __init__(self, data: str | None = None, languages: Sequence[str] | None = None) -> None:
        """Store the source of the data and the languages.

        Args:
            data: A file, a folder, another hub id, or None for the pinned source.
            languages: Codes of `LANGUAGES`, such as `["deu_Latn", "fra_Latn"]`; only their files are downloaded, and
                the means are over them. None for all.

        Raises:
            DataError: If a language is not one of those.
        """
        super().__init__(data)
        codes = [] if languages is None else languages
        if not isinstance(codes, list | tuple) or not all(isinstance(code, str) for code in codes):
            raise DataError(
                f"languages must be a list of codes, such as ['deu_Latn', 'fra_Latn'], not {quoted(languages)}"
            )
        if unknown := [code for code in languages or () if code not in LANGUAGES]:
            raise DataError(f"M-RewardBench has no language {quoted(unknown[0])}: choose from {', '.join(LANGUAGES)}")
        if languages is not None and not languages:
            raise DataError("languages is an empty list: name at least one, or leave it out for all of them")
        self.languages = tuple(code for code in LANGUAGES if languages is None or code in languages)
        self.files = tuple(f"{language}/test-00000-of-00001.parquet" for language in self.languages)
        if languages:
            self.options: Mapping[str, Any] = {"languages": list(self.languages)}
            own = {name: n for name, n in self.card.counts.items() if name.partition("/")[0] in self.languages}
            self.card = replace(self.card, counts=own)

    def rows(self, path: Path) -> Iterator[Row]:
        """Yield the rows of the selected languages: the language is in the column `language`, or in the file's path."""
        for row in iterate_rows(path):
            stated = row.fields.get("language")
            language = stated if isinstance(stated, str) and stated in LANGUAGES else name_in(path, LANGUAGES)
            if language in self.languages:
                yield Row(row.fields | {"language": language}, row.where)

    def items(self, row: Row) -> Iterator[Item]:
        """Yield a pair; its id is `<language>/<subset>/<id>`."""
        name = row.text("source")
        if name not in COUNTS:
            raise DataError(f"{row.where}: {quoted(name)} is not a subset of RewardBench: correct it")
        subset, number, better = f"{row.text('language')}/{name}", row.name("id"), row.text("chosen")
        # Sources are omitted: with them, nearly each of the 65,987 pairs would have its own shape.
        yield pair(subset, number, row.text("prompt"), better, row.text("rejected"), _cluster(name, number, better))

    def composition(self, counts: Counts) -> Composition:
        """Return means over languages, and each language with its sections."""
        return language_composition(counts, self.languages)

    def formula(self, measure: Measure) -> str:
        """Return the name and version of a formula; sections, languages and the overall share one."""
        return "accuracy@1" if measure[0] == "accuracy" else FORMULA

    def notes(self, items: Sequence[Item]) -> list[str]:
        """Return notes on missing or incomplete languages."""
        there: dict[str, int] = {}
        for subset, n in ItemTable.of(items).counts.items():
            language = subset.partition("/")[0]
            there[language] = there.get(language, 0) + n
        notes = []
        if missing := [language for language in self.languages if language not in there]:
            notes.append(absent("mean over languages", ", ".join(missing)))
        if len(self.languages) < len(LANGUAGES):
            names = ", ".join(self.languages)
            notes.append(
                f"means are over {names}, and not over all {len(LANGUAGES)} languages like the published means"
            )
        whole = replace(self.card, counts=dict.fromkeys(self.languages, sum(COUNTS.values())))
        return notes + missing_counts(whole, there)


def _cluster(name: str, number: object, code: str) -> str:
    """Return the problem of an item: RewardBench's row, whose id all languages share.

    For code it is the HumanEval task, which occurs in six programming languages. The name of the first function in the
    right response identifies it, ignoring case and underscores: code is not translated, so the name is the same in all
    languages.
    """
    if name.startswith("hep-"):
        function = defined_function(code)
        if function:
            return f"humaneval/{function.replace('_', '').lower()}"
    return f"{name}/{number}"
