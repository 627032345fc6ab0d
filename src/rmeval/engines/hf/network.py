"""Networks of Hugging Face transformers, and what is read from them."""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import transformers
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.utils import logging as logs

from rmeval.engines import LastToken, Pooled, Reading, Readout, TokenSequence
from rmeval.engines.hf import LOADING_ERRORS
from rmeval.engines.hf.batches import plan_batches
from rmeval.engines.hf.checkpoint import Checkpoint
from rmeval.errors import ModelError

__all__ = ["HFEngine"]

logger = logging.getLogger(__name__)

DTYPES = ("auto", "float32", "bfloat16", "float16")
ENCODERS = frozenset(
    {
        "albert",
        "bert",
        "deberta",
        "deberta-v2",
        "distilbert",
        "electra",
        "modernbert",
        "mpnet",
        "roberta",
        "xlm-roberta",
    }
)
"""Types that pool by themselves, and do not look for padding tokens to do it."""
BUDGETS = {"cuda": 32_768, "mps": 8_192, "cpu": 4_096}
"""Padded tokens a batch, by type of device."""


class HFEngine:
    """Sequence classifiers under torch; weights are loaded at the first run."""

    name = "hf"
    readouts = frozenset({LastToken, Pooled})

    def __init__(
        self,
        checkpoint: Checkpoint,
        dtype: str,
        device: str,
        trust_remote_code: bool,
        model_kwargs: Mapping[str, Any],
        batch_size: int | None,
    ) -> None:
        """Takes the settings of `rmeval.models.ModelOptions`; reads the config, not yet the weights.

        Raises:
            ModelError: If the config cannot be read, or a setting is not to be had.
        """
        if dtype not in DTYPES:
            raise ModelError(f"there is no dtype {dtype!r}: choose one of {', '.join(DTYPES)}")
        self.checkpoint = checkpoint
        self._device = _device(device)
        self._cap = batch_size
        self._load = {
            "revision": checkpoint.revision,
            "trust_remote_code": trust_remote_code,
            "use_safetensors": True,
            **model_kwargs,
        }
        self._dtype = dtype
        self._model: Any = None
        self._unused: list[str] = []
        try:
            # What of model_kwargs the config knows changes it, such as max_position_embeddings; it ignores the rest.
            self.config = AutoConfig.from_pretrained(
                checkpoint.source, revision=checkpoint.revision, trust_remote_code=trust_remote_code, **model_kwargs
            )
        except LOADING_ERRORS as error:
            raise _cannot_load(checkpoint, error) from error

    @property
    def limit(self) -> int | None:
        """Positions the network was built for, if it says so."""
        limit = getattr(self.config.get_text_config(), "max_position_embeddings", None)
        return limit if isinstance(limit, int) and limit > 0 else None

    def identity(self) -> dict[str, Any]:
        """Engine and number format; not device or batch, which are not meant to matter."""
        stated = str(getattr(self.config, "dtype", None) or "checkpoint").removeprefix("torch.")
        return {"engine": self.name, "dtype": stated if self._dtype == "auto" else self._dtype}

    def facts(self) -> dict[str, Any]:
        """Versions, device and the architecture."""
        name = torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else str(self._device)
        return {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "device": name,
            "architecture": type(self._model).__name__ if self._model is not None else None,
            "unused_weights": self._unused,
        }

    def readout(self) -> Readout:
        """How this checkpoint's classifier is read.

        Raises:
            ModelError: If the model cannot be loaded, its head is not in the checkpoint, or of an unknown layout.
        """
        model = self._loaded()
        # transformers keeps the heads of decoders under `score`. Other decoders find the last token by its not being a
        # padding token, which fails where that is a token of the text.
        if not self.config.is_encoder_decoder:
            if self.config.get_text_config().model_type in ENCODERS:
                return Pooled()
            if hasattr(model, "score"):
                return LastToken("score")
        raise ModelError(
            f"{self.checkpoint.source} ({type(model).__name__}) is laid out in a way that cannot be read: "
            "wrap it in a class with a score(conversations) method and give file.py:Class"
        )

    def run(self, sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        """Reads every sequence once, longest first; values are float64[batch, outputs]."""
        model = self._loaded()
        self._check_vocabulary(sequences)
        # In float32 whatever the network computes in: a head that rounds to bfloat16 makes ties that are not there.
        head = copy.deepcopy(getattr(model, readout.head)).float() if isinstance(readout, LastToken) else None
        padding = max(self.config.get_text_config().pad_token_id or 0, 0)
        # Weights that are kept out of memory have no device of their own; what runs them takes inputs from anywhere.
        device = self._device if model.device.type == "meta" else model.device
        for batch in plan_batches([len(sequence) for sequence in sequences], BUDGETS[device.type], self._cap):
            lengths = torch.tensor([len(sequences[position]) for position in batch])
            # Padded on the right whatever the tokenizer says: positions then count from 0 and the last token of a
            # sequence is where its length says. The padding token's id never matters, so pad == eos is harmless.
            ids = torch.full((len(batch), int(lengths.max())), padding, dtype=torch.long)
            for row, position in enumerate(batch):
                ids[row, : lengths[row]] = torch.as_tensor(sequences[position], dtype=torch.long)
            mask = (torch.arange(ids.shape[1])[None, :] < lengths[:, None]).long()
            try:
                values = _forward(model, head, ids.to(device), mask.to(device), lengths)
            except torch.OutOfMemoryError as error:
                raise ModelError(
                    f"{device} has too little memory for {len(batch)} conversations of {ids.shape[1]} tokens: "
                    f"give --batch-size {max(1, len(batch) // 2)}, a smaller --dtype, or --model-kwargs device_map=auto"
                ) from error
            except (RuntimeError, ValueError, IndexError) as error:
                raise ModelError(
                    f"{self.checkpoint.source} fails on {len(batch)} conversations of {ids.shape[1]} tokens "
                    f"({_first_line(error)}): check that it is meant for such input"
                ) from error
            yield Reading(tuple(batch), tuple(values.cpu().double().numpy()))

    def _check_vocabulary(self, sequences: Sequence[TokenSequence]) -> None:
        known = self.config.get_text_config().vocab_size
        largest = max((int(np.max(sequence)) for sequence in sequences), default=0)
        if largest >= known:
            raise ModelError(
                f"the tokenizer gives token {largest} where {self.checkpoint.source} knows {known} tokens: "
                "it is another model's; give the right one with --tokenizer"
            )

    def _loaded(self) -> Any:
        if self._model is None:
            self._model = self._from_pretrained()
        return self._model

    def _from_pretrained(self) -> Any:
        dtype = self._dtype if self._dtype == "auto" else getattr(torch, self._dtype)
        try:
            with _quiet():
                model, found = AutoModelForSequenceClassification.from_pretrained(
                    self.checkpoint.source, dtype=dtype, output_loading_info=True, **self._load
                )
        except LOADING_ERRORS as error:
            raise _cannot_load(self.checkpoint, error) from error
        self._unused = sorted(found["unexpected_keys"])
        if self._unused:
            names = ", ".join(self._unused[:3]) + (", ..." if len(self._unused) > 3 else "")
            logger.warning(
                "%s holds %d weights that this kind of model has no place for (%s): check that it is one",
                self.checkpoint.source,
                len(self._unused),
                names,
            )
        random = {*found["missing_keys"], *(str(key[0]) for key in found["mismatched_keys"])}
        if missing := sorted(random):
            raise ModelError(
                f"{self.checkpoint.source} has no trained weights for {', '.join(missing[:3])}"
                f"{' and others' if len(missing) > 3 else ''}, so its scores would be random: "
                "give a checkpoint that was saved as a sequence classifier (a language model is none)"
            )
        if "device_map" not in self._load:
            try:
                model = model.to(self._device)
            except RuntimeError as error:
                raise ModelError(
                    f"{self.checkpoint.source} cannot be put on {self._device} ({_first_line(error)}): choose another "
                    "--device, a smaller --dtype, or --model-kwargs device_map=auto"
                ) from error
        return model.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps transformers from printing what becomes an error or a note of ours, and bars that nobody sees."""
    level, bars = logs.get_verbosity(), logs.is_progress_bar_enabled()
    logs.set_verbosity_error()
    if not sys.stderr.isatty():
        logs.disable_progress_bar()
    try:
        yield
    finally:
        logs.set_verbosity(level)
        if bars:
            logs.enable_progress_bar()


def _forward(model: Any, head: Any, ids: torch.Tensor, mask: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """float[batch, outputs]: of `head` at the last token of each row, or of the model itself if there is no head."""
    with torch.inference_mode():
        if head is None:
            logits: torch.Tensor = model(input_ids=ids, attention_mask=mask).logits
            return logits
        hidden = model.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        rows = torch.arange(len(lengths), device=hidden.device)
        values: torch.Tensor = head(hidden[rows, (lengths - 1).to(hidden.device)].float())
        return values


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ModelError(f"there is no device {name!r}: choose auto, cpu, cuda, cuda:1 or mps") from None
    if device.type not in BUDGETS or (device.type == "cuda" and not torch.cuda.is_available()):
        raise ModelError(
            f"this machine has no device {name!r}: choose auto or cpu, or install a torch build that sees it"
        )
    return device


def _cannot_load(checkpoint: Checkpoint, error: BaseException) -> ModelError:
    text = str(error)
    where = checkpoint.source
    if "trust_remote_code" in text:
        return ModelError(f"{where} comes with code of its own: read it, and if you trust it give --trust-remote-code")
    if "size mismatch" in text or "ignore_mismatched_sizes" in text:
        return ModelError(
            f"{where}: weights and config disagree in shape ({_first_line(error)}): a reward model saved without its "
            "number of outputs needs --model-kwargs num_labels=1"
        )
    return ModelError(f"{where} cannot be loaded as a sequence classifier ({_first_line(error)}): check that it is one")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
