"""An audit of a real language model as a judge: SmolLM2, which rmeval runs itself, on eight pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rmeval
from rmeval.benchmarks import Benchmark, Card
from rmeval.benchmarks.base import PAIR
from rmeval.types import Item, Message, Record, Response
from tests.integration.test_label_probabilities import ROWS

PROMPT = "{{ question }}\n\nA: {{ responses[0] }}\nB: {{ responses[1] }}\n\nAnswer with A or B only."
LABELS = f'''
name = "letters@1"
kind = "pair"
reads = "labels"
min_label_mass = 0.0
prompt = """{PROMPT}"""

[labels]
A = 1.0
B = 0.0
'''
TEXTS = f'''
name = "short@1"
kind = "pair"
reads = "text"
find = '([AB])\\b'
verdict = "{{label}}"
several = "last"
prompt = """{PROMPT}"""

[labels]
A = 1.0
B = 0.0

[sampling]
max_new_tokens = 24
'''


class Sourced(Benchmark):
    """Pairs with the names of the models that wrote them; each model wrote half of the better responses."""

    card = Card("sourced", "Sourced", "", "made", None, "", "", "")

    def load(self) -> Iterator[Item]:
        for number, (prompt, *texts) in enumerate(ROWS):
            names = ("gpt-4o", "llama-3-8b")[:: 1 if number % 2 else -1]
            responses = [
                Response(text, gold, None, name) for text, gold, name in zip(texts, (1.0, 0.0), names, strict=True)
            ]
            yield Item(str(number), "all", (Message("user", prompt),), tuple(responses), PAIR, str(number))

    def aggregate(self, items: Any, evidence: Any, rule: Any, intervals: bool = True) -> list[Record]:
        return []


def audited(real_models: Path, tmp_path: Path, protocol: str, **options: Any) -> rmeval.Audit:
    (tmp_path / "judge.toml").write_text(protocol)
    own: dict[str, Any] = {"protocol": str(tmp_path / "judge.toml"), "out": tmp_path / "runs", "family": "gpt"}
    return rmeval.audit(str(real_models / "smollm2"), Sourced(), **own, **options)


def test_label_probabilities_have_effects_of_order_length_family_and_wording(real_models: Path, tmp_path: Path) -> None:
    found = audited(real_models, tmp_path, LABELS)
    assert {one.probe for one in found.effects} == {"position", "verbosity", "self-preference", "wording"}
    assert found.left_out == {"repeats": "the judge reads probabilities, and draws nothing"}
    for one in found.effects:
        assert math.isfinite(one.value), one
        assert one.ci is not None, one
        assert one.ci[0] <= one.value <= one.ci[1], one
    assert found.effect("position").value > 0.9  # It chooses A, whatever the responses are.
    assert [found.effect(probe).count for probe in ("position", "verbosity", "self-preference")] == [16, 8, 8]
    assert len([one for one in found.effects if one.probe == "wording"]) >= 3
    assert len(found.runs) == 3 + 3


def test_repetitions_of_drawn_texts(real_models: Path, tmp_path: Path) -> None:
    found = audited(real_models, tmp_path, TEXTS, probes=["repeats"], temperature=1.0)
    (repeats,) = found.effects
    assert 0 <= repeats.value <= 1
    assert repeats.count > 0
    assert list(found.runs) == ["pairs"]
