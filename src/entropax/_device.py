"""What the machine offers."""

import contextlib
import os
from pathlib import Path
from typing import Any, TypeAlias

Device: TypeAlias = Any
"""A `jax.Device`, which type checkers take for a variable."""


def cores() -> int:
    """How many this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def memory(device: Device) -> float:
    """Bytes of a device's own memory, or of the machine's."""
    statistics = device.memory_stats() if device.platform != "cpu" else None
    if statistics and "bytes_limit" in statistics:
        return float(statistics["bytes_limit"])
    limits = [8.0 * 2**30]  # of a system that does not say
    with contextlib.suppress(AttributeError, OSError, ValueError):
        limits = [float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))]
    with contextlib.suppress(OSError, ValueError):  # of a container, or a batch system
        limits.append(float(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(limits)
