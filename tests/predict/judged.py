"""Made-up judgments of policies against a baseline, in Arena-Hard-Auto's layout."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

VERDICTS = ("A>>B", "A>B", "A=B", "B>A", "B>>A")
SWAPPED = dict(zip(VERDICTS, reversed(VERDICTS), strict=True))


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def metadata(length: int, header: int = 0, listed: int = 0, bold: int = 0) -> dict[str, Any]:
    return {
        "token_len": length,
        "header_count": {"h1": header, "h2": 0},
        "list_count": {"ordered": 0, "unordered": listed},
        "bold_count": {"**": bold, "__": 0},
    }


def write_folder(folder: Path, judgments: Sequence[Mapping[str, Any]], styles: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write judgments by `model`, and answers with their metadata by model and question."""
    for name in dict.fromkeys(row["model"] for row in judgments):
        write_lines(folder / "model_judgment" / "judge" / f"{name}.jsonl", [r for r in judgments if r["model"] == name])
    for name, own in styles.items():
        rows = [{"uid": uid, "model": name, "metadata": style} for uid, style in own.items()]
        write_lines(folder / "model_answer" / f"{name}.jsonl", rows)
    return folder


def made_up(
    questions: int = 40, seed: int = 0, policies: Sequence[str] = ("plain", "fancy", "weak")
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return judgments by a judge who likes length, and styles: one policy writes more, another is worse."""
    random = np.random.default_rng(seed)
    styles: dict[str, dict[str, Any]] = {}
    for name in ("base", *policies):
        scale = 1.6 if name == "fancy" else 1.0
        styles[name] = {
            f"q{k}": metadata(
                int(scale * random.integers(80, 300)), *random.poisson([1 * scale, 3 * scale, 2 * scale]).tolist()
            )
            for k in range(questions)
        }
    rows = []
    for name in policies:
        for uid in styles[name]:
            own, base = styles[name][uid]["token_len"], styles["base"][uid]["token_len"]
            odds = (-1.2 if name == "weak" else 0.0) + 2 * (own - base) / (own + base) + random.normal(0, 0.7)
            games = []
            for order in (-1, 1):  # In the first game, the baseline is A.
                draw = odds + random.logistic(0, 0.7)
                text = VERDICTS[int(np.searchsorted([-1.5, -0.2, 0.2, 1.5], -draw))]
                games.append({"score": text if order > 0 else SWAPPED[text]})
            rows.append({"uid": uid, "model": name, "category": "hard_prompt", "games": games})
    return rows, styles
