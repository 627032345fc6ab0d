"""A report as Markdown, as LaTeX, and as CSV tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rmeval.report import latex, markdown
from rmeval.report.cells import clean
from rmeval.report.csv_ import csv_text
from rmeval.report.page.contents import Contents, Section, slug
from rmeval.report.views import View

__all__ = ["csv_files", "latex_document", "markdown_document"]


def markdown_document(report: Contents) -> str:
    """Return a report as Markdown, with its figures in the folder `figures`."""
    lines = [f"# {markdown.escaped(report.title)}", "", markdown.escaped(report.about), ""]
    lines += [*(f"* {markdown.escaped(note)}" for note in report.notes), *([""] if report.notes else [])]
    for section in report.sections:
        lines += _markdown(section, 2)
    return "\n".join(lines)


def _markdown(section: Section, level: int) -> Iterator[str]:
    yield from (f"{'#' * level} {markdown.escaped(section.title)}", "")
    for text in section.text:
        yield from (markdown.escaped(text), "")
    if section.commands:
        # Four spaces begin code, in which nothing is active.
        yield from (*(f"    {clean(command)}" for command in section.commands), "")
    for figure in section.figures:
        yield from (f"![{markdown.escaped(figure.caption)}](figures/{figure.name}.svg)", "")
    if section.views:
        yield markdown.markdown_text([shown.view for shown in section.views])
    for part in section.parts:
        yield from _markdown(part, level + 1)


_PREAMBLE = r"""% Compile with pdflatex, lualatex or xelatex. pdflatex shows ? for letters that its fonts lack.
\documentclass[10pt]{article}
\usepackage[a4paper,margin=1.8cm]{geometry}
\usepackage[T1]{fontenc}
\usepackage{lmodern}
\usepackage{booktabs}
\usepackage{graphicx}
\makeatletter
\def\UTFviii@undefined@err#1{?}
\makeatother
\newsavebox{\widetable}
\newenvironment{fitted}{\begin{lrbox}{\widetable}}{\end{lrbox}%
  \ifdim\wd\widetable>\linewidth\resizebox{\linewidth}{!}{\usebox{\widetable}}\else\usebox{\widetable}\fi}
\setlength{\parindent}{0pt}
\setlength{\parskip}{.5em}
\emergencystretch=3em
\begin{document}"""
_SIZE = "width=\\linewidth,height=.85\\textheight,keepaspectratio"
_LEVELS = {2: "section", 3: "subsection", 4: "subsubsection"}


def latex_document(report: Contents) -> str:
    """Return a report as a LaTeX document, with its figures in the folder `figures`."""
    lines = [_PREAMBLE, f"\\title{{{latex.escaped(report.title)}}}", "\\author{}", "\\date{}", "\\maketitle"]
    lines += [latex.escaped(text) + "\n" for text in (report.about, *report.notes)]
    for section in report.sections:
        lines += _latex(section, 2)
    return "\n".join([*lines, "\\end{document}", ""])


def _latex(section: Section, level: int) -> Iterator[str]:
    yield f"\\{_LEVELS.get(level, 'paragraph')}{{{latex.escaped(section.title)}}}"
    yield from (f"{latex.escaped(text)}\n" for text in section.text)
    yield from (f"\\texttt{{{latex.escaped(command)}}}\n" for command in section.commands)
    for figure in section.figures:
        yield from ("\\begin{figure}[htbp]", "\\centering")
        yield f"\\includegraphics[{_SIZE}]{{figures/{figure.name}.png}}"
        yield from (f"\\caption{{{latex.escaped(figure.caption)}}}", "\\end{figure}")
    for shown in section.views:
        yield from _fitted(shown.view)
        # LaTeX holds back a limited number of tables that have no place yet.
        yield "\\clearpage"
    for part in section.parts:
        yield from _latex(part, level + 1)


def _fitted(view: View) -> Iterator[str]:
    """Yield the tables of a view, each as wide as the page at most."""
    inside = False
    for line in latex.latex_text([view]).split("\n"):
        if line.startswith("\\begin{tabular}"):
            inside = True
            yield f"\\begin{{fitted}}{line}"
        elif inside and line == "\\end{tabular}":
            inside = False
            yield f"{line}\\end{{fitted}}"
        else:
            yield line.replace("\\begin{table}[t]", "\\begin{table}[htbp]")


def csv_files(report: Contents) -> dict[str, str]:
    """Return the tables as CSV by path, such as `pairs/run-numbers.csv`; a file has the tables of all models."""
    found: dict[str, list[View]] = {}
    for section in (inner for one in report.sections for inner in one.walk()):
        for kind, view in section.views:
            for table in view.tables:
                path = f"{section.folder or 'report'}/{kind}-{slug(table.name)}.csv"
                found.setdefault(path, []).append(replace(view, tables=(table,)))
    return {path: csv_text(views) for path, views in found.items()}
