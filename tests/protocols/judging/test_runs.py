"""Runs of judges by protocols of users and of all kinds: numbers, and run folders that open without the file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import rmeval
from rmeval.errors import DamagedError, RmevalError
from rmeval.protocols.judging import built_in_cards
from rmeval.store.manifest import read_manifest, write_json
from tests.command import command
from tests.http_server import Answer, Received, json_answer, serve
from tests.protocols.judging.test_card_files import MINE

Script = Callable[[Received], Answer]


def shown_in(request: Received) -> list[str]:
    """The responses in a prompt, in the order in which they are presented."""
    messages = request.json["messages"]
    if own := [message["content"] for message in messages if message["role"].startswith("response_")]:
        assert [message["role"] for message in messages[-2:]] == ["response_1", "response_2"]
        return own
    content = messages[-1]["content"]
    if content.startswith("{"):
        return list(json.loads(content)["responses"].values())
    return re.findall(r"<response(?:-\w+)?(?: \w)?>\n(.*?)\n</response", content, re.DOTALL)


def longest(verdict: Callable[[list[int]], str]) -> Script:
    """A judge that writes the verdict that follows from the lengths of the responses."""

    def script(request: Received) -> Answer:
        if request.path.endswith("/models"):
            return json_answer({"data": [{"id": "scripted"}]})
        text = verdict([len(text) for text in shown_in(request)])
        return json_answer(
            {
                "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 9, "completion_tokens": 2},
            }
        )

    return script


def letter(lengths: list[int]) -> str:
    return "ABCDEFGH"[lengths.index(max(lengths))]


VERDICTS: dict[str, Callable[[list[int]], str]] = {
    "five-way": lambda own: f"[[{'A>>B' if own[0] > own[1] else 'B>A'}]]",
    "arena": lambda own: f"Mine: x. [[{'A>B' if own[0] > own[1] else 'B>>A'}]]",
    "ab": lambda own: f"[[{letter(own)}]]",
    "rm-r1": lambda own: f"<type>Chat</type> <answer>[[{letter(own)}]]</answer>",
    "rm-r1-reasoning": lambda own: f"<think>[[A]] or [[B]]</think>[[{letter(own)}]]",
    "commit-first": lambda own: f"<own>x</own>\n[[{letter(own)}]]",
    "rubric-pair": lambda own: f"Feedback. [RESULT] {letter(own)}",
    "best": lambda own: f"[[{letter(own)}]]",
    "reward-bench/generative": lambda own: f"[[{letter(own)}]]",
    "rating": lambda own: f"[[{min(10, 1 + own[0] / 400):.3f}]]",
    "rating-ties": lambda own: f"{min(10, 1 + own[0] / 400):.3f}/10",
    "rubric": lambda own: f"[RESULT] {min(5, 1 + own[0] / 1000):.3f}",
    "genrm": lambda own: json.dumps({"score_1": 3, "score_2": 3, "ranking": 2 if own[0] > own[1] else 4}),
    "genrm-boxed": lambda own: (
        f"[The Begin of Individual Scores]\n\\boxed{{3, 3}}\n[The End of Individual Scores]\n"
        f"[The Begin of Ranking Score]\n\\boxed{{{3 if own[0] > own[1] else 6}}}\n[The End of Ranking Score]"
    ),
    "grm": lambda own: f"\\boxed{{{', '.join(f'{min(10, 1 + n / 400):.3f}' for n in own)}}}",
    "rrm": lambda own: f"<think>\\boxed{{Assistant 1}}?</think>\\boxed{{Assistant {1 + (own[0] < own[1])}}}",
    "principles": lambda own: json.dumps(
        {"scores": {f"model-{k + 1}": min(5, 1 + n / 1000) for k, n in enumerate(own)}, "best-to-worst": []}
    ),
}


def test_all_protocols_of_texts_are_run() -> None:
    assert sorted(f"{name}@1" for name in VERDICTS) == sorted(
        name for name, card in built_in_cards().items() if card.reads == "text"
    )


@pytest.mark.parametrize("name", VERDICTS)
def test_a_judge_that_prefers_length_is_right_where_the_longer_response_is(name: str, tmp_path: Path) -> None:
    data = tmp_path / "pairs.jsonl"
    rows = [
        {"prompt": f"Question {number}?", "chosen": "word " * (20 + number), "rejected": "word " * (20 + other)}
        for number, other in [(1, 200), (400, 3), (5, 300), (250, 7), (350, 9), (150, 11), (450, 13)]
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with serve(longest(VERDICTS[name])) as server:
        judged = rmeval.evaluate(f"{server.url}/v1", "pairs", data=data, protocol=name, out=tmp_path)
        calls = sum(one.method == "POST" for one in server.received)
    (accuracy,) = {one.value for one in judged.records if (one.metric, one.scope) == ("accuracy", "all")}
    assert accuracy == pytest.approx(5 / 7)
    assert calls == (7 if judged.manifest["protocol_card"].get("orders", [""])[0] == "seeded" else 14)
    assert rmeval.open_run(judged.path).records == judged.records


def test_a_run_opens_without_the_file_of_its_protocol(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE)
    with serve(longest(lambda own: "[[1]]" if own[0] > own[1] else "[[2]]")) as server:
        args = ("run", f"{server.url}/v1", "-b", "rm-bench-synthetic", "--n-items", "8", "--protocol", file)
        done = command(capsys, *args, "--votes", "2", "-o", tmp_path / "runs")
        assert done.code == 0, done.err
        calls = len(server.received)
        assert command(capsys, *args, "--votes", "2", "-o", tmp_path / "runs").code == 0
        assert len([one for one in server.received[calls:] if one.method == "POST"]) == 0
    (folder,) = (path.parent for path in (tmp_path / "runs").rglob("run.json"))
    first = [(one.variant, one.metric, one.scope, one.value) for one in rmeval.open_run(folder).records]
    file.unlink()
    (folder / "scores.parquet").unlink()
    (folder / "metrics.json").unlink()
    assert [(one.variant, one.metric, one.scope, one.value) for one in rmeval.open_run(folder).records] == first
    assert command(capsys, "show", folder).code == 0
    manifest = read_manifest(folder)
    assert manifest["protocol"] == manifest["identity"]["protocol"] == "mine@1[votes=2]"
    assert manifest["protocol_card"]["labels"] == {"1": 1.0, "2": 0.0}
    changes: list[dict[str, object]] = [
        {"labels": {"1": 0.0, "2": 1.0}},
        {"labels": {}},
        {"kind": "rate"},
        {"unknown": 1},
    ]
    for change in changes:
        write_json(folder / "run.json", {**manifest, "protocol_card": manifest["protocol_card"] | change})
        with pytest.raises(DamagedError, match=r"run\.json is damaged \(protocol_card"):
            rmeval.open_run(folder)


def test_a_run_keeps_the_order_of_labels(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    labels = '[labels]\n"2" = 0.0\n"10" = 1.0\n'
    file.write_text(MINE.partition("[labels]")[0] + 'several = "listed"\n' + labels)
    with serve(longest(lambda own: "[[10]] [[2]]")) as server:
        run = rmeval.evaluate(
            f"{server.url}/v1", "rm-bench-synthetic", protocol=str(file), n_items=4, out=tmp_path / "runs"
        )
    assert list(rmeval.open_run(run.path).manifest["protocol_card"]["labels"]) == ["2", "10"]
    assert rmeval.open_run(run.path).manifest["identity"]["prompt"] == run.manifest["identity"]["prompt"]


def test_a_changed_file_is_another_run(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    folders = []
    with serve(longest(lambda own: "[[1]]")) as server:
        for text in (MINE, MINE.replace("Which", "Which one"), MINE.replace("mine@1", "mine@2")):
            file.write_text(text)
            folders.append(
                rmeval.evaluate(
                    f"{server.url}/v1", "rm-bench-synthetic", protocol=str(file), n_items=4, out=tmp_path / "runs"
                ).path
            )
    assert len(set(folders)) == 3


def test_a_mistake_in_a_file_is_one_sentence_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE.replace("{{ block }}", "{{ blok }}"))
    done = command(capsys, "run", "http://127.0.0.1:9/v1", "-b", "rm-bench-synthetic", "--protocol", file)
    assert done.code == 2
    assert "'blok' is undefined" in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_a_template_that_fails_for_one_item_stops_the_run(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE.replace("Which", "{{ 1 / (question != prompt[0].content or 'example' in question) }} Which"))
    with (
        serve(longest(lambda own: "[[1]]")) as server,
        pytest.raises(RmevalError, match=r"the prompt of mine@1 cannot be rendered for the item .*division by zero"),
    ):
        rmeval.evaluate(f"{server.url}/v1", "rm-bench-synthetic", protocol=str(file), n_items=4, out=tmp_path)
