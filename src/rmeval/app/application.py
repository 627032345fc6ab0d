"""The viewer's web application: a route for each kind of page. Run folders are only read."""

from __future__ import annotations

from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
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
        Route("/item/{key:str}", partial(_item, pages), methods=["GET"]),
        Route("/item/{key:str}/token-scores", partial(_compute, pages), methods=["POST"]),
        Route("/static/{name:str}", static_file, methods=["GET"]),
    ]
    handlers = {HTTPException: pages.refuse, RmevalError: pages.refuse}
    return Starlette(routes=routes, exception_handlers=handlers)


def _items(pages: Pages, request: Request) -> Response:
    pages.viewer.watch.look()
    return pages.show("explorer.html", page="items", items=explorer_view(pages.viewer.index, params_of(request)))


def _item(pages: Pages, request: Request) -> Response:
    view = pages.viewer.items.view(request.path_params["key"], params_of(request))
    return pages.show("item.html", page="items", item=view)


def _compute(pages: Pages, request: Request) -> Response:
    """Run a model that the user named on two responses; the guard has checked that the form is this page's own."""
    return RedirectResponse(pages.viewer.items.compute(request.path_params["key"], params_of(request)), 303)
