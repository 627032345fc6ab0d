"""Solutions in other languages, and the published solutions of HumanEval and MBPP."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rmeval.sandbox import LANGUAGES, Limits, Program, Sandbox, TestSuite, toolchains
from rmeval.sandbox.isolation import open_bubblewrap

ADD = {
    "cpp": (
        "#include <vector>\nint add(std::vector<int> a) { return a[0] + a[1]; }",
        "int main() { if (add({1, 2}) != 3) return 1; }",
    ),
    "java": (
        "import java.util.*;\nclass Solution { int add(List<Integer> a) { return a.get(0) + a.get(1); } }",
        "import java.util.*;\npublic class Main { public static void main(String[] given) {\n"
        'assert new Solution().add(Arrays.asList(1, 2)) == 3 : "sum"; } }',
    ),
    "javascript": ("const add = (a) => a[0] + a[1];", "require('assert').strictEqual(add([1, 2]), 3);"),
    "rust": ("fn add(a: Vec<i32>) -> i32 { a[0] + a[1] }", "fn main() { assert_eq!(add(vec![1, 2]), 3); }"),
    "go": (
        "package main\nfunc add(a []int) int { return a[0] + a[1] }",
        'package main\nimport "os"\nfunc main() { if add([]int{1, 2}) != 3 { os.Exit(1) } }',
    ),
}
"""A solution and its tests; with `-` for `+` it is wrong, without an operand it does not compile."""

EXIT = {
    "cpp": ("#include <vector>\n#include <cstdlib>\nint add(std::vector<int> a) { std::exit(0); }"),
    "java": "import java.util.*;\nclass Solution { int add(List<Integer> a) { System.exit(0); return 0; } }",
    "javascript": "const add = (a) => process.exit(0);",
    "rust": "fn add(a: Vec<i32>) -> i32 { std::process::exit(0) }",
    "go": 'package main\nimport "os"\nfunc add(a []int) int { os.Exit(0); return 0 }',
}

SUMS = {
    "python": "print(sum(map(int, input().split())))",
    "cpp": "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b << std::endl; }",
    "java": (
        "import java.util.*;\npublic class Main { public static void main(String[] given) {\n"
        "Scanner in = new Scanner(System.in); System.out.println(in.nextInt() + in.nextInt()); } }"
    ),
    "javascript": ("const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number);\nconsole.log(a + b);"),
    "rust": (
        "fn main() { let mut line = String::new(); std::io::stdin().read_line(&mut line).unwrap();\n"
        'println!("{}", line.split_whitespace().map(|x| x.parse::<i32>().unwrap()).sum::<i32>()); }'
    ),
    "go": 'package main\nimport "fmt"\nfunc main() { var a, b int; fmt.Scan(&a, &b); fmt.Println(a + b) }',
}


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    if isinstance(found := open_bubblewrap(), str):
        pytest.skip(f"a sandbox cannot be tested: {found}")
    return Sandbox(require=True)


def there(language: str) -> None:
    if language not in toolchains():
        pytest.skip(f"there is no toolchain here for {language}")


@pytest.mark.parametrize("language", ADD)
def test_a_solution_is_verified_with_its_tests(sandbox: Sandbox, language: str) -> None:
    there(language)
    solution, code = ADD[language]
    tests = TestSuite("program", language=language, code=code)
    assert sandbox.verify(solution, tests).status == "pass"
    wrong = solution.replace(" + ", " - ")
    assert sandbox.verify(wrong, tests).status == "fail"
    broken = sandbox.verify(solution.replace(" + ", " + )"), tests)
    assert broken.status == "compile"
    assert re.search(r"\w\.(cpp|java|js|rs|go):\d", broken.detail), broken
    assert sandbox.verify(EXIT[language], tests).status == "fail"
    assert sandbox.verify(solution, TestSuite("program", language=language, code="?")).status in ("fail", "compile")


HUGE = {
    "python": "x = bytearray(1 << 40)",
    "cpp": "#include <vector>\nint main() { std::vector<char> a(1UL << 40); return a[5]; }",
    "java": (
        "import java.util.*;\npublic class Main { public static void main(String[] given) {\n"
        "List<long[]> all = new ArrayList<>(); while (true) all.add(new long[1 << 24]); } }"
    ),
    "javascript": "const all = []; while (true) all.push(new Array(1 << 20).fill(all.length));",
    "rust": 'fn main() { let v: Vec<u8> = Vec::with_capacity(1 << 40); println!("{}", v.capacity()); }',
    "go": 'package main\nimport "fmt"\nfunc main() { a := make([]byte, 1 << 40); fmt.Println(len(a)) }',
}
"""Programs that need more memory than there is."""


@pytest.mark.parametrize("language", HUGE)
def test_too_little_memory_is_not_a_wrong_answer(sandbox: Sandbox, language: str) -> None:
    there(language)
    found = sandbox.verify(HUGE[language], TestSuite("io", language=language, cases=(("", "1"),)))
    assert found.status == "memory", found


@pytest.mark.parametrize("language", LANGUAGES)
def test_output_in_every_language(sandbox: Sandbox, language: str) -> None:
    there(language)
    cases = (("1 2\n", "3\n"), ("-5 5\n", "0\n"))
    assert sandbox.verify(SUMS[language], TestSuite("io", language=language, cases=cases)).status == "pass"
    wrong = (("1 2\n", "4\n"),)
    assert sandbox.verify(SUMS[language], TestSuite("io", language=language, cases=wrong)).status == "fail"


def test_a_compiler_reads_no_files_of_the_machine(sandbox: Sandbox, tmp_path: Path) -> None:
    there("cpp")
    secret = tmp_path / "secret.h"
    secret.write_text("int secret = 5;")
    for place in (secret, "/etc/shadow", "/etc/passwd"):
        source = f'#include "{place}"\nint main() {{}}'
        found = sandbox.run(Program("cpp", {"main.cpp": source}, "main.cpp"))
        assert found.status == "compile", found
        assert "secret" not in found.stderr.replace(str(secret), "")


def problems(folder: Path) -> Iterator[tuple[tuple[str, Any], str, TestSuite]]:
    """The published solutions, and for HumanEval the buggy ones of HumanEvalPack."""
    with gzip.open(folder / "problems" / "HumanEval.jsonl.gz", "rt") as file:
        tests = {}
        for row in map(json.loads, file):
            suite = TestSuite("check", entry_point=row["entry_point"], code=row["test"], context=row["prompt"])
            tests[row["task_id"].partition("/")[2]] = suite
            yield ("HumanEval", row["task_id"]), row["prompt"] + row["canonical_solution"], suite
    for line in (folder / "rewardbench" / "humanevalpack.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["subset"] == "hep-python":
            suite = tests[row["id"].partition("/")[2]]
            yield ("right", row["id"]), suite.context + row["canonical_solution"], suite
            yield ("wrong", row["id"]), suite.context + row["buggy_solution"], suite
    for line in (folder / "problems" / "mbpp.jsonl").read_text().splitlines():
        row = json.loads(line)
        names = [name for name in re.findall(r"def\s+(\w+)", row["code"]) if f"{name}(" in "".join(row["test_list"])]
        code = "\n".join([row["test_setup_code"], *row["test_list"]])
        yield ("MBPP", row["task_id"]), row["code"], TestSuite("asserts", entry_point=names[0], code=code)


@pytest.mark.slow
def test_published_solutions_pass_and_buggy_ones_fail(sandbox: Sandbox, shared: Path) -> None:
    # Some of MBPP's take seconds, and much longer on a busy machine.
    sandbox = Sandbox(Limits(wall=120, cpu=20), require=True)
    found: Counter[tuple[str, str]] = Counter()
    wrong = []
    for (kind, number), verdict in sandbox.verify_many(problems(shared / "data")):
        found[kind, verdict.status] += 1
        if (verdict.status == "pass") == (kind == "wrong"):
            wrong.append((kind, number, verdict))
    assert wrong == []
    assert found["HumanEval", "pass"] == found["right", "pass"] == 164
    assert found["MBPP", "pass"] == 974
    assert found["wrong", "fail"] + found["wrong", "timeout"] == 164
