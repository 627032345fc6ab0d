"""The architectures that `tests/engines/test_architectures.py` leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architectures import ALL, compare, make_classifier


@pytest.mark.parametrize("kind", [kind for number, kind in enumerate(ALL) if number % 3])
def test_a_classifier_scores_as_its_own_forward(tmp_path: Path, kind: str) -> None:
    found = compare(make_classifier(tmp_path / "m", kind))
    assert not found.refusal
    assert found.spread > 1e-3, "a test that any constant passes"
    assert found.difference <= 1e-4 * max(1.0, found.spread)
