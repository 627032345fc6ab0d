"""Finds what runs a judge."""

from __future__ import annotations

from rmeval.engines import InMemory
from rmeval.errors import ModelError
from rmeval.models import is_address
from rmeval.models.judge.chat import ChatJudge
from rmeval.models.judge.local import LocalJudge
from rmeval.models.judge.model import Judge
from rmeval.models.options import ModelOptions
from rmeval.protocols.registry import judge_protocol

__all__ = ["find_judge"]


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
    if isinstance(spec, InMemory):
        return Judge(LocalJudge(spec, options, asking), asking)
    if is_address(spec):
        return Judge(ChatJudge(spec, options.served_model, options, asking.sampling), asking)
    if own.base_url is not None:
        return Judge(ChatJudge(own.base_url, spec, options, asking.sampling), asking)
    return Judge(LocalJudge(spec, options, asking), asking)
