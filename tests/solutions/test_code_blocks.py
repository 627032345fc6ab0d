"""Code in responses, as language models write it."""

from __future__ import annotations

import pytest

from rmeval.solutions.code_blocks import (
    Code,
    blocks,
    is_empty,
    is_nondeterministic,
    main_block,
    parsed_python,
    read_code,
)

RIGHT = "def f(x):\n    return x + 1"
BLOCK = f"```python\n{RIGHT}\n```"


@pytest.mark.parametrize(
    "text",
    [
        BLOCK,
        f"Here it is:\n\n{BLOCK}\n\nIt adds one.",
        f"~~~py\n{RIGHT}\n~~~",
        f"```Python3\n{RIGHT}\n```",
        f"```\n{RIGHT}\n```",
        f"``` {{.python}}\n{RIGHT}\n```",
        f"````python\n{RIGHT}\n````",
        "1. Write it:\n\n    ```python\n    def f(x):\n        return x + 1\n    ```",
        f"```python\n{RIGHT}",
        RIGHT,
        f"{BLOCK}\n\nThe same again:\n\n{BLOCK}",
        f"```bash\npip install f\n```\n\n{BLOCK}\n\n```text\nf(1) = 2\n```",
        f"```text\ndef f(x): no code\n```\n\n{BLOCK}",
        f"```\n{RIGHT}\n```\n\nFor example:\n\n```python\nprint(f(1))\n```",
        f"```\ndef f(x): ...\n```\n\n{BLOCK}",
    ],
)
def test_the_solution_is_found(text: str) -> None:
    assert read_code(text, "python", "f").text == RIGHT


def test_the_block_with_the_entry_point_counts() -> None:
    found = read_code(f"```python\nimport math\n```\n\n{BLOCK}\n\n```python\nprint(f(1))\n```", "python", "f")
    assert found == Code(RIGHT, f"import math\n\n{RIGHT}\n\nprint(f(1))")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("It cannot be done.", "no code"),
        ("", "no code"),
        ("```python\n```", "no code"),
        ("```python\ndef g(x):\n    return x\n```", "no code"),
        ("```python\ndef ff(x):\n    return x\n```", "no code"),
        ("```python\nclass A:\n    def f(self, x):\n        return x\n```", "no code"),
        (f"```java\n{RIGHT}\n```", "no code"),
        (f"Use {RIGHT}", "no code"),
        (f"{BLOCK}\n\nOr:\n\n```python\ndef f(x):\n    return 1 + x\n```", "several solutions"),
    ],
)
def test_responses_without_one_solution(text: str, problem: str) -> None:
    assert read_code(text, "python", "f") == Code("", problem=problem)


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("cpp", "```cpp\nint f(int x) { return x + 1; }\n```"),
        ("cpp", "```c++\ntemplate <class T> T f(T x) { return x + 1; }\n```"),
        ("javascript", "```js\nconst f = (x) => x + 1;\n```"),
        ("rust", "```rust\nfn f<T>(x: T) -> T { x }\n```"),
        ("go", "```go\nfunc f(x int) int { return x + 1 }\n```"),
        ("java", "```java\nclass Solution { int f(int x) { return x + 1; } }\n```"),
    ],
)
def test_other_languages(language: str, code: str) -> None:
    found = read_code(f"Here:\n{code}\nand\n```python\ndef f(x): pass\n```", language, "f")
    assert found.text
    assert "pass" not in found.text


def test_code_without_an_entry_point_is_the_only_block() -> None:
    assert read_code("```python\nprint(input())\n```", "python", "").text == "print(input())"
    assert (
        read_code("```python\nprint(1)\n```\n\n```python\nprint(2)\n```", "python", "").problem == "several solutions"
    )


def test_a_fence_in_a_block_does_not_end_it() -> None:
    assert list(blocks("````md\n```python\nx\n```\n````")) == [("md", "```python\nx\n```")]


def test_the_substance_of_code_is_its_longest_block_without_comments() -> None:
    commented = "```python\n# Adds one.\ndef f( x ):\n    return x+1  # done\n```"
    assert main_block(f"First:\n{commented}\n```python\nf(1)\n```") == main_block(BLOCK) == main_block(RIGHT) == RIGHT
    assert main_block(BLOCK.replace("+", "-")) != RIGHT
    assert main_block("No code here.") is None
    assert main_block("word") is None


@pytest.mark.parametrize(
    ("code", "is_so"),
    [
        ("def f(x):\n    pass", True),
        ("def f(x):\n    '''Adds one.'''\n    ...", True),
        ("def f(x):\n    raise NotImplementedError('later')", True),
        ("def f(x):\n    return None", False),
        ("def f(x):\n    raise ValueError(x)", False),
        ("def f(x):\n    pass\n\ndef f(x):\n    return x", False),
        ("f = abs", False),
    ],
)
def test_functions_without_a_body(code: str, is_so: bool) -> None:
    tree = parsed_python(code)
    assert tree is not None
    assert is_empty(tree, "f") is is_so


@pytest.mark.parametrize(
    ("code", "is_so"),
    [
        ("import random", True),
        ("from time import perf_counter", True),
        ("import numpy as np\nx = np.random.rand()", True),
        ("x = np.random.default_rng()", True),
        ("def f(x):\n    return hash(x)", True),
        ("from datetime import datetime\nx = datetime.now()", True),
        ("import os\nx = os.urandom(1)", True),
        ("from datetime import date\nx = date(2024, 1, 1)", False),
        ("def f(now):\n    return now", False),
        (RIGHT, False),
    ],
)
def test_code_that_depends_on_chance(code: str, is_so: bool) -> None:
    tree = parsed_python(code)
    assert tree is not None
    assert is_nondeterministic(tree) is is_so


@pytest.mark.parametrize("code", ["def f(", "x = '\0'", "(" * 5000 + ")" * 5000, "x = 1\n  y = 2"])
def test_what_is_not_python(code: str) -> None:
    assert parsed_python(code) is None
