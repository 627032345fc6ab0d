"""Self-contained pages."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from rmeval.report.page import page_html


def policy(page: str) -> dict[str, str]:
    """The directives of a page's content security policy."""
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    return dict(one.split(" ", 1) for one in found[1].split("; "))


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_the_style_and_script_of_the_page_alone() -> None:
    page = page_html("A", "<main></main>", "p { color: red; }\r\n", "let a = 1;\r\n")
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL)
    assert style is not None
    assert script is not None
    own = policy(page)
    assert own["style-src"] == digest(style[1])
    assert own["script-src"] == digest(script[1])
    assert own["default-src"] == own["base-uri"] == own["form-action"] == "'none'"
    assert style[1].endswith("p { color: red; }\n")


def test_a_page_without_a_script_allows_none() -> None:
    assert "script-src" not in policy(page_html("A", ""))


def test_nothing_comes_from_another_place() -> None:
    page = page_html("A", "<main></main>")
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', page) == []
    assert "url(" not in page
    assert "@import" not in page


def test_the_title_is_text() -> None:
    page = page_html("</title><script>alert(1)</script>\u202e", "")
    assert "<title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;\\u202e</title>" in page


@pytest.mark.parametrize("text", ["</style>", "</SCRIPT >", "<!--"])
def test_style_and_script_cannot_end_their_element(text: str) -> None:
    for given in ({"style": text}, {"script": text}):
        with pytest.raises(ValueError, match="must not contain"):
            page_html("A", "", **given)
