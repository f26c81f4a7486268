"""The page that is made of benchmarks; the benchmarks themselves run small beside the tests."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from benchmarks import gpu
from benchmarks import report as pages
from benchmarks.harness import report, require_complete

ROOT = Path(__file__).parents[2]


def run(*command: str) -> str:
    """A small run in a process of its own, also where this test runs in a worker."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    small = {"ENTROPAX_SMALL": "1", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=outside | small,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ["benchmarks.memory", "benchmarks.profiles"])
def test_module_runs(module: str) -> None:
    assert run(module)


def test_timed_run_makes_the_page(tmp_path: Path) -> None:
    """As `make bench` does: timed by pytest-benchmark, kept in a file, written as a page."""
    kept, page = tmp_path / "benchmarks.json", tmp_path / "README.md"
    chosen = "benchmarks/test_windows.py::test_exact", "benchmarks/test_windows.py::test_batch"
    told = run(
        *("pytest", *chosen, "--benchmark-only", f"--benchmark-json={kept}"),
        *("-q", "-p", "no:cacheprovider"),
    )
    assert " skipped" not in told
    entries = {entry["name"]: entry for entry in json.loads(kept.read_text())["benchmarks"]}
    assert entries.keys() == {"test_exact", "test_batch[default]", "test_batch[Tsit5]"}
    for entry in entries.values():
        # the time that is told is the one that pytest-benchmark took
        assert entry["extra_info"]["ours"] == entry["stats"]["median"] > 0.0
    run("benchmarks.report", str(kept), str(page))
    text = page.read_text()
    assert all(entry["extra_info"]["task"] in text for entry in entries.values())
    assert text.count("| at least ") == 2
    assert "`test_batch`: 2 levels, 32 windows" in text
    assert "no times to go by" in text


class Benchmark(SimpleNamespace):
    """What `report` needs of pytest-benchmark's fixture."""


MACHINE: dict[str, Any] = {
    "cpu": {"brand_raw": "a CPU", "count": 2},
    "packages": {"entropax": "0"},
    "threads": ["openblas 0: 1"],
    "settings": [],
    "memory_gigabytes": 16.0,
    "system": "Linux",
    "machine": "x86_64",
    "python_version": "3",
    "small": False,
}
NAMES = {
    "Junctions": "test_junction.py::test_ledger[30]",
    "Growth": "test_junction.py::test_growth",
    "Driven junctions": "test_gradients.py::test_driven_junction[4]",
    "First calls": "test_first_call.py::test_first_call[IDEAL]",
    "Memory": "test_memory.py::test_memory_is_flat",
}
LINES: dict[str, dict[str, Any]] = {
    "Junctions": {
        "ours": 0.01,
        "rivals": {"slow": 0.05, "fast": 0.002},
        "beside": {"a value": 0.2},
        "first_call": 3.0,
        "errors": {"difference": 2e-9},
        "bars": [("a ledger", "at least", 6.0, 5.0), ("the same", "at most", 6.0, 5.0)],
    },
    "Growth": {
        "growth": {"ours": {k: 1e-6 * k**2 for k in (8, 12, 16, 24)}},
        "bars": [("p of K^p", "at most", 2.6, 2.0)],
    },
    "Driven junctions": {
        "ours": 1.0,
        "rivals": {"central differences": 9.0},
        "first_call": 3.0,
        "memory": {"temporary": 0.035},
        "errors": {"difference": 0.0},
    },
    "First calls": {
        "ours": 1.0,
        "beside": {"compiling and set-up": 2.0},
        "first_call": 3.0,
        "memory": {"peak": 0.5},
        "bars": [("a first call", "at most", 20, 2.0)],
    },
    "Memory": {"first_call": 3.0, "memory": {"32 draws": 0.5, "64 draws": 0.51}},
}


def test_page_tells_every_line(capsys: pytest.CaptureFixture) -> None:
    entries = []
    for family, line in LINES.items():
        benchmark = Benchmark(extra_info={})
        report(benchmark, capsys, family, f"task of {family}", **line)
        fullname = f"benchmarks/{NAMES[family]}"
        entries.append({"fullname": fullname, "extra_info": benchmark.extra_info})
    data = {"machine_info": MACHINE, "datetime": "2026-01-02T03:04:05", "benchmarks": entries}
    page = pages.page(json.loads(json.dumps(data)))
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## This run",
        "## Bars",
        *(f"## {family}" for family in pages.FAMILIES if family in LINES),
    ]
    for row in (
        "| a ledger | at least 6 | 5 | **not met** |",
        "| the same | at most 6 | 5 | met |",
        "| p of K^p | at most 2.6 | 2 | met |",
        "| a first call | at most 20 | 2 | met |",
        "| task of Junctions | 10 ms | slow 50 ms; fast 2 ms; (a value 0.2 s) | "
        "5; 0.2 (rival faster) | 3 s |  | difference 2e-09 |",
        "| task of Driven junctions | 1 s | central differences 9 s | 9 | 3 s | temporary 35 MB | "
        "difference 0 |",
        "| task of Memory |  |  |  | 3 s | 32 draws 0.5 GB; 64 draws 0.51 GB |  |",
    ):
        assert row in page
    assert "8: 0.064 ms; 12: 0.14 ms; 16: 0.26 ms; 24: 0.58 ms | K^2.00 |" in page
    assert "- `test_memory_is_flat`: More draws in chunks of 32" in page
    assert "no times to go by" not in page


@pytest.mark.parametrize(
    ("family", "change", "message"),
    [
        ("Junctions", {"ours": None}, r"lacks \['ours'\]"),
        ("Junctions", {"rivals": None, "beside": None}, r"lacks \['rivals'\]"),
        ("Junctions", {"rivals": {"slow": 0.0}}, "`rivals` has 0.0"),
        ("Junctions", {"errors": {"difference": float("nan")}}, "`difference` is nan"),
        ("Junctions", {"first_call": float("inf")}, "`first_call` has inf"),
        ("Growth", {"growth": {"ours": {8: 1.0, 12: 2.0, 16: 3.0}}}, "3 sizes, too few"),
        ("First calls", {"beside": {"compiling and set-up": -1.0}}, "`beside` has -1.0"),
        ("Memory", {"memory": None}, r"lacks \['memory'\]"),
    ],
)
def test_incomplete_lines_are_refused(family: str, change: dict, message: str) -> None:
    line = {name: value for name, value in (LINES[family] | change).items() if value is not None}
    with pytest.raises(AssertionError, match=message):
        require_complete(family, line)


def test_launches_are_counted_through_loops() -> None:
    """Twice as many rounds of a loop launch twice as many kernels, at least one a round."""

    def launches(rounds: int) -> int:
        def step(_: int, x: jax.Array) -> jax.Array:
            return jnp.linalg.eigh(x)[1]

        program = jax.jit(lambda x: jax.lax.fori_loop(0, rounds, step, x))
        return gpu.counted(program.lower(jnp.eye(3)).compile().as_text())

    assert launches(14) == 2 * launches(7) >= 14
