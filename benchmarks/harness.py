"""What the benchmarks share: sizes, clocks, and what a line of the README is made of."""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

ROOT = Path(__file__).parents[1]
SMALL = bool(os.environ.get("ENTROPAX_SMALL"))
"""Everything runs once and small, so that it cannot rot; its times say nothing."""

Bar = tuple[str, str, float, float]
"""A task, "at least" or "at most", the number asked for and the one found."""


def timed(function: Callable, *arguments: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = jax.block_until_ready(function(*arguments))
    return time.perf_counter() - start, result


def median_seconds(function: Callable, *arguments: Any, repeat: int) -> float:
    return statistics.median(timed(function, *arguments)[0] for _ in range(repeat))


def measured(
    benchmark: Any, function: Callable, *arguments: Any, rounds: int = 1, warmup_rounds: int = 0
) -> tuple[float, Any]:
    """Median seconds and the result; of a single call where benchmarks are disabled."""

    def call() -> Any:
        return jax.block_until_ready(function(*arguments))

    if benchmark.disabled:
        return benchmark.pedantic(timed, args=(call,))
    result = benchmark.pedantic(call, rounds=rounds, warmup_rounds=warmup_rounds)
    return benchmark.stats.stats.median, result


def agreement(found: Any, expected: Any, rtol: float = 0.0, atol: float = 0.0) -> float:
    """The largest difference, once it is known to be within bounds."""
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)
    return float(np.max(np.abs(np.asarray(found) - np.asarray(expected))))


def exponent(seconds: Mapping[int, float]) -> float:
    """p of seconds ~ size^p: least squares in log-log."""
    return float(np.polyfit(np.log(list(seconds)), np.log(list(seconds.values())), 1)[0])


def peak_memory() -> float:
    """Gigabytes that this process held at most; Linux's `getrusage` counts its parent's too."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024 / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def in_own_process(module: str, *arguments: str) -> dict[str, float]:
    """What `python -m module` tells as JSON, with nothing compiled before."""
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    environment["JAX_ENABLE_COMPILATION_CACHE"] = "0"
    if SMALL:
        environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def report(
    benchmark: Any,
    capsys: Any,
    family: str,
    task: str,
    *,
    ours: float | None = None,
    rivals: Mapping[str, float] | None = None,
    beside: Mapping[str, float] | None = None,
    first_call: float | None = None,
    memory: Mapping[str, float] | None = None,
    errors: Mapping[str, float] | None = None,
    growth: Mapping[str, Mapping[int, float]] | None = None,
    bars: Sequence[Bar] = (),
) -> None:
    """Keep one line of the README with the benchmark, and print it.

    Seconds: `ours`, those of `rivals` at the same task, of what stands `beside` it without being
    a rival, of the `first_call`. `memory`: gigabytes. `errors`: largest differences from a rival,
    or of each from a reference. `growth`: seconds by size.
    """
    line = {
        "ours": ours,
        "rivals": rivals,
        "beside": beside,
        "first_call": first_call,
        "memory": memory,
        "errors": errors,
        "growth": growth,
        "bars": bars,
    }
    told = {name: value for name, value in line.items() if value}
    require_complete(family, told)
    benchmark.extra_info.update(family=family, task=task, **told)
    if not SMALL:
        with capsys.disabled():
            print(f"\n{family}, {task}: {told}")


NEEDED = {
    "Growth": {"growth", "bars"},
    "First calls": {"ours", "beside", "first_call", "memory", "bars"},
    "Memory": {"first_call", "memory"},
}
"""What lines of a family have; those of the others compare with a rival, or with what is beside."""
COMPARED = {"ours", "first_call", "errors"}


def require_complete(family: str, told: Mapping[str, Any]) -> None:
    """Nothing lacks, every time and size is positive, every difference is a number."""
    lacking = NEEDED.get(family, COMPARED) - told.keys()
    if family not in NEEDED and not told.keys() & {"rivals", "beside"}:
        lacking |= {"rivals"}
    assert not lacking, f"{family}: the line lacks {sorted(lacking)}"
    for name in ("ours", "rivals", "beside", "first_call", "memory", "growth"):
        for value in jax.tree.leaves(told.get(name)):
            assert 0.0 < value < np.inf, f"{family}: `{name}` has {value}"
    for name, value in told.get("errors", {}).items():
        assert 0.0 <= value < np.inf, f"{family}: the difference `{name}` is {value}"
    for name, by_size in told.get("growth", {}).items():
        assert len(by_size) >= 4, f"{family}: {name} has {len(by_size)} sizes, too few for a fit"
