"""Attacks that reach what belongs to others: network, files, processes, devices, privileges."""

from __future__ import annotations

from rmeval.doctor.attacks.attack import Attack

__all__ = ["ACCESS"]

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

ACCESS = (
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
    Attack("devices", _DEVICES),
    Attack("privileges", _PRIVILEGES),
)
