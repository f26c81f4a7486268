"""Gradients of steady states, forward and reverse, also at equilibrium and where levels meet."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import difference
from twins import lindblad as twin

import entropax as ex


def qubit(gap, hot, cold, first, second):
    couplings = [
        ex.Coupling(twin.SX, ex.ThermalBath(1 / t, ex.FlatSpectrum(g)))
        for t, g in ((hot, first), (cold, second))
    ]
    model = ex.OpenSystem(
        energies=jnp.stack([0.0 * gap, gap]), couplings=couplings, start=ex.Product(system=0)
    )
    return ex.steady_state(model, ex.Davies()).entropy_production_rate


def engine(wide, narrow, hot, cold, first, second, drive):
    model = ex.machines.three_level_engine((wide, narrow), (hot, cold), (first, second), drive)
    return ex.steady_state(model, ex.Local()).power


def cooler(cold, hot, t_c, t_h, t_r, g, rate):
    model = ex.machines.absorption_refrigerator((cold, hot), (t_c, t_h, t_r), g, (rate, rate, rate))
    return ex.steady_state(model, ex.Davies()).heat_currents[0]


def alike(gap, exchange, hot, cold, first, second):
    # three like qubits: degenerate levels and gaps for every one of these numbers
    model = ex.machines.spin_chain(3, gap, exchange, 0.0, (hot, cold), (first, second))
    return ex.steady_state(model, ex.Davies()).entropy_production_rate


def cold_valve(gap, other, g, t, rate):
    # one temperature: an equilibrium, where the rate is smallest and flat
    model = ex.machines.heat_valve((gap, other), g, (t, t), (rate, 2.0 * rate))
    found = ex.steady_state(model, ex.Redfield())
    return found.entropy_production_rate + found.energy


MACHINES = {
    "qubit": (qubit, (1.0, 3.0, 0.5, 0.3, 0.7)),
    "equal temperatures": (qubit, (1.0, 2.0, 2.0, 0.3, 0.3)),
    "engine": (engine, (3.0, 1.0, 10.0, 1.0, 0.02, 0.02, 0.05)),
    "refrigerator": (cooler, (1.0, 3.0, 1.0, 6.0, 1.5, 0.05, 0.01)),
    "degenerate chain": (alike, (1.0, 0.5, 5.0, 0.5, 0.5, 0.4)),
    "equilibrium": (cold_valve, (1.0, 0.6, 0.3, 1.2, 0.1)),
}
"""A steady number of a machine as a function of its parameters, and these."""


@functools.cache
def program(function: Callable) -> Callable:
    """The value, its derivative along a direction and its gradient, compiled once for a machine."""

    def derivatives(parameters: tuple, directions: tuple) -> tuple:
        value, forward = jax.jvp(function, parameters, directions)
        gradient = jax.vjp(function, *parameters)[1](jnp.ones_like(value))
        return value, forward, jnp.stack(gradient)

    return jax.jit(derivatives)


@pytest.mark.parametrize("name", MACHINES)
def test_gradients_of_steady_states(name: str, rng: np.random.Generator) -> None:
    """Forward equals reverse, and both the difference along a direction."""
    function, parameters = MACHINES[name]
    directions = tuple(np.array(parameters) * rng.normal(size=len(parameters)))

    def at(*moved: float) -> tuple[np.ndarray, ...]:
        both = (tuple(map(jnp.asarray, x)) for x in (moved, directions))
        return tuple(map(np.asarray, program(function)(*both)))

    value, forward, gradient = at(*parameters)
    reference = difference(lambda *moved: at(*moved)[0], parameters, directions, 1e-3)
    size = max(1.0, float(np.abs(reference)))
    assert np.isfinite(forward)
    assert np.all(np.isfinite(gradient))
    np.testing.assert_allclose(gradient @ directions, forward, rtol=0, atol=1e-12 * size)
    np.testing.assert_allclose(forward, reference, rtol=0, atol=1e-7 * size)
    # at equal temperatures, where nothing is produced, all are exactly zero
    assert np.max(np.abs(gradient * np.array(parameters))) > 0.1 * abs(value) or value == 0.0


def test_gradient_where_levels_meet() -> None:
    """The Gibbs state is smooth there: energies' derivatives are those of canonical averages."""
    operator = np.random.default_rng(3).normal(size=(3, 3))
    bath = ex.ThermalBath(0.8, ex.OhmicSpectrum(0.1, 5.0))

    def energy(split, method):
        model = ex.OpenSystem(
            energies=jnp.stack([0.0 * split, 1.0 + 0.0 * split, split]),
            couplings=[ex.Coupling(operator + operator.T, bath)],
            start=ex.Product(system=0),
        )
        return ex.steady_state(model, method).energy

    weight = np.exp(-0.8 * np.array([0.0, 1.0, 1.0]))
    p = weight / weight.sum()
    closed = p[2] - 0.8 * p[2] * (1.0 - (p[1] + p[2]))
    for method in (ex.Davies(), ex.Redfield()):
        found = jax.jit(jax.value_and_grad(lambda x, m=method: energy(x, m)))(jnp.array(1.0))
        np.testing.assert_allclose(found[1], closed, rtol=0, atol=1e-10)
