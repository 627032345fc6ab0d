"""A self-contained HTML document: it opens from a file, and it loads and sends nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from functools import cache
from pathlib import Path

from rmeval._version import __version__
from rmeval.messages import shortened
from rmeval.redaction import redacted
from rmeval.web import SHARED_ASSETS

__all__ = ["page_html"]

_ASSETS = Path(__file__).with_name("assets")
_ENDS = re.compile(r"</(?:style|script)|<!--", re.IGNORECASE)


def page_html(title: str, body: str, style: str = "", script: str = "") -> str:
    """Return a page with its style, script and icon inside, in the colours of the system's theme.

    Its content security policy allows this style, this script and images inside the page, and nothing else. So elements
    have neither `style` nor `on...` attributes.

    Args:
        title: Title of the page, as text.
        body: Contents of the element `body`, as HTML; text from outside must be escaped.
        style: Further CSS. `theme.css` and the tables of `page.css` come before it.
        script: JavaScript, which runs after the page is loaded.

    Raises:
        ValueError: If style or script would end their own element.
    """
    css = f"{_shared_style()}{style}".replace("\r\n", "\n")
    code = script.replace("\r\n", "\n")
    if _ENDS.search(css) or _ENDS.search(code):
        raise ValueError("style and script of a page must not contain </style, </script or <!--")
    policy = [
        "default-src 'none'",
        f"style-src {_hash(css)}",
        *([f"script-src {_hash(code)}"] if code else []),
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(policy)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta name="referrer" content="no-referrer">',
            f'<meta name="generator" content="rmeval {__version__}">',
            f"<title>{html.escape(shortened(redacted(title)))}</title>",
            f'<link rel="icon" href="{_icon()}">',
            f"<style>{css}</style>",
            "</head>",
            "<body>",
            body,
            *([f"<script>{code}</script>"] if code else []),
            "</body>",
            "</html>",
            "",
        ]
    )


@cache
def _shared_style() -> str:
    """The theme of all pages and the style of tables."""
    files = (SHARED_ASSETS / "theme.css", _ASSETS / "page.css")
    return "\n".join(["", *(file.read_text(encoding="utf-8") for file in files)])


@cache
def _icon() -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode((SHARED_ASSETS / 'icon.svg').read_bytes()).decode()}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
