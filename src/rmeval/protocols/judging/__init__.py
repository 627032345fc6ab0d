"""Protocols of generative judges: the prompt of each request, the orders of responses, and how outputs are read."""

from __future__ import annotations

from rmeval.protocols.judging.asked import Asked, Finish, Form, HowRead, Output, Prompt, Sampling, Writing
from rmeval.protocols.judging.card import JudgeCard
from rmeval.protocols.judging.card_file import built_in_cards
from rmeval.protocols.judging.options import JudgeOptions
from rmeval.protocols.judging.protocol import JudgeProtocol
from rmeval.protocols.judging.templates import rendered

__all__ = [
    "Asked",
    "Finish",
    "Form",
    "HowRead",
    "JudgeCard",
    "JudgeOptions",
    "JudgeProtocol",
    "Output",
    "Prompt",
    "Sampling",
    "Writing",
    "built_in_cards",
    "rendered",
]
