"""Tiny tokenizers with the structure of Llama 2's, GPT-NeoX's and DeBERTa's: what they add to a text differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

LETTERS = [chr(code) for code in range(33, 127)]
MARKS = ("<|user|>", "<|assistant|>", "<|prompter|>", "<|im_start|>", "<|im_end|>", "<|system|>")


def _llama(first: bool = False) -> PreTrainedTokenizerFast:
    """BPE with ▁ for spaces, one before each text, and <s> before the whole.

    With `first` the ▁ is only before the beginning, as in Llama's tokenizers with `legacy: false`.
    """
    tokens = ["<unk>", "<s>", "</s>", "▁", "\n", *LETTERS, "▁U", "SE", "<0x0A>"]
    merges = [("▁", "U"), ("S", "E")]
    made = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges, unk_token="<unk>"))
    if first:
        made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    else:
        made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    made.add_special_tokens(["<unk>", "<s>", "</s>"])
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )


def llama() -> PreTrainedTokenizerFast:
    """As Llama 2's."""
    return _llama()


def llama_first() -> PreTrainedTokenizerFast:
    """As Llama's with `legacy: false`."""
    return _llama(first=True)


def neox() -> PreTrainedTokenizerFast:
    """Byte-level BPE, as GPT-NeoX's: nothing is added, although there is a BOS."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|endoftext|>", *alphabet, "Ġt", "he"]
    made = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, [("Ġ", "t"), ("h", "e")]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<|endoftext|>", *MARKS])
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token=end, eos_token=end, unk_token=end, pad_token=end)


def deberta() -> PreTrainedTokenizerFast:
    """Unigram with ▁ for spaces, [CLS] before and [SEP] after a text or a pair, as DeBERTa-v3's."""
    names = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    vocabulary = [(name, 0.0) for name in names] + [(letter, -5.0) for letter in ["▁", *LETTERS]] + [("▁the", -6.0)]
    made = Tokenizer(models.Unigram(vocabulary, unk_id=3, byte_fallback=False))
    made.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.Replace(Regex(r"\s+"), " ")])
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    made.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    made.add_special_tokens(names)
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="[CLS]",
        eos_token="[SEP]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
    )


TOKENIZERS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "llama": llama,
    "llama, legacy false": llama_first,
    "neox": neox,
    "deberta": deberta,
}


def saved(folder: Path, name: str) -> Path:
    """A folder with a tokenizer of a name in `TOKENIZERS`."""
    TOKENIZERS[name]().save_pretrained(folder)
    return folder
