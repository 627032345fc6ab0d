"""Messages between tests and solution: every builtin value crosses, and no bytes make anything else."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.sandbox.inside.values import Channel, ChannelError, LargeValueError, pack, unpack

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters())
    | st.binary()
)
KEYS = st.none() | st.integers() | st.text() | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(KEYS, inner)
        | st.sets(KEYS)
        | st.frozensets(KEYS)
        | st.binary().map(bytearray)
        | st.builds(range, st.integers(), st.integers(), st.integers(1))
    ),
    max_leaves=20,
)


def exact(value: Any) -> Any:
    """A value with its types, where NaN equals NaN and 0.0 differs from -0.0."""
    kind = type(value)
    if kind in (list, tuple):
        return kind, [exact(one) for one in value]
    if kind in (set, frozenset):
        return kind, sorted(map(repr, value))
    if kind is dict:
        return kind, [(exact(key), exact(one)) for key, one in value.items()]
    return kind, repr(value)


@given(VALUES)
@settings(max_examples=60)
def test_values_cross_exactly(value: Any) -> None:
    assert exact(unpack(pack(value))) == exact(value)


@given(st.binary() | st.text("NTFifcrsbBltSZdhHkg0123456789;-,.").map(str.encode))
@settings(max_examples=500)
def test_no_bytes_do_harm(data: bytes) -> None:
    try:
        found = unpack(data)
    except ChannelError:
        return
    assert exact(unpack(pack(found))) == exact(found)


@given(VALUES, st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
def test_damaged_messages_are_refused_or_read(value: Any, place: int, noise: bytes) -> None:
    data = pack(value)
    place %= len(data)
    with suppress(ChannelError):
        unpack(data[:place] + noise + data[place + len(noise) :])


DAMAGED = [
    b"",
    b"l3;N",
    b"s9;ab",
    b"d1;l0;N",
    b"l1;" * 300 + b"N",
    b"NN",
    b"x",
    b"i;",
    b"s-1;",
    b"h1;0",
    b"if",
    b"r1,2,0;",
    b"r1;",
]


@pytest.mark.parametrize("data", DAMAGED)
def test_these_are_no_messages(data: bytes) -> None:
    with pytest.raises(ChannelError):
        unpack(data)


def test_large_values_do_not_cross() -> None:
    endless: list[Any] = []
    endless.append(endless)
    for value in (endless, "x" * (1 << 24), [0] * (1 << 22)):
        with pytest.raises(LargeValueError):
            pack(value)


def test_other_objects_need_a_handle() -> None:
    with pytest.raises(TypeError, match="a value of the type Decimal cannot cross"):
        pack(__import__("decimal").Decimal(1))
    assert pack([math], lambda value: (b"h", 7)) == b"l1;h1;7"
    assert unpack(b"l1;H1;7i5;", lambda letter, name, content: (letter, name, content())) == [(b"H", "7", 5)]


def test_a_channel_ends_and_refuses_messages_that_are_too_large() -> None:
    read, write = os.pipe()
    channel = Channel(read, write)
    channel.send(b"abc")
    assert channel.receive() == b"abc"
    os.write(write, (1 << 40).to_bytes(8, "big"))
    with pytest.raises(ChannelError, match="too large"):
        channel.receive()
    os.close(write)
    with pytest.raises(ChannelError, match="ended"):
        channel.receive()
    os.close(read)
    with pytest.raises(ChannelError, match="ended"):
        Channel(-1, -1).send(b"")
