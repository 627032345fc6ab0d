"""The simulations whose results the documentation states can be run again."""

from __future__ import annotations

import pytest

from tests.command import process


@pytest.mark.parametrize(("name", "tables"), [("variance", 2), ("label_errors", 2)])
def test_a_few_replications(name: str, tables: int) -> None:
    done = process("-m", f"scripts.simulations.{name}", "--replications", "4")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum(line.startswith("|---") for line in lines) == tables
    assert lines[-1].startswith("simulation error of a coverage of 95: ")
    assert "nan" not in done.stdout
