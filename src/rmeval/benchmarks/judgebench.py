"""JudgeBench: right and wrong responses to hard questions (Tan et al. 2024, arXiv 2410.12784)."""

from __future__ import annotations

from collections.abc import Iterator

from rmeval.benchmarks import Card
from rmeval.benchmarks.base import TableBenchmark
from rmeval.data.digests import digest
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.metrics.composition import Composition, Counts, Measure, Shares, pooled
from rmeval.types import Comparison, Item, Message, Response

__all__ = ["JudgeBench"]

GROUPS = ("mmlu-pro", "livebench-reasoning", "livebench-math", "livecodebench")
"""Groups that `run_judge.py` of the reference reports, by the beginning of the source's name."""
SPLITS = {"gpt-4o-2024-05-13": "gpt", "claude-3-5-sonnet-20240620": "claude"}
"""The two sets, by the model that wrote the responses."""
WINNERS = {"A>B": 0, "B>A": 1}


class JudgeBench(TableBenchmark):
    """JudgeBench's two sets of pairs, from the hub or from local files in its columns.

    A pair is right if the model prefers the better response. For a model that compares in both orders, the variant
    `orders/net` has the official number. For equal scores of a reward model the reference records `B>A`, which its rule
    for both orders counts as lost; here a tie is also lost in a single order.
    """

    card = Card(
        id="judgebench",
        title="JudgeBench",
        measures="The better response is right, the worse one by the same model is wrong.",
        source="ScalerLab/JudgeBench",
        revision="57dd5e0b9817d07f05ec8f45a91b2ce1e310e308",
        licence="MIT (hub card); the questions have their own licences",
        paper="https://arxiv.org/abs/2410.12784",
        citation="""@misc{tan2024judgebench,
  title={{JudgeBench}: A Benchmark for Evaluating {LLM}-Based Judges},
  author={Sijun Tan and Siyuan Zhuang and Kyle Montgomery and Willian Y. Tang and Alejandro Cuadron and Chenguang Wang
          and Raluca Ada Popa and Ion Stoica},
  year={2024},
  eprint={2410.12784},
  archivePrefix={arXiv}
}""",
        counts={
            "gpt/mmlu-pro": 154,
            "gpt/livebench-reasoning": 98,
            "gpt/livebench-math": 56,
            "gpt/livecodebench": 42,
            "claude/mmlu-pro": 154,
            "claude/livebench-reasoning": 51,
            "claude/livebench-math": 34,
            "claude/livecodebench": 31,
        },
        sections={name: tuple(f"{name}/{group}" for group in GROUPS) for name in SPLITS.values()},
        formulas=("accuracy@1", "judgebench/section@1"),
        variant="orders/net",
        verified="the five reward models of the paper's table 3 from the repository's outputs, such as 64.29% for "
        "Skywork-Reward-Gemma-2-27B on the pairs by GPT-4o",
    )
    spec = card.id
    files = ("data/gpt-00000-of-00001.jsonl", "data/claude-00000-of-00001.jsonl")
    # The path in the authors' repository, whose `outputs/` repeats the pairs in every judge's file.
    copies = tuple(f"data/dataset=judgebench,response_model={writer}.jsonl" for writer in SPLITS)

    def items(self, row: Row) -> Iterator[Item]:
        """Yield a pair in the order of the data, A first."""
        source, label, writer = row.text("source"), row.text("label"), row.text("response_model")
        group = next((group for group in GROUPS if source.startswith(group)), None)
        if group is None:
            raise DataError(
                f"{row.where}: the source {quoted(source)} does not begin with one of {', '.join(GROUPS)}: correct it"
            )
        if label not in WINNERS:
            raise DataError(f"{row.where}: the label {quoted(label)} must be A>B or B>A: correct it")
        winner, question = WINNERS[label], row.text("question")
        yield Item(
            id=row.name("pair_id"),
            subset=f"{SPLITS.get(writer, writer)}/{group}",
            prompt=(Message("user", question),),
            responses=(
                Response(row.text("response_A"), float(winner == 0), source=writer),
                Response(row.text("response_B"), float(winner == 1), source=writer),
            ),
            comparisons=(Comparison((0, 1), winner, label),),
            cluster=digest(question),
            meta={"source": source},
        )

    def composition(self, counts: Counts) -> Composition:
        """Return each set with its groups, and all pairs; pairs have equal weights, as in the reference."""
        subsets = list(dict.fromkeys(subset for subset, _ in counts))
        found: dict[Measure, Shares] = {}
        for name in dict.fromkeys(subset.partition("/")[0] for subset in subsets):
            own = [subset for subset in subsets if subset.partition("/")[0] == name]
            found["section", name] = pooled(counts, own)
            found |= {("accuracy", subset): pooled(counts, [subset]) for subset in own}
        found["accuracy", "all"] = pooled(counts, subsets)
        return found
