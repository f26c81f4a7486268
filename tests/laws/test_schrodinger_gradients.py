"""Derivatives of exact dynamics: by every number of a model, by time, at a degenerate spectrum."""

import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import KEY, PLUS, SX, spin
from derivatives import check_derivative, difference

import entropax as ex

Array = np.ndarray


class Envelope(eqx.Module):
    decay: jax.Array

    def __call__(self, energy: Array, difference: Array) -> jax.Array:
        return jnp.exp(-self.decay * difference**2) * (1.0 + 0.3 * energy)


NUMBERS = {
    "strength": 0.05,
    "energy": 1.1,
    "center": 0.9,
    "width": 0.5,
    "variance": 1.3,
    "decay": 0.6,
}
POINT = np.array([*NUMBERS.values()])


def built(x: jax.Array, *, bands: bool) -> ex.OpenSystem:
    """A spin whose numbers are x: `variance` of random bands, or the `decay` of f."""
    strength, energy, center, width, variance, decay = x
    bath = ex.WindowBath(jnp.stack([jnp.zeros(()), center]), (4, 5), width)
    matrix = ex.RandomBands(variance) if bands else ex.EigenstateThermalization(Envelope(decay))
    link = ex.Coupling(SX, bath, strength, matrix)
    energies = jnp.stack([jnp.zeros(()), energy])
    return ex.OpenSystem(energies, (link,), ex.Product(system=PLUS, windows=(0,)))


@functools.cache
def program(*, bands: bool) -> Callable:
    """Value, and its derivative along a direction, forward and reverse: one for all numbers."""

    def observed(x: jax.Array) -> jax.Array:
        model = built(x, bands=bands)
        led = ex.solve(model, jnp.array([4.0]), ex.Schrodinger(key=KEY)).ledger
        return led.joint[0, 1, 0] + led.energy[0, 0] + led.system_state[0, 0, 1].real

    def both(x: jax.Array, direction: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        value, forward = jax.jvp(observed, (x,), (direction,))
        return value, forward, jax.grad(observed)(x) @ direction

    return jax.jit(both)


@pytest.mark.parametrize("which", [*NUMBERS, "uncoupled"])
def test_gradients(which: str) -> None:
    """`uncoupled`: by the strength where it is 0 and the spectrum degenerate."""
    run = program(bands=which != "decay")
    name = "strength" if which == "uncoupled" else which
    direction = np.array([key == name for key in NUMBERS], float)
    x = POINT * (1.0 - direction) if which == "uncoupled" else POINT
    step = 1e-2 if which == "uncoupled" else 1e-3
    _, forward, reverse = run(x, direction)
    expected = difference(lambda y: run(y, direction)[0], (x,), (direction,), step)
    size = max(1.0, float(np.abs(expected)))
    assert np.isfinite(forward)
    np.testing.assert_allclose(reverse, forward, rtol=0, atol=1e-12 * size)
    np.testing.assert_allclose(forward, expected, rtol=0, atol=1e-7 * size)


def test_gradient_with_respect_to_time_and_of_mutual_information() -> None:
    model = spin()

    def information(t: jax.Array) -> jax.Array:
        method = ex.Schrodinger(key=KEY, mutual_information=True)
        led = ex.solve(model, t[None], method).ledger
        assert led.mutual_information is not None
        return led.mutual_information[0] + led.joint[0, 1, 0]

    check_derivative(information, (np.array(5.0),), (np.array(1.0),), tolerance=1e-7)


def test_gradients_of_the_second_law() -> None:
    def observed(x: jax.Array) -> jax.Array:
        bath = ex.WindowBath(jnp.stack([0.0 * x, x, 2.0 * x]), (2, 3, 4), width=0.5)
        link = ex.Coupling(SX, bath, 0.3 * x, ex.RandomBands())
        start = ex.Product(system=[[0.6, 0.2], [0.2, 0.4]], beta=jnp.stack([1.3 * x]))
        model = ex.OpenSystem(jnp.stack([0.0 * x, x]), (link,), start)
        method = ex.Schrodinger(KEY, observation=ex.Observation("eigenbasis"))
        led = ex.solve(model, jnp.array([3.0]), method).ledger
        assert led.observed is not None
        assert led.clausius is not None
        assert led.entropy_production_rate is not None
        terms = led.observed.terms
        parts = jnp.sum(terms.ignorance + terms.bath_coherence) + jnp.sum(terms.correlation)
        whole = led.clausius[0] + led.entropy_production_fixed[0] + led.entropy_production_rate[0]
        return parts + whole + led.observed.entropy[0] + led.beta[0, 0]

    check_derivative(observed, (np.array(1.1),), (np.array(1.0),), tolerance=1e-6)
