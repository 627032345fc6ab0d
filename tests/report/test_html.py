"""Views as HTML fragments."""

from __future__ import annotations

from pathlib import Path

from rmeval.report.cells import Joined, Number
from rmeval.report.html import html_text
from rmeval.report.views import Row, Table, View


def test_a_table() -> None:
    rows = (
        Row(
            "all", (Number(0.5, (0.4, 0.625), letters="a"), Joined(("x", "y"), (Number(0.1), Number(0.2)))), strong=True
        ),
        Row("part", (Number(0.25), None), level=1, faint=True),
    )
    table = Table("t", ("", "accuracy", "both"), rows, "a title", ("a note",))
    view = View("b", (table,), model="m", about=("one", "two"), status="unfinished", notes=("more",), source=Path("r"))
    assert html_text([view]).splitlines() == [
        '<div class="rmeval">',
        "<p><strong>b</strong> m</p>",
        "<p>one<br>two</p>",
        "<table>",
        "<caption>a title</caption>",
        '<thead><tr><th scope="col"></th><th scope="col">accuracy</th><th scope="col">both</th></tr></thead>',
        "<tbody>",
        '<tr><th scope="row"><strong>all</strong></th>'
        "<td><strong>50.0 <small>40.0-62.5</small><sup>a</sup></strong></td><td><strong>10.0/20.0</strong></td></tr>",
        '<tr class="faint"><th scope="row">&emsp;part</th><td>25.0</td><td></td></tr>',
        "</tbody>",
        "</table>",
        "<p><small>a note</small></p>",
        "<ul>",
        "<li>unfinished</li>",
        "<li>more</li>",
        "</ul>",
        "<p>run: <code>r</code></p>",
        "</div>",
    ]


def test_names_stay_names() -> None:
    name = "<img src=x onerror=alert(1)>\x1b[31m\u202e\"'&"
    table = Table(name, ("", name), (Row(name, (name,)),), name, (name,))
    view = View(name, (table,), model=name, data=name, headline=(name, Number(0.5)), about=(name,), notes=(name,))
    text = html_text([view])
    assert text.count("&lt;img src=x onerror=alert(1)&gt;\\x1b[31m\\u202e&quot;&#x27;&amp;") == 11
    assert "<img" not in text
    assert text.replace("\n", "").isprintable()
