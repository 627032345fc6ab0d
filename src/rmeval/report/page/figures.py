"""Figures inside a page: SVG without style attributes, in the colours of the page's theme."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html import escape

__all__ = ["inline_svg"]

_SPACE, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
_COLOURS = {
    "#1f2328": "var(--text)",
    "#59636e": "var(--faint)",
    "#ffffff": "var(--paper)",
    "#1768ac": "var(--accent)",
    "#c2560c": "var(--orange)",
}
"""Colours of figures on a light background, and the page's variables with the same meaning."""
_KEPT = {"g", "path", "use", "defs", "clipPath", "rect", "pattern", "polygon", "circle", "line"}
"""Elements that draw; nothing else is in the page, such as metadata, style or scripts."""
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def inline_svg(text: str, name: str, description: str, scale: float = 1.0) -> str:
    """Return a figure of matplotlib as an element of a page.

    The page's policy forbids style attributes, so declarations become attributes. Comments and metadata are left out,
    and each id begins with the figure's name, because a page has several figures.

    Args:
        text: The SVG file.
        name: A name that no other figure of the page has: letters, digits and hyphens.
        description: What it shows, for readers who do not see it.
        scale: Factor of its size on the page.
    """
    root = ET.fromstring(text)
    box = escape(root.get("viewBox", ""))
    width, height = (f"{scale * float(root.get(side, '0').removesuffix('pt')):g}" for side in ("width", "height"))
    inside = "".join(part for child in root for part in _element(child, name))
    return (
        f'<svg role="img" aria-label="{escape(description)}" viewBox="{box}" width="{width}" height="{height}">'
        f"{inside}</svg>"
    )


def _element(own: ET.Element, name: str) -> Iterator[str]:
    tag = own.tag.removeprefix(_SPACE)
    if tag not in _KEPT:
        return
    given = "".join(f' {key}="{escape(value)}"' for key, value in _attributes(own, name))
    yield f"<{tag}{given}>"
    for child in own:
        yield from _element(child, name)
    yield f"</{tag}>"


def _attributes(own: ET.Element, name: str) -> Iterator[tuple[str, str]]:
    for key, value in own.attrib.items():
        if key == "style":
            for one in value.split(";"):
                declared, _, its = one.partition(":")
                if its:
                    yield declared.strip(), _REFERENCE.sub(rf"url(#{name}-\1)", _COLOURS.get(its.strip(), its.strip()))
        elif key == "id":
            yield key, f"{name}-{value}"
        elif key in (_LINK, "href"):
            yield "href", f"#{name}-{value.removeprefix('#')}" if value.startswith("#") else value
        elif not key.startswith("{"):
            yield key, _REFERENCE.sub(rf"url(#{name}-\1)", _COLOURS.get(value, value))
