"""The pages of the site: the boards, and one page for each run. All text from outside is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rmeval.leaderboard.board import Board, BoardNumber, BoardRow
from rmeval.leaderboard.table import column_name, rank_text, source_of
from rmeval.messages import count_of
from rmeval.report.cells import Number, clean, interval_text, value_text
from rmeval.report.html import html_text
from rmeval.report.page import page_html
from rmeval.report.run import run_view
from rmeval.report.views import View
from rmeval.results.checks import State
from rmeval.results.verify import Verification

__all__ = ["Submitted", "index_page", "run_page", "slug_of", "state_of", "worst_page"]

_ASSETS = Path(__file__).with_name("assets")
_WEB = re.compile(r"https?://[^\s\"'<>]+", re.ASCII)
_MAIN = 8
"""Numbers that a board shows at first."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A run on the site.

    Attributes:
        name: Its name, which the names of its files begin with.
        verification: Its checks.
        bundle: Whether its bundle is part of the site.
        worst: Its worst misjudged comparisons with their texts, if they are part of the site.
    """

    name: str
    verification: Verification
    bundle: bool
    worst: View | None = None


def slug_of(board: Board, place: int) -> str:
    """The name of a board's files and the anchor of its section."""
    plain = re.sub(r"[^\w.-]+", "-", board.title, flags=re.ASCII).strip("-.")[:80]
    return f"{place + 1}-{plain}" if plain else str(place + 1)


def state_of(found: Verification) -> str:
    """What was verified, in a few words."""
    if not found.holds:
        return "not verified"
    left = [check.name for check in found.checks if check.state is State.UNKNOWN]
    return f"verified except {', '.join(left)}" if left else "verified"


def index_page(
    title: str, boards: Sequence[Board], runs: Mapping[Path, Submitted], refused: Sequence[Verification]
) -> str:
    """Return the page of all boards.

    Args:
        title: Title of the page.
        boards: The boards.
        runs: The runs by their folders.
        refused: The submissions with a check that does not hold.
    """
    body = "\n".join(_index(title, boards, runs, refused))
    script = (_ASSETS / "site.js").read_text("utf-8")
    return page_html(title, body, (_ASSETS / "site.css").read_text("utf-8"), script)


def _index(
    title: str, boards: Sequence[Board], runs: Mapping[Path, Submitted], refused: Sequence[Verification]
) -> Iterator[str]:
    links = [f'<a href="#{slug_of(board, place)}">{_text(board.title)}</a>' for place, board in enumerate(boards)]
    yield from _header(title, f"<nav aria-label='Boards'>{''.join(links)}</nav>")
    yield '<main id="main" tabindex="-1">'
    yield (
        "<p>Every number of a run was computed again from its scores when this page was made. Numbers in %, with 95% "
        "intervals; a rank is a range where the data do not decide. Rows marked * are published elsewhere and were not "
        "computed here; those marked † contradict their own averages or their source.</p>"
    )
    for place, board in enumerate(boards):
        yield from _board(board, slug_of(board, place), runs)
    if not boards:
        yield '<p class="notice">There are no verified runs yet.</p>'
    if refused:
        yield from _refused(refused)
    yield "</main>"


def _header(title: str, links: str) -> Iterator[str]:
    yield '<a class="skip" href="#main">Skip to the content</a>'
    yield f"<header><h1>{_text(title)}</h1>{links}</header>"


def _board(board: Board, slug: str, runs: Mapping[Path, Submitted]) -> Iterator[str]:
    yield f'<section class="board" id="{slug}" aria-labelledby="{slug}-title">'
    yield f'<h2 id="{slug}-title">{_text(board.title)}</h2>'
    yield from _controls(board, slug)
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="Table of {_text(board.title)}">'
    yield f'<table class="board"><caption>{_caption(board)}</caption>'
    yield f"<thead><tr>{''.join(_heads(board))}</tr></thead><tbody>"
    yield from (_row(row, board, runs) for row in board.rows)
    yield "</tbody></table></div>"
    yield (
        f'<p>Download: <a href="boards/{slug}.csv" download>CSV</a>, <a href="boards/{slug}.json" download>JSON</a></p>'
    )
    if board.notes:
        yield from ("<ul class='faint'>", *(f"<li>{_linked(note)}</li>" for note in board.notes), "</ul>")
    yield "</section>"


def _caption(board: Board) -> str:
    count = count_of(sum(row.run is not None for row in board.rows), "run")
    if board.headline is None:
        return f"{count}; no number stands for all items"
    return f"{count}, by {_text(column_name(board.headline))}"


def _controls(board: Board, slug: str) -> Iterator[str]:
    yield '<div class="bar controls" role="search" aria-label="Filter">'
    yield '<label>Model <input type="search" name="search" autocomplete="off"></label>'
    options = "".join(f"<option>{_text(kind)}</option>" for kind in sorted({row.kind for row in board.rows} - {""}))
    yield f'<label>Kind <select name="kind"><option value="">all</option>{options}</select></label>'
    sources = {source_of(row) for row in board.rows}
    for name, label in (("published", "Published results"), ("baselines", "Null baselines")):
        if name.removesuffix("s") in sources or name in sources:
            yield f'<label><input type="checkbox" name="{name}" checked> {label}</label>'
    if len(board.measures) > _MAIN:
        yield '<label><input type="checkbox" name="every"> All numbers</label>'
    yield f'<output aria-live="polite" id="{slug}-count"></output></div>'


def _heads(board: Board) -> Iterator[str]:
    yield '<th scope="col" data-sort="number">Rank</th>'
    yield '<th scope="col" class="left" data-sort="text">Model</th>'
    main = board.measures[:_MAIN]
    for measure in board.measures:
        first = " data-first" if measure == board.headline else ""
        more = "" if measure in main else ' class="more"'
        yield f'<th scope="col" data-sort="number"{first}{more}>{_text(column_name(measure))}</th>'
    for name in ("Kind", "Base model", "Training data", "Licence", "State", "Notes"):
        yield f'<th scope="col" class="left" data-sort="text">{name}</th>'


def _row(row: BoardRow, board: Board, runs: Mapping[Path, Submitted]) -> str:
    main = board.measures[:_MAIN]
    rank = rank_text(row.rank)
    own = None if row.run is None else runs.get(row.run)
    facts = row.descriptor
    words = (
        row.kind,
        facts.base_model if facts else "",
        facts.training_data if facts else "",
        facts.licence if facts else (row.published.licence if row.published else ""),
        "" if own is None else state_of(own.verification),
    )
    marks = {"published": " data-published", "baseline": " data-baseline", "run": ""}[source_of(row)]
    searched = clean(" ".join([row.model, *words])).lower()
    cells = [
        f'<td data-value="{row.rank[0] + row.rank[1] / 1000 if row.rank else ""}">{rank}</td>',
        f'<th scope="row" data-value="{_text(row.model)}">{_name(row, own)}</th>',
        *(_number(row.values.get(measure), measure in main) for measure in board.measures),
        *(f'<td class="left" data-value="{_text(word)}">{_text(word)}</td>' for word in words),
        f'<td class="left notes" data-value="{_text(" ".join(row.notes))}">{_notes(row.notes)}</td>',
    ]
    faint = ' class="faint"' if row.is_baseline else ""
    return f'<tr data-kind="{_text(row.kind)}" data-text="{html.escape(searched)}"{marks}{faint}>{"".join(cells)}</tr>'


def _name(row: BoardRow, own: Submitted | None) -> str:
    name = f"<bdi>{_text(row.model)}</bdi>"
    if own is not None:
        return f'<a href="runs/{html.escape(own.name)}.html">{name}</a>'
    if row.published is not None:
        return f"{_link(row.published.url, name)} *{'†' if row.published.contradicts else ''}"
    return name


def _notes(notes: Sequence[str]) -> str:
    """A note as it is, and several to open."""
    if len(notes) < 2:
        return "".join(map(_text, notes))
    listed = "".join(f"<li>{_linked(note)}</li>" for note in notes)
    return f"<details><summary>{len(notes)} notes</summary><ul>{listed}</ul></details>"


def _number(number: BoardNumber | None, main: bool) -> str:
    kind = "" if main else ' class="more"'
    if number is None:
        return f'<td{kind} data-value=""></td>'
    cell = Number(number.value, number.ci)
    interval = interval_text(cell)
    small = f" <small>{html.escape(interval)}</small>" if interval else ""
    return f'<td{kind} data-value="{number.value!r}">{html.escape(value_text(cell))}{small}</td>'


def _refused(refused: Sequence[Verification]) -> Iterator[str]:
    yield '<section aria-labelledby="refused"><h2 id="refused">Not verified</h2>'
    yield '<div class="scroll" tabindex="0" role="region" aria-label="Table of submissions that are not verified">'
    yield '<table class="reasons"><caption>Submissions of which a check does not hold; they are on no board</caption>'
    yield '<thead><tr><th scope="col" class="left">Submission</th><th scope="col" class="left">Why</th></tr></thead>'
    yield "<tbody>"
    for found in refused:
        why = "; ".join(f"{one.name}: {one.detail}" for one in found.checks if one.state is State.WRONG)
        yield f'<tr><th scope="row">{_text(found.source.name)}</th><td>{_text(why)}</td></tr>'
    yield "</tbody></table></div></section>"


def run_page(title: str, row: BoardRow, own: Submitted) -> str:
    """Return the page of a run: its numbers, its checks, and facts about the model.

    Args:
        title: Title of the site.
        row: The run's row on a board.
        own: The run.
    """
    body = "\n".join(_run(title, row, own))
    return page_html(f"{row.model} - {title}", body, (_ASSETS / "site.css").read_text("utf-8"))


def _run(title: str, row: BoardRow, own: Submitted) -> Iterator[str]:
    found = own.verification
    yield from _header(row.model, f"<nav aria-label='Site'><a href='../index.html'>{_text(title)}</a></nav>")
    yield '<main id="main" tabindex="-1">'
    yield '<section aria-labelledby="numbers"><h2 id="numbers">Numbers</h2>'
    assert found.result is not None
    # The folder of an unpacked bundle no longer exists when someone reads the page.
    view = replace(run_view(found.result), source=None)
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="Numbers">{html_text([view])}</div>'
    if own.worst is not None:
        yield f'<p><a href="{html.escape(own.name)}-worst.html">The comparisons that the model misjudges worst</a></p>'
    yield "</section>"
    yield f'<section aria-labelledby="checks"><h2 id="checks">{_text(state_of(found).capitalize())}</h2>'
    yield '<div class="scroll" tabindex="0" role="region" aria-label="Checks"><table class="wraps">'
    yield "<caption>What was checked when this page was made</caption>"
    yield '<thead><tr><th scope="col">Check</th><th scope="col">Result</th><th scope="col">Detail</th></tr></thead>'
    yield "<tbody>"
    for one in found.checks:
        yield f'<tr><th scope="row">{_text(one.name)}</th><td>{_text(one.state)}</td><td>{_text(one.detail)}</td></tr>'
    yield "</tbody></table></div>"
    if own.bundle:
        file = html.escape(f"{own.name}.rmeval.zip")
        yield f'<p><a href="../bundles/{file}" download>Bundle</a>: check it with <code>rmeval verify {file}</code></p>'
    yield "</section>"
    yield from _facts(row)
    yield "</main>"


def worst_page(title: str, model: str, own: Submitted) -> str:
    """Return the page of the comparisons that a run misjudges worst, with their texts.

    Args:
        title: Title of the site.
        model: The model's name on the board.
        own: The run, with these comparisons.
    """
    assert own.worst is not None
    back = f"<nav aria-label='Site'><a href='{html.escape(own.name)}.html'>{_text(model)}</a></nav>"
    body = [
        *_header(f"{model}: misjudged worst", back),
        '<main id="main" tabindex="-1"><div class="scroll texts" tabindex="0" role="region" aria-label="Comparisons">',
        html_text([replace(own.worst, source=None)]),
        "</div></main>",
    ]
    return page_html(f"{model} - {title}", "\n".join(body), (_ASSETS / "site.css").read_text("utf-8"))


def _facts(row: BoardRow) -> Iterator[str]:
    """Yield the facts about the model, if there are any."""
    facts = row.descriptor
    if facts is None:
        return
    size = "" if facts.parameters is None else f"{facts.parameters:g} billion parameters"
    known = {
        "Base model": facts.base_model,
        "Size": size,
        "Method": facts.method,
        "Training data": facts.training_data,
        "Licence": facts.licence,
        "Source": facts.source,
    }
    yield '<section aria-labelledby="model"><h2 id="model">Model</h2><div class="scroll" tabindex="0" role="region" '
    yield 'aria-label="Facts about the model"><table class="wraps"><caption>As the source states</caption><tbody>'
    for name, value in known.items():
        if value:
            yield f'<tr><th scope="row">{name}</th><td>{_linked(value)}</td></tr>'
    yield "</tbody></table></div></section>"


def _text(text: str) -> str:
    return html.escape(clean(text))


def _link(address: str, inner: str) -> str:
    """A link, if the address is one of the web."""
    if not _WEB.fullmatch(address):
        return inner
    return f'<a href="{html.escape(address)}" rel="noopener noreferrer nofollow">{inner}</a>'


def _linked(text: str) -> str:
    """A text whose web addresses are links."""
    parts: list[str] = []
    place = 0
    shown = clean(text)
    for found in _WEB.finditer(shown):
        address = found[0].rstrip(".,;:)")
        parts += [html.escape(shown[place : found.start()]), _link(address, html.escape(address))]
        place = found.start() + len(address)
    return "".join([*parts, html.escape(shown[place:])])
