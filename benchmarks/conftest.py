"""Sizes, what every benchmark must hand in, and what pytest-benchmark's account lacks."""

import importlib.metadata
import os
from collections.abc import Iterator
from typing import Any

import jax
import pytest
import threadpoolctl

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
SETTINGS = (
    "jax_disable_most_optimizations",
    "jax_default_matmul_precision",
    "jax_enable_x64",
)

RIVALS = {
    "test_generating_function": {"dense determinants"},
    "test_noise": {"QuTiP"},
    "test_switched_coupling": {"NumPy"},
    "test_limit_cycles": {"30 periods each"},
    "test_ledger": {"textbook NumPy"},
    "test_gradient": {"textbook value of Σ"},
    "test_exact": {"NumPy propagation"},
    "test_random_matrix_reservoir": {"NumPy propagation"},
    "test_batch": {"loop over solve_ivp"},
    "test_steady_states": {"QuTiP", "QuTiP by SVD"},
    "test_chain": {"qthermo"},
    "test_driven": {"QuTiP", "dynamiqs"},
    "test_driven_batch": {"loop over QuTiP", "dynamiqs"},
    "test_driven_junction": {"central differences"},
    "test_against_dense_steps": {"NumPy, dense steps"},
    "test_exact_draws": {"NumPy loop"},
    "test_pure_starts": {"loop over `ex.solve`"},
    "test_pure_start": {"TensorCircuit-NG"},
}
"""Those that a benchmark times; one that is not named here times none."""
BARS = {
    "test_noise",
    "test_switched_coupling",
    "test_limit_cycles",
    "test_ledger[30]",
    "test_ledger[1000]",
    "test_gradient",
    "test_growth",
    "test_exact",
    "test_batch[default]",
    "test_steady_states[None]",
    "test_first_call",
}
"""Benchmarks, or cases of them, that are held to a number."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Times are taken where `--benchmark-only` asks for them; else all runs once and small."""
    if not config.getoption("benchmark_only"):
        config.option.benchmark_disable = True
        os.environ["ENTROPAX_SMALL"] = "1"


def setting(name: str) -> Any:
    """What JAX has for `name`: an attribute where threads may differ, otherwise a flag."""
    has = hasattr(jax.config, name)
    return getattr(jax.config, name) if has else jax.config.read(name)


@pytest.fixture(scope="module", autouse=True)
def settings_of_this_file() -> Iterator[None]:
    """Small programs are compiled quickly. What rivals change when imported is put back."""
    from benchmarks.harness import SMALL

    before = {name: setting(name) for name in SETTINGS}
    if SMALL:
        jax.config.update("jax_disable_most_optimizations", True)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A benchmark that ends well has handed its line to `report`, rivals and bars included."""
    yield
    name = item.name.split("[")[0]
    line = item.funcargs["benchmark"].extra_info  # type: ignore[attr-defined]
    assert "task" in line, "no line was handed to `report`"
    assert set(line.get("rivals", {})) == RIVALS.get(name, set())
    assert bool(line.get("bars")) == bool({name, item.name} & BARS)


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    from benchmarks.harness import SMALL

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
