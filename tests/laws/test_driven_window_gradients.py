"""Derivatives of driven window models: by values, times of jumps, and all that steps resolve."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import KEY, SX, Wave
from derivatives import check_derivative, difference, one_sided_difference

import entropax as ex

Array = np.ndarray


@pytest.mark.parametrize("method", ["quenched", "smooth"])
def test_gradients_of_exact_driving(method: str) -> None:
    def observed(x: jax.Array) -> jax.Array:
        if method == "quenched":
            energy = ex.PiecewiseConstant(times=jnp.stack([x, x + 1.0]), values=(1.0, 1.0 + x, 0.7))
        else:
            energy = Wave(0.4 * x)
        bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(2, 3), width=0.5)
        link = ex.Coupling(SX, bath, 0.2 * x, ex.RandomBands())
        start = ex.Product(system=[[0.5, 0.4], [0.4, 0.5]], windows=(0,))
        model = ex.OpenSystem((0.0, energy), (link,), start)
        sol = ex.solve(model, jnp.array([3.0]), ex.Schrodinger(KEY, steps=4), throw=False)
        led = sol.ledger
        assert led.entropy_production is not None
        return led.entropy_production[0] + led.work[0] + led.system_state[0, 0, 1].real

    check_derivative(observed, (np.array(0.9),), (np.array(1.0),), tolerance=1e-7)


@pytest.mark.parametrize("method", [ex.Schrodinger(KEY), ex.EMME(coherences=False)])
def test_derivatives_by_the_times_of_two_jumps_at_once(method: Any) -> None:
    """Exactly both orders of them have one slope; by rates it is that of the second one first."""

    def f(times: jax.Array) -> jax.Array:
        energies = [
            ex.PiecewiseConstant(t[None], v)
            for t, v in zip(times, ((0.0, 0.2), (1.0, 1.7)), strict=True)
        ]
        bath = ex.WindowBath(centers=(0.0, 1.0, 2.0), volumes=(2, 3, 4), width=0.5)
        link = ex.Coupling(SX, bath, 0.2, ex.RandomBands())
        model = ex.OpenSystem(energies, (link,), ex.Product(system=[0.7, 0.3], windows=(0,)))
        led = ex.solve(model, jnp.array([3.0]), method).ledger
        return led.work[0] + led.heat[0, 0]

    f = jax.jit(f)
    found = jax.grad(f)(jnp.ones(2))
    for i, direction in enumerate(np.array([[1.0, 0.0], [0.0, -1.0]])):
        expected = one_sided_difference(f, (np.ones(2),), (direction,), 1e-3)
        np.testing.assert_allclose(found @ direction, expected, rtol=0, atol=1e-7)
        if isinstance(method, ex.Schrodinger):
            both = difference(f, (np.ones(2),), (direction,))
            np.testing.assert_allclose(found[i] * direction[i], both, rtol=0, atol=1e-7)
        assert abs(float(expected)) > 1e-3
