"""Code in responses: which block is the solution, and what can be said of it without running it."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Code", "blocks", "is_empty", "is_nondeterministic", "main_block", "parsed_python", "read_code"]

_TAGS = {
    "python": ("python", "py", "python3", "py3"),
    "cpp": ("cpp", "c++", "cc", "cxx", "c"),
    "java": ("java",),
    "javascript": ("javascript", "js", "node", "mjs", "cjs", "ecmascript"),
    "rust": ("rust", "rs"),
    "go": ("go", "golang"),
}
"""Words behind the fence, by the language of the tests."""
_FENCE = re.compile(r"(?P<indent>[ \t>]*)(?P<fence>`{3,}|~{3,})[ \t]*\{?\.?(?P<tag>[\w+#-]*)[^`]*")
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_CHANCE_MODULES = frozenset({"random", "secrets", "uuid", "time"})
_CHANCE_ATTRIBUTES = frozenset({"random", "urandom", "getrandom", "now", "today", "utcnow", "default_rng"})
_CHANCE_FUNCTIONS = frozenset({"hash", "id", "urandom", "getrandom"})


@dataclass(frozen=True, slots=True)
class Code:
    """The code of a response.

    Attributes:
        text: The solution; empty if there is none, or no single one.
        joined: All blocks as one program, if there are several.
        problem: Why there is no solution: `no code` or `several solutions`.
    """

    text: str
    joined: str = ""
    problem: str = ""


def read_code(text: str, language: str, entry_point: str) -> Code:
    """Find the solution in a response.

    It is the block in the language that defines the entry point, or a block without a language if there is no such one.
    Two blocks that define it in different ways are two solutions, of which neither counts. A response without any
    block is code as a whole if it defines the entry point and, in Python, parses.

    Args:
        text: The response, without reasoning.
        language: Language of the tests.
        entry_point: Name of the function; may be empty.
    """
    found = list(blocks(text))
    if not found and (language != "python" or parsed_python(text) is not None):
        found = [("", text)]
    # Such as a solution without a tag, followed by an example with one.
    stated = [code for tag, code in found if tag in _TAGS[language]]
    every = [code for tag, code in found if not tag or tag in _TAGS[language]]
    for own in (stated, every):
        defining = list(dict.fromkeys(code for code in own if _defines(code, language, entry_point)))
        if len(defining) > 1:
            return Code("", problem="several solutions")
        if defining:
            return Code(defining[0], "\n\n".join(every) if len(every) > 1 else "")
    return Code("", problem="no code")


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the tag in small letters, and the code, of each fenced block; one without an end ends with the text."""
    tag, fence, lines = "", "", list[str]()
    for line in text.splitlines():
        if not fence:
            if (opening := _FENCE.fullmatch(line)) is not None:
                tag, fence, lines = opening["tag"].lower(), opening["fence"], []
        elif line.strip(" \t>").startswith(fence) and not line.strip(" \t>").strip(fence[0]):
            yield tag, _plain(lines)
            fence = ""
        else:
            lines.append(line)
    if fence:
        yield tag, _plain(lines)


def _plain(lines: list[str]) -> str:
    return textwrap.dedent("\n".join(lines)).strip("\n").rstrip()


def main_block(text: str) -> str | None:
    """The longest block of a response, or all of it if it is code, in Python without comments and layout.

    Returns:
        The code; None if there is none.
    """
    longest = max((code for _, code in blocks(text)), key=len, default="")
    tree = parsed_python(longest or text)
    if tree is not None and (longest or any(isinstance(node, _DEFINITIONS) for node in tree.body)):
        return ast.unparse(tree)
    return "\n".join(map(str.rstrip, longest.splitlines())) or None


def _defines(code: str, language: str, entry_point: str) -> bool:
    name = re.escape(entry_point)
    if not entry_point:
        return bool(code.strip())
    if language == "python":
        return re.search(rf"^(?:(?:async\s+def|def|class)\s+{name}\b|{name}\s*(?::[^=\n]+)?=)", code, re.M) is not None
    return re.search(rf"\b{name}\b\s*(?:<[^<>()]*>\s*)?[(=:]", code) is not None


def parsed_python(code: str) -> ast.Module | None:
    """The syntax tree; None if the code is not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Such as that of an unknown escape, which is the solution's affair.
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_empty(tree: ast.Module, entry_point: str) -> bool:
    """Whether the function under test has no body, which is no attempt at a solution."""
    own = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    body = next((node.body for node in reversed(own) if node.name == entry_point), None)
    return body is not None and all(_does_nothing(node) for node in body)


def _does_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise):
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def is_nondeterministic(tree: ast.Module) -> bool:
    """Whether code uses random numbers, the clock, or hashes that differ between processes."""
    return any(_is_chance(node) for node in ast.walk(tree))


def _is_chance(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(one.name.split(".")[0] in _CHANCE_MODULES for one in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] in _CHANCE_MODULES
    if isinstance(node, ast.Attribute):  # `numpy.random` without an import of its own.
        return node.attr in _CHANCE_ATTRIBUTES
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CHANCE_FUNCTIONS
