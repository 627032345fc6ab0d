"""PPE human preference: people's votes on responses of 20 models (Frick et al. 2024, arXiv 2410.14872)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rmeval.benchmarks import Card
from rmeval.benchmarks.base import TableBenchmark
from rmeval.data.digests import digest
from rmeval.data.rows import Row
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.metrics.composition import Composition, Counts, pooled
from rmeval.metrics.scoring.ppe import METRICS, ranking_records
from rmeval.types import Comparison, Item, Message, Record, Response, ScoreRule

__all__ = ["CITATION", "PPEPreference"]

CITATION = """@misc{frick2024evaluaterewardmodelsrlhf,
  title={How to Evaluate Reward Models for {RLHF}},
  author={Evan Frick and Tianle Li and Connor Chen and Wei-Lin Chiang and Anastasios N. Angelopoulos and
          Jiantao Jiao and Banghua Zhu and Joseph E. Gonzalez and Ion Stoica},
  year={2024},
  eprint={2410.14872},
  archivePrefix={arXiv}
}"""
KINDS = {"hard": "hard_prompt", "easy": "easy_prompt", "if": "if_prompt", "code": "is_code", "math": "math_prompt"}
"""Kinds of prompts and their columns; a prompt may have several kinds."""
LANGUAGES = ("english", "chinese", "russian")
OTHER = "other"


class PPEPreference(TableBenchmark):
    """PPE Human Preference V1 from the hub (split `test`), or from local files in its columns.

    Accuracy is over the votes with a winner, also by kind of prompt and by language. The other numbers compare two
    rankings of the models that wrote the responses, by people's votes and by the reward model's decisions, see
    `rmeval.metrics.scoring.ppe`. The reference's code for these numbers (`utils/scoring.py` and `utils/scorers.py`) was
    not available; their definitions follow the Arena-Hard paper (arXiv 2406.11939), whose metrics PPE uses, a port of
    PPE's scorer, and the denominators of the published numbers. How the reference counts equal scores is not known;
    here they are lost in the accuracy and draws in the rankings.
    """

    card = Card(
        id="ppe-preference",
        title="PPE Human Preference V1",
        measures="The reward model prefers the response that people voted for, and ranks models as people's votes do.",
        source="lmarena-ai/PPE-Human-Preference-V1",
        revision="e75cdc5",
        licence="prompts CC-BY-4.0, responses under the terms of the models' providers; not for training (hub card)",
        paper="https://arxiv.org/abs/2410.14872",
        citation=CITATION,
        counts={"all": 16_038},
        formulas=("accuracy@1", *(f"ppe-preference/{metric}@1" for metric in METRICS)),
    )
    spec = card.id
    files = ("data/test-00000-of-00001.parquet",)

    def items(self, row: Row) -> Iterator[Item]:
        """Yield a vote: the winner's response first; for a tie, the response of model a."""
        prompt = row.text("prompt")
        sides = [(row.text("response_1"), row.text("model_a")), (row.text("response_2"), row.text("model_b"))]
        winner = row.text("winner")
        tie = "tie" in winner.lower() or "both" in winner.lower()
        if not tie and winner not in ("model_a", "model_b"):
            raise DataError(f"{row.where}: winner must be model_a, model_b or a tie, not {quoted(winner)}: correct it")
        if winner == "model_b":
            sides.reverse()
        golds = (0.5, 0.5) if tie else (1.0, 0.0)
        yield Item(
            id=row.name("question_id"),
            subset="all",
            prompt=(Message("user", prompt),),
            responses=tuple(
                Response(text, gold, source=source) for (text, source), gold in zip(sides, golds, strict=True)
            ),
            comparisons=(Comparison((0, 1), None if tie else 0, _tag(row)),),
            cluster=digest(prompt),
        )

    def composition(self, counts: Counts) -> Composition:
        """Return the accuracy of all votes with a winner, by kind of prompt, and by language."""
        parts = {tag: set(tag.replace("/", "+").split("+")) for _, tag in counts}
        found = {("accuracy", "all"): pooled(counts, ["all"])}
        for name in (*KINDS, *LANGUAGES):
            found["accuracy", name] = pooled(counts, ["all"], [tag for tag, own in parts.items() if name in own])
        foreign = [tag for tag, own in parts.items() if "english" not in own]
        return found | {("accuracy", "non-english"): pooled(counts, ["all"], foreign)}

    def further(self, items: ItemTable, evidence: EvidenceTable, rule: ScoreRule, intervals: bool) -> Iterable[Record]:
        """Compute the metrics of rankings."""
        return ranking_records(self.card.id, rule, items, evidence, self.card.id, intervals)


def _tag(row: Row) -> str:
    """Return the language and the kinds of a prompt, such as `english/hard+math`."""
    kinds = []
    for name, column in KINDS.items():
        value = row.get(column)
        if value is not None and not isinstance(value, bool):
            raise row.wrong(column, "true or false", value)
        if value:
            kinds.append(name)
    language = row.text("language").lower()
    return f"{language if language in LANGUAGES else OTHER}/{'+'.join(kinds) or 'plain'}"
