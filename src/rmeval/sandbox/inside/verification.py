"""The process of the tests: runs them, and calls the functions of the solution in its process.

Values that come from there are compared here, by Python's own comparison of exact builtin values. Other objects stay
there; a `Proxy` stands for one. No operand of a test is ever sent to such an object: it has no operators, and `==`
compares a proxy with nothing but the builtin value that it contains, if it contains one.
"""

from __future__ import annotations

import builtins
import os
import sys

from rmeval.sandbox.inside.values import Channel, ChannelError, LargeValueError, made_standard, pack, standard, unpack

TYPE_CHECKING = False  # The module typing takes as long to import as Python to start.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import CodeType
    from typing import Any, NoReturn

__all__ = ["Proxy", "Remote", "Verification", "exception", "main", "merged"]

_FILE = "tests"
_LONGEST = 300
_NOTHING = object()
_PACKAGES = {name: name for name in ("numpy", "pandas", "scipy", "sympy", "torch")} | {"np": "numpy", "pd": "pandas"}
"""Packages whose functions tests compare with; those of the solution would receive the expected value."""


class Remote:
    """The process of the solution.

    Args:
        channel: Messages from and to it.
        end: Ends this process, for tests must not catch it.
    """

    def __init__(self, channel: Channel, end: Callable[[str, str], NoReturn]) -> None:
        self.channel = channel
        self.end = end
        self.functions: list[Any] = []

    def load(self) -> tuple[str, str, str] | None:
        """Wait for the solution's code to have run, and return the exception that it raised."""
        found = self._receive()
        return None if found[0] == "value" else found[1:]

    def ask(self, *request: Any) -> Any:
        """Return the value of an operation in the solution's process.

        Raises:
            Exception: As the operation does.
            StopIteration: If an iterator ends.
        """
        try:
            self._send(request)
            reply = self._receive()
        except LargeValueError:
            self.end("error", "a value of the tests is too large to pass to the solution")
        if reply[0] == "raise":
            raise exception(reply[1], reply[2])
        if reply[0] == "stop" and request[0] == "next":
            raise StopIteration
        if reply[0] == "large":
            self.end("error", "a value of the solution is too large to pass to the tests")
        return reply[1:]

    def call(self, proxy: Proxy, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call an object, and change mutable arguments as it did."""
        try:
            packed = pack((arguments, named), self._label)
        except LargeValueError:
            self.end("error", "an argument is too large to pass to the solution")
        result, changed = self.ask("call", proxy, packed)
        if changed is not None:
            merged((arguments, named), changed)
        return result

    def _send(self, value: Any) -> None:
        try:
            self.channel.send(pack(value, self._label))
        except ChannelError as error:
            self.end("ended", str(error))

    def _receive(self) -> Any:
        """The next reply; calls of functions of the tests that come before it are run."""
        while True:
            try:
                found = unpack(self.channel.receive(), self._object)
                if type(found) is not tuple or not _is_reply(found):
                    raise ChannelError("a message is not a reply")
            except ChannelError as error:
                self.end("ended", str(error))
            if found[0] != "callback":
                return found
            self._run(*found[1:])

    def _run(self, number: int, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        try:
            result = self.functions[number](*arguments, **named)
        except Exception as error:  # noqa: BLE001  The solution may handle what its argument raises.
            names = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
            self._send(("raised", names[0], str(error)))
        else:
            self._send(("returned", result))

    def _label(self, value: Any) -> Any:
        if type(value) is Proxy:
            return b"h", object.__getattribute__(value, "_number")
        if _is_builtin(value):
            return b"g", value.__name__
        if (crossing := standard(value)) is not None:
            return crossing
        if not callable(value):
            self.end("error", f"tests cannot pass an object of the type {type(value).__name__} to a solution")
        if value not in self.functions:
            self.functions.append(value)
        return b"k", self.functions.index(value)

    def _object(self, letter: bytes, name: str, content: Callable[[], Any]) -> Any:
        if letter == b"k":
            return self.functions[int(name)]
        if letter == b"g":
            found = getattr(builtins, name)
            if not isinstance(found, type):
                raise ValueError("it is not a class")
            return found
        if letter == b"q":
            return made_standard(name, content())
        if letter == b"h" or letter == b"H":
            return Proxy(self, int(name), content() if letter == b"H" else _NOTHING)
        raise ValueError("the kind of value is unknown")


def _is_builtin(value: Any) -> bool:
    return isinstance(value, type) and builtins.__dict__.get(value.__name__) is value


_SHAPES: Mapping[str, tuple[type, ...]] = {
    "stop": (),
    "large": (),
    "raise": (str, str, str),
    "callback": (int, tuple, dict),
}


def _is_reply(found: tuple[Any, ...]) -> bool:
    """Whether a message has the shape of a reply."""
    name, values = (found[0], found[1:]) if found else (None, ())
    if name == "value":
        return len(values) in (1, 2)
    return type(name) is str and name in _SHAPES and tuple(map(type, values)) == _SHAPES[name]


class Proxy:
    """An object in the solution's process.

    Args:
        remote: That process.
        number: The object's number.
        content: The builtin value that it contains, such as the dict of a `Counter`.
    """

    __slots__ = ("_content", "_number", "_remote")

    def __init__(self, remote: Remote, number: int, content: Any) -> None:
        for name, value in (("_remote", remote), ("_number", number), ("_content", content)):
            object.__setattr__(self, name, value)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call it."""
        return self._remote.call(self, arguments, named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._remote.ask("attribute", self, name)[0]

    def __setattr__(self, name: str, value: Any) -> None:
        self._remote.ask("set", self, name, value)

    def __iter__(self) -> Iterator[Any]:
        found: Iterator[Any] = self._remote.ask("iterator", self)[0]
        return found

    def __next__(self) -> Any:
        return self._remote.ask("next", self)[0]

    def __getitem__(self, key: Any) -> Any:
        return self._remote.ask("item", self, key)[0]

    def __len__(self) -> int:
        found: int = _exact(int, self._remote.ask("length", self)[0])
        return found

    def __bool__(self) -> bool:
        found: bool = _exact(bool, self._remote.ask("bool", self)[0])
        return found

    def __str__(self) -> str:
        found: str = _exact(str, self._remote.ask("str", self)[0])
        return found

    def __repr__(self) -> str:
        found: str = _exact(str, self._remote.ask("repr", self)[0])
        return found

    def __int__(self) -> int:
        found: int = _exact(int, self._remote.ask("int", self)[0])
        return found

    def __float__(self) -> float:
        found: float = _exact(float, self._remote.ask("float", self)[0])
        return found

    def __eq__(self, other: object) -> bool:
        if type(other) is Proxy:
            same = other._number == self._number
            return same or (self._content is not _NOTHING and bool(self._content == other._content))
        return self._content is not _NOTHING and bool(self._content == other)

    def __hash__(self) -> int:
        return hash(self._number) if self._content is _NOTHING else hash(self._content)


def _exact(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"the solution's object gave no {kind.__name__}")
    return value


def exception(name: str, text: str) -> Exception:
    """The exception of a builtin class; `Exception` for other names."""
    found = getattr(builtins, name, None)
    # A StopIteration would end a loop of the tests early, as if all of it had held.
    if not isinstance(found, type) or not issubclass(found, Exception) or issubclass(found, StopIteration):
        return Exception(text or name)
    try:
        return found(text)
    except TypeError:
        return Exception(f"{name}: {text}")  # Some classes, such as UnicodeDecodeError, need more than a text.


def merged(old: Any, new: Any) -> Any:
    """Change lists, dicts, sets and bytearrays in place to what they became; return the value to keep."""
    kind = type(old)
    if kind is not type(new) or kind is Proxy:
        return old if kind is Proxy else new
    if kind is list:
        if len(old) == len(new):
            new = [merged(one, other) for one, other in zip(old, new, strict=True)]
        old[:] = new
    elif kind is tuple:
        if len(old) != len(new):
            return new
        parts = tuple(merged(one, other) for one, other in zip(old, new, strict=True))
        return old if all(one is other for one, other in zip(old, parts, strict=True)) else parts
    elif kind is dict:
        kept = {key: merged(old[key], value) if key in old else value for key, value in new.items()}
        old.clear()
        old.update(kept)
    elif kind is set:
        old.clear()
        old.update(new)
    elif kind is bytearray:
        old[:] = new
    else:
        return new
    return old


class Verification:
    """The tests of one solution.

    Args:
        kind: `asserts` or `check`.
        code: The tests.
        context: Code that they may use.
        entry_point: Name of the function under test.
        remote: The process of the solution.
    """

    def __init__(self, kind: str, code: str, context: str, entry_point: str, remote: Remote) -> None:
        self.kind = kind
        self.code = code
        self.context = context
        self.entry_point = entry_point
        self.remote = remote
        self.names: dict[str, Any] = {"__name__": _FILE, "__builtins__": builtins}

    def run(self) -> tuple[str, str]:
        """Run the tests, and return their verdict and its reason."""
        try:
            compiled = compile(self.code, _FILE, "exec", dont_inherit=True)
            exec(compile(self.context, "context", "exec", dont_inherit=True), self.names)
        except Exception as error:  # noqa: BLE001  Tests that are damaged say nothing about the solution.
            return "error", f"the tests do not compile: {_shown(error)}"
        if failed := self.remote.load():
            return _failed_load(*failed)
        try:
            if missing := self._resolve(compiled):
                return "fail", f"NameError: the solution does not define {missing}"
            exec(compiled, self.names)
            if self.kind == "check" and "check" not in self.names:
                return "error", "the tests do not define the function check"
            if self.kind == "check":
                self.names["check"](self.names[self.entry_point])
        except MemoryError:
            return "memory", "MemoryError"
        except ImportError as error:
            return "error", f"a module cannot be imported in the sandbox: {error}"
        except Exception as error:  # noqa: BLE001  Any exception of a test is a failure of the solution.
            return "fail", self._reason(error)
        return "pass", ""

    def _resolve(self, compiled: CodeType) -> str | None:
        """Bind the names that the tests do not define themselves; return the entry point if there is none."""
        undefined = {name for name in _names(compiled) if name not in self.names and not hasattr(builtins, name)}
        if "isclose" in undefined:
            # The solution would receive the expected value.
            self.names["isclose"] = __import__("math").isclose
            undefined.remove("isclose")
        known = sys.stdlib_module_names | _PACKAGES.keys()
        modules = {name for name in undefined & known if f"{name}." in self.code}
        wanted = sorted(undefined - modules)
        found = self.remote.ask("names", [*wanted, self.entry_point])[0]
        if type(found) is not dict:
            self.remote.end("ended", "a message is not a reply")
        # A solution's own module math could equal everything.
        self.names.update({name: __import__(_PACKAGES.get(name, name)) for name in modules})
        self.names.update({name: found[name] for name in wanted if name in found})
        if not self.entry_point:
            return None
        if self.entry_point not in found:
            return self.entry_point
        self.names[self.entry_point] = found[self.entry_point]
        return None

    def _reason(self, error: Exception) -> str:
        """The line of the tests that failed, and the exception unless it is a bare assertion."""
        line, trace = 0, error.__traceback__
        while trace is not None:
            line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == _FILE else line
            trace = trace.tb_next
        lines = self.code.splitlines()
        source = " ".join(lines[line - 1].split()) if 0 < line <= len(lines) else ""
        what = _shown(error)
        if what == "AssertionError" and source:
            return source
        return f"{what} (at: {source})" if source else what


def _names(code: CodeType) -> set[str]:
    """The names that code uses."""
    inner = [_names(one) for one in code.co_consts if type(one) is type(code)]
    return set(code.co_names).union(*inner)


def _failed_load(name: str, text: str, missing: str) -> tuple[str, str]:
    if name == "MemoryError":
        return "memory", name
    if missing and missing.partition(".")[0] not in sys.stdlib_module_names:
        return "error", f"the solution needs the module {missing}, which the sandbox does not contain: add `readable`"
    status = "compile" if name in ("SyntaxError", "IndentationError", "TabError") else "fail"
    return status, f"{name}: {text}" if text else name


def _shown(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def main() -> None:
    """Run the tests on standard input, and write their verdict to the third descriptor in the arguments."""
    incoming, outgoing, verdict = map(int, sys.argv[1:4])

    def end(status: str, detail: str) -> NoReturn:
        os.write(verdict, pack((status, detail[:_LONGEST])))
        os._exit(0)

    parts = []
    while part := os.read(0, 1 << 20):
        parts.append(part)
    remote = Remote(Channel(incoming, outgoing), end)
    kind, code, context, entry_point = unpack(b"".join(parts))
    end(*Verification(kind, code, context, entry_point, remote).run())
