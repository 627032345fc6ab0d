"""The filter of system calls, run by a small interpreter of its instructions."""

from __future__ import annotations

import struct

import pytest

from rmeval.sandbox.system_calls import system_call_filter

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
SOCKET = {"x86_64": 41, "aarch64": 198}


def allowed(machine: str, number: int, argument: int = 0, as_machine: int | None = None) -> bool:
    program = system_call_filter(machine)
    assert program is not None
    expected = MACHINES[machine] if as_machine is None else as_machine
    data = struct.pack("<IIQQ", number, expected, 0, argument)
    place = value = 0
    while True:
        code, true, false, operand = struct.unpack_from("<HBBI", program, 8 * place)
        place += 1
        if code == 0x20:
            (value,) = struct.unpack_from("<I", data, operand)
        elif code in (0x15, 0x35):
            place += true if (value == operand if code == 0x15 else value >= operand) else false
        else:
            assert code == 0x06
            return bool(operand == 0x7FFF0000)


@pytest.mark.parametrize("machine", MACHINES)
def test_ordinary_calls_are_allowed_and_a_few_refused(machine: str) -> None:
    refused = {number for number in range(500) if not allowed(machine, number, argument=1)}
    assert len(refused) == 21
    assert {425, 447} < refused  # The same on all machines: io_uring_setup, memfd_secret.
    assert not {0, 1, 3, 56, 63, 64, 220, 231} & refused - {64}
    assert [family for family in range(50) if allowed(machine, SOCKET[machine], family)] == [1, 2, 10]


def test_numbers_of_other_machines_are_refused() -> None:
    assert not allowed("x86_64", 0, as_machine=0x40000003)
    assert not allowed("x86_64", 0x40000000)
    assert system_call_filter("riscv64") is None
