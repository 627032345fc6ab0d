"""Packaged boards as tables of scores, and a correlation of two of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rmeval.errors import DataError
from rmeval.predict import correlate_scores
from rmeval.predict.score_tables import find_column, read_score_tables
from tests.command import command


def test_a_board_is_a_table_in_percent() -> None:
    (found,) = read_score_tables(["published:rm-bench"], "scores")
    assert (found.name, found.source, len(found.models)) == (
        *("published:rm-bench", "RM-Bench's leaderboard (2025-07-23)", 51),
    )
    hard = find_column("hard", [found], "pair")
    assert hard.full_name == "published:rm-bench:hard:all"
    assert hard.values[found.models.index("GPT-4.1")] == pytest.approx(69.5)
    assert np.isnan(hard.values[found.models.index("J1-Llama-70B")])
    assert find_column("average:math", [found], "pair").values[found.models.index("DeepSeek R1")] == pytest.approx(72.7)
    assert "published:rm-bench: 10 of 51 rows contradict themselves: rmeval list published --json states them" in (
        found.notes
    )


def test_two_boards_are_correlated() -> None:
    found = correlate_scores(
        "published:rm-bench",
        "published:reward-bench",
        pairs=[("hard", "overall"), ("normal", "overall")],
        match={
            "FsfairX-LLLaMA3-RM-v0.1": "sfairXC/FsfairX-LLaMA3-RM-v0.1",
            "Nemotron-340B-Reward": "nvidia/Nemotron-4-340B-Reward",
        },
    )
    hard, normal = found.correlations
    assert len(hard.models) == len(normal.models) == 20
    assert normal.chosen.ci is not None and hard.chosen.ci is not None
    assert hard.chosen.ci[0] < 0 < normal.chosen.ci[0]
    assert normal.chosen.p < 0.01 < hard.chosen.p


def test_an_unknown_board_and_a_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match="there is no published board 'rm-bech': did you mean rm-bench"):
        read_score_tables(["published:rm-bech"], "scores")
    done = command(capsys, "correlate", "published:nothing", "--against", "published:rmb")
    assert done.code == 2
    assert "there is no published board 'nothing': choose one of" in done.err
    # A file of this name is found by a path that does not begin with the prefix.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "published:mine.csv").write_text("model,x\na,1\nb,2\n")
    assert read_score_tables(["./published:mine.csv"], "scores")[0].models == ("a", "b")
