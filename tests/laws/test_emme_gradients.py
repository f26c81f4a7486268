"""Derivatives of master equations, by every number of a model."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import SX, TIGHT
from derivatives import difference

import entropax as ex

Array = np.ndarray

TIMES = np.array([7.0, 0.0, 1.5, 40.0])


class Envelope(eqx.Module):
    decay: jax.Array

    def __call__(self, energy: Array, difference: Array) -> jax.Array:
        return 20.0 * jnp.exp(-self.decay * difference**2) * (1.0 + 0.3 * energy)


PARAMETERS = np.array([3e-3, 1.07, 0.93, 0.5, 1.3, 0.6])


def built(x: jax.Array, start: ex.Product) -> ex.OpenSystem:
    """A spin off resonance whose numbers are x, with bands and eigenstate thermalisation."""
    strength, energy, center, width, variance, decay = x
    bath = ex.WindowBath(jnp.stack([jnp.zeros(()), center]), (400, 600), width)
    links = (
        ex.Coupling(SX, bath, strength, ex.RandomBands(variance)),
        ex.Coupling(SX, bath, strength, ex.EigenstateThermalization(Envelope(decay))),
    )
    return ex.OpenSystem(jnp.stack([jnp.zeros(()), energy]), links, start)


METHODS = {
    "states": ex.EMME(**TIGHT),
    "finite": ex.EMME(memory="finite", **TIGHT),
    "frozen": ex.BornMarkovSecular(**TIGHT),
    "exponential": ex.EMME(coherences=False),
}


@pytest.mark.parametrize("name", METHODS)
def test_gradients(name: str) -> None:
    """By every number of a model, reverse and forward, against differences."""
    method = METHODS[name]
    state: Any = [0.3, 0.7] if name == "exponential" else [[0.3, 0.2], [0.2, 0.7]]
    start = ex.Product(system=state, windows=([0.6, 0.4],))

    def observed(x: jax.Array, method: Any = method) -> jax.Array:
        led = ex.solve(built(x, start), jnp.array([4.0]), method).ledger
        return led.joint[0, 1, 0] + led.energy[0, 0] + led.system_state[0, 0, 1].real

    value, reverse = jax.jit(jax.value_and_grad(observed))(PARAMETERS)
    ahead = method
    if name != "exponential":
        ahead = eqx.tree_at(lambda m: m.adjoint, method, diffrax.ForwardMode())

    @jax.jit
    def push(x: jax.Array, direction: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Value and forward derivative: one program serves the differences too."""
        return jax.jvp(lambda y: observed(y, ahead), (x,), (direction,))

    for i, x in enumerate(PARAMETERS):
        direction = x * np.eye(6)[i]
        same, forward = push(PARAMETERS, direction)
        assert same == pytest.approx(float(value), abs=1e-12)
        expected = difference(
            lambda y, d=direction: push(y, d)[0], (PARAMETERS,), (direction,), 1e-3
        )
        assert reverse[i] * x == pytest.approx(expected, abs=1e-7)
        assert forward == pytest.approx(expected, abs=1e-7)
