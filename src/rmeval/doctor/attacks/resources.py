"""Attacks that use up the machine: processor, memory, processes, output, disk."""

from __future__ import annotations

from rmeval.doctor.attacks.attack import Attack

__all__ = ["RESOURCES"]

_FORK = """
children = []
try:
    while len(children) < given["most_processes"]:
        child = os.fork()
        if not child:
            time.sleep(60)
            os._exit(0)
        children.append(child)
except OSError:
    pass
if len(children) > given["processes"]:
    got(f"{len(children)} processes")
"""
_THREADS = """
import threading
count = 0
try:
    while count < given["most_processes"]:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        count += 1
except RuntimeError:
    pass
if count > given["processes"]:
    got(f"{count} threads")
print("TRIED", flush=True)
os._exit(0)
"""
_MEMORY = """
kept, step, total = [], 64 << 20, 0
try:
    while total < given["most_memory"]:
        kept.append(bytearray(b"x") * step)
        total += step
        if total > 2 * given["memory"]:
            got(f"{total >> 20} MB of memory")
            break
except MemoryError:
    pass
"""
_MEMORY_OF_MANY = """
import mmap
step = given["memory"] // 4
area = mmap.mmap(-1, 4096)
for number in range(12):
    if not os.fork():
        kept = bytearray(b"x") * step
        area[number] = 1
        time.sleep(2)
        os._exit(0)
time.sleep(1.5)
total = step * sum(area[:12])
if total > 2 * given["memory"]:
    got(f"{total >> 20} MB of memory in many processes")
"""
_UNCOUNTED_MEMORY = """
total, step = 0, 16 << 20
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
libc.shmdt.argtypes = [ctypes.c_void_p]
def files():
    while True:
        made = os.memfd_create("x")
        os.write(made, bytes(step))
        yield step
made_segments = []
def segments():
    while (made := libc.shmget(0, step, 0o1600)) >= 0:
        made_segments.append(made)
        place = libc.shmat(made, None, 0)
        if place in (None, 2**64 - 1):
            return
        ctypes.memset(place, 1, step)
        libc.shmdt(place)
        yield step
for name, grow in (("files without a name", files), ("segments", segments)):
    total = 0
    try:
        for size in grow():
            total += size
            if total > given["most_uncounted"]:
                got(f"{total >> 20} MB of memory in {name}")
                break
    except (OSError, AttributeError):
        pass
for made in made_segments:
    libc.shmctl(made, 0, None)
"""
_LOOP = """
if given["seconds"] is None:
    while True:
        pass
end = time.process_time() + given["seconds"]
while time.process_time() < end:
    pass
got("processor for longer than the limit")
"""
_SLEEP = """
for number in range(1, 65):
    if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
        signal.signal(number, signal.SIG_IGN)
time.sleep(3600 if given["seconds"] is None else given["seconds"])
got("time for longer than the limit")
"""
_OUTPUT = """
total, part = 0, b"x" * (1 << 16)
while total < given["most_output"]:
    os.write(1, part)
    total += len(part)
got("endless output")
"""
_DISK = """
part = bytes(1 << 20)
for place in (".", "/tmp", "/dev/shm", "/var/tmp", "/run", "/"):
    total = 0
    try:
        for number in range(1000):
            with open(os.path.join(place, f"{given['marker']}-{number}"), "wb") as file:
                while file.tell() < given["file_size"] and total <= given["most_disk"]:
                    file.write(part)
                    total += len(part)
            if total > given["most_disk"]:
                break
    except OSError:
        pass
    if total > given["disk"]:
        got(f"{total >> 20} MB in {place}")
    for number in range(1000):
        try:
            os.unlink(os.path.join(place, f"{given['marker']}-{number}"))
        except OSError:
            break
"""
_DAEMON = """
read, write = os.pipe()
if not os.fork():
    os.setsid()
    if not os.fork():
        for number in range(1, 65):
            if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
                signal.signal(number, signal.SIG_IGN)
        os.write(write, b"x")
        for number in range(64):
            try:
                os.close(number)
            except OSError:
                pass
        time.sleep(60)
        os._exit(0)
    os._exit(0)
os.read(read, 1)
"""

_LIMITED = ("exit", "memory")
RESOURCES = (
    Attack("fork bomb", _FORK),
    Attack("many threads", _THREADS),
    Attack("10 GB of memory", _MEMORY, _LIMITED),
    Attack("memory of many processes", _MEMORY_OF_MANY, _LIMITED),
    Attack("memory that no limit counts", _UNCOUNTED_MEMORY, _LIMITED),
    Attack("endless loop", _LOOP, ("timeout",)),
    Attack("sleep that ignores signals", _SLEEP, ("timeout",)),
    Attack("endless output", _OUTPUT, ("output",)),
    Attack("filling the disk", _DISK),
    Attack("process left behind", _DAEMON),
)
