"""Peak memory of tasks, each in a process of its own.

`ENTROPAX_SMALL=1` runs everything once at a small size.
"""

from typing import Any

import pytest

from benchmarks import models
from benchmarks.harness import SMALL, in_own_process, measured, report
from benchmarks.memory import DRAWS, TASKS

AT_MOST = {f"ledger at 60 times, K = {models.LARGEST}": 1.5}
"""Gigabytes."""
# one of them shows that it works: `tests/processes/test_benchmarks.py` runs all
MEASURED = ("4096 master equations",) if SMALL else tuple(TASKS)
assert AT_MOST.keys() | set(MEASURED) <= TASKS.keys()


@pytest.mark.parametrize("task", MEASURED)
def test_memory(task: str, benchmark: Any, capsys: Any) -> None:
    """Peak resident memory; the time is a first call's. More than 1.5 GB for 60 ledgers fails."""
    _, found = measured(benchmark, in_own_process, "benchmarks.memory", task)
    memory = {"peak": found["peak"]}
    report(benchmark, capsys, "Memory", task, first_call=found["seconds"], memory=memory)
    assert found["peak"] < AT_MOST.get(task, 3.0 if SMALL else float("inf"))


def test_memory_is_flat(benchmark: Any, capsys: Any) -> None:
    """More draws in chunks of 32, which are not made together; a tenth more memory fails."""
    few, many = DRAWS
    least = in_own_process("benchmarks.memory", few)["peak"]
    _, found = measured(benchmark, in_own_process, "benchmarks.memory", many)
    peaks = {few: least, many: found["peak"]}
    task = "an ensemble of exact draws"
    report(benchmark, capsys, "Memory", task, first_call=found["seconds"], memory=peaks)
    assert found["peak"] < 1.1 * least
