"""Steady states of machines however cold, and however far rates lie apart, against 100 digits."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

import entropax as ex

DIGITS = 100
MACHINES = 100


def drawn(seed: int, levels: int, baths: int) -> tuple[np.ndarray, ...]:
    """Energies up to 3, beta omega up to 400, rates over 30 orders; the operators of all baths."""
    rng = np.random.default_rng([seed, levels, baths])
    energies = np.sort(rng.uniform(0.0, 3.0, (MACHINES, levels)), axis=1)
    beta = np.exp(rng.uniform(np.log(0.3), np.log(400.0 / 3.0), (MACHINES, baths)))
    rates = 10.0 ** rng.uniform(-30.0, 0.0, (MACHINES, baths))
    operators = 10.0 ** rng.uniform(-1.0, 0.0, (MACHINES, baths, levels, levels))
    return energies, beta, rates, 0.5 * (operators + np.swapaxes(operators, -1, -2))


@jax.jit
@jax.vmap
def found(energies: jax.Array, beta: jax.Array, rates: jax.Array, operators: jax.Array) -> dict:
    apart = 1.0 - jnp.eye(energies.shape[0])
    links = [
        ex.Coupling(operator * apart, ex.ThermalBath(b, ex.FlatSpectrum(g)))
        for b, g, operator in zip(beta, rates, operators, strict=True)
    ]
    model = ex.OpenSystem(energies, links, ex.Product(system=0))
    state = ex.steady_state(model, ex.Davies(coherences=False), throw=False)
    return {
        "populations": jnp.diagonal(state.state).real,
        "flows": state.heat_currents,
        "production": state.entropy_production_rate,
        "each": state.entropy_production_rates,
        "failed": state.failed,
    }


def exact(energies: np.ndarray, beta: np.ndarray, rates: np.ndarray, operators: np.ndarray) -> dict:
    """The same by LU in many digits: rates g |A|^2 / (1 - e^-x) down, times e^-x up."""
    e, size = [mp.mpf(float(x)) for x in energies], len(energies)
    each = []
    for b, g, operator in zip(beta, rates, operators, strict=True):
        own = mp.matrix(size, size)
        for i in range(size):
            for j in range(i + 1, size):
                x = mp.mpf(float(b)) * (e[j] - e[i])
                down = mp.mpf(float(g)) * mp.mpf(float(operator[i, j])) ** 2 / -mp.expm1(-x)
                own[i, j], own[j, i] = down, down * mp.exp(-x)
        each.append(own)
    total = sum(each[1:], each[0].copy())
    for j in range(size):
        total[j, j] = -sum(total[i, j] for i in range(size) if i != j)
    for j in range(size):
        total[0, j] = 1
    one = mp.matrix(size, 1)
    one[0] = 1
    p = mp.lu_solve(total, one)
    pairs = [(i, j) for i in range(size) for j in range(i + 1, size)]
    flows = [sum((w[i, j] * p[j] - w[j, i] * p[i]) * (e[i] - e[j]) for i, j in pairs) for w in each]
    production = -sum(mp.mpf(float(b)) * q for b, q in zip(beta, flows, strict=True))
    return {"populations": list(p), "flows": flows, "production": [production]}


@pytest.mark.parametrize(("levels", "baths"), [(2, 3), (3, 2), (4, 3)])
def test_numbers_keep_their_relative_accuracy(levels: int, baths: int) -> None:
    """Populations, flows with their signs, and entropy production, to 1e-9 of each."""
    given = drawn(1, levels, baths)
    ours = {name: np.asarray(x) for name, x in found(*map(jnp.asarray, given)).items()}
    assert not ours["failed"].any()
    with mp.workdps(DIGITS):
        for k in range(MACHINES):
            for name, numbers in exact(*(x[k] for x in given)).items():
                for got, true in zip(np.atleast_1d(ours[name][k]), numbers, strict=True):
                    assert abs(mp.mpf(float(got)) - true) <= mp.mpf(1e-9) * abs(true), (k, name)
            assert ours["production"][k] > 0
            assert np.all(ours["each"][k] >= 0)


def test_one_temperature_is_equilibrium() -> None:
    """Gibbs' populations to rounding; what flows and what is produced is rounding of rates."""
    energies, beta, rates, operators = drawn(2, 4, 3)
    beta = np.repeat(beta[:, :1], 3, axis=1)
    ours = found(*map(jnp.asarray, (energies, beta, rates, operators)))
    weights = np.exp(-beta[:, :1] * (energies - energies[:, :1]))
    gibbs = weights / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ours["populations"], gibbs, rtol=1e-12)
    assert np.all(np.abs(ours["flows"]) <= 1e-12 * rates.max(axis=1, keepdims=True))
    assert np.all((ours["each"] >= 0) & (ours["each"] <= 1e-20 * rates.max(axis=1)[:, None]))
