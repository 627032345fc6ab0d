"""The probabilities of labels are those of hf, of vLLM in a process of its own, and of a vLLM server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.store.journal import read_journal
from tests.integration.environments import run_in
from tests.integration.servers import StartServer

CLOSE = 1e-3
LONGEST = "1024"
PROTOCOLS: dict[str, tuple[str, str, dict[str, float]]] = {
    # A server lists 20 tokens, among which both labels must be.
    "letters": (
        "pair",
        "{{ question }}\n\nA: {{ responses[0] }}\nB: {{ responses[1] }}\n\nAnswer with A or B only.",
        {"A": 1.0, "B": 0.0},
    ),
    "digits": (
        "rate",
        "{{ question }}\n{{ responses[0] }}\n\nRate the answer with one digit, 1 or 2. Write only the digit.",
        {"1": 1, "2": 2},
    ),
}
ROWS = [
    ("What is the capital of France?", "The capital of France is Paris.", "I do not know, perhaps it is Rome."),
    ("How many legs has a spider?", "A spider has eight legs.", "A spider has six legs, as all insects have."),
    ("What is 7 times 8?", "7 times 8 is 56.", "54"),
    ("Who wrote Hamlet?", "William Shakespeare wrote Hamlet.", "Hamlet was written by Charles Dickens in 1843."),
    ("What is the opposite of hot?", "Cold.", "The opposite of hot is warm, which is less hot."),
    ("Is the earth flat?", "No, it is nearly a sphere.", "Yes, it is flat, as everybody can see."),
    ("Name a colour of the rainbow.", "Green is a colour of the rainbow.", "Brown."),
    ("What do bees make?", "Bees make honey.", "Bees make milk and cheese."),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pairs and the protocols."""
    folder = tmp_path_factory.mktemp("files")
    rows = (dict(zip(("prompt", "chosen", "rejected"), row, strict=True)) for row in ROWS)
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, (kind, prompt, labels) in PROTOCOLS.items():
        levels = "".join(f"{label} = {value}\n" for label, value in labels.items())
        stated = f'name = "{name}@1"\nkind = "{kind}"\nreads = "labels"\nmin_label_mass = 0.0\n'
        (folder / f"{name}.toml").write_text(f'{stated}prompt = """{prompt}"""\n\n[labels]\n{levels}')
    return folder


Readings = dict[str, dict[str, float]]


def judged(model: str, files: Path, name: str, out: Path) -> Readings:
    run = rmeval.evaluate(model, "pairs", files / "pairs.jsonl", protocol=str(files / f"{name}.toml"), out=out)
    return readings(Path(run.path))


def readings(run: Path) -> Readings:
    """The values of each request by its key."""
    found = [one for batch in read_journal(run / "journal") for one in batch]
    assert [one.error for one in found if one.status != "ok"] == []
    return {one.key: dict(one.values) for one in found}  # type: ignore[arg-type]


def compare(found: Readings, wanted: Readings) -> float:
    """The largest difference of a probability or an expectation."""
    assert found.keys() == wanted.keys()
    assert len(wanted) == 2 * len(ROWS)
    names = ("p_first", "rating", "label_mass")
    apart = [abs(found[key][name] - own[name]) for key, own in wanted.items() for name in names if name in own]
    assert len(apart) == 2 * len(wanted)
    return max(apart)


@pytest.fixture(scope="module")
def hf(real_models: Path, files: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Readings]:
    out = tmp_path_factory.mktemp("hf")
    found = {name: judged(str(real_models / "smollm2"), files, name, out) for name in PROTOCOLS}
    assert len({round(one["p_first"], 3) for one in found["letters"].values()}) > len(ROWS)
    assert min(one["label_mass"] for own in found.values() for one in own.values()) > 0.02
    return found


@pytest.mark.parametrize("name", PROTOCOLS)
def test_vllm_in_a_process_of_its_own(hf: Any, name: str, files: Path, real_models: Path, tmp_path: Path) -> None:
    given = ("--protocol", files / f"{name}.toml", "--engine", "vllm", "--model-kwargs", f"max_model_len={LONGEST}")
    where = ("-b", "pairs", "--data", files / "pairs.jsonl", "-o", tmp_path)
    done = run_in("vllm", "-m", "rmeval", "run", real_models / "smollm2", *given, *where)
    assert done.returncode == 0, done.stderr[-4000:]
    difference = compare(readings(next(tmp_path.rglob("run.json")).parent), hf[name])
    print(f"{name}: vllm differs from hf by {difference:.2g}")  # noqa: T201
    assert difference < CLOSE


def test_a_vllm_server(hf: Any, files: Path, real_models: Path, vllm_server: StartServer, tmp_path: Path) -> None:
    server = vllm_server(real_models / "smollm2", "--max-model-len", LONGEST)
    for name in PROTOCOLS:
        difference = compare(judged(server.url, files, name, tmp_path), hf[name])
        print(f"{name}: a server differs from hf by {difference:.2g}")  # noqa: T201
        assert difference < CLOSE
