"""Self-contained pages, and the report of runs as a page with figures, and in other formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.report.page.document import page_html
else:
    __getattr__, __dir__ = lazy(__name__, {"rmeval.report.page.document": ("page_html",)})

__all__ = ["page_html"]
