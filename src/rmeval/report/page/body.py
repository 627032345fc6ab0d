"""A report as the body of an HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from rmeval.report.html import blocks_html, escaped, table_html
from rmeval.report.page.contents import Contents, Figure, Section, Shown
from rmeval.report.page.figures import inline_svg
from rmeval.report.views import Table

__all__ = ["body_html"]


def body_html(report: Contents, drawn: Mapping[str, str]) -> str:
    """Return the body of a page: contents, then sections.

    Args:
        report: The report.
        drawn: The SVG files of its figures by name.
    """
    return "\n".join(_lines(report, drawn))


def _lines(report: Contents, drawn: Mapping[str, str]) -> Iterator[str]:
    yield '<a class="skip" href="#contents">To the contents</a>'
    yield f'<header><h1>{escaped(report.title)}</h1><p class="faint">{escaped(report.about)}</p></header>'
    yield '<nav aria-label="Sections"><ul>'
    for section in report.sections:
        inner = "".join(f"<li>{_link(part)}</li>" for part in section.parts)
        yield f"<li>{_link(section)}{f'<ul>{inner}</ul>' if inner else ''}</li>"
    yield "</ul></nav>"
    yield '<main id="contents">'
    if report.notes:
        notes = "".join(f"<li>{escaped(note)}</li>" for note in report.notes)
        yield f'<div class="notice"><ul>{notes}</ul></div>'
    for section in report.sections:
        yield from _section(section, drawn, 2)
    yield "</main>"


def _link(section: Section) -> str:
    return f'<a href="#{section.key}">{escaped(section.title)}</a>'


def _section(section: Section, drawn: Mapping[str, str], level: int) -> Iterator[str]:
    heading = f'<h{level} id="{section.key}">{escaped(section.title)}</h{level}>'
    if section.folded:
        yield f"<details><summary>{heading}</summary><div>"
    else:
        yield f"<section>{heading}"
    yield from (f"<p>{escaped(text)}</p>" for text in section.text)
    if section.commands:
        commands = "\n".join(map(escaped, section.commands))
        yield f'<pre class="scroll" tabindex="0" role="region" aria-label="commands"><code>{commands}</code></pre>'
    for shown in section.views:
        yield from _view(shown)
    if section.figures:
        yield from ('<div class="figures">', *(_figure(figure, drawn) for figure in section.figures), "</div>")
    for part in section.parts:
        yield from _section(part, drawn, level + 1)
    yield "</div></details>" if section.folded else "</section>"


def _figure(figure: Figure, drawn: Mapping[str, str]) -> str:
    svg = inline_svg(drawn[figure.name], figure.name, figure.caption, _WIDE if figure.wide else 1.2)
    kind = ' class="wide"' if figure.wide else ""
    # Figures keep a readable size on a phone, where they scroll.
    return (
        f'<figure{kind}><div class="scroll" tabindex="0" role="region" aria-label="figure">{svg}</div>'
        f"<figcaption>{escaped(figure.caption)}</figcaption></figure>"
    )


_WIDE = 1.45
"""Factor of the size of wide figures, in which letters are small."""
_LONG = 15
"""Rows of a comparison's table above which the page shows only its title until the reader opens it."""


def _view(shown: Shown) -> Iterator[str]:
    view = shown.view
    yield f'<div class="view {shown.kind}">'
    heading = ", ".join(map(escaped, filter(None, (view.benchmark, view.model, view.data))))
    yield f'<p class="faint">{"<br>".join([heading, *map(escaped, view.about)])}</p>'
    if view.absent:
        yield f'<p class="notice">{escaped(view.absent)}</p>'
    for table in view.printed:
        yield from _folded(table) if shown.kind == "comparison" and len(table.rows) > _LONG else _table(table)
    if view.below:
        yield from ('<ul class="notes">', *(f"<li>{escaped(note)}</li>" for note in view.below), "</ul>")
    if view.source:
        yield f'<p class="faint">{"run" if view.model else "runs"}: <code>{escaped(str(view.source))}</code></p>'
    yield "</div>"


def _folded(table: Table) -> Iterator[str]:
    title = escaped(table.title or table.name)
    yield f'<details class="long"><summary>{title} ({len(table.rows)} rows)</summary><div>'
    yield from (*_table(replace(table, title="")), "</div></details>")


def _table(table: Table) -> Iterator[str]:
    if table.layout == "blocks":
        yield from ('<div class="examples">', *blocks_html(table), "</div>")
    else:
        # Outside the scrolling region, the title stays in view and is broken into lines.
        if table.title:
            yield f'<p class="title">{escaped(table.title)}</p>'
        name = escaped(table.title or table.name)
        left = " ".join(f"left-{place}" for place, side in enumerate(table.alignment, 1) if side == "l" and place > 1)
        yield f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">'
        yield from (*table_html(replace(table, title=""), left), "</div>")
    yield from (f'<p class="faint">{escaped(note)}</p>' for note in table.notes)
