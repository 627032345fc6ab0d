"""What pages over HTTP share: a guard, a server on this machine, a theme, and texts of models as HTML."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SHARED_ASSETS"]

SHARED_ASSETS = Path(__file__).with_name("assets")
"""The folder of `theme.css`, the colours and elements of all pages in light and dark, and of `icon.svg`."""
