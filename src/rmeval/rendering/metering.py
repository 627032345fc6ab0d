"""Limits of time and memory for untrusted templates, which must also render the same text each time.

Templates run in jinja2's sandbox, which restricts access to Python objects, but not run time, memory and the clock.
Here every loop and call checks the time, and the size of a text or list is counted before it is created. This works in
any thread, because it does not use timers.
"""

from __future__ import annotations

import functools
import re
import threading
import time
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, Macro, Undefined, str_join
from jinja2.sandbox import SandboxedEnvironment

from rmeval.errors import ModelError
from rmeval.limits import limit

__all__ = ["TEMPLATE_ERRORS", "bounded", "text_environment"]

TEMPLATE_ERRORS = (jinja2.TemplateError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError)
"""Errors that a user's template may raise."""

_MOST_BITS = 1 << 16
"""Largest number of bits of a number in a template."""
_MOST_VALUES = 1_000_000
"""Largest number of values in a list or mapping of a template, including nested values."""
_WRITTEN = (bool, int, float, bytes, range, Undefined, type(None))
"""Types that are written as the same text each time, besides texts, lists and mappings."""
_VIEWS = (KeysView, ValuesView, ItemsView)
_SELF = (jinja2.Environment, Context, EvalContext)
"""Types of arguments that jinja2 itself passes to some filters."""
_RANDOM = ("lipsum", "random")
"""Functions and filters of jinja2 whose result is random."""


def bounded(environment: SandboxedEnvironment, where: str) -> SandboxedEnvironment:
    """Add the limits of `rmeval.limits` to a sandboxed environment; they apply to each rendering.

    Args:
        environment: The environment, which is changed.
        where: Name of its template in messages.
    """
    environment.__class__ = type("Bounded", (_Bounds, type(environment)), {})
    made: Any = environment
    made.meter = _Meter(where)
    made.finalize = made.meter.shown
    made.code_generator_class = _Generator
    made.template_class = _Template
    made.intercepted_binops = frozenset(("+", "-", "*", "**", "%"))
    made.filters = {name: _filter(name, found, made.meter) for name, found in environment.filters.items()}
    made.tests = {name: _test(found, made.meter) for name, found in environment.tests.items()}
    for name in _RANDOM:
        refuse = functools.partial(made.meter.refuse_random, name)
        (made.filters if name in made.filters else made.globals)[name] = refuse
    return environment


def text_environment(where: str) -> SandboxedEnvironment:
    """The environment of templates of plain texts: an unknown variable is an error, and a final newline stays.

    Args:
        where: Name of its templates in messages.
    """
    return bounded(SandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True), where)


class _Meter(threading.local):
    """The count of characters and seconds of one rendering. Each thread has its own count."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.begin()

    def begin(self) -> None:
        """Reset the count."""
        self._left = self.most = limit("TEMPLATE_CHARACTERS")
        self._seconds = limit("TEMPLATE_SECONDS")
        self._end = time.monotonic() + self._seconds

    def spend(self, characters: int) -> None:
        """Count some new characters.

        Raises:
            ModelError: If there are too many, or the rendering takes too long.
        """
        self.refuse_over(characters)
        self._left -= characters
        if time.monotonic() > self._end:
            raise ModelError(self._sentence(f"takes longer than {self._seconds} seconds", "SECONDS"))

    def refuse_over(self, characters: int) -> None:
        """Raise a ModelError if creating some characters would exceed the limit."""
        if characters > self._left:
            raise ModelError(self._sentence(f"builds more than {self.most} characters", "CHARACTERS"))

    def weighed(self, value: Any) -> Any:
        """Count a new value and return it; elements of a list were counted before, so only their number is added."""
        if isinstance(value, str):
            self.spend(len(value))
        elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
            raise OverflowError("a number with too many digits")
        elif isinstance(value, list | tuple | Mapping | set):
            self.weight(value)
            self.spend(len(value))
        return value

    def shown(self, value: Any) -> Any:
        """Count a value that is about to be written, and return it."""
        self.spend(len(value) if isinstance(value, str) else self.weight(value, shown=True))
        return value

    def weight(self, value: Any, shown: bool = False) -> int:
        """Number of characters and values in a value; repeated values count each time.

        Raises:
            ModelError: If there are too many, or if `shown` and a value would be written with its memory address.
        """
        total, values, waiting = 0, 0, [value]
        while waiting:
            one = waiting.pop()
            values += 1
            if isinstance(one, str):
                total += len(one)
            elif isinstance(one, Mapping):
                waiting += one.keys()
                waiting += one.values()
            elif isinstance(one, (list, tuple, set, frozenset, *_VIEWS)):
                waiting += one
            elif shown and not isinstance(one, _WRITTEN):
                raise ModelError(
                    f"{self._where} writes a {type(one).__name__}, whose text differs each time: correct the template"
                )
            if values > _MOST_VALUES or total > self.most:
                self.refuse_over(self.most + 1)
        return total + values

    def refuse_random(self, name: str, *given: Any, **named: Any) -> str:
        """Replacement of functions with random results.

        Raises:
            ModelError: Always.
        """
        raise ModelError(f"{self._where} uses {name}, whose result differs each time: correct the template")

    def _sentence(self, what: str, name: str) -> str:
        return (
            f"{self._where} {what} for one conversation: give another template, or if this is intended, raise "
            f"RMEVAL_MAX_TEMPLATE_{name}"
        )


class _Bounds(SandboxedEnvironment):
    """Sandbox whose operations, called by compiled templates, are counted."""

    meter: _Meter

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        # Operations on bytes are not counted, and no template needs them.
        return attr not in ("encode", "to_bytes") and super().is_safe_attribute(obj, attr, value)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        # The sandbox wraps the method `format` in a function.
        owner = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", None)
        if isinstance(owner, str):
            given = (*args, *kwargs.values())
            __self.meter.refuse_over(_growth(__obj.__name__, (owner, *given), __self.meter))
            if __obj.__name__ in _SHOWING:
                __self.meter.weight(given, shown=True)
        found = super().call(__context, __obj, *args, **kwargs)
        return found if isinstance(__obj, Macro) else __self.meter.weighed(found)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        meter = self.meter
        sizes = [one for one in (left, right) if isinstance(one, str | list | tuple)]
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            if left.bit_length() * abs(right) > _MOST_BITS:
                raise OverflowError("a number with too many digits")
        elif operator == "*" and sizes:
            times = next((one for one in (left, right) if isinstance(one, int)), 1)
            meter.refuse_over(meter.weight(sizes[0]) * max(times, 0))
        elif operator == "%" and isinstance(left, str):
            meter.refuse_over(_growth("format", (left, right), meter))
            meter.weight(right, shown=True)
        found = super().call_binop(context, operator, left, right)
        if isinstance(found, set):
            meter.refuse_random("a set")
        return meter.weighed(found)

    def joined(self, parts: tuple[Any, ...]) -> str:
        """The result of `a ~ b`."""
        for part in parts:
            self.meter.shown(part)
        return str_join(parts)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for node in tree.find_all((nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block)):
            text = sum(len(one.data) for one in node.find_all(nodes.TemplateData))
            step = nodes.Call(nodes.EnvironmentAttribute(_STEP), [nodes.Const(text + 1)], [], None, None)
            node.body.insert(0, nodes.ExprStmt(step).set_lineno(node.lineno))  # type: ignore[attr-defined]
        return tree


_STEP = "meter.spend"


class _Generator(CodeGenerator):
    """Code generator that inserts counting."""

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:  # noqa: N802
        if isinstance(node.node, nodes.EnvironmentAttribute) and node.node.name == _STEP:
            self.write(f"environment.{_STEP}({node.args[0].value})")  # type: ignore[attr-defined]
        else:
            super().visit_Call(node, frame, forward_caller=forward_caller)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        self.write("environment.joined((")
        for one in node.nodes:
            self.visit(one, frame)
            self.write(", ")
        self.write("))")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802
        self._counted(super().visit_List, node, frame, bool(node.items))

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802
        self._counted(super().visit_Dict, node, frame, bool(node.items))

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802
        self._counted(super().visit_Tuple, node, frame, node.ctx == "load" and bool(node.items))

    def _counted(self, visit: Callable[[Any, Frame], None], node: nodes.Node, frame: Frame, counts: bool) -> None:
        self.write("environment.meter.weighed(" if counts else "")
        visit(node, frame)
        self.write(")" if counts else "")


class _Template(jinja2.Template):
    """A template that resets the count at each rendering."""

    def render(self, *args: Any, **kwargs: Any) -> str:
        meter: _Meter = self.environment.meter  # type: ignore[attr-defined]
        meter.begin()
        return super().render(*args, **kwargs)


def _filter(name: str, found: Callable[..., Any], meter: _Meter) -> Callable[..., Any]:
    """A filter whose result is counted."""

    @functools.wraps(found)
    def counted(*args: Any, **kwargs: Any) -> Any:
        if name in _GROWING:
            if name == "join":
                # Counting would exhaust a generator.
                args = tuple(list(one) if isinstance(one, Iterator) else one for one in args)
            meter.refuse_over(_growth(name, (*args, *kwargs.values()), meter))
        if name in ("list", "sort") and any(isinstance(one, str) and len(one) > _MOST_VALUES for one in args):
            meter.refuse_over(meter.most + 1)
        result = found(*args, **kwargs)
        if isinstance(result, str) and name not in _PICKING:
            # Filters of texts convert all their arguments to text.
            given = [one for one in (*args, *kwargs.values()) if not isinstance(one, (str, *_SELF))]
            meter.weight(given, shown=True)
        return result if isinstance(result, Iterator) else meter.weighed(result)

    return counted


def _test(found: Any, meter: _Meter) -> Callable[..., Any]:
    """A test that checks the time: `select` and similar filters call it once per value, outside of any loop."""

    @functools.wraps(found)
    def counted(*args: Any, **kwargs: Any) -> Any:
        meter.spend(0)
        return found(*args, **kwargs)

    return counted


def _growth(name: str, given: tuple[Any, ...], meter: _Meter) -> int:
    """Upper bound of the number of characters by which a method or filter makes its input longer.

    Args:
        name: Name of the method or filter.
        given: The text or list to which it is applied, and its arguments.
        meter: The count.
    """
    if name not in _GROWING:
        return 0
    numbers = [abs(one) for one in given if isinstance(one, int)]
    texts = [one for one in given if isinstance(one, str)]
    lists: list[Any] = [one for one in given if isinstance(one, list | tuple | Mapping | set | range)]
    if name in _SHOWING:
        lists += [one for one in given if isinstance(one, Iterator)]
        numbers += [abs(one) for own in lists if isinstance(own, tuple) for one in own if isinstance(one, int)]
    size = sum(meter.weight(one, shown=name in _SHOWING) for one in [*texts, *lists])
    number, longest = max(numbers, default=0), max(map(len, texts), default=0)
    if name == "replace" and len(texts) >= 3:
        return texts[0].count(texts[1]) * len(texts[2])
    if name == "join":
        return size + (len(lists[0]) * longest if lists else len("".join(texts[:1])) * len("".join(texts[1:2])))
    if name in ("format", "format_map"):
        template = "".join(texts[:1])
        widths = sum(int(width[:20]) for width in re.findall(r"[0-9]+", template))
        return widths + number + (template.count("%") + template.count("{")) * size
    if name == "indent":
        return size + "".join(texts[:1]).count("\n") * max([number, *map(len, texts[1:])])
    if name in ("translate", "wordwrap"):
        return longest * (size - longest)
    return size * max(1, number) if name in _MULTIPLYING else size + number * (1000 if name == "round" else 1)


_PICKING = frozenset({"attr", "d", "default", "first", "last", "max", "min", "sum"})
"""Filters whose result is a part of their input."""
_MULTIPLYING = ("expandtabs", "tojson")
_SHOWING = ("format", "format_map", "join", "pprint", "string", "xmlattr")
_GROWING = frozenset(
    {*_MULTIPLYING, *_SHOWING, "batch", "center", "indent", "ljust", "replace", "rjust", "round", "slice"}
    | {"translate", "wordwrap", "zfill"}
)
"""Methods of texts, and filters, whose result may be much longer than their input."""
