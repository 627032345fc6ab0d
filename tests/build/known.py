"""Problems with solutions that are known to be right and known to be wrong."""

from __future__ import annotations

import ast
import gzip
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from rmeval.solutions.code_blocks import parsed_python
from tests.build.oracle import run_plainly
from tests.build.wrong_code import mutants

__all__ = [
    "Known",
    "gsm8k",
    "humaneval",
    "math_algebra",
    "math_test",
    "mbpp",
    "other_forms",
    "own_code",
    "own_math",
    "rows",
    "with_mutants",
]


@dataclass(frozen=True)
class Known:
    """A problem, and what a scripted model knows of it.

    Attributes:
        id: Its id, by which tests look texts up.
        text: What it is found by in a prompt.
        kind: `code`, `math`, or `text` for everything that is neither run nor computed.
        right: Right code, the key, or a right statement.
        wrong: Others of the same form that are wrong.
        entry_point: Name of the function.
        tests: Python code that raises if the function is wrong.
        also: Texts that tell it from another problem of the same text.
        row: The row of a problems file in the columns of its own data set.
    """

    id: str
    text: str
    kind: Literal["code", "math", "text"]
    right: str
    wrong: tuple[str, ...] = ()
    entry_point: str = ""
    tests: str = ""
    also: tuple[str, ...] = ()
    row: Any = None


def rows(path: Path) -> list[dict[str, Any]]:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in raw.decode().splitlines()]


def humaneval(shared: Path, count: int | None = None) -> list[Known]:
    found = []
    for row in rows(shared / "data" / "problems" / "HumanEval.jsonl.gz")[:count]:
        entry, code = row["entry_point"], row["prompt"] + row["canonical_solution"]
        tests = f"{row['test']}\ncheck({entry})\n"
        found.append(Known(row["task_id"], row["prompt"].strip(), "code", code, (), entry, tests, row=row))
    return found


def mbpp(shared: Path, count: int | None = None) -> list[Known]:
    found = []
    for row in rows(shared / "data" / "problems" / "mbpp.jsonl")[:count]:
        code = row["code"].replace("\r", "")
        tests = "\n".join([row["test_setup_code"], *row["test_list"]]).replace("\r", "")
        if (entry := _called(row["test_list"], code)) is not None:
            text, also = row["text"].strip(), tuple(row["test_list"])
            found.append(Known(str(row["task_id"]), text, "code", code, (), entry, tests, also, row))
    return found


def _called(tests: Sequence[str], code: str) -> str | None:
    """The function of a solution that its tests call; None if it is none at the top."""
    tree = parsed_python(code)  # Without the warnings that `ast.parse` gives.
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} if tree is not None else set()
    calls = [node.func for test in tests for node in ast.walk(ast.parse(test)) if isinstance(node, ast.Call)]
    return next((call.id for call in calls if isinstance(call, ast.Name) and call.id in names), None)


def gsm8k(shared: Path, count: int | None = None) -> list[Known]:
    found = []
    for number, row in enumerate(rows(shared / "data" / "problems" / "gsm8k_test.jsonl")[:count]):
        key = row["answer"].rpartition("####")[2].strip().replace(",", "")
        found.append(Known(f"gsm8k-{number}", row["question"].strip(), "math", key, _wrong_keys(key), row=row))
    return found


def math_test(shared: Path, count: int | None = None) -> list[Known]:
    """Problems of MATH whose key contains a number, so that a wrong one can be made of it."""
    found = []
    for row in rows(shared / "data" / "problems" / "MATH_test_5000.jsonl.gz"):
        key = row["solution"].rpartition("\\boxed{")[2]
        key = _braced("{" + key) if key else ""
        if wrong := _wrong_keys(key):
            found.append(Known(f"math-{row['idx']}", row["problem"].strip(), "math", key, wrong, row=row))
    return found[:count]


_ROOT = re.compile(r"-?\d*(\\sqrt\{\d+\}|\\pi)")
_POLYNOMIAL = re.compile(r"-?\d*x(\^\{?\d\}?)?( *[-+] *\d*x(\^\{?\d\}?)?)*( *[-+] *\d+)?")
_POINT = re.compile(r"\((-?\d+), *(-?\d+)\)")


def math_algebra(shared: Path, count: int | None = None) -> list[Known]:
    """Problems of MATH whose key is a root, a multiple of pi, a polynomial or a point, in all their order."""
    found = []
    for row in rows(shared / "data" / "problems" / "MATH_test_5000.jsonl.gz"):
        key = row["solution"].rpartition("\\boxed{")[2]
        key = _braced("{" + key) if key else ""
        if (point := _POINT.fullmatch(key)) is not None:
            wrong = (f"({int(point[1]) + 2},{point[2]})", f"({point[1]},{int(point[2]) - 1})")
        elif _ROOT.fullmatch(key):
            wrong = (f"{key}+1", f"2\\left({key}\\right)")
        elif _POLYNOMIAL.fullmatch(key):
            wrong = (f"{key}+1", f"{key}-x")
        else:
            continue
        found.append(Known(f"math-{row['idx']}", row["problem"].strip(), "math", key, wrong, row=row))
    return found[:count]


def _braced(text: str) -> str:
    """What the first pair of braces contains."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if depth == 0:
            return text[1:place]
    return ""


_INTEGER = re.compile(r"-?\d+")
_FRACTION = re.compile(r"(-?)\\[dt]?frac\{(\d+)\}\{(\d+)\}")


def _wrong_keys(key: str) -> tuple[str, ...]:
    """Answers that differ from a key in value."""
    if _INTEGER.fullmatch(key):
        value = int(key)
        return tuple(str(one) for one in (value + 1, value - 1, value * 3 + 7, -value - 2))
    if (found := _FRACTION.fullmatch(key)) is not None:
        sign, above, below = found[1], int(found[2]), int(found[3])
        return (f"{sign}\\frac{{{above + 1}}}{{{below}}}", f"{sign}\\frac{{{above}}}{{{below + 1}}}")
    # A digit after a letter may belong to a name or a base, and one in a power of 0 or 1 may not matter.
    simple = re.fullmatch(r"-?\d+(\\sqrt\{\d+\}|\\pi|\.\d+)", key)
    return (re.sub(r"\d+", lambda one: str(int(one[0]) + 2), key, count=1),) if simple else ()


def other_forms(key: str) -> tuple[str, ...]:
    """The same answer, written in other ways."""
    if _INTEGER.fullmatch(key):
        value = int(key)
        sign = "-" if value < 0 else ""
        return (f"{value}.0", f"{sign}\\frac{{{abs(value) * 2}}}{{2}}", f" {value} ", f"x = {value}", f"{value:,}")
    if (found := _FRACTION.fullmatch(key)) is not None:
        quotient, below = Fraction(int(found[2]), int(found[3])), int(found[3])
        forms = [f"{found[1]}\\dfrac{{{found[2]}}}{{{found[3]}}}", f"{found[1]}{found[2]}/{found[3]}"]
        while below % 2 == 0:
            below //= 2
        while below % 5 == 0:
            below //= 5
        return (*forms, *([f"{found[1]}{float(quotient)}"] if below == 1 and quotient.denominator <= 64 else []))
    if (point := _POINT.fullmatch(key)) is not None:
        return (f"\\left( {point[1]}, {point[2]} \\right)", f" {key} ")
    if _ROOT.fullmatch(key) or _POLYNOMIAL.fullmatch(key):
        return (f"\\frac{{2\\left({key}\\right)}}{{2}}", f"1+{key}-1", f" {key} ")
    return (f" {key} ",)


def with_mutants(known: Iterable[Known], most: int = 3, tried: int = 4) -> list[Known]:
    """The problems whose right code passes their tests, with mutants that fail them, as plain runs say."""
    every = list(known)
    codes = [[one.right, *islice(mutants(one.right, one.id), tried)] for one in every]
    jobs = [(code, one.tests) for one, own in zip(every, codes, strict=True) for code in own]
    verdicts = iter(run_plainly(jobs))
    found = []
    for one, own in zip(every, codes, strict=True):
        first, *rest = [next(verdicts) for _ in own]
        wrong = tuple(code for code, verdict in zip(own[1:], rest, strict=True) if verdict == "fail")
        if first == "pass" and wrong:
            found.append(Known(**{**vars(one), "wrong": wrong[:most]}))
    return found


def own_code(count: int = 12) -> list[Known]:
    """Problems of functions of numbers, in the columns of MBPP."""
    found = []
    for number in range(count):
        entry, step = f"total_{number}", number + 2
        text = f"Write a function {entry} that adds all multiples of {step} from 1 up to and with n."
        code = (
            f"def {entry}(n):\n    total = 0\n    for i in range(1, n + 1):\n        if i % {step} == 0:\n"
            "            total = total + i\n    return total\n"
        )
        sums = {n: sum(i for i in range(1, n + 1) if i % step == 0) for n in (0, 1, step, step * 2 + 1, 60)}
        tests = [f"assert {entry}({n}) == {total}" for n, total in sums.items()]
        wrong = (code.replace("n + 1", "n"), code.replace("total + i", "total + 1"), code.replace("== 0", "!= 0"))
        row = {"task_id": number, "text": text, "code": code, "test_list": tests, "test_setup_code": ""}
        found.append(Known(str(number), text, "code", code, wrong, entry, "\n".join(tests), tuple(tests), row))
    return found


def own_math(count: int = 12) -> list[Known]:
    """Sums, in the columns `id`, `prompt` and `answer`."""
    found = []
    for number in range(count):
        key = str(7 * number + 5) if number % 3 else f"\\frac{{{number + 1}}}{{{number + 3}}}"
        about = f"{6 * number + 2} + {number + 3}" if number % 3 else f"{number + 1} divided by {number + 3}"
        text = f"What is {about}?"
        row = {"id": str(number), "prompt": text, "answer": key}
        found.append(Known(str(number), text, "math", key, _wrong_keys(key), row=row))
    return found
