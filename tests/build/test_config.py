"""The config: wrong ones are explained at their line, and a commented one has every option."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from rmeval.build import BuildConfig, load_config
from rmeval.build.config import DomainConfig, ModelRole
from rmeval.build.config_text import OFF, config_text
from rmeval.build.problems.options import ProblemOptions
from rmeval.build.registry import PARTS, RECIPES
from rmeval.build.stage import find_recipe
from rmeval.errors import DataError


def there(recipe: str) -> bool:
    """Whether a recipe is in this version."""
    return importlib.util.find_spec(RECIPES[recipe].partition(":")[0]) is not None


THERE = [recipe for recipe in RECIPES if there(recipe)]
MINIMAL = """
name: mine
models: {writer: {model: "http://127.0.0.1:9/v1"}}
domains:
  math: {recipe: math, problems: {file: p.jsonl}}
"""


def classes(recipe: str) -> list[type[BaseModel]]:
    """The classes of all options of a config with one domain."""
    domain = DomainConfig(recipe=recipe, problems=ProblemOptions(file="p.jsonl"))
    found: list[type[BaseModel]] = [BuildConfig, ModelRole, DomainConfig, ProblemOptions, find_recipe(domain).Options]
    for place in PARTS.values():
        module, _, name = place.partition(":")
        found.append(getattr(importlib.import_module(module), name))
    for one in list(found):
        for field in one.model_fields.values():
            nested = type(field.get_default(call_default_factory=True))
            if issubclass(nested, BaseModel):
                found.append(nested)
    return found


@pytest.mark.parametrize("recipe", THERE)
def test_a_commented_config_has_every_option_at_its_default(recipe: str, tmp_path: Path) -> None:
    text = config_text("mine", "mine.yaml", [recipe], {recipe: "p.jsonl"})
    for kind in classes(recipe):
        for name, field in kind.model_fields.items():
            if not field.exclude:
                assert re.search(rf"^ *# .*\n *{name}:", text, re.MULTILINE), f"{kind.__name__}.{name}"
    (tmp_path / "mine.yaml").write_text(text)
    loaded = load_config(tmp_path / "mine.yaml")
    models = "".join(f"  {role}: {{model: 'http://localhost:8000/v1'}}\n" for role in loaded.models)
    short = f"name: mine\nmodels:\n{models}domains:\n  {recipe}: {{recipe: {recipe}, problems: {{file: p.jsonl}}}}\n"
    (tmp_path / "short.yaml").write_text(short)
    defaults = load_config(tmp_path / "short.yaml")
    for part, place in PARTS.items():
        module, _, name = place.partition(":")
        kind = getattr(importlib.import_module(module), name)
        assert loaded.part(kind, part) == defaults.part(kind, part)
    options = find_recipe(loaded.domains[recipe]).Options
    where = ("domains", recipe, "responses")
    assert loaded.part(options, *where) == defaults.part(options, *where)
    exclude: Any = {*PARTS, "domains"}
    assert loaded.model_dump(exclude=exclude) == defaults.model_dump(exclude=exclude)
    own, other = (one.domains[recipe].model_dump(exclude={"responses"}) for one in (loaded, defaults))
    assert own == other


def test_several_domains_in_one_config(tmp_path: Path) -> None:
    recipes = [one for one in THERE if one != OFF]
    text = config_text("mine", "mine.yaml", recipes, {one: f"{one}.jsonl" for one in recipes}, "my prompts")
    (tmp_path / "mine.yaml").write_text(text)
    loaded = load_config(tmp_path / "mine.yaml")
    assert list(loaded.domains) == recipes
    assert loaded.prompts == "my prompts"
    assert "compliant" not in loaded.models
    uncommented = re.sub(
        r"^  # ( *(?:safety-refuse|recipe: safety-refuse|problems: \{file: .safety).*)$", r"  \1", text, flags=re.M
    )
    (tmp_path / "mine.yaml").write_text(uncommented)
    assert list(load_config(tmp_path / "mine.yaml").domains) == [*recipes, OFF]


def test_an_unknown_recipe() -> None:
    with pytest.raises(DataError, match="there is no recipe 'maths': did you mean math"):
        config_text("mine", "mine.yaml", ["maths"], {"maths": "p.jsonl"})


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("file: p.jsonl", "file: 3", "line 5: `domains.math.problems.file` is 3, and input should be a valid string"),
        ("file: p.jsonl", "file: []", "line 5: `domains.math.problems.file` is [], and name at least one file"),
        (
            "file: p.jsonl",
            "files: p.jsonl",
            "line 5: there is no option `domains.math.problems.files`: did you mean file?",
        ),
        ("problems: {file: p.jsonl}", "licence: x", "line 5: `domains.math.problems` is missing: add it"),
        ("name: mine", "name: mine\nseed: x", "line 3: `seed:` is 'x', and input should be a valid integer"),
        ("writer:", "author:", "line 3: `models.author` is 'author', and input should be 'writer', 'rewriter'"),
        ("name: mine", "name: mine\nmax_cost: 0", "line 3: `max_cost:` is 0, and input should be greater than 0"),
        ("name: mine", "name: mine\nlanguage: ''", "line 3: `language:` is '', and string should have at least 1"),
        ("math: {", "Math: {", "the domain 'Math' needs lower-case letters"),
        ("name: mine", "name: mine\nwhere: x", "line 3: there is no option `where`"),
        ("models:", "models: 3 #", "line 3: `models:` is 3, and input should be a valid dictionary"),
    ],
)
def test_wrong_configs_are_explained(tmp_path: Path, before: str, after: str, message: str) -> None:
    assert before in MINIMAL
    (tmp_path / "config.yaml").write_text(MINIMAL.replace(before, after))
    with pytest.raises(DataError) as error:
        load_config(tmp_path / "config.yaml")
    assert message in str(error.value)


def test_a_budget_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(MINIMAL + "max_tokens: 7\n")
    config = load_config(tmp_path / "config.yaml")
    found = config.with_budget(max_requests=3, prices=Path("prices.toml"), max_cost=0.5)
    assert (found.max_requests, found.max_tokens, found.max_cost) == (3, 7, 0.5)
    assert found.path(found.prices or "") == Path("prices.toml").absolute()
    with pytest.raises(DataError, match="`max_cost` needs the prices"):
        config.with_budget(max_cost=0.5)
    with pytest.raises(DataError, match="`max_cost` must be above 0, not -1"):
        config.with_budget(max_cost=-1)


@pytest.mark.parametrize("text", ["- name", "name", "3"])
def test_a_config_that_is_no_mapping(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(DataError, match=r"config.yaml: a config is a mapping with name, models and domains: see"):
        load_config(tmp_path / "config.yaml")


def test_a_role_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(MINIMAL)
    config = load_config(tmp_path / "config.yaml")
    assert config.role("rewriter") == config.role("writer")
    with pytest.raises(DataError, match="the config names no model with the role judge: add it under `models`"):
        config.role("judge")
