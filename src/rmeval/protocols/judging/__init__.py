"""Protocols of generative judges: the prompt of each request, the orders of responses, and how outputs are read."""

from __future__ import annotations

from rmeval.protocols.judging.asked import Asked, Finish, Form, Output, Prompt, Sampling
from rmeval.protocols.judging.card import JudgeCard
from rmeval.protocols.judging.card_file import built_in_cards
from rmeval.protocols.judging.options import JudgeOptions
from rmeval.protocols.judging.protocol import JudgeProtocol

__all__ = [
    "Asked",
    "Finish",
    "Form",
    "JudgeCard",
    "JudgeOptions",
    "JudgeProtocol",
    "Output",
    "Prompt",
    "Sampling",
    "built_in_cards",
]
