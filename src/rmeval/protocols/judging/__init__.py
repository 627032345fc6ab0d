"""Protocols of generative judges: the prompt of each request, the orders of responses, and how outputs are read."""

from __future__ import annotations

from rmeval.protocols.judging.asked import Asked, Finish, Form, Output, Prompt, Sampling
from rmeval.protocols.judging.options import JudgeOptions
from rmeval.protocols.judging.protocol import JudgeProtocol

__all__ = ["Asked", "Finish", "Form", "JudgeOptions", "JudgeProtocol", "Output", "Prompt", "Sampling"]
