"""Flags for the options that benchmarks define."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from rmeval.benchmarks import BUILTIN, find_benchmark
from tests.cli.test_flags import SOURCE, strings
from tests.command import command

Capture = pytest.CaptureFixture[str]
OPTIONS = sorted({option for name in BUILTIN for option in find_benchmark(name).takes})


@pytest.mark.parametrize("name", ["run", "items", "import", "doctor"])
def test_each_option_of_a_benchmark_is_a_flag(name: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    text = command(capsys, name, "--help").out
    assert "size" in OPTIONS
    for option in OPTIONS:
        assert f"--{option.replace('_', '-')} " in text, option
    assert "For pairs: " in text
    assert "prompt=question,chosen=good." in text


def test_commands_that_load_no_benchmark_have_none_of_them(capsys: Capture) -> None:
    done = command(capsys, "show", "--size", 8)
    assert (done.code, "no such option: --size" in done.err) == (2, True)


def test_an_option_with_a_dash(capsys: Capture) -> None:
    done = command(capsys, "items", "pairs", "--ignore-keys", "a", "--set", "ignore-keys=b")
    assert (done.code, "--set repeats ignore_keys: give each option once" in done.err) == (2, True)


def test_an_empty_value_is_a_sentence(capsys: Capture) -> None:
    done = command(capsys, "items", "rm-bench-synthetic", "--size", "")
    assert (done.code, "--size is empty, as from a shell variable that is not set" in done.err) == (2, True)


def test_an_option_without_a_flag_is_not_shown_as_one(tmp_path: Path, capsys: Capture) -> None:
    text = "from rmeval.benchmarks import Option\nfrom rmeval.benchmarks.pairs import Pairs\n\n\n"
    text += "class Own(Pairs):\n    takes = (Option('base', 'number', 'a number'),)\n"
    (tmp_path / "own.py").write_text(text)
    done = command(capsys, "items", f"{tmp_path}/own.py:Own", "--set", "base=x")
    assert (done.code, "error: --set base must be a whole number, not 'x'" in done.err) == (2, True), done.err


def test_no_code_depends_on_the_name_of_a_benchmark() -> None:
    """Examples in help texts may name them; a string that equals a name could only be code that depends on it."""
    found = {
        (path.name, node.value)
        for folder in ("cli", "report")
        for path in (SOURCE / folder).rglob("*.py")
        for node in strings(path)
        if isinstance(node, ast.Constant) and node.value in BUILTIN
    }
    assert found == set()
