"""What `rmeval card` says of a model: how it is found, what its card changes, and numbers with their sources."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from rmeval.errors import ModelError
from rmeval.models.about import about_model
from rmeval.models.carded import apply_card
from rmeval.models.cards import all_cards
from rmeval.models.options import ModelOptions
from tests.command import command, process

ROOT = Path(__file__).resolve().parents[2]
OWN = """
[[family]]
name = "mine"
status = "layout-only"
about = "a cost at the last token"
source = "my notes"
load = { scale = -1.0, model_kwargs = { attn_implementation = "eager" } }
notes = ["give `max_length` 512"]
head.layers = ["cost.0", "relu", "cost.2"]
"""


def test_a_listed_model_has_its_own_notes_numbers_and_command() -> None:
    found = about_model("skywork/skywork-reward-v2-llama-3.1-8b")
    assert (found.name, found.applies) == ("Skywork/Skywork-Reward-V2-Llama-3.1-8B", True)
    assert found.card is not None and found.card.name == "skywork-reward-v2"
    assert {one.name: (one.value, one.default) for one in found.settings} == {
        "dtype": ("bfloat16", "auto"),
        "bos_tokens": (1, None),
        "max_length": (16384, None),
        "model_kwargs num_labels": (1, None),
    }
    assert [one.value for one in found.card.known] == [23.0, 3.59375]
    rows = {board.id: row.values[board.headline] for board, row in found.published}
    assert (rows["rm-bench"], rows["reward-bench-2"]) == (0.928, 0.8413)
    assert found.command == "rmeval run Skywork/Skywork-Reward-V2-Llama-3.1-8B -b rm-bench"


def test_a_pattern_of_a_family_finds_models_that_no_file_lists() -> None:
    found = about_model("Skywork/Skywork-Reward-V2-Qwen9-90B")
    assert found.card is not None and found.card.model == "Skywork/Skywork-Reward-V2-Qwen9-90B"
    assert "pattern" in found.found and found.applies


@pytest.mark.parametrize(
    ("name", "model", "card"),
    [
        ("REWARDANYTHING-8B", "zhuohaoyu/RewardAnything-8B-v1", "reward-anything"),
        ("Llama-3.3-Nemotron-Super-49B-GenRM", "nvidia/Llama-3_3-Nemotron-Super-49B-GenRM", "nemotron-genrm-boxed"),
        ("Skywork-Reward-Gemma-2-27B", "Skywork/Skywork-Reward-Gemma-2-27B", "skywork-reward-gemma-2"),
    ],
)
def test_names_of_boards_find_the_card(name: str, model: str, card: str) -> None:
    found = about_model(name)
    assert found.card is not None
    assert (found.name, found.card.name) == (model, card)
    assert found.published


def test_a_family_lists_its_models() -> None:
    found = about_model("Skywork-Reward-V2")
    assert len(found.members) == 8 and not found.applies
    assert found.command == "rmeval run ./my-checkpoint --card skywork-reward-v2 -b rm-bench"
    assert about_model("nim-reward").command == "rmeval run http://localhost:8000 --card nim-reward -b rm-bench"


def test_a_file_is_a_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(OWN)
    found = about_model(str(file))
    assert found.command == f"rmeval run ./my-checkpoint --card {file} -b rm-bench"
    shown = command(capsys, "card", str(file)).out
    assert re.search(r"layers +cost.0 relu cost.2", shown)
    assert re.search(r"model_kwargs attn_implementation +eager", shown)
    assert re.search(r"scale +-1.0 +1.0", shown)
    assert "give --max-length 512" in shown


def test_the_class_of_a_folder_is_a_hint(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["INFORMForSequenceClassification"]}))
    found = about_model(str(tmp_path))
    assert found.card is not None and found.card.name == "inf-orm" and not found.applies
    assert "give `card` inf-orm" in found.found
    assert found.command == f"rmeval run {tmp_path} --card inf-orm -b rm-bench"
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["LlamaForSequenceClassification"]}))
    assert about_model(str(tmp_path)).card is None


def test_models_without_a_card(tmp_path: Path) -> None:
    found = about_model("someone/some-model")
    assert (found.card, found.descriptor, found.command) == (None, None, "")
    assert "there is no card" in found.found
    with pytest.raises(ModelError, match=r"did you mean skywork-reward\?"):
        about_model("skywork-rewrd")
    with pytest.raises(ModelError, match=r"has no config\.json"):
        about_model(str(tmp_path))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("./no-such-folder", "there is no folder"),
        ("../../etc/x", "there is no folder"),
        ("<b>x</b>/y", "there is no folder"),
        (f"a/{'x' * 5000}", "there is no folder"),
        ("baseline:longest", "is no published model"),
        ("http://localhost:8000", "is no published model"),
        ("scorers.py:Mine", "is no published model"),
    ],
)
def test_what_is_no_model(given: str, told: str) -> None:
    with pytest.raises(ModelError, match=told) as caught:
        about_model(given)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("content", ["[]", "{", ""])
def test_a_broken_config_is_no_checkpoint(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json does not contain a JSON object"):
        about_model(str(tmp_path))


def test_the_model_that_comes_with_rmeval_has_a_command() -> None:
    assert about_model("rmeval/tiny").command == "rmeval run rmeval/tiny -b rm-bench"


def test_comparators_read_no_chat_template_unless_their_comparison_does(capsys: pytest.CaptureFixture[str]) -> None:
    for model in ("llm-blender/PairRM-hf", "mightbe/Better-PairRM", "stanfordnlp/SteamSHP-flan-t5-xl"):
        assert re.search(r"chat_template +none: the comparison renders", command(capsys, "card", model).out)
    shown = command(capsys, "card", "RLHFlow/pair-preference-model-LLaMA3-8B").out
    assert re.search(r"chat_template +the tokenizer's own", shown)


def test_a_model_that_cannot_be_loaded_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    shown = command(capsys, "card", "general-preference/GPM-Llama-3.1-8B").out
    assert "unloadable" in shown and "compare(pairs)" in " ".join(shown.split())
    assert "run it" not in shown


def test_every_model_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for card in all_cards():
        found = json.loads(command(capsys, "card", card.model or card.name, "--json").out)
        assert found["card"]["name"] == card.name
        assert (found["model"], found["applies"]) == (card.model or card.name, bool(card.model))
        assert bool(found["command"]) == (card.status != "unloadable")


def test_neither_torch_nor_the_network_is_needed() -> None:
    code = "import sys; from rmeval.models.about import about_model; found = about_model('infly/INF-ORM-Llama3.1-70B')"
    done = process("-c", f"{code}; print(found.card.name, 'torch' in sys.modules)")
    assert done.stdout.strip() == "inf-orm False", done.stderr


def test_lists_show_families_with_their_status(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(command(capsys, "list", "models", "--json").out)
    assert {row["id"] for row in rows} >= {
        "baseline:longest",
        "rmeval/tiny",
        "inf-orm",
        "allenai/Llama-3.1-8B-Base-RM-RB2",
    }
    cards = {row["id"]: row for row in rows if row["kind"] == "card"}
    assert all(row["card"] in cards for row in rows if row["kind"] == "published")
    shown = command(capsys, "list", "models").out
    assert re.search(r"general-preference +unloadable +2 ", shown)
    assert "baseline:longest" in shown


def test_the_readme_counts_the_families() -> None:
    status = Counter(card.status for card in all_cards() if not card.model)
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"Of {status.total()} families, {status['verified']} are verified, {status['layout-only']} are read" in text
    assert f"and {status['unloadable']} cannot be loaded" in text
    changes = " ".join((ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split())
    assert f"{status.total()} families, of which {status['verified']} are verified" in changes


def test_the_table_of_the_documentation_is_that_of_the_cards() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/model_table.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_revisions_of_models_with_many_variants(tmp_path: Path) -> None:
    pinned = "allenai/Llama-3.1-8B-Instruct-RM-RB2"
    for card in (one for one in all_cards() if one.name == "reward-bench-2-rm"):
        assert any("commit" in note for note in card.notes)
        assert ("revision" in card.load) == (card.model == pinned)
    assert re.fullmatch("[0-9a-f]{40}", apply_card(pinned, ModelOptions()).revision or "")
    assert apply_card(str(tmp_path), ModelOptions(card=pinned)).revision is None
