"""Engines, which run a checkpoint's network on this machine; packages register others under `rmeval.engines`."""

from __future__ import annotations

from rmeval.engines.base import (
    AtPositions,
    Description,
    Engine,
    EngineOptions,
    FirstLogits,
    InMemory,
    LastLogits,
    LastToken,
    LogitsAt,
    OwnForward,
    Place,
    Pooled,
    Reading,
    Readout,
    TokenLogProbs,
    TokenSequence,
    readout_of,
    require_readout,
)
from rmeval.engines.generation import Generated, Generation
from rmeval.engines.registry import engine_names, open_engine

__all__ = [
    "AtPositions",
    "Description",
    "Engine",
    "EngineOptions",
    "FirstLogits",
    "Generated",
    "Generation",
    "InMemory",
    "LastLogits",
    "LastToken",
    "LogitsAt",
    "OwnForward",
    "Place",
    "Pooled",
    "Reading",
    "Readout",
    "TokenLogProbs",
    "TokenSequence",
    "engine_names",
    "open_engine",
    "readout_of",
    "require_readout",
]
