"""Loads tokenizers whose tokens are those of their `tokenizer.json`, whichever class transformers uses."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import tokenizers
from huggingface_hub import try_to_load_from_cache
from transformers import AutoTokenizer, TokenizersBackend
from transformers.tokenization_utils_base import get_fast_tokenizer_file

from rmeval.errors import ModelError, reason_of
from rmeval.loading import LOADING_ERRORS
from rmeval.rendering.files import find_tokenizer
from rmeval.rendering.token_source import Encode, TokenSource

__all__ = [
    "PROBES",
    "TOKENIZER_PLACES",
    "LoadedTokenizer",
    "complete",
    "find_file",
    "forget_absent",
    "load_tokenizer",
    "of_backend",
    "of_tokenizer",
    "other_tokenizer",
    "same_tokens",
    "with_special",
]

logger = logging.getLogger(__name__)

TOKENIZER_PLACES = (
    "cache_dir",
    "force_download",
    "gguf_file",
    "local_files_only",
    "proxies",
    "revision",
    "subfolder",
    "token",
    "trust_remote_code",
    "use_auth_token",
)
"""Arguments of `from_pretrained` that set where a tokenizer is, not how it splits texts."""
PROBES = (
    "1234567 + 89 = 3.14159, 1,000,000 and 10^-3; 0x1F 2024-07-26 ①②③ ٣٤٥ ½",
    " one  two   three    four\tfive\t\tsix ",
    "line\n\nline\r\n  line\n\t\n\n\n",
    "Don't, I'LL, we've, THEY'RE; naïve cafe\u0301 Zoe\u0308 ﬁne Ⅻ ǅ ß İ",
    "CamelCaseWords snake_case_words kebab-case http://example.org/a?b=c&d=%20#e user@example.org",
    'def f(x):\n    return {\'a\': [x**2, x // 3], "b": f"{x!r:>10}"}  # ok\n\n\nif x>=0 and y!=1:;;\n',
    "你好，世界！人工智能模型。日本語のテキストです。カタカナ 한국어 문장입니다 ไทย हिन्दी العربية עברית",  # noqa: RUF001
    "🙂👩‍👩‍👧‍👦🏳️‍🌈✌🏽 é𝔘𝕟𝕚 \u200b\u00a0\u3000\ufeff\u202e\u00ad",
    "▁under▁score Ġbyte ##piece </w> @@ <0x0A> <unk> <s> </s> [CLS] [SEP] [INST] <|im_end|> <|eot_id|>",
    "**bold** _it_ `code`\n\n```python\nprint(1)\n```\n- item\n  1. item\n### Head\n| a | b |\n|---|---|\n$x^2$",
    "...!!!???---===###___,,, «quoted» “quoted” ‘quoted’ — – … •",  # noqa: RUF001
    "A",
    " A",
    "\nA",
    "",
)
"""Texts on which pre-tokenizers and normalisers differ: digits, spaces, line ends, accents, scripts, emoji, marks."""
_CONFIGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
_NAMED = 5
"""Largest number of tokens that a message names."""
_SPECIAL = 64
"""Largest number of special tokens that are tested, each between words and at line ends."""


LoadedTokenizer = tuple[Any, TokenSource]
"""A tokenizer of transformers, and the source of its tokens."""


def load_tokenizer(
    source: str, revision: str | None, trust_remote_code: bool, kwargs: Mapping[str, Any]
) -> LoadedTokenizer:
    """Load a tokenizer whose tokens are those of its `tokenizer.json`.

    transformers 5 rebuilds pre-tokenizer and normaliser in each class, and so splits some texts differently from the
    file with which the model was trained (huggingface/transformers#45920, #45488, #48206).

    Args:
        source: Path or hub id.
        revision: Full commit hash on the hub; None for a folder.
        trust_remote_code: Whether code that comes with it may run.
        kwargs: Options for its class, such as `{"fix_mistral_regex": True}`; if any are given, the class is used.

    Raises:
        ModelError: If an option sets where the tokenizer is, or `tokenizer.json` cannot be read.
        Exception: Any error of transformers on files that it cannot load.
    """
    if place := next((name for name in kwargs if name in TOKENIZER_PLACES), None):
        raise ModelError(
            f"`tokenizer_kwargs` does not accept {place}: give the place as `tokenizer` FOLDER, or use `revision` and "
            "`trust_remote_code`"
        )
    tokenizer = _by_class(source, revision, trust_remote_code, kwargs)
    file = find_file(tokenizer, source, revision)
    found = TokenSource(source, type(tokenizer).__name__, file)
    _warn_of_mistral(tokenizer, source)
    if file is None:
        return tokenizer, found
    try:
        backend = tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # The library raises bare Exceptions.
        raise ModelError(f"{file} cannot be read as a tokenizer ({error}): download it again") from error
    added = complete(backend, tokenizer, set(_texts_in([_json(source, revision, name) for name in _CONFIGS])))
    if words := [name for name in added if re.fullmatch(r"[\w ]+", name)]:
        logger.warning(
            "the tokenizer of %s: its config adds the tokens %s, which are not in %s; if they occur in texts, check "
            "that the model was trained with them",
            source,
            ", ".join(map(repr, words[:_NAMED])),
            file.name,
        )
    if kwargs:
        found.compare(of_tokenizer(tokenizer), of_backend(backend), [*PROBES, *with_special(backend, tokenizer)])
        return tokenizer, found
    return _held_to(backend, tokenizer, found, partial(TokenizersBackend.from_pretrained, source, revision=revision))


_SAMPLE = "What is the capital of France? Paris, naïvely: 3.14 - x[0] = {'a': 1}\n\tdef"


def other_tokenizer(source: str, revision: str | None, code: bool) -> Any:
    """The tokenizer at a place, to compare another one with; None if it cannot be loaded."""
    try:
        find_tokenizer(source, revision)
        return load_tokenizer(source, revision, code, {})[0]
    except (ModelError, *LOADING_ERRORS):
        return None


def same_tokens(tokenizer: Any, other: Any) -> bool:
    """Whether another tokenizer yields the same tokens for a sample text and for this tokenizer's template.

    Args:
        tokenizer: This tokenizer, which has a chat template.
        other: The other tokenizer.
    """
    laid_out = tokenizer.apply_chat_template([{"role": "user", "content": _SAMPLE}], return_dict=True)["input_ids"]
    one, two = (own(_SAMPLE, add_special_tokens=False)["input_ids"] for own in (tokenizer, other))
    known, theirs = tokenizer.get_vocab(), other.get_vocab()
    return (
        one == two
        and all(known.get(token, number) == number for token, number in theirs.items())
        and bool(other.convert_tokens_to_ids(tokenizer.convert_ids_to_tokens(laid_out)) == laid_out)
    )


@contextmanager
def _any_type() -> Iterator[None]:
    """Silence transformers' warnings about a config of an unknown type, on which a tokenizer does not depend."""
    logs = logging.getLogger("transformers.configuration_utils")
    before = logs.level
    logs.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logs.setLevel(before)


def _by_class(source: str, revision: str | None, trust_remote_code: bool, kwargs: Mapping[str, Any]) -> Any:
    """The tokenizer of the class that its config names, or of its `tokenizer.json` if that fails."""
    try:
        with _any_type():
            return AutoTokenizer.from_pretrained(
                source, revision=revision, trust_remote_code=trust_remote_code, **dict(kwargs)
            )
    except Exception as error:  # The tokenizers library raises bare Exceptions on broken files.
        # Some classes cannot be built from a file that was written for another class.
        if (found := None if kwargs else _generic(source, revision)) is None:
            raise
        logger.warning(
            "the tokenizer of %s cannot be loaded by the class that its config names (%s): its tokenizer.json is used",
            source,
            reason_of(error),
        )
        return found


def _held_to(
    backend: tokenizers.Tokenizer, tokenizer: Any, found: TokenSource, generic: Callable[[], Any]
) -> tuple[Any, TokenSource]:
    """A tokenizer that yields the tokens of its file, if its class allows that.

    Args:
        backend: The tokenizer of the file, with the tokens that the config adds.
        tokenizer: The tokenizer that transformers loaded.
        found: Records the difference of the two.
        generic: Creates a tokenizer of the class that works with any file.
    """
    own = getattr(tokenizer, "_tokenizer", None)
    texts = [*PROBES, *with_special(backend, tokenizer)]
    if isinstance(own, tokenizers.Tokenizer):
        found.uses_file = True
        # A tokenizer sets this at each call. The file has no such setting, and does not split special tokens.
        own.encode_special_tokens = bool(tokenizer.split_special_tokens)
        tokenizer.split_special_tokens = False
        found.compare(of_backend(backend), of_backend(own), texts)
        if backend.post_processor is None or {"add_bos_token", "add_eos_token"} & set(tokenizer.init_kwargs):
            # The config's settings of BOS and EOS take precedence over the file.
            backend.post_processor = own.post_processor
        tokenizer._tokenizer = backend
        forget_absent(tokenizer, backend)
    elif type(tokenizer).__module__.startswith("transformers."):
        # A class written in Python does not contain a backend; the generic class does.
        found.uses_file = True
        found.compare(of_backend(backend), of_tokenizer(tokenizer), texts)
        made = generic()
        made._tokenizer, made.chat_template = backend, tokenizer.chat_template
        tokenizer = made
    else:
        found.keep_class("it comes with the checkpoint")
        found.compare(of_tokenizer(tokenizer), of_backend(backend), texts)
    return tokenizer, found


def _generic(source: str, revision: str | None) -> Any:
    """The tokenizer of `tokenizer.json` alone; None if it cannot be loaded either."""
    try:
        return TokenizersBackend.from_pretrained(source, revision=revision)
    except Exception:  # noqa: BLE001  The tokenizers library raises bare Exceptions; the caller raises the first.
        return None


def find_file(tokenizer: Any, source: str, revision: str | None) -> Path | None:
    """The `tokenizer.json` of the same revision, under the name in its config for this version of transformers."""
    versions = tokenizer.init_kwargs.get("fast_tokenizer_files")
    name = get_fast_tokenizer_file(versions) if versions else "tokenizer.json"
    return _file(source, revision, name)


def _file(source: str, revision: str | None, name: str) -> Path | None:
    folder = Path(source)
    if folder.is_dir():
        return folder / name if (folder / name).is_file() else None
    # transformers has downloaded it with the other files, if it exists.
    cached = try_to_load_from_cache(source, name, revision=revision)
    return Path(cached) if isinstance(cached, str) else None


def _json(source: str, revision: str | None, name: str) -> Any:
    file = _file(source, revision, name)
    return None if file is None else json.loads(file.read_text(encoding="utf-8"))


def _texts_in(value: Any) -> Iterator[str]:
    """All texts in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _texts_in(one)


def complete(backend: tokenizers.Tokenizer, tokenizer: Any, stated: Collection[str]) -> list[str]:
    """Add the tokens that only the config defines, and disable the file's truncation and padding.

    Args:
        backend: The tokenizer of the file.
        tokenizer: The tokenizer that transformers loaded.
        stated: The texts in its config.

    Returns:
        The tokens that were added.
    """
    added = []
    backend.no_truncation()
    backend.no_padding()
    known = backend.get_vocab(with_added_tokens=True)
    have = backend.get_added_tokens_decoder()
    for number, token in sorted(tokenizer.added_tokens_decoder.items()):
        # The file's own definition takes precedence, and tokens that a class adds by default are not trained.
        if number not in have and known.get(token.content, number) == number and token.content in stated:
            (backend.add_special_tokens if token.special else backend.add_tokens)([token])
            added.append(token.content)
    return added


def forget_absent(tokenizer: Any, backend: tokenizers.Tokenizer) -> None:
    """Unset special tokens that a class has by default and the file does not contain."""
    for name in tokenizer.SPECIAL_TOKENS_ATTRIBUTES:
        token = tokenizer._special_tokens_map.get(name)
        if token is not None and backend.token_to_id(str(token)) is None:
            setattr(tokenizer, name, None)


def with_special(backend: tokenizers.Tokenizer, tokenizer: Any) -> list[str]:
    """Texts with the special tokens of both, which may match inside words or absorb spaces."""
    names = [token.content for token in backend.get_added_tokens_decoder().values()]
    names = list(dict.fromkeys([*map(str, tokenizer.all_special_tokens), *names]))[:_SPECIAL]
    return [f"one {name} two{name}three\n{name}\nfour{name}" for name in names]


def of_backend(backend: tokenizers.Tokenizer) -> Encode:
    """The tokens of the tokenizers library."""
    # The fast method leaves out offsets, which are not needed.
    return lambda texts: [one.ids for one in backend.encode_batch_fast(list(texts), add_special_tokens=False)]


def of_tokenizer(tokenizer: Any) -> Encode:
    """The tokens of a tokenizer of transformers."""
    return lambda texts: [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]


def _warn_of_mistral(tokenizer: Any, source: str) -> None:
    """Log a warning about a known error in some files that transformers does not correct by default."""
    if getattr(getattr(tokenizer, "_tokenizer", None), "fix_mistral_regex", None) is False:
        logger.warning(
            "the tokenizer of %s has a regular expression that its publisher calls wrong "
            "(hub discussion 84 of mistralai/Mistral-Small-3.1-24B-Instruct-2503): it is used unchanged; if the model "
            "was trained with the corrected one, give `tokenizer_kwargs` fix_mistral_regex=true",
            source,
        )
