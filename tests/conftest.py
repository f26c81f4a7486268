"""What all tests share: how programs are compiled and kept, random numbers, order and timing."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import environment

environment.prepare()  # before JAX is imported

import typecheck  # noqa: E402

if os.environ.get("ENTROPAX_TYPECHECK"):  # before the package is imported
    typecheck.install()

import hypothesis  # noqa: E402
import jax  # noqa: E402
import jaxtyping  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

import entropax  # noqa: E402, F401 - sets float64 before anything is computed
from entropax import sharpness  # noqa: E402

pytest_plugins = ("durations",)

# Functions of time are looked at less often than for users: programs are compiled quickly here, and
# run slowly for it. Tests of short pulses name their width.
sharpness._FINEST = 2**18

# The same examples every time: a test that fails once fails for everybody.
hypothesis.settings.register_profile(
    "entropax", derandomize=True, deadline=None, max_examples=60, database=None
)
hypothesis.settings.load_profile("entropax")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240611)


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(20240611)


# Traced programs are millions of objects: looking through all of them for cycles takes longer than
# many a test.
gc.set_threshold(100_000, 50, 100)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Compile quickly unless a test is marked `optimised`; check types unless it is misuse."""
    quick = item.get_closest_marker("optimised") is None
    if jax.config.read("jax_disable_most_optimizations") != quick:
        jax.config.update("jax_disable_most_optimizations", quick)
    name = item.name.split("[")[0]
    is_misuse = "bad_input" in name or "misuse" in name or item.get_closest_marker("misuse")
    jaxtyping.config.update("jaxtyping_disable", bool(is_misuse))


@pytest.fixture(autouse=True)
def forget_programs() -> Iterator[None]:
    """Programs are shared by all tests of a process, until they fill its memory or its maps.

    Linux lets a process have 65530 memory maps, and each program takes some.
    """
    yield
    maps, held = Path("/proc/self/maps"), Path("/proc/self/statm")
    if not maps.exists():
        return
    gigabytes = int(held.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e9
    if gigabytes > 6.0 or len(maps.read_bytes().splitlines()) > 30_000:
        jax.clear_caches()
