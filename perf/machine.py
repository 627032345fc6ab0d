"""The machine on which something is measured."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def machine() -> str:
    """Return the system's name of the processor."""
    names = Path("/proc/cpuinfo")
    found = re.findall(r"^model name\s*: (.*)$", names.read_text(), re.MULTILINE) if names.exists() else []
    return f"{found[0] if found else platform.processor()}, {os.cpu_count()} cores, {platform.platform(terse=True)}"
