"""Score conversations with the published code of reward models with one linear layer.

    python scripts/zoo/single_heads.py FAMILY CODE CHECKPOINT CONVERSATIONS.json

CODE is a clone of allenai/reward-bench, or of InternLM/xtuner for internlm2-reward and of OpenRLHF/OpenRLHF for
openrlhf. It prints a JSON object with the token ids and the score of each conversation, which is rendered and tokenised
as the published pipeline does, and read alone. It needs the packages torch, transformers 4.48, fschat and einops, and
none of rmeval.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.machinery
import importlib.util
import json
import sys
import tempfile
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file

Talk = list[dict[str, str]]
Encoded = dict[str, torch.Tensor]


def module_of(path: Path) -> Any:
    """Import a module from its file, within its folder as a package."""
    package = path.parent.name
    sys.modules.setdefault(package, types.ModuleType(package)).__path__ = [str(path.parent)]
    return importlib.import_module(f"{package}.{path.stem}")


def by_conversation(code: Path, template: str, eos: bool) -> Callable[[Any, Talk], Encoded]:
    """RewardBench's rendering with a template of FastChat: the text, then the tokenizer's call."""
    importlib.import_module("fastchat.conversation")
    module_of(code / "rewardbench" / "chattemplates.py")

    def encode(tokenizer: Any, talk: Talk) -> Encoded:
        made = sys.modules["fastchat.conversation"].get_conv_template(template)
        made.messages = [[made.roles[number % 2], one["content"]] for number, one in enumerate(talk)]
        if eos:
            tokenizer.add_eos_token = True  # scripts/run_rm.py does so where the tokenizer has no template.
        return dict(tokenizer(made.get_prompt(), return_tensors="pt"))

    return encode


def by_tokenizer(tokenizer: Any, talk: Talk) -> Encoded:
    """The tokenizer's own template, then its call without special tokens."""
    text = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=False)
    return dict(tokenizer(text, return_tensors="pt", add_special_tokens=False))


def as_pair(tokenizer: Any, talk: Talk) -> Encoded:
    """A question and an answer, as the model card of OpenAssistant's DeBERTa gives them."""
    return dict(tokenizer(talk[0]["content"], talk[1]["content"], return_tensors="pt"))


def with_reward_token(tokenizer: Any, talk: Talk, token: int) -> Encoded:
    """The tokenizer's template with the token at which the score is read, as `InternLM2ForRewardModel.get_score`."""
    ids = by_tokenizer(tokenizer, talk)["input_ids"]
    if ids[0, -1] != token:
        ids = torch.cat([ids, torch.tensor([[token]])], 1)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids, dtype=torch.bool)}


def rewardbench(file: str, name: str, template: str | None, read: Callable[[Any], Any], eos: bool = True) -> Any:
    """Score with a class of rewardbench/models."""

    def score(code: Path, checkpoint: str, talks: list[Talk]) -> list[tuple[Encoded, float]]:
        cls = getattr(module_of(code / "rewardbench" / "models" / file), name)
        model = cls.from_pretrained(checkpoint, torch_dtype=torch.float32).eval()
        encode = by_conversation(code, template, eos) if template else by_tokenizer
        tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
        found = [encode(tokenizer, talk) for talk in talks]
        takes = ("input_ids", "attention_mask")
        return [(one, float(read(model(**{own: one[own] for own in takes})))) for one in found]

    return score


def starling_7b(code: Path, checkpoint: str, talks: list[Talk]) -> list[tuple[Encoded, float]]:
    """Score with GPTRewardModel: another language model, over which a pickle with the checkpoint's weights is laid."""
    cls = module_of(code / "rewardbench" / "models" / "starling.py").GPTRewardModel
    with tempfile.TemporaryDirectory() as base:
        config = transformers.AutoConfig.from_pretrained(checkpoint)
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(base)
        transformers.AutoTokenizer.from_pretrained(checkpoint).save_pretrained(base)
        torch.save(load_file(Path(checkpoint) / "model.safetensors"), Path(base) / "starling.pt")
        model = cls(base, torch_dtype=torch.float32)
        found = model.load_state_dict(torch.load(Path(base) / "starling.pt", weights_only=True), strict=False)
        assert not [name for name in found.missing_keys if name.startswith(("transformer.", "v_head."))]
    encode = by_conversation(code, "llama-2", True)
    inputs = [encode(model.tokenizer, talk) for talk in talks]
    return [(one, float(model.eval()(one["input_ids"], attention_mask=one["attention_mask"])[0])) for one in inputs]


def eurus(code: Path, checkpoint: str, talks: list[Talk]) -> list[tuple[Encoded, float]]:
    """Score with the class of the hub's modeling_eurus_rm.py, which lies in CODE beside the folder rewardbench."""
    model = module_of(code / "modeling_eurus_rm.py").EurusRewardModel.from_pretrained(checkpoint).float().eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    encode = by_conversation(code, "mistral", False)
    inputs = [encode(tokenizer, talk) for talk in talks]
    return [(one, float(model(one["input_ids"], attention_mask=one["attention_mask"])[0, 0])) for one in inputs]


def oasst_deberta(code: Path, checkpoint: str, talks: list[Talk]) -> list[tuple[Encoded, float]]:
    """Score as the model card does."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    found = [as_pair(tokenizer, talk) for talk in talks if len(talk) == 2]
    return [(one, float(model(**one).logits[0])) for one in found]


def internlm2(code: Path, checkpoint: str, talks: list[Talk]) -> list[tuple[Encoded, float]]:
    """Score with the modelling file that the authors publish in xtuner."""
    own = code / "xtuner" / "tools" / "model_converters" / "modeling_internlm2_reward" / "modeling_internlm2.py"
    model = module_of(own).InternLM2ForRewardModel.from_pretrained(checkpoint, torch_dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    found = [with_reward_token(tokenizer, talk, model.reward_token_id) for talk in talks]
    return [(one, model.get_score(tokenizer, talk)) for one, talk in zip(found, talks, strict=True)]


def openrlhf(code: Path, checkpoint: str, talks: list[Talk], normalise: bool = False) -> list[tuple[Encoded, float]]:
    """Score with the network of openrlhf/models/model.py, without DeepSpeed, which scoring does not need."""
    for name in ("openrlhf", "openrlhf.utils", "openrlhf.models"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(code.joinpath(*name.split(".")))]
    for name in ("deepspeed", "openrlhf.models.ring_attn_utils", "openrlhf.models.utils"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__spec__ = importlib.machinery.ModuleSpec(name, None)
    sys.modules["openrlhf.models.ring_attn_utils"].__dict__.update(
        gather_and_pad_tensor=None, unpad_and_slice_tensor=None
    )
    sys.modules["openrlhf.models.utils"].__dict__.update(set_z3_leaf_modules=lambda *given, **named: None)
    config = transformers.AutoConfig.from_pretrained(checkpoint)
    config.normalize_reward = normalise
    body = transformers.AutoModel._model_mapping[type(config)]
    # get_llm_for_sequence_regression makes this class, and loads it in bfloat16 or float16.
    made = importlib.import_module("openrlhf.models.model")._get_reward_model
    cls = made(body.__base__, body, config.value_head_prefix)
    model = cls.from_pretrained(checkpoint, config=config, torch_dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    found = [by_tokenizer(tokenizer, talk) for talk in talks]
    return [(one, float(model(one["input_ids"], one["attention_mask"])[0])) for one in found]


PRINCIPLE = "correctness"
"""The principle of the model card's example."""


def nemotron(code: Path, checkpoint: str, talks: list[Talk]) -> list[tuple[Encoded, float]]:
    """Score as the model card does: the score of token 0 of one generated token."""
    return [(one, scores[0].item()) for one, scores in generated(checkpoint, talks, False)]


def nemotron_principle(code: Path, checkpoint: str, talks: list[Talk]) -> list[tuple[Encoded, float]]:
    """Score as the model card does: Yes minus No, ids 9642 and 2822; other ids in a tiny vocabulary."""
    asked = (
        f"Evaluate the response to the previous prompt in terms of whether it satisfies this principle: {PRINCIPLE}. "
        "Only answer Yes or No."
    )
    found = generated(checkpoint, [[*talk, {"role": "user", "content": asked}] for talk in talks], True)
    yes, no = (9642, 2822) if all(len(scores) > 9642 for _, scores in found) else (42, 122)
    return [(one, (scores[yes] - scores[no]).item()) for one, scores in found]


def generated(checkpoint: str, talks: list[Talk], prompt: bool) -> list[tuple[Encoded, torch.Tensor]]:
    """The scores of one generated token, of each token of the vocabulary."""
    model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint, torch_dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    settings = {"tokenize": True, "add_generation_prompt": prompt, "return_tensors": "pt", "return_dict": True}
    found = [dict(tokenizer.apply_chat_template(talk, **settings)) for talk in talks]
    one_token = {"max_new_tokens": 1, "return_dict_in_generate": True, "output_scores": True, "do_sample": False}
    return [
        (one, model.generate(one["input_ids"], attention_mask=one["attention_mask"], **one_token).scores[0][0])
        for one in found
    ]


FAMILIES: dict[str, Callable[[Path, str, list[Talk]], list[tuple[Encoded, float]]]] = {
    "ultrarm": rewardbench("openbmb.py", "LlamaRewardModel", "openbmb", lambda found: found[0, 0]),
    "starling-rm": rewardbench("starling.py", "LlamaForSequenceClassification", None, lambda found: found["scores"][0]),
    "eurus-rm": eurus,
    "starling-rm-7b-converted": starling_7b,
    "beaver-reward": rewardbench("beaver.py", "LlamaForScore", "pku-align", lambda found: found.end_scores[0, 0]),
    "beaver-cost": rewardbench("beaver.py", "LlamaForScore", "pku-align", lambda found: -found.end_scores[0, 0]),
    "oasst-pythia": rewardbench(
        "openassistant.py", "GPTNeoXRewardModel", "oasst_pythia", lambda found: found.logits[0, 0], eos=False
    ),
    "oasst-deberta": oasst_deberta,
    "internlm2-reward": internlm2,
    "openrlhf": openrlhf,
    "openrlhf-normalised": partial(openrlhf, normalise=True),
    "nemotron-reward": nemotron,
    "nemotron-principle": nemotron_principle,
}


def main() -> None:
    """Print the token ids and scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("code", type=Path)
    parser.add_argument("checkpoint")
    parser.add_argument("conversations", type=Path)
    given = parser.parse_args()
    talks = json.loads(given.conversations.read_text(encoding="utf-8"))
    with torch.inference_mode():
        found = FAMILIES[given.family](given.code, given.checkpoint, talks)
    rows = {"ids": [one["input_ids"][0].tolist() for one, _ in found], "scores": [score for _, score in found]}
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    print(json.dumps({"versions": versions, **rows}))  # noqa: T201


if __name__ == "__main__":
    main()
