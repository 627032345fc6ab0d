"""Classifiers with a forward of their own: what rmeval gives is what that gives, or a sentence."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import rmeval
from rmeval.doctor.checkpoint import examine
from rmeval.errors import ModelError
from rmeval.models import ModelOptions, load_model
from rmeval.protocols.pointwise import conversation_requests
from rmeval.types import Conversation, Message
from tests.checkpoints import ENDS_IN_EOS, make_checkpoint, make_tokenizer

TALKS: list[Conversation] = [
    (Message("user", "what is the capital"), Message("assistant", answer))
    for answer in ("the capital is so", "why", "it is the land of the land, is it", "so " * 40, "", "is it? " * 9)
]

CODE = '''
from dataclasses import dataclass

import torch
from torch import nn
from transformers import Qwen3Config, Qwen3Model, Qwen3PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutputWithPast
from transformers.utils import ModelOutput


class Base(Qwen3PreTrainedModel):
    config_class = Qwen3Config
    base_model_prefix = "model"

    def __init__(self, config):
        super().__init__(config)
        self.model = Qwen3Model(config)
        self.score = nn.Linear(config.hidden_size, config.num_labels, bias=False)
        self.add()
        self.post_init()

    def add(self):
        pass

    def last(self, hidden, attention_mask):
        return hidden[torch.arange(len(hidden)), attention_mask.sum(1) - 1]

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        hidden = self.model(input_ids, attention_mask=attention_mask).last_hidden_state
        return SequenceClassifierOutputWithPast(logits=self.make(hidden, input_ids, attention_mask))


class Faithful(Base):
    def make(self, hidden, ids, mask):
        return self.score(self.last(hidden, mask))


class Negated(Base):
    def make(self, hidden, ids, mask):
        return -self.score(self.last(hidden, mask))


class Normalised(Base):
    def add(self):
        self.register_buffer("mean", torch.full((1,), 0.004))
        self.register_buffer("std", torch.ones(1))

    def make(self, hidden, ids, mask):
        return (self.score(self.last(hidden, mask)) - self.mean) / self.std


class Pooled(Base):
    def make(self, hidden, ids, mask):
        return self.score((hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


class PooledWithoutMask(Base):
    def make(self, hidden, ids, mask):
        return self.score(hidden.mean(1))


class First(Base):
    def make(self, hidden, ids, mask):
        return self.score(hidden[:, 14])


class EndOfTurn(Base):
    """Reads where the end-of-turn token stands the last time."""

    def make(self, hidden, ids, mask):
        return self.score(hidden[torch.arange(len(ids)), ((ids == 2) * torch.arange(ids.shape[1])).argmax(1)])


class Clipped(Base):
    """The bound is outside of what a few random conversations get."""

    def make(self, hidden, ids, mask):
        return self.score(self.last(hidden, mask)).clamp(-60, 60)


class Squashed(Base):
    def make(self, hidden, ids, mask):
        return torch.sigmoid(self.score(self.last(hidden, mask)))


class Second(Base):
    def add(self):
        self.score2 = nn.Linear(self.config.hidden_size, 1, bias=False)

    def make(self, hidden, ids, mask):
        last = self.last(hidden, mask)
        return self.score(last) + self.score2(last)


class Centred(Base):
    """Takes the mean of the batch away, so that no two scores may be computed together."""

    def make(self, hidden, ids, mask):
        found = self.score(self.last(hidden, mask))
        return found * 3 - found.mean()


class Dropping(Base):
    def make(self, hidden, ids, mask):
        return self.score(nn.functional.dropout(self.last(hidden, mask), 0.5, training=True))


class Words(Base):
    def make(self, hidden, ids, mask):
        return self.score(hidden) * 3


class PerToken(Base):
    def make(self, hidden, ids, mask):
        return self.score(hidden)


class Elsewhere(Qwen3PreTrainedModel):
    """Its base_model is itself: nothing is called `model`."""

    config_class = Qwen3Config
    base_model_prefix = "nothing"

    def __init__(self, config):
        super().__init__(config)
        self.body = Qwen3Model(config)
        self.score = nn.Linear(config.hidden_size, config.num_labels, bias=False)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        hidden = self.body(input_ids, attention_mask=attention_mask).last_hidden_state
        return 3 * self.score(hidden[torch.arange(len(hidden)), attention_mask.sum(1) - 1])


@dataclass
class Scores(ModelOutput):
    rewards: torch.FloatTensor = None
    logits: torch.FloatTensor = None
    score: torch.FloatTensor = None


class OnlyIds(Elsewhere):
    def forward(self, input_ids):
        return super().forward(input_ids, torch.ones_like(input_ids))


class Gated(Base):
    """As ArmoRM: several rewards, and one score."""

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        hidden = self.model(input_ids, attention_mask=attention_mask).last_hidden_state
        found = self.score(self.last(hidden, attention_mask))
        return Scores(rewards=torch.cat([found] * 5, 1), score=found.tanh().squeeze(1))


class PlainTensor(Base):
    """As Starling: a tensor of one number a sequence."""

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        hidden = self.model(input_ids, attention_mask=attention_mask).last_hidden_state
        return self.score(self.last(hidden, attention_mask)).squeeze(1) + 1


class Tuple(Base):
    """As WorldPM: the first of several."""

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        hidden = self.model(input_ids, attention_mask=attention_mask).last_hidden_state
        return self.score(self.last(hidden, attention_mask)) / 2, hidden


class Buffered(Base):
    """Numbers that are not in the checkpoint: a buffer that is not saved, and a tensor that is none."""

    def add(self):
        self.register_buffer("offset", torch.linspace(1, 2, 3), persistent=False)
        self.factor = torch.tensor([2.0, 3.0])
        # As OpenRLHF keeps it.
        self.register_buffer("mean", torch.zeros(1), persistent=False)
        self.mean[0] = 0.25

    def make(self, hidden, ids, mask):
        return self.score(self.last(hidden, mask)) * self.factor[1] + self.offset[2] - self.mean


# Classes that were written for transformers 4, and never call post_init.


class Summary(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.dropout = nn.Dropout(0.1)
        self.summary = nn.Linear(config.hidden_size, 1)

    def forward(self, hidden):
        return self.summary(self.dropout(hidden))


class OldGRM(Qwen3PreTrainedModel):
    config_class = Qwen3Config
    base_model_prefix = "model"

    def __init__(self, config):
        super().__init__(config)
        self.model = Qwen3Model(config)
        self.v_head = Summary(config)

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        states = self.model(input_ids, attention_mask=attention_mask, output_hidden_states=True).hidden_states[-1]
        return self.v_head(states)[torch.arange(len(states)), attention_mask.sum(1) - 1].squeeze(-1)


class OldUltra(Qwen3PreTrainedModel):
    config_class = Qwen3Config

    def __init__(self, config):
        super().__init__(config)
        self.model = Qwen3Model(config)
        self.regression_head = nn.Linear(config.hidden_size, 1, bias=False)

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        states = self.model(input_ids, attention_mask=attention_mask)[0]
        return torch.gather(self.regression_head(states).squeeze(-1), 1, attention_mask.sum(1, keepdim=True) - 1)


class OldLDL(Qwen3PreTrainedModel):
    """Heads beside the body: rewards as distributions, and gates."""

    config_class = Qwen3Config
    base_model_prefix = "model"

    def __init__(self, config):
        super().__init__(config)
        self.model = Qwen3Model(config)
        self.regression_layer = nn.Sequential(nn.Linear(32, 16), nn.LeakyReLU(), nn.Linear(16, 6))
        self.gating_layer = nn.Sequential(nn.Linear(32, 16), nn.LeakyReLU(), nn.Linear(16, 2))

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        states = self.model(input_ids, attention_mask=attention_mask).last_hidden_state
        last = states[torch.arange(len(states)), attention_mask.sum(1) - 1]
        rewards = self.regression_layer(last).view(-1, 2, 3).softmax(-1) @ torch.linspace(0, 1, 3)
        return Scores(rewards=rewards, score=(rewards * self.gating_layer(last).softmax(-1)).sum(-1))


class OldTied(Qwen3PreTrainedModel):
    """Lists what is tied, with a language model's head left in it."""

    config_class = Qwen3Config
    base_model_prefix = "model"
    _tied_weights_keys = ["lm_head.weight", "nothing.weight"]

    def __init__(self, config):
        super().__init__(config)
        config.tie_word_embeddings = True
        self.model = Qwen3Model(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.score = nn.Linear(config.hidden_size, 1, bias=False)
        self.post_init()

    def get_output_embeddings(self):
        return self.lm_head

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        states = self.model(input_ids, attention_mask=attention_mask).last_hidden_state
        last = states[torch.arange(len(states)), attention_mask.sum(1) - 1]
        return SequenceClassifierOutputWithPast(logits=self.score(last) + self.lm_head(last)[:, 5:6])


class OldPythia(Qwen3PreTrainedModel):
    config_class = Qwen3Config
    base_model_prefix = "gpt_neox"

    def __init__(self, config):
        super().__init__(config)
        self.gpt_neox = Qwen3Model(config)
        self.out_proj = nn.Linear(config.hidden_size, 1)

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        states = self.gpt_neox(input_ids, attention_mask=attention_mask).last_hidden_state
        total = (states * attention_mask[..., None]).sum(1)
        logits = self.out_proj(total / attention_mask.sum(1, keepdim=True))
        return SequenceClassifierOutputWithPast(logits=logits)
'''
RECURRENT = """
import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel


class Config(PreTrainedConfig):
    model_type = "recurrent-rm"

    def __init__(self, width=24, words=400, **kwargs):
        self.width, self.words = width, words
        super().__init__(**kwargs)


class RewardModel(PreTrainedModel):
    config_class = Config

    def __init__(self, config):
        super().__init__(config)
        self.table = nn.Embedding(config.words, config.width)
        self.cells = nn.GRU(config.width, config.width, batch_first=True)
        self.out = nn.Linear(config.width, 1)

    def get_input_embeddings(self):
        return self.table

    def forward(self, input_ids, attention_mask=None):
        return self.out(self.cells(self.table(input_ids))[0][:, -1])
"""
LISTED, MAPPED = '["lm_head.weight", "nothing.weight"]', '{"lm_head.weight": "model.embed_tokens.weight"}'
ENTRY = "AutoModelForSequenceClassification"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("own") / "plain", seed=5)


def with_class(
    plain: Path, folder: Path, name: str, entry: str = ENTRY, stated: str | None = None, scale: float = 1.0
) -> tuple[Path, Any]:
    """A checkpoint whose config names a class in its own code, and a network of that class."""
    shutil.copytree(plain, folder)
    # Modules of one name are one module, wherever they lie.
    module = f"modeling_{folder.parent.name}_{folder.name}".replace("-", "_")
    (folder / f"{module}.py").write_text(CODE)
    config = json.loads((folder / "config.json").read_text())
    config |= {"auto_map": {entry: f"{module}.{name}"}, "architectures": [stated or name]}
    (folder / "config.json").write_text(json.dumps(config))
    namespace: dict[str, Any] = {"__name__": module}
    # As it would be written for transformers 5.
    code = CODE.replace("@dataclass\n", "@dataclass(eq=False)\n").replace(LISTED, MAPPED)
    exec(compile(code, module, "exec"), namespace)
    torch.manual_seed(11)
    network = namespace[name](AutoModelForSequenceClassification.from_pretrained(plain).config)
    weights = dict(network.state_dict())
    own = {
        key: value * (scale if key == "score.weight" else 1)
        for key, value in load_file(plain / "model.safetensors").items()
    }
    for key in weights:
        stem = "body." if key.startswith("body.") else "gpt_neox." if key.startswith("gpt_neox.") else ""
        theirs = f"model.{key.removeprefix(stem)}" if stem else key
        weights[key] = own.get(theirs, torch.randn_like(weights[key]) if weights[key].ndim > 1 else weights[key])
    if "lm_head.weight" in weights:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    network.load_state_dict(weights)
    weights.pop("lm_head.weight", None)  # It is the embeddings, which are saved once.
    save_file(
        {key: value.contiguous() for key, value in weights.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    return folder, network.eval()


def forwards(folder: Path, network: Any, name: str | None = None) -> np.ndarray:
    """What the network's own forward gives for each conversation, one at a time and without padding."""
    tokenizer, found = AutoTokenizer.from_pretrained(folder), []
    for talk in TALKS:
        messages = [{"role": m.role, "content": m.content} for m in talk]
        ids = torch.tensor([tokenizer.apply_chat_template(messages, return_dict=True)["input_ids"]])
        with torch.inference_mode():
            mask = {} if type(network).__name__ == "OnlyIds" else {"attention_mask": torch.ones_like(ids)}
            output = network(input_ids=ids, **mask)
        if name is not None:
            output = getattr(output, name)
        found.append(float(output[0].reshape(-1)[0]))
    assert len({round(value, 6) for value in found}) > 1, "a test that any constant passes"
    return np.array(found)


@pytest.mark.parametrize(
    ("name", "field", "read"),
    [
        ("Faithful", "logits", "score at the last token"),
        ("Negated", "logits", "own forward, padded batches"),
        ("Normalised", "logits", "own forward, padded batches"),
        ("Pooled", "logits", "own forward, padded batches"),
        ("PooledWithoutMask", "logits", "own forward, one by one"),
        ("First", "logits", "own forward, padded batches"),
        ("EndOfTurn", "logits", "own forward, padded batches"),
        ("Clipped", "logits", "own forward, padded batches"),
        ("Squashed", "logits", "own forward, padded batches"),
        ("Second", "logits", "own forward, padded batches"),
        ("Buffered", "logits", "own forward, padded batches"),
        ("Centred", "logits", "own forward, one by one"),
        ("Elsewhere", None, "own forward, padded batches"),
        ("OnlyIds", None, "own forward, one by one"),
        ("Gated", "score", "own forward, padded batches"),
        ("PlainTensor", None, "own forward, padded batches"),
        ("Tuple", None, "own forward, padded batches"),
    ],
)
def test_a_class_of_the_checkpoints_own(plain: Path, tmp_path: Path, name: str, field: str | None, read: str) -> None:
    folder, network = with_class(plain, tmp_path / name, name)
    model = load_model(str(folder), trust_remote_code=True)
    assert rmeval.score(model, TALKS) == pytest.approx(forwards(folder, network, field), abs=1e-5)
    facts = model.facts()
    assert (facts["architecture"], facts["readout"]["read"]) == (name, read)
    shared = facts["prefix_sharing"]
    assert isinstance(shared, dict) if read.startswith("score") else shared == "off: its own forward is used"


@pytest.mark.parametrize("entry", [ENTRY, "AutoModel"])
@pytest.mark.parametrize(
    ("name", "field", "read"),
    [
        ("OldGRM", None, "v_head.summary at the last token"),
        ("OldUltra", None, "regression_head at the last token"),
        ("OldLDL", "score", "own forward, padded batches"),
        ("OldTied", "logits", "own forward, padded batches"),
        ("OldPythia", "logits", "own forward, padded batches"),
    ],
)
def test_classes_that_never_call_post_init(
    plain: Path, tmp_path: Path, name: str, field: str | None, read: str, entry: str
) -> None:
    folder, network = with_class(plain, tmp_path / name, name, entry)
    model = load_model(str(folder), trust_remote_code=True)
    assert rmeval.score(model, TALKS) == pytest.approx(forwards(folder, network, field), abs=1e-5)
    assert (model.facts()["architecture"], model.facts()["readout"]["read"]) == (name, read)


def test_a_config_of_its_own(plain: Path, tmp_path: Path) -> None:
    """Which has other names for width and vocabulary, and no padding token."""
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "modeling_recurrent_rm.py").write_text(RECURRENT)
    config = {
        "model_type": "recurrent-rm",
        "width": 24,
        "words": 400,
        "architectures": ["RewardModel"],
        "num_labels": 1,
    }
    config["auto_map"] = {
        "AutoConfig": "modeling_recurrent_rm.Config",
        "AutoModel": "modeling_recurrent_rm.RewardModel",
    }
    (folder / "config.json").write_text(json.dumps(config))
    make_tokenizer().save_pretrained(folder)
    namespace: dict[str, Any] = {"__name__": "modeling_recurrent_rm"}
    exec(compile(RECURRENT, "modeling_recurrent_rm", "exec"), namespace)
    torch.manual_seed(2)
    network = namespace["RewardModel"](namespace["Config"](width=24, words=400)).eval()
    save_file(network.state_dict(), folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="comes with its own code"):
        rmeval.score(str(folder), TALKS)
    model = load_model(str(folder), trust_remote_code=True)
    assert rmeval.score(model, TALKS) == pytest.approx(forwards(folder, network), abs=1e-5)
    assert model.facts()["readout"]["read"] == "own forward, one by one"


@pytest.mark.parametrize(("name", "refused"), [("Faithful", False), ("First", True)])
def test_what_reads_the_beginning_is_not_cut_there(plain: Path, tmp_path: Path, name: str, refused: bool) -> None:
    folder, _ = with_class(plain, tmp_path / name, name)
    options: dict[str, Any] = {"trust_remote_code": True, "max_length": 40, "on_overlength": "truncate-left"}
    if refused:
        with pytest.raises(ModelError, match="uses the beginning of its input, which truncate-left would cut"):
            rmeval.score(str(folder), TALKS, **options)
    else:
        assert np.isfinite(rmeval.score(str(folder), TALKS, **options)).all()


def test_a_bound_that_no_score_of_the_sample_reaches(plain: Path, tmp_path: Path) -> None:
    """All but one score lie within it, so that scores alone would not show it."""
    folder, network = with_class(plain, tmp_path / "m", "Clipped", scale=30.0)
    expected = forwards(folder, network, "logits")
    assert 0 < np.sum(np.abs(expected) == 60) < len(expected)
    assert rmeval.score(str(folder), TALKS, trust_remote_code=True) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_shift_that_is_smaller_than_the_number_format_shows(plain: Path, tmp_path: Path, dtype: str) -> None:
    folder, _ = with_class(plain, tmp_path / "m", "Normalised")
    model = load_model(str(folder), trust_remote_code=True, dtype=dtype)
    rmeval.score(model, TALKS)
    assert model.facts()["readout"]["read"] == "own forward, padded batches"
    assert "computes another score than score" in model.facts()["readout"]["why"] or dtype == "float32"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Dropping", "returns other scores each time it reads the same input"),
        ("Words", "returns a number for each token instead of one score for each sequence"),
    ],
)
def test_a_forward_without_a_score_is_refused(plain: Path, tmp_path: Path, name: str, sentence: str) -> None:
    folder, _ = with_class(plain, tmp_path / name, name)
    model = load_model(str(folder), trust_remote_code=True)
    for _ in range(2):  # Refused once, it is not read in another way when it is asked again.
        with pytest.raises(ModelError, match=sentence) as caught:
            rmeval.score(model, TALKS)
        assert "\n" not in str(caught.value)


def test_a_number_for_each_token_of_which_the_last_is_the_heads(plain: Path, tmp_path: Path) -> None:
    folder, _ = with_class(plain, tmp_path / "m", "PerToken")
    faithful, network = with_class(plain, tmp_path / "f", "Faithful")
    found = rmeval.score(str(folder), TALKS, trust_remote_code=True)
    assert found == pytest.approx(forwards(faithful, network, "logits"), abs=1e-5)


def test_code_that_is_passed_over_is_reported(plain: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, network = with_class(plain, tmp_path / "m", "Negated", stated="Qwen3ForSequenceClassification")
    model = load_model(str(folder))
    with caplog.at_level(logging.WARNING):
        found = rmeval.score(model, TALKS)
    assert found == pytest.approx(-forwards(folder, network, "logits"), abs=1e-5)
    assert caplog.text.count("names its own class") == 1
    assert model.facts()["code_passed_over"].endswith(".Negated")
    trusting = load_model(str(folder), trust_remote_code=True)
    assert rmeval.score(trusting, TALKS) == pytest.approx(-found, abs=1e-5)
    assert "code_passed_over" not in trusting.facts()
    # Scores of one and of the other are never in one folder.
    assert trusting.identity() != model.identity()


def test_weights_that_only_the_class_of_its_own_has_a_place_for(plain: Path, tmp_path: Path) -> None:
    folder, _ = with_class(plain, tmp_path / "m", "OldLDL", stated="Qwen3ForSequenceClassification")
    with pytest.raises(ModelError, match=r"no trained weights for score.weight.*\.OldLDL\): .*`trust_remote_code`"):
        rmeval.score(str(folder), TALKS)


def test_trusting_code_that_is_not_there_changes_no_identity(plain: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(plain, tmp_path / "m"))
    (folder / "train.py").write_text("print('not loaded')")
    assert load_model(str(folder), trust_remote_code=True).identity() == load_model(str(folder)).identity()
    own, _ = with_class(plain, tmp_path / "own", "Faithful")
    before = load_model(str(own), trust_remote_code=True).identity()
    assert before["forward"] == "own@1"
    file = next(own.glob("modeling_*.py"))
    file.write_text(file.read_text() + "\n# another version\n")
    assert load_model(str(own), trust_remote_code=True).identity() != before


def test_single_tokens_of_what_is_not_read_at_them(plain: Path, tmp_path: Path) -> None:
    from rmeval.models.classifier import Classifier

    folder, _ = with_class(plain, tmp_path / "m", "Negated")
    model = load_model(str(folder), trust_remote_code=True)
    assert isinstance(model, Classifier)
    with pytest.raises(ModelError, match="cannot be read at single tokens: its own forward returns other scores"):
        list(model.token_scores(conversation_requests(TALKS[:2])))


def test_a_text_that_ends_in_the_padding_token(tmp_path: Path) -> None:
    """The class of transformers reads before it, which is no difference of layout."""
    tokenizer = make_tokenizer(pad_token="<|im_end|>", chat_template=ENDS_IN_EOS, bos_token="<|bos|>")
    folder = make_checkpoint(tmp_path / "m", tokenizer=tokenizer, pad_token_id=2)
    model = load_model(str(folder))
    rmeval.score(model, TALKS)
    found = model.facts()["readout"]
    assert (found["read"], found["compared"]) == ("score at the last token", 3)
    assert found["difference"] < 1e-6


def test_the_doctor_compares(plain: Path, tmp_path: Path) -> None:
    items = list(rmeval.load_benchmark("rm-bench-synthetic", size=8).load())
    options = ModelOptions(trust_remote_code=True, on_overlength="skip")
    for name, level, text in (
        ("Faithful", "ok", "and its own forward return equal scores"),
        ("Negated", "note", "own forward, padded batches is used"),
    ):
        folder, _ = with_class(plain, tmp_path / name, name)
        found = examine(str(folder), options, items, ["float32"])
        assert any(finding.level == level and text in finding.text for finding in found.findings), found.findings
    folder, _ = with_class(plain, tmp_path / "over", "Negated", stated="Qwen3ForSequenceClassification")
    found = examine(str(folder), ModelOptions(on_overlength="skip"), items, ["float32"])
    assert any("was not loaded" in finding.text for finding in found.findings if finding.level == "note")
