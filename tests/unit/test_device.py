"""Cores and memory, where the system says and where it does not."""

import os
from pathlib import Path
from types import SimpleNamespace

import jax
import pytest

from entropax import _device

CPU = jax.local_devices(backend="cpu")[0]


def test_cores_are_those_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= _device.cores() <= (os.cpu_count() or 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 7}, raising=False)
    assert _device.cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert _device.cores() == os.cpu_count()


@pytest.mark.parametrize(
    ("limit", "expected"), [("1048576\n", 2.0**20), ("max\n", 2.0**33), (None, 2.0**33)]
)
def test_memory_is_the_least_of_the_machines_and_the_containers(
    limit: str | None, expected: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may have a limit, "max", or no such file; here the machine has 8 GiB."""
    file = tmp_path / "memory.max"
    if limit is not None:
        file.write_text(limit)
    pages = {"SC_PHYS_PAGES": 2**21, "SC_PAGE_SIZE": 2**12}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    monkeypatch.setattr(_device, "Path", lambda path: file)
    assert _device.memory(CPU) == expected


def test_memory_of_a_device_of_its_own() -> None:
    """A device's limit where it has one; some have statistics without."""
    gpu = SimpleNamespace(platform="gpu", memory_stats=lambda: {"bytes_limit": 5.0e9})
    assert _device.memory(gpu) == 5.0e9
    for statistics in (None, {"bytes_in_use": 3}):
        silent = SimpleNamespace(platform="gpu", memory_stats=lambda s=statistics: s)
        assert _device.memory(silent) == _device.memory(CPU) > 1e6
