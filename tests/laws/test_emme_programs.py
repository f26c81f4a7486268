"""Programs of master equations: batches, traces, no times."""

from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import large_spin

import entropax as ex

TIMES = jnp.array([5.0, 0.0, 30.0])
TRACES: list[None] = []


def keep(state: Any) -> jax.Array:
    """As `save=`: one object, so that tests share programs. Being traced leaves its mark."""
    TRACES.append(None)
    return state.energy


def joint(strength: jax.Array | float, times: jax.Array, method: Any) -> jax.Array:
    return ex.solve(large_spin(strength=strength), times, method, save=keep).ledger.joint


@pytest.mark.parametrize(
    "method",
    [ex.EMME(), ex.EMME(solver=diffrax.Tsit5()), ex.EMME(memory="finite")],
    ids=["exponential", "solver", "finite memory"],
)
def test_batches_equal_loops(method: Any) -> None:
    strengths = jnp.array([1e-3, 3e-3, 6e-3])
    together = jax.vmap(lambda strength: joint(strength, TIMES, method))(strengths)
    alone = np.stack([joint(s, TIMES, method) for s in strengths])
    np.testing.assert_allclose(together, alone, rtol=0, atol=2e-9)


@pytest.mark.parametrize(
    "method",
    [ex.EMME(), ex.EMME(memory="finite"), ex.BornMarkovSecular()],
    ids=["EMME", "finite memory", "frozen"],
)
def test_equal_shapes_are_traced_once(method: Any) -> None:
    joint(1e-3, TIMES, method)
    before = len(TRACES)
    joint(2e-3, TIMES + 1.0, method)
    assert 0 < before == len(TRACES)


def test_no_times_are_welcome() -> None:
    for method in (ex.EMME(), ex.EMME(memory="finite"), ex.BornMarkovSecular()):
        assert ex.solve(large_spin(), [], method).ledger.joint.shape == (0, 2, 2)
