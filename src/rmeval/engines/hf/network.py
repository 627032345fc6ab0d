"""Networks of Hugging Face transformers; the config is read at once, weights when they are needed."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
)

from rmeval.engines.head_layout import HeadLayout
from rmeval.engines.hf import ENCODERS
from rmeval.engines.hf.adapter import adapter_modules, lay_over, task_of
from rmeval.engines.hf.checkpoint import Checkpoint
from rmeval.engines.hf.code import (
    any_error,
    check_names,
    check_numbers,
    complete_class,
    is_own_class,
    own_class,
    passed_over,
    restore_unsaved,
)
from rmeval.engines.hf.devices import find_device, multiplies_bfloat16, placed
from rmeval.engines.hf.heads import CLASSIFIERS, find_head, put_on, refuse_whole_numbers
from rmeval.engines.hf.laid_out import body_config, load_laid_out
from rmeval.engines.hf.own_forward import Forward
from rmeval.engines.hf.positions import most_positions
from rmeval.engines.hf.quiet import quiet
from rmeval.engines.hf.refusals import cannot_load, untrained, wrong_shapes
from rmeval.engines.hf.stops import stated_stops
from rmeval.engines.hf.threads import Threads
from rmeval.errors import ModelError
from rmeval.loading import LOADING_ERRORS
from rmeval.messages import chosen_from

__all__ = ["Network"]

logger = logging.getLogger(__name__)

DTYPES = ("auto", "float32", "bfloat16", "float16")
LANGUAGE_MODELS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
NO_LANGUAGE_MODELS = ("ForSequenceClassification", "ForTokenClassification", "ForMaskedLM", "ForQuestionAnswering")


class Network:
    """A sequence classifier or a language model; weights are loaded at their first use.

    Attributes:
        language_model: Whether it is run as a language model.
        model_kwargs: Additional arguments of `from_pretrained`.
        forward: The network's own forward, for classifiers.
        threads: The number of CPU threads to compute with.
        head_name: Name of the head that was attached to its body, if any.
        passed_over: The class that its config names although another was loaded, and what to do about it.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        dtype: str,
        device: str,
        trust_remote_code: bool,
        model_kwargs: Mapping[str, Any],
        language_model: bool = False,
        head: str | None = None,
        layout: HeadLayout | None = None,
    ) -> None:
        """Read the config, with the settings of `EngineOptions`; weights are not loaded yet.

        Raises:
            ModelError: If the config cannot be read, or a setting is not available.
        """
        if dtype not in DTYPES:
            raise ModelError(f"there is no dtype {dtype!r}: {chosen_from(dtype, DTYPES)}")
        self.checkpoint = checkpoint
        self.language_model = language_model
        self.model_kwargs = model_kwargs
        self._head = head
        self._layout = layout
        self._device = find_device(device)
        self._load = {
            "revision": checkpoint.revision,
            "trust_remote_code": trust_remote_code,
            "use_safetensors": True,
            **model_kwargs,
        }
        self._dtype = dtype
        self.threads = Threads(checkpoint.name, self._device.type == "cpu")
        self._model: Any = None
        self._adapted: Any = None
        self._unused: list[str] = []
        self.passed_over: tuple[str, str] | None = None
        self.head_name: str | None = None
        self.forward = Forward(self)
        if self._load["use_safetensors"] is False:
            # The head may be a pickle next to weights that are not.
            self._load["use_safetensors"] = not any(path.suffix == ".bin" for path in checkpoint.weights()[:1])
        self.config = self._read_config()

    def _read_config(self) -> Any:
        checkpoint, code = self.checkpoint, self._load["trust_remote_code"]
        check_numbers(checkpoint.stated(), f"the config of {checkpoint.source}")
        check_numbers(self.model_kwargs, "`model_kwargs`")
        if self._layout is not None and self._layout.body_type:
            return body_config(checkpoint, self._layout, self.model_kwargs)
        try:
            # model_kwargs that the config has, such as max_position_embeddings, change it; it ignores the others.
            config = AutoConfig.from_pretrained(
                checkpoint.source, revision=checkpoint.revision, trust_remote_code=code, **self.model_kwargs
            )
        except LOADING_ERRORS as error:
            raise cannot_load(checkpoint, error) from error
        check_names(config, checkpoint.source)
        return config

    @property
    def architectures(self) -> tuple[str, ...]:
        """The names of its class, as its config states them."""
        return tuple(self.config.architectures or ())

    @property
    def generates(self) -> bool:
        """Whether it is a language model, with or without an encoder."""
        return any(name.endswith(LANGUAGE_MODELS) for name in self.architectures)

    @property
    def pools_mean(self) -> bool:
        """Whether an encoder pools the mean of all tokens instead of the first token."""
        return getattr(self.config.get_text_config(), "classifier_pooling", "cls") == "mean"

    @property
    def score_token(self) -> int | None:
        """The id of the token at which its score is read, if its config states it."""
        stated = getattr(self.config, "reward_token_id", None)
        return stated if isinstance(stated, int) else None

    @property
    def limit(self) -> int | None:
        """Maximum number of positions, if the config states it."""
        return most_positions(self.config)

    @property
    def stops(self) -> tuple[int, ...]:
        """The tokens that end a text according to `generation_config.json`, or the config without that file."""
        return stated_stops(self.checkpoint, self.config)

    @property
    def vocabulary(self) -> int | None:
        """Size of its vocabulary, if its config states it."""
        known: int | None = getattr(self.config.get_text_config(), "vocab_size", None)
        return known

    @property
    def padding(self) -> int:
        """The id of the token that pads batches."""
        return max(getattr(self.config.get_text_config(), "pad_token_id", None) or 0, 0)

    def identity(self) -> dict[str, Any]:
        """Its number format, and whether its own forward is used; not the device, which should not change scores."""
        stated = str(getattr(self.config, "dtype", None) or "checkpoint").removeprefix("torch.")
        # Older versions read the scores of a checkpoint's own class without comparing them with its forward.
        counts = {"forward": "own@1"} if self._own is not None and not self.language_model else {}
        return {"dtype": stated if self._dtype == "auto" else self._dtype, **counts}

    @property
    def _own(self) -> tuple[str, str] | None:
        """Auto class and reference of the checkpoint's own class that is run, if its code may run."""
        return own_class(self.config, self.language_model) if self._load["trust_remote_code"] else None

    def facts(self) -> dict[str, Any]:
        """Versions, device and the architecture."""
        name = torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else str(self._device)
        return {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "device": name,
            **self.threads.facts(),
            "architecture": type(self._model).__name__ if self._model is not None else None,
            "unused_weights": self._unused,
            **({"code_passed_over": self.passed_over[0]} if self.passed_over else {}),
            **self.forward.facts(),
        }

    @property
    def multiplies_bfloat16(self) -> bool:
        """Whether the device has bfloat16 instructions; True if unknown."""
        return multiplies_bfloat16(self._device)

    @property
    def explicit_attention(self) -> str | None:
        """The implementation of attention that the user chose, if any."""
        asked: str | None = self._load.get("attn_implementation")
        return asked

    @property
    def model(self) -> Any:
        """The transformers model.

        Raises:
            ModelError: If it cannot be loaded, or its head is not in the checkpoint.
        """
        if self._model is None:
            self._model = self._from_pretrained()
        return self._model

    def find_head(self) -> str | None:
        """The name of the checkpoint's head; None for a sequence classifier's, which transformers loads.

        Raises:
            ModelError: If the head that the user names does not exist, or the checkpoint has several heads.
        """
        return find_head(self.checkpoint, self.config, self._head, self._own is not None)

    def require_language_model(self, encoder: bool = False) -> None:
        """Check that the checkpoint is a language model.

        Args:
            encoder: Whether it may have an encoder, which reads the whole input before the first output.

        Raises:
            ModelError: If its config states a classifier, or an encoder, which sees the tokens that it predicts.
        """
        names = self.architectures
        wrong = next((name for name in names if name.endswith(NO_LANGUAGE_MODELS)), None)
        if wrong is None and self.config.is_encoder_decoder and not encoder:
            wrong = f"{names[0] if names else self.config.model_type}, which has an encoder"
        if self.checkpoint.adapter is not None and wrong is None:
            return
        if wrong is None and self.config.get_text_config().model_type in ENCODERS:
            wrong = self.config.model_type
        if wrong is not None:
            raise ModelError(
                f"{self.checkpoint.source} is not a causal language model (its config states {wrong}), so its token "
                "probabilities are meaningless: give a causal language model"
            )

    def release(self) -> None:
        """Free the weights' memory; they are loaded again when needed."""
        self._model = self._adapted = None
        self.forward.forget()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @contextmanager
    def used(self, adapted: bool = True) -> Iterator[None]:
        """Prepare the model for a step of reading, inside the context.

        Args:
            adapted: Whether its adapter, if it has one, is enabled.
        """
        if adapted:
            yield
            return
        _ = self.model
        with self._adapted.disable_adapter():
            yield

    def below(self, base: Checkpoint) -> Network:
        """The network of an adapter's base model, with the same settings."""
        code = self._load["trust_remote_code"]
        return Network(base, self._dtype, str(self._device), code, self.model_kwargs, self.language_model)

    @property
    def device(self) -> torch.device:
        """The device of inputs."""
        # Weights that are kept out of memory have no device; their forward takes inputs from any device.
        device: torch.device = self.model.device
        return self._device if device.type == "meta" else device

    @property
    def _torch_dtype(self) -> Any:
        return self._dtype if self._dtype == "auto" else getattr(torch, self._dtype)

    def _laid_out(self, layout: HeadLayout) -> Any:
        """The body with the head that a card describes."""
        load = {**self._load, "dtype": self._torch_dtype}
        refuse_whole_numbers(self.checkpoint, self.config)
        self.head_name = layout.title
        return self._placed(load_laid_out(self.checkpoint, layout, load, self.config)).eval()

    def _from_pretrained(self) -> Any:
        checkpoint = self.checkpoint
        if self._layout is not None and not self.language_model:
            return self._laid_out(self._layout)
        head = None if self.language_model else self.find_head()
        trained: dict[str, tuple[int, ...]] = {}
        load = dict(self._load)
        if checkpoint.adapter is not None:
            trained = adapter_modules(checkpoint.adapter)
            # The base's config lacks the adapter's head, such as its number of outputs.
            if not self.language_model and (heads := [trained[name] for name in trained if name.endswith(CLASSIFIERS)]):
                load.setdefault("num_labels", heads[0][0])
        model, found = self._weights(head, load)
        if head is not None and self._head is None and is_own_class(model):
            # The checkpoint's own class may have loaded it.
            head = head if f"{head}.weight" in found["unexpected_keys"] else None
        random = {*found["missing_keys"], *(str(key[0]) for key in found["mismatched_keys"])} - set(trained)
        wrong = [one for one in found["mismatched_keys"] if str(one[0]) not in trained]
        if wrong:
            raise wrong_shapes(checkpoint, wrong, "num_labels" in self._load, self._advice)
        refuse_whole_numbers(checkpoint, self.config)
        if head is not None:
            if self.config.is_encoder_decoder:
                raise ModelError(
                    f"{checkpoint.source} has an encoder, to whose hidden states rmeval cannot attach the head {head}: "
                    "wrap it in a class with a score(conversations) method and give file.py:Class"
                )
            put_on(model, checkpoint, head)
            self.head_name = head
            # The body's pooler is not read.
            random = {name for name in random if "pooler" not in name.split(".")}
        if random:
            raise untrained(checkpoint, sorted(random), self.language_model, self._advice, self.generates)
        self._note_passed_over(model, head)
        self._note_unused(found["unexpected_keys"], head)
        if checkpoint.adapter is not None:
            self._adapted = lay_over(model, checkpoint.adapter)
            model = self._adapted.get_base_model()
            # The adapter may have added tokens.
            self.config.get_text_config().vocab_size = model.get_input_embeddings().weight.shape[0]
        return self._placed(model).eval()

    def _weights(self, head: str | None, load: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
        """The model as transformers loads it, and its report on missing and unexpected weights."""
        # rmeval raises an error for mismatched shapes, which transformers only logs.
        load = {**load, "dtype": self._torch_dtype, "output_loading_info": True, "ignore_mismatched_sizes": True}
        own = self._own if self._head is None else None
        try:
            with quiet(), any_error():
                if own is not None:
                    complete_class(own[1], self.checkpoint.source, load["revision"], load.get("code_revision"))
                kind = self._kind(head) if own is None else getattr(transformers, own[0])
                model, found = kind.from_pretrained(self.checkpoint.source, **load)
                if own is not None:
                    restore_unsaved(model)
        except LOADING_ERRORS as error:
            raise cannot_load(self.checkpoint, error, self.language_model) from error
        return model, found

    def _kind(self, head: str | None) -> Any:
        """The auto class of transformers that loads the model."""
        if self.language_model:
            return AutoModelForSeq2SeqLM if self.config.is_encoder_decoder else AutoModelForCausalLM
        if head is None:
            return AutoModelForSequenceClassification
        # The names of an adapter's layers are those of the model on which it was trained.
        adapter = self.checkpoint.adapter
        return AutoModelForCausalLM if adapter is not None and task_of(adapter) == "CAUSAL_LM" else AutoModel

    def _note_passed_over(self, model: Any, head: str | None) -> None:
        """Log a warning if the checkpoint names its own class and another was loaded."""
        self.passed_over = None if is_own_class(model) else passed_over(self.config, self.language_model, head)
        if self.passed_over is not None:
            logger.warning(
                "%s names its own class (%s), which was not loaded: scores are those of transformers' %s; %s",
                self.checkpoint.source,
                self.passed_over[0],
                type(model).__name__,
                self.passed_over[1],
            )

    @property
    def _advice(self) -> str:
        """Advice for checkpoints whose own class may not run."""
        own = own_class(self.config, self.language_model)
        if own is None or self._load["trust_remote_code"]:
            return ""
        return f"; its config names its own class ({own[1]}): read that code, and try `trust_remote_code`"

    def _note_unused(self, names: Iterable[str], head: str | None) -> None:
        # These are replaced by another head, or by the adapter's.
        own = ("lm_head.", f"{head}.") if head is not None or self.checkpoint.adapter is not None else ()
        self._unused = sorted(name for name in names if not name.startswith(own))
        if self._unused:
            some = ", ".join(self._unused[:3]) + (", ..." if len(self._unused) > 3 else "")
            logger.warning(
                "%s holds %d weights that this kind of model does not use (%s): check that it is of this kind",
                self.checkpoint.source,
                len(self._unused),
                some,
            )

    def _placed(self, model: Any) -> Any:
        """The model on its device."""
        return placed(model, self._device, self.checkpoint.source, move="device_map" not in self._load)
