"""What the documentation shows works: Python blocks run, and so do the commands, in one folder, in order."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from rmeval.limits import LIMITS
from rmeval.published import all_boards
from tests.architectures import make_value_head
from tests.checkpoints import make_checkpoint, make_tokenizer, say
from tests.command import command
from tests.samples import pair_rows, rm_bench_rows

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[tuple[str, str]]:
    return re.findall(r"^```(python|bash)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


FIRST = ("README.md", "quickstart.md")
"""The pages that `make test` also runs without CI; all others together take minutes."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=() if page.name in FIRST else pytest.mark.slow)
        for page in PAGES
        if blocks(page)
    ],
)
def test_blocks(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tokenizer = make_tokenizer(model_max_length=2048)
    make_checkpoint(tmp_path / "my-checkpoint", tokenizer=tokenizer, max_position_embeddings=2048)
    for seed, name in enumerate(("my-policy", "my-reference")):
        folder = tmp_path / name
        make_checkpoint(folder, "causal", seed=seed, tokenizer=tokenizer, max_position_embeddings=2048)
    say(tmp_path / "my-policy", "A", "B")
    make_value_head(tmp_path / "my-value-head", "llama", "v_head.summary")
    (tmp_path / "data").mkdir()
    rows = [
        row
        for domain in ("chat", "math", "code", "safety-refuse")
        for row in rm_bench_rows(domain, 3, with_domain=True)
    ]
    (tmp_path / "data" / "total_dataset.json").write_text(json.dumps(rows))
    scored = [row | {"score_chosen": [1, 2, 3], "score_rejected": [1, 2, 3]} for row in rows]
    (tmp_path / "scores.json").write_text(json.dumps(scored))
    lines = [json.dumps(row) for row in pair_rows(8)]
    (tmp_path / "my_prefs.jsonl").write_text("\n".join(lines))
    (tmp_path / "conversations.jsonl").write_text('{"prompt": "why", "responses": ["so", "because"]}\n')
    ran = 0
    for language, block in blocks(page):
        if language == "python":
            exec(compile(block, str(page), "exec"), {})
            ran += 1
            continue
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            # Hub ids are tested against a hub on this machine, in test_hub.py.
            if words[:1] == ["rmeval"] and not any(word.startswith("Skywork/") for word in words):
                done = command(capsys, *words[1:])
                assert done.code == 0, (line, done.err)
                ran += 1
    assert ran


def test_the_output_of_parity_is_that_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Counts are equal; differences of scores depend on the machine."""
    page = (ROOT / "docs" / "serving.md").read_text()
    found = re.search(r"^```bash\nrmeval (parity [^\n]*)\n```\n\n```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert found
    done = command(capsys, *shlex.split(found[1]))
    assert done.code == 0
    assert found[2].splitlines()[2] == done.out.splitlines()[2]
    shown, printed = (re.sub(r"\d+(\.\d+)?(e-\d+)?", "#", text).split() for text in (found[2], done.out))
    assert shown == printed


def test_the_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scorer, data = ROOT / "examples" / "scorer.py", ROOT / "examples" / "pairs.jsonl"
    done = command(capsys, "run", f"{scorer}:Overlap", "-b", "pairs", "--data", data, "-o", tmp_path)
    assert done.code == 0, done.err
    assert "instructions" in done.out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_limits_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    table = "".join(f"| `RMEVAL_MAX_{name}` | {one.default:,} | {one.what} |\n" for name, one in LIMITS.items())
    assert table in page


def test_numbers_of_published_results() -> None:
    # The rows with prior sets are on RewardBench's leaderboard, too.
    boards = [board for board in all_boards() if board.id != "reward-bench-prior"]
    rows = sum(len(board.rows) for board in boards)
    assert len(boards) == 5
    assert f"rmeval contains {rows} published rows of five boards" in (ROOT / "README.md").read_text()
