"""Tiny process reward models in published layouts, with tokenizers that split text as those of the published models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from tests.checkpoints import CHATML
from tests.zoo.bodies import LLAMA_3, LLAMA_3_TOKENS, body_config, body_weights, numbers, write_checkpoint

SPLIT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""How Llama 3 and Qwen 2 split text before merges: line breaks belong to the punctuation before them."""
TEXTS = (
    "so the sum is (3 + 4) = 7.\n\nthe answer is 7.\n\nstep 1: add.\n\nstep 2: we get x = 2.\n",
    "- one thing.\n- another thing:\n\n\\[ x = 1 \\]\n\nthen $x$ is one.\n\ntherefore (done).\n\n",
    "why is it so, and what is the value of it?\n\nbecause!\n\n",
)
QUESTION = "What is 3 + 4 * 2?"
INPUTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (QUESTION, ("First 4 * 2 = 8.", "Then 3 + 8 = 11.", "The answer is \\boxed{11}.")),
    (QUESTION, ("First 3 + 4 = 7.", "Then 7 * 2 = 14.")),
    ("Why is it so?\n\nGive a reason.", ("Because (it is so).", "- one\n- two", "so: yes!", "- three.", "Done")),
    ("Add one.", ("2",)),
    ("What is the value of $x$?", ("\\[ x = 1 \\]", "Therefore x = 1, so it is one.")),
    ("Is it naïve?", ("Yes: “naïve”.", "No, it is not; see 3.14 above.")),
    ("What is 12 / 5?", ("It is 2.4", "that is, 2 and 2/5", "so:\n```python\nprint(12 / 5)\n```", "2.4")),
)
"""Questions with the steps of a response. Some end in punctuation, which merges with a line break after it."""


def byte_level(special: tuple[str, ...], *, size: int = 380, **options: Any) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with merges of punctuation and line breaks; special tokens come last."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **options)


def qwen_tokenizer(**options: Any) -> PreTrainedTokenizerFast:
    """As that of Qwen2.5-Math-PRM: `<extra_0>` is a special token."""
    special = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<extra_0>")
    made = byte_level(special, eos_token="<|im_end|>", pad_token="<|endoftext|>", **options)
    made.chat_template = CHATML
    return made


def llama_tokenizer() -> PreTrainedTokenizerFast:
    """As Llama 3's: its template writes BOS, and a turn ends in a special token."""
    made = byte_level(LLAMA_3_TOKENS, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>")
    made.chat_template = LLAMA_3
    return made


def spaced(*pieces: str, pad: str) -> PreTrainedTokenizerFast:
    """As Mistral's: pieces with a mark for a space before them, single characters, bytes, and BOS before each text."""
    words = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    characters = sorted({character for piece in (*pieces, *map(chr, range(33, 127))) for character in piece} | {"▁"})
    vocabulary = {word: number for number, word in enumerate(words + characters)}
    merges = []
    for piece in pieces:
        for end in range(2, len(piece) + 1):
            if piece[:end] not in vocabulary:
                merges.append((piece[: end - 1], piece[end - 1]))
                vocabulary[piece[:end]] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in words[:3]])
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token=pad, model_max_length=512
    )


def _written(
    folder: Path,
    kind: str,
    head: dict[str, tuple[int, ...]],
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    **stated: Any,
) -> Path:
    """A checkpoint with a body and further weights of the given shapes."""
    size = max(tokenizer.get_vocab().values()) + 1
    config = body_config(kind, vocab_size=size, tie_word_embeddings=False)
    weights = {name: numbers(seed * 1000 + 500 + k, *shape) for k, (name, shape) in enumerate(sorted(head.items()))}
    return write_checkpoint(folder, config, body_weights(config, seed) | weights, tokenizer, **stated)


def qwen_prm(folder: Path) -> Path:
    """Two linear layers with two outputs (Qwen2ForProcessRewardModel), and a head of a language model beside them."""
    tokenizer = qwen_tokenizer()
    head: dict[str, tuple[int, ...]] = {"score.0.weight": (32, 32), "score.0.bias": (32,), "score.2.weight": (2, 32)}
    head |= {"score.2.bias": (2,), "lm_head.weight": (len(tokenizer), 32)}
    return _written(folder, "qwen2", head, tokenizer, 21, architectures=["Qwen2ForProcessRewardModel"], num_labels=2)


def skywork_prm(folder: Path) -> Path:
    """A language model with TRL's value head (PRM_MODEL)."""
    tokenizer = qwen_tokenizer(bos_token="<|endoftext|>")
    head = {"v_head.summary.weight": (1, 32), "v_head.summary.bias": (1,), "lm_head.weight": (len(tokenizer), 32)}
    return _written(folder, "qwen2", head, tokenizer, 22, architectures=["Qwen2ForCausalLM"])


def pure_prm(folder: Path) -> Path:
    """A token classifier with two classes (Qwen2ForTokenClassification)."""
    head = {"score.weight": (2, 32), "score.bias": (2,)}
    stated = {"architectures": ["Qwen2ForTokenClassification"], "num_labels": 2}
    return _written(folder, "qwen2", head, qwen_tokenizer(), 23, **stated)


def math_shepherd(folder: Path) -> Path:
    """A Mistral language model; the token of the step tag, and those of the labels, begin with a space."""
    tokenizer = spaced("▁ки", "▁+", "▁-", "▁the", "Step", "▁is", pad="<unk>")
    return _written(folder, "mistral", {"lm_head.weight": (len(tokenizer), 32)}, tokenizer, 24)


def rlhflow_prm(folder: Path) -> Path:
    """A Llama 3 language model that answers + or - to each step."""
    tokenizer = llama_tokenizer()
    return _written(folder, "llama", {"lm_head.weight": (len(tokenizer), 32)}, tokenizer, 25)


def versa_prm(folder: Path) -> Path:
    """A Llama 3 language model; its code states the ids 10 of +, 12 of - and 23535 of a space with four line breaks."""
    tokenizer = byte_level(LLAMA_3_TOKENS, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>")
    backend = tokenizer.backend_tokenizer
    vocabulary = dict(backend.get_vocab(with_added_tokens=False))
    merges = [tuple(pair) for pair in json.loads(backend.to_str())["model"]["merges"]]
    vocabulary |= {"ĊĊĊĊ": 400, "ĠĊĊĊĊ": 23535}
    backend.model = models.BPE(vocabulary, [*merges, ("ĊĊ", "ĊĊ"), ("Ġ", "ĊĊĊĊ")])
    return _written(folder, "llama", {"lm_head.weight": (23536, 32)}, tokenizer, 26)


def trl_prm(folder: Path) -> Path:
    """A token classifier with two classes (LlamaForTokenClassification), and a tokenizer that has BOS."""
    head = {"score.weight": (2, 32), "score.bias": (2,)}
    stated = {"architectures": ["LlamaForTokenClassification"], "num_labels": 2}
    return _written(folder, "llama", head, llama_tokenizer(), 29, **stated)


def reason_eval(folder: Path, size: str) -> Path:
    """A Mistral or Llama body with three classes; the padding token ends a step in the text, and is removed."""
    tokenizer = spaced("▁the", "▁is", "Step", pad="<s>" if size == "7b" else "</s>")
    stated: dict[str, Any] = (
        {"score_dimension": 3, "use_bias": True} if size == "7b" else {"score_dim": 3, "bias": True}
    )
    kind = "mistral" if size == "7b" else "llama"
    head = {"score_head.weight": (3, 32), "score_head.bias": (3,)}
    return _written(folder, kind, head, tokenizer, 27 if size == "7b" else 28, **stated)
