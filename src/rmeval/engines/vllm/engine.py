"""The engine on vLLM, which runs a sequence classifier or a causal language model on the GPUs (or the CPU) it sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from rmeval.engines.base import (
    Description,
    Engine,
    EngineOptions,
    LastToken,
    Place,
    Pooled,
    Reading,
    Readout,
    TokenSequence,
)
from rmeval.engines.generation import Generated, Generation
from rmeval.engines.hf import ENCODERS
from rmeval.engines.hf.checkpoint import Checkpoint, find_checkpoint, tokenizer_place
from rmeval.engines.hf.code import own_class
from rmeval.engines.hf.description import check_vocabulary, described
from rmeval.engines.hf.heads import SEQUENCE_CLASSIFIER, refuse_whole_numbers, weight_files
from rmeval.engines.hf.network import Network
from rmeval.engines.hf.refusals import untrained
from rmeval.engines.vllm.arguments import check_arguments, check_device, config_values, kept_arguments
from rmeval.engines.vllm.requests import (
    GENERATING,
    POOLING,
    activated,
    continuations,
    requests_for,
    written,
)
from rmeval.engines.vllm.session import Session
from rmeval.errors import ModelError
from rmeval.extras import need_extra

__all__ = ["VLLMEngine", "open_checkpoint"]

_EXPORT = "run the checkpoint that `rmeval export {}` writes, or use the engine hf"


def open_checkpoint(spec: str, options: EngineOptions) -> VLLMEngine:
    """Open a checkpoint by path or hub id; vLLM is started when something is read.

    Raises:
        ModelError: If there is no usable checkpoint, or an option is not supported.
        RmevalError: If vLLM is not installed.
    """
    check_arguments(options.model_kwargs)
    check_device(options.device)
    checkpoint = find_checkpoint(spec, options.revision, code=options.trust_remote_code, base=options.base_model)
    if checkpoint.adapter is not None:
        raise ModelError(
            f"{spec} is an adapter, which the engine vllm does not run: merge it into its base model and save the "
            "result, or use the engine hf"
        )
    if options.layout is not None:
        raise ModelError(
            f"the engine vllm does not read the head of {spec} ({options.layout.title}): use the engine hf"
        )
    if options.head not in (None, "score"):
        raise ModelError(f"the engine vllm reads the head `score`, and not {options.head}: {_EXPORT.format(spec)}")
    if find_spec("vllm") is None:
        raise need_extra(ModuleNotFoundError(name="vllm"), f"the engine vllm, for the model {spec},", "vllm")
    return VLLMEngine(checkpoint, options)


class VLLMEngine(Engine):
    """Engine that runs a checkpoint in vLLM, in processes of its own on this machine."""

    name = "vllm"
    readouts: frozenset[type] = POOLING | GENERATING

    def __init__(self, checkpoint: Checkpoint, options: EngineOptions) -> None:
        """Read the config; vLLM is not started yet."""
        self._options = options
        values = config_values(options.model_kwargs)
        # Describes the checkpoint; its weights are never loaded.
        self._network = Network(checkpoint, options.dtype, "cpu", options.trust_remote_code, values)
        self._session: Session | None = None
        self._facts: dict[str, Any] = {}
        self._checked = False

    @property
    def description(self) -> Description:
        """The checkpoint's properties; its limit is also that of `max_model_len`."""
        found = described(self._network)
        asked = self._options.model_kwargs.get("max_model_len")
        limits = [limit for limit in (found.limit, asked) if limit is not None]
        # A language model generates one token after the sequence.
        limit = min(limits) - self._network.language_model if limits else None
        return replace(found, limit=limit)

    def identity(self) -> dict[str, Any]:
        """Engine, number format and arguments; not devices, memory or batch size, which should not change scores."""
        kept = kept_arguments(self._options.model_kwargs)
        return {"engine": self.name, "dtype": self._network.identity()["dtype"], "model_kwargs": kept}

    def facts(self) -> dict[str, Any]:
        """Version, device, number format of the head, and how many tokens were in the cache since `forget`."""
        if self._session is not None:
            self._facts |= self._session.facts()
        return dict(self._facts)

    def forget(self) -> None:
        """Clear the facts about how sequences were read."""
        self._facts = {}
        if self._session is not None:
            self._session.tokens = self._session.cached = 0

    def tokenizer(self) -> Place:
        """The location of the checkpoint's tokenizer."""
        return tokenizer_place(self._network.checkpoint)

    def require_language_model(self, encoder: bool = False) -> None:
        """Run the checkpoint as a language model from now on.

        Args:
            encoder: Whether it may have an encoder, which this engine does not run.

        Raises:
            ModelError: If its config states that it is not a causal language model.
        """
        self._network.language_model = True
        self._network.require_language_model()

    def own_readout(self) -> Readout:
        """The readout of the classifier's head, `score`.

        Raises:
            ModelError: If vLLM would not load the head, or it is not in the checkpoint.
        """
        network, checkpoint = self._network, self._network.checkpoint
        config, source = network.config, checkpoint.source
        own = own_class(config, language_model=False)
        if own is not None:
            raise ModelError(f"{source} computes its score with its own class ({own[1]}): use the engine hf")
        if config.is_encoder_decoder:
            raise ModelError(f"{source} has an encoder and a decoder, which vLLM does not run: use the engine hf")
        head = network.find_head()
        if head is not None:
            raise ModelError(f"{source} has its head in {head}, which vLLM does not load: {_EXPORT.format(source)}")
        refuse_whole_numbers(checkpoint, config)
        if not any(name.endswith(SEQUENCE_CLASSIFIER) for name in network.architectures):
            raise untrained(checkpoint, ["score.weight"], False, "", network.generates)
        if config.get_text_config().model_type in ENCODERS:
            return Pooled()
        names = weight_files(checkpoint)
        if "score.weight" not in names:
            raise untrained(checkpoint, ["score.weight"], False, "")
        if "score.bias" in names:
            raise ModelError(
                f"{source} has a score.bias, which vLLM adds to every score and transformers does not: use the engine "
                "hf"
            )
        return LastToken("score")

    def run(self, sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        """Read every sequence once, those with a common beginning after each other.

        Raises:
            ModelError: If vLLM cannot run the checkpoint, or fails.
        """
        check_vocabulary(self._network, sequences)
        wanted = requests_for(readout, self._network.checkpoint.name)
        session = self._running(readout)
        self._check_activation(session, sequences)
        for portion in session.read(sequences, [wanted.parameters] * len(sequences)):
            indices = tuple(index for index, _ in portion)
            yield Reading(indices, tuple(wanted.values(output, k, sequences[k]) for k, output in portion))

    def stops(self) -> tuple[int, ...]:
        """The tokens that end a text according to `generation_config.json`, or the config without that file."""
        return self._network.stops

    def generate(
        self, sequences: Sequence[TokenSequence], limits: Sequence[int], seeds: Sequence[int], how: Generation
    ) -> Iterator[list[Generated]]:
        """Continue every sequence once; those with a common beginning follow each other.

        Raises:
            ModelError: If vLLM cannot run the checkpoint, or fails.
        """
        check_vocabulary(self._network, sequences)
        name = self._network.checkpoint.name
        session = self._running(None)
        for portion in session.read(sequences, continuations(limits, seeds, how)):
            yield [written(index, output, how, name) for index, output in portion]

    def _running(self, readout: Readout | None) -> Session:
        """The session that reads a readout, or generates texts; a session of another kind is ended before."""
        runner = "pooling" if type(readout) in POOLING else "generate"
        if self._session is None or self._session.runner != runner or self._session.ended:
            self.release()
            refuse_others(self._network.checkpoint)
            self._session = Session(runner, self._network.checkpoint.source, self._arguments(readout))
        return self._session

    def _arguments(self, readout: Readout | None) -> Mapping[str, Any]:
        """The arguments of vLLM that depend on the checkpoint and the options."""
        options, checkpoint = self._options, self._network.checkpoint
        given = {
            "model": checkpoint.source,
            "revision": checkpoint.revision,
            "trust_remote_code": options.trust_remote_code,
            "dtype": self.number_format(),
            **options.model_kwargs,
        }
        if options.batch_size is not None:
            given.setdefault("max_num_seqs", options.batch_size)
        if type(readout) in POOLING:
            given["pooling"] = "CLS" if isinstance(readout, Pooled) else "LAST"
        return given

    def number_format(self) -> str:
        """The number format; vLLM's own `auto` is another one than the checkpoint's."""
        found: str = self._network.identity()["dtype"]
        if found not in ("float32", "bfloat16", "float16"):
            raise ModelError(
                f"the config of {self._network.checkpoint.source} does not state one of vLLM's number formats "
                f"({found}): give `dtype` float32, bfloat16 or float16"
            )
        return found

    def _check_activation(self, session: Session, sequences: Sequence[TokenSequence]) -> None:
        """Check on one sequence that the values are those before the activation, which vLLM applies by default.

        Raises:
            ModelError: If the values with and without the activation are equal, and the config states one.
        """
        if session.runner != "pooling" or self._checked or not len(sequences):
            return
        some = [min(sequences, key=len)]
        wanted = requests_for(Pooled(), self._network.checkpoint.name)
        raw, after = (
            wanted.values(output, 0, some[0])
            for parameters in (wanted.parameters, activated())
            for portion in session.read(some, [parameters])
            for _, output in portion
        )
        if (raw == after).all() and getattr(self._network.config, "problem_type", None) != "regression":
            raise ModelError(
                f"vLLM returns the same score of {self._network.checkpoint.source} with and without its activation, so "
                "it is unknown whether scores are raw: use the engine hf, and report the version of vLLM"
            )
        self._checked = True

    def release(self) -> None:
        """End vLLM's processes and free their memory; they are started again when needed."""
        if self._session is not None:
            self._facts |= self._session.facts()
            self._session.close()
            self._session = None


def refuse_others(checkpoint: Checkpoint) -> None:
    """Reject weights in the checkpoint's folder that vLLM would load and its fingerprint does not cover.

    Raises:
        ModelError: If there are any.
    """
    files = checkpoint.weights()
    folder = files[0].parent
    if (folder / "model.safetensors.index.json").is_file():
        return  # It names the files that vLLM loads.
    if others := sorted(set(folder.glob("*.safetensors")) - set(files)):
        raise ModelError(
            f"{checkpoint.source} has {others[0].name} beside its weights, which vLLM would load too: move it out of "
            "the folder, or use the engine hf"
        )
