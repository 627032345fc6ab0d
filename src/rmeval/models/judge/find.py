"""Finds what runs a judge."""

from __future__ import annotations

from pathlib import Path

from rmeval.data.digests import digest
from rmeval.engines import InMemory
from rmeval.errors import ModelError
from rmeval.models import is_address
from rmeval.models.judge.any_llm import ANY_LLM, AnyLLMJudge
from rmeval.models.judge.backend import Backend
from rmeval.models.judge.batch import BatchFile, BatchJudge, BatchResults
from rmeval.models.judge.chat import ChatJudge
from rmeval.models.judge.decisions import DecisionJudge
from rmeval.models.judge.local import LocalJudge
from rmeval.models.judge.model import Judge
from rmeval.models.options import ModelOptions, refuse
from rmeval.plugins import is_file_spec
from rmeval.protocols.judging import HowRead, JudgeProtocol, Sampling, Writing
from rmeval.protocols.registry import judge_protocol
from rmeval.transport import Server

__all__ = ["find_judge", "find_writer"]

_NOWHERE = "http://localhost"
"""Address of a model that only batches name; nothing is sent to it."""


def find_judge(spec: str | InMemory, options: ModelOptions) -> Judge:
    """The judge of an address, a name at a server, or a checkpoint.

    Args:
        spec: The address of a server, with `base_url` the name of a model there, or otherwise a folder, a hub id, or a
            network in memory.
        options: Its protocol, and how it is run.

    Raises:
        ModelError: If it cannot be used.
    """
    own = options.judge
    if own.protocol is None:
        raise ModelError("a judge needs a `protocol`, such as five-way")
    asking = judge_protocol(own)
    if options.min_label_mass != ModelOptions().min_label_mass:
        if asking.form == "text":
            refuse(options, ("min_label_mass",), f"{asking.name}, which reads a text,")
        asking.min_label_mass = options.min_label_mass
    if not isinstance(spec, InMemory):
        if own.batch_out is not None or own.batch_in:
            return _by_batch(spec, options, asking)
        if spec.startswith("baseline:") or is_file_spec(spec):
            raise ModelError(f"{spec} is no language model that writes verdicts: leave `protocol` out")
    return Judge(_backend(spec, options, asking), asking)


def find_writer(spec: str, options: ModelOptions, sampling: Sampling) -> Backend:
    """What runs a language model that writes texts.

    Args:
        spec: As for `find_judge`.
        options: How it is run.
        sampling: How it writes.

    Raises:
        ModelError: If it cannot be used.
    """
    if spec.startswith("baseline:") or is_file_spec(spec):
        raise ModelError(f"{spec} is no language model that writes texts: choose another model")
    return _backend(spec, options, Writing(sampling))


def _backend(spec: str | InMemory, options: ModelOptions, asking: HowRead) -> Backend:
    """What runs the model of an address, a name at a server, or a checkpoint."""
    if isinstance(spec, InMemory):
        return LocalJudge(spec, options, asking)
    if spec.startswith(ANY_LLM):
        return AnyLLMJudge(spec, options, asking)
    if is_address(spec):
        return _behind(spec, options.served_model, options, asking)
    if (url := options.judge.base_url) is not None:
        return _behind(url, spec, options, asking)
    return LocalJudge(spec, options, asking)


def _behind(url: str, model: str | None, options: ModelOptions, asking: HowRead) -> Backend:
    """What calls a server in the form that the protocol reads."""
    if asking.form == "decision":
        return DecisionJudge(url, model, options)
    return ChatJudge(url, model, options, asking.sampling)


def _by_batch(spec: str, options: ModelOptions, asking: JudgeProtocol) -> Judge:
    """The judge whose calls are written to a file, and whose outputs are read from files."""
    own = options.judge
    if asking.form == "decision":
        raise ModelError(f"batches have no decisions, which {asking.name} reads: leave `batch_out` and `batch_in` out")
    if spec.startswith(ANY_LLM):
        raise ModelError(f"batches are of OpenAI's format: give the model's name there instead of {spec}")
    url, model = (spec, options.served_model) if is_address(spec) else (own.base_url, spec)
    nowhere = Server(_NOWHERE, options.server) if url is None else None
    chat = ChatJudge(url or _NOWHERE, model, options, asking.sampling, nowhere)
    judge = Judge(chat, asking)
    mark = digest(judge.identity())[:12]
    out = None if own.batch_out is None else BatchFile(Path(own.batch_out))
    judge.backend = BatchJudge(chat, mark, BatchResults([Path(file) for file in own.batch_in], mark), out)
    return judge
