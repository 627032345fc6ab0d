"""Compare the scoring engine with the reference's method and with the limit, on the same model and data, in turns.

python -m perf.engine [--model FOLDER] [--blocks N] [--seed N] [--threads N]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from perf.machine import machine
from perf.models import make_small_rm
from perf.ways import Rows, Used, Worker, has_bfloat16, padded
from perf.workloads import BLOCK, Workload, blocks_of, read_workloads
from rmeval.engines.prefixes import PrefixTree
from rmeval.messages import count_of

WAYS = {
    "reference": ("reference", "float32"),
    "sorted": ("sorted", "float32"),
    "rmeval": ("rmeval", "float32"),
    "dense": ("dense", "float32"),
}
BFLOAT16 = {"rmeval bf16": ("rmeval", "bfloat16")}


def tokenised(workload: Workload, model: str) -> Rows:
    """Return a workload as the model's tokenizer renders it."""
    from rmeval.rendering.chat import Renderer

    renderer = Renderer(model, None)
    flat = iter(renderer.render([one for row in workload.rows for one in row]))
    return [[next(flat).tokens.tolist() for _ in row] for row in workload.rows]


def padding(blocks: list[Rows]) -> float:
    """Return the number of tokens that the reference's method computes per distinct token, a limit of the speed-up."""
    return sum(map(padded, blocks)) / sum(_tree(block).distinct for block in blocks)


def _tree(rows: Rows) -> PrefixTree:
    return PrefixTree([one for row in rows for one in row])


Part = tuple[Rows, dict[str, Used]]
"""A block of a workload, and what each method used on it."""


def measure(blocks: list[Rows], workers: dict[str, Worker]) -> list[Part]:
    """Measure all methods on each block in turns, so that other load on the machine slows all of them."""
    order = list(workers)
    found: list[Part] = []
    for turn, block in enumerate(blocks):
        turned = order[turn % len(order) :] + order[: turn % len(order)]
        found.append((block, {way: workers[way].score(block) for way in turned}))
    return found


def summary(parts: list[Part]) -> dict[str, Any]:
    """Return one row of the table."""
    trees = [_tree(rows) for rows, _ in parts]
    rows = [row for part, _ in parts for row in part]
    cpu = {way: sum(used[way].cpu for _, used in parts) for way in WAYS}
    limit = sum(used["dense"].cpu * tree.distinct / tree.total for (_, used), tree in zip(parts, trees, strict=True))
    scores = {way: [row for _, used in parts for row in used[way].scores] for way in WAYS}
    total, distinct = sum(tree.total for tree in trees), sum(tree.distinct for tree in trees)
    flips = {
        way: sum(
            (a[i] > a[j]) != (b[i] > b[j])
            for a, b in zip(scores["dense"], scores[way], strict=True)
            for i in range(len(a))
            for j in range(i)
        )
        for way in WAYS
    }
    return {
        "items": len(rows),
        "tokens": total,
        "distinct": distinct,
        "padding": padding([rows for rows, _ in parts]),
        "cpu": cpu,
        "limit": limit,
        "wall": {way: sum(used[way].wall for _, used in parts) for way in WAYS},
        "speedup": {way: cpu["reference"] / cpu[way] for way in cpu},
        "over_limit": cpu["rmeval"] / limit,
        "difference": max(
            abs(a - b)
            for one, other in zip(scores["rmeval"], scores["dense"], strict=True)
            for a, b in zip(one, other, strict=True)
        ),
        "flips": flips,
        "pairs": sum(len(row) * (len(row) - 1) // 2 for row in rows),
    }


def page(report: dict[str, Any]) -> str:
    """Return the tables in markdown."""
    ways = list(report["memory_mb"])
    lines = [
        f"### {report['model']}, {report['threads']} thread{'s' if report['threads'] > 1 else ''}",
        "",
        f"{report['machine']}; {report['versions']}. CPU seconds, of {count_of(report['blocks'], 'block')} of {BLOCK} "
        f"neighbouring items of each data set, placed by seed {report['seed']} (in brackets: times faster than the "
        "reference).",
        "",
        f"| workload | items | tokens / distinct | padded | {' | '.join(ways)} "
        "| rmeval / limit | difference | changed |",
        f"|{'---|' * (len(ways) + 7)}",
    ]
    for name, found in report["workloads"].items():
        times = [f"{found['cpu'][way]:.1f} ({found['speedup'][way]:.2f})" for way in ways]
        lines.append(
            f"| {name} | {found['items']} | {found['tokens']:,} / {found['distinct']:,} | {_padding(found)} | "
            f"{' | '.join(times)} | "
            f"{found['over_limit']:.2f} | {found['difference']:.0e} | "
            f"{', '.join(str(found['flips'][way]) for way in ways if way.startswith('rmeval'))} of {found['pairs']} |"
        )
    memory = [f"{way} {own['peak']:.0f} ({own['loaded']:.0f})" for way, own in report["memory_mb"].items()]
    return "\n".join([*lines, "", f"Peak memory in MB, in brackets after loading: {', '.join(memory)}.", ""])


def _padding(found: dict[str, Any]) -> str:
    whole = f" ({found['padding_of_all']:.2f})" if "padding_of_all" in found else ""
    return f"{found['padding']:.2f}{whole}"


def main() -> None:
    """Measure, and print each workload as JSON and then the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a checkpoint's folder; by default a random network with 32 million parameters")
    parser.add_argument("--name", help="name of the model in the table")
    parser.add_argument("--blocks", type=int, default=3, help=f"blocks of {BLOCK} neighbouring items of each data set")
    parser.add_argument("--seed", type=int, default=0, help="seed of the positions of the blocks")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", help="only workloads whose names contain this")
    parser.add_argument(
        "--bfloat16", action="store_true", help="measure bfloat16 even if the CPU has no instructions for it"
    )
    parser.add_argument("-o", "--out", type=Path, help="markdown file to add the tables to")
    given = parser.parse_args()
    if given.bfloat16 or has_bfloat16():
        WAYS.update(BFLOAT16)
    with tempfile.TemporaryDirectory() as folder:
        model = given.model or str(make_small_rm(Path(folder) / "small-rm"))
        workloads = [own for own in read_workloads() if (given.only or "") in own.name]
        workers = {way: Worker(*how[:1], model, how[1], given.threads) for way, how in WAYS.items()}
        found: dict[str, Any] = {}
        rm_bench: list[Part] = []
        for workload in workloads:
            rows = tokenised(workload, model)
            parts = measure(blocks_of(rows, given.blocks, given.seed), workers)
            found[workload.name] = summary(parts) | {"padding_of_all": padding([rows])}
            if workload.name.startswith("RM-Bench"):
                rm_bench += parts
                if len(rm_bench) > len(parts):
                    found["RM-Bench together"] = summary(rm_bench)
            print(json.dumps({workload.name: found[workload.name]}, indent=1), flush=True)  # noqa: T201
        loaded = {way: worker.loaded for way, worker in workers.items()}
        memory = {way: {"loaded": loaded[way], "peak": worker.close()} for way, worker in workers.items()}
    report = {
        "model": given.name or Path(given.model or "small-rm").name,
        "threads": given.threads,
        "blocks": given.blocks,
        "seed": given.seed,
        "machine": machine(),
        "versions": f"torch {version('torch')}, transformers {version('transformers')}",
        "workloads": found,
        "memory_mb": memory,
    }
    print(page(report))  # noqa: T201
    if given.out:
        with given.out.open("a", encoding="utf-8") as file:
            file.write("\n" + page(report))


if __name__ == "__main__":
    main()
