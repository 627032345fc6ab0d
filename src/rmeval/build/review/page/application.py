"""The web application: pages of items, and forms that store verdicts.

A verdict is a form that is answered by a redirect to the next item after the verdict is on disk; scripts only press
the form's buttons, so that the page also works without them.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qs, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from rmeval.build.records import Record
from rmeval.build.review.page.session import FILTERS, Filter, Session
from rmeval.build.review.page.view import item_view, question_at
from rmeval.build.review.questions import VERDICTS
from rmeval.errors import RunError
from rmeval.messages import shortened
from rmeval.web import SHARED_ASSETS

__all__ = ["review_application"]

_ASSETS = Path(__file__).with_name("assets")
_FILES = {
    "theme.css": (SHARED_ASSETS, "text/css"),
    "icon.svg": (SHARED_ASSETS, "image/svg+xml"),
    "review.css": (_ASSETS, "text/css"),
    "review.js": (_ASSETS, "text/javascript"),
}
_LONGEST_FORM = 1 << 18
"""Bytes of a form; the longest part is the comment."""
_MOST_DIGITS = 9
_NOTICES = {
    "undone": "The last verdict was taken back.",
    "nothing": "There is no verdict to take back.",
    "stale": "Another page has written since: this is the current state, and nothing was changed.",
}


def review_application(session: Session) -> Starlette:
    """Return the application of one reviewer's session, which needs a guard before it."""
    page = _Pages(session)
    routes = [
        Route("/", page.start, methods=["GET"]),
        Route("/items", page.list, methods=["GET"]),
        Route("/item/{number}", page.item, methods=["GET"]),
        Route("/item/{number}/{place:str}", page.judge, methods=["POST"]),
        Route("/undo", page.undo, methods=["POST"]),
        Route("/static/{name:str}", _static, methods=["GET"]),
    ]
    handlers = {HTTPException: page.refuse, RunError: page.fail}
    return Starlette(routes=routes, exception_handlers=handlers)


class _Pages:
    """The pages of one session; they keep no state between requests, so that each tab has its own."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def start(self, request: Request) -> Response:
        """Go to the first open item, or to the list if there is none."""
        found = self._session.numbers("open")
        return _to(f"/item/{found[0]}", filter="open") if found else _to("/items", filter="all")

    def list(self, request: Request) -> Response:
        """Show the items of a filter."""
        which = _filter(request)
        rows = [(number, self._session.records[number - 1]) for number in self._session.numbers(which)]
        found = [(number, record, self._session.verdicts(record)) for number, record in rows]
        return self._page("list.html", request, rows=found)

    def item(self, request: Request) -> Response:
        """Show an item."""
        record, number = self._record(request)
        state = _state(request)
        view = item_view(
            self._session, record, state["tab"], state["view"] == "markdown", request.query_params.get("active", "")
        )
        numbers = self._session.numbers(_filter(request))
        around = {
            "previous": max((one for one in numbers if one < number), default=None),
            "next": min((one for one in numbers if one > number), default=None),
        }
        return self._page("item.html", request, item=view, number=number, around=around)

    async def judge(self, request: Request) -> Response:
        """Store a verdict, and go on to the next question or item."""
        form = await _form(request)
        (record, own), session = self._record(request), self._session
        question = question_at(session, record, request.path_params["place"])
        verdict = next((one for one in VERDICTS if one == form.get("verdict")), None)
        if question is None or verdict is None:
            raise HTTPException(400, "The form has no such question or verdict: load the page again.")
        if form.get("texts") != session.texts(record, question):
            raise HTTPException(409, "The texts of this item have changed since the page was loaded: load it again.")
        comment = form.get("comment", "").replace("\r\n", "\n").strip()
        session.judge(record, question, verdict, comment)
        number: int | None = own
        state = _state(request)
        if all(session.verdicts(record).values()):
            after = session.numbers(_filter(request))
            number = min((one for one in after if one > (number or 0)), default=None)
            state |= {"tab": ""}
        if number is None:
            left = session.numbers("open")
            return _to(f"/item/{left[0]}", **state | {"filter": "open"}) if left else _to("/items", filter="all")
        return _to(f"/item/{number}", **state)

    async def undo(self, request: Request) -> Response:
        """Take the last verdict back, and show its item."""
        form, session = await _form(request), self._session
        state = _state(request)
        lines = form.get("lines", "")
        taken = session.log.undo(-1 if (seen := _number(lines)) is None else seen)
        if taken is None:
            notice = "nothing" if not session.log.reviews else "stale"
            where = _number(form.get("number", ""))
            there = where if where is not None and where <= len(session.records) else None
            return _to(f"/item/{there}" if there else "/items", notice=notice, **state)
        number = session.number_of(taken.key)
        return _to(f"/item/{number}" if number else "/items", notice="undone", **state)

    def refuse(self, request: Request, error: Exception) -> Response:
        """Show why a request fails."""
        assert isinstance(error, HTTPException)
        return self._page("message.html", request, error.status_code, message=error.detail)

    def fail(self, request: Request, error: Exception) -> Response:
        """Show that a verdict is not stored, for example on a full disk."""
        return self._page("message.html", request, 500, message=f"Nothing was stored: {error}.")

    def _record(self, request: Request) -> tuple[Record, int]:
        """The item in the address, and its number."""
        given = request.path_params["number"]
        number = _number(given)
        if number is None or not 1 <= number <= len(self._session.records):
            raise HTTPException(404, f"There is no item {shortened(given)}.")
        return self._session.records[number - 1], number

    def _page(self, template: str, request: Request, status: int = 200, **values: object) -> Response:
        session, state = self._session, _state(request)
        text = (
            _templates()
            .get_template(template)
            .render(
                session=session,
                state=state,
                query=lambda **more: urlencode({name: own for name, own in {**state, **more}.items() if own}),
                filters=FILTERS,
                progress=session.progress(),
                notice=_NOTICES.get(request.query_params.get("notice", ""), ""),
                **values,
            )
        )
        return HTMLResponse(text.encode("utf-8", "backslashreplace"), status)


def _number(text: str) -> int | None:
    """The number that a text is; None if it is another text, or longer than a number of the page can be."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _FILES:
        raise HTTPException(404, "There is no such file.")
    folder, kind = _FILES[name]
    return Response((folder / name).read_bytes(), media_type=kind)


@lru_cache(1)
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _filter(request: Request) -> Filter:
    given = request.query_params.get("filter", "open")
    return next((one for one in FILTERS if one == given), "open")


def _state(request: Request) -> dict[str, str]:
    """What a page hands on in its addresses: filter, tab and view."""
    view = "markdown" if request.query_params.get("view") == "markdown" else ""
    tab = request.query_params.get("tab", "")
    return {"filter": _filter(request), "tab": tab if tab.isidentifier() or tab.isdigit() else "", "view": view}


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form.

    Raises:
        HTTPException: If it is too long, or is not a form.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_FORM:
            raise HTTPException(413, "The comment is too long.")
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise HTTPException(400, "The form cannot be read.") from error
    return {name: values[-1] for name, values in fields.items()}


def _to(path: str, **state: str) -> Response:
    query = urlencode({name: own for name, own in state.items() if own})
    return RedirectResponse(f"{path}?{query}" if query else path, 303)
