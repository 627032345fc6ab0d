"""The fingerprint is of the files that are opened, whatever the layout, and no pickle runs without consent."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import rmeval
from rmeval import ModelError, load_model
from rmeval.types import Message, Request
from tests.checkpoints import make_checkpoint
from tests.command import process

TALK = (Message("user", "hello"), Message("assistant", "there"))
CODE = """from transformers import Qwen3ForSequenceClassification
from .extra import ADDED
class Mine(Qwen3ForSequenceClassification):
    added = ADDED
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("files")
    return make_checkpoint(folder / "a"), make_checkpoint(folder / "b", seed=1)


@pytest.fixture
def folder(made: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "m"))


def configured(folder: Path, **values: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


def index(folder: Path, names: dict[str, str], file: str = "model.safetensors.index.json") -> None:
    (folder / file).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": names}))


def plain(folder: Path) -> None:
    (folder / "model.safetensors.bak").write_bytes(b"0")


def shards(folder: Path) -> None:
    """Two files of one name."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    half = dict(list(weights.items())[:9])
    rest = {name: weight for name, weight in weights.items() if name not in half}
    for place, own in (("one", half), ("two", rest)):
        (folder / place).mkdir()
        save_file(own, folder / place / "w.safetensors", metadata={"format": "pt"})
    index(folder, {name: f"{'one' if name in half else 'two'}/w.safetensors" for name in weights})


def named_by_config(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    configured(folder, transformers_weights="other.safetensors")


def config_of_a_version(folder: Path) -> None:
    shutil.copy(folder / "config.json", folder / "config.4.0.0.json")
    configured(folder, configuration_files=["config.4.0.0.json"])


def own_code(folder: Path) -> None:
    (folder / "parts").mkdir()
    (folder / "parts" / "extra.py").write_text("ADDED = 1\n")
    (folder / "parts" / "mine.py").write_text(CODE)
    configured(folder, auto_map={"AutoModelForSequenceClassification": "parts/mine.Mine"}, architectures=["Mine"])


def variant(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model.fp16.safetensors")


def subfolder(folder: Path) -> None:
    (folder / "sub").mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(folder / name, folder / "sub" / name)


LAYOUTS: dict[str, tuple[Callable[[Path], None], dict[str, Any]]] = {
    "plain": (plain, {}),
    "shards": (shards, {}),
    "named by config": (named_by_config, {}),
    "config of a version": (config_of_a_version, {}),
    "code": (own_code, {"trust_remote_code": True}),
    "variant": (variant, {"model_kwargs": {"variant": "fp16"}}),
    "subfolder": (subfolder, {"model_kwargs": {"subfolder": "sub"}}),
}
WATCH = """
import json, os, sys
opened = set()
def hook(event, args):
    if event == "open" and isinstance(args[0], (str, bytes, os.PathLike)):
        opened.add(os.path.realpath(os.fsdecode(args[0])))
sys.addaudithook(hook)
import transformers.modeling_utils as modeling
whole = modeling.safe_open
def watched(file, *given, **named):
    opened.add(os.path.realpath(file))
    return whole(file, *given, **named)
modeling.safe_open = watched
from rmeval import load_model
found = {}
for folder, options in json.loads(sys.argv[1]):
    model = load_model(folder, **options)
    files = sorted({os.path.realpath(file) for one in model.texts.sources for file in one._files})
    opened.clear()
    model.engine.network.model
    inside = os.path.realpath(folder) + os.sep
    found[folder] = [files, sorted(file for file in opened if file.startswith(inside))]
print(json.dumps(found))
"""


@pytest.mark.slow
def test_every_file_that_is_opened_is_in_the_fingerprint(made: tuple[Path, Path], tmp_path: Path) -> None:
    """As the interpreter and the library that reads weights report it."""
    asked = []
    for layout, (arrange, options) in LAYOUTS.items():
        folder = Path(shutil.copytree(made[0], tmp_path / layout.replace(" ", "_")))
        arrange(folder)
        asked.append((str(folder), options))
    done = process("-c", WATCH, json.dumps(asked))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) == len(LAYOUTS)
    for files, opened in found.values():
        assert any(file.endswith(".safetensors") for file in opened)
        # It looks for settings of generated text, which no score depends on.
        assert {file for file in opened if not file.endswith("generation_config.json")} <= set(files)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_change_of_a_file_that_counts_is_another_model(folder: Path, made: tuple[Path, Path], layout: str) -> None:
    arrange, options = LAYOUTS[layout]
    arrange(folder)
    seen = {load_model(str(folder), **options).identity()["model"]}
    (sources,) = load_model(str(folder), **options).engine.network.checkpoint.sources  # type: ignore[attr-defined]
    for file in sources._files:
        before = file.read_bytes()
        # Zeros stay a number; a space stays JSON or Python.
        file.write_bytes(before[:-1] + b"\0" if file.suffix == ".safetensors" else before + b" ")
        seen.add(load_model(str(folder), **options).identity()["model"])
        file.write_bytes(before)
    assert len(seen) == len(sources._files) + 1


def test_two_files_of_one_name_that_change_places(folder: Path) -> None:
    shards(folder)
    first = load_model(str(folder)).identity()["model"]
    one, two = (folder / place / "w.safetensors" for place in ("one", "two"))
    held = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(held)
    assert load_model(str(folder)).identity()["model"] != first


@pytest.mark.parametrize("name", ["../b/model.safetensors", "/tmp/model.safetensors", "x/../../b.safetensors"])
def test_an_index_that_names_files_elsewhere(folder: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    index(folder, {"score.weight": name})
    with pytest.raises(ModelError, match="outside its folder"):
        load_model(str(folder))
    configured(folder, transformers_weights=name)
    with pytest.raises(ModelError, match="outside its folder"):
        load_model(str(folder))


def test_links_are_ordinary(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").rename(tmp_path / "blob")
    (folder / "model.safetensors").symlink_to(tmp_path / "blob")
    assert len(rmeval.score(str(folder), [[m.to_dict() for m in TALK]])) == 1


def test_an_adapter_in_the_folder_of_a_whole_model(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="a complete model and an adapter"):
        load_model(str(folder))


# Changes in time


def requests() -> Iterator[Request]:
    for number in range(3):
        yield Request(f"{number}", f"{number}", (0,), (TALK[0],), (f"there {number}",))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("moment", ["before loading", "between batches"])
def test_files_that_change_while_a_model_is_used(folder: Path, made: tuple[Path, Path], name: str, moment: str) -> None:
    model = load_model(str(folder), batch_size=1, max_length=500)
    batches = model.observe(requests())
    if moment == "between batches":
        next(batches)
    data = (folder / name).read_bytes()
    changed = (made[1] / name).read_bytes() if name == "model.safetensors" else data + b" "
    with (folder / name).open("r+b") as file:
        file.write(changed)
    with pytest.raises(ModelError, match="changed after rmeval computed their digest"):
        list(batches)


def test_a_reference_that_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is what it says kept for other policies."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    policy, reference = (make_checkpoint(tmp_path / str(seed), "causal", seed=seed) for seed in (1, 2))
    model = load_model(str(policy), ref_model=str(reference))
    with (reference / "config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(ModelError, match="changed after rmeval computed their digest"):
        list(model.observe(requests()))
    assert not list((tmp_path / "cache" / "rmeval" / "log-probs").rglob("*.jsonl"))


def test_a_scorer_that_changes(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def score(conversations):\n    return [1.0 for _ in conversations]\n")
    model = load_model(f"{file}:score")
    before = model.identity()
    file.write_text("def score(conversations):\n    return [2.0 for _ in conversations]\n")
    assert model.identity() == before
    with pytest.raises(ModelError, match="changed after rmeval computed their digest"):
        list(model.observe(requests()))


# Tokenizers that were copied in part


def test_a_tokenizer_without_its_config(folder: Path, tmp_path: Path) -> None:
    (folder / "tokenizer_config.json").rename(tmp_path / "kept.json")
    with pytest.raises(ModelError, match=r"without tokenizer_config\.json, so transformers would guess"):
        load_model(str(folder))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "TokenizersBackend"}')
    load_model(str(folder))


def test_a_vocabulary_without_its_merges(folder: Path) -> None:
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    with pytest.raises(ModelError, match=r"vocab\.json without merges\.txt"):
        load_model(str(folder))


# Pickles


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.write_text, (self.file, "ran")


def canary(place: Path, mark: Path, tensors: bool = False) -> None:
    if tensors:
        torch.save({"score.weight": Canary(mark)}, place)
    else:
        place.write_bytes(pickle.dumps({"score.weight": Canary(mark)}))


PLACES = [
    "pytorch_model.bin",
    "model.safetensors",
    "named.bin",
    "named.pt",
    "named.safetensors",
    "value_head.bin",
    "training_args.bin",
    "optimizer.pt",
    "adapter_model.bin",
    "other.pkl",
]


@pytest.mark.parametrize("tensors", [False, True])
@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("weights", ["weights", "no weights"])
def test_no_pickle_runs_without_consent(folder: Path, tmp_path: Path, name: str, weights: str, tensors: bool) -> None:
    mark = tmp_path / "mark"
    if weights == "no weights":
        (folder / "model.safetensors").unlink()
    canary(folder / name, mark, tensors)
    if name.startswith("named"):
        index(folder, {"score.weight": name})
    with suppress(ModelError):
        rmeval.score(str(folder), [[m.to_dict() for m in TALK]])
    assert not mark.exists()


REFUSED: list[dict[str, Any]] = [
    {"use_safetensors": None},
    {"use_safetensors": 0},
    {"use_safetensors": "false"},
    {"weights_only": False},
    {"return_unused_kwargs": True},
    {"output_loading_info": True},
    {"adapter_kwargs": {"subfolder": "x"}},
    {"config": {}},
    {"state_dict": {}},
    {"from_tf": True},
    {"_from_auto": True},
    {"auto_map": {}},
    {"torch_dtype": "float16"},
    {"dtype": "float16"},
    {"trust_remote_code": True},
    {"revision": "x"},
    {"transformers_weights": "x.safetensors"},
    {"use_kernels": True},
    {"attn_implementation": "org/kernel"},
    {"subfolder": "../x"},
    {"subfolder": 5},
    {"variant": ["x"]},
    {"gguf_file": "/x.gguf"},
]


@pytest.mark.parametrize("given", REFUSED, ids=str)
def test_arguments_that_are_refused(folder: Path, given: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=f"`model_kwargs` {next(iter(given))}"):
        load_model(str(folder), model_kwargs=given)


def test_a_gguf_file_of_the_working_directory(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match="also a file in the working directory"):
        load_model(str(folder), model_kwargs={"gguf_file": "x.gguf"})
