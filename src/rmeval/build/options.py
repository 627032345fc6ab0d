"""Base class of the parts of a config."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Options"]


class Options(BaseModel):
    """Base class of the parts of a config: immutable, strict about types, and no field that nothing reads."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
