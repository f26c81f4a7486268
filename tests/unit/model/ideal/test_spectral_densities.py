"""Spectra: values, limits at zero frequency, what they claim of themselves, misuse."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal

import entropax as ex
from entropax.model.ideal.spectral_densities import AbstractSpectrum, spectrum

FREQUENCIES = np.array([0.0, 1e-9, 1e-3, 0.3, 1.0, 2.7, 12.0])
SLOPES = {
    "flat": np.inf,
    "ohmic": 0.3,
    "ohmic without cutoff": 0.3,
    "super-ohmic": 0.0,
    "drude-lorentz": 0.4 / 3.0,
    "tabulated": 0.5,
    "function": 0.0,
}


@jax.jit
def both(density: AbstractSpectrum, w: jax.Array) -> tuple[jax.Array, jax.Array]:
    return density(w), density.per_frequency(w)


@pytest.mark.parametrize("name", ideal.SPECTRA)
def test_values_are_those_of_the_formula(name: str) -> None:
    """J, and J / w with its limit at zero."""
    density, formula = ideal.SPECTRA[name]
    values, per_frequency = both(density, jnp.asarray(FREQUENCIES))
    np.testing.assert_allclose(values, formula(FREQUENCIES), rtol=1e-14)
    expected = formula(FREQUENCIES[1:]) / FREQUENCIES[1:]
    np.testing.assert_allclose(per_frequency[1:], expected, rtol=1e-14)
    np.testing.assert_allclose(per_frequency[0], SLOPES[name], rtol=1e-15)


def test_only_spectra_that_fall_off_say_so() -> None:
    decaying = {name for name, (density, _) in ideal.SPECTRA.items() if density.decays}
    assert decaying == {"ohmic", "super-ohmic", "drude-lorentz"}
    assert ex.CustomSpectrum(jnp.exp, decays=True).decays
    odd = {name for name, (density, _) in ideal.SPECTRA.items() if density.is_odd}
    assert odd == {"ohmic", "ohmic without cutoff", "super-ohmic", "drude-lorentz"}


def test_a_root_has_a_slope_away_from_zero() -> None:
    """J = sqrt(w) has none at 0, which is not asked for, or beside others."""
    root = spectrum(jnp.sqrt)
    assert isinstance(root, AbstractSpectrum)
    w = jnp.array([0.25, 1.0, 4.0])

    def total(w: jax.Array) -> jax.Array:
        return jnp.sum(root.per_frequency(w))

    for derivative in (jax.grad, jax.jacfwd):
        np.testing.assert_allclose(derivative(total)(w), -0.5 * w**-1.5, rtol=1e-14)
    beside = jax.grad(lambda w: jnp.sum(root.per_frequency(w)[1:]))(jnp.append(0.0, w))
    np.testing.assert_allclose(beside[1:], -0.5 * w**-1.5, rtol=1e-14)
    np.testing.assert_array_equal(root.per_frequency(jnp.array([0.0, 1.0])), [np.inf, 1.0])


def test_a_table_is_undefined_outside() -> None:
    table = ideal.SPECTRA["tabulated"][0]
    assert np.all(np.isnan(table(jnp.array([-0.1, 20.1]))))
    np.testing.assert_allclose(table(jnp.array([0.0, 20.0])), [0.0, 0.1], rtol=1e-15)


def test_what_may_stand_for_a_spectrum() -> None:
    flat = ex.FlatSpectrum(0.3)
    assert spectrum(flat) is flat
    rates = ex.PowerSpectrum(jnp.exp)
    assert spectrum(rates) is rates
    assert not isinstance(rates, AbstractSpectrum)
    custom = spectrum(lambda w: w**2)
    assert isinstance(custom, ex.CustomSpectrum)
    assert float(custom(jnp.array(3.0))) == 9.0
    for wrong in (ex.FlatSpectrum, 0.3):
        with pytest.raises(ValueError, match="`spectrum` must be a spectrum or a function"):
            spectrum(wrong)


NOT_COMPILED = {
    "numpy": lambda w: np.exp(-w),
    "numpy's table": lambda w: np.interp(w, [0.0, 1.0], [0.0, 1.0]),
    "if": lambda w: w if w > 0 else 0.0,
    "math": lambda w: math.exp(-w),
    "float": lambda w: float(w) ** 2,
}


@pytest.mark.parametrize("name", NOT_COMPILED)
def test_bad_input_that_cannot_be_compiled_is_told_of_jax_numpy(name: str) -> None:
    with pytest.raises(ValueError, match=r"`spectrum` must be written in jax\.numpy"):
        ex.ThermalBath(1.0, NOT_COMPILED[name])


BAD = {
    "negative rate": (lambda: ex.FlatSpectrum(-0.3), "`rate` must be non-negative, but is -0.3"),
    "negative strength": (lambda: ex.OhmicSpectrum(-1.0), "`strength` must be non-negative"),
    "cutoff": (lambda: ex.OhmicSpectrum(1.0, 0.0), "`cutoff` must be positive, but is 0.0"),
    "exponent": (lambda: ex.SuperOhmicSpectrum(1.0, 1.0, 1.0), "`exponent` must be above 1"),
    "table order": (lambda: ex.TabulatedSpectrum([1.0, 0.0], [0.0, 1.0]), "must be ascending"),
    "table sign": (lambda: ex.TabulatedSpectrum([0.0, 1.0], [0.0, -1.0]), "`values` must be non-n"),
    "table size": (lambda: ex.TabulatedSpectrum([0.0, 1.0], [0.0]), "as many entries as"),
    "spectrum": (lambda: ex.ThermalBath(1.0, 0.3), "`spectrum` must be a spectrum or a function"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        build()
