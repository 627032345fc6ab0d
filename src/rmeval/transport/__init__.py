"""Calls of servers: one asynchronous client with time-outs, retries and budgets for everything that runs elsewhere."""

from __future__ import annotations

from rmeval.transport.calls import AnswerFault, Call, Reply, ServerError, Usage
from rmeval.transport.options import ServerOptions
from rmeval.transport.server import Server

__all__ = ["AnswerFault", "Call", "Reply", "Server", "ServerError", "ServerOptions", "Usage"]
