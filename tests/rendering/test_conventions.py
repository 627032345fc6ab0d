"""System messages and the ends of sequences: `system_role`, `append_eos`, `bos_tokens`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.doctor.export import export_model
from rmeval.errors import ModelError
from rmeval.models import EMBEDDED, load_model
from rmeval.protocols.pointwise import conversation_requests
from rmeval.rendering.chat import Renderer
from rmeval.rendering.conventions import Conventions, merged
from rmeval.types import Message, Observation
from tests.checkpoints import CHATML, make_checkpoint, make_tokenizer
from tests.command import command
from tests.http_server import serve
from tests.models import served as like

Talk = list[dict[str, str]]

WITH_BOS = "{{ bos_token }}" + CHATML
OPEN = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
"""A template that ends with a line end, not with EOS."""
NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
)
END, BOS = 2, 3
"""The ids of <|im_end|>, which is the EOS, and of <|bos|>."""


def talk(*contents: str, system: str | None = None) -> Talk:
    turns = [{"role": ("user", "assistant")[k % 2], "content": one} for k, one in enumerate(contents)]
    return turns if system is None else [{"role": "system", "content": system}, *turns]


def messages(turns: Talk) -> tuple[Message, ...]:
    return tuple(Message(one["role"], one["content"]) for one in turns)


PLAIN, SYSTEM = talk("what is it", "it is so"), talk("what is it", "it is so", system="why")
MERGED = talk("why\n\nwhat is it", "it is so")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = make_tokenizer(chat_template=NO_SYSTEM, bos_token="<|bos|>")
    return make_checkpoint(tmp_path_factory.mktemp("models") / "rm", tokenizer=tokenizer)


def observed(model: Any, talks: Sequence[Talk]) -> list[Observation]:
    requests = conversation_requests([tuple(messages(one)) for one in talks])
    seen = {one.key: one for batch in model.observe(requests) for one in batch}
    return [seen[request.key] for request in requests]


def tokens(folder: Path, turns: Talk, template: str | None = None, **conventions: Any) -> list[int]:
    renderer = Renderer(str(folder), template, conventions=Conventions(**conventions))
    (one,) = renderer.render([messages(turns)])
    assert one.error is None, one.error
    return list(one.tokens.tolist())


# System messages.


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (SYSTEM, MERGED),
        (PLAIN, PLAIN),
        (talk("a", "b", "c", "d", system=" s \n"), talk(" s \n\n\na", "b", "c", "d")),
        (
            [*talk(system="one"), *talk("a", "b", system="two"), *talk("c", "d", system="three")],
            talk("one\n\ntwo\n\na", "b", "three\n\nc", "d"),
        ),
        ([*PLAIN, *talk(system="late")], None),
    ],
)
def test_system_messages_begin_the_next_message_of_the_user(turns: Talk, expected: Talk | None) -> None:
    found = merged(messages(turns))
    assert found == (None if expected is None else list(messages(expected)))


def test_merge_is_scored_as_if_the_user_had_written_it(classifier: Path) -> None:
    (by_hand,) = rmeval.score(str(classifier), [MERGED])
    model = load_model(str(classifier), system_role="merge")
    found = observed(model, [SYSTEM, PLAIN, [PLAIN[0], *talk(system="late"), PLAIN[1]]])
    assert found[0].values["score"] == pytest.approx(by_hand, abs=1e-5)
    assert found[1].values["score"] == pytest.approx(rmeval.score(str(classifier), [PLAIN])[0], abs=1e-5)
    assert found[1].values["score"] != pytest.approx(by_hand, abs=1e-3)
    assert (found[2].status, found[2].error) == (
        "error",
        "no message of the user follows a system message, so it cannot be merged into one",
    )


def test_error_leaves_out_conversations_with_a_system_message(classifier: Path) -> None:
    model = load_model(str(classifier), system_role="error")
    first, second = observed(model, [SYSTEM, PLAIN])
    assert first.status == "error"
    assert "has a system message, and `system_role` error" in str(first.error)
    assert second.values["score"] == pytest.approx(rmeval.score(str(classifier), [PLAIN])[0], abs=1e-5)


def test_keep_leaves_the_decision_to_the_template(classifier: Path) -> None:
    (found,) = observed(load_model(str(classifier)), [SYSTEM])
    assert "the chat template rejects this conversation: no system role" in str(found.error)


def test_only_conventions_that_are_set_are_in_the_identity(classifier: Path) -> None:
    names = ("system_role", "append_eos", "bos_tokens")
    plain = load_model(str(classifier)).identity()
    assert not set(names) & set(plain)
    other = load_model(str(classifier), system_role="merge", append_eos=True).identity()
    assert {name: other[name] for name in other if name not in plain} == {"system_role": "merge", "append_eos": True}
    assert {name: other[name] for name in plain} == plain


def test_an_unknown_system_role(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "talks.jsonl"
    file.write_text(json.dumps({"messages": PLAIN}) + "\n")
    done = command(capsys, "score", "rmeval/tiny", file, "-o", tmp_path / "out.jsonl", "--system-role", "merg")
    assert done.code == 2
    assert "there is no --system-role 'merg': did you mean merge?" in " ".join(done.err.split())


def test_the_command_line_merges(capsys: pytest.CaptureFixture[str], tmp_path: Path, classifier: Path) -> None:
    file = tmp_path / "talks.jsonl"
    file.write_text("".join(json.dumps({"messages": one}) + "\n" for one in (SYSTEM, MERGED)))
    done = command(capsys, "score", classifier, file, "-o", tmp_path / "out.jsonl", "--system-role", "merge")
    assert done.code == 0, done.err
    first, second = (json.loads(line)["score"] for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert first == pytest.approx(second, abs=1e-5)


# The ends of a sequence.


def test_append_eos_ends_a_sequence_once(classifier: Path) -> None:
    plain = tokens(classifier, PLAIN)
    assert tokens(classifier, PLAIN, append_eos=True) == [*plain, END]
    # A response that writes the token itself is not given another one.
    joined = tmp_template(classifier, "{{ messages | map(attribute='content') | join(' ') }}")
    assert tokens(classifier, talk("a", "b<|im_end|>"), joined, append_eos=True)[-2:].count(END) == 1
    assert tokens(classifier, talk("a", "b"), joined, append_eos=True)[-1] == END


def tmp_template(folder: Path, text: str) -> str:
    file = folder.parent / f"{abs(hash(text))}.jinja"
    file.write_text(text)
    return str(file)


def test_a_sequence_without_bos(classifier: Path) -> None:
    written = tmp_template(classifier, WITH_BOS)
    plain = tokens(classifier, PLAIN, written)
    assert plain[0] == BOS
    assert tokens(classifier, PLAIN, written, bos_tokens=0) == plain[1:]


def test_what_has_no_effect_is_refused(classifier: Path, tmp_path: Path) -> None:
    cases: tuple[tuple[dict[str, Any], str, str], ...] = (
        ({"append_eos": True}, OPEN + "<|im_end|>", r"end with EOS already, so `append_eos` has"),
    )
    for options, template, message in cases:
        with pytest.raises(ModelError, match=message):
            rmeval.load_model(str(classifier), chat_template=tmp_template(classifier, template), **options)
    folder = make_checkpoint(tmp_path / "bare", tokenizer=make_tokenizer(chat_template=OPEN, eos_token=None))
    for option, value, name in (("append_eos", True, "EOS"), ("bos_tokens", 1, "BOS")):
        with pytest.raises(ModelError, match=rf"has no {name} token: leave `{option}` out"):
            rmeval.load_model(str(folder), None, name=None, **{option: value})


@pytest.mark.parametrize("option", ["system_role", "append_eos", "bos_tokens"])
def test_models_that_do_not_read_conversations_with_a_response_refuse_them(option: str, classifier: Path) -> None:
    value: Any = {"system_role": "merge", "append_eos": True, "bos_tokens": 0}[option]
    for options, what in (
        ({"kind": "comparator"}, "a comparator"),
        ({"protocol": "ab@1"}, "a judge"),
    ):
        with pytest.raises(ModelError, match=rf"{what}.* does not use `{option}`: leave it out"):
            load_model(str(classifier), None, **options, **{option: value})
    with pytest.raises(ModelError, match=rf"baseline:longest does not use `{option}`"):
        load_model("baseline:longest", **{option: value})


# Implicit rewards and their boundary.


def rendered(folder: Path, template: str, boundary: Any, **conventions: Any) -> Any:
    renderer = Renderer(str(folder), template, boundary, conventions=Conventions(**conventions))
    return renderer.render([messages(PLAIN)])[0]


@pytest.mark.parametrize("boundary", ["trl", "reward-bench"])
def test_the_beginning_of_the_response_moves_with_the_bos(boundary: Any, classifier: Path) -> None:
    written = tmp_template(classifier, WITH_BOS)
    plain = rendered(classifier, written, boundary)
    stripped = rendered(classifier, written, boundary, bos_tokens=0)
    assert plain.tokens[0] == BOS
    count = 1 if boundary == "trl" else 2  # RewardBench writes one before the prompt.
    assert plain.tokens[:count].tolist() == [BOS] * count
    assert stripped.tokens.tolist() == plain.tokens[count:].tolist()
    assert stripped.start == plain.start - count > 0
    assert stripped.tokens[stripped.start :].tolist() == plain.tokens[plain.start :].tolist()


def test_a_response_that_begins_after_the_bos_keeps_a_first_token_to_predict_it(classifier: Path) -> None:
    written = tmp_template(classifier, "{{ bos_token }}{{ messages | map(attribute='content') | join }}")
    renderer = Renderer(str(classifier), written, "trl", conventions=Conventions(bos_tokens=0))
    (one,) = renderer.render([messages(talk("", "it is so"))])
    assert one.start == 1


def test_an_appended_eos_is_part_of_the_response(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folders = [
        make_checkpoint(tmp_path / str(seed), "causal", seed=seed, tokenizer=make_tokenizer(chat_template=OPEN))
        for seed in (1, 2)
    ]
    written = tmp_path / "ends.jinja"
    written.write_text(OPEN + "{{ '<|im_end|>' if not add_generation_prompt }}")
    one, other = (
        rmeval.score(str(folders[0]), [PLAIN, talk("why", "so")], ref_model=str(folders[1]), **options)
        for options in ({"append_eos": True}, {"chat_template": str(written)})
    )
    assert one == pytest.approx(other, abs=1e-6)
    plain = rmeval.score(str(folders[0]), [PLAIN, talk("why", "so")], ref_model=str(folders[1]))
    assert not np.allclose(plain, one)


def test_reward_benchs_boundary_appends_an_eos_itself(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "m", "causal", tokenizer=make_tokenizer(chat_template=OPEN))
    with pytest.raises(ModelError, match="end with EOS already"):
        load_model(str(folder), kind="implicit", boundary="reward-bench", append_eos=True)


# Servers, and exports for them.


def test_a_served_model_reads_the_same_tokens(tmp_path: Path) -> None:
    tiny = str(EMBEDDED["rmeval/tiny"])
    written = tmp_path / "open.jinja"
    written.write_text(OPEN)
    options: dict[str, Any] = {"chat_template": str(written), "append_eos": True, "system_role": "merge"}
    expected = tokens(Path(tiny), MERGED, str(written), append_eos=True)
    with serve(like.routed(**like.vllm_like())) as server:
        (score,) = rmeval.score(server.url, [SYSTEM], tokenizer=tiny, **options)
        with pytest.raises(ModelError, match=r"whose server renders, does not use `system_role`: .*`tokenizer`"):
            rmeval.score(server.url, [SYSTEM], system_role="merge")
    assert score == like.drawn(expected)[0]


def test_an_export_cannot_hold_them(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "m", tokenizer=make_tokenizer(chat_template=OPEN))
    with pytest.raises(ModelError, match="an export, whose rendering is that of its chat template, does not use"):
        export_model(folder, tmp_path / "out", append_eos=True)
