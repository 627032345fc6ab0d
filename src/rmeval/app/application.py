"""The viewer's web application: a route for each kind of page, GET only, and nothing is written."""

from __future__ import annotations

from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rmeval.app.explorer import explorer_view
from rmeval.app.pages import Pages, params_of, static_file
from rmeval.app.viewer import Viewer
from rmeval.errors import RmevalError

__all__ = ["viewer_application"]


def viewer_application(viewer: Viewer) -> Starlette:
    """Return the application of a folder of runs, which needs a guard before it."""
    pages = Pages(viewer)
    routes = [
        Route("/items", partial(_items, pages), methods=["GET"]),
        Route("/static/{name:str}", static_file, methods=["GET"]),
    ]
    handlers = {HTTPException: pages.refuse, RmevalError: pages.refuse}
    return Starlette(routes=routes, exception_handlers=handlers)


def _items(pages: Pages, request: Request) -> Response:
    pages.viewer.watch.look()
    return pages.show("explorer.html", page="items", view=explorer_view(pages.viewer.index, params_of(request)))
