"""Rates of ideal baths of bosons and fermions: formulas, limits, slopes, misuse."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from derivatives import difference

import entropax as ex

FREQUENCIES = np.array([1e-9, 1e-3, 0.3, 1.0, 2.7, 12.0])
BOTH_WAYS = np.concatenate([-FREQUENCIES, [0.0], FREQUENCIES])


@jax.jit
def given(bath: ex.ThermalBath, w: jax.Array) -> jax.Array:
    return bath.rate(w)


def rates(bath: ex.ThermalBath) -> tuple[np.ndarray, float, np.ndarray]:
    """gamma(-w), gamma(0) and gamma(w), by one program for each kind of bath."""
    up, zero, down = np.split(np.asarray(given(bath, BOTH_WAYS)), [6, 7])
    return up, float(zero[0]), down


@pytest.mark.parametrize("name", ideal.SPECTRA)
@pytest.mark.parametrize("beta", [0.2, 1.7])
def test_rates_of_bosons(name: str, beta: float) -> None:
    spectrum, density = ideal.SPECTRA[name]
    up, _, down = rates(ex.ThermalBath(beta, spectrum))
    n = 1.0 / np.expm1(beta * FREQUENCIES)
    np.testing.assert_allclose(down, density(FREQUENCIES) * (1.0 + n), rtol=1e-12)
    np.testing.assert_allclose(up, density(FREQUENCIES) * n, rtol=1e-12)
    np.testing.assert_allclose(up, np.exp(-beta * FREQUENCIES) * down, rtol=1e-12)


@pytest.mark.parametrize("mu", [0.0, 0.4])
def test_rates_of_fermions(mu: float) -> None:
    bath = ex.ThermalBath(1.3, ex.FlatSpectrum(0.7), "fermi", mu)
    energies = jnp.array([-2.0, 0.0, 0.4, 3.0])
    f = 1.0 / (np.exp(1.3 * (energies - mu)) + 1.0)
    np.testing.assert_allclose(bath.absorption(energies), 0.7 * f, rtol=1e-13)
    np.testing.assert_allclose(bath.emission(energies), 0.7 * (1.0 - f), rtol=1e-13)


def test_bosons_with_a_chemical_potential() -> None:
    up, zero, down = rates(ex.ThermalBath(0.8, ex.OhmicSpectrum(0.5), mu=-0.6))
    n = 1.0 / np.expm1(0.8 * (FREQUENCIES + 0.6))
    np.testing.assert_allclose(down, 0.5 * FREQUENCIES * (1.0 + n), rtol=1e-13)
    np.testing.assert_allclose(up, 0.5 * FREQUENCIES * n, rtol=1e-13)
    assert zero == 0.0


def test_zero_temperature_only_takes() -> None:
    up, zero, down = rates(ex.ThermalBath(jnp.inf, ex.OhmicSpectrum(0.5, 3.0)))
    np.testing.assert_allclose(down, 0.5 * FREQUENCIES * np.exp(-FREQUENCIES / 3), rtol=1e-14)
    np.testing.assert_array_equal(up, 0.0)
    assert zero == 0.0
    cold = ex.ThermalBath(jnp.inf, ex.FlatSpectrum(0.5), "fermi", 1.0)
    energies = jnp.array([0.5, 1.5])
    np.testing.assert_array_equal(cold.absorption(energies), [0.5, 0.0])
    np.testing.assert_array_equal(cold.emission(energies), [0.0, 0.5])


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("ohmic", 0.3 / 1.7),
        ("drude-lorentz", 0.4 / 3.0 / 1.7),
        ("super-ohmic", 0.0),
        ("flat", np.inf),
    ],
)
def test_zero_frequency_is_the_limit(name: str, limit: float) -> None:
    spectrum, _ = ideal.SPECTRA[name]
    np.testing.assert_allclose(rates(ex.ThermalBath(1.7, spectrum))[1], limit, rtol=1e-14)
    bath = ex.ThermalBath(1.7, spectrum, zero_frequency_rate=0.25)
    assert rates(bath)[1] == 0.25


@jax.jit
def slopes(bath: ex.ThermalBath, w: jax.Array, beta: jax.Array) -> tuple[jax.Array, Any]:
    """gamma(w) at another temperature, and its derivatives by both."""

    def rate(w: jax.Array, beta: jax.Array) -> jax.Array:
        return eqx.tree_at(lambda b: b.beta, bath, beta).rate(w)

    return jax.value_and_grad(rate, argnums=(0, 1))(w, beta)


@pytest.mark.parametrize("name", ["drude-lorentz", "super-ohmic", "tabulated"])
@pytest.mark.parametrize("w", [-1.3, -1e-7, 0.0, 1e-7, 1.3])
def test_rates_have_right_slopes(name: str, w: float) -> None:
    bath = ex.ThermalBath(1.0, ideal.SPECTRA[name][0])

    def rate(w: float, beta: float) -> jax.Array:
        return slopes(bath, jnp.asarray(w), jnp.asarray(beta))[0]

    gradient = slopes(bath, jnp.array(w), jnp.array(0.9))[1]
    by_beta = difference(lambda beta: rate(w, beta), (0.9,), (1.0,))
    np.testing.assert_allclose(gradient[1], by_beta, rtol=0, atol=1e-9)
    if name != "tabulated" or abs(w) > 1e-3:  # a table bends at 0
        by_w = difference(lambda v: rate(v, 0.9), (w,), (1.0,))
        np.testing.assert_allclose(gradient[0], by_w, rtol=0, atol=1e-7)


BAD = {
    "statistics": (lambda: ex.ThermalBath(1.0, statistics="x"), '`statistics` must be "bose" or'),
    "beta": (
        lambda: ex.ThermalBath(-1.0, ex.FlatSpectrum(1.0)),
        "`beta` must be positive for bosons, but is -1.0",
    ),
    "mu": (
        lambda: ex.ThermalBath(1.0, ex.FlatSpectrum(1.0), mu=0.2),
        "`mu` must be at most 0 for bosons, but is 0.2",
    ),
    "rates for fermions": (
        lambda: ex.ThermalBath(1.0, ex.PowerSpectrum(jnp.exp), "fermi"),
        "`spectrum` must be J for fermions",
    ),
    "rate of fermions": (
        lambda: ex.ThermalBath(1.0, ideal.OHMIC, "fermi").rate(jnp.array(1.0)),
        '`statistics` must be "bose" for this rate',
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        build()
