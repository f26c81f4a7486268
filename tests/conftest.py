"""What all tests share; `helpers.py` has the finite differences."""

import gc
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import jax
import numpy as np
import pytest

import entropax  # noqa: F401 - sets float64 before anything is computed

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


@pytest.fixture(scope="module")
def quick_compilation() -> Iterator[None]:
    """As little optimisation as XLA offers: where compiling takes longer than running."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


# Traced programs are millions of objects: looking through all of them for cycles takes longer than
# many a test. Fewer looks, and no program that the next file has no use for.
gc.set_threshold(100_000, 50, 100)


@pytest.fixture(scope="module", autouse=True)
def forget_programs_of_a_file() -> Iterator[None]:
    yield
    jax.clear_caches()


@pytest.fixture(autouse=True)
def forget_programs() -> Iterator[None]:
    """A process that keeps thousands of compiled programs runs out of memory maps, and crashes."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and len(maps.read_bytes().splitlines()) > 30_000:  # of 65530 on Linux
        jax.clear_caches()
