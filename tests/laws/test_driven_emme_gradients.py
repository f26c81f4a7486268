"""Derivatives of driven master equations: in values, times of jumps, couplings and slopes."""

from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import SX, TIGHT
from derivatives import check_derivative

import entropax as ex

Array = np.ndarray


@pytest.mark.parametrize("solver", [None, diffrax.Dopri8()], ids=["exponential", "solver"])
def test_gradients_of_the_driven_master_equation(solver: Any) -> None:
    """In a value, the time of a jump, the coupling and a slope; a break beyond the end too."""

    def observed(x: jax.Array) -> jax.Array:
        energy: Any = ex.PiecewiseConstant(jnp.stack([x, 9.0 * x]), jnp.stack([1.0, 1.2 * x, x]))
        if solver is not None:
            times = jnp.stack([0.0 * x, x, 5.0 * x])
            # rates bend where it passes a resonance, at 1: solvers then take derivatives to 1e-6
            energy = ex.PiecewiseLinear(times, jnp.stack([x, 1.08 * x, 0.8 * x]))
        bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(20, 30), width=0.5)
        link = ex.Coupling(SX, bath, 0.05 * x, ex.RandomBands())
        model = ex.OpenSystem((0.0, energy), (link,), ex.Product(system=1, windows=([0.7, 0.3],)))
        method = ex.EMME(coherences=False, solver=solver, **TIGHT)
        if solver is not None:
            method = ex.EMME(coherences=False, adjoint=diffrax.DirectAdjoint(), **TIGHT)
        led = ex.solve(model, jnp.array([3.0]), method).ledger
        assert led.entropy_production is not None
        return led.entropy_production[0] + led.work[0] + led.heat[0, 0]

    check_derivative(observed, (np.array(0.9),), (np.array(1.0),), tolerance=1e-6)
