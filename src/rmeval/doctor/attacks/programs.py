"""Programs that attack the machine on which they run.

Each reads what to attack as JSON from standard input, prints a line that begins with GOT for everything that it
reached, and TRIED at the end. Without a sandbox each of them succeeds, within the amounts that it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmeval.sandbox import Outcome

__all__ = ["ATTACKS", "Attack", "source"]

_BEGINNING = """
import ctypes, json, os, signal, socket, sys, time
given = json.load(sys.stdin)
def got(what):
    print("GOT", what, flush=True)
"""
_END = """
print("TRIED", flush=True)
"""


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack.

    Attributes:
        name: What it attacks.
        code: The program between `_BEGINNING` and `_END`.
        ends: How it may end; those that end by themselves must have tried everything.
    """

    name: str
    code: str
    ends: Sequence[str] = ("exit",)

    def trouble(self, outcome: Outcome) -> str | None:
        """What it reached, or why it says nothing; None if it was contained."""
        lines = outcome.stdout.splitlines()
        reached = [line.removeprefix("GOT ") for line in lines if line.startswith("GOT ")]
        if reached:
            return "; ".join(reached[:3])
        if outcome.status not in self.ends:
            return f"it ended with {outcome.status}, not {' or '.join(self.ends)}: {outcome.stderr.strip()[-200:]}"
        if outcome.status == "exit" and "TRIED" not in lines:
            return f"it did not come to its end: {outcome.stderr.strip()[-200:]}"
        return None


def source(attack: Attack) -> str:
    """The whole program of an attack."""
    return f"{_BEGINNING}{attack.code}{_END}"


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
_NETWORK_OUT = """
for family, address in ((socket.AF_INET, ("1.1.1.1", 53)), (socket.AF_INET6, ("2606:4700:4700::1111", 53))):
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            one.connect(address)
            got(f"a route to {address[0]}")
    except OSError:
        pass
names = [line.split(":")[0].strip() for line in open("/proc/net/dev").read().splitlines()[2:]]
for name in names:
    if name not in ("lo", "sit0", "ip6tnl0", "tunl0", "gre0"):
        got(f"the network {name}")
"""
_NETWORK_HOST = """
for address in given["addresses"]:
    try:
        with socket.create_connection((address, given["port"]), 2):
            got(f"the port of a server at {address}")
    except OSError:
        pass
with socket.socket(socket.AF_UNIX) as one:
    try:
        one.connect("\\0" + given["marker"])
        got("an abstract socket of another process")
    except OSError:
        pass
with socket.socket(socket.AF_UNIX) as one:
    try:
        one.connect(given["socket"])
        got("a socket in a folder")
    except OSError:
        pass
"""
_NETWORK_MACHINE = """
try:
    with socket.socket(40, socket.SOCK_STREAM):
        got("sockets of virtual machines")
except OSError:
    pass
"""
_DNS = """
for name in ("localhost.localdomain", "example.com", "pypi.org"):
    try:
        found = socket.getaddrinfo(name, 443)
        got(f"the address of {name}")
    except OSError:
        pass
for line in open("/etc/hosts") if os.path.exists("/etc/hosts") else ():
    got("the file /etc/hosts")
    break
"""
_FILES = """
def read(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 16)
    except OSError:
        return b""
for path in ("/etc/shadow", "/etc/passwd", "/etc/machine-id", "/root/.bashrc", given["home"] + "/.bashrc"):
    if read(path):
        got(path)
if given["secret"].encode() in read(given["file"]):
    got("a file that all users may read")
for place in ("/home", given["home"], given["home"] + "/.ssh", given["folder"], "/var", "/mnt", "/srv", "/boot"):
    try:
        names = [name for name in os.listdir(place) if not os.path.isdir(os.path.join(place, name))]
    except OSError:
        continue
    if names and place != os.getcwd():
        got(f"names in {place}: {names[:3]}")
"""
_ENVIRONMENT = """
for name in os.listdir("/proc"):
    if name.isdigit():
        for part in ("environ", "cmdline"):
            try:
                text = open(f"/proc/{name}/{part}", "rb").read()
            except OSError:
                continue
            if given["secret"].encode() in text:
                got(f"the {part} of another process")
for name in os.environ:
    if name not in ("HOME", "LANG", "LC_CTYPE", "PATH", "PWD", "PYTHONHASHSEED", "RMEVAL_SANDBOX", "TMPDIR"):
        got(f"the environment variable {name}")
"""
_PROCESSES = """
others = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, os.getpid())]
if given["victim"] in others:
    got("a list of the processes of the machine")
"""
_WRITE = """
for place in ("/", "/usr", "/usr/bin", "/usr/lib", "/etc", "/dev", "/proc/sys/kernel", sys.prefix, given["home"]):
    if os.access(place, os.W_OK) and place != os.getcwd():
        got(f"to write in {place}")
for path in (given["file"], given["new_file"]):
    try:
        with open(path, "ab") as file:
            file.write(b"changed")
        got(f"to write to {path}")
    except OSError:
        pass
for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/power/state"):
    try:
        os.close(os.open(path, os.O_WRONLY))
        got(f"to open {path} for writing")
    except OSError:
        pass
try:
    os.unlink(given["file"])
    got("to delete a file")
except OSError:
    pass
"""
_KILL = """
for target in (given["victim"], -given["victim"]):
    try:
        os.kill(target, signal.SIGKILL)
        got("another process")
    except OSError:
        pass
if os.getpid() == 2:
    # Only if this is a namespace of its own: all processes that it can name, and its parent.
    for target in range(-1, 2):
        if target:
            try:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                os.kill(target, signal.SIGTERM if target < 0 else signal.SIGKILL)
            except OSError:
                pass
"""
_LINKS = """
def attempt(path, name):
    try:
        with open(path, "rb") as file:
            if given["secret"].encode() in file.read():
                got(f"a file by {name}")
    except OSError:
        pass
for number, (target, name) in enumerate((
    (given["file"], "a symbolic link"),
    ("../" * 20 + given["file"].lstrip("/"), "a relative link"),
    ("/proc/1/root" + given["file"], "the root of the first process"),
    ("/proc/self/root" + given["file"], "the root of the process"),
)):
    os.symlink(target, f"link{number}")
    attempt(f"link{number}", name)
try:
    os.link(given["file"], "hard")
    attempt("hard", "a hard link")
except OSError:
    pass
for number in range(3, 256):
    for up in ("", "/..", "/../..", "/../../.."):
        attempt(f"/proc/self/fd/{number}{up}{given['file']}", "an open descriptor")
os.symlink(os.path.dirname(given["new_file"]), "folder")
try:
    with open("folder/" + os.path.basename(given["new_file"]), "wb") as file:
        file.write(b"x")
    got("to write through a link to a folder")
except OSError:
    pass
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
_DEVICES = """
import stat
allowed = {"null", "zero", "full", "random", "urandom"}
for folder, _, names in os.walk("/dev"):
    for name in names:
        try:
            mode = os.lstat(os.path.join(folder, name)).st_mode
        except OSError:
            continue
        if (stat.S_ISBLK(mode) or stat.S_ISCHR(mode)) and name not in allowed:
            got(f"the device {os.path.join(folder, name)}")
try:
    os.mknod("disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0))
    os.open("disk", os.O_RDONLY)
    got("a device that it made")
except OSError:
    pass
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
_PRIVILEGES = """
libc = ctypes.CDLL(None, use_errno=True)
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines() if ":" in line)
for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
    if int(status[name], 16):
        got(f"capabilities ({name})")
if status["NoNewPrivs"].strip() != "1":
    got("programs that run as another user")
if os.getuid() == 0:
    got("the user root")
for name, flag in (("users", 0x10000000), ("mounts", 0x00020000), ("networks", 0x40000000)):
    if not os.fork():
        os._exit(0 if libc.unshare(flag) == 0 else 1)
    if os.wait()[1] == 0:
        got(f"a new namespace of {name}")
if not os.fork():
    os._exit(0 if libc.ptrace(0, 0, 0, 0) == 0 else 1)
if os.wait()[1] == 0:
    got("to trace processes")
"""

_LIMITED = ("exit", "memory")
ATTACKS = (
    Attack("fork bomb", _FORK),
    Attack("many threads", _THREADS),
    Attack("10 GB of memory", _MEMORY, _LIMITED),
    Attack("memory of many processes", _MEMORY_OF_MANY, _LIMITED),
    Attack("memory that no limit counts", _UNCOUNTED_MEMORY, _LIMITED),
    Attack("endless loop", _LOOP, ("timeout",)),
    Attack("sleep that ignores signals", _SLEEP, ("timeout",)),
    Attack("endless output", _OUTPUT, ("output",)),
    Attack("connection to the internet", _NETWORK_OUT),
    Attack("connection to servers of this machine", _NETWORK_HOST),
    Attack("connection to the host of a virtual machine", _NETWORK_MACHINE),
    Attack("names of other machines (DNS)", _DNS),
    Attack("reading files", _FILES),
    Attack("reading the environment of other processes", _ENVIRONMENT),
    Attack("list of processes", _PROCESSES),
    Attack("writing outside its folder", _WRITE),
    Attack("killing other processes", _KILL),
    Attack("links to files outside", _LINKS),
    Attack("process left behind", _DAEMON),
    Attack("devices", _DEVICES),
    Attack("filling the disk", _DISK),
    Attack("privileges", _PRIVILEGES),
)
