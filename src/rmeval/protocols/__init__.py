"""Protocols, which turn a benchmark's items into requests, and observations into evidence.

Packages register further protocols under the entry-point group `rmeval.protocols`; `file.py:Class` names one in a file.
"""

from __future__ import annotations

from rmeval.protocols.base import BaseProtocol, ProtocolLike, Question, request_key
from rmeval.protocols.fold import STEPS, fold_steps, fold_votes
from rmeval.protocols.registry import FoundProtocol, load_protocol, protocol_names
from rmeval.protocols.step_layout import StepLayout

__all__ = [
    "STEPS",
    "BaseProtocol",
    "FoundProtocol",
    "ProtocolLike",
    "Question",
    "StepLayout",
    "fold_steps",
    "fold_votes",
    "load_protocol",
    "protocol_names",
    "request_key",
]
