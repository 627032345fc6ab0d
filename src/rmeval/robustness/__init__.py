"""Audits of judges and reward models: what changes a verdict although the better response stays the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.robustness.audit import (
        Audit,
        AuditedEffect,
        Probing,
        audit_calls,
        audit_model,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__, {"rmeval.robustness.audit": ("Audit", "AuditedEffect", "Probing", "audit_calls", "audit_model")}
    )

__all__ = ["Audit", "AuditedEffect", "Probing", "audit_calls", "audit_model"]
