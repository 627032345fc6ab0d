"""The process of a solution: runs its code, and its functions when the tests call them.

The solution can replace everything in this process. The process of the tests therefore accepts values only.
"""

from __future__ import annotations

import builtins
import os
import sys

from rmeval.sandbox.inside.values import Channel, ChannelError, LargeValueError, made_standard, pack, standard, unpack

TYPE_CHECKING = False  # The module typing takes as long to import as Python to start.
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Callback", "Server", "main"]

_BASES: tuple[Any, ...] = (int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset)
_VIEWS: tuple[Any, ...] = (type({}.keys()), type({}.items()))
"""These equal sets."""
_NAME = "solution"


class Callback:
    """A function of the tests that was passed to the solution.

    Args:
        number: Its number in the process of the tests.
        call: Sends a call there.
    """

    def __init__(self, number: int, call: Callable[[int, Any, Any], Any]) -> None:
        self.number = number
        self._call = call

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function."""
        return self._call(self.number, arguments, named)


class Server:
    """Runs requests of the tests.

    Args:
        channel: Messages from and to the tests.
        names: Global names of the solution.
    """

    def __init__(self, channel: Channel, names: dict[str, Any]) -> None:
        self.channel = channel
        self.names = names
        self.objects: list[Any] = []
        self.numbers: dict[int, int] = {}
        self.operations: dict[str, Callable[..., Any]] = {
            "attribute": getattr,
            "set": setattr,
            "iterator": iter,
            "length": len,
            "item": lambda value, key: value[key],
            "bool": bool,
            "str": str,
            "repr": repr,
            "int": int,
            "float": float,
        }

    def run(self) -> None:
        """Reply to requests until the tests end."""
        while True:
            self.channel.send(self.reply(self.read(self.channel.receive())))

    def reply(self, request: Any) -> bytes:
        """Return the reply to a request."""
        try:
            return self._reply(*request)
        except LargeValueError:
            return pack(("large",))
        except BaseException as error:  # noqa: BLE001  The tests decide what an exception of a solution means.
            return raised(error)

    def _reply(self, operation: str, *given: Any) -> bytes:
        if operation == "call":
            return self._called(*given)
        if operation == "names":
            return self.write(("value", {name: self.names[name] for name in given[0] if name in self.names}))
        if operation == "next":
            try:
                return self.write(("value", next(given[0])))
            except StopIteration:
                return pack(("stop",))
        return self.write(("value", self.operations[operation](*given)))

    def _called(self, target: Any, packed: bytes) -> bytes:
        arguments, named = self.read(packed)
        result = target(*arguments, **named)
        after = self.write((arguments, named))
        # The tests see what a function changed in their lists.
        return self.write(("value", result, None if after == packed else (arguments, named)))

    def write(self, value: Any) -> bytes:
        """Encode a value; what is no builtin value becomes a handle."""
        return pack(value, self._label)

    def read(self, data: bytes) -> Any:
        """Decode a value; a handle becomes its object again."""
        return unpack(data, self._object)

    def _label(self, value: Any) -> Any:
        if type(value) is Callback:
            return b"k", value.number
        name = getattr(value, "__name__", "") if isinstance(value, type) else ""
        if name and builtins.__dict__.get(name) is value:
            return b"g", name
        if (crossing := standard(value)) is not None:
            return crossing
        number = self.numbers.get(id(value))
        if number is None:
            number = self.numbers[id(value)] = len(self.objects)
            self.objects.append(value)
        for base in _BASES:
            if isinstance(value, base):
                return b"H", number, str.__str__(value) if base is str else base(value)
        if isinstance(value, _VIEWS):
            return b"H", number, set(value)
        return b"h", number

    def _object(self, letter: bytes, name: str, content: Callable[[], Any]) -> Any:
        if letter == b"k":
            return Callback(int(name), self._call_back)
        if letter == b"g":
            return getattr(builtins, name)
        if letter == b"q":
            return made_standard(name, content())
        return self.objects[int(name)]

    def _call_back(self, number: int, arguments: Any, named: Any) -> Any:
        """Call a function of the tests; meanwhile it may call functions of the solution."""
        self.channel.send(self.write(("callback", number, arguments, named)))
        while True:
            request = self.read(self.channel.receive())
            if request[0] == "returned":
                return request[1]
            if request[0] == "raised":
                raise getattr(builtins, request[1])(request[2])
            self.channel.send(self.reply(request))


def raised(error: BaseException) -> bytes:
    """Encode an exception as the name of its nearest builtin class, its text, and the module that is missing."""
    names = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
    try:
        text = str(error)[:1000]
    except BaseException:  # noqa: BLE001  Its method __str__ belongs to the solution.
        text = ""
    if not isinstance(error, Exception) or names[0] == "Exception":
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    missing = error.name if isinstance(error, ModuleNotFoundError) and type(error.name) is str else ""
    return pack(("raise", names[0], text, missing))


def main() -> None:
    """Run the solution on standard input, and reply to requests through the descriptors in the arguments."""
    channel = Channel(*map(int, sys.argv[1:3]))
    leave = os._exit
    source = _standard_input()
    sys.argv = [_NAME]
    module = type(sys)(_NAME)
    sys.modules[_NAME] = module
    server = Server(channel, module.__dict__)
    try:
        try:
            exec(compile(source, _NAME, "exec", dont_inherit=True), module.__dict__)
        except BaseException as error:  # noqa: BLE001  As in `Server.reply`.
            channel.send(raised(error))
        else:
            channel.send(pack(("value", None)))
        server.run()
    except ChannelError:
        leave(0)


def _standard_input() -> str:
    parts = []
    while part := os.read(0, 1 << 20):
        parts.append(part)
    empty = os.open("/dev/null", os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return b"".join(parts).decode("utf-8", "surrogatepass")
