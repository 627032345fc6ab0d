"""Search: what a reader types is words and phrases, whatever it looks like to SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import rmeval
from rmeval.app.index import Index, IndexBuilder, ItemQuery, Source
from rmeval.app.index.words import match_of

TEXTS = {
    "plain": ("Which bird?", "It is the grey heron of the lake.", "It is the pelican."),
    "code": ("Write NEAR(a, b)", "def f(x): return x * 2  # column:value -y", "def f(x): return x"),
    "chinese": ("日本の首都は?", "東京です。", "大阪です。"),
    "accents": ("Café naïve?", "ÉCOLE", "ecole 2"),
    "nul": ("before\0after", "tail\0end", "x"),
    "long": ("long", "word " * 30_000 + "beyond", "z"),
    "wordy": (" wordy\n" * 100, "yes", "no"),
    "quoted": ('She said "now or never".', "yes", "no"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Index, str]]:
    folder = tmp_path_factory.mktemp("words")
    rows = [
        {"id": name, "prompt": prompt, "chosen": chosen, "rejected": rejected}
        for name, (prompt, chosen, rejected) in TEXTS.items()
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rmeval.evaluate("baseline:longest", "pairs", str(folder / "pairs.jsonl"), out=folder / "runs")
    with IndexBuilder(folder / "index.sqlite", Source(folder / "runs")) as builder:
        builder.update()
        assert list(builder.add_texts()) == [len(TEXTS)]
        index = Index(builder.file)
        yield index, index.runs()[0].key
        index.close()


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("heron", ["plain"]),
        ("HERON lake", ["plain"]),
        ('"grey heron"', ["plain"]),
        ('"heron grey"', []),
        ("heron pelican", ["plain"]),
        ("heron*", ["plain"]),
        ("her*", []),
        ("heron OR f", []),
        ("NEAR(a, b)", ["code"]),
        ("column:value", ["code"]),
        ("prompt:bird", []),
        ("-y", ["code"]),
        ('"x * 2"', ["code"]),
        ("京", ["chinese"]),
        ("首都", ["chinese"]),
        ("都首", []),
        ("cafe école", ["accents"]),
        ("after", ["nul"]),
        ("end", ["nul"]),
        ("beyond", []),
        ('"now or never', ["quoted"]),
        ("'; DROP TABLE words; --", []),
        ("\ud800 heron", ["plain"]),
        ("heron\0lake", ["plain"]),
    ],
)
def test_search(found: tuple[Index, str], typed: str, names: list[str]) -> None:
    index, run = found
    assert [row.name for row in index.comparisons(ItemQuery(run, text=typed, sort="item")).rows] == names


@pytest.mark.parametrize("typed", ["", "  ", '"', '""', "*", "( ) - :", "\0", "\u202e", '"\0" ?'])
def test_nothing_to_search_for_is_no_filter(found: tuple[Index, str], typed: str) -> None:
    index, run = found
    assert match_of(typed) is None
    assert index.tally(ItemQuery(run, text=typed)).total == len(TEXTS)


def test_a_huge_query_is_cut(found: tuple[Index, str]) -> None:
    index, run = found
    assert index.tally(ItemQuery(run, text="heron " * 100_000)).total == 1
    assert index.tally(ItemQuery(run, text='"' + "(" * 1_000_000)).total == len(TEXTS)


def test_excerpts_are_the_beginning_of_the_prompt(found: tuple[Index, str]) -> None:
    index, run = found
    rows = {row.name: row.excerpt for row in index.comparisons(ItemQuery(run)).rows}
    assert (rows["plain"], rows["nul"]) == ("Which bird?", "before after")
    assert rows["wordy"] == "wordy " * 26 + "word…"
