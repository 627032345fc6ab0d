"""Sphinx settings of the documentation site."""

from __future__ import annotations

from rmeval import __version__

project = "rmeval"
author = copyright = "The rmeval authors"  # noqa: A001  Sphinx's name
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"rmeval {release}"
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_attr_annotations = True
