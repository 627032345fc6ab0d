"""Attacks with mutated files of checkpoints: if one loads with the original's identity, its scores must be equal."""

from __future__ import annotations

import json
import logging
import math
import os
import random
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scripts.attacks.harness import Share, Tally

import rmeval

SECONDS = 60
TALK = [
    [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "there it is"}],
    [{"role": "user", "content": "why"}, {"role": "assistant", "content": "so"}],
]
HOSTILE: list[Any] = [
    None, True, False, 0, -1, 5, 1.5, 2**63, 10**30, -(10**30), 1e308, "", "x", "a/b", "../x", "\udcff", "x" * 2000,
    [], [5], ["x"], [[]], [None] * 3, {}, {"a": 1}, {"a": []}, {"": None},
]  # fmt: skip
KEYS = (
    "architectures", "auto_map", "quantization_config", "dtype", "num_labels", "id2label", "label2id", "problem_type",
    "rope_parameters", "layer_types", "max_position_embeddings", "pad_token_id", "eos_token_id", "tie_word_embeddings",
    "text_config", "vision_config", "tokenizer_class", "model_type", "is_encoder_decoder", "is_decoder", "vocab_size",
    "attn_implementation", "chat_template", "extra_special_tokens", "added_tokens_decoder", "model_max_length",
    "fast_tokenizer_files", "hidden_size", "head_dim", "num_attention_heads", "num_hidden_layers", "hidden_act",
    "use_cache", "name_or_path", "transformers_version", "sliding_window", "attention_bias",
)  # fmt: skip


class Late(BaseException):
    """Signals that a try takes too long."""


class Target(NamedTuple):
    """A file of a valid checkpoint, and the options with which the checkpoint is loaded."""

    folder: Path
    name: str
    options: dict[str, Any]


class Known(NamedTuple):
    """The identity and the scores of a checkpoint."""

    identity: str
    scores: list[float]


def checkpoints(share: Share) -> Tally:
    """Mutate one file of a checkpoint at a time, and score with the result."""
    tally = Tally("mutated files of checkpoints")
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGALRM, _late)
    os.environ |= {"RMEVAL_MAX_TEMPLATE_SECONDS": "5", "XDG_CACHE_HOME": str(share.folder / "cache")}
    targets = _targets(share.folder)
    known = {one.folder: _known(one.folder, one.options) for one in targets}
    work = share.folder / "work"
    for number in range(share.tries):
        target = share.dice.choice(targets)
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(target.folder, work)
        (work / target.name).write_bytes(_mutated(target, share.dice))
        fault, words = _judge(work, target, known[target.folder])
        tally.add(fault, f"{number} {target.folder.name}/{target.name}: {words}")
    return tally


def _late(number: int, frame: object) -> None:
    raise Late


def _known(folder: Path, options: dict[str, Any]) -> Known:
    identity = json.dumps(rmeval.load_model(str(folder), **options).identity(), sort_keys=True)
    return Known(identity, list(rmeval.score(str(folder), TALK, **options)))


def _judge(work: Path, target: Target, good: Known) -> tuple[str | None, str]:
    signal.alarm(SECONDS)
    try:
        found = _known(work, target.options)
    except rmeval.RmevalError as error:
        return ("refused" if len(str(error)) < 2500 and "\n" not in str(error) else "long error"), str(error)
    except Late:
        return "hang", ""
    except Exception as error:  # noqa: BLE001  Every other exception would be a traceback.
        return "traceback", repr(error)[:300]
    finally:
        signal.alarm(0)
    same = all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(found.scores, good.scores, strict=True))
    return ("wrong" if found.identity == good.identity and not same else None), f"{found.scores} for {good.scores}"


def _targets(folder: Path) -> list[Target]:
    """Create checkpoints of all layouts: whole, in shards, pickled, and an adapter."""
    import torch
    from peft import LoraConfig, get_peft_model
    from safetensors.torch import load_file, save_file
    from tests.checkpoints import make_checkpoint
    from transformers import AutoModelForSequenceClassification

    base = make_checkpoint(folder / "base")
    weights = load_file(base / "model.safetensors")
    shards, pickled, adapter = (folder / name for name in ("shards", "pickled", "adapter"))
    for place in (shards, pickled):
        shutil.copytree(base, place)
        (place / "model.safetensors").unlink()
    torch.save(weights, pickled / "pytorch_model.bin")
    places = {name: f"{1 + number % 2}.safetensors" for number, name in enumerate(weights)}
    for shard in set(places.values()):
        own = {name: weights[name] for name, place in places.items() if place == shard}
        save_file(own, shards / shard, metadata={"format": "pt"})
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (shards / "model.safetensors.index.json").write_text(json.dumps(index))
    lora = LoraConfig(task_type="SEQ_CLS", target_modules=["q_proj"], init_lora_weights=False)
    get_peft_model(AutoModelForSequenceClassification.from_pretrained(base), lora).save_pretrained(str(adapter))
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": str(base)}))
    whole = ("config.json", "config.json", "tokenizer_config.json", "tokenizer.json", "chat_template.jinja")
    return [
        *(Target(base, name, {}) for name in (*whole, "model.safetensors")),
        Target(shards, "model.safetensors.index.json", {}),
        Target(adapter, "adapter_config.json", {}),
        Target(adapter, "adapter_model.safetensors", {}),
        Target(pickled, "pytorch_model.bin", {"model_kwargs": {"use_safetensors": False}}),
    ]


def _mutated(target: Target, dice: random.Random) -> bytes:
    raw = (target.folder / target.name).read_bytes()
    if target.name.endswith(".json") and dice.random() < 0.85:
        return _json(json.loads(raw), dice)
    if target.name.endswith(".safetensors") and dice.random() < 0.5:
        length = int.from_bytes(raw[:8], "little")
        head = _json(json.loads(raw[8 : 8 + length]), dice)
        return len(head).to_bytes(8, "little") + head + raw[8 + length :]
    return _bytes(raw, dice)


def _json(value: Any, dice: random.Random) -> bytes:
    place = dice.choice(list(_places(value)))
    if not place:
        value = dice.choice(HOSTILE)
    else:
        holder = value
        for key in place[:-1]:
            holder = holder[key]
        action = dice.random()
        if action < 0.2 and isinstance(holder, dict):
            holder.pop(place[-1])
        elif action < 0.3 and isinstance(holder, dict):
            holder[dice.choice(KEYS)] = dice.choice(HOSTILE)
        else:
            holder[place[-1]] = dice.choice(HOSTILE)
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _places(value: Any, above: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
    yield above
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in list(items)[:40]:
        yield from _places(one, (*above, key))


def _bytes(raw: bytes, dice: random.Random) -> bytes:
    found, action = bytearray(raw), dice.random()
    if action < 0.3:
        del found[dice.randrange(len(found)) :]
    elif action < 0.8:
        for _ in range(dice.choice([1, 1, 1, 3, 10])):
            # The most important bytes are at the beginning.
            found[min(len(found) - 1, int(dice.random() ** 3 * len(found)))] = dice.randrange(256)
    else:
        place = dice.randrange(len(found))
        found[place:place] = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 20)))
    return bytes(found)
