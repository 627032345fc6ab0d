from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rmeval.data.yaml_file import read_yaml
from rmeval.errors import DataError


def read(folder: Path, text: str | bytes) -> Any:
    file = folder / "s.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_yaml(file)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: [1, -2, 0x1f, 0o17, 1_000, 010]", [1, -2, 31, 15, 1000, 10]),
        ("a: [1.5, .5, 1e3, -2.]", [1.5, 0.5, 1000.0, -2.0]),
        ("a: [true, False, null, ~, '']", [True, False, None, None, ""]),
        ("a: ['1', \"true\", ! 3]", ["1", "true", "3"]),
        (
            "a: [2024-99-99, 2024-01-01, 1:30:45, yes, .nan, 1.2.3]",
            ["2024-99-99", "2024-01-01", "1:30:45", "yes", ".nan", "1.2.3"],
        ),
        ("a: {b: [c]}", {"b": ["c"]}),
        ("a: |\n  x\n  y\n", "x\ny\n"),
        ("\ufeffa: é", "é"),
        ("%YAML 1.1\n---\na: 1:30\n", "1:30"),
        ("x: &x {b: 1, c: 2}\na: {<<: *x, c: 3}", {"b": 1, "c": 3}),
        ("x: [&x {b: 1}, &y {b: 2, c: 2}]\na: {<<: [*x, *y]}", {"b": 1, "c": 2}),
    ],
)
def test_values(text: str, value: Any, tmp_path: Path) -> None:
    assert read(tmp_path, text)["a"] == value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: !!int z", r"s.yaml line 1: the tag 'tag:yaml.org,2002:int' is not supported"),
        ("a: 1\nb: !!bool maybe", r"s.yaml line 2: the tag"),
        ("a: !!binary x", "the tag"),
        ("a: !!python/object/apply:os.system [ls]", "the tag"),
        ("a: !!set {x}", "the tag"),
        ("a: " + "1" * 5000, r"the number 1+ \.\.\. 1+ \(5000 characters\) has too many digits"),
        ("a: " + "[" * 3000, "lists and mappings are nested more than 100 deep"),
        ("a: " + "{b: " * 3000, "lists and mappings are nested more than 100 deep"),
        ("a: &x [*x]", "the alias 'x' has no anchor before it"),
        ("a: *x", "the alias 'x' has no anchor before it"),
        ("a: 1\na: 2", "s.yaml line 2: the key 'a' occurs twice"),
        ("[a]: 1", "a key is not a string"),
        ("a: {<<: 3}", "the value of '<<' must be a mapping"),
        ("a: 1\n---\nb: 2", "s.yaml line 2: a second document begins"),
        ("a: [1", r"s.yaml line \d: broken YAML"),
        ("a:\n\t- 1", r"s.yaml line 2: broken YAML"),
        ("a: \x00", "s.yaml: broken YAML"),
        (b"a: \xff", "s.yaml is not UTF-8 text"),
        ("", "s.yaml is empty"),
    ],
)
def test_what_is_no_suite(text: str | bytes, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=sentence) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_aliases_have_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = "a: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    with pytest.raises(DataError, match="its aliases expand to too many values"):
        read(tmp_path, bomb)
    monkeypatch.setenv("RMEVAL_MAX_ALIASES", "2")
    assert read(tmp_path, "a: &x 1\nb: [*x, *x]") == {"a": 1, "b": [1, 1]}
    with pytest.raises(DataError, match=r"there are more than 2 aliases \(RMEVAL_MAX_ALIASES\)"):
        read(tmp_path, "a: &x 1\nb: [*x, *x, *x]")
    monkeypatch.setenv("RMEVAL_MAX_YAML_CHARACTERS", "9")
    with pytest.raises(DataError, match=r"more than 9 characters: .* RMEVAL_MAX_YAML_CHARACTERS"):
        read(tmp_path, "a: [1, 2, 3]")


def test_folders_and_pipes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        read_yaml(tmp_path)
    with pytest.raises(DataError, match="there is no file"):
        read_yaml(tmp_path / "s.yaml")


@pytest.mark.parametrize(
    "text",
    ['a: "\\U0011FFFF"', 'a: "\\UFFFFFFFF"', "%YAML 1.9\n---\na: b", f"%YAML {'1' * 5000}.1\n---\na: b"],
    ids=["beyond the last character", "beyond a number", "version", "digits of a version"],
)
def test_what_the_parser_itself_fails_on(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"s.yaml: broken YAML \(.*\): correct it"):
        read(tmp_path, text)
