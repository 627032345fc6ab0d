"""Runs with names and texts that look like scripts, commands and formulas."""

from __future__ import annotations

import json
from pathlib import Path

import rmeval
from rmeval.importers.run import import_scores

EVIL = "<script>alert(1)</script> [red] \x1b[31m \u202e \\input{/etc/passwd} $x^2$ `code` | =cmd()"
"""What must stay text in each format."""
FORMULA = '=HYPERLINK("http://x","y")'


def hostile_runs(folder: Path, names: tuple[str, ...] = (EVIL, FORMULA)) -> Path:
    """Imported runs on pairs with such texts, ids and subsets; their texts are stored."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "id": f"{EVIL} {number}",
            "prompt": f"{EVIL} javascript:alert(1) \\end{{document}}",
            "chosen": f"right {number} {EVIL}\n\\end{{tabular}}\n% & # _ {{ }} ~ ^ \u4f60\u597d \U0001f600",
            "rejected": f"wrong {number} " + ("x" * 2_000_000 if number == 0 else EVIL),
            "subset": FORMULA if number % 2 else EVIL,
        }
        for number in range(12)
    ]
    data = folder / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    benchmark = rmeval.load_benchmark("pairs", str(data))
    for place, name in enumerate(names):
        scores = [
            {"item_id": row["id"], "response": k, "score": (number * 5 + 3 * k + place) % 7}
            for number, row in enumerate(rows)
            for k in (0, 1)
        ]
        file = folder / f"scores-{place}.jsonl"
        file.write_text("".join(json.dumps(score) + "\n" for score in scores))
        import_scores(file, benchmark, folder / "runs", name=name, store_text=True)
    return folder / "runs"
