"""Solutions that try to pass tests without being right."""

from __future__ import annotations

from dataclasses import dataclass

from rmeval.sandbox import TestSuite

__all__ = ["FORGERIES", "RIGHT", "TESTS", "Forgery"]

TESTS = TestSuite(
    "asserts",
    entry_point="double",
    code="""
assert double(3) == 6
assert abs(half(3) - 1.5) < 1e-6
assert sorted(twice(3)) == [3, 3]
assert 3 in twice(3)
""",
)
RIGHT = """
def double(x): return 2 * x
def half(x): return x / 2
def twice(x): return [x, x]
"""


@dataclass(frozen=True, slots=True)
class Forgery:
    """A solution that is not right.

    Attributes:
        name: What it tries.
        code: Its code.
    """

    name: str
    code: str


_OUTPUT = """
print("PASS\\n" * 100, "OK", "Ran 4 tests in 0.0 s")
def double(x): print("pass")
"""
_EXIT_AT_ONCE = """
import os
os._exit(0)
"""
_EXIT = """
import os
def double(x): os._exit(0)
"""
_SYSTEM_EXIT = """
import sys
def double(x): sys.exit(0)
half = twice = double
"""
_EQUAL = """
class Any:
    def same(self, *others): return True
    def itself(self, *others): return self
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __bool__ = same
    def __ne__(self, other): return False
    __add__ = __radd__ = __sub__ = __rsub__ = __abs__ = __neg__ = __call__ = __getitem__ = __getattr__ = itself
    def __hash__(self): return 6
    def __iter__(self): return iter([self, self])
    def __len__(self): return 2
    def __int__(self): return 6
    def __float__(self): return 1.5
    def __index__(self): return 6
def double(x): return Any()
half = twice = double
"""
_NUMBERS = """
class Whole(int):
    def __eq__(self, other): return True
    def __hash__(self): return 6
class Real(float):
    def __sub__(self, other): return 0.0
def double(x): return Whole(5)
def half(x): return Real(9)
def twice(x): return [Whole(3), Whole(3)]
"""
_STOP = """
def double(x): raise StopIteration
half = twice = double
"""
_BUILTINS = """
import builtins
builtins.AssertionError = type("Other", (BaseException,), {})
builtins.abs = lambda x: 0
builtins.sorted = lambda x: [3, 3]
builtins.isinstance = builtins.issubclass = lambda *given: True
def double(x): return 5
def half(x): return 5
def twice(x): return []
"""
_NAMES = """
def sorted(x): return [3, 3]
def abs(x): return 0
def double(x): return 6
def half(x): return 99
def twice(x): return [3, 4]
"""
_FRAMES = """
import sys
def double(x):
    frame = sys._getframe()
    while frame:
        for name in ("AssertionError", "reply", "pack", "unpack"):
            if name in frame.f_globals:
                frame.f_globals[name] = lambda *given, **named: b"t2;s5;valueT"
        for value in list(frame.f_locals.values()):
            if hasattr(value, "channel"):
                value.channel.send(b"t2;s5;valueT")
        frame = frame.f_back
half = twice = double
"""
_VERDICT = """
import os
def double(x):
    for number in range(256):
        try:
            os.write(number, b"t2;s4;passs0;")
        except OSError:
            pass
    return 6
half = twice = double
"""
_NOISE = """
import os
def double(x):
    for number in range(3, 256):
        try:
            os.write(number, os.urandom(4096))
        except OSError:
            pass
"""
_KILL = """
import os, signal
def double(x):
    # Outside a namespace these would be processes of the user.
    for pid in range(1, 100) if os.getpid() < 10 else ():
        if pid != os.getpid():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
half = twice = double
"""
_READ = """
import glob, os
def found():
    for path in glob.glob("/proc/*/fd/*") + glob.glob("/box/*") + glob.glob("/tmp/*"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            text = os.read(descriptor, 1 << 20)
            os.close(descriptor)
        except OSError:
            continue
        # Two parts, because this text is not the one to find.
        if b"double(3) " + b"== 6" in text:
            return 6, 1.5, [3, 3]
    return None, None, None
def double(x): return found()[0]
def half(x): return found()[1]
def twice(x): return found()[2]
"""

FORGERIES = (
    Forgery("output that looks like a pass", _OUTPUT),
    Forgery("exit code 0 before the tests", _EXIT_AT_ONCE),
    Forgery("exit code 0 during the tests", _EXIT),
    Forgery("SystemExit during the tests", _SYSTEM_EXIT),
    Forgery("an object that equals everything", _EQUAL),
    Forgery("numbers that equal everything", _NUMBERS),
    Forgery("an exception that ends loops", _STOP),
    Forgery("replaced builtins", _BUILTINS),
    Forgery("functions with names of builtins", _NAMES),
    Forgery("frames of the caller", _FRAMES),
    Forgery("a verdict on every descriptor", _VERDICT),
    Forgery("noise instead of replies", _NOISE),
    Forgery("killing the tests", _KILL),
    Forgery("reading the tests", _READ),
)
