"""The viewer's web application: a route for each kind of page. Run folders are only read."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from markupsafe import Markup
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rmeval.app.compare import compare_view
from rmeval.app.explorer import explorer_view
from rmeval.app.figures import FIGURES
from rmeval.app.index import IndexedRun
from rmeval.app.leaderboard import leaderboard_view
from rmeval.app.model import model_view
from rmeval.app.pages import Pages, address, params_of, static_file
from rmeval.app.viewer import Viewer
from rmeval.errors import RmevalError
from rmeval.report.analysis import analysis_view
from rmeval.report.figures.style import Theme
from rmeval.report.html import html_text
from rmeval.results.result import Result

__all__ = ["viewer_application"]


def viewer_application(viewer: Viewer) -> Starlette:
    """Return the application of a folder of runs, which needs a guard before it."""
    pages = Pages(viewer)

    def route(path: str, page: Callable[[Pages, Request], Response]) -> Route:
        return Route(path, partial(_current, page, pages), methods=["GET"])

    routes = [
        route("/", _leaderboard),
        route("/model", _model),
        route("/analysis", _analysis),
        route("/compare", _compare),
        route("/items", _items),
        route("/item/{key:str}", _item),
        Route("/item/{key:str}/token-scores", partial(_compute, pages), methods=["POST"]),
        Route("/figure/{run:str}/{name:str}", partial(_figure, pages), methods=["GET"]),
        Route("/static/{name:str}", static_file, methods=["GET"]),
    ]
    handlers = {HTTPException: pages.refuse, RmevalError: pages.refuse}
    return Starlette(routes=routes, exception_handlers=handlers)


def _current(page: Callable[[Pages, Request], Response], pages: Pages, request: Request) -> Response:
    """Show a page with runs that were written since the last one."""
    pages.viewer.watch.look()
    return page(pages, request)


def _leaderboard(pages: Pages, request: Request) -> Response:
    viewer = pages.viewer
    runs = viewer.index.runs()
    models = {run.folder: address("/model", name=run.model) for run in runs}
    unread = [(str(run.folder), found) for run in runs if isinstance(found := viewer.result(run), str)]
    view = leaderboard_view(viewer.boards(), models, params_of(request))
    return pages.show("leaderboard.html", page="leaderboard", view=view, unread=unread)


def _model(pages: Pages, request: Request) -> Response:
    view = model_view(pages.viewer, params_of(request))
    return pages.show("model.html", page="", view=view, has_figures=pages.viewer.figures.is_available)


def _analysis(pages: Pages, request: Request) -> Response:
    run, _ = _run(pages, request.query_params.get("run", ""))
    found = pages.viewer.analysis(run)
    names = pages.viewer.drawn(run, "light") if pages.viewer.figures.is_available else {}
    figures = [(name, title) for name, title in FIGURES.items() if name in names]
    numbers = Markup(html_text([analysis_view(found)]))
    return pages.show("analysis.html", page="", run=run, numbers=numbers, figures=figures)


def _compare(pages: Pages, request: Request) -> Response:
    return pages.show("compare.html", page="compare", view=compare_view(pages.viewer, params_of(request)))


def _items(pages: Pages, request: Request) -> Response:
    return pages.show("explorer.html", page="items", items=explorer_view(pages.viewer.index, params_of(request)))


def _item(pages: Pages, request: Request) -> Response:
    view = pages.viewer.items.view(request.path_params["key"], params_of(request))
    return pages.show("item.html", page="items", item=view)


def _compute(pages: Pages, request: Request) -> Response:
    """Run a model that the user named on two responses; the guard has checked that the form is this page's own."""
    return RedirectResponse(pages.viewer.items.compute(request.path_params["key"], params_of(request)), 303)


def _figure(pages: Pages, request: Request) -> Response:
    run, result = _run(pages, request.path_params["run"])
    theme: Theme = "dark" if request.query_params.get("theme") == "dark" else "light"
    name = request.path_params["name"]
    if name == "matrix":
        data: bytes | None = pages.viewer.matrix(run, result, theme)
    else:
        data = pages.viewer.drawn(run, theme).get(name)
    if data is None:
        raise HTTPException(404, "There is no such figure.")
    return Response(data, media_type="image/svg+xml")


def _run(pages: Pages, key: str) -> tuple[IndexedRun, Result]:
    """A run with numbers by its key."""
    run = pages.viewer.index.run(key)
    if run is None:
        raise HTTPException(404, "There is no such run.")
    result = pages.viewer.result(run)
    if isinstance(result, str):
        raise HTTPException(404, f"This run has no numbers: {result}.")
    return run, result
