"""Two engines on the same items: equal scores agree, and each kind of difference is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import rmeval
from rmeval.doctor.parity import Parity
from rmeval.doctor.relation import rank_correlation, relation
from rmeval.errors import ModelError
from rmeval.models.classifier import Classifier
from rmeval.types import Message
from tests.checkpoints import CHATML, make_checkpoint, make_tokenizer, say
from tests.command import command
from tests.http_server import serve
from tests.models.served import routed, vllm_like

ENGINES = '''
import math

from rmeval.engines import Engine, Reading
from rmeval.engines.hf.engine import open_checkpoint


class Changed(Engine):
    """The engine hf, whose values are changed."""

    name = "changed"
    readouts = frozenset()

    def __init__(self, spec, options):
        self.under = open_checkpoint(spec, options)
        self.readouts = self.under.readouts
        self.calls = 0

    @property
    def description(self):
        return self.under.description

    def identity(self):
        return {**self.under.identity(), "engine": self.name}

    def facts(self):
        return {}

    def tokenizer(self):
        return self.under.tokenizer()

    def require_language_model(self, encoder=False):
        self.under.require_language_model(encoder)

    def own_readout(self):
        return self.under.own_readout()

    def run(self, sequences, readout):
        self.calls += 1
        for one in self.under.run(sequences, readout):
            pairs = zip(one.indices, one.values, strict=True)
            yield Reading(one.indices, tuple(self.change(own, len(sequences[k])) for k, own in pairs))

    def change(self, values, length):
        return values


class Shifted(Changed):
    def change(self, values, length):
        return values + 0.75


class Scaled(Changed):
    def change(self, values, length):
        return 3 - 2 * values


class Sigmoid(Changed):
    def change(self, values, length):
        return 1 / (1 + math.e ** -values)


class Cubed(Changed):
    def change(self, values, length):
        return values ** 3


class ByLength(Changed):
    """Another number for long conversations, as of an engine that cuts them."""

    def change(self, values, length):
        return values + (1.5 if length % 2 == 0 else 0)


class Restless(Changed):
    """Other numbers in each call."""

    def change(self, values, length):
        return values + 0.03 * math.sin(self.calls)


class Mixed(Changed):
    """Scores in the wrong order within each batch."""

    def run(self, sequences, readout):
        for one in super().run(sequences, readout):
            yield Reading(tuple(reversed(one.indices)), one.values)


class Lossy(Changed):
    def change(self, values, length):
        return values * (math.nan if length % 5 == 0 else 1)


class OtherTokenizer(Changed):
    def tokenizer(self):
        from rmeval.engines import Place
        return Place(str(self.under.description.place.source) + "-other")
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parity")
    options = {"model_max_length": 4096}
    make_checkpoint(folder / "m", tokenizer=make_tokenizer(**options), max_position_embeddings=4096)
    make_tokenizer(**options, chat_template=CHATML.replace("{% for", "{{ '<|bos|>' }}{% for", 1)).save_pretrained(
        folder / "m-other"
    )
    (folder / "engines.py").write_text(ENGINES)
    return folder


ITEMS = rmeval.load_benchmark("rm-bench-synthetic", size=8)


def found(folder: Path, b: str, a: str = "hf", **options: Any) -> Parity:
    b = f"{folder}/engines.py:{b}" if b[0].isupper() else b
    return rmeval.parity(folder / "m", b, a, ITEMS, **{"n_items": 2} | options)


def test_an_engine_agrees_with_itself(folder: Path) -> None:
    same = found(folder, "Changed")
    assert same.agrees
    assert same.tokens.equal
    assert (same.items, same.difference, same.median, same.flips, same.ranks) == (2, 0, 0, 0, 1)
    assert same.requests == same.a.scored == same.b.scored == 12
    assert same.decisions == 18
    assert 0 < same.a.batching < 1e-4
    assert same.a.repeated == 0
    assert same.verdict.startswith("hf and ")
    assert "agree: scores differ by at most 0 " in same.verdict


def test_number_formats_agree_within_their_rounding(folder: Path) -> None:
    one = rmeval.parity("rmeval/tiny", "hf:bfloat16", "hf:float32", ITEMS, n_items=2)
    assert (one.a.dtype, one.b.dtype) == ("float32", "bfloat16")
    assert 1e-4 < one.difference < one.tolerance == one.spread * 2**-5
    assert one.agrees
    strict = found(folder, "hf:bfloat16", "hf:float32", tolerance=1e-6)
    assert not strict.agrees
    assert strict.verdict.startswith("hf:float32 and hf:bfloat16 disagree: ")


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        ("Shifted", "b is a + 0.75, a constant offset"),
        ("Scaled", "b is -2 a + 3, with the order reversed"),
        ("Sigmoid", "b looks like sigmoid(a): that side returns probabilities, not raw scores"),
        ("Cubed", "b has the order of a, on another scale"),
        ("ByLength", "scores differ by up to 1.5 (tolerance"),
        ("Lossy", "have a score on one side only"),
    ],
)
def test_differences_have_a_name(folder: Path, engine: str, reason: str) -> None:
    other = found(folder, engine)
    assert not other.agrees
    assert reason in other.verdict
    assert (other.flips > 0) == (engine in ("Scaled", "ByLength"))
    assert (other.alone > 0) == (engine == "Lossy")


def test_an_engine_that_does_not_repeat_itself_is_noisy(folder: Path) -> None:
    restless = found(folder, "Restless")
    assert restless.b.repeated > 0.01 > restless.a.noise
    assert restless.tolerance == pytest.approx(4 * restless.b.noise)
    assert restless.agrees


def test_an_engine_whose_noise_hides_everything_does_not_agree(folder: Path) -> None:
    mixed = found(folder, "Mixed")
    assert mixed.difference <= mixed.tolerance
    assert not mixed.agrees
    assert "Mixed does not agree with itself: its scores change by up to" in mixed.verdict


def test_other_tokens_are_shown_as_text(folder: Path) -> None:
    other = found(folder, "OtherTokenizer")
    assert other.tokens.equal is False
    assert "requests differ, the first from token 0 on: hf reads '<|im_start|>" in other.tokens.text
    assert "reads '<|bos|><|im_start|>" in other.tokens.text
    assert "disagree: they read different tokens; " in other.verdict
    # The same other template on both sides is no difference.
    (folder / "t.jinja").write_text(CHATML)
    assert found(folder, "OtherTokenizer", chat_template=str(folder / "t.jinja")).agrees


def test_implicit_rewards_and_comparators(folder: Path, tmp_path: Path) -> None:
    tokenizer = make_tokenizer(model_max_length=4096)
    for seed, name in enumerate(("policy", "reference")):
        make_checkpoint(tmp_path / name, "causal", seed=seed, tokenizer=tokenizer, max_position_embeddings=4096)
    b = f"{folder}/engines.py:Changed"
    implicit = rmeval.parity(tmp_path / "policy", b, "hf", ITEMS, ref_model=str(tmp_path / "reference"), n_items=1)
    assert implicit.agrees
    assert implicit.spread > 0.1
    say(tmp_path / "policy", "A", "B")
    pairs = rmeval.parity(tmp_path / "policy", b, "hf", ITEMS, kind="comparator", n_items=1)
    assert pairs.agrees
    assert pairs.decisions == pairs.requests > 0
    judged = rmeval.parity(tmp_path / "policy", b, "hf", ITEMS, protocol="ab-labels", n_items=1)
    assert judged.agrees
    assert judged.tokens.equal
    assert judged.decisions == judged.requests > 0
    with pytest.raises(ModelError, match="compares judges by label probabilities of two responses, and ab@1 has none"):
        rmeval.parity(tmp_path / "policy", b, "hf", ITEMS, protocol="ab", max_new_tokens=9, n_items=1)
    with pytest.raises(ModelError, match="runs judges with engines only"):
        rmeval.parity(tmp_path / "policy", "http://localhost:9", "hf", ITEMS, protocol="ab-labels", n_items=1)


def vllm_of(folder: Path, template: str | None = None, shift: float = 0.0) -> dict[str, Any]:
    """A server with vLLM's routes that scores as the checkpoint does; another template may render its messages."""
    model = rmeval.load_model(folder, chat_template=template)
    assert isinstance(model, Classifier)

    def rendered(content: Any) -> list[int]:
        if isinstance(content[0], int):
            return list(content)
        talk = tuple(Message(one["role"], one["content"]) for one in content)
        tokens: list[int] = model.texts.renderer.render([talk])[0].tokens.tolist()
        return tokens

    def scores(content: Any) -> list[float]:
        (reading,) = model.engine.run([rendered(content)], model.readout(()))
        return [float(reading.values[0][0]) + shift]

    def tokens(body: Any) -> Any:
        if "messages" in body:
            return {"tokens": rendered(body["messages"])}
        return {"tokens": model.texts.renderer.tokenizer(body["prompt"], add_special_tokens=False)["input_ids"]}

    return {**vllm_like(scores), "tokenize": tokens}


def test_a_server_that_renders(folder: Path) -> None:
    with serve(routed(**vllm_of(folder / "m"))) as server:
        same = found(folder, server.url, served_model="rm")
        asked = [one for one in server.received if one.path == "/tokenize"]
    assert same.agrees
    assert same.tokens.text == "equal in all 12 requests that were compared: as the server renders them"
    assert same.b.name == server.url
    assert len(asked) == 12
    assert same.b.dtype == ""
    assert same.difference < 1e-5


def test_a_server_that_gets_token_ids(folder: Path) -> None:
    with serve(routed(**vllm_of(folder / "m", shift=0.25))) as server:
        ids = found(folder, server.url, tokenizer=str(folder / "m"))
        sent = [one.json["input"] for one in server.received if one.path == "/classify"]
    assert ids.tokens.text == "equal in all 12 requests that were compared: rmeval renders for both sides"
    assert "b is a + 0.25, a constant offset" in ids.verdict
    assert all(isinstance(one[0], int) for one in sent)


def test_a_card_is_that_of_both_sides(folder: Path) -> None:
    """A card's scale holds for the server too, whose scores would have the other sign."""
    card = folder / "cost.toml"
    card.write_text('[[family]]\nname = "cost"\nstatus = "layout-only"\nabout = "a"\nsource = "s"\nload.scale = -1.0\n')
    with serve(routed(**vllm_of(folder / "m"))) as server:
        assert found(folder, server.url, served_model="rm", card=str(card)).agrees
        with pytest.raises(ModelError, match="does not score steps, and the card math-shepherd is that of a process"):
            rmeval.load_model(server.url, card="math-shepherd")


def test_a_server_with_another_template(folder: Path) -> None:
    (folder / "bos.jinja").write_text("{{ '<|bos|>' }}" + CHATML)
    with serve(routed(**vllm_of(folder / "m", str(folder / "bos.jinja")))) as server:
        other = found(folder, server.url)
    assert not other.agrees
    assert "12 of 12 requests differ, the first from token 0 on: hf reads '<|im_start|>user" in other.tokens.text
    assert f"{server.url} reads '<|bos|><|im_start|>" in other.tokens.text


def test_a_server_that_shows_no_tokens_or_probabilities(folder: Path) -> None:
    routes = vllm_of(folder / "m")
    del routes["tokenize"]
    with serve(routed(**routes)) as server:
        unknown = found(folder, server.url)
    assert unknown.agrees
    assert unknown.tokens.equal is None
    assert "does not show their tokens" in unknown.tokens.text
    assert unknown.verdict.endswith("though their tokens could not be compared")
    raw = routes["classify"]
    routes["classify"] = lambda body: raw(body | {"use_activation": True})
    with serve(routed(**routes)) as server:
        with pytest.raises(ModelError, match="use_activation"):
            found(folder, server.url)
        bounded = found(folder, server.url, bounded_ok=True)
    assert "b looks like sigmoid(a)" in bounded.verdict


def test_options_of_servers_need_a_server(folder: Path) -> None:
    with pytest.raises(ModelError, match="`served_model`"):
        found(folder, "hf", served_model="rm")
    with pytest.raises(ModelError, match="is a server, which takes no model_kwargs"):
        found(folder, "http://127.0.0.1:9", b_kwargs={"x": 1})


def test_relations() -> None:
    a = np.linspace(-3, 3, 30)
    assert relation(a, 2 * a, 1e-6) == "b is 2 a"
    assert relation(a, 1 / (1 + np.exp(-a)), 1e-6).startswith("b looks like sigmoid(a)")
    assert relation(1 / (1 + np.exp(-a)), a, 1e-6).startswith("a looks like sigmoid(b)")
    assert relation(a, a - 2, 1e-6) == "b is a - 2, a constant offset"
    assert relation(a, np.random.default_rng(0).random(30), 1e-6) == ""
    assert relation(a, np.random.default_rng(0).random(30), 10.0) == "", "a large tolerance explains nothing"
    assert relation(a, np.zeros(30), 1e-6) == relation(a[:3], a[:3] + 1, 1e-6) == ""
    assert rank_correlation(a, a**3) == 1
    ties = np.round(np.random.default_rng(1).normal(size=(2, 40)))
    assert rank_correlation(*ties) == pytest.approx(stats.spearmanr(*ties).statistic)
    assert np.isnan(rank_correlation(a, np.zeros(30)))


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["parity", folder / "m", "--size", 8, "--n-items", 1, "--b"]
    done = command(capsys, *ask, "hf:float32")
    assert done.code == 0, done.err
    assert "hf and hf:float32 agree: scores differ by at most 0 " in done.out
    assert "tokens: equal in all " in done.out
    done = command(capsys, *ask, f"{folder}/engines.py:Shifted", "-o", tmp_path / "found.json")
    assert done.code == 1, done.err
    rows = {row["name"]: row for row in json.loads((tmp_path / "found.json").read_text())[0]["rows"]}
    assert rows["largest difference"]["value"] == pytest.approx(0.75)
    for wrong, sentence in (
        (["nothing"], "there is no engine 'nothing'"),
        (["hf", "--a", "hf:float8"], "there is no engine 'hf:float8'"),
        (["hf", "--engine", "hf2"], "the engines are those of --a and --b: leave --engine out"),
        (["hf", "--tolerance", "-1"], "--tolerance must be at least 0, not -1"),
    ):
        done = command(capsys, *ask, *wrong)
        assert (done.code, sentence in done.err, done.err.count("\n")) == (2, True, 1), done.err
    done = command(capsys, "parity", "baseline:longest", "--b", "hf")
    assert (done.code, "no engine runs" in done.err) == (2, True), done.err


def test_what_no_side_can_score(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"takes at most 16 tokens, exceeded by"):
        found(folder, "hf", max_length=16)
    with pytest.raises(ModelError, match=r"no request has a score on both sides \(hf: \d+ overlength"):
        found(folder, "hf", max_length=16, on_overlength="skip")
    with pytest.raises(ModelError, match="`tolerance` must be a number of at least 0, not nan"):
        found(folder, "hf", tolerance=float("nan"))
