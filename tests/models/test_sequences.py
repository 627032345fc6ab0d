"""One answer for each sequence of tokens: what a template trims, or a length policy cuts, is no difference."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rmeval
from rmeval.data.keys import KeyIndex
from rmeval.data.observations import ObservationTable
from rmeval.data.spool import Spool
from rmeval.models import RewardModel, load_model
from rmeval.models.sequences import Ready, Window, Windows
from rmeval.protocols.pointwise import conversation_requests
from rmeval.results.result import derive
from rmeval.store.journal import Journal, read_journal
from rmeval.store.run import read_scored
from rmeval.types import Message, Observation, Request
from tests.checkpoints import CHATML, make_checkpoint, make_tokenizer
from tests.command import command

TRIMS = CHATML.replace("m['content']", "m['content'] | trim")
PADDED = {"attn_implementation": "eager"}
WORDS = ["what", "is", "the", "capital", "of", "land", "and", "why", "it", "so"]


@pytest.fixture(scope="module")
def trims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("trims") / "m", tokenizer=make_tokenizer(chat_template=TRIMS))


def sentence(draw: random.Random, most: int) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(3, most)))


def write_pairs(file: Path, rows: Sequence[tuple[str, str, str]]) -> Path:
    lines = (json.dumps(dict(zip(("prompt", "chosen", "rejected"), row, strict=True))) for row in rows)
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def talks(answers: Sequence[str], prompt: str = "what is the capital") -> list[Request]:
    return conversation_requests([(Message("user", prompt), Message("assistant", answer)) for answer in answers])


def batches(model: RewardModel, requests: Sequence[Request]) -> Iterator[list[Observation]]:
    yield from model.observe(requests)


def test_trailing_spaces_never_decide_on_the_padded_path(
    trims: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = random.Random(0)
    rows = []
    for number in range(200):
        answer = sentence(draw, 60)
        rows.append((f"{sentence(draw, 30)} {number}", answer, answer + " " * draw.randint(1, 3)))
    data = write_pairs(tmp_path / "pairs.jsonl", rows)
    found = rmeval.evaluate(str(trims), "pairs", data, out=tmp_path / "runs", model_kwargs=PADDED)
    assert (found.record("accuracy").ties, found.value("accuracy"), found.same_tokens) == (200, 0, 200)
    assert found.manifest["sessions"][0]["prefix_sharing"].startswith("off:")
    sentence_ = "200 pairs of responses become the same tokens"
    assert any(note.startswith(sentence_) for note in found.notes)
    # The folder alone says so, with and without the files that are derived.
    metrics = json.loads((found.path / "metrics.json").read_text())
    assert metrics["same_tokens"] == rmeval.open_run(found.path).same_tokens == 200
    for name in ("metrics.json", "scores.parquet"):
        (found.path / name).unlink()
    assert derive(found.path).same_tokens == 200
    assert sentence_ in " ".join(command(capsys, "show", found.path).out.split())


def test_a_comparator_ties_pairs_that_read_the_same_in_both_orders(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "m", "causal", tokenizer=make_tokenizer())
    (tmp_path / "two.jinja").write_text("{{ prompt[-1].content }} A: {{ first | trim }} B: {{ second | trim }} ")
    data = write_pairs(
        tmp_path / "pairs.jsonl", [("why", "so", "so "), ("why", "it is", "it is"), ("what", "the land", "so")]
    )
    options: dict[str, Any] = {"kind": "comparator", "comparison": str(tmp_path / "two.jinja"), "min_label_mass": 0}
    found = rmeval.evaluate(str(folder), "pairs", data, out=tmp_path / "runs", model_kwargs=PADDED, **options)
    assert (found.record("accuracy").ties, found.same_tokens) == (2, 1)


def test_equal_texts_are_not_counted(trims: Path, tmp_path: Path) -> None:
    data = write_pairs(
        tmp_path / "pairs.jsonl", [("why", "so", "so"), ("why", "it is", "it is "), ("what", "the land", "so")]
    )
    found = rmeval.evaluate(str(trims), "pairs", data, out=tmp_path / "runs")
    assert (found.record("accuracy").ties, found.same_tokens) == (2, 1)
    note = "1 pair of responses becomes the same tokens"
    assert any(one.startswith(note) for one in found.notes)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.text("ab \n", min_size=1, max_size=12), st.text(" \n\t", max_size=3)), max_size=12),
    st.booleans(),
)
def test_whatever_is_trimmed_ties_exactly(trims: Path, given_: list[tuple[str, str]], shared: bool) -> None:
    kwargs = {} if shared else PADDED
    answers = [text + space for text, space in given_] + [text for text, _ in given_]
    talked = [[{"role": "user", "content": "what is it"}, {"role": "assistant", "content": one}] for one in answers]
    model = MODELS.setdefault((str(trims), shared), load_model(str(trims), model_kwargs=kwargs, batch_size=3))
    scores = rmeval.score(model, talked) if talked else np.empty(0)
    by_text: dict[str, set[float]] = {}
    for answer, score in zip(answers, scores.tolist(), strict=True):
        by_text.setdefault(answer.strip(), set()).add(score)
    assert all(len(own) == 1 for own in by_text.values())


MODELS: dict[tuple[str, bool], RewardModel] = {}


@pytest.mark.parametrize("kind", ["classifier", "implicit", "with a reference", "comparator"])
@pytest.mark.parametrize("kwargs", [{}, PADDED], ids=["shared", "padded"])
def test_every_kind_reads_equal_tokens_once(tmp_path: Path, kind: str, kwargs: dict[str, Any]) -> None:
    tokenizer = make_tokenizer(chat_template=TRIMS)
    network = "classifier" if kind == "classifier" else "causal"
    folder = make_checkpoint(tmp_path / "m", network, tokenizer=tokenizer)
    options: dict[str, Any] = {"kind": kind if kind != "with a reference" else "implicit", "batch_size": 2}
    if kind == "with a reference":
        make_checkpoint(tmp_path / "reference", "causal", seed=1, tokenizer=tokenizer)
        options["ref_model"] = str(tmp_path / "reference")
    answers = ["so it is", "the land", "so it is ", "why it is so and what", "  so it is", "the land\n"]
    requests = talks(answers)
    if kind == "comparator":
        file = tmp_path / "two.jinja"
        file.write_text("{{ prompt[0].content }} A: {{ first | trim }} B: {{ second | trim }}")
        options |= {"comparison": str(file), "min_label_mass": 0}
        prompt = (Message("user", "why"),)
        requests = [Request(f"{k + 1:032x}", "i", (0, 1), prompt, (one, "it")) for k, one in enumerate(answers)]
    model = load_model(str(folder), model_kwargs=kwargs, **options)
    found = list(batches(model, requests))
    batch_of = {one.key: number for number, batch in enumerate(found) for one in batch}
    seen = {one.key: one for batch in found for one in batch}
    assert len(seen) == sum(map(len, found)) == len(requests)
    keys = [request.key for request in requests]
    for first, *others in ([0, 2, 4], [1, 5]):
        for other in others:
            assert seen[keys[other]].values == seen[keys[first]].values
            assert seen[keys[other]].sequence == seen[keys[first]].sequence
            assert batch_of[keys[other]] == batch_of[keys[first]]
    assert len({one.sequence for one in seen.values()}) == 3
    sharing = model.facts()["prefix_sharing"]
    if not kwargs and kind == "classifier":
        lengths = {one.sequence: one.usage["tokens"] for one in seen.values()}
        assert sharing["tokens"] == sum(lengths.values())


def test_prompts_that_are_cut_away_are_no_difference(trims: Path) -> None:
    requests = [*talks(["so it is"], "why " * 30 + "what is the land"), *talks(["so it is"], "it " + "why " * 30)]
    requests += talks(["so it is"], "so and so " + "why " * 30 + "what is the land")
    model = load_model(str(trims), max_length=24, on_overlength="truncate-left")
    seen = {one.key: one for batch in batches(model, requests) for one in batch}
    one, other, same = (seen[request.key] for request in requests)
    assert all(found.status == "ok" and found.input_truncated for found in (one, same, other))
    assert one.values == same.values != other.values
    assert one.sequence == same.sequence != other.sequence
    assert one.usage["tokens"] < same.usage["tokens"], "each keeps its own length"


@given(st.lists(st.lists(st.integers(0, 4), max_size=6), max_size=6))
def test_windows_give_each_sequence_once_with_all_its_keys(tokens: list[list[int]]) -> None:
    spool: Spool[Window] = Spool()
    count = 0
    digests: list[list[str]] = []
    expected: dict[int, list[tuple[str, int]]] = {}
    for window in tokens:
        ready = []
        for token in window:
            one = Ready(f"{count:032x}", f"item {count}", np.array([token], np.int32), 0, 100 + count)
            expected.setdefault(token, []).append((one.key, one.length))
            ready.append(one)
            count += 1
        left_out = [Observation(f"{1000 + len(digests):032x}", "overlength")]
        spool.append(Window(ready, left_out))
        digests.append([one.sequence for one in ready])
    found = Windows(spool, KeyIndex(digests))
    for _ in range(2):
        once = list(found)
        assert [len(window.left_out) for window in once] == [1] * len(tokens)
        flat = [one for window in once for one in window.ready]
        assert [((one.key, one.length), *one.others) for one in flat] == [tuple(own) for own in expected.values()]


def test_a_batch_holds_all_of_a_sequence_across_windows(trims: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rmeval.models.prepare.WINDOW", 2)
    answers = ["so", "it", "it ", "so ", "land", "so  ", " it"]
    requests = talks(answers)
    found = list(batches(load_model(str(trims), batch_size=1), requests))
    texts = dict(zip([request.key for request in requests], answers, strict=True))
    assert sorted(tuple(sorted(texts[one.key] for one in batch)) for batch in found) == [
        (" it", "it", "it "),
        ("land",),
        ("so", "so ", "so  "),
    ]


def test_more_items_keep_the_scores_of_those_before(trims: Path, tmp_path: Path) -> None:
    draw = random.Random(1)
    rows = [(f"{sentence(draw, 20)} {k}", sentence(draw, 40), sentence(draw, 40)) for k in range(30)]
    # Later items ask about the same conversations, written otherwise.
    rows += [(f"{prompt} ", f"{one} ", f"{other}\n") for prompt, one, other in rows]
    data = write_pairs(tmp_path / "pairs.jsonl", rows)
    options: dict[str, Any] = {"out": tmp_path / "runs", "model_kwargs": PADDED}
    rmeval.evaluate(str(trims), "pairs", data, limit=30, **options)
    found = rmeval.evaluate(str(trims), "pairs", data, **options)
    columns = read_scored(found.path).observations.main.reshape(-1, 2)
    assert np.array_equal(columns[:30], columns[30:])
    journal = {one.key: one for batch in read_journal(found.path / "journal") for one in batch}
    assert len(journal) == 120
    assert len({one.sequence for one in journal.values()}) == 60


def test_the_answer_that_came_first_counts(tmp_path: Path) -> None:
    def seen(key: int, score: float, sequence: str | None) -> Observation:
        return Observation(f"{key:032x}", values={"score": score}, usage={"tokens": 3}, sequence=sequence)

    one, other = "00000000000000aa", "00000000000000bb"
    with Journal(tmp_path) as journal:
        journal.append([seen(3, 0.3, one), seen(2, 2.0, None), seen(5, 0.5, other)])
        journal.append([seen(1, 0.1, one), seen(4, 0.4, other)])
        journal.append([Observation(f"{6:032x}", "error", error="it failed", sequence=one)])
    index = KeyIndex([[f"{key:032x}" for key in range(1, 7)]])
    answers = ObservationTable(len(index))
    for batch in read_journal(tmp_path):
        answers.add(index.find([one.key for one in batch]), batch)
    answers.share()
    score = dict(zip(range(1, 7), answers.values["score"][index.rows].tolist(), strict=True))
    assert {key: value for key, value in score.items() if key < 6} == {1: 0.3, 2: 2.0, 3: 0.3, 4: 0.5, 5: 0.5}
    assert np.isnan(score[6]), "a failure stays one"
    same = answers.same_sequence(index.rows[[0, 0, 1, 3]], index.rows[[2, 0, 4, 4]])
    assert same.tolist() == [True, False, False, True]
