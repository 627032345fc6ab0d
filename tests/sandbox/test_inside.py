"""Both sides of a verification in two threads of this process, which shows what the tests cannot see from outside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, NoReturn

import pytest

from rmeval.sandbox.inside.solution import Server, raised
from rmeval.sandbox.inside.values import Channel, ChannelError, pack
from rmeval.sandbox.inside.verification import Proxy, Remote, Verification, exception, merged


class EndedError(BaseException):
    pass


def end(status: str, detail: str) -> NoReturn:
    raise EndedError(status, detail)


@contextmanager
def connected(serve: Callable[[Channel], None]) -> Iterator[Remote]:
    """A remote whose other side runs in a thread."""
    requests, replies = os.pipe(), os.pipe()
    server = Thread(target=serve, args=(Channel(requests[0], replies[1]),))
    server.start()
    try:
        yield Remote(Channel(replies[0], requests[1]), end)
    finally:
        os.close(requests[1])
        server.join()
        for descriptor in (requests[0], *replies):
            os.close(descriptor)


def serving(source: str) -> Callable[[Channel], None]:
    def serve(channel: Channel) -> None:
        names: dict[str, Any] = {}
        try:
            exec(source, names)
        except (Exception, SystemExit) as error:  # noqa: BLE001  As the process of a solution does.
            channel.send(raised(error))
        else:
            channel.send(pack(("value", None)))
        with pytest.raises(ChannelError):
            Server(channel, names).run()

    return serve


def verdict(source: str, code: str, entry_point: str = "", kind: str = "asserts", context: str = "") -> tuple[str, str]:
    with connected(serving(source)) as remote:
        try:
            return Verification(kind, code, context, entry_point, remote).run()
        except EndedError as ended:
            return ended.args[0], ended.args[1]


SOURCE = """
class Box(dict):
    def __init__(self): super().__init__(a=1); self.size = 3
    def __str__(self): return 'box'
    def __bool__(self): return False
    def __int__(self): return 7
    def __float__(self): return 7.5
class Bad:
    def __len__(self): return -1
    def __str__(self): raise RuntimeError('none')
def box(): return Box()
def bad(): return Bad()
def call(f, *a, **k): return f(*a, **k)
def numbers():
    yield 1
    yield [2]
def types(x): return [x, int, ValueError]
def keys(x): return x.keys()
class Decimal:
    def __eq__(self, other): return True
def forged(): return Decimal()
def endless():
    found = []
    found.append(found)
    return found
def fail(): raise OSError(2, 'no')
def loop():
    while True: raise StopIteration('x')
"""


@pytest.mark.parametrize(
    "code",
    [
        "b = box()\nassert b == {'a': 1} and b != {} and len(b) == 1 and b['a'] == 1 and b.size == 3 and not b",
        "b = box()\nassert (str(b), repr(b), int(b), float(b)) == ('box', repr({'a': 1}), 7, 7.5)",
        "b = box()\nb.size = 4\nassert b.size == 4",
        "assert list(numbers()) == [1, [2]] and [2] in numbers()\nassert next(iter(numbers())) == 1",
        "assert types(str) == [str, int, ValueError]",
        "assert call(lambda a, b: a + b, 1, b=2) == 3 and call(numbers) != 1 and call(call, call, int, '5') == 5",
        "x = [3]\nassert call(lambda y: y, x) == x and x == [3]",
        "assert isclose(0.1 + 0.2, 0.3) and math.pi > 3",
        "b = box()\nassert b == b and hash(numbers) == hash(numbers) and numbers in {numbers: 1}",
        "from datetime import *\nfor x in (date(2020, 1, 2), datetime(2020, 1, 2, 3, 4, 5, 6), timedelta(1, 2, 3)):\n"
        "    assert call(max, x, x) == x and type(call(max, x, x)) is type(x)",
        "from fractions import Fraction\nfrom decimal import Decimal\n"
        "for x in (Fraction(1, 3), Decimal('-0.10'), Decimal('NaN'), Decimal(10) ** 50):\n"
        "    assert repr(call(lambda y: y, x)) == repr(x)",
        "from collections import Counter, OrderedDict, deque\n"
        "for x in (Counter('ab'), OrderedDict(b=1, a=2), deque([1], 3)):\n"
        "    assert repr(call(lambda y: y, x)) == repr(x)",
        "assert keys({'a': 1}) == {'a'} and keys({'a': 1}) != ['a'] and not keys({}) and 'a' in keys({'a': 1})",
        "assert call(lambda: None) is None\nassert box() == box() and bad() != bad()",
    ],
)
def test_these_hold(code: str) -> None:
    assert verdict(SOURCE, code) == ("pass", "")


@pytest.mark.parametrize(
    ("code", "status", "detail"),
    [
        ("assert box() == 1", "fail", "assert box() == 1"),
        (
            "assert box().nothing",
            "fail",
            "AttributeError: 'Box' object has no attribute 'nothing' (at: assert box().nothing)",
        ),
        (
            "box().__class__.x",
            "fail",
            "AttributeError: type object 'Proxy' has no attribute 'x' (at: box().__class__.x)",
        ),
        ("len(bad())", "fail", "ValueError: __len__() should return >= 0 (at: len(bad()))"),
        ("str(bad())", "fail", "RuntimeError: none (at: str(bad()))"),
        ("fail()", "fail", "FileNotFoundError: [Errno 2] no (at: fail())"),
        ("loop()", "fail", "Exception: x (at: loop())"),
        ("call(lambda: 1 / 0)", "fail", "ZeroDivisionError: division by zero (at: call(lambda: 1 / 0))"),
        ("assert forged() == 1", "fail", "assert forged() == 1"),
        ("box() + 1", "fail", "TypeError: unsupported operand type(s) for +: 'Proxy' and 'int' (at: box() + 1)"),
        ("box() < 1", "fail", "TypeError: '<' not supported between instances of 'Proxy' and 'int' (at: box() < 1)"),
        ("endless()", "error", "a value of the solution is too large to pass to the tests"),
        (
            "call(object())",
            "error",
            "tests cannot pass an object of the type object to a solution",
        ),
        ("box()[object()]", "error", "tests cannot pass an object of the type object to a solution"),
        ("raise MemoryError", "memory", "MemoryError"),
        (
            "import nil",
            "error",
            "a module cannot be imported in the sandbox: No module named 'nil'",
        ),
        ("assert (", "error", "the tests do not compile: SyntaxError: '(' was never closed (tests, line 1)"),
        ("assert 0, 'because'", "fail", "AssertionError: because (at: assert 0, 'because')"),
        ("unknown(1)", "fail", "NameError: name 'unknown' is not defined (at: unknown(1))"),
    ],
)
def test_these_do_not(code: str, status: str, detail: str) -> None:
    assert verdict(SOURCE, code) == (status, detail)


def test_the_entry_point_and_the_context_are_bound() -> None:
    check = "def check(candidate):\n    assert candidate(helped()) == 2"
    assert verdict("def sorted(x): return x + 1", check, "sorted", "check", "def helped(): return 1") == ("pass", "")
    assert verdict("def f(): pass\ndef check(f): pass", "x = 1", "f", "check") == (
        "error",
        "the tests do not define the function check",
    )
    assert verdict("x = 1", check, "f", "check") == ("fail", "NameError: the solution does not define f")
    assert verdict("1 / 0", check, "f", "check") == ("fail", "ZeroDivisionError: division by zero")
    assert verdict("raise MemoryError", check, "f", "check") == ("memory", "MemoryError")
    assert verdict("import numpy_of_old", check, "f", "check")[0] == "error"
    assert verdict("import json.nothing", check, "f", "check")[0] == "fail"
    assert verdict("raise SystemExit", check, "f", "check") == ("fail", "SystemExit: SystemExit")


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"N",
        pack(()),
        pack(("value",)),
        pack(("value", 1, 2, 3)),
        pack(("raise", 1, "", "")),
        pack(("other",)),
        pack(("callback", 0, [], {})),
        b"t2;s5;valueh1;x",
        b"t2;s5;valuek1;9",
        b"t2;s5;valueg4;eval",
        b"t2;s5;valuez1;9",
        b"t2;s5;valueq6;systemt0;",
        b"t2;s5;valueq4;datet1;s3;abc",
        b"t2;s5;valueq7;Decimall0;",
        b"t2;s5;valueq7;Decimalt1;s3;abc",
        b"t2;s5;valueq8;Fractiont2;i1;i0;",
    ],
)
def test_other_messages_end_the_tests(reply: bytes) -> None:
    def serve(channel: Channel) -> None:
        channel.send(pack(("value", None)))
        channel.receive()
        channel.send(reply)

    with connected(serve) as remote:
        remote.load()
        with pytest.raises(EndedError) as ended:
            remote.ask("names", [])
    assert ended.value.args[0] == "ended"


def test_an_object_of_the_solution_gives_no_value_of_another_type() -> None:
    def serve(channel: Channel) -> None:
        channel.send(pack(("value", None)))
        for _ in range(6):
            channel.receive()
            channel.send(pack(("value", [])))

    with connected(serve) as remote:
        remote.load()
        proxy = Proxy(remote, 0, 5)
        kinds: tuple[Callable[[Any], Any], ...] = (len, bool, str, repr, int, float)
        for kind in kinds:
            with pytest.raises(TypeError, match="the solution's object gave no"):
                kind(proxy)


def test_the_end_of_the_solution_ends_the_tests() -> None:
    with connected(lambda channel: channel.send(pack(("value", None)))) as remote:
        remote.load()
        os.close(remote.channel.outgoing)
        remote.channel.outgoing = os.open(os.devnull, os.O_RDONLY)
        with pytest.raises(EndedError):
            remote.ask("names", [])
        os.dup2(os.open(os.devnull, os.O_RDONLY), remote.channel.outgoing)


def test_exceptions_that_need_more_than_a_text() -> None:
    assert repr(exception("UnicodeDecodeError", "bad")) == "Exception('UnicodeDecodeError: bad')"
    assert repr(exception("print", "")) == "Exception('print')"
    assert repr(exception("KeyError", "k")) == "KeyError('k')"


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ([1, [2]], [1, [3]], [1, [3]]),
        ([1], [1, 2], [1, 2]),
        ({"a": [1]}, {"b": 2, "a": [3]}, {"b": 2, "a": [3]}),
        ({1}, {2}, {2}),
        (bytearray(b"a"), bytearray(b"bc"), bytearray(b"bc")),
    ],
)
def test_containers_change_in_place(old: Any, new: Any, kept: Any) -> None:
    assert merged(old, new) is old
    assert old == kept
    assert merged(1, old) is old


def test_tuples_are_kept_if_their_members_are() -> None:
    old = ([1], "a")
    assert merged(old, ([2], "a")) is old and old == ([2], "a")
    assert merged(old, ([2], "b")) == ([2], "b")
    assert merged(old, ()) == ()
