"""The engine that divides sequences among replicas of another engine, which run in Ray actors."""

from __future__ import annotations

__all__: list[str] = []
