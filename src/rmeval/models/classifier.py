"""Sequence classifiers with one output: the common kind of reward model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rmeval.engines import Pooled, Readout
from rmeval.errors import ModelError
from rmeval.hub import need_extra
from rmeval.models import ModelOptions
from rmeval.protocols import pointwise
from rmeval.spool import Spool, windows
from rmeval.types import FloatArray, Observation, Request

if TYPE_CHECKING:
    from rmeval.engines.hf.render import Rendered, TokenArray

__all__ = ["Classifier"]

_WINDOW = 1 << 14
"""How many conversations are sorted, merged and scored together."""
_PLACEMENT = ("cache_dir", "device_map", "local_files_only", "low_cpu_mem_usage", "max_memory", "offload_folder")
"""Arguments of `from_pretrained` that say where things lie, and change no score."""


class _Ready(NamedTuple):
    """A request, rendered."""

    key: str
    item: str
    rendered: Rendered


class Classifier:
    """Renders a conversation by the chat template and reads the head at its last token.

    Attributes:
        engine: What runs the network.
        renderer: The tokenizer with its template.
        limit: Longest conversation in tokens.
    """

    kind = "classifier"

    def __init__(self, spec: str, options: ModelOptions, name: str | None = None) -> None:
        """Finds checkpoint, tokenizer and template; weights are loaded by the first `observe`.

        Args:
            spec: A folder or a hub id.
            options: How to load and run it.
            name: What to call it, if not by its place.

        Raises:
            ModelError: If something is missing.
        """
        try:
            from rmeval.engines.hf.checkpoint import find_checkpoint, find_tokenizer
            from rmeval.engines.hf.engine import HFEngine
            from rmeval.engines.hf.network import Network
            from rmeval.engines.hf.render import Renderer
        except ImportError as error:
            raise need_extra(error, f"the model {name or spec}") from error
        self.options = options
        pickle = options.model_kwargs.get("use_safetensors") is False
        checkpoint = find_checkpoint(spec, options.revision, pickle, options.trust_remote_code)
        self.name = name or checkpoint.name
        network = Network(checkpoint, options.dtype, options.device, options.trust_remote_code, options.model_kwargs)
        self.engine = HFEngine(network, options.batch_size)
        source, revision = checkpoint.source, checkpoint.revision
        if options.tokenizer is not None:
            source, revision = options.tokenizer, None
        revision, tokenizer = find_tokenizer(source, revision)
        self.renderer = Renderer(
            source, options.chat_template, revision=revision, trust_remote_code=options.trust_remote_code
        )
        limits = [limit for limit in (self.engine.limit, self.renderer.limit) if limit is not None]
        self.limit = options.max_length or min(limits, default=None)
        if self.engine.limit is not None and self.limit is not None and self.limit > self.engine.limit:
            raise ModelError(
                f"{self.name} was built for {self.engine.limit} tokens: give a smaller --max-length than "
                f"{self.limit}, or change that with --model-kwargs max_position_embeddings=..."
            )
        self._identity = {
            "model": checkpoint.fingerprint,
            "kind": self.kind,
            "tokenizer": tokenizer,
            "template": self.renderer.identity(),
            **self.engine.identity(),
            "model_kwargs": {k: v for k, v in sorted(options.model_kwargs.items()) if k not in _PLACEMENT},
            "max_length": self.limit,
            "on_overlength": options.on_overlength,
        }

    def identity(self) -> dict[str, Any]:
        """Weights, tokenizer, template, number format, engine and length policy."""
        return self._identity

    def facts(self) -> dict[str, Any]:
        """Versions, device, the first rendered conversation and a hash of all."""
        return self.engine.facts() | self.renderer.facts()

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Scores each request's conversation once.

        All are rendered before the first is scored, so that one that is too long stops the run before it has cost much;
        what is more than a window waits on disk.
        """
        self.renderer.forget()
        self.engine.forget()
        spool: Spool[list[_Ready]] = Spool()
        over: list[tuple[int, str]] = []
        for window in windows(requests, _WINDOW):
            rendered = self.renderer.render([request.conversation for request in window])
            spool.append([_Ready(r.key, r.item, one) for r, one in zip(window, rendered, strict=True)])
            over += [(len(one.tokens), r.item) for r, one in zip(window, rendered, strict=True) if self._exceeds(one)]
        self._stop_at_overlength(over)
        for ready in spool:
            yield from self._observe(ready)

    def _observe(self, ready: Sequence[_Ready]) -> Iterator[list[Observation]]:
        skip = self.options.on_overlength == "skip"
        refused = [Observation(one.key, "error", error=one.rendered.error) for one in ready if one.rendered.error]
        too_long = [
            Observation(one.key, "overlength", usage={"tokens": len(one.rendered.tokens)})
            for one in ready
            if skip and self._exceeds(one.rendered)
        ]
        if refused or too_long:
            yield refused + too_long
        left_out = {observation.key for observation in refused + too_long}
        kept = [one for one in ready if one.key not in left_out]
        if not kept:
            return
        readout = self.engine.readout()
        for reading in self.engine.run([self._cut(one, readout) for one in kept], readout):
            yield [
                self._observation(kept[index], values)
                for index, values in zip(reading.indices, reading.values, strict=True)
            ]

    def _observation(self, one: _Ready, values: FloatArray) -> Observation:
        if len(values) != 1:
            raise ModelError(
                f"{self.name} gives {len(values)} numbers for an answer where one is needed: wrap it in a class with a "
                "score(conversations) method that says how to combine them, and give file.py:Class"
            )
        return pointwise.parse(one.key, float(values[0]), len(one.rendered.tokens), self._exceeds(one.rendered))

    def _cut(self, one: _Ready, readout: Readout) -> TokenArray:
        """A conversation's end, where it is too long: what is judged is the answer."""
        tokens = one.rendered.tokens
        if self.limit is None or len(tokens) <= self.limit:
            return tokens
        if isinstance(readout, Pooled):
            raise ModelError(
                f"{self.name} reads the beginning of a conversation, which truncate-left would cut "
                f"(item {one.item}): choose --on-overlength skip"
            )
        return tokens[-self.limit :]

    def _exceeds(self, one: Rendered) -> bool:
        return self.limit is not None and len(one.tokens) > self.limit

    def _stop_at_overlength(self, over: Sequence[tuple[int, str]]) -> None:
        if over and self.options.on_overlength == "error":
            longest, item = max(over)
            raise ModelError(
                f"{len(over)} conversations are longer than the {self.limit} tokens that "
                f"{self.name} takes (the longest, of item {item}, has {longest}): "
                "choose --on-overlength skip or truncate-left"
            )
