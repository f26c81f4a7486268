"""What pytest-benchmark's account of the machine lacks."""

import importlib.metadata
import os
from typing import Any

import threadpoolctl

from benchmarks.harness import SMALL

PACKAGES = (
    "entropax",
    "jax",
    "jaxlib",
    "numpy",
    "scipy",
    "qutip",
    "qthermo",
    "dynamiqs",
    "tensorcircuit-ng",
)


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    machine_info["small"] = SMALL
    machine_info["memory_gigabytes"] = memory / 1e9
    machine_info["packages"] = {name: importlib.metadata.version(name) for name in PACKAGES}
    machine_info["threads"] = [
        f"{pool['internal_api']} {pool['version']}: {pool['num_threads']}"
        for pool in threadpoolctl.threadpool_info()
    ]
    machine_info["settings"] = [
        f"{name}={value}"
        for name, value in os.environ.items()
        if name.endswith("_NUM_THREADS") or name in ("XLA_FLAGS", "JAX_DISABLE_MOST_OPTIMIZATIONS")
    ]
