"""The last stage: files, their bytes, and what happens to a benchmark that does not pass a gate."""

from __future__ import annotations

import gzip
import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

import rmeval
from rmeval.build import Check, Dropped, Record
from rmeval.build.assemble.card import Findings, card_fields, readme
from rmeval.build.assemble.stage import AssembleStage
from rmeval.errors import DataError
from tests.build.samples import assembled, config_of, record

RECORDS = sorted(
    (record(number, domain) for number in range(6) for domain in ("math", "money")), key=lambda one: one.key
)
DOMAINS = ("math", "money")
DROPPED = [Dropped("math/098", "no right sample"), Dropped("math/099", "no right sample")]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_files(tmp_path: Path) -> None:
    facts = assembled(config_of(tmp_path, DOMAINS), tmp_path / "out", RECORDS, DROPPED)
    folder = tmp_path / "out" / "benchmark"
    assert set(contents(folder)) == {
        "README.md",
        "rmeval.toml",
        "total_dataset.json",
        "provenance.jsonl.gz",
        "data/test-00000-of-00001.parquet",
        "prompts/math/solve.jinja",
    }
    assert set(facts["files"]) == {f"benchmark/{name}" for name in contents(folder)}
    rows = json.loads((folder / "total_dataset.json").read_text())
    assert len(rows) == 12
    assert rows[0] == {
        "id": "000",
        "prompt": RECORDS[0].problem.prompt,
        "chosen": [one.text for one in RECORDS[0].of("chosen")],
        "rejected": [one.text for one in RECORDS[0].of("rejected")],
        "domain": "math",
    }
    table = pq.read_table(folder / "data").to_pylist()
    assert [{name: row[name] for name in rows[0]} for row in table] == rows
    assert {(row["language"], row["licence"], row["source"]) for row in table} == {("en", "MIT", "sums.jsonl")}
    card = tomllib.loads((folder / "rmeval.toml").read_text())
    assert (card["id"], card["counts"]) == ("sums", {"math": 6, "money": 6})


def test_the_data_card(tmp_path: Path) -> None:
    assembled(config_of(tmp_path, DOMAINS, title="Sums | and\nmore"), tmp_path / "out", RECORDS, DROPPED)
    text = (tmp_path / "out" / "benchmark" / "README.md").read_text()
    _, header, body = text.split("---\n", 2)
    found = YAML(typ="safe").load(header)
    assert (found["license"], found["language"], found["size_categories"]) == ("cc-by-4.0", ["en"], ["n<1K"])
    (split,) = found["configs"][0]["data_files"]
    assert list((tmp_path / "out" / "benchmark").glob(split["path"]))
    assert "# Sums | and more" in body
    assert "| responses | math | 6 | 2 no right sample |" in body
    assert "| responses | writer | scripted | math/solve@12345678 | 8 | 7 | 400 | 200 |" in body
    assert "| money | key | 18 | 18 |" in body
    assert "| verified | passed | 72 of 72 texts of 12 items are verified |" in body


def test_provenance_has_the_texts_before_styles_and_no_names_of_people(tmp_path: Path) -> None:
    own = [
        Record(one.problem, tuple(text.with_checks(Check("reviewer:anna", "pass")) for text in one.candidates))
        for one in RECORDS
    ]
    assembled(config_of(tmp_path, DOMAINS), tmp_path / "out", own)
    folder = tmp_path / "out" / "benchmark"
    assert not any(b"anna" in data for name, data in contents(folder).items() if not name.endswith(".gz"))
    lines = gzip.decompress((folder / "provenance.jsonl.gz").read_bytes()).decode().splitlines()
    assert "anna" not in "".join(lines)
    first = json.loads(lines[0])
    ids = [one["id"] for one in first["candidates"]]
    assert ids[:3] == ["chosen-0", "rejected-0", "chosen-0/concise"]
    assert {one["parent"] for one in first["candidates"]} <= {None, *ids}
    assert first["candidates"][2]["checks"][-1] == {"by": "reviewer:1", "status": "pass", "detail": ""}
    assert "| math | people | 18 | 18 |" in (folder / "README.md").read_text()


def test_equal_records_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assembled(config_of(tmp_path, DOMAINS), tmp_path / name, RECORDS, DROPPED)
    assert contents(tmp_path / "one" / "benchmark") == contents(tmp_path / "two" / "benchmark")


def test_a_rejected_benchmark_is_kept_apart(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assembled(config_of(tmp_path, DOMAINS), out, RECORDS)
    facts = assembled(config_of(tmp_path, DOMAINS, licence=""), out, RECORDS)
    assert facts["rejected"] == (
        "the benchmark does not pass 1 of its gates (licence: `licence` is not stated): correct the causes, or set the "
        "gate to `warn` under `assemble`; its files are in benchmark.rejected"
    )
    assert not (out / "benchmark").exists()
    with pytest.raises(DataError, match="did not pass its gates"):
        rmeval.load_benchmark(str(out))
    assert rmeval.load_benchmark(str(out / "benchmark.rejected")).card.licence == "not stated"
    warned = assembled(config_of(tmp_path, DOMAINS, licence="", assemble={"gates": {"licence": "warn"}}), out, RECORDS)
    assert "rejected" not in warned
    assert not (out / "benchmark.rejected").exists()
    assert "| licence | warning |" in (out / "benchmark" / "README.md").read_text()


def card_text(folder: Path, review: Mapping[str, Any], recipe: str = "math") -> str:
    config = config_of(folder, DOMAINS)
    money = config.domains["money"].model_copy(update={"recipe": recipe})
    config = config.model_copy(update={"domains": config.domains | {"money": money}})
    findings = Findings(RECORDS, [], [], [], [], [], review)
    return " ".join(readme(config, card_fields(config, RECORDS, "", ""), findings).split())


def test_the_card_states_what_people_have_judged(tmp_path: Path) -> None:
    assert "No person has judged the items." in card_text(tmp_path, {})
    own = {"questions": "responses", "domain": None, "units": 82, "equal": 0.915, "kappa": 0.829}
    others = [own | {"domain": "math", "kappa": 0.1}, own | {"questions": "styles", "kappa": None}]
    review = {"reviewed": 41, "agreement": [own | {"interval": [0.683, 0.951]}, *others]}
    stated = card_text(tmp_path, review)
    assert "People have judged 41 items. Two reviewers agree on 91.5% of 82 responses" in stated
    assert "(Cohen's kappa 0.83 [0.68, 0.95]). ##" in stated
    assert "(Cohen's kappa 0.83). ##" in card_text(tmp_path, {"reviewed": 41, "agreement": [own | {"interval": None}]})


def test_the_card_warns_of_harmful_texts(tmp_path: Path) -> None:
    assert "harmful requests" not in card_text(tmp_path, {})
    warned = card_text(tmp_path, {}, "safety-refuse")
    assert "**Some rejected responses comply with harmful requests.**" in warned


def test_lone_surrogates_are_replaced(tmp_path: Path) -> None:
    first = RECORDS[0].candidates[0]
    odd = replace(RECORDS[0], candidates=(replace(first, text="odd \ud800 text"), *RECORDS[0].candidates[1:]))
    warned = config_of(tmp_path, DOMAINS, assemble={"gates": {"balance": "warn"}})
    assembled(warned, tmp_path / "out", [odd, *RECORDS[1:]])
    item = next(iter(rmeval.load_benchmark(str(tmp_path / "out")).load()))
    assert item.responses[0].text == "odd \ufffd text"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"assemble": {"gate": {}}}, "there is no option `assemble.gate`: did you mean gates"),
        ({"assemble": {"gates": {"baseline": "warn"}}}, "assemble.gates"),
        ({"assemble": {"tolerance": 2}}, "`assemble.tolerance` is 2"),
    ],
)
def test_wrong_options(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as error:
        assembled(config_of(tmp_path, DOMAINS, **fields), tmp_path / "out", RECORDS)
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["all", "safety"])
def test_names_of_several_domains_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"the domain {name} has the name of"):
        AssembleStage().options(config_of(tmp_path, (name,)))
