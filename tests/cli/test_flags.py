"""Messages name parameters; the command line shows the options that set them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import rmeval
from rmeval.cli.flags import with_options
from rmeval.errors import DataError, ModelError
from tests.command import command

SOURCE = Path(rmeval.__file__).parent
OPTION = re.compile(r"(?<![\w-])(?:--[a-z][a-z-]*|-[bdho]\b)")
# Whole commands, which are the same for Python users.
COMMANDS = {
    ("build/config_text.py", "--dry-run"),
    ("build/review/selection.py", "--until"),
    ("build/review/selection.py", "-o"),
    ("build/review/stage.py", "--adjudicate"),
    ("build/review/stage.py", "--reviewer"),
    ("importers/documents.py", "--from-subsets"),
    ("models/about.py", "--card"),
    ("models/about.py", "-b"),
    ("predict/published_tables.py", "--json"),
    *(("report/page/method.py", option) for option in ("--data", "--set", "--subset", "-b", "-o")),
    ("report/published.py", "--json"),
    ("report/published.py", "--published"),
    ("store/manifest.py", "--from-subsets"),
}


# Files with options of bubblewrap, compilers and mount, and one with variables of a style sheet.
OF_OTHER_PROGRAMS = (
    "report/page/figures.py",
    "sandbox/isolation.py",
    "sandbox/languages.py",
    "sandbox/reachable.py",
    "sandbox/whole.py",
)


def strings(path: Path) -> Iterator[ast.Constant]:
    """The strings of a file that are no docstrings."""
    tree = ast.parse(path.read_text())
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node


def test_only_the_command_line_writes_options() -> None:
    found = set()
    for path in SOURCE.rglob("*.py"):
        place = path.relative_to(SOURCE).as_posix()
        if not place.startswith("cli/") and place not in OF_OTHER_PROGRAMS:
            texts = (str(node.value) for node in strings(path))
            found |= {(place, option) for text in texts for option in OPTION.findall(text)}
    assert found <= COMMANDS, found - COMMANDS


def test_a_parameter_is_shown_as_its_option() -> None:
    for name, option in {
        "n_items": "--n-items",
        "ref_model": "--ref-model",
        "trust_remote_code": "--trust-remote-code",
        "rule": "--rule",
        "items_from_scores": "--items-from-scores",
        "out": "-o",
        "benchmark": "--benchmark",
        "as_json": "--json",
    }.items():
        assert with_options(f"give `{name}` 3") == f"give {option} 3"
    for text in ("give it a method `composition`", "`rmeval run`", "`n items`", "plain"):
        assert with_options(text) == text


def test_python_and_the_command_line_speak_their_own_words(
    pairs_file: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match=r"^`n_items` must be at least 1"):
        rmeval.evaluate("baseline:longest", "pairs", pairs_file, n_items=0, out=tmp_path)
    with pytest.raises(ModelError, match="leave `revision` out"):
        rmeval.load_model(str(checkpoint), revision="v1")
    done = command(capsys, "run", checkpoint, "-b", "pairs", "--data", pairs_file, "--revision", "v1", "-o", tmp_path)
    assert (done.code, "leave --revision out" in done.err, "`" in done.err) == (2, True, False)
