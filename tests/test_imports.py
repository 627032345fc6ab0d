"""What is imported when: nothing heavy before it is needed, and no layer from a layer on its right."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import rmeval
from tests.command import process

SOURCE = Path(rmeval.__file__).parent
EXTRAS = ("torch", "transformers", "datasets", "huggingface_hub", "tokenizers", "safetensors", "accelerate", "pandas")

LOADED = "import sys; {code}; print(','.join(name for name in {names!r} if name in sys.modules))"
WITHOUT = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {extras!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Nothing())
sys.argv = ['rmeval', *{arguments!r}]
from rmeval.cli import main
main()
"""


def test_public_names() -> None:
    assert rmeval.__all__ == sorted(rmeval.__all__, key=lambda name: (name.islower() or name.startswith("_"), name))
    for name in rmeval.__all__:
        assert getattr(rmeval, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = rmeval.nothing  # type: ignore[attr-defined]


@pytest.mark.parametrize("code", ["import rmeval", "import rmeval.cli.app", "import rmeval; rmeval.RmevalError"])
def test_import_brings_nothing_heavy(code: str) -> None:
    heavy = (*EXTRAS, "numpy", "scipy", "pyarrow", "rich.table")
    assert process("-c", LOADED.format(code=code, names=heavy)).stdout.strip() == ""


def test_metrics_and_data_need_no_extra() -> None:
    code = "import rmeval; rmeval.evaluate, rmeval.load_benchmark('rm-bench'), rmeval.load_model('baseline:longest')"
    done = process("-c", LOADED.format(code=f"{code}; import rmeval.testing", names=EXTRAS))
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_the_core_alone_runs_baselines_and_shows(rm_bench_folder: Path, tmp_path: Path) -> None:
    run = ["run", "baseline:longest", "-b", "rm-bench", "--data", str(rm_bench_folder), "-o", str(tmp_path / "runs")]
    errors = ["errors", str(tmp_path / "runs")]
    for arguments in (run, ["show", str(tmp_path / "runs")], errors, ["list", "models"]):
        done = process("-c", WITHOUT.format(extras=EXTRAS, arguments=arguments))
        assert done.returncode == 0, done.stderr
    done = process("-c", WITHOUT.format(extras=EXTRAS, arguments=["run", "./x", "-b", "pairs", "--data", "y.jsonl"]))
    assert (done.returncode, "pip install 'rmeval[hf]'" in done.stderr) == (2, True), done.stderr


# Each may import from those before it and from itself.
ORDER = (
    ("types", "errors", "faces", "limits", "redaction", "messages", "files", "_version"),
    ("extras", "hub", "plugins", "baselines", "data"),
    ("sandbox",),
    ("solutions",),
    ("cache", "loading", "repository"),
    ("transport",),
    ("metrics",),
    ("benchmarks",),
    ("protocols",),
    ("store",),
    ("results",),
    ("published",),
    ("predict",),
    ("rendering",),
    ("engines",),
    ("models",),
    ("sandbox",),
    ("runs",),
    ("sweep",),
    ("web",),
    ("build",),
    ("candidates",),
    ("importers",),
    ("doctor", "robustness"),
    ("push",),
    ("report",),
    ("leaderboard",),
    ("app",),
    ("api", "testing"),
    ("training",),
    ("cli",),
    ("__main__",),
)


def modules(path: Path) -> list[str]:
    """The modules that a file imports when it is itself imported or run."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        found += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        found += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    return found


def imports(path: Path) -> set[str]:
    """The parts of rmeval that a file imports when it is itself imported or run."""
    return {(name + ".").split(".")[1] for name in modules(path) if name.partition(".")[0] == "rmeval"}


def files(part: str) -> list[Path]:
    return [*(SOURCE / part).rglob("*.py")] if (SOURCE / part).is_dir() else [SOURCE / f"{part}.py"]


@pytest.mark.parametrize("place", range(len(ORDER)), ids=lambda place: ORDER[place][0])
def test_a_layer_imports_only_from_its_left(place: int) -> None:
    allowed = {part for layer in ORDER[: place + 1] for part in layer}
    for part in ORDER[place]:
        for path in files(part):
            assert imports(path) <= allowed, path


def test_the_order_names_every_part() -> None:
    named = {part for layer in ORDER for part in layer}
    there = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there - {"__init__"} == named


def test_kinds_of_models_see_no_engine_but_the_protocol() -> None:
    for path in (SOURCE / "models").rglob("*.py"):
        assert "engines.hf" not in path.read_text(), path
    for path in (SOURCE / "rendering").rglob("*.py"):
        assert not {"torch", "rmeval.engines"} & set(modules(path)), path


def test_benchmarks_never_see_a_model_and_models_never_see_a_benchmark() -> None:
    for path in (SOURCE / "benchmarks").rglob("*.py"):
        assert not imports(path) & {"models", "engines", "protocols", "store", "runs"}, path
    for folder in ("models", "engines", "rendering"):
        for path in (SOURCE / folder).rglob("*.py"):
            assert not imports(path) & {"benchmarks", "metrics", "results", "runs"}, path
