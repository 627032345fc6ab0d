"""Small benchmark data in the published formats, made up."""

from __future__ import annotations

from typing import Any

PLACES = ("Aro", "Bel", "Cor", "Dun", "Eri", "Fay", "Gil", "Hob", "Ibo", "Jun", "Kel", "Lom")


def rm_bench_rows(domain: str, count: int, with_domain: bool = False) -> list[dict[str, Any]]:
    """Rows as in RM-Bench's files; ids repeat from one domain to the other, as the real ones do."""
    rows = []
    for number in range(count):
        right, wrong = PLACES[number % 12], PLACES[(number + 1) % 12]
        row: dict[str, Any] = {
            "id": number,
            "prompt": f"What is the capital of land {domain} {number}?",
            "chosen": [
                f"{right}.",
                f"The capital is {right}, as all know.",
                f"## Capital\n\n- **{right}**, as all know",
            ],
            "rejected": [
                f"{wrong}.",
                f"The capital is {wrong}, as all know.",
                f"## Capital\n\n- **{wrong}**, as all know",
            ],
        }
        if domain == "code":
            row["task_id"] = f"CPP/{number // 2}"
        rows.append(row | ({"domain": domain} if with_domain else {}))
    return rows


def pair_rows(count: int) -> list[dict[str, Any]]:
    """Rows of a prompt with a chosen and a rejected answer."""
    return [
        {
            "prompt": f"What is the capital of land {number}?",
            "chosen": f"It is {PLACES[number % 12]}." + " Truly." * (number % 3),
            "rejected": f"It may be {PLACES[(number + 5) % 12]} or not.",
            "subset": "even" if number % 2 == 0 else "odd",
        }
        for number in range(count)
    ]


def reward_bench_rows(counts: dict[str, int]) -> list[dict[str, Any]]:
    """Rows in RewardBench's columns, as many of each subset as asked for."""
    return [
        {
            "id": number,
            "prompt": f"Say something on {subset} {number}.",
            "chosen": f"Something on {subset}, {number}.",
            "chosen_model": "a",
            "rejected": f"Nothing, {number}.",
            "rejected_model": "b",
            "subset": subset,
        }
        for subset, count in counts.items()
        for number in range(count)
    ]
