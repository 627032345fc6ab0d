"""How every page is made: from a template, an address and values; and how requests are refused."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from rmeval.app.filters import Params
from rmeval.app.viewer import Viewer
from rmeval.messages import visible
from rmeval.web import SHARED_ASSETS

__all__ = ["Pages", "address", "params_of", "static_file", "with_options"]

ASSETS = Path(__file__).with_name("assets")
_FILES = {
    "theme.css": (SHARED_ASSETS, "text/css"),
    "icon.svg": (SHARED_ASSETS, "image/svg+xml"),
    "view.css": (ASSETS, "text/css"),
    "items.css": (ASSETS, "text/css"),
    "view.js": (ASSETS, "text/javascript"),
}
"""The files that pages load; no other name is looked up."""
_PARAMETER = re.compile("`([a-z][a-z0-9_]*)`")
_REFUSED = {404: "There is no such page.", 405: "The viewer shows runs and changes nothing: only GET is answered."}


class Pages:
    """Renders templates; the address of a page is its whole state."""

    def __init__(self, viewer: Viewer) -> None:
        """Store what all pages show.

        Args:
            viewer: The folder of runs.
        """
        self.viewer = viewer
        self._templates = Environment(
            loader=FileSystemLoader(ASSETS),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["visible"] = visible
        self._templates.filters["with_options"] = with_options
        self._templates.globals["address"] = address

    def show(self, template: str, status: int = 200, **values: object) -> Response:
        """Render a template, which extends `base.html`.

        Args:
            template: Its file name in `assets`.
            status: The status of the response.
            **values: Its variables.
        """
        text = self._templates.get_template(template).render(viewer=self.viewer, **values)
        return HTMLResponse(text.encode("utf-8", "backslashreplace"), status)

    def refuse(self, request: Request, error: Exception) -> Response:
        """Show why a request fails, in one sentence."""
        if isinstance(error, HTTPException):
            is_own = error.detail != HTTPStatus(error.status_code).phrase
            detail = error.detail if is_own else _REFUSED.get(error.status_code, error.detail)
            return self.show("message.html", error.status_code, message=detail)
        return self.show("message.html", 400, message=_sentence(error))


def with_options(text: str) -> str:
    """Show the parameters in a message as the options of the command line."""
    return _PARAMETER.sub(lambda found: f"--{found[1].replace('_', '-')}", text)


def _sentence(error: Exception) -> str:
    """An error's message as a sentence."""
    text = with_options(str(error))
    return f"{text[:1].upper()}{text[1:]}."


def address(path: str, **fields: object) -> str:
    """The address of a page with some fields; empty ones are left out, and lists are repeated."""
    shown = {name: value for name, value in fields.items() if value not in ("", None, [], ())}
    query = urlencode(shown, doseq=True, errors="backslashreplace")
    return f"{path}?{query}" if query else path


def params_of(request: Request) -> Params:
    """The fields of an address, each with its values."""
    found: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        found.setdefault(name, []).append(value)
    return found


def static_file(request: Request) -> Response:
    """One of the files that pages load."""
    name = request.path_params["name"]
    if name not in _FILES:
        raise HTTPException(404)
    folder, kind = _FILES[name]
    return Response((folder / name).read_bytes(), media_type=kind)
