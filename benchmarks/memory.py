"""The memory that a process has needed."""

import resource
import sys
from pathlib import Path


def peak_memory() -> float:
    """Most memory that this process has held at a time, in MB.

    On Linux ``ru_maxrss`` counts what the process was started from, so that the kernel's own mark is read.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024) / 1e6
