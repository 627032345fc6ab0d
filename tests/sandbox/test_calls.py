"""Verdicts on solutions in Python: tests and solution in two sandboxes."""

from __future__ import annotations

import pytest

from rmeval.sandbox import Limits, Sandbox, TestSuite

DOUBLE = TestSuite("asserts", entry_point="double", code="assert double(1) == 2\nassert double(-3) == -6, 'negative'")
RIGHT = "def double(x):\n    return 2 * x\n"


def verdict(sandbox: Sandbox, solution: str, tests: TestSuite = DOUBLE) -> tuple[str, str]:
    found = sandbox.verify(solution, tests)
    return found.status, found.detail


def holds(sandbox: Sandbox, solution: str, code: str) -> None:
    assert verdict(sandbox, solution, TestSuite("asserts", code=code)) == ("pass", "")


@pytest.mark.parametrize(
    ("solution", "detail"),
    [
        ("def double(x): return x", "assert double(1) == 2"),
        ("def double(x): return abs(2 * x)", "AssertionError: negative (at: assert double(-3) == -6, 'negative')"),
        ("def double(x): return x / 0", "ZeroDivisionError: division by zero (at: assert double(1) == 2)"),
        ("def triple(x): return 3 * x", "NameError: the solution does not define double"),
        ("raise ValueError('at once')", "ValueError: at once"),
        ("class E(KeyError): pass\ndef double(x): raise E('k')", "KeyError: \"'k'\" (at: assert double(1) == 2)"),
        (
            "import os\ndef double(x): os._exit(3)",
            "the process of the solution ended with exit code 3: no reason is known",
        ),
        (
            "import os\ndef double(x): os.kill(os.getpid(), 11)",
            "the process of the solution ended by signal 11",
        ),
    ],
)
def test_a_wrong_solution_fails_with_the_line(sandbox: Sandbox, solution: str, detail: str) -> None:
    assert verdict(sandbox, solution) == ("fail", detail)


def test_a_solution_with_a_syntax_error_does_not_compile(sandbox: Sandbox) -> None:
    detail = "SyntaxError: '(' was never closed (solution, line 1)"
    assert verdict(sandbox, "def double(x:") == ("compile", detail)
    assert verdict(sandbox, "if 1:\npass")[0] == "compile"
    # Raised by a call, it is an exception as any other.
    assert verdict(sandbox, "def double(x): return eval('(')")[0] == "fail"


def test_a_right_solution_passes_in_both_isolations(sandbox: Sandbox, plain: Sandbox) -> None:
    for one in (sandbox, plain):
        assert verdict(one, RIGHT) == ("pass", "")
        assert verdict(one, "def double(x): return x") == ("fail", "assert double(1) == 2")


def test_check_uses_the_functions_of_the_context() -> None:
    with pytest.raises(Exception, match="`entry_point`"):
        TestSuite("check", code="def check(candidate): pass")


def test_a_check_of_humaneval(sandbox: Sandbox) -> None:
    context = "import math\n\ndef encode(text):\n    return text[::-1]\n\ndef decode(text):\n    ''' Undo encode. '''\n"
    code = "def check(candidate):\n    for text in ('abc', ''):\n        assert candidate(encode(text)) == text\n"
    tests = TestSuite("check", entry_point="decode", code=code, context=context)
    assert verdict(sandbox, context + "    return text[::-1]\n", tests) == ("pass", "")
    assert verdict(sandbox, context + "    return text\n", tests)[0] == "fail"
    # The solution's own version of a helper is not used.
    forged = context.replace("text[::-1]", "text") + "    return text\n"
    assert verdict(sandbox, forged, tests)[0] == "fail"


def test_values_cross_exactly(sandbox: Sandbox) -> None:
    values = (
        "[1, -2**100, 1.5, float('inf'), 1e-320, 'ä\\ud800\\0', b'\\xff', None, True, "
        "(1, [2]), {3}, frozenset({4}), {5: {'a': 1}}, 2j]"
    )
    holds(
        sandbox,
        f"def get(): return {values}\ndef same(x): return x\ndef kinds(x): return [type(one).__name__ for one in x]",
        f"values = {values}\nassert get() == values and same(values) == values\n"
        "assert [type(one) for one in get()] == [type(one) for one in values]\n"
        "assert kinds(values) == [type(one).__name__ for one in values]\n"
        "assert str(same(float('nan'))) == 'nan' and str(same(-0.0)) == '-0.0'",
    )


def test_arguments_that_change_change_here(sandbox: Sandbox) -> None:
    holds(
        sandbox,
        "def change(a, b, c=None):\n    a.append(b.pop('x'))\n    a[0][0] = 9\n    c.add(3)\n    return a\n"
        "def deep(a): a[0][1].append(5); a[1]['k'] += b'z'\n",
        "a, b, c = [[1]], {'x': 2}, {1}\nassert change(a, b, c=c) == [[9], 2]\n"
        "assert a == [[9], 2] and b == {} and c == {1, 3}\n"
        "inner, data = [1], bytearray(b'y')\ndeep([(0, inner), {'k': data}])\nassert inner == [1, 5] and data == b'yz'",
    )


def test_objects_stay_with_the_solution(sandbox: Sandbox) -> None:
    solution = """
class Node:
    def __init__(self, value): self.value, self.left = value, None
    def total(self): return self.value + (self.left.total() if self.left else 0)
    def __eq__(self, other): return True
def total(node): return node.total()
def count():
    yield from (1, 2, 3)
def counted(text):
    from collections import Counter
    return Counter(text)
def make(): return Node
"""
    holds(
        sandbox,
        solution,
        "root = Node(1)\nroot.left = Node(2)\nassert total(root) == 3 and root.left.value == 2 and root.total() == 3\n"
        "assert list(count()) == [1, 2, 3] and sum(count()) == 6 and 2 in count() and 7 not in count()\n"
        "assert counted('aab') == {'a': 2, 'b': 1} and counted('a')['a'] == 1 and len(counted('ab')) == 2\n"
        "assert root != 5 and not root == None and root == root and root.left == root.left and root != Node(1)\n"
        "assert make()(4).value == 4",
    )


def test_functions_of_the_tests_can_be_arguments(sandbox: Sandbox) -> None:
    holds(
        sandbox,
        "def apply(f, xs): return [f(x) for x in xs]\ndef one(): return 1\n"
        "def safe(f):\n    try: return f()\n    except ValueError as e: return str(e)\n",
        "assert apply(lambda x: x + one(), [1, 2]) == [2, 3]\nassert apply(str, [1]) == ['1']\n"
        "def fails(): raise ValueError('no')\nassert safe(fails) == 'no'",
    )


def test_exceptions_cross_as_builtin_classes(sandbox: Sandbox) -> None:
    holds(
        sandbox,
        "class Own(LookupError): pass\nkinds = {'own': Own, 'exit': SystemExit, 'stop': StopIteration}\n"
        "def f(kind): raise kinds[kind]('text')",
        """
def caught(kind):
    try:
        f(kind)
    except Exception as error:
        return type(error), str(error)
assert caught('own') == (LookupError, 'text'), caught('own')
assert caught('exit') == (Exception, 'SystemExit: text'), caught('exit')
assert caught('stop') == (Exception, 'text'), caught('stop')
""",
    )


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("assert (", "the tests do not compile: SyntaxError"),
        ("import numpy\nassert double(1) == 2", "a module cannot be imported in the sandbox: No module named 'numpy'"),
        (
            "import re\nassert double(re.compile('x')) == 2",
            "tests cannot pass an object of the type Pattern",
        ),
        ("assert double('x' * (1 << 24))", "an argument is too large to pass to the solution"),
        ("assert double('x' * (1 << 22))", "a value of the solution is too large to pass to the tests"),
        ("import os\nos._exit(0)", "the tests ended without a verdict"),
    ],
)
def test_tests_that_fail_themselves_say_nothing_about_the_solution(sandbox: Sandbox, code: str, detail: str) -> None:
    status, found = verdict(
        sandbox, "def double(x): return 2 * x * 2", TestSuite("asserts", entry_point="double", code=code)
    )
    assert (status, found[: len(detail)]) == ("error", detail)


def test_a_module_that_is_not_in_the_sandbox_is_no_failure(sandbox: Sandbox) -> None:
    status, detail = verdict(sandbox, "import numpy as np\n" + RIGHT)
    assert (status, "`readable`" in detail) == ("error", True)


@pytest.mark.parametrize(
    ("solution", "status"),
    [
        ("def double(x):\n    while True: pass", "timeout"),
        ("import time\ndef double(x): time.sleep(60)", "timeout"),
        ("def double(x): return len(bytearray(1 << 30))", "memory"),
        ("kept = bytearray(1 << 30)", "memory"),
        ("def double(x):\n    while True: print('x' * 1000)", "output"),
    ],
)
def test_limits(solution: str, status: str, sandbox: Sandbox) -> None:
    small = Sandbox(Limits(wall=1.0, memory=256 << 20, output=100_000))
    assert verdict(small, solution)[0] == status


def test_the_order_of_sets_is_the_same_each_time(sandbox: Sandbox) -> None:
    tests = TestSuite("asserts", entry_point="f", code="assert f() == 0")
    found = {sandbox.verify(f"def f(): raise ValueError(list(set('{'abcdefgh'}')))", tests).detail for _ in range(3)}
    assert len(found) == 1


def test_the_seed_of_hashes_shows_a_solution_that_is_right_by_chance(sandbox: Sandbox) -> None:
    tests = TestSuite("asserts", code="assert first(['a', 'b', 'c', 'd']) == 'a'", entry_point="first")
    by_chance = "def first(texts):\n    return list(set(texts))[0]\n"
    found = [sandbox.verify(by_chance, tests, seed).status for seed in range(8)]
    assert set(found) == {"pass", "fail"}
    assert found[:2] == [sandbox.verify(by_chance, tests, seed).status for seed in range(2)]
    right = "def first(texts):\n    return sorted(set(texts))[0]\n"
    assert [verdict.status for _, verdict in sandbox.verify_many([(0, right, tests)], hash_seed=3)] == ["pass"]


@pytest.mark.parametrize("name", ["np", "numpy", "pd"])
def test_packages_that_tests_compare_with_are_not_the_solution_s(sandbox: Sandbox, name: str) -> None:
    forged = f"def f(x):\n    return 0\nclass {name}:\n    allclose = staticmethod(lambda *values: True)\n"
    tests = TestSuite("asserts", code=f"assert {name}.allclose(f(2), 3)", entry_point="f")
    verdict = sandbox.verify(forged, tests)
    assert verdict.status == "error"
    assert "cannot be imported in the sandbox" in verdict.detail
