"""The recipe of code for compiled languages and JavaScript, with the compilers of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmeval.sandbox import toolchains
from tests.build.recipes.test_code import kept, responses, states

ADD = {
    "cpp": ("int add(int a, int b) { return a + b; }", "int main() { if (add(1, 2) != 3) return 1; }"),
    "java": (
        "class Solution { int add(int a, int b) { return a + b; } }",
        "public class Main { public static void main(String[] given) { assert new Solution().add(1, 2) == 3; } }",
    ),
    "javascript": ("const add = (a, b) => a + b;", "require('assert').strictEqual(add(1, 2), 3);"),
    "rust": ("fn add(a: i32, b: i32) -> i32 { a + b }", "fn main() { assert_eq!(add(1, 2), 3); }"),
    "go": (
        "package main\nfunc add(a int, b int) int { return a + b }",
        'package main\nimport "os"\nfunc main() { if add(1, 2) != 3 { os.Exit(1) } }',
    ),
}


@pytest.mark.parametrize("language", sorted(ADD))
def test_samples_in_other_languages(tmp_path: Path, language: str) -> None:
    if language not in toolchains():
        pytest.skip(f"there is no toolchain here for {language}")
    code, tests = ADD[language]
    suite = {"kind": "program", "language": language, "entry_point": "add", "code": tests}
    row = {"id": "add", "prompt": "Write a function add that adds two numbers.", "tests": suite}
    texts = [
        f"Here:\n\n```{language}\n{own}\n```\n\nIt adds."
        for own in (code, code.replace("a + b", "a - b"), code.replace("a + b", "a +"))
    ]
    found = responses(tmp_path, texts, ", repeats: 1", row, limits="wall: 60")
    chosen, rejected = kept(found)
    assert [one.text for one in chosen] == [texts[0]]
    assert rejected[0].text == texts[1] or language == "javascript"
    assert states(found)["right"] == 1
