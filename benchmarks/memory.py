"""Measure the memory of a process."""

import resource
import sys
from pathlib import Path


def peak_memory() -> float:
    """Return the peak memory of this process in MB.

    On Linux ``ru_maxrss`` includes the parent process, so the kernel's own mark is read.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024) / 1e6
