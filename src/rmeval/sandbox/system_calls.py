"""A filter of system calls: refuses memory that no limit counts, and parts of the kernel that programs do not need.

The filter is a program for the kernel's packet filter (`linux/filter.h`), which bubblewrap installs.
"""

from __future__ import annotations

import platform
import struct
from functools import cache

__all__ = ["system_call_filter"]

# Numbers on x86_64 and aarch64.
_REFUSED = {
    # Memory that belongs to no process, and so counts towards no limit.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    # Parts of the kernel in which errors were found often.
    "add_key": (248, 217),
    "bpf": (321, 280),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "request_key": (249, 218),
    "setns": (308, 268),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
_SOCKET = (41, 198)
_FAMILIES = (1, 2, 10)
"""Unix, IPv4 and IPv6. Sockets of virtual machines (40) reach the host past the namespace of networks."""
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _MACHINE, _ARGUMENT = 0, 4, 16
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1
_OTHER_NUMBERS = 0x40000000
"""First of the second set of numbers that x86_64 has."""


@cache
def system_call_filter(machine: str = "") -> bytes | None:
    """Return the filter's program for a processor, or None if its numbers of system calls are not known here.

    Args:
        machine: Name of the processor as `platform.machine` returns it. Default: this machine's.
    """
    if (machine or platform.machine()) not in _MACHINES:
        return None
    column, expected = _MACHINES[machine or platform.machine()]
    refused = sorted(numbers[column] for numbers in _REFUSED.values())
    # An instruction is (code, jump if true, jump if false, value); jumps count the instructions that they leave out.
    checks = [(_AT_LEAST, _OTHER_NUMBERS), *((_EQUAL, number) for number in refused)]
    families = [(_EQUAL, family) for family in _FAMILIES]
    program = [(_LOAD, 0, 0, _MACHINE), (_EQUAL, 0, len(checks) + len(families) + 4, expected), (_LOAD, 0, 0, _NUMBER)]
    for place, (code, value) in enumerate(checks):
        program.append((code, len(checks) - place + len(families) + 2, 0, value))
    program.append((_EQUAL, 0, len(families) + 1, _SOCKET[column]))
    program.append((_LOAD, 0, 0, _ARGUMENT))
    for place, (code, value) in enumerate(families):
        last = place == len(families) - 1
        program.append((code, len(families) - place - 1, 1 if last else 0, value))
    program += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    return b"".join(struct.pack("HBBI", *one) for one in program)
