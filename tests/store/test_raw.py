"""The texts of judges: written before their verdicts, read after any end of the process."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

import rmeval
from rmeval.errors import RunError
from rmeval.store.journal import read_journal
from rmeval.store.raw import RawTexts, read_raw, remove_raw
from rmeval.types import Observation
from tests.command import running
from tests.http_server import Answer, Received, hang, serve
from tests.judge_server import CHAT, judged_pairs, scripted_judge


def seen(number: int, text: str | None) -> Observation:
    return Observation(f"{number:032x}", raw=text)


def test_texts_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    texts = ["plain", "two\nlines", "\ud800 alone", "", "判断 [[A>B]]", "x" * 100_000]
    with RawTexts(folder) as writer:
        assert not folder.exists()
        writer.append([seen(number, text) for number, text in enumerate(texts[:3])])
        writer.append([seen(9, None)])
        writer.append([seen(number, text) for number, text in enumerate(texts[3:], 3)])
    with RawTexts(folder) as writer:
        writer.append([seen(0, "again")])
    assert [file.name for file in sorted(folder.iterdir())] == ["0001.jsonl.gz", "0002.jsonl.gz"]
    assert [text for _, text in read_raw(folder)] == [*texts, "again"]
    assert dict(read_raw(folder))[f"{0:032x}"] == "again"
    remove_raw(folder)
    assert not folder.exists()
    assert list(read_raw(folder)) == []


def test_a_segment_is_read_up_to_any_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "raw"
    with RawTexts(folder) as writer:
        for batch in range(3):
            writer.append([seen(10 * batch + number, f"text {batch} {number}") for number in range(4)])
    segment = folder / "0001.jsonl.gz"
    whole, counts = segment.read_bytes(), set()
    for size in range(len(whole)):
        segment.write_bytes(whole[:size])
        found = list(read_raw(folder))
        assert [int(key, 16) for key, _ in found] == [10 * (n // 4) + n % 4 for n in range(len(found))]
        counts.add(len(found) // 4)
    assert counts == {0, 1, 2, 3}
    assert "ends in an unfinished or damaged batch" in caplog.text
    segment.write_bytes(whole[:40] + b"\xff" * 20 + whole[60:])
    list(read_raw(folder))
    segment.write_bytes(b"no gzip")
    assert list(read_raw(folder)) == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "raw").symlink_to(tmp_path / "elsewhere")
    with RawTexts(tmp_path / "raw") as writer, pytest.raises(RunError, match="is a link"):
        writer.append([seen(1, "text")])
    remove_raw(tmp_path / "raw")
    assert (tmp_path / "raw").is_symlink()


def test_a_run_without_its_texts_has_the_same_numbers(tmp_path: Path) -> None:
    table = judged_pairs(20, tmp_path / "pairs.jsonl")
    found = {}
    with serve(scripted_judge(table, accuracy=0.7, failure_rate=0.1)) as server:
        for stored in (False, True):
            result = rmeval.evaluate(
                server.url,
                "pairs",
                data=str(tmp_path / "pairs.jsonl"),
                protocol="five-way",
                out=tmp_path / str(stored),
                store_text=stored,
            )
            found[stored] = result
    assert not (found[False].path / "raw").exists()
    keys = [one.key for batch in read_journal(found[True].path / "journal") for one in batch]
    texts = dict(read_raw(found[True].path / "raw"))
    assert set(texts) == set(keys)
    assert all("[[" in text or text == "I cannot decide between the two of them." for text in texts.values())
    assert [one.to_dict() for one in found[True].records] == [one.to_dict() for one in found[False].records]
    for file in (found[True].path / "raw").iterdir():
        file.unlink()
    again = rmeval.open_run(found[True].path)
    assert [one.to_dict() for one in again.records] == [one.to_dict() for one in found[False].records]


@pytest.mark.parametrize("answers", [1, 70])
def test_a_killed_run_goes_on_with_all_verdicts_and_their_texts(answers: int, tmp_path: Path) -> None:
    """A server answers a number of calls and then none; the process is killed while it waits."""
    table = judged_pairs(60, tmp_path / "pairs.jsonl")
    whole = scripted_judge(table, accuracy=0.8)
    sent: list[bytes] = []
    held = threading.Event()

    def script(request: Received) -> Answer:
        if request.path != CHAT:
            return whole(request)
        sent.append(request.body)
        if len(sent) > answers:
            held.set()
            return hang()
        return whole(request)

    run = ["--data", tmp_path / "pairs.jsonl", "--protocol", "five-way", "-o", tmp_path / "runs", "--store-text"]
    with serve(script) as server:
        victim = running("run", server.url, "-b", "pairs", *run, "--concurrency", "4")
        assert held.wait(60)
        deadline = time.monotonic() + 20
        while not stored(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.05)
        victim.kill()
        victim.communicate()
        before = stored(tmp_path)
        folder = next((tmp_path / "runs").rglob("run.json")).parent
        assert before <= set(dict(read_raw(folder / "raw")))
        first = len(sent)
        server.script = lambda request: sent.append(request.body) or whole(request)  # type: ignore[func-returns-value]
        result = rmeval.evaluate(
            server.url,
            "pairs",
            data=str(tmp_path / "pairs.jsonl"),
            protocol="five-way",
            out=tmp_path / "runs",
            store_text=True,
        )
    again = [body for body in sent[first:] if body]
    assert len(again) == 120 - len(before)
    assert len(set(again)) == len(again)
    assert len(before) >= min(answers, 60) - 64
    assert len(stored(tmp_path)) == 120
    assert set(dict(read_raw(folder / "raw"))) == stored(tmp_path)
    assert result.path == folder


def stored(tmp_path: Path) -> set[str]:
    """The keys of all observations."""
    folders = list((tmp_path / "runs").rglob("journal"))
    return {one.key for folder in folders for batch in read_journal(folder, tolerant=True) for one in batch}
