"""The engine on vLLM: continuous batches, cached prefixes, and several GPUs for one model."""

from __future__ import annotations

__all__: list[str] = []
