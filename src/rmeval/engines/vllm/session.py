"""One vLLM engine in processes of its own, from its start to its end, and the requests that it reads meanwhile."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from queue import Queue
from typing import Any

from rmeval.engines.base import TokenSequence
from rmeval.engines.prefixes import PrefixTree
from rmeval.engines.vllm.logs import first_sentence, into_the_log, keep, quiet, written
from rmeval.errors import ModelError, reason_of
from rmeval.loading import LOADING_ERRORS

__all__ = ["Session", "is_portion"]

_PORTION = 256
"""Largest number of sequences in a portion, which the journal keeps together."""
_SECONDS = 1.0
"""Time after which a smaller portion is kept."""
_AHEAD = 4
"""Number of requests that wait for each one that vLLM computes, so that it never runs out of them."""
_CPU_CACHE = 1 << 30
"""Bytes of the cache of keys and values on a CPU, where vLLM would take most of the memory."""


def is_portion(count: int, seconds: float) -> bool:
    """Whether finished sequences are passed on: many of them, or some after a while.

    Args:
        count: Number of finished sequences.
        seconds: Time since the last portion.
    """
    return count >= _PORTION or (count > 0 and seconds >= _SECONDS)


class Session:
    """A running vLLM engine.

    Attributes:
        runner: `pooling` for classifiers, `generate` for language models.
        tokens: Number of tokens that it read.
        cached: How many of them were in the cache of prefixes.
    """

    def __init__(self, runner: str, source: str, arguments: Mapping[str, Any]) -> None:
        """Start the engine.

        Args:
            runner: `pooling` or `generate`.
            source: The model's place, for messages.
            arguments: Arguments of vLLM, besides those that rmeval always sets.

        Raises:
            ModelError: If vLLM cannot run the checkpoint.
        """
        if multiprocessing.current_process().name.startswith("EngineCore"):
            raise ModelError(
                "vLLM starts processes that run the program's file again: put what it does under "
                'if __name__ == "__main__":'
            )
        quiet()
        self.runner = runner
        self.tokens = self.cached = 0
        self._source = source
        self._since = written()
        self._numbers = itertools.count()
        self._done: dict[str, Any] = {}
        self._engine: Any = None
        before = set(multiprocessing.active_children())
        try:
            with into_the_log():
                import vllm
                from vllm.exceptions import VLLMError

                self._errors: tuple[type[BaseException], ...] = (*LOADING_ERRORS, VLLMError)
                self._engine = self._started(vllm, arguments)
            self._settings = self._described(vllm)
            if started := set(multiprocessing.active_children()) - before:
                watch(started, self._engine.engine_core.outputs_queue, vllm.v1.engine.exceptions.EngineDeadError())
        except (*LOADING_ERRORS, SystemExit) as error:
            raise self._failed("cannot start", error) from error
        self._most = _AHEAD * self._engine.vllm_config.scheduler_config.max_num_seqs

    def _started(self, vllm: Any, arguments: Mapping[str, Any]) -> Any:
        from vllm.platforms import current_platform

        given = dict(arguments)
        if current_platform.is_cpu():
            # Compiling takes longer than most evaluations on a CPU.
            given.setdefault("enforce_eager", True)
            if not os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
                given.setdefault("kv_cache_memory_bytes", _CPU_CACHE)
        pooling = given.pop("pooling", None)
        if pooling != "CLS":  # In an encoder, later tokens change earlier ones.
            given.setdefault("enable_prefix_caching", True)
        if self.runner == "pooling":
            pooler = {"use_activation": False, "seq_pooling_type": pooling, "tok_pooling_type": "ALL"}
            given |= {"convert": "classify", "pooler_config": vllm.config.PoolerConfig(**pooler)}
        else:
            given |= {"max_logprobs": -1}
        try:
            return vllm.LLMEngine.from_engine_args(
                vllm.EngineArgs(
                    runner=self.runner,
                    skip_tokenizer_init=True,  # It receives token ids only.
                    config_format="hf",
                    load_format="safetensors",
                    disable_log_stats=True,
                    use_tqdm_on_load=False,
                    **given,
                )
            )
        except vllm.exceptions.VLLMError as error:
            raise RuntimeError(str(error)) from error

    @property
    def ended(self) -> bool:
        """Whether the engine has stopped."""
        return self._engine is None

    def _described(self, vllm: Any) -> dict[str, Any]:
        import torch
        import transformers
        from vllm.platforms import current_platform

        config = self._engine.vllm_config
        return {
            "vllm": vllm.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "device": current_platform.get_device_name(),
            "architecture": config.model_config.architecture,
            "head_dtype": str(config.model_config.head_dtype).removeprefix("torch."),
            "enforce_eager": config.model_config.enforce_eager,
            "tensor_parallel_size": config.parallel_config.tensor_parallel_size,
            "pipeline_parallel_size": config.parallel_config.pipeline_parallel_size,
        }

    def facts(self) -> dict[str, Any]:
        """Version, device, number format of the head, and how much was in the cache of prefixes."""
        return {**self._settings, "prefix_cache": {"tokens": self.tokens, "cached": self.cached}}

    def read(self, sequences: Sequence[TokenSequence], parameters: Sequence[Any]) -> Iterator[list[tuple[int, Any]]]:
        """Send each sequence, and yield vLLM's outputs in portions.

        Sequences with a common beginning follow each other, so that the cache has it. Another call may read meanwhile.

        Args:
            sequences: The sequences.
            parameters: vLLM's parameters of each sequence's request.

        Yields:
            Positions in `sequences`, each with its output.

        Raises:
            ModelError: If vLLM fails; the portions before it are complete.
        """
        left = deque(PrefixTree(sequences).order)
        pending: dict[str, int] = {}
        portion: list[tuple[int, Any]] = []
        since = time.monotonic()
        try:
            while left or pending:
                while left and len(pending) < self._most:
                    index = left.popleft()
                    pending[self._send(sequences[index], parameters[index])] = index
                if not (ready := self._done.keys() & pending.keys()):
                    self._step()
                    continue
                portion += [(pending.pop(name), self._done.pop(name)) for name in sorted(ready, key=int)]
                if is_portion(len(portion), time.monotonic() - since):
                    yield portion
                    portion, since = [], time.monotonic()
            if portion:
                yield portion
        finally:
            self._forget(pending)

    def _send(self, tokens: TokenSequence, parameters: Any) -> str:
        name = str(next(self._numbers))
        try:
            self._running.add_request(name, {"prompt_token_ids": [int(token) for token in tokens]}, parameters)
        except self._errors as error:
            raise self._failed(f"fails on a sequence of {len(tokens)} tokens", error) from error
        return name

    def _step(self) -> None:
        try:
            finished = [output for output in self._running.step() if output.finished]
        except self._errors as error:
            raise self._failed("has stopped", error) from error
        except BaseException:
            self.close()  # Its state is unknown after an interruption, such as ctrl-C.
            raise
        for output in finished:
            self._done[output.request_id] = output
            self.tokens += len(output.prompt_token_ids)
            self.cached += output.num_cached_tokens or 0

    @property
    def _running(self) -> Any:
        if self._engine is None:
            raise ModelError(f"vLLM has stopped for {self._source}: run the same command again")
        return self._engine

    def _forget(self, pending: Mapping[str, int]) -> None:
        """Drop requests whose reader has left."""
        if self._engine is not None and (waiting := [name for name in pending if name not in self._done]):
            self._engine.abort_request(waiting)
        for name in pending:
            self._done.pop(name, None)

    def _failed(self, what: str, error: BaseException) -> ModelError:
        """The error of a failure, after which the engine is not used again."""
        started = self._engine is not None
        self.close()
        cause, log = keep(self._since)
        # The message of another process's failure is in the log alone.
        reason = reason_in(error)
        if "root cause" in str(error):  # Another process has failed.
            what = "has stopped" if started else what
            reason = cause or "its process ended without a message, as the system ends processes when memory is short"
        where = "" if log is None else f"; its log: {log}"
        return ModelError(f"vLLM {what} for {self._source} ({reason}{where}): {_advice(reason, started)}")

    def close(self) -> None:
        """End the engine's processes, and free their memory."""
        engine, self._engine = self._engine, None
        self._done.clear()
        if engine is not None:
            engine.engine_core.shutdown()
        del engine
        gc.collect()


def watch(processes: Collection[BaseProcess], outputs: Queue[Any], dead: Exception) -> None:
    """Put an error into the queue of an engine's outputs when one of its processes ends.

    vLLM's synchronous client waits for outputs without end if the system ends the process of the engine, for example
    because memory is short.

    Args:
        processes: The engine's processes.
        outputs: The queue in which the client waits.
        dead: The error.
    """

    def wait() -> None:
        connection.wait([one.sentinel for one in processes])
        outputs.put(dead)

    threading.Thread(target=wait, daemon=True).start()


def reason_in(error: BaseException) -> str:
    """The reason of an error of vLLM, which may be pydantic's: a headline, and then what is wrong with a setting."""
    lines = str(error).splitlines()
    if len(lines) > 1 and "validation error" in lines[0]:
        told = next((line for line in lines[1:] if "error, " in line), lines[-1])
        return first_sentence(told.partition("error, ")[2].partition(" [type=")[0] or told)
    return first_sentence(reason_of(error))


def _advice(reason: str, started: bool) -> str:
    """What to do about a failure."""
    lower = reason.lower()
    if "memory" in lower or "kv cache" in lower:
        return (
            "run the same command again with other `model_kwargs` (max_model_len, max_num_batched_tokens, "
            "gpu_memory_utilization; on a CPU kv_cache_memory_bytes), or for a policy and its reference `sequential`"
        )
    if "supported" in lower or "no module named" in lower:
        return "use the engine hf, or another version of vLLM"
    if started:
        return "run the same command again to continue, or use the engine hf"
    return "correct `model_kwargs`, or use the engine hf"
