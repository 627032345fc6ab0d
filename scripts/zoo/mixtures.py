"""Scores a tiny checkpoint of `tests/zoo/mixtures.py` with public modelling code, and prints the expected file.

The public code is given as a path and stays outside the project. What it lacks under the installed transformers is
added from outside: a call of `post_init`, a removed docstring constant, a class of an inference engine. Run it as

    python scripts/zoo/mixtures.py grm-linear CODE/rewardbench/models/grm.py FOLDER --reference "reward-bench COMMIT"

which writes the checkpoint to FOLDER. Each conversation is scored on its own, without padding.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoTokenizer, LlamaModel, PreTrainedModel
from transformers.models.llama import modeling_llama

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.zoo.mixtures import MAKERS, scored

Scorer = Callable[[list[int]], float]


def code_at(path: Path) -> Any:
    """The module at a path; beside it, modules of its folder can be imported."""
    modeling_llama.LLAMA_INPUTS_DOCSTRING = ""
    sys.path.insert(0, str(path.parent))
    package = "public_code"
    sys.modules[package] = types.ModuleType(package)
    sys.modules[package].__path__ = [str(path.parent)]
    spec = importlib.util.spec_from_file_location(f"{package}.{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def loaded(found: type[Any], folder: Path, arguments: Mapping[str, Any] = MappingProxyType({}), **kwargs: Any) -> Any:
    """The network, loaded as `PreTrainedModel` does it, with `post_init` where its class does not call it."""

    def begin(self: Any, config: Any) -> None:
        found.__init__(self, config, **arguments)
        self.post_init()

    cured = type(found.__name__, (found,), {"__init__": begin})
    model, report = PreTrainedModel.from_pretrained.__func__(
        cured, folder, output_loading_info=True, attn_implementation="eager", **kwargs
    )
    missing = [name for name in report["missing_keys"] if not name.startswith(("regression_layer.n", "gating_layer.n"))]
    if missing or report["unexpected_keys"]:
        raise SystemExit(f"not the layout of the public class: {report}")
    return model.eval()


def tensor(ids: list[int]) -> torch.Tensor:
    """One sequence as a batch."""
    return torch.tensor([ids])


def grm(module: Any, folder: Path) -> Scorer:
    """Its config class is AutoConfig, which is abstract, so that the config is given; `post_init` is added."""
    config = AutoConfig.from_pretrained(folder)
    model = loaded(module.GRewardModel, folder, config=config)
    return lambda ids: model(tensor(ids), attention_mask=torch.ones(1, len(ids), dtype=torch.long)).item()


def ldl(module: Any, folder: Path) -> Scorer:
    """The widths are defaults of its classes, which are changed; the pickles are loaded as its own code does it."""
    module.MultiOutputNN.__init__.__defaults__ = ([32, 32],)
    module.GatingNN.__init__.__defaults__ = (32, *module.GatingNN.__init__.__defaults__[1:])
    model = loaded(module.LDLRewardModel27B, folder)
    for name in ("regression_layer", "gating_layer"):
        getattr(model, name).load_state_dict(torch.load(folder / f"{name}.pt", map_location="cpu"))
    return lambda ids: model(tensor(ids)).score.item()


def qrm(module: Any, folder: Path) -> Scorer:
    """The class as it is, loaded without its own `from_pretrained`; a bfloat16 matrix is made float32."""
    found = getattr(module, json.loads((folder / "config.json").read_text())["architectures"][0])
    model = loaded(found, folder).float()
    return lambda ids: model(tensor(ids)).score.item()


def urm(module: Any, folder: Path) -> Scorer:
    """Its float16 layers are made float32; sglang's body and pooler are LlamaModel and the last position."""
    config = AutoConfig.from_pretrained(folder)
    model = module.LlamaForSequenceClassificationWithNormal_Weights(config)
    from safetensors.torch import load_file

    names = load_file(folder / "model.safetensors")
    model.load_state_dict({name.replace("model.", "model.inner.", 1): value for name, value in names.items()})
    model.float().eval()
    return lambda ids: model(torch.tensor(ids), torch.arange(len(ids)), None).embeddings.item()


def sglang_stand_ins(in_float32: bool) -> None:
    """Stands in for the parts of sglang that its file imports."""

    class Body(torch.nn.Module):
        def __init__(self, config: Any, quant_config: Any = None, prefix: str = "") -> None:
            super().__init__()
            config._attn_implementation = "eager"
            self.inner = LlamaModel(config)

        def forward(self, ids: torch.Tensor, positions: torch.Tensor, *_: Any) -> torch.Tensor:
            found: torch.Tensor = self.inner(ids[None], position_ids=positions[None]).last_hidden_state[0]
            return found

    class Last(torch.nn.Module):
        def __init__(self, **_: Any) -> None:
            super().__init__()

        def forward(self, values: torch.Tensor, batch: Any) -> Any:
            return types.SimpleNamespace(embeddings=values[-1:])

    def output(embeddings: torch.Tensor) -> Any:
        return types.SimpleNamespace(embeddings=embeddings)

    parts: dict[str, dict[str, Any]] = {
        "layers.pooler": {
            "EmbeddingPoolerOutput": output,
            "Pooler": Last,
            "PoolingType": types.SimpleNamespace(LAST=0),
        },
        "layers.quantization.base_config": {"QuantizationConfig": object},
        "model_executor.forward_batch_info": {"ForwardBatch": object},
        "models.llama": {"LlamaForCausalLM": object, "LlamaModel": Body},
        "utils": {"add_prefix": lambda name, prefix: name},
    }
    for name, held in parts.items():
        module = types.ModuleType(f"sglang.srt.{name}")
        vars(module).update(held)
        sys.modules[module.__name__] = module
    if in_float32:
        # The gate's layers are float16 there; for a comparison in float32 the number format is exchanged.
        torch.float16 = torch.float32


def qwen_rm(module: Any, folder: Path) -> Scorer:
    """The class as it is, with its own config class."""
    config = module.Qwen2Config.from_pretrained(folder)
    model = loaded(module.Qwen2ForRewardModel, folder, config=config)
    return lambda ids: model(input_ids=tensor(ids))[0].item()


def sarm(module: Any, folder: Path) -> Scorer:
    """The class as it is; its arguments, which its own code reads from a folder's name, are those of the config."""
    stated = json.loads((folder / "config.json").read_text())
    given = {name: value for name, value in stated.items() if name.startswith(("sae_", "sarm_"))}
    model = loaded(module.LlamaSARM, folder, given)
    return lambda ids: float(model(tensor(ids)).logits.item())


def skywork_vl(module: Any, folder: Path) -> Scorer:
    """The pipeline as it is, on CPU, with the value head of the folder instead of the hub's."""
    network = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, attn_implementation="eager")
    module.cached_file = lambda path_or_repo_id, filename: str(folder / filename)
    pipeline = module.SkyVLPipeline("", network, None)

    class OnCpu(dict[str, torch.Tensor]):
        def to(self, _: str) -> OnCpu:
            return self

    def score(ids: list[int]) -> float:
        pipeline.tokenizer = lambda *_, **__: OnCpu(
            input_ids=tensor(ids), attention_mask=torch.ones(1, len(ids), dtype=torch.long)
        )
        return float(pipeline([""]).item())

    return score


def once(tokenizer: Any, talk: list[dict[str, str]]) -> list[int]:
    """The ids of a rendered conversation, as the demos of ArmoRM and QRM make them."""
    return list(tokenizer.apply_chat_template(talk, tokenize=True, return_dict=True)["input_ids"])


def text_then_ids(tokenizer: Any, talk: list[dict[str, str]]) -> list[int]:
    """The ids of the rendered text, as the demos of GRM and URM make them: the tokenizer adds a second BOS."""
    return list(tokenizer(tokenizer.apply_chat_template(talk, tokenize=False))["input_ids"])


MATH = "Please reason step by step, and put your final answer within \\boxed{}."


def with_system(message: str) -> Callable[[Any, list[dict[str, str]]], list[int]]:
    """Renders as the demos of Qwen's reward models do, with a system message if there is none."""

    def render(tokenizer: Any, talk: list[dict[str, str]]) -> list[int]:
        said = talk[0]["role"] == "system"
        return without_added(tokenizer, talk if said else [{"role": "system", "content": message}, *talk])

    return render


def without_added(tokenizer: Any, talk: list[dict[str, str]]) -> list[int]:
    """The ids of the rendered text without added tokens."""
    return list(tokenizer.encode(tokenizer.apply_chat_template(talk, tokenize=False), add_special_tokens=False))


FAMILIES: dict[str, tuple[Callable[[Any, Path], Scorer], Callable[[Any, list[dict[str, str]]], list[int]]]] = {
    "grm-linear": (grm, text_then_ids),
    "grm-mlp": (grm, text_then_ids),
    "grm-mlp2": (grm, text_then_ids),
    "ldl": (ldl, once),
    "qrm-llama3.1": (qrm, once),
    "qrm-llama3": (qrm, once),
    "qrm-gemma2": (qrm, once),
    "armorm": (qrm, once),
    "urm": (urm, text_then_ids),
    "qwen-math-rm": (qwen_rm, with_system(MATH)),
    "worldpm": (qwen_rm, with_system("")),
    "skywork-vl": (skywork_vl, without_added),
    "sarm": (sarm, once),
}


def expected(name: str, code: Path, folder: Path, reference: str) -> dict[str, Any]:
    """Write a checkpoint, and score its conversations with public code."""
    MAKERS[name](folder)
    make, render = FAMILIES[name]
    score = make(code_at(code), folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    talks = scored(name, folder)
    published = [render(tokenizer, talk) for talk in talks]
    with torch.no_grad():
        scores = {"scores": [score(ids) for ids in published]}
        if render is text_then_ids:
            scores["scores_with_one_bos"] = [score(once(tokenizer, talk)) for talk in talks]
    return {
        "family": name,
        "reference": reference,
        "how": f"scripts/zoo/mixtures.py NAME CODE FOLDER --reference TEXT, float32, CPU; {make.__doc__}",
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "weights_sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        **scores,
    }


def main() -> None:
    """Print the expected file of one checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(FAMILIES))
    parser.add_argument("code", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--reference", required=True, help="repository, commit and file of the public code")
    parser.add_argument("--float16", action="store_true", help="leave URM's gate in float16")
    given = parser.parse_args()
    if given.name == "urm":
        sglang_stand_ins(not given.float16)
    print(json.dumps(expected(given.name, given.code, given.folder, given.reference), indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
